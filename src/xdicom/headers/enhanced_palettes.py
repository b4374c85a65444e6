"""Enhanced palettes: which frames take which data path, their palettes, and how they are blended (PS3.3 C.7.6.23)."""

from __future__ import annotations

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.headers.dictionary import TAGS
from xdicom.headers.luts import COLORS, Item, first, items_of, parse_color_table, parse_table, text
from xdicom.transforms.blending import CONSTANT, IDENTITY, TABLE, DataPath, EnhancedPalette, Weight
from xdicom.transforms.palette import Palette

ASSIGNMENTS = TAGS["DataFrameAssignmentSequence"]
PRIMARY, SECONDARY = "PRIMARY_SINGLE", "SECONDARY_SINGLE"
HIGH, LOW = "SECONDARY_HIGH", "SECONDARY_LOW"
PVALUES = "PRIMARY_PVALUES"


def parse_enhanced_palette(item: Item, *, bits_stored: int, is_signed: bool) -> tuple[tuple[str, ...], EnhancedPalette] | None:
    """Data types of the frames that are blended, in the order that `transforms.blending.blend` takes them, and the palette.

    Parameters
    ----------
    item
        Elements of the data set.
    bits_stored, is_signed
        Of the stored values.

    Returns
    -------
    tuple or None
        None where there is no Data Frame Assignment Sequence (0028,1401).

    Raises
    ------
    PixelDataError
        When what the header says is damaged or contradicts itself.
    UnsupportedEncodingError
        When the standard does not say what the colors are, or there are none.
    """
    entries = items_of(item, ASSIGNMENTS)
    if not entries:
        return None
    frames: dict[str, tuple[str, int]] = {}
    for entry in entries:
        path, kind = text(entry, TAGS["DataPathAssignment"]), text(entry, TAGS["DataType"])
        if path not in (PRIMARY, SECONDARY, HIGH, LOW, PVALUES) or path in frames or not kind:
            raise PixelDataError(f"Data Frame Assignment Sequence (0028,1401) assigns frames of type {kind!r} to the data path {path!r}")
        if TAGS["WindowCenter"] in entry or TAGS["VOILUTSequence"] in entry:
            raise UnsupportedEncodingError(
                f"frames of type {kind} have a window or VOI LUT of their own on their way to an enhanced palette, and PS3.3 C.7.6.23 "
                "does not say how it acts on the bits that the palette takes"
            )
        frames[path] = kind, int(first(entry, TAGS["BitsMappedToColorLookupTable"]) or bits_stored)
    if PVALUES in frames:
        raise UnsupportedEncodingError(
            f"frames of type {frames[PVALUES][0]} are grayscale (Data Path Assignment PRIMARY_PVALUES): to_display() shows them"
        )
    if is_signed:
        raise UnsupportedEncodingError("an enhanced palette takes the most significant bits of stored values, and these have a sign")
    inputs = [(PRIMARY,), *([(SECONDARY,)] if SECONDARY in frames else []), *([(HIGH, LOW)] if HIGH in frames or LOW in frames else [])]
    if len(inputs) > 2 or any(path not in frames for paths in inputs for path in paths):
        raise PixelDataError(f"the data paths {', '.join(sorted(frames))} of (0028,1401) do not belong together")
    try:
        paths = tuple(_data_path(item, number, [frames[path][1] for path in names]) for number, names in enumerate(inputs))
        weights = tuple(_weight(item, number) for number in range(len(inputs)))
        palette = EnhancedPalette(bits_stored, paths, weights)
    except ValueError as error:
        raise PixelDataError(str(error)) from error
    return tuple(frames[path][0] for names in inputs for path in names), palette


def _data_path(item: Item, number: int, bits: list[int]) -> DataPath:
    identifier = ("PRIMARY", "SECONDARY")[number]
    for entry in items_of(item, TAGS["EnhancedPaletteColorLookupTableSequence"]):
        if text(entry, TAGS["DataPathID"]) != identifier:
            continue
        color, alpha = text(entry, TAGS["RGBLUTTransferFunction"]), text(entry, TAGS["AlphaLUTTransferFunction"]) or "NONE"
        if color not in (TABLE, "EQUAL_RGB") or alpha not in (TABLE, IDENTITY, "NONE"):
            raise ValueError(f"RGB LUT Transfer Function {color!r} and Alpha LUT Transfer Function {alpha!r} of the {identifier} data path")
        tables = [parse_color_table(entry, number, is_signed=False) for number in range(len(COLORS))] if TABLE in (color, alpha) else []
        if (color == TABLE and None in tables[:3]) or (alpha == TABLE and tables[3] is None):
            raise ValueError(f"the {identifier} data path has a palette without data")
        red, green, blue, opacity = tables or [None] * 4
        colors = Palette(red, green, blue) if color == TABLE and red and green and blue else None
        return DataPath(tuple(bits), colors, opacity if alpha == TABLE else None, alpha)
    raise ValueError(f"Enhanced Palette Color Lookup Table Sequence (0028,140B) has no item for the {identifier} data path")


def _weight(item: Item, number: int) -> Weight:
    sequence, function = ("BlendingLUT1Sequence", "BlendingLUT2Sequence")[number], f"BlendingLUT{number + 1}TransferFunction"
    for entry in items_of(item, TAGS[sequence]):
        name = text(entry, TAGS[function])
        constant = first(entry, TAGS["BlendingWeightConstant"])
        if name == CONSTANT and constant is None:
            raise ValueError(f"Blending LUT {number + 1} Transfer Function CONSTANT without Blending Weight Constant (0028,1406)")
        descriptor, data = TAGS["BlendingLookupTableDescriptor"], TAGS["BlendingLookupTableData"]
        table = parse_table(entry, descriptor, data, is_signed=False) if name == TABLE else None
        return Weight(name, float(constant or 0.0) if name == CONSTANT else 0.0, table)
    raise ValueError(f"the header has no Blending LUT {number + 1} Sequence (0028,{('1404', '140C')[number]})")
