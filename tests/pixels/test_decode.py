"""A frame's span becomes its stored values, or an error that says what is wrong."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from builders.samples import phantom
from pixels.forms import FORMS, LOSSLESS, NATIVE, encode, encoding_of, items
from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.pixels.decode import decode_frame, join_fragments, reads_in_place, settle

U16 = FORMS["16 bits"]
EMPTY = b"\xfe\xff\x00\xe0\0\0\0\0"
DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.mark.parametrize("syntax", ["rle", "jpeg_lossless", "jpegls", "j2k", "htj2k", "jpegxl", "deflated_frame", "encapsulated"])
@pytest.mark.parametrize(
    "behind", [DELIMITER, DELIMITER + b"\xfc\xff\xfc\xffOB\0\0\x02\0\0\0\0\0", b"\0\0\0"], ids=["end", "more", "zeros"]
)
def test_what_follows_the_last_fragment_is_ignored(syntax: str, behind: bytes) -> None:
    frame = phantom(0, 9, 7, np.uint16)

    decoded = decode_frame(encode(syntax, U16, frame) + behind, encoding_of(syntax, U16, 9, 7))

    np.testing.assert_array_equal(decoded, frame)


def test_one_fragment_is_not_copied() -> None:
    span = items(b"stream")

    stream = join_fragments(span)

    assert isinstance(stream, memoryview)
    assert stream.obj is span


def test_fragments_are_joined_in_order_and_empty_ones_add_nothing() -> None:
    assert bytes(join_fragments(items(b"first!") + EMPTY + items(b"then.."))) == b"first!then.."


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_a_span_that_is_cut_short_is_an_error_with_the_frame_number(syntax: str, kept: float) -> None:
    span = encode(syntax, U16, phantom(0, 9, 8, np.uint16))

    with pytest.raises(PixelDataError, match=r"^frame 1: "):
        decode_frame(span[: int(len(span) * kept)], encoding_of(syntax, U16, 9, 8), 1)


@pytest.mark.parametrize("syntax", [syntax for syntax in LOSSLESS if syntax not in NATIVE])
@pytest.mark.parametrize("kept", [0.4, 0.9])
def test_a_stream_that_stops_short_in_a_whole_fragment_is_an_error(syntax: str, kept: float) -> None:
    form = FORMS["16 bits"]
    stream = bytes(join_fragments(encode(syntax, form, phantom(0, 40, 30, np.uint16))))

    with pytest.raises(PixelDataError, match=r"^frame 7: "):
        decode_frame(items(stream[: int(len(stream) * kept)]), encoding_of(syntax, form, 40, 30), 7)


def test_a_message_tells_what_was_found_and_what_was_expected() -> None:
    encoding = encoding_of("native", U16, 4, 4)

    with pytest.raises(PixelDataError, match="30 bytes of pixel data found where 32 are expected") as caught:
        decode_frame(bytes(30), encoding, 3)

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_fragment_longer_than_what_is_there_is_an_error() -> None:
    with pytest.raises(PixelDataError, match="fragment 1 should have 4294967295 bytes, 4 are there"):
        join_fragments(b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + bytes(4))


@pytest.mark.parametrize("span", [b"", b"\xfe\xff\x00", bytes(16), DELIMITER], ids=["nothing", "part of a tag", "zeros", "delimiter"])
def test_a_span_without_a_fragment_is_an_error(span: bytes) -> None:
    with pytest.raises(PixelDataError, match="no fragment found"):
        join_fragments(span)


def test_empty_fragments_are_an_error() -> None:
    with pytest.raises(PixelDataError, match="empty"):
        join_fragments(EMPTY)


@pytest.mark.parametrize("syntax", [syntax for syntax in LOSSLESS if syntax not in (*NATIVE, "encapsulated", "deflated_frame")])
@pytest.mark.parametrize("changes", [{"rows": 10}, {"columns": 65535, "rows": 65535}], ids=["one row more", "gigabytes"])
def test_a_stream_of_another_size_is_an_error(syntax: str, changes: dict[str, int]) -> None:
    span = encode(syntax, U16, phantom(0, 9, 8, np.uint16))

    with pytest.raises(PixelDataError, match=r"^frame 1: "):
        decode_frame(span, replace(encoding_of(syntax, U16, 9, 8), **changes))


@pytest.mark.parametrize("syntax", ["deflated_frame", "encapsulated", "native"])
def test_fewer_bytes_than_the_header_claims_are_an_error(syntax: str) -> None:
    span = encode(syntax, U16, phantom(0, 9, 8, np.uint16))

    with pytest.raises(PixelDataError, match=r"^frame 1: "):
        decode_frame(span, encoding_of(syntax, U16, 65535, 65535))


@pytest.mark.parametrize("syntax", ["jpegls", "jpeg_lossless", "j2k", "htj2k", "jpegxl"])
def test_samples_that_do_not_fit_their_cells_are_an_error(syntax: str) -> None:
    span = encode(syntax, U16, phantom(0, 9, 8, np.uint16))

    with pytest.raises(PixelDataError, match="16"):
        decode_frame(span, encoding_of(syntax, FORMS["8 bits"], 9, 8))


@pytest.mark.parametrize("syntax", ["jpegls", "jpeg_lossless", "j2k", "htj2k", "jpegxl", "jpeg"])
def test_samples_of_eight_bits_may_lie_in_wider_cells(syntax: str) -> None:
    form = FORMS["8 bits"]
    span = encode(syntax, form, np.full((9, 8), 200, np.uint8))

    decoded = decode_frame(span, replace(encoding_of(syntax, form, 9, 8), bits_allocated=16))

    assert decoded.dtype == np.uint16
    assert set(decoded.reshape(-1).tolist()) == {200}


def test_a_jpeg_ls_stream_is_no_jpeg_stream() -> None:
    span = encode("jpegls", U16, phantom(0, 9, 8, np.uint16))

    with pytest.raises(PixelDataError, match="JPEG-LS stream"):
        decode_frame(span, encoding_of("jpeg_lossless", U16, 9, 8))


def test_a_jpeg_stream_is_no_jpeg_ls_stream() -> None:
    span = encode("jpeg_lossless", U16, phantom(0, 9, 8, np.uint16))

    with pytest.raises(PixelDataError, match="JPEG stream"):
        decode_frame(span, encoding_of("jpegls", U16, 9, 8))


def test_video_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedEncodingError, match=r"HEVC/H\.265 Main Profile .* video"):
        decode_frame(b"", replace(encoding_of("native", U16, 9, 8), transfer_syntax_uid="1.2.840.10008.1.2.4.107"))


def test_native_frames_of_whole_cells_are_read_in_place() -> None:
    names = [name for name, form in FORMS.items() if reads_in_place(encoding_of("native", form, 4, 4))]

    assert set(FORMS) - set(names) == {"1 bit", "RGB 8 bits by plane", "YBR_FULL_422 8 bits"}


def test_big_endian_bytes_in_words_are_not_read_in_place() -> None:
    assert not reads_in_place(encoding_of("big_endian", FORMS["8 bits"], 4, 4))
    assert reads_in_place(encoding_of("big_endian", FORMS["8 bits in OB"], 4, 4))


def test_encapsulated_frames_are_not_read_in_place() -> None:
    assert not any(reads_in_place(encoding_of(syntax, U16, 4, 4)) for syntax in LOSSLESS if syntax not in NATIVE)


def test_settling_full_cells_changes_nothing() -> None:
    block = np.arange(32, dtype=np.uint16).reshape(2, 4, 4)

    settle(block, encoding_of("native", U16, 4, 4))

    np.testing.assert_array_equal(block.reshape(-1), np.arange(32))


def test_settling_goes_over_the_edges_of_pieces() -> None:
    block = np.full((5, 300, 300), 0xF123, np.uint16)

    settle(block, encoding_of("native", FORMS["12 of 16 bits"], 300, 300))

    assert np.unique(block).tolist() == [0x123]


def test_a_frame_does_not_share_memory_with_its_span() -> None:
    span = bytearray(32)

    decoded = decode_frame(memoryview(span), encoding_of("native", U16, 4, 4))
    decoded[:] = 7

    assert bytes(span) == bytes(32)
