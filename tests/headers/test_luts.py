"""Lookup tables, windows, palettes and mappings as headers write them, rightly and wrongly."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels.processing import apply_color_lut

from xdicom.errors import PixelDataError
from xdicom.headers.elements import Syntax
from xdicom.headers.luts import (
    parse_modality_lut,
    parse_palette,
    parse_presentation_lut,
    parse_real_world_maps,
    parse_rescale_type,
    parse_voi_luts,
    parse_windows,
)
from xdicom.headers.values import RawValue, parse_elements
from xdicom.transforms.palette import apply_palette
from xdicom.transforms.voi import Window
from xdicom.transforms.well_known_palettes import well_known_palette


def us(*numbers: int, vr: str = "US", order: str = "<") -> RawValue:
    return RawValue(vr, struct.pack(f"{order}{len(numbers)}H", *(n & 0xFFFF for n in numbers)), is_big_endian=order == ">")


def ds(text: str) -> RawValue:
    return RawValue("DS", text.encode())


def lo(text: str) -> RawValue:
    return RawValue("LO", text.encode())


def sequence(*items: dict[int, RawValue], order: str = "<") -> RawValue:
    """Items in implicit VR, where VRs come from the dictionary and Pixel Representation is not at hand."""
    data = b""
    for item in items:
        body = b""
        for tag, value in sorted(item.items()):
            body += struct.pack(f"{order}HHI", tag >> 16, tag & 0xFFFF, len(value.data)) + value.data
        data += struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(body)) + body
    return RawValue("SQ", data, is_implicit=True, is_big_endian=order == ">")


def modality_lut(descriptor: RawValue, data: bytes, **more: RawValue) -> dict[int, RawValue]:
    item = {0x00283002: descriptor, 0x00283003: lo("what it means"), 0x00283004: lo("HU"), 0x00283006: RawValue("OW", data)}
    return {0x00283000: sequence(item), **{int(tag[1:], 16): value for tag, value in more.items()}}


SIGNED = {"t00280103": us(1)}


def test_a_modality_lut_of_16_bit_entries() -> None:
    table = parse_modality_lut(modality_lut(us(3, 5, 16), struct.pack("<3H", 10, 2000, 65535)))

    assert table is not None
    assert (table.first_mapped, table.bits, table.explanation) == (5, 16, "what it means")
    assert table.data.tolist() == [10, 2000, 65535]


def test_no_sequence_means_no_table() -> None:
    assert parse_modality_lut({}) is None
    assert parse_voi_luts({}) == ()
    assert parse_presentation_lut({}) is None
    assert parse_palette({}) is None


@pytest.mark.parametrize(("more", "first_mapped"), [(SIGNED, -512), ({}, 65024)])
def test_the_first_value_mapped_is_signed_where_the_pixels_are(more: dict[str, RawValue], first_mapped: int) -> None:
    table = parse_modality_lut(modality_lut(us(2, 65024, 16), b"\0" * 4, **more))

    assert table is not None
    assert table.first_mapped == first_mapped


def test_0_entries_means_65536() -> None:
    table = parse_modality_lut(modality_lut(us(0, 0, 16), np.arange(65536, dtype="<u2").tobytes()))

    assert table is not None
    assert len(table) == 65536
    assert table.data[-1] == 65535


@pytest.mark.parametrize(
    ("data", "expected", "bits"),
    [
        (bytes([1, 2, 255, 0]), [1, 2, 255], 8),  # packed, and a byte of padding
        (struct.pack("<3H", 1, 2, 255), [1, 2, 255], 8),  # in words
        (struct.pack("<3H", 0x101, 0x202, 0xFFFF), [0x101, 0x202, 0xFFFF], 16),  # words that use 16 bits after all
    ],
)
def test_entries_of_8_bits_are_packed_or_stand_in_words(data: bytes, expected: list[int], bits: int) -> None:
    table = parse_modality_lut(modality_lut(us(3, 0, 8), data))

    assert table is not None
    assert table.data.tolist() == expected
    assert table.bits == bits


def test_big_endian_words_and_packed_bytes() -> None:
    words = {0x00283002: us(3, 0, 16, order=">"), 0x00283006: RawValue("OW", struct.pack(">3H", 1, 2, 300))}
    packed = {0x00283002: us(4, 0, 8, order=">"), 0x00283006: RawValue("OW", bytes([2, 1, 4, 3]))}
    first, second = (parse_modality_lut({0x00283000: sequence(item, order=">")}) for item in (words, packed))

    assert first is not None
    assert second is not None
    assert first.data.tolist() == [1, 2, 300]
    assert second.data.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("descriptor", "data", "message"),
    [
        (us(3, 0, 16), b"\0" * 4, "has 4 bytes; its descriptor promises 3 entries of 16 bits"),
        (us(3, 0, 16), b"", "has 0 bytes"),
        (us(3, 0), b"\0" * 6, "not three numbers"),
        (us(3, 0, 0), b"\0" * 6, "entries of 0 bits"),
        (us(3, 0, 32), b"\0" * 6, "entries of 32 bits"),
    ],
)
def test_a_damaged_table_is_refused(descriptor: RawValue, data: bytes, message: str) -> None:
    with pytest.raises(PixelDataError, match=message):
        parse_modality_lut(modality_lut(descriptor, data))


def test_the_type_of_the_modality_lut_comes_before_the_rescale_type() -> None:
    header = modality_lut(us(1, 0, 16), b"\0\0", t00281054=lo("US"))

    assert parse_rescale_type(header) == "HU"
    assert parse_rescale_type({0x00281054: lo("OD ")}) == "OD"
    assert parse_rescale_type({}) == ""


def test_voi_luts_are_alternatives_with_explanations() -> None:
    items = [
        {0x00283002: us(2, 65535, 8), 0x00283003: lo(name), 0x00283006: RawValue("OW", bytes(entries))}
        for name, entries in (("NORMAL", [0, 255]), ("HARDER", [10, 200]))
    ]

    tables = parse_voi_luts({0x00283010: sequence(*items), 0x00280103: us(1)})

    assert [table.explanation for table in tables] == ["NORMAL", "HARDER"]
    assert [table.first_mapped for table in tables] == [-1, -1]
    assert tables[1].data.tolist() == [10, 200]


def test_a_presentation_lut() -> None:
    table = parse_presentation_lut(
        {0x20500010: sequence({0x00283002: us(4, 0, 12), 0x00283006: RawValue("OW", struct.pack("<4H", 0, 1, 2, 4095))})}
    )

    assert table is not None
    assert (len(table), table.bits) == (4, 12)


# --- windows --------------------------------------------------------------------------------------------------------


def test_windows_with_explanations() -> None:
    header = {0x00281050: ds("40\\-600 "), 0x00281051: ds("400\\1500"), 0x00281055: lo("SOFT\\LUNG"), 0x00281056: lo("SIGMOID ")}

    assert parse_windows(header) == (Window(40, 400, "SIGMOID", "SOFT"), Window(-600, 1500, "SIGMOID", "LUNG"))


@pytest.mark.parametrize(
    ("center", "width", "count"),
    [("", "", 0), ("40", "", 0), ("40\\50", "400", 1), ("40\\\\50", "400\\\\100", 2), ("abc", "400", 0), ("nan", "1", 0)],
)
def test_incomplete_windows_are_none(center: str, width: str, count: int) -> None:
    assert len(parse_windows({0x00281050: ds(center), 0x00281051: ds(width)})) == count


def test_explanations_may_be_fewer_than_windows() -> None:
    windows = parse_windows({0x00281050: ds("1\\2"), 0x00281051: ds("3\\4"), 0x00281055: lo("ONE")})

    assert [window.explanation for window in windows] == ["ONE", ""]


# --- palettes -------------------------------------------------------------------------------------------------------


def palette_header(*, bits: int = 8, photometric: str = "PALETTE COLOR") -> dict[int, RawValue]:
    header = {0x00280004: RawValue("CS", photometric.encode())}
    for number, entries in enumerate(([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12])):
        header[0x00281101 + number] = us(4, 0, bits)
        header[0x00281201 + number] = RawValue("OW", bytes(entries) if bits == 8 else struct.pack("<4H", *entries))
    return header


@pytest.mark.parametrize("bits", [8, 16])
def test_a_plain_palette(bits: int) -> None:
    palette = parse_palette(palette_header(bits=bits))

    assert palette is not None
    assert not palette.is_supplemental
    assert palette.colors().tolist() == [[1, 5, 9], [2, 6, 10], [3, 7, 11], [4, 8, 12]]


def test_alpha_comes_along() -> None:
    palette = parse_palette({**palette_header(), 0x00281104: us(4, 0, 8), 0x00281204: RawValue("OW", bytes([0, 80, 160, 255]))})

    assert palette is not None
    assert palette.colors()[:, 3].tolist() == [0, 80, 160, 255]


def test_a_palette_of_a_grayscale_image_is_supplemental() -> None:
    palette = parse_palette(palette_header(photometric="MONOCHROME2"))

    assert palette is not None
    assert palette.is_supplemental


def test_a_segmented_palette_of_words() -> None:
    header: dict[int, RawValue] = {}
    for number in range(3):
        header[0x00281101 + number] = us(5, 65534, 16, vr="SS")
        header[0x00281221 + number] = us(0, 1, 1000, 1, 4, 5000, vr="OW")

    palette = parse_palette(header, is_signed=True)

    assert palette is not None
    assert palette.red.first_mapped == -2
    assert palette.red.data.tolist() == [1000, 2000, 3000, 4000, 5000]


def test_a_palette_may_be_named_by_its_uid_alone() -> None:
    assert parse_palette({0x00281199: RawValue("UI", b"1.2.840.10008.1.5.2\0")}) == well_known_palette("PET")
    assert parse_palette({0x00281199: RawValue("UI", b"1.2.3\0")}) is None


def test_a_palette_without_blue_is_refused() -> None:
    header = palette_header()
    del header[0x00281203]

    with pytest.raises(PixelDataError, match=r"without data for blue, \(0028,1203\)"):
        parse_palette(header)


def test_damaged_segments_are_refused_with_their_tag() -> None:
    header = {0x00281101 + n: us(5, 0, 8) for n in range(3)} | {0x00281221 + n: RawValue("OW", bytes([7, 1, 1, 1])) for n in range(3)}

    with pytest.raises(PixelDataError, match=r"\(0028,1221\): a palette has a segment with opcode 7"):
        parse_palette(header)


# --- real-world values ------------------------------------------------------------------------------------------------


def test_real_world_maps_linear_and_by_table() -> None:
    unit = sequence({0x00080100: lo("ml/min"), 0x00080104: lo("flow")})
    linear = {
        0x00409216: us(0), 0x00409211: us(4095), 0x00409210: lo("FLOW"), 0x00283003: lo("Blood flow"), 0x004008EA: unit,
        0x00409224: RawValue("FD", struct.pack("<d", -1.5)), 0x00409225: RawValue("FD", struct.pack("<d", 0.25)),
    }  # fmt: skip
    table = {0x00409216: us(1), 0x00409211: us(2), 0x00409212: RawValue("FD", struct.pack("<2d", 0.1, 7.0))}
    empty = {0x00409216: us(1), 0x00409211: us(2)}
    endless = {0x00409225: linear[0x00409225]}

    maps = parse_real_world_maps({0x00409096: sequence(linear, table, empty, endless)})

    assert len(maps) == 3
    assert (maps[2].first_mapped, maps[2].last_mapped, maps[2].intercept) == (-np.inf, np.inf, 0.0)
    assert (maps[0].slope, maps[0].intercept, maps[0].first_mapped, maps[0].last_mapped) == (0.25, -1.5, 0.0, 4095.0)
    assert (maps[0].label, maps[0].explanation, maps[0].unit) == ("FLOW", "Blood flow", "ml/min")
    assert maps[1].table is not None
    assert maps[1].table.data.tolist() == [0.1, 7.0]


# --- real files -------------------------------------------------------------------------------------------------------


def header_of(path: Path) -> dict[int, RawValue]:
    data = path.read_bytes()
    meta, start = parse_elements(data, 132, 132 + 12, Syntax(is_implicit=False))
    start = 144 + int(meta[0x00020000].numbers()[0])
    stop = data.index(b"\xe0\x7f\x10\x00")
    return parse_elements(
        data,
        start,
        stop,
        Syntax(is_implicit=str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID) == "1.2.840.10008.1.2"),
    )[0]


@pytest.mark.corpus
def test_mlut_18_has_a_signed_first_value(corpus: Path) -> None:
    path = corpus / "files/pydicom-data/mlut_18.dcm"
    expected = dcmread(path).ModalityLUTSequence[0]

    table = parse_modality_lut(header_of(path))

    assert table is not None
    assert table.first_mapped == -2048
    assert len(table) == (expected.LUTDescriptor[0] or 65536)


@pytest.mark.corpus
def test_vlut_04_has_a_voi_lut(corpus: Path) -> None:
    (table, *_) = parse_voi_luts(header_of(corpus / "files/pydicom-data/vlut_04.dcm"))

    assert len(table) >= 256


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name",
    [
        "pydicom/examples_palette.dcm",
        "pydicom-data/gdcm-US-ALOKA-16.dcm",
        "fo-dicom/TestPattern_Palette.dcm",
        "cornerstone3D/TestPattern_Palette_16.dcm",
    ],
)
def test_palettes_of_real_files_agree_with_pydicom(corpus: Path, name: str) -> None:
    dataset = dcmread(corpus / "files" / name)
    palette = parse_palette(header_of(corpus / "files" / name))
    assert palette is not None

    colors = apply_palette(dataset.pixel_array, palette)

    by_pydicom = apply_color_lut(dataset.pixel_array, dataset)
    if by_pydicom.dtype == np.uint16 and colors.dtype == np.uint8:
        by_pydicom = by_pydicom >> 8 if by_pydicom.max() > 255 else by_pydicom  # 8 bits in 16-bit words
    assert np.array_equal(colors, by_pydicom)


def test_an_item_of_nothing_but_empty_elements_is_no_table() -> None:
    empty = {0x00283002: RawValue("US", b""), 0x00283003: lo("NONE"), 0x00283006: RawValue("US", b"")}

    assert parse_modality_lut({0x00283000: sequence(empty)}) is None
    assert parse_voi_luts({0x00283010: sequence(empty)}) == ()
    assert parse_presentation_lut({0x20500010: sequence({})}) is None
