"""Numbers and clocks of many values at once: to the last bit what each of them is alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdicom.headers.columns import parse_values, seconds_since_1970
from xdicom.headers.digits import cells_of, decimals
from xdicom.headers.values import number_or_nan

PLAIN = st.from_regex(r"\A[ ]?[+-]?[0-9]{0,9}(\.[0-9]{0,9})?[ ]{0,2}\Z")
ODD = st.sampled_from(
    ["1e3", "-1.5E-02", "abc", "", ".", "-", "1.2.3", "1 2", "99999999999999999999", "0.1000000000000000055511151", "--1"]
)


def read(texts: list[str]) -> np.ndarray:
    found = decimals(cells_of([text.encode() for text in texts]), lambda text: number_or_nan(text, float))
    assert found is not None
    return found


@given(st.lists(PLAIN | ODD, min_size=1, max_size=20))
def test_each_number_is_to_the_last_bit_what_float_makes_of_it(texts: list[str]) -> None:
    expected = [number_or_nan(text.strip().encode(), float) for text in texts]

    np.testing.assert_array_equal(read(texts)[:, 0], expected)


def test_the_nearest_float_is_found_where_digits_are_many() -> None:
    texts = ["0.1", "1234567.8901234", "-0.30000000000000004", "9007199254740991", "9007199254740993", "179.99999999999997"]

    assert read(texts)[:, 0].tolist() == [float(text) for text in texts]


def test_a_negative_zero_stays_one() -> None:
    assert np.signbit(read(["-0.0", "0.0"])[:, 0]).tolist() == [True, False]


@given(st.lists(st.lists(PLAIN, min_size=3, max_size=3), min_size=1, max_size=9))
def test_parts_are_told_apart_wherever_they_begin(rows: list[list[str]]) -> None:
    expected = [[number_or_nan(part.strip().encode(), float) for part in row] for row in rows]

    np.testing.assert_array_equal(read(["\\".join(row) for row in rows]), expected)


@pytest.mark.parametrize("texts", [["1\\2", "3"], ["1", "3\\4"], ["1\\2\\3", "4", "5\\6"], ["1\\2", "3", "4\\5\\6"]])
def test_values_of_different_multiplicity_are_left_to_others(texts: list[str]) -> None:
    assert decimals(cells_of([text.encode() for text in texts]), float) is None


@given(st.lists(st.tuples(st.datetimes(), st.integers(0, 6)), min_size=17, max_size=40))
def test_many_date_times_are_to_the_last_bit_what_each_of_them_is(moments: list[tuple[object, int]]) -> None:
    texts = [f"{moment:%Y%m%d%H%M%S}".zfill(14) + f".{moment:%f}"[: digits and digits + 1] for moment, digits in moments]
    raws = [(text + " " * (len(text) % 2)).encode() for text in texts]

    _, values = parse_values("DT", raws, is_implicit=False, is_big_endian=False)

    np.testing.assert_array_equal(values[:, 0], [seconds_since_1970(text) for text in texts])
