"""Header values of many frames as columns: distinct values once, and a small number for each frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["number", "text", "raw"]
FACTOR, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)
"""Rows of several words are sorted by one word mixed of them; rows with one mixture are compared all the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One header value for each of many frames or instances.

    Numbers are rows of `values`, shape `(distinct, multiplicity)`, padded with NaN where frames hold fewer; texts and raw
    values are Python objects, shape `(distinct,)`.
    """

    kind: Kind
    """What the values are: numbers, texts (parts joined by a backslash), or raw values (sequences)."""
    values: np.ndarray
    """Distinct values."""
    codes: np.ndarray
    """Row of `values` for each frame, -1 where the header has none; signed integers, shape `(frames,)`."""

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def is_complete(self) -> bool:
        """Whether every frame has a value."""
        return bool((self.codes >= 0).all())

    @property
    def is_constant(self) -> bool:
        """Whether all frames have one and the same value, or none."""
        return len(self.codes) == 0 or bool((self.codes == self.codes[0]).all())

    def take(self, rows: np.ndarray) -> Column:
        """The column for the frames `rows`, with only the values that they use."""
        codes = self.codes[rows]
        # Marking what is used takes one pass; sorting the codes would take many.
        is_used = np.zeros(len(self.values) + 1, bool)
        is_used[codes] = True  # the code -1, of frames without a value, marks the place behind the last value
        is_used = is_used[:-1]
        if is_used.all():
            return Column(self.kind, self.values, codes)
        used = np.flatnonzero(is_used)
        renumbered = np.full(len(self.values) + 1, -1, smallest_codes(len(used)))
        renumbered[used] = np.arange(len(used))
        return Column(self.kind, self.values[used], renumbered[codes])

    def numbers(self) -> np.ndarray:
        """Numbers of each frame as float64, NaN where there is none; shape `(frames, multiplicity)`."""
        if self.kind != "number" or not len(self.values):
            return np.full((len(self.codes), 1), np.nan)
        values = np.asarray(self.values, np.float64)
        if (self.codes >= 0).all():
            return np.asarray(values[self.codes])
        return np.asarray(np.vstack([values, np.full((1, values.shape[1]), np.nan)])[self.codes])

    def first_numbers(self) -> np.ndarray:
        """First number of each frame as float64, NaN where there is none; shape `(frames,)`."""
        return self.numbers()[:, 0]

    def texts(self) -> np.ndarray:
        """Text of each frame, empty where there is none; object array, shape `(frames,)`."""
        return np.asarray(np.array([*self.values, ""], object)[self.codes])

    def first(self) -> object:
        """Value of the first frame that has one: a tuple of numbers, a text or a raw value; None where none has."""
        used = self.codes[self.codes >= 0]
        if not len(used):
            return None
        value = self.values[used[0]]
        return tuple(value[~np.isnan(value)].tolist() if value.dtype.kind == "f" else value.tolist()) if self.kind == "number" else value


class TakenColumns(Mapping[str, Column]):
    """Columns of some frames of a larger table, each cut out when it is first asked for."""

    def __init__(self, columns: Mapping[str, Column], rows: np.ndarray) -> None:
        self._columns, self._rows = columns, rows
        self._taken: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        found = self._taken.get(name)
        if found is None:
            found = self._taken[name] = self._columns[name].take(self._rows)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def smallest_codes(distinct: int) -> np.dtype[np.signedinteger]:
    """Smallest signed integer type that counts `distinct` values."""
    return np.dtype(np.int8 if distinct <= 127 else np.int16 if distinct <= 32767 else np.int32)


def constant(column: Column, code: int, count: int) -> Column:
    """A column of `count` frames that all have value `code` of `column`."""
    return Column(column.kind, column.values[code : code + 1], np.zeros(count, np.int8))


def concatenate(columns: list[Column | None], counts: list[int]) -> Column:
    """Columns one behind the other; None stands for frames without a value.

    Where vendors disagree about the kind of a value, the kind that more frames have holds. Texts that are numbers count as such
    then, and what is left counts as missing.
    """
    sizes: dict[Kind, int] = {}
    for column in columns:
        if column is not None and len(column.values):
            sizes[column.kind] = sizes.get(column.kind, 0) + int(np.count_nonzero(column.codes >= 0))
    if not sizes:
        return Column("text", np.empty(0, object), np.full(sum(counts), -1, np.int8))
    kind = max(sizes, key=lambda name: sizes[name])
    if kind == "number" and len(sizes) > 1:
        columns = [_as_numbers(column) if column is not None and column.kind == "text" else column for column in columns]
    columns = [column if column is not None and column.kind == kind and len(column.values) else None for column in columns]
    present = [column for column in columns if column is not None]
    if kind == "number":
        width = max(column.values.shape[1] for column in present)
        stacked = np.concatenate([_widen(column.values, width) for column in present])
    else:
        stacked = np.concatenate([column.values for column in present])
    codes, base = [], 0
    for column, count in zip(columns, counts, strict=True):
        if column is None:
            codes.append(np.full(count, -1, np.int32))
            continue
        codes.append(np.where(column.codes >= 0, column.codes.astype(np.int32) + base, -1))
        base += len(column.values)
    joined = np.concatenate(codes) if codes else np.empty(0, np.int32)
    return merge_equal(Column(kind, stacked, joined))


def _as_numbers(column: Column) -> Column:
    """Texts as the numbers that they spell, NaN for what is none."""
    rows = [[_number(part) for part in str(text).split("\\")] for text in column.values]
    values = np.full((len(rows), max(map(len, rows), default=1)), np.nan)
    for row, numbers in zip(values, rows, strict=True):
        row[: len(numbers)] = numbers
    is_number = np.append(~np.isnan(values).all(axis=1), False)
    return Column("number", values, np.where(is_number[column.codes], column.codes, -1).astype(column.codes.dtype))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _widen(values: np.ndarray, width: int) -> np.ndarray:
    if values.shape[1] == width:
        return values
    return np.pad(values.astype(np.float64), ((0, 0), (0, width - values.shape[1])), constant_values=np.nan)


def merge_equal(column: Column) -> Column:
    """The same column with equal values merged: different bytes may mean the same number or text."""
    if len(column.values) < 2 or column.kind == "raw":
        return column
    if column.kind == "number":
        values, inverse = distinct_rows(column.values)
    else:
        index: dict[object, int] = {}
        inverse = np.array([index.setdefault(value, len(index)) for value in column.values], np.int64)
        values = np.empty(len(index), object)
        values[:] = list(index)
    if len(values) == len(column.values):
        return Column(column.kind, column.values, column.codes.astype(smallest_codes(len(values))))
    codes = np.append(inverse, -1)[column.codes]
    return Column(column.kind, values, codes.astype(smallest_codes(len(values))))


def distinct_rows(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of `values` in order of first occurrence (NaN equals NaN), and the number of each row among them."""
    rows = np.ascontiguousarray(values + np.zeros((), values.dtype))  # -0.0 becomes 0.0
    first, codes = distinct_cells(rows.view(np.uint8).reshape(len(rows), -1))
    return rows[first], codes


