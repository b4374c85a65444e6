"""What pixels of ultrasound and of projections measure: calibrated regions of a picture, and where its spacing holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.labeled.coords import Coordinate, place_values
from xdicom.model.grid import FrameGrid

SPATIAL_FORMATS = ("none", "2D", "M-mode", "spectral", "waveform", "graphics")
"""Names of the values of Region Spatial Format (PS3.3 C.8.5.5.1.1)."""
UNITS = ("", "percent", "dB", "cm", "s", "Hz", "dB/s", "cm/s", "cm2", "cm2/s", "cm3", "cm3/s", "deg")
"""Units by the values of Physical Units X and Y Direction (PS3.3 C.8.5.5.1.15, C.8.5.5.1.16)."""
_MM_IN_A_CM = 10.0
_CALIBRATED = frozenset({"FIDUCIAL", "GEOMETRY"})


def region_attributes(grid: FrameGrid) -> tuple[dict[str, object], dict[str, Coordinate]]:
    """Calibrated regions of ultrasound as attributes, and which of several sets of them holds for which frames, as a coordinate.

    A picture may hold an image, a trace and a scale beside each other, each with units of its own. Only where there is a single
    two-dimensional region in centimetres is there one spacing, `ultrasound_pixel_spacing` (rows, columns) [mm], that of
    the region's own pixels. PS3.3 C.8.5.5.
    """
    column = grid.column("sequence_of_ultrasound_regions")
    if column is None or column.kind != "raw" or not len(column.values):
        return {}, {}
    sets = [[_region(item) for item in value.readable_items()] for value in column.values]
    if len(sets) > 1 or not column.is_complete:
        places, codes = place_values(column.codes.reshape(grid.rows.shape), tuple(axis.name for axis in grid.axes))
        note: dict[str, object] = {"long_name": "set of the attribute ultrasound_region_sets, -1 for none"}
        return {"ultrasound_region_sets": sets}, {"ultrasound_region_index": (places, codes.astype("int64"), note)}
    attrs: dict[str, object] = {"ultrasound_regions": sets[0]} if sets[0] else {}
    spacing = _spacing(sets[0])
    if spacing is not None:
        attrs["ultrasound_pixel_spacing"] = spacing
    return attrs, {}


def _numbers(item: dict[int, RawValue], *keywords: str) -> list[float | None]:
    """First number of each element, None where it is not stated."""
    found: list[float | None] = []
    for keyword in keywords:
        value = item.get(TAGS[keyword])
        numbers = value.numbers() if value is not None else ()
        found.append(numbers[0] if numbers and math.isfinite(numbers[0]) else None)
    return found


def _named(code: float | None, names: Sequence[str]) -> str:
    if code is None:
        return ""
    return names[int(code)] if 0 <= code < len(names) else f"code {code:g}"


def _region(item: dict[int, RawValue]) -> dict[str, object]:
    spatial, data_type, flags = _numbers(item, "RegionSpatialFormat", "RegionDataType", "RegionFlags")
    return {
        "spatial_format": _named(spatial, SPATIAL_FORMATS),
        "data_type": data_type,
        "flags": flags,
        "columns": _numbers(item, "RegionLocationMinX0", "RegionLocationMaxX1"),
        "rows": _numbers(item, "RegionLocationMinY0", "RegionLocationMaxY1"),
        "units": [_named(code, UNITS) for code in _numbers(item, "PhysicalUnitsYDirection", "PhysicalUnitsXDirection")],
        "delta": _numbers(item, "PhysicalDeltaY", "PhysicalDeltaX"),
        "reference_pixel": _numbers(item, "ReferencePixelY0", "ReferencePixelX0"),
        "reference_value": _numbers(item, "ReferencePixelPhysicalValueY", "ReferencePixelPhysicalValueX"),
    }


def _spacing(regions: list[dict[str, object]]) -> list[float] | None:
    """Spacing of the only region (rows, columns) [mm], None where there is no one spacing."""
    if len(regions) != 1 or regions[0]["spatial_format"] != "2D" or regions[0]["units"] != ["cm", "cm"]:
        return None
    deltas = regions[0]["delta"]
    if not isinstance(deltas, list) or not all(isinstance(delta, int | float) and delta for delta in deltas):
        return None
    return [round(abs(float(delta)) * _MM_IN_A_CM, 9) for delta in deltas]


def spacing_place(spacing: object, at_detector: object, calibration: object) -> str:
    """Where the Pixel Spacing of a projection holds: `patient`, `detector`, or `unknown` (PS3.3 10.7.1.3).

    Spacing that differs from that at the detector was calibrated; without a calibration type nobody says how.

    Examples
    --------
    >>> spacing_place([0.2, 0.2], [0.2, 0.2], None), spacing_place([0.15, 0.15], [0.2, 0.2], "FIDUCIAL")
    ('detector', 'patient')
    """
    if calibration in _CALIBRATED:
        return "patient"
    return "detector" if at_detector is not None and spacing == at_detector else "unknown"
