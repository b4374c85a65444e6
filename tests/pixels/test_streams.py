"""What streams say about themselves is read before a decoder is asked."""

from __future__ import annotations

import re

import imagecodecs
import numpy as np
import pytest

from builders.streams import encode_frame
from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.pixels.jpeg_2000_stream import SIGN_BIT, SSIZ_OFFSET, jpeg_2000_codestream, parse_jpeg_2000
from xdicom.pixels.jpeg_stream import parse_jpeg
from xdicom.pixels.jpeg_xl_stream import holds_jpeg, parse_jpeg_xl

IMAGE = np.arange(12 * 10, dtype=np.uint16).reshape(12, 10)
JPEG = encode_frame(IMAGE, "jpeg_lossless", 12)
J2K = encode_frame(IMAGE, "j2k", 12)
HTJ2K = encode_frame(IMAGE, "htj2k", 16)


def changed(stream: bytes, at: int, *values: int) -> bytes:
    """`stream` with other bytes from `at` on."""
    return stream[:at] + bytes(values) + stream[at + len(values) :]


def test_a_jpeg_tells_its_size_and_precision() -> None:
    stream = parse_jpeg(JPEG)

    assert (stream.rows, stream.columns, stream.components, stream.precision, stream.process) == (12, 10, 1, 12, 0xC3)


def test_fill_bytes_and_lone_markers_between_segments_are_passed_over() -> None:
    assert parse_jpeg(JPEG[:2] + b"\xff\xff\xff\x01" + JPEG[2:]).rows == 12


def test_the_end_marker_may_have_padding_behind_it() -> None:
    assert parse_jpeg(JPEG + bytes(5000)).rows == 12


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "no JPEG stream"),
        (b"\x00\x01\x02\x03", "no JPEG stream: it begins with 00 01 02 03"),
        (JPEG[:30], "claims|ends within its headers"),
        (JPEG[:-2], "cut short"),
        (JPEG[:2] + b"\0\0\0\0", "should begin a marker"),
        (b"\xff\xd8\xff\xe0\x00\x01" + JPEG[2:], "claims 1 bytes"),
        (b"\xff\xd8\xff\xda\x00\x08\xff\xd9", "no whole frame header"),
        (b"\xff\xd8\xff\xc0\x00\x08\x08\0\1\0\1\3\xff\xda\0\0\xff\xd9", "no whole frame header"),
    ],
)
def test_a_damaged_jpeg_header_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(PixelDataError, match=message):
        parse_jpeg(stream)


@pytest.mark.parametrize("code", [0xC5, 0xC9, 0xCF])
def test_hierarchical_and_arithmetic_coding_is_refused(code: int) -> None:
    at = JPEG.index(b"\xff\xc3")

    with pytest.raises(UnsupportedEncodingError, match=f"ff{code:02x}"):
        parse_jpeg(changed(JPEG, at + 1, code))


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    at = JPEG.index(b"\xff\xc3")
    progressive = changed(JPEG, at + 1, 0xC2)

    with pytest.raises(PixelDataError, match="scans"):
        parse_jpeg(progressive[:-2] + b"\xff\xda\x00\x02" * 101 + b"\xff\xd9")


def test_a_jpeg_2000_stream_tells_its_size_precision_and_sign() -> None:
    stream = parse_jpeg_2000(encode_frame(IMAGE.astype(np.int16), "j2k", 16))

    assert (stream.rows, stream.columns, stream.components, stream.precision) == (12, 10, 1, 16)
    assert stream.is_signed
    assert stream.open_end == 0
    assert not stream.is_high_throughput


def test_high_throughput_is_told_by_the_capabilities() -> None:
    assert parse_jpeg_2000(HTJ2K).is_high_throughput


def test_a_missing_end_marker_is_noticed_where_all_tile_parts_are_there() -> None:
    assert parse_jpeg_2000(J2K[:-2] + b"\0").open_end == len(J2K) - 2


SOT = J2K.index(b"\xff\x90")
OPEN = changed(J2K, SOT + 6, 0, 0, 0, 0)


def test_a_tile_part_may_leave_its_length_to_the_end_marker() -> None:
    stream = parse_jpeg_2000(OPEN)

    assert stream.is_open
    assert stream.open_end == 0


TILED = bytes(imagecodecs.htj2k_encode(np.arange(64 * 48, dtype=np.uint16).reshape(64, 48), reversible=True, tile=(32, 32)))
TILE_PARTS = [match.start() for match in re.finditer(rb"\xff\x90\x00\x0a", TILED)]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (OPEN[:-2], "without its end marker"),
        (J2K[:-2] + b"\1\2", "neither a tile-part nor the end marker"),
        (changed(J2K, SOT + 4, 0, 1), "1 of its 1 tiles are there"),  # one that is none of the image's
        (changed(J2K, SOT + 11, 3), "it has 1 of 3 tile-parts"),
        (changed(J2K, SOT + 9, 13), "tile-part"),
        (TILED[: TILE_PARTS[3]] + b"\xff\xd9", "3 of its 4 tiles"),
        (TILED[: TILE_PARTS[1]] + TILED[TILE_PARTS[2] :], "3 of its 4 tiles"),
        (changed(J2K, 24, 0, 0, 0, 1, 0, 0, 0, 1), "1 of its 120 tiles"),  # a decoder would make room for each of them
    ],
    ids=["open end", "garbage at the end", "number", "tile-parts", "length", "last tile", "second tile", "tiny tiles"],
)
def test_a_jpeg_2000_stream_of_which_a_part_is_missing_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(PixelDataError, match=message):
        parse_jpeg_2000(stream)


