"""Lookup tables, windows, palettes and mappings that a header holds, as values of the transforms."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from xdicom.errors import PixelDataError
from xdicom.headers.elements import UncertainHeaderError
from xdicom.headers.values import RawValue
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette
from xdicom.transforms.real_world import RealWorldMap
from xdicom.transforms.segments import expand_segments
from xdicom.transforms.voi import LINEAR, Window
from xdicom.transforms.well_known_palettes import PALETTE_UIDS, well_known_palette

Item = Mapping[int, RawValue]
"""Elements of one level of a header by tag: of the data set itself, or of an item of a sequence."""

PIXEL_REPRESENTATION = 0x00280103
PHOTOMETRIC_INTERPRETATION = 0x00280004
LUT_DESCRIPTOR, LUT_EXPLANATION, LUT_DATA = 0x00283002, 0x00283003, 0x00283006
COLORS = ("red", "green", "blue", "alpha")


def parse_modality_lut(item: Item, *, is_signed: bool | None = None) -> LookupTable | None:
    """The Modality LUT (0028,3000), or None (PS3.3 C.11.1).

    Parameters
    ----------
    item
        Elements of the data set.
    is_signed
        Whether stored values are signed, which decides how the first value mapped is read whatever its VR says;
        by default from Pixel Representation in `item`.

    Raises
    ------
    PixelDataError
        When the table is damaged.
    """
    for table in _tables(item, 0x00283000):
        return parse_table(table, LUT_DESCRIPTOR, LUT_DATA, is_signed=_signed(item, is_signed), explanation=text(table, LUT_EXPLANATION))
    return None


def parse_rescale_type(item: Item) -> str:
    """Modality LUT Type (0028,3004) of the Modality LUT, else Rescale Type (0028,1054), else the empty string."""
    for table in _tables(item, 0x00283000):
        return text(table, 0x00283004)
    return text(item, 0x00281054)


def parse_windows(item: Item) -> tuple[Window, ...]:
    """Windows (0028,1050), (0028,1051) in the header's order, alternatives to each other (PS3.3 C.11.2.1.2).

    A center without a width, and a pair of which one is empty or not a number, makes no window. Explanations
    (0028,1055) may be fewer or more than the windows.
    """
    centers, widths = numbers(item, 0x00281050), numbers(item, 0x00281051)
    explanations = item[0x00281055].texts() if 0x00281055 in item else ()
    function = text(item, 0x00281056).upper()
    windows = []
    for number, (center, width) in enumerate(zip(centers, widths, strict=False)):
        if np.isfinite(center) and np.isfinite(width):
            explanation = explanations[number] if number < len(explanations) else ""
            windows.append(Window(float(center), float(width), function or LINEAR, explanation))
    return tuple(windows)


def parse_voi_luts(item: Item, *, is_signed: bool | None = None) -> tuple[LookupTable, ...]:
    """VOI LUTs (0028,3010) in the header's order, alternatives to each other (PS3.3 C.11.2.1.1).

    The first value mapped is signed where its VR is SS, or where the input of the VOI LUT may be negative: `is_signed` says
    so, by default Pixel Representation in `item`.

    Raises
    ------
    PixelDataError
        When a table is damaged.
    """
    tables = []
    for table in _tables(item, 0x00283010):
        descriptor = table.get(LUT_DESCRIPTOR)
        signed = _signed(item, is_signed) or (descriptor is not None and descriptor.vr == "SS")
        tables.append(parse_table(table, LUT_DESCRIPTOR, LUT_DATA, is_signed=signed, explanation=text(table, LUT_EXPLANATION)))
    return tuple(tables)


def parse_presentation_lut(item: Item) -> LookupTable | None:
    """The Presentation LUT (2050,0010), or None (PS3.3 C.11.4, C.11.6).

    Raises
    ------
    PixelDataError
        When the table is damaged.
    """
    for table in _tables(item, 0x20500010):
        return parse_table(table, LUT_DESCRIPTOR, LUT_DATA, is_signed=False, explanation=text(table, LUT_EXPLANATION))
    return None


def parse_palette(item: Item, *, is_signed: bool | None = None) -> Palette | None:
    """The palette, plain or segmented, or one of the standard's named by its UID (0028,1199), or None (PS3.3 C.7.9).

    It is a supplemental palette where Photometric Interpretation is not PALETTE COLOR (PS3.3 C.7.6.19).

    Raises
    ------
    PixelDataError
        When a table is damaged, or the tables do not belong together.
    """
    if 0x00281101 not in item:
        uid = text(item, 0x00281199)
        return well_known_palette(uid) if uid in PALETTE_UIDS.values() else None
    signed = _signed(item, is_signed)
    red, green, blue, alpha = (parse_color_table(item, number, is_signed=signed) for number in range(len(COLORS)))
    for number, table in enumerate((red, green, blue)):
        if table is None:
            raise PixelDataError(f"the header has a palette without data for {COLORS[number]}, (0028,{0x1201 + number:04X})")
    assert red is not None
    assert green is not None
    assert blue is not None
    try:
        return Palette(red, green, blue, alpha, is_supplemental=text(item, PHOTOMETRIC_INTERPRETATION) not in ("", "PALETTE COLOR"))
    except ValueError as error:
        raise PixelDataError(str(error)) from error


def parse_color_table(item: Item, number: int, *, is_signed: bool) -> LookupTable | None:
    """The table of one of `COLORS`, plain or segmented, or None where it has no data (PS3.3 C.7.6.3.1.5).

    Raises
    ------
    PixelDataError
        When the table is damaged.
    """
    descriptor, plain, segmented = (tag + number for tag in (0x00281101, 0x00281201, 0x00281221))
    if plain in item:
        return parse_table(item, descriptor, plain, is_signed=is_signed)
    return _segmented_table(item, descriptor, segmented, is_signed) if segmented in item else None


def parse_real_world_maps(item: Item) -> tuple[RealWorldMap, ...]:
    """Real-world value mappings (0040,9096), alternatives to each other (PS3.3 C.7.6.16.2.11).

    A linear mapping without a range maps all values. What has neither slope nor table, or a table without a first
    value mapped, is left out: it maps nothing.
    """
    found = (_real_world_map(entry) for entry in items_of(item, 0x00409096))
    return tuple(mapping for mapping in found if mapping is not None)


def parse_table(item: Item, descriptor_tag: int, data_tag: int, *, is_signed: bool, explanation: str = "") -> LookupTable:
    """The table that a descriptor and its data make.

    Raises
    ------
    PixelDataError
        When it is damaged.
    """
    entries, first_mapped, bits = _descriptor(item, descriptor_tag, is_signed)
    raw = item.get(data_tag)
    length = 0 if raw is None else len(raw.data)
    if raw is None or length < entries * (1 if bits <= 8 else 2):
        raise PixelDataError(
            f"lookup table ({data_tag >> 16:04X},{data_tag & 0xFFFF:04X}) has {length} bytes; "
            f"its descriptor promises {entries} entries of {bits} bits"
        )
    # entries of 8 bits are packed, or stand in words of 16 all the same (PS3.3 C.11.1.1.1)
    data = _words(raw)[:entries] if length >= 2 * entries else _bytes(raw)[:entries]
    largest = int(data.max())
    if bits <= 8 and largest > 255:
        bits = 16
    return LookupTable(first_mapped, data.astype(np.uint8 if bits <= 8 else np.uint16), max(bits, largest.bit_length()), explanation)


def text(item: Item, tag: int) -> str:
    """The first text of an element, or the empty string."""
    return item[tag].text() if tag in item else ""


def numbers(item: Item, tag: int) -> tuple[int | float, ...]:
    """The numbers of an element, none where it is missing."""
    return item[tag].numbers() if tag in item else ()


def first(item: Item, tag: int) -> int | float | None:
    """The first number of an element, or None."""
    found = numbers(item, tag)
    return found[0] if found else None


def items_of(item: Item, tag: int) -> list[dict[int, RawValue]]:
    """Items of a sequence, none where it is missing.

    Raises
    ------
    PixelDataError
        When the sequence is damaged.
    """
    try:
        return item[tag].items() if tag in item else []
    except UncertainHeaderError as doubt:
        raise PixelDataError(f"sequence {tag:08X} is damaged: {doubt}") from doubt


def _tables(item: Item, tag: int) -> list[dict[int, RawValue]]:
    """Items of a sequence of lookup tables; one whose descriptor and data are both empty is no table."""
    return [entry for entry in items_of(item, tag) if any(len(entry[part].data) for part in (LUT_DESCRIPTOR, LUT_DATA) if part in entry)]


def _signed(item: Item, is_signed: bool | None) -> bool:
    return bool(first(item, PIXEL_REPRESENTATION)) if is_signed is None else is_signed


def _descriptor(item: Item, tag: int, is_signed: bool) -> tuple[int, int, int]:
    """Number of entries, first value mapped and bits of an entry, read by meaning, since files err in the VR."""
    found = numbers(item, tag)
    if len(found) != 3 or not np.isfinite(found).all():
        raise PixelDataError(f"lookup table descriptor ({tag >> 16:04X},{tag & 0xFFFF:04X}) is not three numbers")
    entries, first_mapped, bits = (int(number) & 0xFFFF for number in found)
    if is_signed and first_mapped >= 0x8000:
        first_mapped -= 0x10000
    if not 1 <= bits <= 16:
        raise PixelDataError(f"lookup table descriptor ({tag >> 16:04X},{tag & 0xFFFF:04X}) has entries of {bits} bits")
    return entries or 0x10000, first_mapped, bits


def _segmented_table(item: Item, descriptor_tag: int, data_tag: int, is_signed: bool) -> LookupTable:
    entries, first_mapped, bits = _descriptor(item, descriptor_tag, is_signed)
    raw = item[data_tag]
    try:
        data = expand_segments(_bytes(raw) if bits <= 8 else _words(raw), entries)
    except ValueError as error:
        raise PixelDataError(f"segmented palette ({data_tag >> 16:04X},{data_tag & 0xFFFF:04X}): {error}") from error
    return LookupTable(first_mapped, data, bits)


def _words(raw: RawValue) -> np.ndarray:
    order = ">" if raw.is_big_endian else "<"
    return np.frombuffer(raw.data, f"{order}u2", count=len(raw.data) // 2).astype(np.uint16)


def _bytes(raw: RawValue) -> np.ndarray:
    if raw.is_big_endian and raw.vr in ("OW", "US", "SS"):  # the bytes of each word lie swapped (PS3.5 7.3)
        return _words(raw).astype("<u2").view(np.uint8)
    return np.frombuffer(raw.data, np.uint8)


def _real_world_map(item: Item) -> RealWorldMap | None:
    low = first(item, 0x00409216) if 0x00409216 in item else first(item, 0x00409214)
    high = first(item, 0x00409211) if 0x00409211 in item else first(item, 0x00409213)
    slope, intercept, entries = first(item, 0x00409225), first(item, 0x00409224), numbers(item, 0x00409212)
    if (slope is None and not entries) or (entries and low is None):
        return None
    units = items_of(item, 0x004008EA)
    quantities = [concept for entry in items_of(item, 0x00409220) for concept in items_of(entry, 0x0040A168)]
    low, high = -math.inf if low is None else float(low), math.inf if high is None else float(high)
    table = LookupTable(int(min(low, high)), np.array(entries, np.float64), bits=64) if entries else None
    return RealWorldMap(
        first_mapped=low,
        last_mapped=high,
        slope=None if table is not None or slope is None else float(slope),
        intercept=None if table is not None else float(intercept or 0.0),
        table=table,
        unit=text(units[0], 0x00080100) if units else "",
        label=text(item, 0x00409210),
        explanation=text(item, LUT_EXPLANATION),
        quantity=text(quantities[0], 0x00080104) if quantities else "",
    )
