"""What the values of a mask or a label array are as segments, and what these are called (PS3.3 C.8.20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from xdicom.export.dicom_planes import frame_sizes

Code = tuple[str, str, str]
"""Value, scheme and meaning of a code, such as `("10200004", "SCT", "Liver")`."""
TISSUE: Code = ("85756007", "SCT", "Tissue")
"""Category and type of a segment of which nothing more is said."""


MOST_SEGMENTS = 65_535
"""Largest number of a segment (PS3.3 C.8.20.2)."""


@dataclass(frozen=True, slots=True)
class SegmentText:
    """What a segment is."""

    label: str
    """Segment Label."""
    category: Code = TISSUE
    """Segmented Property Category (CID 7150)."""
    property_type: Code = TISSUE
    """Segmented Property Type."""
    algorithm: str = ""
    """Name of the algorithm that made it; empty for one drawn by hand."""
    algorithm_version: str = ""
    """Its version."""


Segments = Sequence[SegmentText | str] | Mapping[int, SegmentText | str]
"""What each segment is, from number 1 on, or by its number."""
Kind = Literal["binary", "labelmap", "fractional"]
"""Segmentation Type (PS3.3 C.8.20.2)."""


def values_of(mask: xr.DataArray, asked: Kind | None) -> tuple[np.ndarray, str]:
    """Values as highdicom takes them, shape `(z, y, x[, segment])`, and the type of segmentation."""
    extra = [dim for dim in frame_sizes(mask) if dim not in ("z", "segment")]
    if extra or "sample" in mask.dims:
        raise ValueError(f"a segmentation has dimensions segment, z, y and x; this array has {', '.join(map(str, mask.dims))}")
    dims = [dim for dim in ("z", "y", "x", "segment") if dim in mask.dims]
    dtype = mask.dtype
    kind = "FRACTIONAL" if dtype.kind == "f" else "BINARY" if dtype.kind == "b" or "segment" in mask.dims else "LABELMAP"
    wanted = kind if asked is None else str(asked).upper()
    if wanted != kind and (wanted, kind) not in (("BINARY", "LABELMAP"), ("LABELMAP", "BINARY")):
        raise ValueError(
            f"segmentation_type is {asked!r}, and values of {dtype} are written as {kind.lower()}: array.astype() makes others"
        )
    if wanted == "LABELMAP" and "segment" in mask.dims:
        raise ValueError(
            "a label map has one number for each pixel: make it of masks that do not overlap, and leave the dimension segment out"
        )
    values = np.asarray(mask.transpose(*dims).values)
    values = values if "z" in mask.dims else values[None]
    if dtype.kind == "f":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise ValueError("fractions lie between 0 and 1")
        return values, wanted
    largest = values.max(initial=0)
    if dtype.kind not in "biu" or values.min(initial=0) < 0 or ("segment" in mask.dims and largest > 1):
        raise ValueError(f"a mask is boolean, labels are whole numbers from 0 on without a dimension segment; this is {dtype}")
    if largest > MOST_SEGMENTS:
        raise ValueError(f"the largest label is {largest}, and {MOST_SEGMENTS} is the largest number of a segment: number them anew")
    return values.astype(np.uint8 if largest <= np.iinfo(np.uint8).max else np.uint16), wanted


def texts_of_segments(mask: xr.DataArray, segments: Segments | None, values: np.ndarray, kind: str) -> dict[int, SegmentText]:
    """What each segment is, by its number."""
    if "segment" in mask.dims:
        numbers = list(range(1, mask.sizes["segment"] + 1))
    elif kind == "LABELMAP":
        numbers = [int(number) for number in np.unique(values) if number] or [1]
    else:
        numbers = list(range(1, max(1, int(values.max(initial=0)) if kind == "BINARY" else 1) + 1))
    if segments is None:
        given: dict[int, SegmentText | str] = {number: text or f"Segment {number}" for number, text in _known(mask, numbers).items()}
    else:
        given = dict(segments) if isinstance(segments, Mapping) else dict(enumerate(segments, 1))
    missing = [number for number in numbers if number not in given]
    if missing or ("segment" in mask.dims and len(given) != len(numbers)):
        lacks = f"; {', '.join(map(str, missing[:8]))} {'are' if missing[1:] else 'is'} not among them" if missing else ""
        raise ValueError(f"there are {len(numbers)} segments, and segments= describes {len(given)}{lacks}")
    if kind == "LABELMAP" or sorted(given) == list(range(1, len(given) + 1)):
        numbers = sorted(given)
    return {number: text if isinstance(text := given[number], SegmentText) else SegmentText(text) for number in numbers}


def _known(mask: xr.DataArray, numbers: Sequence[int]) -> dict[int, str]:
    """Labels that the array itself has for some segments, empty where it has none."""
    if "segment" in mask.dims and "segment_label" in mask.coords:
        return dict(zip(numbers, map(str, mask.coords["segment_label"].values), strict=True))
    stated = {int(each["number"]): str(each["label"]) for each in mask.attrs.get("segments", ()) if "segment" not in mask.dims}
    return {number: stated.get(number, "") for number in numbers}
