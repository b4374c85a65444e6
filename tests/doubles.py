"""Stand-ins that count: reads of local files as the system sees them, and a decoder whose answer is known."""

from __future__ import annotations

import builtins
import io
import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pydicom

from builders.samples import Array, phantom
from xdicom.model.frames import FrameRefs


@dataclass(slots=True)
class Read:
    """One answered request."""

    path: str
    """File that was read, resolved."""
    offset: int
    """First byte."""
    length: int
    """Bytes that were given."""


@dataclass(slots=True)
class Reads:
    """What was opened and read below a folder, in order."""

    opened: list[str] = field(default_factory=list)
    """Path of each opening, resolved."""
    reads: list[Read] = field(default_factory=list)
    """Each read that gave bytes."""
    closed: int = 0
    """Openings that were closed again."""

    @property
    def requests(self) -> int:
        """Number of reads."""
        return len(self.reads)

    @property
    def bytes(self) -> int:
        """Bytes given by all reads; those read twice count twice."""
        return sum(read.length for read in self.reads)

    @property
    def left_open(self) -> int:
        """Openings not closed again."""
        return len(self.opened) - self.closed

    def of(self, path: Path) -> list[tuple[int, int]]:
        """(offset, length) of each read of one file."""
        return [(read.offset, read.length) for read in self.reads if read.path == os.path.realpath(path)]

    def bytes_within(self, path: Path, start: int, stop: int) -> int:
        """Bytes of one file that were read from `start` up to `stop`."""
        return sum(max(0, min(stop, offset + length) - max(start, offset)) for offset, length in self.of(path))

    def pixel_bytes(self, path: Path) -> int:
        """Bytes of one file's pixel data value, and what lies behind it, that were read."""
        return self.bytes_within(path, pixel_data_offset(path), os.path.getsize(path))


def pixel_data_offset(path: Path) -> int:
    """First byte of the pixel data value of an uncompressed data set, as pydicom finds it."""
    with open(path, "rb") as file:
        header = pydicom.dcmread(file, stop_before_pixels=True)
        offset = file.tell()
    return offset + (8 if header.original_encoding[0] else 12)


@contextmanager
def counted_reads(folder: Path) -> Iterator[Reads]:
    """Count what this process opens and reads below `folder`, whoever does it.

    `os.open`, `os.read`, `os.pread`, `os.preadv` and binary `open` are watched, also where a module of xdicom took hold of one of them
    when it was imported; a memory map counts as a read of all that it maps. The answers are the system's own.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, counted_reads(Path(folder)) as reads:
    ...     _ = Path(folder, "a").write_bytes(b"12345")
    ...     _ = Path(folder, "a").read_bytes()
    >>> reads.requests, reads.bytes, reads.left_open
    (1, 5, 0)
    """
    watch = _Watch(os.path.realpath(folder))
    replacements: list[tuple[Any, str, Callable[..., Any]]] = [
        (os, "open", watch.open),
        (os, "close", watch.close),
        (os, "read", watch.read),
    ]
    replacements += [(os, name, getattr(watch, name)) for name in ("pread", "preadv") if hasattr(os, name)]
    replacements += [(module, "open", watch.open_file) for module in (builtins, io)]
    replacements.append((mmap, "mmap", watch.map))
    by_original = {id(getattr(owner, name)): substitute for owner, name, substitute in replacements}
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("xdicom."):
            held = [(name, by_original[id(value)]) for name, value in vars(module).items() if id(value) in by_original]
            replacements += [(module, name, substitute) for name, substitute in held]
    with ExitStack() as stack:
        for owner, name, substitute in replacements:
            stack.enter_context(patch.object(owner, name, substitute))
        yield watch.reads


