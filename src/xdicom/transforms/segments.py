"""Segmented palettes: tables written as steps, straight lines and repetitions (PS3.3 C.7.9.2)."""

from __future__ import annotations

import numpy as np

DISCRETE, LINEAR, INDIRECT = 0, 1, 2
"""Opcodes of segments (PS3.3 Table C.7-24)."""


def expand_segments(data: np.ndarray, entries: int) -> np.ndarray:
    """Entries of a segmented table (PS3.3 C.7.9.2).

    Points of a linear segment are rounded to the nearest number, halves to the even one.

    Parameters
    ----------
    data
        Segments as numbers of 8 or 16 bits; shape `(numbers,)`.
    entries
        Number of entries that the descriptor promises.

    Returns
    -------
    numpy.ndarray
        Shape `(entries,)`, type of `data`.

    Raises
    ------
    ValueError
        For an unknown opcode, segments that end early, a linear segment at the very start, an indirect segment that
        points at another or outside, and segments that make more or fewer entries than promised.

    Examples
    --------
    >>> expand_segments(np.array([0, 1, 10, 1, 4, 18], np.uint8), 5)
    array([10, 12, 14, 16, 18], dtype=uint8)
    """
    segments = _Segments([int(number) for number in data], data.dtype.itemsize, entries)
    position = 0
    # a byte of padding may follow the last segment
    while position < len(segments.numbers) and len(segments.out) < entries:
        position = segments.expand_one(position)
    if len(segments.out) != entries:
        raise ValueError(f"segments of a palette make {len(segments.out)} entries, its descriptor promises {entries}")
    return np.array(segments.out, data.dtype)


class _Segments:
    """Segments being expanded."""

    def __init__(self, numbers: list[int], itemsize: int, limit: int) -> None:
        self.numbers = numbers
        self.out: list[int] = []
        self._itemsize = itemsize
        self._limit = limit

    def expand_one(self, position: int, *, is_pointed_at: bool = False) -> int:
        """Append the entries of the segment at `position`; where the next segment begins."""
        opcode, length = self._take(position, 2)
        position += 2
        if opcode == DISCRETE:
            self._append(self._take(position, length))
            return position + length
        if opcode == LINEAR:
            (end,) = self._take(position, 1)
            if not self.out:
                raise ValueError("a palette begins with a linear segment, which has no point to start from (PS3.3 C.7.9.2.2)")
            start = self.out[-1]
            self._append([round(start + (end - start) * i / length) for i in range(1, length + 1)])
            return position + 1
        if opcode == INDIRECT:
            if is_pointed_at:
                raise ValueError("an indirect segment of a palette points at an indirect segment (PS3.3 C.7.9.2.3)")
            target, size = self._pointer(position)
            for _ in range(length):
                target = self.expand_one(target, is_pointed_at=True)
            return position + size
        raise ValueError(f"a palette has a segment with opcode {opcode}; there are 0, 1 and 2 (PS3.3 Table C.7-24)")

    def _pointer(self, position: int) -> tuple[int, int]:
        """Position that an indirect segment points at, and how many numbers the pointer takes: bytes, low half first."""
        if self._itemsize == 1:
            return int.from_bytes(bytes(self._take(position, 4)), "little"), 4
        low, high = self._take(position, 2)
        return (low | high << 16) // self._itemsize, 2

    def _append(self, entries: list[int]) -> None:
        self.out += entries
        if len(self.out) > self._limit:
            raise ValueError(f"segments of a palette make more than the {self._limit} entries that its descriptor promises")

    def _take(self, position: int, count: int) -> list[int]:
        found = self.numbers[position : position + count]
        if len(found) < count:
            raise ValueError(f"segments of a palette end early: {count} numbers expected at {position}, {len(found)} found")
        return found
