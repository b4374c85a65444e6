"""Multi-frame files without functional groups: cine, nuclear medicine, dose; and single pictures of other kinds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from builders.files import make_file, uid
from builders.geometry import AXIAL, image_position
from builders.samples import Array, phantom, phantoms

ULTRASOUND_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
NUCLEAR_MEDICINE = "1.2.840.10008.5.1.4.1.1.20"
RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"

FRAME_TIME, FRAME_TIME_VECTOR, GRID_FRAME_OFFSETS = 0x00181063, 0x00181065, 0x3004000C
ENERGY_WINDOW, DETECTOR, PHASE, ROTATION = 0x00540010, 0x00540020, 0x00540030, 0x00540050
RR_INTERVAL, TIME_SLOT, SLICE, ANGULAR_VIEW, TIME_SLICE = 0x00540060, 0x00540070, 0x00540080, 0x00540090, 0x00540100
VECTORS = {
    ENERGY_WINDOW: "EnergyWindowVector",
    DETECTOR: "DetectorVector",
    PHASE: "PhaseVector",
    ROTATION: "RotationVector",
    RR_INTERVAL: "RRIntervalVector",
    TIME_SLOT: "TimeSlotVector",
    TIME_SLICE: "TimeSliceVector",
    ANGULAR_VIEW: "AngularViewVector",
    SLICE: "SliceVector",
}
COUNTS = {
    "EnergyWindowVector": "NumberOfEnergyWindows",
    "DetectorVector": "NumberOfDetectors",
    "PhaseVector": "NumberOfPhases",
    "RotationVector": "NumberOfRotations",
    "RRIntervalVector": "NumberOfRRIntervals",
    "TimeSlotVector": "NumberOfTimeSlots",
    "SliceVector": "NumberOfSlices",
}


def make_cine(
    path: Path,
    frames: int = 4,
    frame_time_ms: float | Sequence[float] = 40.0,
    photometric: str = "RGB",
    *,
    rows: int = 8,
    columns: int = 6,
    transfer_syntax: str = "native",
    values: Array | None = None,
    fragments_per_frame: int = 1,
    table: str | Sequence[int] = "basic",
    **elements: Any,
) -> Path:
    """Write an ultrasound cine and return its path.

    `frame_time_ms` is one number (Frame Time) or one for each frame (Frame Time Vector). Frames are
    `phantom(i, rows, columns, numpy.uint8, samples=3)`, or with 1 sample when `photometric` is a monochrome one.
    """
    samples = 1 if photometric.startswith("MONOCHROME") else 3
    if values is None:
        values = phantoms(frames, rows, columns, np.uint8, samples=samples)
    timing: dict[str, Any] = {"FrameTime": frame_time_ms, "FrameIncrementPointer": FRAME_TIME}
    if isinstance(frame_time_ms, Sequence):
        timing = {"FrameTimeVector": list(frame_time_ms), "FrameIncrementPointer": FRAME_TIME_VECTOR}
    return make_file(
        path,
        {
            "SOPClassUID": ULTRASOUND_CINE,
            "Modality": "US",
            "SeriesNumber": 1,
            "InstanceNumber": 1,
            "PhotometricInterpretation": photometric,
            "NumberOfFrames": len(values),
            **timing,
            **elements,
        },
        values,
        transfer_syntax,
        fragments_per_frame=fragments_per_frame,
        table=table,
    )


def make_palette(
    path: Path,
    entries: Array | None = None,
    *,
    first: int = 0,
    rows: int = 8,
    columns: int = 6,
    transfer_syntax: str = "native",
    **elements: Any,
) -> Path:
    """Write a PALETTE COLOR picture and return its path.

    `entries` has the red, green and blue entries, shape `(3, n)`, uint8 or uint16; 32 entries of a 16-bit ramp when None.
    Stored values are `first + phantom(0, rows, columns, numpy.int64) % n`, uint8 where they fit, else uint16.
    """
    if entries is None:
        ramp = np.arange(32, dtype=np.uint16)
        entries = np.stack([ramp * 2048, 65535 - ramp * 2048, ramp * 1024])
    count, bits = entries.shape[1], 8 * entries.dtype.itemsize
    palettes: dict[str, Any] = {}
    for color, values in zip(("Red", "Green", "Blue"), entries, strict=True):
        palettes[f"{color}PaletteColorLookupTableDescriptor"] = [count % 65536, first, bits]
        palettes[f"{color}PaletteColorLookupTableData"] = values.tobytes() + b"\0" * (values.nbytes % 2)
    pixels = (first + phantom(0, rows, columns, np.int64) % count).astype(np.uint8 if first + count <= 256 else np.uint16)
    return make_file(
        path, {"Modality": "OT", "PhotometricInterpretation": "PALETTE COLOR", **palettes, **elements}, pixels, transfer_syntax
    )


def make_nm(path: Path, vectors: dict[int, Sequence[int]] | None = None, *, rows: int = 8, columns: int = 6, **elements: Any) -> Path:
    """Write a nuclear medicine object and return its path.

    `vectors` has, for each tag of Frame Increment Pointer (`ENERGY_WINDOW`, `DETECTOR`, …), the vector with a number for each
    frame; two energy windows by two detectors when None. Frames are `phantom(i, rows, columns, numpy.uint16)`.
    """
    vectors = vectors or {ENERGY_WINDOW: [1, 1, 2, 2], DETECTOR: [1, 2, 1, 2]}
    given: dict[str, Any] = {"FrameIncrementPointer": list(vectors)}
    for tag, numbers in vectors.items():
        keyword = VECTORS[tag]
        given[keyword] = list(numbers)
        if keyword in COUNTS:
            given[COUNTS[keyword]] = max(numbers)
    count = len(next(iter(vectors.values())))
    return make_file(
        path,
        {
            "SOPClassUID": NUCLEAR_MEDICINE,
            "Modality": "NM",
            "ImageType": ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
            "PixelSpacing": [4.0, 4.0],
            "NumberOfFrames": count,
            **given,
            **elements,
        },
        phantoms(count, rows, columns, np.uint16),
    )


def make_rtdose(
    path: Path,
    offsets_mm: Sequence[float] = (0.0, 3.0, 6.0),
    *,
    position_mm: float = 0.0,
    scaling: float = 1e-4,
    rows: int = 8,
    columns: int = 6,
    **elements: Any,
) -> Path:
    """Write a dose grid in Gy and return its path.

    Plane `i` lies at `offsets_mm[i]` from the plane at `position_mm` (or, when the first offset is not 0, at `offsets_mm[i]` itself:
    PS3.3 C.8.8.3.2). Frames are `phantom(i, rows, columns, numpy.uint32)`.
    """
    return make_file(
        path,
        {
            "SOPClassUID": RT_DOSE,
            "Modality": "RTDOSE",
            "FrameOfReferenceUID": uid("frame of reference"),
            "ImagePositionPatient": image_position(position_mm),
            "ImageOrientationPatient": list(AXIAL),
            "PixelSpacing": [2.5, 2.0],
            "NumberOfFrames": len(offsets_mm),
            "FrameIncrementPointer": GRID_FRAME_OFFSETS,
            "GridFrameOffsetVector": list(offsets_mm),
            "DoseUnits": "GY",
            "DoseType": "PHYSICAL",
            "DoseSummationType": "PLAN",
            "DoseGridScaling": scaling,
            **elements,
        },
        phantoms(len(offsets_mm), rows, columns, np.uint32),
    )


def make_sr(path: Path, **elements: Any) -> Path:
    """Write a structured report, which has no pixel data, and return its path."""
    return make_file(
        path, {"SOPClassUID": COMPREHENSIVE_SR, "Modality": "SR", "ValueType": "CONTAINER", "ContinuityOfContent": "SEPARATE", **elements}
    )


def make_not_dicom(path: Path, text: str = "slice,position\n1,0.0\n") -> Path:
    """Write a text file, whatever its name says, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
