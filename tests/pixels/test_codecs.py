"""Corners of the codecs: padding, damage and the bounds of belief."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from builders.samples import Array
from builders.streams import encode_frame, encode_rle
from pixels.forms import FORMS, SYNTAXES, Form, encoding_of, items
from xdicom.errors import MissingDependencyError, PixelDataError, UnsupportedEncodingError
from xdicom.pixels.codecs import DECODERS, _decode_high_throughput, _decode_turned, has_safe_openjph
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.jpeg_2000_stream import parse_jpeg_2000
from xdicom.pixels.streams import StreamHeader
from xdicom.pixels.syntaxes import NAMES, refusal_of

U8, U16, RGB = FORMS["8 bits"], FORMS["16 bits"], FORMS["RGB 8 bits"]
IMAGE = np.arange(8 * 9, dtype=np.uint16).reshape(8, 9) * 700


def rle_of(*segments: bytes, offsets: list[int] | None = None) -> bytes:
    """RLE stream of these segments."""
    if offsets is None:
        offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def literal(values: bytes) -> bytes:
    """RLE segment of up to 128 values as they are."""
    return bytes([len(values) - 1]) + values


def test_every_decoder_has_a_name_and_nothing_against_it() -> None:
    assert set(DECODERS) <= set(NAMES)
    assert [uid for uid in DECODERS if refusal_of(uid)] == []


@pytest.mark.parametrize("padding", [b"\0", b"\x80", b"\0\0", b"\1\0\0"], ids=["zero", "no operation", "a zero more", "two zeros more"])
def test_padding_of_rle_segments_is_left_off(padding: bytes) -> None:
    stream = rle_of(literal(b"\1\2\3\4") + padding)

    assert decode_frame(items(stream), encoding_of("rle", U8, 2, 2)).tolist() == [[1, 2], [3, 4]]


def test_padding_of_the_segments_of_words_is_left_off() -> None:
    stream = rle_of(literal(b"\1\2") + b"\0\0", literal(b"\3\4") + b"\1\0\0")

    assert decode_frame(items(stream), encoding_of("rle", U16, 1, 2)).tolist() == [[0x103, 0x204]]


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"\1\0\0\0", "shorter than its header"),
        (rle_of(literal(b"\1\2\3\4"), literal(b"\1\2\3\4")), "2 RLE segments found, 1 expected"),
        (rle_of(), "0 RLE segments found"),
        (rle_of(literal(b"\1\2\3\4"), offsets=[63]), "offsets"),
        (rle_of(literal(b"\1\2\3\4"), offsets=[900]), "offsets"),
        (rle_of(literal(b"\1\2\3")), "3 bytes of a sample, 4 expected|holds 3 bytes, 4 expected"),
        (rle_of(literal(b"\1\2\3\4\5")), "5 bytes, 4 expected"),
        (rle_of(b"\x07\1\2\3\4"), "damaged"),
        (rle_of(b"\x81\7" * 50), "6400 bytes, 4 expected"),
    ],
)
def test_a_damaged_rle_stream_is_an_error(stream: bytes, message: str) -> None:
    with pytest.raises(PixelDataError, match=message):
        decode_frame(items(stream), encoding_of("rle", U8, 2, 2))


def test_a_short_segment_is_not_made_up_for_by_a_long_one() -> None:
    stream = rle_of(literal(b"\1\2\3\4\5"), literal(b"\1\2\3"), literal(b"\1\2\3\4"))

    with pytest.raises(PixelDataError, match="RLE segment"):
        decode_frame(items(stream), encoding_of("rle", RGB, 2, 2))


def test_rle_segments_in_disorder_are_an_error() -> None:
    with pytest.raises(PixelDataError, match="in order"):
        decode_frame(items(rle_of(b"\0\1", b"\0\2", offsets=[66, 64])), encoding_of("rle", U16, 1, 1))


def test_a_short_rle_stream_is_not_believed_to_hold_gigabytes() -> None:
    with pytest.raises(PixelDataError, match="can't hold 65535 x 65535"):
        decode_frame(items(rle_of(b"\x81\0")), encoding_of("rle", U8, 65535, 65535))


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg_lossless", "jpegls", "j2k", "htj2k"])
def test_a_short_stream_that_claims_gigabytes_is_not_believed(syntax: str) -> None:
    stream = bytearray(encode_frame(np.zeros((8, 8), np.uint8), syntax, 8))
    if "2k" in syntax:
        stream[8:16] = struct.pack(">II", 65535, 65535)  # image
        stream[24:32] = struct.pack(">II", 65535, 65535)  # tile
    else:
        at = next(stream.index(bytes([0xFF, code])) for code in (0xC0, 0xC1, 0xC3, 0xF7) if bytes([0xFF, code]) in stream)
        stream[at + 5 : at + 9] = struct.pack(">HH", 65535, 65535)

    with pytest.raises(PixelDataError, match="can't hold 65535 x 65535"):
        decode_frame(items(bytes(stream)), encoding_of(syntax, U8, 65535, 65535))


def test_a_short_jpeg_xl_stream_that_claims_gigabytes_is_not_believed() -> None:
    bits = 0 | 3 << 1 | 65534 << 3 | 1 << 33  # not small, 30 bits for the height, a square
    stream = b"\xff\x0a" + bits.to_bytes(8, "little")

    with pytest.raises(PixelDataError, match="can't hold 65535 x 65535"):
        decode_frame(items(stream), encoding_of("jpegxl", U8, 65535, 65535))


def test_a_black_jpeg_ls_image_of_many_pixels_is_believed() -> None:
    image = np.zeros((3000, 3000), np.uint8)

    assert not decode_frame(items(encode_frame(image, "jpegls", 8)), encoding_of("jpegls", U8, 3000, 3000)).any()


def test_a_deflate_stream_that_grows_beyond_its_frame_is_an_error() -> None:
    compressor = zlib.compressobj(wbits=-15)
    bomb = compressor.compress(bytes(1 << 20)) + compressor.flush()

    with pytest.raises(PixelDataError, match="damaged stream"):
        decode_frame(items(bomb), encoding_of("deflated_frame", U8, 100, 100))


def test_a_deflated_odd_frame_may_be_padded_inside_and_outside() -> None:
    compressor = zlib.compressobj(wbits=-15)
    stream = compressor.compress(b"\1\2\3\0") + compressor.flush()

    assert decode_frame(items(stream + b"\0"), encoding_of("deflated_frame", U8, 1, 3)).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("syntax", ["j2k", "htj2k"])
def test_a_jpeg_2000_stream_without_its_end_marker_is_whole(syntax: str) -> None:
    stream = encode_frame(IMAGE, syntax, 16)

    assert stream[-2:] == b"\xff\xd9"
    np.testing.assert_array_equal(decode_frame(items(stream[:-2]), encoding_of(syntax, U16, 8, 9)), IMAGE)


@pytest.mark.parametrize("syntax", ["j2k", "htj2k"])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.8, 0.95])
def test_a_jpeg_2000_stream_of_open_length_that_stops_short_is_an_error(syntax: str, share: float) -> None:
    image = np.random.default_rng(0).integers(0, 999, (64, 48)).astype(np.uint16)
    stream = bytearray(encode_frame(image, syntax, 16))
    part = stream.index(b"\xff\x90\x00\x0a")
    stream[part + 6 : part + 10] = b"\0\0\0\0"

    np.testing.assert_array_equal(decode_frame(items(bytes(stream)), encoding_of(syntax, U16, 64, 48)), image)
    with pytest.raises(PixelDataError, match="damaged stream"):
        decode_frame(items(bytes(stream[: int(share * len(stream))]) + b"\xff\xd9"), encoding_of(syntax, U16, 64, 48))


def test_high_throughput_streams_may_lie_under_the_older_transfer_syntax() -> None:
    stream = encode_frame(IMAGE, "htj2k", 16)

    np.testing.assert_array_equal(decode_frame(items(stream), encoding_of("j2k", U16, 8, 9)), IMAGE)


def test_a_jp2_file_is_read_as_the_stream_in_it() -> None:
    stream = bytes(imagecodecs.jpeg2k_encode(IMAGE, codecformat="jp2", reversible=True))

    np.testing.assert_array_equal(decode_frame(items(stream), encoding_of("j2k", U16, 8, 9)), IMAGE)


@pytest.mark.parametrize("form", [FORMS["32 bits"], FORMS["32 bits signed"]], ids=["unsigned", "signed"])
def test_high_throughput_samples_of_32_bits_are_exact_or_refused_where_openjph_is_old(form: Form) -> None:
    image = np.array([[0, 1, 2**31 - 1], [5, 6, 7]], form.dtype)
    span, encoding = items(encode_frame(image, "htj2k", 32)), encoding_of("htj2k", form, 2, 3)

    if has_safe_openjph():
        np.testing.assert_array_equal(decode_frame(span, encoding), image)
    else:
        with pytest.raises(UnsupportedEncodingError, match="32 bits"):
            decode_frame(span, encoding)


@pytest.mark.parametrize("value", [0, 0x7FFF, 0x8000, 0xFFFF])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_a_high_throughput_image_of_one_value_is_no_damage(value: int, dtype: type) -> None:
    image = np.full((8, 9), value, np.uint16).view(dtype)
    form = FORMS["16 bits"] if dtype is np.uint16 else FORMS["16 bits signed"]

    np.testing.assert_array_equal(decode_frame(items(encode_frame(image, "htj2k", 16)), encoding_of("htj2k", form, 8, 9)), image)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # older builds are asked whether they lose errors
@pytest.mark.parametrize("value", [0, 5, 0x7FFF, 0x8000, 0xFFFF])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_turning_the_sign_of_a_high_throughput_stream_round_changes_nothing(value: int, dtype: type) -> None:
    image = np.full((8, 9), value, np.uint16).view(dtype)
    stream = encode_frame(image, "htj2k", 16)

    for decode in (_decode_turned, _decode_high_throughput):
        decoded = decode(stream, parse_jpeg_2000(stream))

        assert decoded.dtype == dtype
        np.testing.assert_array_equal(decoded, image)


def damaged_htj2k() -> bytes:
    """A stream with a stretch of its coded data overwritten."""
    rng = np.random.default_rng(1)
    stream = bytearray(encode_frame(rng.integers(0, 1000, (64, 64)).astype(np.uint16), "htj2k", 16))
    stream[300:700] = b"\x5a" * 400
    return bytes(stream)


def test_a_damaged_high_throughput_stream_is_an_error() -> None:
    with pytest.raises(PixelDataError, match="damaged stream"):
        decode_frame(items(damaged_htj2k()), encoding_of("htj2k", U16, 64, 64))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # OpenJPH's errors are lost within its wrapper
@pytest.mark.parametrize("decode", [_decode_turned, _decode_high_throughput])
def test_what_openjph_gives_up_on_is_an_error(decode: Callable[[bytes, StreamHeader], Array]) -> None:
    stream = damaged_htj2k()

    with pytest.raises(PixelDataError, match="damaged stream"):
        decode(stream, parse_jpeg_2000(stream))


@pytest.mark.parametrize("predictor", range(1, 8))
def test_lossless_jpeg_wraps_round_for_every_predictor(predictor: int) -> None:
    image = np.array([[0, 65535, 0, 65535], [65535, 0, 65535, 0], [1, 65534, 32768, 32767]], np.uint16)
    stream = bytes(imagecodecs.jpeg8_encode(image, lossless=True, predictor=predictor, bitspersample=16))

    np.testing.assert_array_equal(decode_frame(items(stream), encoding_of("jpeg_lossless_p14", U16, 3, 4)), image)


@pytest.mark.parametrize("syntax", ["jpeg_lossless", "rle", "deflated_frame"])
def test_bits_above_high_bit_are_dropped_where_whole_cells_are_kept(syntax: str) -> None:
    cells = np.array([[0xF123, 0x0FFF]], np.uint16)
    encoding = replace(encoding_of(syntax, FORMS["12 of 16 bits"], 1, 2))

    assert decode_frame(items(encode_frame(cells, syntax, 16)), encoding).tolist() == [[0x123, 0xFFF]]


@pytest.mark.parametrize("syntax", ["jpegls", "j2k", "htj2k"])
def test_the_precision_of_the_stream_is_believed_where_bits_stored_is_too_small(syntax: str) -> None:
    cells = np.array([[0x1123, 0x0FFF]], np.uint16)

    assert decode_frame(items(encode_frame(cells, syntax, 16)), encoding_of(syntax, FORMS["12 of 16 bits"], 1, 2)).tolist() == [
        [0x1123, 0xFFF]
    ]


@pytest.mark.parametrize("syntax", ["jpegls", "jpeg_lossless", "j2k", "htj2k", "jpegxl"])
def test_samples_at_the_top_of_whole_coded_cells_are_shifted_down(syntax: str) -> None:
    cells = np.array([[0x1230, 0xFFF0]], np.uint16)
    encoding = encoding_of(syntax, FORMS["12 of 16 bits, High Bit 15"], 1, 2)

    assert decode_frame(items(encode_frame(cells, syntax, 16)), encoding).tolist() == [[0x123, 0xFFF]]


@pytest.mark.parametrize("syntax", ["jpeg_lossless", "j2k", "jpegxl"])
def test_bare_samples_are_not_shifted_wherever_the_header_puts_them(syntax: str) -> None:
    samples = np.array([[0x123, 0xFFF]], np.uint16)
    encoding = encoding_of(syntax, FORMS["12 of 16 bits, High Bit 15"], 1, 2)

    assert decode_frame(items(encode_frame(samples, syntax, 12)), encoding).tolist() == [[0x123, 0xFFF]]


@pytest.mark.parametrize("syntax", ["j2k", "htj2k"])
@pytest.mark.parametrize(("coded", "stated"), [("u2", "16 bits signed"), ("i2", "16 bits")])
def test_the_header_decides_on_the_sign_of_a_jpeg_2000_stream(syntax: str, coded: str, stated: str) -> None:
    values = np.array([[-2, 5, 32767]], np.int16)

    decoded = decode_frame(items(encode_frame(values.view(coded), syntax, 16)), encoding_of(syntax, FORMS[stated], 1, 3))

    np.testing.assert_array_equal(decoded.view(np.int16), values)


def test_a_codec_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def jpegls_decode(data: bytes) -> None:
        raise ImportError("could not import name 'jpegls_decode'")

    monkeypatch.setattr(imagecodecs, "jpegls_decode", jpegls_decode)

    with pytest.raises(MissingDependencyError, match=r"jpegls_decode.*pip install"):
        decode_frame(items(encode_frame(IMAGE, "jpegls", 16)), encoding_of("jpegls", U16, 8, 9))


def test_jpeg_xl_without_a_jpeg_in_it_is_decoded_as_what_it_is() -> None:
    stream = encode_frame(IMAGE, "jpegxl", 16)
    encoding = replace(encoding_of("jpegxl", U16, 8, 9), transfer_syntax_uid=SYNTAXES["jpegxl_jpeg"])

    np.testing.assert_array_equal(decode_frame(items(stream), encoding), IMAGE)


def test_rows_are_run_length_coded_by_themselves_or_not() -> None:
    image = np.zeros((4, 4), np.uint8)
    whole = rle_of(b"\xf1\0")  # one run of 16 over all rows (PS3.5 G.3.1 asks for rows by themselves)

    for stream in (whole, encode_rle(image)):
        np.testing.assert_array_equal(decode_frame(items(stream), encoding_of("rle", U8, 4, 4)), image)