def distinct_cells(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each distinct value in order of occurrence, and the number of each row's value; no object is made for a row.

    `cells` is uint8, shape `(rows, bytes)`.
    """
    count, width = cells.shape
    if width % 8:
        padded = np.zeros((count, -(-width // 8) * 8), np.uint8)
        padded[:, :width] = cells
    else:
        padded = np.ascontiguousarray(cells)
    words = padded.view(np.uint64)
    # Runs of equal rows count once.
    heads = np.flatnonzero(np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)]))
    chosen = words if len(heads) == count else words[heads]
    keys = chosen[:, 0].copy()
    for column in range(1, words.shape[1]):
        keys = (keys ^ keys >> _SHIFT) * FACTOR ^ chosen[:, column]
    order = np.argsort(keys)
    keys = keys[order]
    is_new = np.concatenate([[True], keys[1:] != keys[:-1]])
    if is_new.all():
        return heads, np.repeat(np.arange(len(heads)), np.diff(heads, append=count)) if len(heads) < count else heads
    first = np.minimum.reduceat(order, np.flatnonzero(is_new))
    by_occurrence = np.argsort(first)
    rank = np.empty(len(first), np.int64)
    rank[by_occurrence] = np.arange(len(first))
    codes = np.empty(len(heads), np.int64)
    codes[order] = rank[np.cumsum(is_new) - 1]
    first = first[by_occurrence]
    if words.shape[1] > 1 and (chosen != chosen[first[codes]]).any():
        # Different values have one key, which takes ill luck: they are compared as they are.
        index: dict[bytes, int] = {}
        codes = np.array([index.setdefault(row.tobytes(), len(index)) for row in chosen], np.int64)
        first = np.unique(codes, return_index=True)[1]
    return heads[first], np.repeat(codes, np.diff(heads, append=count))
