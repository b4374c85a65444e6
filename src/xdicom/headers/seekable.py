"""What is fetched piece by piece, as a file to read and seek in: for a parser that knows files alone."""

from __future__ import annotations

import io
from typing import Any

from xdicom.headers.elements import Fetch

_PIECE = 1 << 16


class _Fetched(io.RawIOBase):
    """Bytes that `fetch` reads, from a place that moves."""

    name = ""
    """Files have names, and parsers ask for them."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch, self._size, self._at = fetch, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END and self._size < 0:
            raise OSError("the size of the source is not known")
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def readinto(self, room: Any) -> int:
        view = memoryview(room)
        data = self._fetch(self._at, len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def seekable_file(fetch: Fetch, size: int) -> io.BufferedReader:
    """A file of what `fetch` reads, of which no more is in memory than is asked for; `size` is -1 where it is not known [bytes]."""
    return io.BufferedReader(_Fetched(fetch, size), _PIECE)
