"""A remote source as a file that is looked at here and there: what is looked at next is fetched before it is asked for.

Headers of a tar file lie one behind each member, and each says where the next one is: read one by one, they take as many
round trips as there are members. Two things are known of them. Members of a series often have one length, so that the next
headers can be fetched at once where the last two steps were equal. Where they have not, but are small, one request fetches
many of them with all that lies between.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from xdicom.sources.concurrency import IN_FLIGHT
from xdicom.sources.ranges import read_ranges
from xdicom.sources.source import Source

_LOOK = 2048
"""Bytes that one look fetches: a header, with the ones that may stand in front of it."""
_NEAR, _NEAREST = 256 << 10, 64 << 10
"""Steps up to the first length are read over, in one request with others, where they are unequal; up to the second always [bytes]."""
_FIRST_WINDOW, _LAST_WINDOW = 64 << 10, 8 << 20
"""Bytes that such a request fetches: twice as many with every further one, up to a limit."""


class LookAhead(io.RawIOBase):
    """The bytes of `source` as a file, without those in front of `start`; it is read in rising order, for the most part."""

    def __init__(self, source: Source, start: int = 0) -> None:
        self._source, self._start, self._size = source, start, source.size - start
        self._position = self._behind = 0
        self._jumps: list[int] = [0, 0, 0]
        self._parts: dict[int, bytes] = {}
        self._window, self._count = _FIRST_WINDOW, 1

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Where the next byte is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Bytes put into `buffer`: less than it holds only at the end."""
        if self._position != self._behind:
            self._jumps = [*self._jumps[1:], self._position]
        wanted = max(0, min(len(buffer), self._size - self._position))
        done = 0
        while done < wanted:
            part = self._bytes_at(self._position + done)[: wanted - done]
            if not part:
                break
            buffer[done : done + len(part)] = part
            done += len(part)
        self._position += done
        self._behind = self._position
        return done

    def _bytes_at(self, position: int) -> bytes:
        """Some bytes from `position` on, of those that are there or are fetched now."""
        for first, part in self._parts.items():
            if first <= position < first + len(part):
                return part[position - first :]
        starts, size = self._next(position)
        parts = read_ranges(self._source.url, [self._start + at for at in starts], [size] * len(starts), stamp=self._source.stamp)
        self._parts = dict(zip(starts, parts, strict=True))
        return parts[0]

    def _next(self, position: int) -> tuple[Sequence[int], int]:
        """Where to look from `position` on, and how many bytes there."""
        before, step = (int(each) for each in np.diff(self._jumps))
        if step == before > _NEAREST:
            self._window = _FIRST_WINDOW
            self._count = min(IN_FLIGHT, 2 * self._count)
            return [at for i in range(self._count) if (at := position + i * step) < self._size], _LOOK
        self._count = 1
        if step > _NEAR:
            return [position], _LOOK
        self._window = min(_LAST_WINDOW, 2 * self._window)
        return [position], self._window
