"""One walk over the fragments of encapsulated pixel data (PS3.5 A.4): from header to header, or in blocks where they are small."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from xdicom.errors import PixelDataError
from xdicom.headers.elements import ITEM, SEQUENCE_DELIMITER, Fetch

ITEM_HEADER_LENGTH = 8
SMALL = 8192
"""Fragments up to this length on average are read with what lies around them: to skip them takes longer [bytes]."""
BLOCK = 1 << 18
"""Bytes that are read at once then [bytes]."""
LOOKED_AT = 8
"""Fragments by whose length that is told."""
_HEADER = struct.Struct("<II")
_ITEM, _SEQUENCE_END = ((tag & 0xFFFF) << 16 | tag >> 16 for tag in (ITEM, SEQUENCE_DELIMITER))


@dataclass(frozen=True, slots=True)
class Items:
    """Fragments that lie one behind the other."""

    offset: np.ndarray
    """Where the tag of each lies; int64, shape `(fragments,)`."""
    length: np.ndarray
    """Bytes of each one's value; int64, shape `(fragments,)`."""
    end: int
    """Where the sequence delimiter lies, or should."""
    notes: list[str]
    """What was wrong."""


def walk_items(fetch: Fetch, offset: int, size: int, most: int) -> Items:
    """Fragments from `offset` to the sequence delimiter. Of a source whose fragments are large, their headers alone are read.

    Raises
    ------
    PixelDataError
        If there are more than `most`.
    """
    offsets: list[int] = []
    lengths: list[int] = []
    header = _HEADER.unpack_from
    notes: list[str] = []
    while True:
        if offsets and offset + ITEM_HEADER_LENGTH == size:
            break  # what is left is as long as a delimiter: it needs no look
        is_small = len(offsets) >= LOOKED_AT and offset - offsets[-LOOKED_AT] <= LOOKED_AT * SMALL
        block = fetch(offset, BLOCK if is_small else ITEM_HEADER_LENGTH)
        place, last, tag = 0, len(block) - ITEM_HEADER_LENGTH, 0
        while place <= last:
            tag, length = header(block, place)
            if tag != _ITEM:
                break
            offsets.append(offset + place)
            lengths.append(length)
            place += ITEM_HEADER_LENGTH + length
        offset += place
        if len(offsets) > most:
            raise PixelDataError(f"the pixel data has more than {most} fragments: it can't be trusted")
        if 0 <= size < offset:
            lengths[-1] = size - offsets[-1] - ITEM_HEADER_LENGTH
            notes, offset = [f"the source ends within the fragment at byte {offsets[-1]}"], size
            break
        if tag != _ITEM:
            if tag != _SEQUENCE_END and (not offsets or offset + ITEM_HEADER_LENGTH != size):
                notes = ["the pixel data has no sequence delimiter"]
            break
    return Items(np.array(offsets, np.int64), np.array(lengths, np.int64), offset, notes)


def ends_of_fragments(fetch: Fetch, items: Items, length: int) -> tuple[list[bytes], list[bytes]]:
    """The first and the last `length` bytes of each fragment's value; all of it where it is shorter."""
    if len(items.offset) and int(items.length.mean()) <= SMALL:
        fetch = _in_blocks(fetch)
    heads, tails = [], []
    for offset, size in zip((items.offset + ITEM_HEADER_LENGTH).tolist(), items.length.tolist(), strict=True):
        some = min(length, size)
        heads.append(fetch(offset, some))
        tails.append(fetch(offset + size - some, some))
    return heads, tails


def _in_blocks(fetch: Fetch) -> Fetch:
    """The same bytes, read with those that follow."""
    block, base = b"", 0

    def read(offset: int, length: int) -> bytes:
        nonlocal block, base
        place = offset - base
        if place < 0 or place + length > len(block):
            block, base, place = fetch(offset, max(BLOCK, length)), offset, 0
        return block[place : place + length]

    return read
