"""Many data sets are walked side by side, tag by tag: a few array operations for each tag, not a walk for each file.

At each step the smallest tag that any data set stands at is taken from all that stand there; the others wait. Files laid
out alike stay together, files laid out differently meet again at the next tag that they share. Nothing is assumed: every
element header is read, and a data set about which anything is doubtful is left to the walk of one.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import NamedTuple

import numpy as np

from xdicom.headers.dictionary import PUBLIC
from xdicom.headers.elements import MAX_DEPTH, PIXEL_REPRESENTATION, UNDEFINED_LENGTH, Syntax, vr_in_implicit
from xdicom.headers.runs import PADDING, VRS, follow, shared_by_all

ReadMore = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`read_more(rows, offsets, block)`: fills rows of `block` with bytes of these files from `offsets` on; bytes read of each."""

FEW = 4
"""Data sets that a step must be taken for at least, if it is to be cheaper than steps of a walk of one."""
MOST_THIN_STEPS = 24
"""Steps for fewer than that in which a data set may take part before it is left to the walk of one."""
SHORTEST_RUN, LONGEST_RUN = 4, 64
"""Elements that are tried at once: more where the last ones were alike."""

_ALL = slice(None)
_NONE = np.empty(0, np.uint8)
_NOWHERE = 1 << 40
_LOW16, _LOW32, _LOW48 = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFF
_HEADER_LENGTHS = np.zeros(1 << 16, np.int8)
"""Bytes of an element header by the VR in it, as a number; 0 for what is none."""
for _number, (_, _is_long) in VRS.items():
    _HEADER_LENGTHS[_number] = 12 if _is_long else 8
_SQ, _UN = int.from_bytes(b"SQ", "little"), int.from_bytes(b"UN", "little")
_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE

Index = np.ndarray | slice


class Part(NamedTuple):
    """One element of several data sets, written with one VR."""

    vr: str
    """Its value representation."""
    rows: np.ndarray
    """Numbers of the data sets; int64, ascending."""
    offset: np.ndarray
    """First byte of its value in each; int64."""
    length: np.ndarray
    """Bytes of its value; int64."""
    is_constant: bool = False
    """Whether the value is known to be the same in all."""

    def take(self, which: np.ndarray) -> Part:
        """The element of the data sets that are marked."""
        return self._replace(rows=self.rows[which], offset=self.offset[which], length=self.length[which])


