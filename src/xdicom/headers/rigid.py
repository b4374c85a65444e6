"""Items of one length and one layout: all bytes of an item but those of its values are compared with the first item's at once.

A walk through one item tells which of its bytes are headers. Where the same bytes of another item as long are the same,
a walk through that one would find the same elements at the same places. The comparison also shows which values are the
same in all items: those are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from xdicom.headers.elements import Syntax
from xdicom.headers.layout import Path, walk_alike

FEWEST = 16
"""Items for which a comparison is worth it."""
_MOST_LENGTHS, _MOST_LAYOUTS = 64, 4
"""Different lengths, and layouts of one length, that are tried."""
_AT_ONCE = 1 << 17
"""Bytes that are compared at once: so much stays in the caches [bytes]."""


@dataclass(frozen=True, slots=True)
class RigidElement:
    """One element that lies at the same place of many items."""

    path: Path
    """Tags of the sequences that it lies in (first items only), and its own."""
    vr: str
    """Its value representation."""
    begin: int
    """First byte of its value, counted from the start of the item."""
    length: int
    """Bytes of its value."""
    is_constant: bool
    """Whether all items have the same bytes there."""


@dataclass(frozen=True, slots=True)
class Rigid:
    """Items of one length and one layout."""

    rows: np.ndarray
    """Their numbers; int64, ascending."""
    elements: list[RigidElement]
    """Their wanted elements, in order of occurrence."""


def find_rigid(
    data: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    syntax: Syntax,
    *,
    is_wanted: Callable[[Path], bool],
    is_entered: Callable[[Path], bool],
) -> Iterator[Rigid]:
    """Items that share a layout, by layout; parameters are those of `walk_alike`."""
    lengths = stops - starts
    values, counts = np.unique(lengths, return_counts=True)
    for length in values[np.argsort(-counts)][: min(_MOST_LENGTHS, np.count_nonzero(counts >= FEWEST))].tolist():
        rows = np.flatnonzero(lengths == length)
        for _ in range(_MOST_LAYOUTS):
            if len(rows) < FEWEST or not length:
                break
            first = rows[:1]
            one = walk_alike(data, starts[first], stops[first], syntax, is_wanted=is_wanted, is_entered=is_entered)
            if not len(one.rows) or one.end[0] != stops[first[0]]:
                rows = rows[1:]
                continue
            start = int(starts[first[0]])
            is_structure = np.ones(length, bool)
            for begin, end in one.passed:
                is_structure[begin - start : end - start] = False
            is_same, differs = _compare(data, starts[rows], length, is_structure)
            elements = [
                RigidElement(
                    e.path, e.vr, (begin := int(e.offset[0]) - start), (size := int(e.length[0])), not differs[begin : begin + size].any()
                )
                for e in one.elements
            ]
            yield Rigid(rows[is_same], elements)
            rows = rows[~is_same]


def _compare(data: np.ndarray, starts: np.ndarray, length: int, is_structure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the items have the structure of the first, and which bytes differ in any of them."""
    first = data[starts[0] : starts[0] + length]
    is_same = np.ones(len(starts), bool)
    differs = np.zeros(length, np.uint8)
    at_once = max(1, _AT_ONCE // length)
    window: np.ndarray = np.ndarray((len(data) - length + 1,), f"V{length}", data, 0, (1,))
    for begin in range(0, len(starts), at_once):
        some = starts[begin : begin + at_once]
        stride = int(some[-1] - some[0]) // max(1, len(some) - 1)
        if (np.diff(some) == stride).all():
            items: np.ndarray = np.ndarray((len(some), length), np.uint8, data, int(some[0]), (stride, 1))
        else:
            items = window[some].view(np.uint8).reshape(len(some), length)
        found = items ^ first
        in_any = np.bitwise_or.reduce(found, axis=0)
        if in_any[is_structure].any():
            is_same[begin : begin + at_once] = ~found[:, is_structure].any(axis=1)
            in_any = np.bitwise_or.reduce(found[is_same[begin : begin + at_once]], axis=0)
        differs |= in_any
    return is_same, differs
