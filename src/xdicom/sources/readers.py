"""A source that is read at many places in a row: opened when first read, closed at the end."""

from __future__ import annotations

import os
from types import TracebackType

from xdicom.sources.chain import is_local
from xdicom.sources.counters import count_local
from xdicom.sources.files import open_local
from xdicom.sources.ranges import read_range

FIRST_WINDOW = 1 << 16
"""Bytes that one request for a remote source brings at least: headers of items lie near each other [bytes]."""
LARGEST_WINDOW = 4 << 20
"""Limit of what it brings where reads follow each other: with every request four times as much [bytes]."""


class Reader:
    """Bytes of one source, for as long as the `with` block lasts; nothing is opened before it is asked for."""

    def __init__(self, url: str, stamp: str = "") -> None:
        self.url = url
        self.stamp = stamp
        self._fd = -1
        self._window = b""
        self._start = 0
        self._size = FIRST_WINDOW // 4

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on; fewer only at the end.

        Raises
        ------
        SourceError
            As for `read_range`.
        """
        if not is_local(self.url):
            return self._read_remote(offset, length)
        if self._fd < 0:
            self._fd = open_local(self.url)
        data = os.pread(self._fd, length, offset) if hasattr(os, "pread") else read_range(self.url, offset, length)
        if len(data) < length and data:
            return read_range(self.url, offset, length)  # the system gave less than asked for: 2 GiB at once on Linux
        count_local(len(data))
        return data

    def _read_remote(self, offset: int, length: int) -> bytes:
        place = offset - self._start
        if place < 0 or place + length > len(self._window):
            goes_on = 0 <= offset - self._start < 2 * max(len(self._window), FIRST_WINDOW)
            self._size = min(4 * self._size, LARGEST_WINDOW) if goes_on else FIRST_WINDOW
            self._window, self._start, place = read_range(self.url, offset, max(length, self._size), stamp=self.stamp), offset, 0
        return self._window[place : place + length]

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
