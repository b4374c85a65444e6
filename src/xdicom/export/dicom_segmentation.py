"""Masks and label arrays to a DICOM segmentation of the series that they lie on, by highdicom (PS3.3 A.51)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, MissingDependencyError, SourceError
from xdicom.export.dicom_kept import header_of_frame
from xdicom.export.dicom_planes import arranged, frame_sizes, planes_of, planes_on
from xdicom.export.dicom_plans import WrittenDicom, new_uids
from xdicom.pixels.encode import transfer_syntax_of
from xdicom.sources.folders import split_place

if TYPE_CHECKING:
    from pydicom import Dataset

Code = tuple[str, str, str]
"""Value, scheme and meaning of a code, such as `("10200004", "SCT", "Liver")`."""
TISSUE: Code = ("85756007", "SCT", "Tissue")
"""Category and type of a segment of which nothing more is said."""


MOST_SEGMENTS = 65_535
"""Largest number of a segment (PS3.3 C.8.20.2)."""
_MAY_BE_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Elements that every instance must have, if only empty; not all sources do."""


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


class SegmentationOptions(TypedDict, total=False):
    """Options of `write_segmentation`."""

    segments: Segments | None
    segmentation_type: Kind | None
    transfer_syntax: str | None
    series_description: str
    series_number: int
    uid_seed: str | None
    overwrite: bool
    storage_options: Mapping[str, Any] | None


def write_segmentation(
    mask: xr.DataArray,
    path: str | os.PathLike[str],
    source: xr.DataArray,
    *,
    segments: Segments | None = None,
    segmentation_type: Kind | None = None,
    transfer_syntax: str | None = None,
    series_description: str = "Segmentation",
    series_number: int = 1,
    uid_seed: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> WrittenDicom:
    """Write a mask, several, or a label array as one DICOM segmentation that refers to the planes of its source.

    Parameters
    ----------
    mask
        On the planes, rows and columns of `source` (or some of its planes): boolean with `z`, `y`, `x` and maybe `segment`;
        or whole numbers with `z`, `y`, `x`, where 0 is nothing and every other number a segment; or floating-point numbers from
        0 to 1. It is computed as a whole.
    path
        File to write, or its URL.
    source
        The series that was segmented, opened in this process or with its headers kept.
    segments
        What each segment is, in order or by number; a text is a label alone. Without it labels come from the coordinate
        `segment_label` or the attribute `segments`, or are numbers.
    segmentation_type
        `binary` (a frame of bits for each segment; for masks if None), `labelmap` (segments as numbers, in one frame for
        each plane; for whole numbers if None) or `fractional` (for floating-point numbers).
    transfer_syntax
        UID or short name: `explicit`, `rle`, and but for binary ones `jpeg-2000` and `jpeg-ls`.
    series_description, series_number
        Of the new series.
    uid_seed
        Makes new UIDs depend on this text alone.
    overwrite
        Whether a file at `path` is replaced.
    storage_options
        Options of the storage that `path` lies in, as fsspec takes them.

    Raises
    ------
    MissingDependencyError
        If highdicom is not installed, or the encoder that pydicom would take.
    InconsistentSeriesError
        If the mask does not lie on the source, or the source's headers lack what a segmentation must state.
    SourceError
        If there is a file already, or no headers of the source are known.
    ValueError
        If the values are no mask, labels or fractions, or not of the type that was asked for, or there are more segments
        than are described.
    """
    try:
        import highdicom as hd  # noqa: PLC0415 - an extra, and a second to import
        from pydicom.sr.coding import Code as SrCode  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError('a segmentation is written by highdicom: pip install "xdicom[seg]"') from error
    folder, name = split_place(path, storage_options)
    if not overwrite and folder.there([name]):
        raise SourceError(f"{folder.address(name)} is there: overwrite=True replaces it")
    mask, source = arranged(mask), arranged(source)
    which = planes_on(mask, source)
    values, kind = _values(mask, segmentation_type)
    texts = _texts(mask, segments, values, kind)
    instances, positions = _headers(source, which)
    descriptions = [
        hd.seg.SegmentDescription(
            number,
            text.label,
            SrCode(*text.category),
            SrCode(*text.property_type),
            "AUTOMATIC" if text.algorithm else "MANUAL",
            _algorithm(hd, SrCode, text),
        )
        for number, text in texts.items()
    ]
    series_uid, instance_uid = new_uids(0, uid_seed)
    try:
        dataset = _quietly(
            hd.seg.Segmentation,
            source_images=instances,
            pixel_array=values,
            segmentation_type=kind,
            segment_descriptions=descriptions,
            series_instance_uid=series_uid,
            series_number=series_number,
            sop_instance_uid=instance_uid,
            instance_number=1,
            manufacturer="xdicom",
            manufacturer_model_name="xdicom",
            software_versions=version("xdicom"),
            device_serial_number="0",
            transfer_syntax_uid=transfer_syntax_of(transfer_syntax),
            plane_positions=[hd.PlanePositionSequence("PATIENT", position) for position in positions.tolist()],
            series_description=series_description,
            specific_character_set="ISO_IR 192",
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise InconsistentSeriesError(f"a segmentation can't be made of these: {error}") from error
    except RuntimeError as error:  # of pydicom, which encodes
        encoders = "pip install pyjpegls pylibjpeg pylibjpeg-openjpeg"
        raise MissingDependencyError(f"a segmentation in {transfer_syntax} needs an encoder that pydicom has not: {encoders}") from error
    try:
        folder.make()
        with folder.whole_file(name) as file:
            dataset.save_as(file)
            size = file.tell()
    finally:
        _close(dataset)
    return WrittenDicom(1, int(dataset.NumberOfFrames), size, series_uid, 0.5 / 255 if kind == "FRACTIONAL" else 0.0)


def _quietly(make: Callable[..., Any], **options: Any) -> Any:
    """What `make` gives, without its remarks on names of persons that the source states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return make(**options)


def _close(dataset: Any) -> None:
    """Close the table of frames that highdicom keeps in memory for each of its images, and leaves open."""
    connection = getattr(dataset, "_db_con", None)
    if connection is not None:
        connection.close()


def _values(mask: xr.DataArray, asked: Kind | None) -> tuple[np.ndarray, str]:
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


def _texts(mask: xr.DataArray, segments: Segments | None, values: np.ndarray, kind: str) -> dict[int, SegmentText]:
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


def _headers(source: xr.DataArray, which: np.ndarray) -> tuple[list[Dataset], np.ndarray]:
    """Headers of the source's instances, each once, and the place of each plane."""
    volume = source.isel({dim: 0 for dim in frame_sizes(source) if dim != "z"})
    planes: Mapping[Any, np.ndarray] = {"z": which} if "z" in volume.dims else {}
    chosen = volume.isel(planes)
    positions = planes_of(chosen).positions_mm
    if positions is None:
        raise InconsistentSeriesError("the source has no place in the patient")
    found: dict[str, Dataset] = {}
    for i in range(len(positions)):
        header = header_of_frame(chosen, {"z": i} if "z" in chosen.dims else 0)
        for keyword in _MAY_BE_EMPTY:
            if keyword not in header:
                setattr(header, keyword, "")
        found.setdefault(str(header.SOPInstanceUID), header)
    return list(found.values()), positions


def _algorithm(hd: Any, code: Any, text: SegmentText) -> Any:
    if not text.algorithm:
        return None
    return hd.AlgorithmIdentificationSequence(text.algorithm, code("123109", "DCM", "Manual Processing"), text.algorithm_version or "1")
