"""Padding is found in stored values."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.transforms.padding import is_padding, mask_padding


@pytest.mark.parametrize(("value", "limit"), [(-2000, -1995), (-1995, -2000)])
def test_a_range_is_inclusive_in_either_order(value: int, limit: int) -> None:
    values = np.arange(-2002, -1992, dtype=np.int16)

    assert values[is_padding(values, value, limit)].tolist() == list(range(-2000, -1994))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8"])
def test_one_value_is_padding_where_there_is_no_range(dtype: str) -> None:
    assert is_padding(np.array([0, 1, 2], dtype), 1).tolist() == [False, True, False]


def test_a_value_that_the_type_can_not_hold_pads_nothing() -> None:
    assert not is_padding(np.array([0, 63536], np.uint16), -2000).any()
    assert not is_padding(np.array([0, 63536], np.uint16), -2000, -1990).any()


def test_padding_becomes_nan_and_the_rest_stays_exact() -> None:
    values = np.array([[-2000, 32767], [-32768, 5]], np.int16)

    out = mask_padding(values, -2000, dtype=np.dtype("f4"))

    assert out.dtype == np.float32
    assert np.isnan(out[0, 0])
    assert out[~np.isnan(out)].tolist() == [32767.0, -32768.0, 5.0]


def test_float_padding_may_be_infinite() -> None:
    out = mask_padding(np.array([1.0, -np.inf], np.float32), -np.inf, dtype=np.dtype("f4"))

    assert np.isnan(out).tolist() == [False, True]
