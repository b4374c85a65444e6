"""Palettes: plain, segmented, supplemental, and the eight of the standard."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_palette_files

from xdicom.transforms import palette as palettes
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette, apply_palette, apply_supplemental
from xdicom.transforms.segments import expand_segments
from xdicom.transforms.well_known_palettes import PALETTE_UIDS, well_known_palette


def palette(red: list[int], green: list[int], blue: list[int], *, bits: int = 8, first: int = 0, alpha: list[int] | None = None) -> Palette:
    dtype = np.uint8 if bits == 8 else np.uint16
    tables = [LookupTable(first, np.array(entries, dtype), bits) for entries in (red, green, blue, alpha) if entries is not None]
    return Palette(*tables)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">u2", "i4", "u4", "f4"])
def test_each_value_takes_its_color_and_the_ends_serve_what_lies_beyond(dtype: str) -> None:
    colors = palette([1, 2, 3], [10, 20, 30], [100, 101, 102], first=5)
    values = np.array([[0, 5, 6], [7, 8, 100]], dtype)

    out = apply_palette(values, colors)

    assert out.shape == (2, 3, 3)
    assert out.flags.c_contiguous
    assert out[0].tolist() == [[1, 10, 100], [1, 10, 100], [2, 20, 101]]
    assert out[1].tolist() == [[3, 30, 102]] * 3


def test_a_first_value_below_0_is_met_by_signed_pixels() -> None:
    colors = palette([7, 8, 9], [0, 0, 0], [0, 0, 0], first=-1)

    assert apply_palette(np.array([-2, -1, 0, 1], np.int16), colors)[:, 0].tolist() == [7, 7, 8, 9]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4, 5), (1, 300, 300)])
def test_any_shape_gets_one_axis_more(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(np.uint8)
    ramp = list(range(256))

    out = apply_palette(values, palette(ramp, ramp[::-1], ramp))

    assert out.shape == (*shape, 3)
    assert np.array_equal(out[..., 0], values)
    assert np.array_equal(out[..., 1], 255 - values)


def test_alpha_becomes_a_fourth_sample() -> None:
    out = apply_palette(np.array([0, 1], np.uint8), palette([1, 2], [3, 4], [5, 6], alpha=[0, 255]))

    assert out.tolist() == [[1, 3, 5, 0], [2, 4, 6, 255]]


def test_16_bit_entries_stay_16_bit() -> None:
    colors = palette([0, 0x1234], [0, 255], [0, 65535], bits=16)

    assert colors.dtype == np.uint16
    assert apply_palette(np.array([1], np.uint8), colors).tolist() == [[0x1234, 255, 65535]]
    assert apply_palette(np.array([1], np.uint8), colors, dtype=np.dtype(np.uint8)).tolist() == [[0x12, 0, 255]]


@pytest.mark.parametrize("entries", [[0, 0x8080, 0xFFFF], [0, 0x8000, 0xFF00], [0, 0x80, 0xFF]], ids=["twice", "shifted", "low"])
def test_8_bits_in_16_bit_words_are_8_bits(entries: list[int]) -> None:
    colors = palette(entries, entries, [0, 0, 0], bits=16)

    assert colors.dtype == np.uint8
    assert colors.colors()[:, 0].tolist() == [0, 0x80, 0xFF]
    assert colors.colors(np.dtype(np.uint16))[:, 0].tolist() == [0, 0x8080, 0xFFFF]


def test_entries_of_other_sizes_are_stretched_to_full_scale() -> None:
    tables = [LookupTable(0, np.array([0, 2048, 4095], np.uint16), bits=12)] * 3

    assert Palette(*tables).colors(np.dtype(np.uint16))[:, 0].tolist() == [0, 32776, 65535]


def test_tables_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 0\), \(3, 0\)"):
        palette([0, 1], [0, 1], [0, 1, 2])


def test_colors_are_8_or_16_bit() -> None:
    with pytest.raises(ValueError, match="uint8 or uint16"):
        palette([0], [0], [0]).colors(np.dtype(np.float32))


def test_supplemental_palette_colors_only_what_it_maps() -> None:
    tables = (LookupTable(100, np.array(entries, np.uint8), 8) for entries in ([255, 200], [0, 0], [0, 10]))
    values = np.array([0, 99, 100, 101, 102], np.uint16)
    gray = np.array([7, 8, 9, 10, 11], np.uint8)

    out = apply_supplemental(values, gray, Palette(*tables, is_supplemental=True), dtype=np.dtype(np.uint8))

    assert out.tolist() == [[7, 7, 7], [8, 8, 8], [255, 0, 0], [200, 0, 10], [200, 0, 10]]


# --- the standard's palettes ----------------------------------------------------------------------------------------

FILES = {str(dcmread(path).SOPInstanceUID): path for path in get_palette_files("*.dcm")}


@pytest.mark.parametrize("label", PALETTE_UIDS)
def test_well_known_palettes_equal_the_published_objects(label: str) -> None:
    published = dcmread(FILES[PALETTE_UIDS[label]])
    columns = []
    for color in ("Red", "Green", "Blue"):
        plain = published.get(f"{color}PaletteColorLookupTableData")
        segmented = published.get(f"Segmented{color}PaletteColorLookupTableData")
        columns.append(np.frombuffer(plain, np.uint8) if plain else expand_segments(np.frombuffer(segmented, np.uint8), 256))

    assert str(published.ContentLabel).startswith(label)
    assert np.array_equal(well_known_palette(label).colors(), np.stack(columns, axis=-1))


@pytest.mark.parametrize("name", ["hot metal blue", "HOT_METAL_BLUE", "Hot-Metal-Blue", "1.2.840.10008.1.5.3"])
def test_palettes_are_found_by_any_writing_of_their_name_and_by_uid(name: str) -> None:
    assert well_known_palette(name) == well_known_palette("HOT_METAL_BLUE")


def test_fall_is_red_to_yellow_and_winter_starts_blue() -> None:
    assert well_known_palette("FALL").colors()[[0, 255]].tolist() == [[255, 255, 0], [255, 0, 0]]
    assert well_known_palette("WINTER").colors()[0].tolist() == [0, 0, 255]
    assert well_known_palette("1.2.840.10008.1.5.7") == well_known_palette("FALL")


def test_an_unknown_palette_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"JET.*HOT_IRON, PET, .*WINTER"):
        well_known_palette("JET")


@pytest.fixture(params=[True, False], ids=["in order", "in any order"])
def order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """This numpy, and one that would not write overlapping places one after the other."""
    assert palettes._writes_in_order()
    monkeypatch.setattr(palettes, "_writes_in_order", lambda: request.param)


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("shape", [(), (1,), (2,), (3,), (0, 4), (7, 5), (3, 257, 255), (70001,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_every_pixel_of_any_shape_has_its_color(shape: tuple[int, ...], dtype: type, bits: int, has_alpha: bool) -> None:
    rng = np.random.default_rng(7)
    entry = np.uint8 if bits == 8 else np.uint16
    tables = [LookupTable(-3, rng.integers(0, 2**bits, 200).astype(entry), bits) for _ in range(3 + has_alpha)]
    limits = np.iinfo(dtype)
    values = rng.integers(max(limits.min, -300), min(limits.max, 300), shape, endpoint=True).astype(dtype)

    out = apply_palette(values, Palette(*tables))

    entries = np.stack([table.data for table in tables], axis=-1)
    assert np.array_equal(out, entries[np.clip(values.astype(np.int64), -3, 196) + 3])
    assert out.flags.c_contiguous


def test_values_that_are_not_contiguous_have_their_colors() -> None:
    table = LookupTable(0, np.random.default_rng(8).permutation(256).astype(np.uint8), 8)
    values = np.random.default_rng(9).integers(0, 256, (6, 9, 5)).astype(np.uint8)

    for part in (values[::2, ::3], values.transpose(2, 0, 1), values[:, ::-1], np.asfortranarray(values)):
        assert np.array_equal(apply_palette(part, Palette(table, table, table))[..., 1], table.data[part])