class _Watch:
    """The system's calls, with a note of each one that touches a file below a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.reads = Reads()
        self.paths: dict[int, str] = {}
        self.lock = threading.Lock()
        self.system_open, self.system_close, self.system_read = os.open, os.close, os.read
        self.system_pread, self.system_preadv = getattr(os, "pread", None), getattr(os, "preadv", None)
        self.system_open_file, self.system_map = io.open, mmap.mmap

    def note(self, fd: int, offset: int, length: int) -> None:
        with self.lock:
            if fd in self.paths and length > 0:
                self.reads.reads.append(Read(self.paths[fd], offset, length))

    def note_opening(self, fd: int, path: Any) -> None:
        if isinstance(path, int):
            return
        resolved = os.path.realpath(os.fsdecode(path))
        if os.path.commonpath([self.folder, resolved]) == self.folder and not os.path.isdir(resolved):
            with self.lock:
                self.paths[fd] = resolved
                self.reads.opened.append(resolved)

    def note_closing(self, fd: int) -> None:
        with self.lock:
            self.reads.closed += self.paths.pop(fd, None) is not None

    def open(self, path: Any, *arguments: Any, **named: Any) -> int:
        fd = self.system_open(path, *arguments, **named)
        self.note_opening(fd, path)
        return fd

    def close(self, fd: int) -> None:
        self.note_closing(fd)
        self.system_close(fd)

    def read(self, fd: int, length: int) -> bytes:
        offset = os.lseek(fd, 0, os.SEEK_CUR) if fd in self.paths else 0
        data = self.system_read(fd, length)
        self.note(fd, offset, len(data))
        return data

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        assert self.system_pread is not None
        data: bytes = self.system_pread(fd, length, offset)
        self.note(fd, offset, len(data))
        return data

    def preadv(self, fd: int, buffers: Any, offset: int, *flags: int) -> int:
        assert self.system_preadv is not None
        length: int = self.system_preadv(fd, buffers, offset, *flags)
        self.note(fd, offset, length)
        return length

    def map(self, fd: int, length: int, *arguments: Any, **named: Any) -> mmap.mmap:
        mapped = self.system_map(fd, length, *arguments, **named)
        self.note(fd, named.get("offset", 0), len(mapped))
        return mapped

    def open_file(self, file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **named: Any) -> Any:
        is_plain = not isinstance(file, int) and not any([*arguments, *named.values()])
        if not is_plain or set(mode) not in ({"r", "b"}, {"r", "b", "+"}):
            return self.system_open_file(file, mode, buffering, *arguments, **named)
        raw = _WatchedFile(file, mode, self)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom if "+" in mode else io.BufferedReader
        return buffered(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)


class _WatchedFile(io.FileIO):
    """A binary file opened for reading, each of whose reads is noted."""

    def __init__(self, path: Any, mode: str, watch: _Watch) -> None:
        super().__init__(path, mode)
        self._watch = watch
        watch.note_opening(self.fileno(), path)

    def readinto(self, buffer: Any, /) -> int:
        offset = self.tell()
        length = super().readinto(buffer) or 0
        self._watch.note(self.fileno(), offset, length)
        return length

    def read(self, size: int | None = -1, /) -> bytes:
        offset = self.tell()
        data = super().read(-1 if size is None else size) or b""
        self._watch.note(self.fileno(), offset, len(data))
        return data

    def readall(self) -> bytes:
        return self.read()

    def close(self) -> None:
        if not self.closed:
            self._watch.note_closing(self.fileno())
        super().close()


def decode_known(refs: FrameRefs) -> Array:
    """Frames of `refs` without reading a byte: frame number `n` is `phantom(n - 1)`; shape `(frames, rows, columns[, samples])`."""
    frames = []
    for number, place in zip(refs.frame_number, refs.encoding, strict=True):
        encoding = refs.encodings[place]
        frames.append(phantom(int(number) - 1, encoding.rows, encoding.columns, encoding.dtype, samples=encoding.samples_per_pixel))
    return np.stack(frames)


@dataclass(slots=True)
class CountingDecoder:
    """`decode_known`, with a note of each call."""

    calls: list[list[int]] = field(default_factory=list)
    """Frame numbers of each call, in order."""

    def __call__(self, refs: FrameRefs) -> Array:
        self.calls.append(refs.frame_number.tolist())
        return decode_known(refs)
