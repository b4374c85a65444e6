"""Where each frame's bytes lie: from the length of a frame, from an offset table, or from one walk over the items (PS3.5 A.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.headers.elements import ITEM, Fetch
from xdicom.headers.fragments import ITEM_HEADER_LENGTH, ends_of_fragments, walk_items
from xdicom.model.markers import frame_starts_by_marker

if TYPE_CHECKING:
    from xdicom.model.encoding import PixelEncoding

MAX_MISSING_FRAMES = 100_000
"""More frames than this may not be declared without a byte of them being there."""
MAX_FRAMES = 1 << 24
"""More frames than this in one instance are not read: what is kept of each would outweigh its pixels."""
MAX_FRAGMENTS, MAX_FRAGMENTS_PER_FRAME = 100_000, 1000
"""More fragments than the first and the second for each frame are not walked: with eight bytes each they would take for ever."""
MARKER_LENGTH = 16
"""Bytes of a fragment's start and end that tell codec streams apart."""
_LOOKED_AT = 16
"""Frames up to which every entry of an offset table is looked at."""
_WRAP = 1 << 32
"""The Basic Offset Table counts in 32 bits (PS3.5 A.4)."""


@dataclass(slots=True)
class Spans:
    """Spans of the frames of one instance."""

    offset: np.ndarray
    """First byte of each frame; int64, shape `(frames,)`."""
    length: np.ndarray
    """Bytes of each frame; int64, shape `(frames,)`."""
    notes: list[str] = field(default_factory=list)
    """What was wrong with the pixel data and how it was read all the same."""


