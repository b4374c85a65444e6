"""Data sets with the same sequence of elements are walked in step: one array operation per element, not one per file.

Many data sets (headers in a block of memory, or the items of one sequence) are walked at once. At each step the element
headers of all of them are read with one indexing operation and compared with the first one's. Lengths may differ, tags
and VRs may not: a data set that has another element falls out and is left to the caller. Nothing is assumed that was not
compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from xdicom.headers.elements import (
    ITEM,
    ITEM_DELIMITER,
    LONG_VRS,
    MAX_DEPTH,
    SEQUENCE_DELIMITER,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    Syntax,
    vr_in_implicit,
)

Path = tuple[int, ...]
"""Tags from the top level down to an element."""


@dataclass(slots=True)
class AlikeElement:
    """One element of many data sets that are laid out alike."""

    path: Path
    """Tags of the sequences that it lies in (first items only), and its own."""
    vr: str
    """Its value representation."""
    offset: np.ndarray
    """First byte of its value in each data set; int64, shape `(rows,)`."""
    length: np.ndarray
    """Bytes of its value; int64, shape `(rows,)`."""


@dataclass(slots=True)
class Alike:
    """What a walk in step found."""

    rows: np.ndarray
    """Numbers of the data sets that stayed in step; int64, shape `(rows,)`."""
    end: np.ndarray
    """Where each of them ended; int64, shape `(rows,)`."""
    elements: list[AlikeElement] = field(default_factory=list)
    """Their wanted elements, in order of occurrence."""
    stop_tag: int = 0
    """Tag of the element at which the walk stopped (its header lies at `end`), or 0."""


@dataclass(slots=True)
class _Open:
    """A sequence or an item that has begun and not ended."""

    is_item: bool
    end: np.ndarray | None
    path: Path = ()
    begin: np.ndarray | None = None
    count: int = 0


def walk_alike(
    data: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    syntax: Syntax,
    *,
    is_wanted: Callable[[Path], bool],
    is_entered: Callable[[Path], bool],
    stops_at: Callable[[int], bool] = lambda tag: False,
    keep_at_least: int = 1,
) -> Alike:
    """Walk the little-endian data sets that begin at `starts` of `data` in step with the first one.

    A data set ends at its `stops`, at an item delimiter, or at a tag for which `stops_at` holds. The walk gives up (no rows)
    where the first one can't be followed, or where fewer than `keep_at_least` data sets are still in step.
    """
    walk = _Walk(data, starts, stops, syntax)
    nothing = Alike(np.empty(0, np.int64), np.empty(0, np.int64))
    is_signed = False
    while True:
        walk.close_ended()
        if len(walk.rows) < keep_at_least:
            return nothing
        if not walk.open and not walk.keep_equal(walk.position >= walk.stop):
            return walk.finish(0)
        if not walk.keep(walk.position + 12 <= walk.stop + 4):
            return nothing
        word = walk.words[walk.position]
        first = int(word[0])
        group, element = first & 0xFFFF, first >> 16 & 0xFFFF
        tag = group << 16 | element
        if group == 0xFFFE:
            walk.keep(word & 0xFFFFFFFF == first & 0xFFFFFFFF)
            length = (walk.words[walk.position] >> np.uint64(32)).astype(np.int64)
            outcome = walk.item_tag(tag, length)
            if outcome is None:
                return nothing
            if outcome:
                return walk.finish(0)
            continue
        if not walk.open and stops_at(tag):
            walk.keep(word & 0xFFFFFFFF == first & 0xFFFFFFFF)
            return walk.finish(tag)
        if syntax.is_implicit:
            walk.keep(word & 0xFFFFFFFF == first & 0xFFFFFFFF)
            length = (walk.words[walk.position] >> np.uint64(32)).astype(np.int64)
            vr, header_length = vr_in_implicit(tag, is_signed), 8
        else:
            walk.keep(word & 0xFFFFFFFFFFFF == first & 0xFFFFFFFFFFFF)
            vr_bytes = (first >> 32 & 0xFFFF).to_bytes(2, "little")
            if vr_bytes in LONG_VRS:
                if not walk.keep(walk.position + 16 <= len(data)):
                    return nothing
                length = (walk.words[walk.position + 8] & 0xFFFFFFFF).astype(np.int64)
                header_length = 12
            elif vr_bytes in SHORT_VRS:
                length = (walk.words[walk.position] >> np.uint64(48)).astype(np.int64)
                header_length = 8
            else:
                return nothing
            vr = vr_bytes.decode()
        path = (*walk.path, tag)
        if int(length[0]) == UNDEFINED_LENGTH:
            if (vr != "SQ" and not syntax.is_implicit) or len(walk.open) > MAX_DEPTH:
                return nothing
            walk.keep(length == UNDEFINED_LENGTH)
            walk.position = walk.position + header_length
            walk.open.append(_Open(is_item=False, end=None, path=path, begin=walk.position if is_wanted(path) and walk.in_first_items else None))
            continue
        begin = walk.position + header_length
        inside = (length != UNDEFINED_LENGTH) & (begin + length <= walk.stop)
        if not inside.all():
            walk.keep(inside)
            if not len(walk.rows):
                return nothing
            length, begin = length[inside], begin[inside]
        if is_wanted(path) and walk.in_first_items:
            walk.record(path, vr, begin, length)
            if path == (0x00280103,):
                is_signed = bool(data[begin[0]])
                walk.keep(data[begin] == data[begin[0]])
                if len(begin) != len(walk.rows):
                    return nothing
        if vr == "SQ" and is_entered(path):
            walk.position = begin
            walk.open.append(_Open(is_item=False, end=begin + length, path=path))
        else:
            walk.position = begin + length


class _Walk:
    """State of a walk in step: where each data set is, and what is open."""

    def __init__(self, data: np.ndarray, starts: np.ndarray, stops: np.ndarray, syntax: Syntax) -> None:
        self.data = data
        self.words: np.ndarray = np.ndarray((max(0, len(data) - 7),), "<u8", data, 0, (1,))
        """The eight bytes from each byte on, as one number."""
        self.position = starts.astype(np.int64)
        self.stop = np.minimum(stops.astype(np.int64), max(0, len(data) - 7))
        self.rows = np.arange(len(starts), dtype=np.int64)
        self.syntax = syntax
        self.open: list[_Open] = []
        self.recorded: list[tuple[np.ndarray, AlikeElement]] = []

    @property
    def path(self) -> Path:
        """Tags of the sequences that are open."""
        for entry in reversed(self.open):
            if not entry.is_item:
                return entry.path
        return ()

    @property
    def in_first_items(self) -> bool:
        """Whether every open sequence is in its first item."""
        return all(entry.count <= 1 for entry in self.open if not entry.is_item)

    def record(self, path: Path, vr: str, offset: np.ndarray, length: np.ndarray) -> None:
        """Remember an element for the data sets that are in step now."""
        self.recorded.append((self.rows, AlikeElement(path, vr, offset, length)))

    def keep(self, in_step: np.ndarray) -> bool:
        """Drop the data sets that are not in step; False when the first one is not."""
        if in_step.all():
            return bool(len(in_step))
        if not in_step[0]:
            self.rows = self.rows[:0]
            return False
        self.position, self.stop, self.rows = self.position[in_step], self.stop[in_step], self.rows[in_step]
        for entry in self.open:
            if entry.end is not None:
                entry.end = entry.end[in_step]
            if entry.begin is not None:
                entry.begin = entry.begin[in_step]
        return True

    def keep_equal(self, condition: np.ndarray) -> bool:
        """Drop the data sets for which `condition` is not what it is for the first; whether the walk goes on for that one."""
        self.keep(condition == condition[0])
        return not condition[0]

    def close_ended(self) -> None:
        """Close the items and sequences of defined length that end here."""
        while self.open and len(self.rows):
            end = self.open[-1].end
            if end is None or self.keep_equal(self.position >= end):
                return
            self.open.pop()

    def item_tag(self, tag: int, length: np.ndarray) -> bool | None:
        """Enter or leave an item or a sequence: True when the data set ends here, None where the tag is out of place."""
        top = self.open[-1] if self.open else None
        if tag == ITEM and top is not None and not top.is_item:
            is_undefined = length == UNDEFINED_LENGTH
            self.keep(is_undefined == is_undefined[0])
            undefined = bool(is_undefined[0])
            length = length[is_undefined == is_undefined[0]]
            self.position = self.position + 8
            top.count += 1
            self.open.append(_Open(is_item=True, end=None if undefined else self.position + length))
            return False
        if tag == ITEM_DELIMITER and (top is None or (top.is_item and top.end is None)):
            self.position = self.position + 8
            if top is None:
                return True
            self.open.pop()
            return False
        if tag == SEQUENCE_DELIMITER and top is not None and not top.is_item and top.end is None:
            if top.begin is not None:
                self.record(top.path, "SQ", top.begin, self.position - top.begin)
            self.position = self.position + 8
            self.open.pop()
            return False
        return None

    def finish(self, stop_tag: int) -> Alike:
        """What was found, for the data sets that stayed in step to the end."""
        elements = []
        for rows, element in self.recorded:
            if len(rows) == len(self.rows):
                elements.append(element)
            else:
                at = np.searchsorted(rows, self.rows)
                elements.append(AlikeElement(element.path, element.vr, element.offset[at], element.length[at]))
        return Alike(self.rows, self.position, elements, stop_tag)
