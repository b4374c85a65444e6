"""Bits, sign and planes of samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pixels.forms import FORMS, encoding_of
from xdicom.errors import PixelDataError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.samples import reinterpret_sign


def row(bits_stored: int, high_bit: int, *, is_signed: bool = False, columns: int = 4) -> PixelEncoding:
    """Encoding of one row of 16-bit cells."""
    encoding = encoding_of("native", FORMS["16 bits"], 1, columns)
    return replace(encoding, bits_stored=bits_stored, high_bit=high_bit, is_signed=is_signed)


def decode_cells(cells: list[int], encoding: PixelEncoding) -> list[int]:
    """Stored values of 16-bit cells."""
    return decode_frame(np.array(cells, "<u2").tobytes(), encoding)[0].tolist()


def test_bits_above_high_bit_are_not_pixel_data() -> None:
    assert decode_cells([0xF001, 0x1FFF, 0x8000, 0x0ABC], row(12, 11)) == [1, 0xFFF, 0, 0xABC]


def test_the_sign_bit_is_high_bit() -> None:
    assert decode_cells([0x0FFF, 0x0800, 0x07FF, 0xF001], row(12, 11, is_signed=True)) == [-1, -2048, 2047, 1]


def test_a_sample_may_lie_at_the_top_of_its_cell() -> None:
    assert decode_cells([0x0010, 0xFFFF, 0x801F, 0x7FF0], row(12, 15)) == [1, 0xFFF, 0x801, 0x7FF]


def test_a_signed_sample_may_lie_in_the_middle_of_its_cell() -> None:
    assert decode_cells([0x3FFC, 0xC004, 0x2000, 0x1FFF], row(12, 13, is_signed=True)) == [-1, 1, -2048, 2047]


def test_bytes_behind_the_frame_are_padding() -> None:
    assert decode_frame(b"\1\2\3\0", encoding_of("native", FORMS["8 bits"], 1, 3)).tolist() == [[1, 2, 3]]


def test_an_odd_frame_of_bytes_in_big_endian_words_needs_its_last_word() -> None:
    encoding = encoding_of("big_endian", FORMS["8 bits"], 1, 3)

    assert decode_frame(b"\2\1\0\3", encoding).tolist() == [[1, 2, 3]]
    with pytest.raises(PixelDataError, match="3 bytes of pixel data found where 4"):
        decode_frame(b"\2\1\0", encoding)


def test_a_frame_of_bytes_may_begin_within_a_word() -> None:
    encoding = encoding_of("big_endian", FORMS["8 bits"], 1, 3)

    assert encoding.native_span(2) == (2, 4)
    assert decode_frame(b"\4\3\6\5", encoding, 2).tolist() == [[4, 5, 6]]


def test_the_first_pixel_is_the_least_significant_bit() -> None:
    assert decode_frame(b"\x0d", encoding_of("native", FORMS["1 bit"], 2, 3)).tolist() == [[1, 0, 1], [1, 0, 0]]


def test_a_frame_of_bits_may_begin_within_a_byte() -> None:
    encoding = encoding_of("native", FORMS["1 bit"], 1, 3)

    assert encoding.native_span(3) == (0, 2)
    assert decode_frame(b"\x40\x01", encoding, 3).tolist() == [[1, 0, 1]]


def test_chrominance_of_two_pixels_is_repeated() -> None:
    encoding = encoding_of("native", FORMS["YBR_FULL_422 8 bits"], 1, 4)

    assert decode_frame(bytes([10, 20, 1, 2, 30, 40, 3, 4]), encoding).tolist() == [[[10, 1, 2], [20, 1, 2], [30, 3, 4], [40, 3, 4]]]


def test_partial_range_is_upsampled_alike() -> None:
    encoding = replace(encoding_of("native", FORMS["YBR_FULL_422 8 bits"], 1, 2), photometric_interpretation="YBR_PARTIAL_422")

    assert decode_frame(bytes([16, 235, 128, 127]), encoding).tolist() == [[[16, 128, 127], [235, 128, 127]]]


def test_planes_become_pixels() -> None:
    encoding = encoding_of("native", FORMS["RGB 8 bits by plane"], 1, 2)

    assert decode_frame(bytes([1, 2, 3, 4, 5, 6]), encoding).tolist() == [[[1, 3, 5], [2, 4, 6]]]


def test_not_a_number_and_infinity_are_legal() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, -0.0]], "<f4")

    decoded = decode_frame(values.tobytes(), encoding_of("native", FORMS["float"], 1, 4))

    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize(
    ("samples", "precision", "is_signed", "dtype", "expected"),
    [
        (np.array([0x1FFF, 0x1000, 0x0FFF], "u2"), 13, False, "i2", [-1, -4096, 4095]),
        (np.array([-1, -4096, 4095], "i2"), 13, True, "u2", [0x1FFF, 0x1000, 0x0FFF]),
        (np.array([-1, 5], "i2"), 16, True, "u2", [0xFFFF, 5]),
        (np.array([0xFF, 5], "u1"), 8, False, "i2", [-1, 5]),
        (np.array([-1, 5], "i1"), 8, True, "u2", [0xFF, 5]),
        (np.array([-1, 5], "i1"), 8, True, "i2", [-1, 5]),
        (np.array([0xFF, 5], "u1"), 8, False, "u4", [0xFF, 5]),
    ],
)
def test_a_stream_of_the_other_sign_keeps_its_bits(
    samples: np.ndarray, precision: int, is_signed: bool, dtype: str, expected: list[int]
) -> None:
    turned = reinterpret_sign(samples, precision, is_signed, np.dtype(dtype))

    assert turned.dtype == dtype
    assert turned.tolist() == expected


def test_a_read_only_array_is_not_written_to() -> None:
    samples = np.array([0x1FFF], "u2")
    samples.flags.writeable = False

    assert reinterpret_sign(samples, 13, False, np.dtype("i2")).tolist() == [-1]
    assert samples.tolist() == [0x1FFF]
