"""Multi-frame files with functional groups: Enhanced MR and Segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from builders.files import make_file, uid
from builders.geometry import AXIAL, OBLIQUE, ORIGIN_MM, image_position
from builders.samples import Array, phantom

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"

ECHO_DIMENSIONS = ((0x00209056, 0x00209111), (0x00209057, 0x00209111), (0x00189082, 0x00189114))
"""Stack ID and In-Stack Position Number in Frame Content, Effective Echo Time in MR Echo."""

SEGMENT_DIMENSIONS = ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
"""Referenced Segment Number in Segment Identification, Image Position (Patient) in Plane Position."""


def make_enhanced_mr(
    path: Path,
    echoes_ms: Sequence[float] = (4.0, 8.0),
    positions_mm: Sequence[float] = (0.0, 2.0, 4.0),
    *,
    order: Sequence[int] | None = None,
    rows: int = 8,
    columns: int = 6,
    pixel_spacing: tuple[float, float] = (0.7, 0.5),
    orientation: Sequence[float] = OBLIQUE,
    origin_mm: tuple[float, float] = ORIGIN_MM,
    slope: float | Sequence[float] = 1.0,
    intercept: float | Sequence[float] = 0.0,
    window: tuple[float, float] | None = (100.0, 200.0),
    values: Array | None = None,
    dtype: DTypeLike = np.uint16,
    bits_stored: int | None = None,
    transfer_syntax: str = "native",
    fragments_per_frame: int = 1,
    table: str | Sequence[int] = "basic",
    has_delimiter: bool = True,
    undefined_length: bool = False,
    has_dimensions: bool = True,
    **elements: Any,
) -> Path:
    """Write an Enhanced MR object, echoes by positions, and return its path.

    Frame number `e * len(positions_mm) + p` (from 0) is echo `e` at position `p`, with stored values
    `phantom(frame, rows, columns, dtype)`, unless `values` gives them, shape `(frames, rows, columns)`, in that same order.

    Parameters
    ----------
    order
        Order in which these frames lie in the file; as counted when None. `[5, 0, …]` puts frame 5 first.
    slope, intercept
        Of the Pixel Value Transformation: shared, or one for each frame in the counted order (then per frame).
    window
        (center, width) of the shared Frame VOI LUT; None leaves the group out.
    has_dimensions
        False leaves out dimension organization and index values.
    fragments_per_frame, table, has_delimiter, undefined_length
        See `make_file`.
    elements
        Further elements of the data set by keyword; None leaves one out.
    """
    count = len(echoes_ms) * len(positions_mm)
    order = range(count) if order is None else order
    if sorted(order) != list(range(count)):
        raise ValueError("order has to name every frame once")
    varies = isinstance(slope, Sequence) or isinstance(intercept, Sequence)
    slopes = slope if isinstance(slope, Sequence) else [slope] * count
    intercepts = intercept if isinstance(intercept, Sequence) else [intercept] * count

    frames = []
    for frame in order:
        echo, place = divmod(frame, len(positions_mm))
        content: dict[str, Any] = {"StackID": "1", "InStackPositionNumber": place + 1, "FrameAcquisitionNumber": 1}
        if has_dimensions:
            content["DimensionIndexValues"] = [1, place + 1, echo + 1]
        groups: dict[Any, Any] = {
            "FrameContentSequence": [content],
            "PlanePositionSequence": [{"ImagePositionPatient": image_position(positions_mm[place], orientation, origin_mm)}],
            "MREchoSequence": [{"EffectiveEchoTime": float(echoes_ms[echo])}],
        }
        if varies:
            groups["PixelValueTransformationSequence"] = [_rescaling(slopes[frame], intercepts[frame])]
        frames.append(groups)

    shared: dict[Any, Any] = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(orientation)}],
        "PixelMeasuresSequence": [{"PixelSpacing": list(pixel_spacing), "SliceThickness": 2.0}],
        "MRImageFrameTypeSequence": [{"FrameType": ["ORIGINAL", "PRIMARY", "M", "NONE"], "ComplexImageComponent": "MAGNITUDE"}],
    }
    if not varies:
        shared["PixelValueTransformationSequence"] = [_rescaling(slopes[0], intercepts[0])]
    if window:
        shared["FrameVOILUTSequence"] = [{"WindowCenter": window[0], "WindowWidth": window[1]}]
    if values is None:
        values = np.stack([phantom(frame, rows, columns, dtype, bits_stored=bits_stored) for frame in range(count)])
    return make_file(
        path,
        {
            "SOPClassUID": ENHANCED_MR,
            "Modality": "MR",
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"],
            "FrameOfReferenceUID": uid("frame of reference"),
            "SeriesNumber": 1,
            "InstanceNumber": 1,
            "NumberOfFrames": count,
            "SharedFunctionalGroupsSequence": [shared],
            "PerFrameFunctionalGroupsSequence": frames,
            **(_dimensions(ECHO_DIMENSIONS) if has_dimensions else {}),
            **elements,
        },
        values[list(order)],
        transfer_syntax,
        bits_stored=bits_stored,
        fragments_per_frame=fragments_per_frame,
        table=table,
        has_delimiter=has_delimiter,
        undefined_length=undefined_length,
    )


def make_seg(
    path: Path,
    labels: Sequence[str] = ("liver", "lesion"),
    frames: Sequence[tuple[int, float]] = ((1, 0.0), (1, 2.5), (2, 2.5)),
    *,
    values: Array | None = None,
    rows: int = 8,
    columns: int = 6,
    pixel_spacing: tuple[float, float] = (0.7, 0.5),
    orientation: Sequence[float] = AXIAL,
    origin_mm: tuple[float, float] = ORIGIN_MM,
    transfer_syntax: str = "native",
    undefined_length: bool = False,
    **elements: Any,
) -> Path:
    """Write a binary segmentation and return its path.

    Each of `frames` is (segment number from 1, position along the normal [mm]); those left out are empty, as PS3.3 A.51 allows.
    Frame `i` is `phantom(i, rows, columns, bool)`, unless `values` gives them, shape `(frames, rows, columns)`, boolean or uint8.
    """
    places = sorted({position for _, position in frames})
    per_frame = [
        {
            "FrameContentSequence": [{"DimensionIndexValues": [segment, places.index(position) + 1]}],
            "PlanePositionSequence": [{"ImagePositionPatient": image_position(position, orientation, origin_mm)}],
            "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": segment}],
        }
        for segment, position in frames
    ]
    shared = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(orientation)}],
        "PixelMeasuresSequence": [{"PixelSpacing": list(pixel_spacing), "SliceThickness": 2.5}],
    }
    segments = [{"SegmentNumber": i, "SegmentLabel": label, "SegmentAlgorithmType": "MANUAL"} for i, label in enumerate(labels, 1)]
    if values is None:
        values = np.stack([phantom(i, rows, columns, bool) for i in range(len(frames))])
    return make_file(
        path,
        {
            "SOPClassUID": SEGMENTATION,
            "Modality": "SEG",
            "ImageType": ["DERIVED", "PRIMARY"],
            "FrameOfReferenceUID": uid("frame of reference"),
            "SegmentationType": "BINARY" if values.dtype.kind == "b" else "FRACTIONAL",
            "SegmentSequence": segments,
            "NumberOfFrames": len(frames),
            "SharedFunctionalGroupsSequence": [shared],
            "PerFrameFunctionalGroupsSequence": per_frame,
            **_dimensions(SEGMENT_DIMENSIONS),
            **elements,
        },
        values,
        transfer_syntax,
        undefined_length=undefined_length,
    )


def _rescaling(slope: float, intercept: float) -> dict[str, Any]:
    """Item of the Pixel Value Transformation (PS3.3 C.7.6.16.2.9)."""
    return {"RescaleSlope": float(slope), "RescaleIntercept": float(intercept), "RescaleType": "US"}


def _dimensions(pointers: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Elements of the dimension module, one dimension for each (index pointer, group pointer) (PS3.3 C.7.6.17)."""
    organization = uid("dimensions", *pointers)
    return {
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [
            {"DimensionOrganizationUID": organization, "DimensionIndexPointer": index, "FunctionalGroupPointer": group}
            for index, group in pointers
        ],
    }