class Abreast:
    """Data sets in the rows of a block of memory, and how far each of them was walked."""

    def __init__(
        self, block: np.ndarray, rows: np.ndarray, starts: np.ndarray, stops: np.ndarray, syntax: Syntax, read_more: ReadMore | None = None
    ) -> None:
        """Little-endian data sets that begin at `starts` of `block`, flattened, and are at hand up to `stops`.

        Parameters
        ----------
        block
            uint8 `(2 * files, bytes)`: first readings of all files, then room for second ones.
        rows
            Rows of `block` in which the data sets lie; int64, ascending.
        starts, stops
            Where each begins, and where the bytes at hand end; int64, `PADDING` bytes lie behind them.
        syntax
            How they are written.
        read_more
            Reads on where the bytes at hand end; without it a data set that is longer is given up.
        """
        self.block, self.syntax, self.read_more = block, syntax, read_more
        self.stride, self.half = block.shape[1], len(block) // 2
        self.data = data = block.reshape(-1)
        self.words: np.ndarray = np.ndarray((max(0, len(data) - 7),), "<i8", data, 0, (1,))
        """The eight bytes from each byte on, as one number."""
        self.rows = rows
        """Rows that are still walked."""
        self.position, self.stops = starts.astype(np.int64), stops.astype(np.int64)
        self.shift = rows * self.stride
        """Place in the block less the offset in the file, of each row."""
        self.word, self.tag = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        self.is_signed = np.zeros(len(rows), bool)
        self.is_used, self.thin = np.zeros(len(rows), bool), np.zeros(len(rows), np.int16)
        self.parts: dict[int, list[Part]] = {}
        """Wanted elements by tag, in ascending order."""
        self._is_same = self._has_lost = self._has_read_on = False
        self._run = 2 * SHORTEST_RUN

    def walk(self, is_wanted: Callable[[int], bool], until: int, refused: Container[int] = ()) -> None:
        """Walk to the first tag from `until` on; `rows`, `position`, `tag` and `word` then tell who came there.

        Elements for which `is_wanted` holds are found in `parts`; data sets with a `refused` one are given up.
        """
        if len(self.rows):
            self._load(_ALL, 0)
        while True:
            if self._has_lost:
                self._compress()
            if not len(self.rows):
                return
            tag = int(self.tag[0] if self._is_same else self.tag.min())
            if tag >= until:
                return
            at: Index = _ALL
            if not self._is_same:
                here = self.tag == tag
                if not here.all():
                    at = np.flatnonzero(here)
                    if len(at) < FEW and not self._may_be_thin(at):
                        continue
            if tag in refused:
                self._lose(at)
            elif not self._is_same or not self._take_run(is_wanted, until, refused):
                self._step(tag, at, is_wanted(tag))

    def _take_run(self, is_wanted: Callable[[int], bool], until: int, refused: Container[int]) -> bool:
        """Take the next elements at once, as far as all data sets have them with the same VRs and lengths; whether there are any."""
        if (self.word != self.word[0]).any():
            return False
        room = int((self.stops - self.position).min())
        steps = follow(self.words, int(self.position[0]), room, self.syntax, until, refused, self._run)
        count, differs = shared_by_all(self.data, self.position, steps) if len(steps) > 1 else (0, _NONE)
        self._run = min(max(SHORTEST_RUN, 2 * count), LONGEST_RUN)
        if not count:
            return False
        for tag, vr, begin, header_length, length in steps[:count]:
            if is_wanted(tag):
                start = begin + header_length
                is_constant = not differs[start : start + length].any()
                self._record(tag, _ALL, vr, self.position + start, np.full(len(self.rows), length), is_constant=is_constant)
        last = steps[count - 1]
        self.position = self.position + (last.begin + last.header_length + last.length)
        self._load(_ALL, last.tag)
        return True

    def _may_be_thin(self, at: np.ndarray) -> bool:
        self.thin[at] += 1
        is_tired = self.thin[at] > MOST_THIN_STEPS
        if is_tired.any():
            self._lose(at[is_tired])
        return not is_tired.any()

    def _step(self, tag: int, at: Index, is_wanted: bool) -> None:
        """Take the element `tag` of the data sets `at`, which all stand there."""
        word = self.word[at]
        if self.syntax.is_implicit:
            vr = vr_in_implicit(tag, is_signed=False)
            if PUBLIC.get(tag, ("",))[0] == "US|SS":
                signed = self.is_signed[at]
                for vr, is_one in (("US", ~signed), ("SS", signed)):
                    if is_one.any():
                        self._element(tag, _pick(at, is_one), vr, 0, word[is_one], is_wanted)
                return
            self._element(tag, at, vr, 0, word, is_wanted)
            return
        vrs = word >> 32 & _LOW16
        first = int(vrs[0])
        if self._is_same or (vrs == first).all():
            self._element_with_vr(tag, at, first, word, is_wanted)
            return
        for number in np.unique(vrs).tolist():
            self._element_with_vr(tag, _pick(at, vrs == number), number, word[vrs == number], is_wanted)

    def _element_with_vr(self, tag: int, at: Index, number: int, word: np.ndarray, is_wanted: bool) -> None:
        vr, is_long = VRS.get(number, ("", False))
        if not vr or (vr == "UN" and tag in PUBLIC):
            self._lose(at)
            return
        self._element(tag, at, vr, 12 if is_long else 8, word, is_wanted)

    def _element(self, tag: int, at: Index, vr: str, header_length: int, word: np.ndarray, is_wanted: bool) -> None:
        """Take an element that is written with one VR; without one where `header_length` is 0."""
        position = self.position[at]
        if header_length == 8:
            length = word >> 48 & _LOW16
        else:
            length = (self.words[position + 8] if header_length else word >> 32) & _LOW32
            is_undefined = length == UNDEFINED_LENGTH
            if is_undefined.any():
                self._sequence(tag, _pick(at, is_undefined), vr, header_length or 8, is_wanted)
                if is_undefined.all():
                    return
                at, position, length = _pick(at, ~is_undefined), position[~is_undefined], length[~is_undefined]
        header_length = header_length or 8
        behind = position + (length + header_length)
        if is_wanted:
            is_cut = behind > self.stops[at]
            if is_cut.any():
                self._is_same = False
                self._read_again(_pick(at, is_cut))
                if is_cut.all():
                    return
                at, position, length, behind = _pick(at, ~is_cut), position[~is_cut], length[~is_cut], behind[~is_cut]
            self._record(tag, at, vr, position + header_length, length)
            if tag == PIXEL_REPRESENTATION:
                self.is_signed[at] = (length >= 2) & (self.words[position + header_length] & _LOW16 == 1)
        self.position[at] = behind
        self._load(at, tag)

    def _sequence(self, tag: int, at: Index, vr: str, header_length: int, is_wanted: bool) -> None:
        """Pass a sequence of undefined length."""
        self._is_same = False
        if vr != "SQ" and not self.syntax.is_implicit:
            self._lose(at)
            return
        begin = self.position[at] + header_length
        end = _ends_of_sequences(self.words, begin, self.stops[at], is_implicit=self.syntax.is_implicit)
        is_cut = end < 0
        if is_cut.any():
            self._read_again(_pick(at, is_cut))
            at, begin, end = _pick(at, ~is_cut), begin[~is_cut], end[~is_cut]
        if len(begin):
            if is_wanted:
                self._record(tag, at, "SQ", begin, end - begin)
            self.position[at] = end + 8
            self._load(at, tag)

    def _record(self, tag: int, at: Index, vr: str, offset: np.ndarray, length: np.ndarray, *, is_constant: bool = False) -> None:
        self.parts.setdefault(tag, []).append(Part(vr, self.rows[at], offset, length, is_constant))
        if self._has_read_on:
            self.is_used[at] |= offset >= self.half * self.stride

    def _load(self, at: Index, before: int) -> None:
        """Read the element headers that the data sets `at` stand at now, behind the tag `before`."""
        lacks = self.position[at] + PADDING > self.stops[at]
        lost = self._read_on(_pick(at, lacks)) if lacks.any() else None
        word = self.words[self.position[at]]
        self.word[at] = word
        first = int(word[0])
        if ((word ^ first) & (_LOW32 if self.syntax.is_implicit else _LOW48)).any():
            self._is_same = False
            tag = (word & _LOW16) << 16 | word >> 16 & _LOW16
            self.tag[at] = tag
            if (tag <= before).any():
                self._lose(_pick(at, tag <= before))
        else:
            tag_of_all = (first & _LOW16) << 16 | first >> 16 & _LOW16
            self.tag[at] = tag_of_all
            self._is_same = at is _ALL
            if tag_of_all <= before:
                self._lose(at)
        if lost is not None:
            self._lose(lost)

    def _read_again(self, at: Index) -> None:
        """Read on from the element that the data sets `at` stand at, whose end is not at hand; it is then looked at once more."""
        at = np.arange(len(self.rows))[at] if isinstance(at, slice) else at
        is_read = self.position[at] == (self.half + self.rows[at]) * self.stride
        self._lose(at[is_read])
        again = at[~is_read]
        if len(again):
            self._lose(self._read_on(again))
            self.word[again] = self.words[self.position[again]]

    def _read_on(self, at: Index) -> np.ndarray:
        """Have more bytes at hand of the data sets `at`; those of which there are none are given back."""
        at = np.arange(len(self.rows))[at] if isinstance(at, slice) else at
        if self.read_more is None:
            self.position[at] = 0
            return at
        self._has_read_on = True
        self.position[at[self.is_used[at]]] = 0
        lost, at = at[self.is_used[at]], at[~self.is_used[at]]
        if not len(at):
            return lost
        rows = self.rows[at]
        offset = self.position[at] - self.shift[at]
        got = self.read_more(rows, offset, self.block[self.half :])
        start = (self.half + rows) * self.stride
        self.position[at], self.stops[at], self.shift[at] = start, start + np.minimum(got, self.stride - PADDING), start - offset
        return np.concatenate([lost, at[got < PADDING]])

    def _lose(self, at: Index) -> None:
        if isinstance(at, slice) or len(at):
            self.tag[at] = _NOWHERE
            self._is_same, self._has_lost = False, True

    def _compress(self) -> None:
        """Forget the data sets that were given up."""
        keep = self.tag != _NOWHERE
        for name in ("rows", "position", "stops", "shift", "word", "tag", "is_signed", "is_used", "thin"):
            setattr(self, name, getattr(self, name)[keep])
        self._is_same = self._has_lost = False


