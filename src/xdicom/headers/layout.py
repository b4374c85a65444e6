"""Data sets with the same sequence of elements are walked in step: a few array operations per element, not one walk per file.

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

PADDING = 16
"""Bytes that `data` must have behind the last data set."""
_PIXEL_REPRESENTATION = (0x00280103,)
_TAG_AND_VR = np.uint64(0xFFFFFFFFFFFF)
_TAG = np.uint64(0xFFFFFFFF)
_LONGEST_HEADER = 12


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
    passed: list[tuple[int, int]] = field(default_factory=list)
    """Where values begin and end in the first one of them: all else was looked at."""


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
) -> Alike:
    """Walk the little-endian data sets that begin at `starts` of `data` in step with the first one.

    A data set ends at its `stops` or at an item delimiter. The walk gives up (no rows) where the first one can't be followed.

    Parameters
    ----------
    data
        uint8, with `PADDING` bytes behind the last data set.
    starts, stops
        First byte of each data set, and the byte behind it; int64, shape `(rows,)`.
    syntax
        How they are written.
    is_wanted, is_entered
        Whether the element at a path is to be recorded, and whether a sequence there is to be walked into.
    """
    walk = _Walk(data, starts, stops, syntax)
    while True:
        if walk.open:
            walk.close_ended()
        if not len(walk.rows):
            break
        if int(walk.left.min()) < PADDING and not walk.open and not walk.keep_as_first(walk.left <= 0):
            return walk.finish()
        if int(walk.left.min()) < PADDING and not walk.keep(walk.left >= 8):
            break
        is_ended = walk.step(is_wanted, is_entered)
        if is_ended is not None:
            return walk.finish() if is_ended else _NOTHING
    return _NOTHING


_NOTHING = Alike(np.empty(0, np.int64), np.empty(0, np.int64))


class _Walk:
    """State of a walk in step: where each data set is, and what is open."""

    def __init__(self, data: np.ndarray, starts: np.ndarray, stops: np.ndarray, syntax: Syntax) -> None:
        self.data, self.syntax = data, syntax
        self.words: np.ndarray = np.ndarray((max(0, len(data) - 7),), "<u8", data, 0, (1,))
        """The eight bytes from each byte on, as one number."""
        self.position = starts.astype(np.int64)
        self.left = stops.astype(np.int64) - self.position
        """Bytes at hand from there on."""
        self.rows = np.arange(len(starts), dtype=np.int64)
        self.open: list[_Open] = []
        self.recorded: list[tuple[np.ndarray, AlikeElement]] = []
        self.is_signed = False
        self.passed: list[tuple[int, int]] = []
        """Where values begin and end in the first data set that were passed over without a look into them."""

    def step(self, is_wanted: Callable[[Path], bool], is_entered: Callable[[Path], bool]) -> bool | None:
        """Take the next element: None to go on, True where the walk ends at a delimiter, False to give up."""
        word = self.words[self.position]
        first = int(word[0])
        tag = (first & 0xFFFF) << 16 | first >> 16 & 0xFFFF
        vr_bytes = (first >> 32 & 0xFFFF).to_bytes(2, "little")
        has_vr = not self.syntax.is_implicit and tag >> 16 != 0xFFFE
        differs = (word ^ word[0]) & (_TAG_AND_VR if has_vr else _TAG)
        if differs.any():
            same = differs == 0
            self.keep(same)
            word = word[same]
        if tag >> 16 == 0xFFFE:
            return self._item_tag(tag, (word >> np.uint64(32)).view(np.int64))
        header_length = 8
        if not has_vr:
            length, vr = (word >> np.uint64(32)).view(np.int64), vr_in_implicit(tag, self.is_signed)
        elif vr_bytes in SHORT_VRS:
            length, vr = (word >> np.uint64(48)).view(np.int64), vr_bytes.decode()
        elif vr_bytes in LONG_VRS:
            length, vr = (self.words[self.position + 8] & _TAG).view(np.int64), vr_bytes.decode()
            header_length = _LONGEST_HEADER
        else:
            return False
        path = (*self.path, tag) if self.open else (tag,)
        wanted = is_wanted(path) and (not self.open or self._in_first_items())
        is_undefined = length == UNDEFINED_LENGTH if has_vr is False or header_length == _LONGEST_HEADER else None
        if is_undefined is not None and is_undefined.any():
            return self._open_undefined(path, vr, header_length, is_undefined, wanted)
        skipped = length + header_length
        if (wanted or (vr == "SQ" and is_entered(path))) and (skipped > self.left).any():
            inside = skipped <= self.left
            if not self.keep(inside):
                return False
            length, skipped = length[inside], skipped[inside]
        if wanted:
            self._record(path, vr, self.position + header_length, length)
            if path == _PIXEL_REPRESENTATION:
                values = self.data[self.position + header_length]
                self.is_signed = bool(values[0])
                self.keep(values == values[0])
                skipped = skipped[values == values[0]]
        if vr == "SQ" and is_entered(path):
            self._advance(np.full(len(self.rows), header_length))
            self.open.append(_Open(is_item=False, end=self.position + length, path=path))
            return None
        if path != _PIXEL_REPRESENTATION:
            self.passed.append((int(self.position[0]) + header_length, int(self.position[0] + skipped[0])))
        self._advance(skipped)
        return None

    def _advance(self, by: np.ndarray) -> None:
        self.position = self.position + by
        self.left = self.left - by

    def _open_undefined(self, path: Path, vr: str, header_length: int, is_undefined: np.ndarray, wanted: bool) -> bool | None:
        if (vr != "SQ" and not self.syntax.is_implicit) or len(self.open) > MAX_DEPTH or not self.keep(is_undefined == is_undefined[0]):
            return False
        if not is_undefined[0]:
            return None  # those of undefined length fell out: the element is read once more
        self._advance(np.full(len(self.rows), header_length))
        self.open.append(_Open(is_item=False, end=None, path=path, begin=self.position if wanted else None))
        return None

    def _item_tag(self, tag: int, length: np.ndarray) -> bool | None:
        """Enter or leave an item or a sequence."""
        top = self.open[-1] if self.open else None
        if tag == ITEM and top is not None and not top.is_item:
            is_undefined = length == UNDEFINED_LENGTH
            same = is_undefined == is_undefined[0]
            self.keep(same)
            self._advance(np.full(len(self.rows), 8))
            top.count += 1
            self.open.append(_Open(is_item=True, end=None if is_undefined[0] else self.position + length[same]))
            return None
        if tag == ITEM_DELIMITER and (top is None or (top.is_item and top.end is None)):
            self._advance(np.full(len(self.rows), 8))
            if top is None:
                return True
            self.open.pop()
            return None
        if tag == SEQUENCE_DELIMITER and top is not None and not top.is_item and top.end is None:
            if top.begin is not None:
                self._record(top.path, "SQ", top.begin, self.position - top.begin)
            self._advance(np.full(len(self.rows), 8))
            self.open.pop()
            return None
        return False

    @property
    def path(self) -> Path:
        """Tags of the sequences that are open."""
        for entry in reversed(self.open):
            if not entry.is_item:
                return entry.path
        return ()

    def _in_first_items(self) -> bool:
        """Whether every open sequence is in its first item."""
        return all(entry.count <= 1 for entry in self.open if not entry.is_item)

    def _record(self, path: Path, vr: str, offset: np.ndarray, length: np.ndarray) -> None:
        """Remember an element for the data sets that are in step now."""
        self.recorded.append((self.rows, AlikeElement(path, vr, offset, length)))

    def keep(self, in_step: np.ndarray) -> bool:
        """Drop the data sets that are not in step; False when the first one is not."""
        if in_step.all():
            return bool(len(in_step))
        if not in_step[0]:
            self.rows = self.rows[:0]
            return False
        self.position, self.left, self.rows = self.position[in_step], self.left[in_step], self.rows[in_step]
        for entry in self.open:
            if entry.end is not None:
                entry.end = entry.end[in_step]
            if entry.begin is not None:
                entry.begin = entry.begin[in_step]
        return True

    def keep_as_first(self, condition: np.ndarray) -> bool:
        """Drop the data sets for which `condition` is not what it is for the first; whether the walk goes on for that one."""
        self.keep(condition == condition[0])
        return not condition[0]

    def close_ended(self) -> None:
        """Close the items and sequences of defined length that end here."""
        while self.open and len(self.rows):
            end = self.open[-1].end
            if end is None or self.keep_as_first(self.position >= end):
                return
            self.open.pop()

    def finish(self) -> Alike:
        """What was found, for the data sets that stayed in step to the end."""
        elements = []
        for rows, element in self.recorded:
            if len(rows) == len(self.rows):
                elements.append(element)
            else:
                at = np.searchsorted(rows, self.rows)
                elements.append(AlikeElement(element.path, element.vr, element.offset[at], element.length[at]))
        return Alike(self.rows, self.position, elements, self.passed)
