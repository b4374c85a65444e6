"""Stored values to modality values."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdicom.transforms.lookup import all_values
from xdicom.transforms.modality import modality_dtype, modality_range, rescale, stored_range


@pytest.mark.parametrize(
    ("stored", "bits", "intercept", "expected"),
    [
        ("u2", 12, -1024, "i2"),
        ("u2", 16, -1024, "i4"),
        ("i2", 16, 0, "i2"),
        ("i2", 16, -1024, "i4"),
        ("i2", 12, -1024, "i2"),
        ("u2", 16, 0, "u2"),
        ("u1", 8, 0, "u1"),
        ("u1", 8, -1, "i2"),
        ("u1", 8, 1, "u2"),
        ("u4", 32, -1, "i8"),
        (">i2", 12, 0, "i2"),
    ],
)
def test_whole_numbers_stay_in_the_smallest_type_that_holds_them(stored: str, bits: int, intercept: int, expected: str) -> None:
    assert modality_dtype(np.dtype(stored), 1.0, float(intercept), bits_stored=bits) == np.dtype(expected)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "expected"),
    [
        ("i2", 1.5, 0.0, "f4"),
        ("i2", 1.0, 0.5, "f4"),
        ("u4", 0.1, 0.0, "f8"),
        ("i4", 2.0, 0.0, "f8"),
        ("f4", 1.0, 0.0, "f4"),
        ("f8", 2.0, 0.0, "f8"),
    ],
)
def test_fractions_are_single_precision_where_that_holds_the_stored_values(
    stored: str, slope: float, intercept: float, expected: str
) -> None:
    assert modality_dtype(np.dtype(stored), slope, intercept) == np.dtype(expected)


def test_one_slope_of_many_makes_all_values_fractions() -> None:
    assert modality_dtype(np.dtype("i2"), np.array([1.0, 1.0, 2.5]), np.zeros(3)) == np.float32


def test_32_bit_cells_with_24_bits_stored_fit_single_precision() -> None:
    assert modality_dtype(np.dtype("u4"), 0.5, 0.0, bits_stored=24) == np.float32


@pytest.mark.parametrize("asked", ["f4", "f8", "i4"])
def test_a_type_asked_for_is_given(asked: str) -> None:
    assert modality_dtype(np.dtype("u2"), 1.0, -1024.0, bits_stored=12, dtype=np.dtype(asked)) == np.dtype(asked)


@pytest.mark.parametrize(
    ("asked", "slope", "message"),
    [("i2", 0.5, "fractions"), ("u2", 1.0, "-1024 to 3071"), ("c8", 1.0, "can't be of dtype"), ("f2", 1.0, "can't be")],
)
def test_a_type_that_can_not_hold_the_values_is_refused(asked: str, slope: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        modality_dtype(np.dtype("u2"), slope, -1024.0, bits_stored=12, dtype=np.dtype(asked))


@pytest.mark.parametrize(("stored", "bits"), [("u2", 12), ("i2", 16), ("i2", 12), ("u1", 8), ("i1", 8)])
@pytest.mark.parametrize("intercept", [-1024.0, 0.0, 1.0, -40000.0])
def test_every_whole_number_is_exact(stored: str, bits: int, intercept: float) -> None:
    low, high = stored_range(np.dtype(stored), bits)
    values = np.arange(low, high + 1).astype(stored)
    dtype = modality_dtype(values.dtype, 1.0, intercept, bits_stored=bits)

    assert rescale(values, 1.0, intercept, dtype=dtype).tolist() == [v + int(intercept) for v in range(low, high + 1)]


def test_single_precision_errs_by_a_few_units_in_the_last_place_at_most() -> None:
    values = all_values(np.dtype("i2"))
    slope, intercept = 0.0123456789, -7.7

    out = rescale(values, slope, intercept, dtype=np.dtype("f4"))

    exact = [Fraction(slope) * int(v) + Fraction(intercept) for v in values]
    largest = max(abs(float(Fraction(float(o)) - e)) for o, e in zip(out, exact, strict=True))
    assert largest < 6.2e-5  # two steps of single precision at 400, which values reach


def test_single_precision_is_slope_times_value_plus_intercept_in_single_precision() -> None:
    values = all_values(np.dtype("u2"))
    expected = values.astype("f4") * np.float32(0.37) + np.float32(-3.3)

    assert np.array_equal(rescale(values, 0.37, -3.3, dtype=np.dtype("f4")), expected)


def test_each_frame_has_its_own_slope_and_intercept() -> None:
    values = np.full((3, 2, 2), 10, np.int16)
    slopes, intercepts = np.array([1.0, 2.0, 0.5])[:, None, None], np.array([0.0, 1.0, 2.0])[:, None, None]

    out = rescale(values, slopes, intercepts, dtype=np.dtype("f4"))

    assert out[:, 0, 0].tolist() == [10.0, 21.0, 7.0]


@given(start=st.integers(0, 4), length=st.integers(1, 5), rows=st.integers(1, 9))
def test_a_part_is_rescaled_to_the_part_of_the_whole(start: int, length: int, rows: int) -> None:
    values = np.arange(9 * 8 * 5, dtype=np.int16).reshape(9, 8, 5)
    slopes = np.linspace(-1, 3, 9)[:, None, None]
    intercepts = np.linspace(-5, 0, 9)[:, None, None]
    whole = rescale(values, slopes, intercepts, dtype=np.dtype("f4"))
    frames = slice(start, start + length)

    part = rescale(values[frames, :rows], slopes[frames], intercepts[frames], dtype=np.dtype("f4"))

    assert part.tobytes() == whole[frames, :rows].tobytes()


def test_range_possible_covers_all_slopes_and_signs() -> None:
    assert modality_range(np.dtype("u2"), np.array([1.0, -2.0]), np.array([-5.0, 0.0]), 12) == (-8190.0, 4090.0)
