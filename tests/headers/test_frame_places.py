"""Where the frames of one source lie: in native and in encapsulated pixel data, right, wrong and cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import TRANSFER_SYNTAXES, encapsulate, make_file, phantoms
from headers.test_records import file, frames_in, read
from headers.written import BIG_ENDIAN, ITEM, ITEM_END, PIXELS, element, item, numbers, sequence
from xdicom.errors import PixelDataError, UnsupportedEncodingError


@pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian"])
def test_native_frames_are_found_one_behind_the_other(tmp_path: Path, syntax: str) -> None:
    data = file(tmp_path, syntax, phantoms(3))

    big = syntax == "big_endian"
    assert [np.frombuffer(frame, ">i2" if big else "<i2").tolist() for frame in frames_in(data)] == phantoms(3).reshape(3, -1).tolist()


@pytest.mark.parametrize(("declared", "found"), [(None, 1), (0, 1), (2, 2), (3, 3)])
def test_the_number_of_frames_is_what_the_header_says(tmp_path: Path, declared: int | None, found: int) -> None:
    assert len(frames_in(file(tmp_path, pixels=phantoms(3), elements={"NumberOfFrames": declared}))) == found


def test_a_number_of_frames_of_zero_is_noted(tmp_path: Path) -> None:
    header, _, _ = read(file(tmp_path, elements={"NumberOfFrames": 0}))

    assert "Number of Frames is 0; one is assumed" in header.notes


def test_more_frames_than_bytes_are_noted(tmp_path: Path) -> None:
    _, _, spans = read(file(tmp_path, pixels=phantoms(3), elements={"NumberOfFrames": 5}))

    assert spans.length.tolist() == [96, 96, 96, 0, 0]
    assert spans.notes == ["the header declares 5 frames, the pixel data holds 3 whole ones"]


def test_an_absurd_number_of_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PixelDataError, match="can't be trusted"):
        read(file(tmp_path, elements={"NumberOfFrames": 2_000_000_000}))


def test_a_file_that_ends_within_its_pixels_has_a_short_last_frame(tmp_path: Path) -> None:
    _, _, spans = read(file(tmp_path, pixels=phantoms(3))[:-100])

    assert spans.length.tolist() == [96, 92, 0]


def test_native_pixels_of_undefined_length_reach_to_the_end(tmp_path: Path) -> None:
    data = bytearray(file(tmp_path))
    at = data.index(b"\xe0\x7f\x10\0OW\0\0") + 8
    data[at : at + 4] = b"\xff\xff\xff\xff"

    header, _, spans = read(bytes(data))

    assert spans.length.tolist() == [96]
    assert "undefined length" in header.notes[0]


def test_items_under_an_uncompressed_syntax_are_refused(tmp_path: Path) -> None:
    data = file(tmp_path, "rle")
    native = TRANSFER_SYNTAXES["native"].encode().ljust(20, b"\0")
    data = data.replace(TRANSFER_SYNTAXES["rle"].encode().ljust(20, b"\0"), native)

    with pytest.raises(UnsupportedEncodingError, match="lies in items"):
        read(data)


def test_uncompressed_pixels_under_a_compressed_syntax_are_refused(tmp_path: Path) -> None:
    data = file(tmp_path, "native").replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")

    with pytest.raises(UnsupportedEncodingError, match="no item is in it"):
        read(data)


def test_empty_pixel_data_is_refused(tmp_path: Path) -> None:
    elements = {"Rows": 8, "Columns": 6, "BitsAllocated": 16, "BitsStored": 16, "SamplesPerPixel": 1}
    data = make_file(tmp_path / "a.dcm", elements, b"", "native").read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")

    with pytest.raises(PixelDataError, match="empty"):
        read(data)


@pytest.mark.parametrize("table", ["basic", "extended", "none", [0, 7, 9]])
@pytest.mark.parametrize("fragments", [1, 2])
@pytest.mark.parametrize("has_delimiter", [True, False])
def test_encapsulated_frames_are_found_by_any_table_or_none(tmp_path: Path, table: Any, fragments: int, has_delimiter: bool) -> None:
    values = phantoms(3, 32, 32, np.uint16)
    data = file(tmp_path, "jpegls", values, fragments_per_frame=fragments, table=table, has_delimiter=has_delimiter)

    _, encoding, spans = read(data)

    from xdicom.pixels.decode import decode_frame

    decoded = [decode_frame(frame, encoding, number) for number, frame in enumerate(frames_in(data), 1)]
    np.testing.assert_array_equal(np.stack(decoded), values)
    assert len(spans.offset) == 3


def test_encapsulated_pixels_of_stated_length_are_read(tmp_path: Path) -> None:
    value = encapsulate([b"abcd"])
    data = file(tmp_path, "native", bytes(2), elements={"Rows": 2, "Columns": 2, "BitsAllocated": 8, "BitsStored": 8, "SamplesPerPixel": 1})
    data = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    data = data[: data.index(b"\xe0\x7f\x10\0OW")] + element(PIXELS, "OB", value)

    assert frames_in(data) == [value[12:]]


def test_items_are_written_as_they_are_named_here() -> None:
    assert item(undefined=True) == element(ITEM, "", length=0xFFFFFFFF) + element(ITEM_END, "")
    assert sequence(0x00081140, []) == element(0x00081140, "SQ")
    assert numbers(1, syntax=BIG_ENDIAN) == b"\0\1"
