"""Lookup tables map every value of every type as the standard says."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from xdicom.transforms.lookup import LookupTable, all_values, take
from xdicom.transforms.pieces import pieces


def by_hand(table: LookupTable, value: int) -> int:
    if value <= table.first_mapped:
        return int(table.data[0])
    if value >= table.first_mapped + len(table.data):
        return int(table.data[-1])
    return int(table.data[value - table.first_mapped])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">u2", ">i2"])
@pytest.mark.parametrize("first", [-70000, -300, -1, 0, 100, 40000])
def test_every_small_integer_takes_the_entry_of_its_place(dtype: str, first: int) -> None:
    table = LookupTable(first, np.arange(7, 207, dtype=np.uint16)[::-1], bits=16)
    values = all_values(np.dtype(dtype))
    expected = [by_hand(table, int(v)) for v in values]

    assert table.apply(values.astype(dtype)).tolist() == expected


@pytest.mark.parametrize("dtype", ["i4", "u4", "i8", "u8"])
def test_wide_integers_beyond_the_table_take_its_ends(dtype: str) -> None:
    table = LookupTable(10, np.array([1, 2, 3], np.uint8), bits=8)
    limits = np.iinfo(dtype)
    values = np.array([limits.min, 9, 10, 11, 12, 13, limits.max], dtype)

    assert table.apply(values).tolist() == [1, 1, 1, 2, 3, 3, 3]


def test_fractions_are_rounded_and_missing_numbers_take_the_first_entry() -> None:
    table = LookupTable(0, np.array([10, 20, 30], np.uint8), bits=8)

    assert table.apply(np.array([0.49, 0.5, 1.5, np.inf, -np.inf, np.nan])).tolist() == [10, 20, 30, 30, 10, 10]


def test_shape_and_order_of_the_input_are_kept() -> None:
    table = LookupTable(0, np.arange(256, dtype=np.uint8)[::-1], bits=8)
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(2, 0, 1)

    assert np.array_equal(table.apply(values), 255 - values)


def test_tables_that_map_alike_are_equal_and_share_a_key() -> None:
    table = LookupTable(-5, np.array([1, 2], np.uint16), bits=16, explanation="x")

    assert pickle.loads(pickle.dumps(table)) == table
    assert hash(pickle.loads(pickle.dumps(table))) == hash(table)
    assert table != LookupTable(-5, np.array([1, 3], np.uint16), bits=16, explanation="x")
    assert table != "a table"


def test_a_table_without_entries_is_refused() -> None:
    with pytest.raises(ValueError, match="one row of entries"):
        LookupTable(0, np.zeros(0, np.uint8), bits=8)


def test_take_reads_signed_values_by_their_bits() -> None:
    entries = np.arange(256, dtype=np.uint16)

    assert take(entries, np.array([0, -1, -128], np.int8)).tolist() == [0, 255, 128]


@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 0, 2), (7, 300), (2, 3, 70, 50), (1, 1, 100_000), (100_000, 1, 1)])
@pytest.mark.parametrize("elements", [1, 100, 65536])
def test_pieces_cover_every_element_once(shape: tuple[int, ...], elements: int) -> None:
    if elements == 1 and np.prod(shape) > 50_000:
        shape = shape[:1]
    counts = np.zeros(shape, int)
    for index in pieces(shape, elements):
        counts[index] += 1

    assert (counts == 1).all()