def _pick(at: Index, mask: np.ndarray) -> Index:
    """Those of `at` that are marked."""
    if mask.all():
        return at
    return np.flatnonzero(mask) if isinstance(at, slice) else at[mask]


def _ends_of_sequences(words: np.ndarray, begin: np.ndarray, stops: np.ndarray, *, is_implicit: bool) -> np.ndarray:
    """Where sequences of undefined length that begin at `begin` have their delimiters, -1 where that is not certain."""
    result = np.full(len(begin), -1, np.int64)
    left, position, stop = np.arange(len(begin)), begin.copy(), stops
    level, is_item = np.zeros(len(begin), np.int64), np.zeros(len(begin), np.int64)  # the bits of `is_item`: what is open at each level
    while len(left) >= FEW:
        ok = position + PADDING <= stop
        if not ok.all():
            left, position, stop, level, is_item = left[ok], position[ok], stop[ok], level[ok], is_item[ok]
            if not len(left):
                break
        word = words[position]
        mark, in_item = word & _LOW32, is_item >> level & 1 == 1
        is_mark = word & _LOW16 == 0xFFFE
        length = word >> 32 & _LOW32
        if is_implicit:
            header = np.full(len(left), 8)
        else:
            header = np.where(is_mark, 8, _HEADER_LENGTHS[word >> 32 & _LOW16])
            is_short = (header == 8) & ~is_mark
            length = np.where(is_short, word >> 48 & _LOW16, length)
            is_long = header == 12
            if is_long.any():
                length[is_long] = words[position[is_long] + 8] & _LOW32
        closes = ((mark == _ITEM_END) & in_item) | ((mark == _SEQUENCE_END) & ~in_item)
        opens = (length == UNDEFINED_LENGTH) & ~closes
        ok = closes | ((mark == _ITEM) & ~in_item) | (~is_mark & in_item & (header > 0))
        if not is_implicit:
            ok &= ~(opens & (word >> 32 & _LOW16 == _UN) & ~is_mark)
        is_end = closes & (level == 0)
        result[left[is_end]] = position[is_end]
        position = position + header + np.where(opens | closes, 0, length)
        level = level + opens - closes
        bit = np.int64(1) << np.maximum(level, 0)
        is_item = np.where(opens, np.where(is_mark, is_item | bit, is_item & ~bit), is_item)
        ok &= ~is_end & (level < min(MAX_DEPTH, 62))
        if not ok.all():
            left, position, stop, level, is_item = left[ok], position[ok], stop[ok], level[ok], is_item[ok]
    return result