def test_a_jpeg_2000_stream_of_several_tiles_is_whole() -> None:
    assert len(TILE_PARTS) == 4
    assert parse_jpeg_2000(TILED).open_end == 0


def test_boxes_around_a_jpeg_2000_stream_are_left_off() -> None:
    boxed = bytes(imagecodecs.jpeg2k_encode(IMAGE, codecformat="jp2", reversible=True))

    assert boxed[4:8] == b"jP  "
    assert bytes(jpeg_2000_codestream(boxed))[:4] == b"\xff\x4f\xff\x51"


def test_boxes_without_a_stream_are_an_error() -> None:
    with pytest.raises(PixelDataError, match="without a code stream"):
        jpeg_2000_codestream(b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x02ftyp")


COD = J2K.index(b"\xff\x52")


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "no JPEG 2000 stream"),
        (J2K[:60], "no marker segment"),
        (J2K[:-20], "cut short"),
        (J2K[: J2K.index(b"\xff\x90") + 2], "cut short"),
        (changed(J2K, 4, 0, 10), "not whole"),
        (changed(J2K, 32, 255), "tiles"),  # a tile grid that begins beyond the image makes a decoder hang
        (changed(J2K, 24, 0, 0, 0, 0), "tiles"),  # tiles of no width
        (changed(J2K, 8, 0, 0, 0, 0), "tiles"),  # an image of no width
        (changed(changed(J2K, 8, 255, 255, 255, 255), 24, 0, 0, 0, 1), "tiles"),
        (changed(J2K, COD + 9, 33), "coding style"),
        (changed(J2K, COD + 10, 9), "coding style"),
        (changed(J2K, COD + 10, 8, 8), "coding style"),
        (changed(J2K, COD + 4, 1), "coding style"),  # precincts announced, none there
    ],
)
def test_a_damaged_jpeg_2000_header_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(PixelDataError, match=message):
        parse_jpeg_2000(stream)


@pytest.mark.parametrize("stream", [changed(J2K, SSIZ_OFFSET + 1, 2)], ids=["subsampled"])
def test_components_of_several_sizes_are_refused(stream: bytes) -> None:
    with pytest.raises(UnsupportedEncodingError, match="subsampled"):
        parse_jpeg_2000(stream)


def test_components_of_several_precisions_are_refused() -> None:
    stream = encode_frame(np.zeros((4, 4, 3), np.uint8), "j2k", 8, "RGB")

    with pytest.raises(UnsupportedEncodingError, match="precisions"):
        parse_jpeg_2000(changed(stream, SSIZ_OFFSET, 7 | SIGN_BIT))


def size_of(stream: bytes) -> tuple[int, int]:
    """Rows and columns that a JPEG XL stream tells."""
    header = parse_jpeg_xl(stream, 1)
    return header.rows, header.columns


@pytest.mark.parametrize("shape", [(1, 1), (8, 16), (256, 256), (257, 3), (3, 400), (120, 100), (513, 1030), (9000, 1), (64, 48)], ids=str)
@pytest.mark.parametrize("container", [False, True])
def test_a_jpeg_xl_stream_tells_its_size(shape: tuple[int, int], container: bool) -> None:
    assert size_of(imagecodecs.jpegxl_encode(np.zeros(shape, np.uint8), lossless=True, usecontainer=container)) == shape


@pytest.mark.parametrize("precision", [2, 8, 9, 10, 12, 13, 16])
def test_a_jpeg_xl_stream_tells_its_precision(precision: int) -> None:
    image = np.zeros((4, 4), np.uint8 if precision <= 8 else np.uint16)

    assert parse_jpeg_xl(imagecodecs.jpegxl_encode(image, lossless=True, bitspersample=precision), 1).precision == precision


def test_a_recompressed_jpeg_tells_its_size() -> None:
    stream = bytes(imagecodecs.jpegxl_encode_jpeg(encode_frame(np.zeros((24, 40), np.uint8), "jpeg", 8)))

    assert holds_jpeg(stream)
    assert size_of(stream) == (24, 40)


def test_jpeg_xl_with_channels_that_the_header_does_not_know_is_an_error() -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros((5, 8, 9), np.uint8), lossless=True, planar=True)

    with pytest.raises(PixelDataError, match="4 channels besides its colors, the header 0"):
        parse_jpeg_xl(stream, 1)


def test_opacity_is_a_channel_besides_the_colors_of_jpeg_xl() -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros((8, 9, 4), np.uint8), lossless=True)

    assert parse_jpeg_xl(stream, 4).components == 4
    with pytest.raises(PixelDataError, match="1 channels"):
        parse_jpeg_xl(stream, 3)


def test_jpeg_xl_floats_are_refused() -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros((4, 4), np.float32), lossless=True)

    with pytest.raises(UnsupportedEncodingError, match="floating point"):
        parse_jpeg_xl(stream, 1)


def test_jpeg_xl_animations_are_refused() -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros((3, 4, 4, 3), np.uint8), lossless=True)

    with pytest.raises(UnsupportedEncodingError, match="animation"):
        parse_jpeg_xl(stream, 3)


@pytest.mark.parametrize("stream", [b"", b"\xff\xd8\xff", b"\0\0\0\x0cJXL \r\n\x87\n"], ids=["nothing", "JPEG", "empty container"])
def test_no_jpeg_xl_stream_is_an_error(stream: bytes) -> None:
    with pytest.raises(PixelDataError, match="no JPEG XL stream"):
        parse_jpeg_xl(stream, 1)
    assert not holds_jpeg(stream)
