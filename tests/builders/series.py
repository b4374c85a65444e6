"""Series of single-frame files: CT, PET, and one with whatever elements a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from builders.files import make_file, uid
from builders.geometry import AXIAL, ORIGIN_MM, image_position
from builders.samples import Array, phantom

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
PET_IMAGE = "1.2.840.10008.5.1.4.1.1.128"


def make_ct(
    folder: Path,
    positions_mm: Sequence[float] = (0.0, 2.5, 5.0),
    names: Sequence[str] | None = None,
    *,
    rows: int = 8,
    columns: int = 6,
    pixel_spacing: tuple[float, float] = (0.7, 0.5),
    orientation: Sequence[float] = AXIAL,
    origin_mm: tuple[float, float] = ORIGIN_MM,
    slope: float | Sequence[float] = 1,
    intercept: float | Sequence[float] = -1024,
    windows: Sequence[tuple[float, float]] = ((40, 400),),
    values: Callable[[int], Array] | None = None,
    dtype: DTypeLike = np.int16,
    bits_stored: int | None = None,
    transfer_syntax: str = "native",
    series_uid: str | None = None,
    varying: Mapping[str, Sequence[Any]] | None = None,
    **elements: Any,
) -> list[Path]:
    """Write a CT series, one file for each position, and return the paths in the order of `positions_mm`.

    Parameters
    ----------
    folder
        Folder of the files; it is made when missing.
    positions_mm
        Position of each plane along the slice normal [mm].
    names
        File names; "000.dcm", "001.dcm", … when None.
    rows, columns
        Size of a frame.
    pixel_spacing
        Distance between rows and between columns [mm].
    orientation
        Six cosines of the row and the column direction.
    origin_mm
        Position of the first pixel along the row and the column direction [mm].
    slope, intercept
        Of the rescaling: for all files, or one for each.
    windows
        (center, width) pairs; none leaves the elements out.
    values
        Stored values of slice `i`; `phantom(i, rows, columns, dtype)` when None.
    dtype, bits_stored
        Of the stored values.
    transfer_syntax
        Short name, see `streams.TRANSFER_SYNTAXES`.
    series_uid
        Series Instance UID; depends on the folder's name when None.
    varying
        For a keyword, one value for each file.
    elements
        Further elements of every file by keyword; None leaves one out.
    """
    windows_given: dict[str, Any] = {}
    if windows:
        windows_given = {"WindowCenter": [center for center, _ in windows], "WindowWidth": [width for _, width in windows]}
    return make_slices(
        folder,
        [image_position(position, orientation, origin_mm) for position in positions_mm],
        names,
        values=values or (lambda i: phantom(i, rows, columns, dtype, bits_stored=bits_stored)),
        bits_stored=bits_stored,
        transfer_syntax=transfer_syntax,
        series_uid=series_uid,
        varying={
            "RescaleSlope": _for_each(slope, len(positions_mm)),
            "RescaleIntercept": _for_each(intercept, len(positions_mm)),
            **(varying or {}),
        },
        **{
            "SOPClassUID": CT_IMAGE,
            "Modality": "CT",
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "RescaleType": "HU",
            "KVP": 120,
            "PixelSpacing": list(pixel_spacing),
            "ImageOrientationPatient": list(orientation),
            "SliceThickness": 2.5,
            **windows_given,
            **elements,
        },
    )


def make_pet(
    folder: Path,
    slopes: Sequence[float] = (0.5, 1.25, 2.0),
    names: Sequence[str] | None = None,
    *,
    spacing_mm: float = 3.0,
    rows: int = 8,
    columns: int = 6,
    pixel_spacing: tuple[float, float] = (2.0, 2.0),
    transfer_syntax: str = "native",
    series_uid: str | None = None,
    varying: Mapping[str, Sequence[Any]] | None = None,
    **elements: Any,
) -> list[Path]:
    """Write a PET series in BQML with a slope for each slice, slices at 0, `spacing_mm`, …; return the paths in that order.

    Stored values of slice `i` are `phantom(i, rows, columns, numpy.int16)`. The other parameters are those of `make_ct`.
    """
    return make_slices(
        folder,
        [image_position(spacing_mm * i) for i in range(len(slopes))],
        names,
        values=lambda i: phantom(i, rows, columns, np.int16),
        transfer_syntax=transfer_syntax,
        series_uid=series_uid,
        varying={"RescaleSlope": [float(slope) for slope in slopes], **(varying or {})},
        **{
            "SOPClassUID": PET_IMAGE,
            "Modality": "PT",
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "Units": "BQML",
            "DecayCorrection": "START",
            "CorrectedImage": ["ATTN", "DECY"],
            "SeriesType": ["STATIC", "IMAGE"],
            "RescaleIntercept": 0,
            "PixelSpacing": list(pixel_spacing),
            "ImageOrientationPatient": list(AXIAL),
            "SliceThickness": spacing_mm,
            "NumberOfSlices": len(slopes),
            **elements,
        },
    )


def make_slices(
    folder: Path,
    positions: Sequence[Sequence[float] | None],
    names: Sequence[str] | None = None,
    *,
    values: Callable[[int], Array] = phantom,
    bits_stored: int | None = None,
    transfer_syntax: str = "native",
    series_uid: str | None = None,
    varying: Mapping[str, Sequence[Any]] | None = None,
    **elements: Any,
) -> list[Path]:
    """Write a series of single-frame files and return their paths: the floor below `make_ct`, with no modality's elements.

    `positions` has the Image Position (Patient) of each file, or None for a file without one. `values(i)` gives the stored
    values of file `i`. The other parameters are those of `make_ct`.
    """
    series_uid = series_uid or uid("series", folder.name)
    names = names or [f"{i:03d}.dcm" for i in range(len(positions))]
    if len(names) != len(positions) or any(len(each) != len(positions) for each in (varying or {}).values()):
        raise ValueError("names and varying elements have one value for each position")
    paths = []
    for i, (position, name) in enumerate(zip(positions, names, strict=True)):
        identity = {
            "SOPInstanceUID": uid(series_uid, name, i),
            "StudyInstanceUID": uid("study"),
            "SeriesInstanceUID": series_uid,
            "FrameOfReferenceUID": uid("frame of reference"),
            "SeriesNumber": 1,
            "InstanceNumber": i + 1,
            "ImagePositionPatient": position,
        }
        mine = {keyword: each[i] for keyword, each in (varying or {}).items()}
        paths.append(make_file(folder / name, {**identity, **elements, **mine}, values(i), transfer_syntax, bits_stored=bits_stored))
    return paths


def _for_each(value: float | Sequence[float], count: int) -> Sequence[float]:
    """One value for each of `count` files."""
    return value if isinstance(value, Sequence) else [value] * count
