"""Pixel encodings: type, shape and place of a frame are known before a byte of it is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.model.encoding import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, NATIVE_SYNTAXES, PixelEncoding

GRAY = PixelEncoding(EXPLICIT_LITTLE_ENDIAN, rows=4, columns=5)


@pytest.mark.parametrize(
    ("changes", "dtype"),
    [
        ({"bits_allocated": 1}, "u1"), ({"bits_allocated": 8}, "u1"), ({"bits_allocated": 8, "is_signed": True}, "i1"), ({}, "u2"),
        ({"is_signed": True}, "i2"),
        ({"bits_allocated": 32}, "u4"), ({"bits_allocated": 64, "is_signed": True}, "i8"),
        ({"bits_allocated": 32, "pixel_keyword": "FloatPixelData"}, "f4"),
        ({"bits_allocated": 64, "pixel_keyword": "DoubleFloatPixelData"}, "f8"), ({"transfer_syntax_uid": EXPLICIT_BIG_ENDIAN}, "u2"),
    ],
)  # fmt: skip
def test_the_type_is_native_and_as_wide_as_the_samples(changes: dict[str, Any], dtype: str) -> None:
    found = replace(GRAY, **changes).dtype

    assert found == np.dtype(dtype)
    assert found.isnative


@pytest.mark.parametrize(("samples", "shape"), [(1, (4, 5)), (3, (4, 5, 3)), (4, (4, 5, 4))])
def test_samples_are_the_last_dimension_of_color_alone(samples: int, shape: tuple[int, ...]) -> None:
    assert replace(GRAY, samples_per_pixel=samples).frame_shape == shape


@pytest.mark.parametrize("uid", [*sorted(NATIVE_SYNTAXES), "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"])
def test_only_the_four_native_syntaxes_are_not_encapsulated(uid: str) -> None:
    assert replace(GRAY, transfer_syntax_uid=uid).is_encapsulated is (uid not in NATIVE_SYNTAXES)


@pytest.mark.parametrize(
    ("changes", "bits"),
    [({}, 320), ({"bits_allocated": 1}, 20), ({"bits_allocated": 8, "samples_per_pixel": 3}, 480),
     ({"bits_allocated": 8, "samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL_422"}, 320)],
)  # fmt: skip
def test_a_native_frame_has_so_many_bits(changes: dict[str, Any], bits: int) -> None:
    assert replace(GRAY, **changes).native_frame_bits == bits


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 8, 16]), st.integers(1, 50), st.booleans())
def test_spans_cover_their_frames_and_no_byte_more(rows: int, columns: int, bits: int, number: int, is_big: bool) -> None:
    encoding = PixelEncoding(EXPLICIT_BIG_ENDIAN if is_big else EXPLICIT_LITTLE_ENDIAN, rows, columns, bits_allocated=bits)
    unit = 16 if encoding.swaps_bytes_of_words else 8

    offset, length = encoding.native_span(number)

    first, last = (number - 1) * encoding.native_frame_bits, number * encoding.native_frame_bits
    assert offset * 8 + encoding.lead_bits(number) == first
    assert 0 <= offset * 8 + length * 8 - last < unit
    assert offset * 8 % unit == 0


def test_equal_encodings_are_one_key() -> None:
    assert len({GRAY, replace(GRAY), replace(GRAY, rows=5)}) == 2
