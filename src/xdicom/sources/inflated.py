"""Deflated bytes, inflated once for each process and kept while there is room."""

from __future__ import annotations

import os
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable

from xdicom.errors import PixelDataError

LIMIT_VARIABLE = "XDICOM_INFLATE_LIMIT"
"""Environment variable: bytes that one deflated source may inflate to."""
DEFAULT_LIMIT = 4 << 30
CACHE_VARIABLE = "XDICOM_INFLATE_CACHE"
"""Environment variable: inflated bytes that a process keeps; the newest content is kept even if it is larger."""
DEFAULT_CACHE = 512 << 20

_STEP = 32 << 20
_HARMLESS = 1 << 30
"""Up to here any ratio is believed: an empty mask deflates as well as deflate can, 1 to 1,000 [bytes]."""
_LARGEST_RATIO = 200
"""Ratio of inflated to deflated bytes above which a content larger than that is not believed."""


def inflate(data: bytes | memoryview, start: int, where: str, limit: int | None = None) -> bytearray:
    """First `start` bytes of `data` as they are, and the rest of it inflated (raw deflate, PS3.5 A.5).

    Parameters
    ----------
    data
        Content of a source.
    start
        First deflated byte.
    where
        Url, for messages.
    limit
        Bytes that may come out; by default what the environment variable `XDICOM_INFLATE_LIMIT` says, else 4 GiB.

    Raises
    ------
    PixelDataError
        Damaged or truncated deflate stream, or one that grows beyond the limit.

    Examples
    --------
    >>> deflate = zlib.compressobj(wbits=-15)
    >>> bytes(inflate(b"head" + deflate.compress(b"tail" * 3) + deflate.flush(), 4, "a.dcm"))
    b'headtailtailtail'
    """
    limit = _setting(LIMIT_VARIABLE, DEFAULT_LIMIT) if limit is None else limit
    result = bytearray(data[:start])
    tail: bytes | memoryview = memoryview(data)[start:]
    deflated = len(tail)
    decompressor = zlib.decompressobj(-zlib.MAX_WBITS)
    while not decompressor.eof:
        try:
            part = decompressor.decompress(tail, _STEP)
        except zlib.error as error:
            raise PixelDataError(f"{where}: the deflate stream that begins at byte {start} is damaged ({error})") from None
        tail = decompressor.unconsumed_tail
        if not part and not tail and not decompressor.eof:
            raise PixelDataError(
                f"{where}: the deflate stream that begins at byte {start} ends early, after {deflated} bytes "
                f"({len(result) - start} inflated). The file is truncated: get it again from where it came."
            )
        result += part
        if len(result) > limit or (len(result) > _HARMLESS and len(result) > _LARGEST_RATIO * deflated):
            raise PixelDataError(
                f"{where}: {deflated} deflated bytes inflate to more than {len(result) - len(part)} bytes, which is not believed. "
                f"If the source is to be trusted, raise the limit ({LIMIT_VARIABLE}={limit}) or inflate the file beforehand."
            )
    return result


class _Entry:
    """An inflated content, or the place where one thread makes it while others wait."""

    __slots__ = ("data", "lock")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.data: bytearray | None = None


class _Kept:
    """Contents of this process, the longest unused first."""

    __slots__ = ("entries", "lock")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()


_kept = _Kept()


def kept(key: tuple[str, str], make: Callable[[], bytearray]) -> memoryview:
    """What `make` gave for `key` when it was first asked for, or gives now; read only."""
    with _kept.lock:
        entry = _kept.entries.setdefault(key, _Entry())
        _kept.entries.move_to_end(key)
    with entry.lock:
        if entry.data is None:
            entry.data = make()
            _make_room()
    return memoryview(entry.data).toreadonly()


def _make_room() -> None:
    """Forget the contents that were not used for longest."""
    room = _setting(CACHE_VARIABLE, DEFAULT_CACHE)
    with _kept.lock:
        sizes = {key: len(entry.data) for key, entry in _kept.entries.items() if entry.data is not None}
        total = sum(sizes.values())
        newest = next(reversed(_kept.entries), None)
        for key, size in sizes.items():
            if total <= room:
                break
            if key != newest:
                del _kept.entries[key]
                total -= size


def forget() -> None:
    """Give back the memory of all inflated contents."""
    with _kept.lock:
        _kept.entries.clear()


def _setting(name: str, default: int) -> int:
    """Number in an environment variable."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default


if hasattr(os, "register_at_fork"):
    # A forked process keeps its own contents, behind a lock that nobody holds.
    os.register_at_fork(after_in_child=_kept.begin)
