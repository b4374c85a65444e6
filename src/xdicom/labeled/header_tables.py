"""Look-up tables, palettes and mappings of a header, as attributes and coordinates of the whole array."""

from __future__ import annotations

import numpy as np

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.headers import luts
from xdicom.headers.dictionary import TAGS, to_snake_case
from xdicom.headers.enhanced_palettes import parse_enhanced_palette
from xdicom.headers.values import RawValue
from xdicom.labeled.coords import Coordinate, place_values
from xdicom.labeled.tables import enhanced_palette_to_attrs, palette_to_attrs, real_world_maps_to_attrs, table_to_attrs
from xdicom.model.columns import Column
from xdicom.model.grid import FrameGrid
from xdicom.transforms.modality import modality_range


def table_attributes(grid: FrameGrid) -> tuple[dict[str, object], dict[str, Coordinate]]:
    """Look-up tables of the header as attributes, and which of several holds for which frames, as coordinates.

    A damaged table is left out and named in the attribute `damaged_tables`: a transform that needs it refuses.
    """
    attrs: dict[str, object] = {}
    coords: dict[str, Coordinate] = {}
    damaged: list[str] = []
    item, signed = _item(grid, _LUT_COLUMNS), grid.encoding.is_signed
    for name, make in (
        ("modality_lut", lambda: _modality_tables(grid, attrs, coords)),
        ("voi_luts", lambda: [table_to_attrs(table) for table in luts.parse_voi_luts(item, is_signed=_is_voi_input_signed(grid, attrs))]),
        ("palette", lambda: palette_to_attrs(palette) if (palette := luts.parse_palette(item, is_signed=signed)) else None),
        ("enhanced_palette", lambda: _enhanced_palette(grid)),
        ("presentation_lut", lambda: table_to_attrs(table) if (table := luts.parse_presentation_lut(item)) else None),
        ("real_world_value_maps", lambda: _real_world_maps(grid, coords)),
    ):
        try:
            value = make()
        except PixelDataError as error:
            damaged.append(f"{name}: {error}")
            continue
        if value:
            attrs[name] = value
    if damaged:
        attrs["damaged_tables"] = damaged
    return attrs, coords


def _enhanced_palette(grid: FrameGrid) -> dict[str, object] | None:
    """Which frames are blended and how; or why the colors can't be known, as `refused`."""
    item = _item(grid, {to_snake_case(keyword): keyword for keyword in _ENHANCED_PALETTE})
    try:
        found = parse_enhanced_palette(item, bits_stored=grid.encoding.bits_stored, is_signed=grid.encoding.is_signed)
    except UnsupportedEncodingError as error:
        return {"refused": str(error)}
    return None if found is None else enhanced_palette_to_attrs(*found)


def _is_voi_input_signed(grid: FrameGrid, attrs: dict[str, object]) -> bool:
    """Whether first values mapped of VOI LUTs are signed, whatever their VR says (PS3.3 C.11.2.1.1)."""
    if "modality_lut" in attrs or "modality_luts" in attrs:
        return False
    slope, intercept = grid.column("rescale_slope"), grid.column("rescale_intercept")
    if slope is None and intercept is None:
        return grid.encoding.is_signed
    slopes, intercepts = (_stated(column, default) for column, default in ((slope, 1.0), (intercept, 0.0)))
    return min(modality_range(grid.encoding.dtype, slopes, intercepts.min(), grid.encoding.bits_stored)) < 0


def _stated(column: Column | None, default: float) -> np.ndarray:
    numbers = np.zeros(0) if column is None else column.first_numbers()
    numbers = numbers[np.isfinite(numbers)]
    return numbers if numbers.size else np.array([default])


def _modality_tables(grid: FrameGrid, attrs: dict[str, object], coords: dict[str, Coordinate]) -> dict[str, object] | None:
    column = grid.column("modality_lut_sequence")
    if column is None or column.kind != "raw":
        return None
    signed = grid.encoding.is_signed
    tables = [luts.parse_modality_lut({TAGS["ModalityLUTSequence"]: value}, is_signed=signed) for value in column.values]
    kinds = {luts.parse_rescale_type({TAGS["ModalityLUTSequence"]: value}) for value in column.values}
    if len(kinds) == 1 and (kind := kinds.pop()):
        attrs["rescale_type"] = kind
    found = [table_to_attrs(table) for table in tables if table is not None]
    if len(found) == 1 and column.is_complete:
        return found[0]
    if found:
        attrs["modality_luts"] = found
        places, codes = place_values(column.codes.reshape(grid.rows.shape), tuple(axis.name for axis in grid.axes))
        coords["modality_lut_index"] = (places, codes.astype(np.int64), {})
    return None


def _real_world_maps(grid: FrameGrid, coords: dict[str, Coordinate]) -> list[object]:
    column = grid.column("real_world_value_mapping_sequence")
    if column is None or column.kind != "raw":
        return []
    sets = [luts.parse_real_world_maps({TAGS["RealWorldValueMappingSequence"]: value}) for value in column.values]
    if len(sets) > 1 or not column.is_complete:
        places, codes = place_values(column.codes.reshape(grid.rows.shape), tuple(axis.name for axis in grid.axes))
        coords["real_world_value_map_index"] = (places, codes.astype(np.int64), {})
    return list(real_world_maps_to_attrs(sets))


_ENHANCED_PALETTE = (
    "DataFrameAssignmentSequence", "BlendingLUT1Sequence", "BlendingLUT2Sequence", "EnhancedPaletteColorLookupTableSequence",
)  # fmt: skip
_LUT_COLUMNS = {
    "voi_lut_sequence": "VOILUTSequence",
    "presentation_lut_sequence": "PresentationLUTSequence",
    "palette_color_lookup_table_uid": "PaletteColorLookupTableUID",
    "photometric_interpretation": "PhotometricInterpretation",
    **{
        f"{prefix.lower()}_palette_color_lookup_table_{kind.lower()}": f"{prefix}PaletteColorLookupTable{kind}"
        for prefix in ("Red", "Green", "Blue", "Alpha")
        for kind in ("Descriptor", "Data")
    },
    **{
        f"segmented_{color.lower()}_palette_color_lookup_table_data": f"Segmented{color}PaletteColorLookupTableData"
        for color in ("Red", "Green", "Blue", "Alpha")
    },
}


def _item(grid: FrameGrid, names: dict[str, str]) -> dict[int, RawValue]:
    """Raw values of the first frame that has them, by tag."""
    item: dict[int, RawValue] = {}
    for name, keyword in names.items():
        column = grid.column(name)
        value = column.first() if column is not None and column.kind == "raw" else None
        if isinstance(value, RawValue):
            item[TAGS[keyword]] = value
        elif column is not None and column.kind == "text" and isinstance(column.first(), str):
            item[TAGS[keyword]] = RawValue("CS", str(column.first()).encode("latin_1"))
    return item
