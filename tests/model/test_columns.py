"""Header values of many frames as columns: each distinct value once, and a small number for each frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.model import columns
from xdicom.model.columns import Column, concatenate, constant, distinct_rows, merge_equal, smallest_codes


def numbers(values: list[list[float]], codes: list[int]) -> Column:
    return Column("number", np.array(values, float), np.array(codes, np.int8))


def texts(values: list[str], codes: list[int]) -> Column:
    distinct = np.empty(len(values), object)
    distinct[:] = values
    return Column("text", distinct, np.array(codes, np.int8))


def cells(column: Column) -> list[object]:
    return [
        None if code < 0 else column.values[code].tolist() if column.kind == "number" else column.values[code]
        for code in column.codes.tolist()
    ]


def test_frames_without_a_value_have_nan_and_no_text() -> None:
    assert numbers([[1, 2]], [0, -1]).numbers().tolist()[0] == [1, 2]
    assert np.isnan(numbers([[1, 2]], [0, -1]).numbers()[1]).all()
    assert texts(["a"], [0, -1]).texts().tolist() == ["a", ""]


def test_a_text_has_no_numbers() -> None:
    assert np.isnan(texts(["a"], [0, 0]).first_numbers()).all()


def test_the_first_value_is_that_of_the_first_frame_that_has_one() -> None:
    assert numbers([[5, np.nan], [7, 8]], [-1, 1, 0]).first() == (7, 8)
    assert numbers([[5, np.nan]], [0]).first() == (5,)
    assert texts(["a", "b"], [-1, 1]).first() == "b"
    assert texts([], [-1]).first() is None


@pytest.mark.parametrize(
    ("codes", "constant_", "complete"), [([0, 0], True, True), ([-1, -1], True, False), ([0, 1], False, True), ([], True, True)]
)
def test_what_all_frames_share_is_constant(codes: list[int], constant_: bool, complete: bool) -> None:
    column = numbers([[1], [2]], codes)

    assert (column.is_constant, column.is_complete) == (constant_, complete)


def test_taking_frames_keeps_only_the_values_that_they_use() -> None:
    part = texts(["a", "b", "c"], [0, 1, 2, -1]).take(np.array([2, 3, 2]))

    assert part.values.tolist() == ["c"]
    assert cells(part) == ["c", None, "c"]


@settings(deadline=None)
@given(st.lists(st.integers(-1, 3), max_size=20), st.data())
def test_taking_frames_is_taking_their_values(codes: list[int], data: st.DataObject) -> None:
    column = numbers([[0], [1], [2], [3]], codes)
    rows = np.array(data.draw(st.lists(st.integers(0, len(codes) - 1), max_size=20)) if codes else [], int)

    assert cells(column.take(rows)) == [cells(column)[row] for row in rows]


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-1, 2), max_size=6), min_size=1, max_size=4))
def test_columns_one_behind_the_other_have_all_their_values(parts: list[list[int]]) -> None:
    columns: list[Column | None] = [texts(["a", "b", "c"], codes) for codes in parts]

    joined = concatenate([*columns, None], [*map(len, parts), 2])

    assert cells(joined) == [cell for column in columns if column is not None for cell in cells(column)] + [None, None]
    assert len(joined.values) <= 3


def test_columns_of_different_multiplicity_join_with_nan() -> None:
    joined = concatenate([numbers([[1, 2]], [0]), numbers([[3]], [0])], [1, 1])

    assert joined.numbers().tolist()[0] == [1, 2]
    assert np.isnan(joined.numbers()[1, 1])


def test_equal_values_are_merged_nan_and_signed_zero_among_them() -> None:
    column = Column("number", np.array([[0.0, np.nan], [-0.0, np.nan], [1.0, np.nan]]), np.array([0, 1, 2, -1], np.int8))

    merged = merge_equal(column)

    assert len(merged.values) == 2
    assert merged.codes.tolist() == [0, 0, 1, -1]


def test_one_value_for_all_frames_takes_no_room() -> None:
    column = constant(texts(["a", "b"], [0, 1]), 1, 5)

    assert cells(column) == ["b"] * 5
    assert column.values.tolist() == ["b"]


@pytest.mark.parametrize(("distinct", "dtype"), [(1, "i1"), (127, "i1"), (128, "i2"), (32767, "i2"), (32768, "i4")])
def test_numbers_of_values_are_as_small_as_they_can_be(distinct: int, dtype: str) -> None:
    assert smallest_codes(distinct) == np.dtype(dtype)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.5, float("nan")]), min_size=2, max_size=2), min_size=1, max_size=12))
def test_distinct_rows_give_back_all_rows(rows: list[list[float]]) -> None:
    distinct, number = distinct_rows(np.array(rows))

    np.testing.assert_array_equal(distinct[number], np.array(rows))
    assert number[0] == 0
    assert len({tuple(map(str, row + 0.0)) for row in distinct}) == len(distinct)


@pytest.mark.parametrize("width", [3, 8, 13, 24])
@pytest.mark.parametrize("factor", [columns.FACTOR, np.uint64(0)], ids=["keys", "one key for most"])
def test_equal_rows_of_bytes_have_one_number_though_their_keys_may_be_those_of_others(
    monkeypatch: pytest.MonkeyPatch, width: int, factor: np.uint64
) -> None:
    monkeypatch.setattr(columns, "FACTOR", factor)
    cells = np.random.default_rng(1).integers(0, 2, (300, width), np.uint8)
    cells[:, 1:-1] = 7

    first, codes = columns.distinct_cells(cells)

    index: dict[bytes, int] = {}
    assert codes.tolist() == [index.setdefault(row.tobytes(), len(index)) for row in cells]
    assert [cells[i].tobytes() for i in first] == list(index)
