"""Bytes of local files: open, read at a place, close; nothing stays open and no thread waits for another."""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xdicom.errors import SourceError
from xdicom.sources.counters import LOCAL, count, count_local
from xdicom.sources.faults import ChangedError, retried

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_UNCHECKED = 1 << 26
"""Lengths above this are cut to the file's before memory is set aside for them [bytes]."""


def _pread_by_seek(fd: int, length: int, offset: int) -> bytes:
    """`os.pread` where the system has none; right only while `fd` belongs to one thread, as here."""
    os.lseek(fd, offset, os.SEEK_SET)
    return os.read(fd, length)


def _preadv_by_seek(fd: int, buffers: Sequence[Any], offset: int) -> int:
    """`os.preadv` into one buffer where the system has none; right only while `fd` belongs to one thread, as here."""
    (buffer,) = buffers
    os.lseek(fd, offset, os.SEEK_SET)
    with open(fd, "rb", buffering=0, closefd=False) as file:
        return file.readinto(buffer) or 0


_pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _pread_by_seek)
_preadv: Callable[[int, Sequence[Any], int], int] = getattr(os, "preadv", _preadv_by_seek)


def open_local(path: str) -> int:
    """Descriptor of a file, for a reader that closes it.

    Raises
    ------
    SourceError
        If it can't be opened.
    """
    descriptor = retried(lambda: os.open(path, _FLAGS), path)
    if descriptor is None:
        raise SourceError(f"{path} can't be opened")
    return descriptor


def read(path: str, offset: int, length: int, stamp: str = "") -> bytes:
    """`length` bytes from `offset` on; fewer only at the end of the file."""
    try:
        return _read(path, offset, length, stamp)
    except (OSError, ChangedError):
        return retried(lambda: _read(path, offset, length, stamp), path) or b""


def _read(path: str, offset: int, length: int, stamp: str) -> bytes:
    fd = os.open(path, _FLAGS)
    try:
        if stamp:
            _check_stamp(fd, stamp)
        if length > _UNCHECKED:
            length = max(0, min(length, os.fstat(fd).st_size - offset))
        data = _pread_all(fd, length, offset)
    finally:
        os.close(fd)
    count_local(len(data))
    return data


def _pread_all(fd: int, length: int, offset: int) -> bytes:
    """One read as a rule; more where the system gives less than asked for (2 GiB at once on Linux)."""
    data = _pread(fd, length, offset)
    if len(data) == length or not data:
        return data
    parts = [data]
    have = len(data)
    while have < length and (more := _pread(fd, length - have, offset + have)):
        parts.append(more)
        have += len(more)
    return b"".join(parts) if len(parts) > 1 else data


def read_into(path: str, offset: int, out: memoryview, stamp: str = "") -> int:
    """Fill `out` from `offset` on; the number of bytes read, less than its length only at the end of the file."""
    try:
        return _read_into(path, offset, out, stamp)
    except (OSError, ChangedError):
        return retried(lambda: _read_into(path, offset, out, stamp), path) or 0


def _read_into(path: str, offset: int, out: memoryview, stamp: str) -> int:
    fd = os.open(path, _FLAGS)
    try:
        if stamp:
            _check_stamp(fd, stamp)
        have = _preadv(fd, (out,), offset)
        while 0 < have < len(out) and (more := _preadv(fd, (out[have:],), offset + have)):
            have += more
    finally:
        os.close(fd)
    count_local(have)
    return have


def read_many(path: str, offsets: Sequence[int], lengths: Sequence[int], stamp: str = "") -> list[bytes]:
    """Several stretches of one file, which is opened once."""
    return retried(lambda: _read_many(path, offsets, lengths, stamp), path) or []


def _read_many(path: str, offsets: Sequence[int], lengths: Sequence[int], stamp: str) -> list[bytes]:
    fd = os.open(path, _FLAGS)
    try:
        if stamp:
            _check_stamp(fd, stamp)
        size = os.fstat(fd).st_size
        parts = [_pread_all(fd, max(0, min(length, size - offset)), offset) for offset, length in zip(offsets, lengths, strict=True)]
    finally:
        os.close(fd)
    count(LOCAL, sum(map(len, parts)), requests=len(parts))
    return parts


def read_heads_into(paths: Sequence[str], block: np.ndarray) -> np.ndarray:
    """Read the first bytes of each file into its row of `block`, uint8 `(files, length)`.

    Returns
    -------
    numpy.ndarray
        Bytes read from each file, int64 `(files,)`; -1 where a file could not be read.
    """
    lengths: list[int] = []
    append = lengths.append
    system_open, preadv, close = os.open, _preadv, os.close
    for path, row in zip(paths, block, strict=True):
        try:
            fd = system_open(path, _FLAGS)
        except (OSError, ValueError):
            append(-1)
            continue
        try:
            append(preadv(fd, (row,), 0))
        except OSError:
            append(-1)
        finally:
            close(fd)
    result = np.array(lengths, dtype=np.int64)
    count(LOCAL, int(result[result > 0].sum()), requests=len(lengths))
    return result


def describe(path: str) -> tuple[int, str]:
    """Size [bytes] and stamp of a regular file."""
    found = os.stat(path)
    if not stat_bits.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    return found.st_size, str(found.st_mtime_ns)


def _check_stamp(fd: int, stamp: str) -> None:
    found = str(os.fstat(fd).st_mtime_ns)
    if found != stamp:
        raise ChangedError(f"time of the last change was {stamp} ns, is {found} ns")