def native_spans(start: int, length: int, encoding: PixelEncoding, count: int) -> Spans:
    """Spans of `count` native frames in a value of `length` bytes at `start` (PS3.5 8.1.1).

    Raises
    ------
    PixelDataError
        If the header declares far more frames than the value can hold.
    UnsupportedEncodingError
        If there are more frames than are read of one instance.
    """
    bits = encoding.native_frame_bits
    present = length * 8 // bits if bits else 0
    spans = Spans(np.empty(0), np.empty(0))
    if present < count:
        _refuse_absurd(count, present)
        spans.notes.append(f"the header declares {count} frames, the pixel data holds {present} whole ones")
    _refuse_many(count)
    if present > count and length - (count * bits + 7) // 8 > max(1, bits // 8 // 2):
        spans.notes.append(f"the pixel data holds {present} frames, the header declares {count}; the others are not read")
    unit = 16 if encoding.swaps_bytes_of_words else 8
    number = np.arange(count + 1, dtype=np.int64) * bits
    first, last = number[:-1] // unit, -(-number[1:] // unit)
    spans.offset = start + first * (unit // 8)
    spans.length = np.clip(start + length - spans.offset, 0, (last - first) * (unit // 8))
    return spans


def encapsulated_spans(
    fetch: Fetch, start: int, size: int, encoding: PixelEncoding, count: int, extended: tuple[np.ndarray, np.ndarray] | None
) -> Spans:
    """Spans of `count` encapsulated frames whose first item (the Basic Offset Table) lies at `start`.

    `extended` holds the Extended Offset Table and its lengths (PS3.3 C.7.6.3.1.8), where the header has one. A table that
    does not fit the items is passed over for a walk over the items, and that is noted.

    Raises
    ------
    PixelDataError
        If there is no item, or the fragments can't be told apart.
    UnsupportedEncodingError
        If there are more frames than are read of one instance.
    """
    tag, table_length = _item(fetch(start, ITEM_HEADER_LENGTH))
    if tag != ITEM:
        raise PixelDataError(f"encapsulated pixel data begins with tag {tag:08X} at byte {start}, where an item (FFFEE000) must be")
    first = start + ITEM_HEADER_LENGTH + table_length
    if size >= 0 and first > size:
        raise PixelDataError(f"the Basic Offset Table of {table_length} bytes at byte {start} runs past the end of the source")
    notes: list[str] = []
    if extended is not None:
        spans = _from_extended_table(fetch, first, size, *extended, count)
        if spans is not None:
            _refuse_many(count)
            return spans
        notes.append("the Extended Offset Table does not fit the items; they were walked")
    if table_length and count > 1:
        stored = fetch(start + ITEM_HEADER_LENGTH, table_length)
        table = np.frombuffer(stored, "<u4", count=len(stored) // 4).astype(np.int64)
        spans = _from_basic_table(fetch, first, size, table, count)
        if spans is not None:
            _refuse_many(count)
            spans.notes[:0] = notes
            return spans
        notes.append("the Basic Offset Table does not fit the items; they were walked")
    spans = _from_walk(fetch, first, size, encoding, count)
    spans.notes[:0] = notes
    return spans


def _item(header: bytes) -> tuple[int, int]:
    """Tag and length of an item header, or zeros where the source ends."""
    if len(header) < ITEM_HEADER_LENGTH:
        return 0, 0
    group, element, length = struct.unpack("<HHI", header[:ITEM_HEADER_LENGTH])
    return group << 16 | element, length


def _are_items(fetch: Fetch, offsets: np.ndarray) -> bool:
    """Whether items begin at all of a few `offsets`, or at the first, the middle and the last of many: each look may be a request."""
    # The first one last but one: right behind the table a reader would take it for a walk, and read far ahead.
    sample = offsets.tolist() if len(offsets) <= _LOOKED_AT else [int(offsets[i]) for i in (len(offsets) // 2, 0, -1)]
    return all(_item(fetch(offset, ITEM_HEADER_LENGTH))[0] == ITEM for offset in sample)


def _from_extended_table(fetch: Fetch, first: int, size: int, offsets: np.ndarray, lengths: np.ndarray, count: int) -> Spans | None:
    if len(offsets) < count or len(lengths) < count:
        return None
    offset, length = first + offsets[:count].astype(np.int64), lengths[:count].astype(np.int64) + ITEM_HEADER_LENGTH
    if (offsets[:count] > 1 << 62).any() or (np.diff(offset) <= 0).any() or (lengths[:count] > 1 << 62).any():
        return None
    is_inside = size < 0 or int((offset + length).max()) <= size
    if not is_inside or (offset[:-1] + length[:-1] > offset[1:]).any() or not _are_items(fetch, offset):
        return None
    # Against the standard some frames have several fragments: spans reach to the next frame, the last one to its last item.
    end, notes = (first + int(offsets[count]), []) if len(offsets) > count else _end_of_last(fetch, int(offset[-1]), size)
    return Spans(offset, np.diff(offset, append=end), notes)


def _from_basic_table(fetch: Fetch, first: int, size: int, table: np.ndarray, count: int) -> Spans | None:
    if len(table) != count or table[0] != 0:
        return None
    wraps = np.cumsum(np.diff(table, prepend=0) < 0)
    offset = first + table + wraps * _WRAP
    if (np.diff(offset) <= 0).any() or (size >= 0 and int(offset[-1]) + ITEM_HEADER_LENGTH > size) or not _are_items(fetch, offset):
        return None
    end, notes = _end_of_last(fetch, int(offset[-1]), size)
    return Spans(offset, np.diff(offset, append=end), notes)


def _end_of_last(fetch: Fetch, offset: int, size: int) -> tuple[int, list[str]]:
    """Where the last item behind `offset` ends, and notes."""
    items = walk_items(fetch, offset, size, MAX_FRAGMENTS + MAX_FRAGMENTS_PER_FRAME)
    return int(items.offset[-1] + items.length[-1]) + ITEM_HEADER_LENGTH, items.notes


def _from_walk(fetch: Fetch, first: int, size: int, encoding: PixelEncoding, count: int) -> Spans:
    items = walk_items(fetch, first, size, MAX_FRAGMENTS + count * MAX_FRAGMENTS_PER_FRAME)
    offset, end, notes = items.offset, items.end, items.notes
    if not len(offset):
        raise PixelDataError(f"encapsulated pixel data has no fragment behind byte {first}")
    if count == 1:
        starts = offset[:1]
    elif len(offset) == count:
        starts = offset
    else:
        heads, tails = ends_of_fragments(fetch, items, MARKER_LENGTH)
        begins = frame_starts_by_marker(heads, tails, encoding.transfer_syntax_uid)
        starts = offset[begins]
        if len(starts) > count or (len(starts) < count and len(offset) > count):
            raise PixelDataError(
                f"{len(offset)} fragments hold {count} frames, there is no offset table that fits, "
                f"and codec markers show {len(starts)} beginnings: the frames can't be told apart"
            )
    if len(starts) < count:
        _refuse_absurd(count, len(starts))
        notes.append(f"the header declares {count} frames, the pixel data holds {len(starts)}")
    _refuse_many(count)
    spans = Spans(starts, np.diff(starts, append=end), notes)
    missing = count - len(starts)
    if missing > 0:
        spans.offset = np.concatenate([spans.offset, np.full(missing, end, np.int64)])
        spans.length = np.concatenate([spans.length, np.zeros(missing, np.int64)])
    return spans


def _refuse_many(declared: int) -> None:
    if declared > MAX_FRAMES:
        raise UnsupportedEncodingError(f"the header declares {declared} frames; up to {MAX_FRAMES} of one instance are read")


def _refuse_absurd(declared: int, present: int) -> None:
    if declared - present > MAX_MISSING_FRAMES:
        raise PixelDataError(f"the header declares {declared} frames, the pixel data holds {present}: the header can't be trusted")
