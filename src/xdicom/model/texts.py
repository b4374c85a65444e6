"""Many texts as one block of bytes: each becomes a text when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np

_NEWLINE = 10
_MANY = 8
"""From this part of all texts on it is faster to make them all."""


class Lines(Sequence[str]):
    r"""Texts that lie in one block of bytes, one a line.

    Examples
    --------
    >>> lines = Lines(lambda: b"a.dcm\nb.dcm", 2)
    >>> lines[1], len(lines), list(lines)
    ('b.dcm', 2, ['a.dcm', 'b.dcm'])
    """

    def __init__(self, load: Callable[[], bytes], count: int) -> None:
        """`load` gives the bytes, UTF-8, when the first text is asked for; `count` is the number of lines."""
        self._load, self._count = load, count
        self._data: bytes | None = None
        self._ends: np.ndarray | None = None
        self._texts: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if self._texts is not None:
            return self._texts[index]
        if isinstance(index, slice):
            return self.take(np.arange(self._count)[index])
        if not -self._count <= index < self._count:
            raise IndexError(index)
        if self._data is None or self._ends is None:
            self._data = self._load()
            self._ends = np.append(np.flatnonzero(np.frombuffer(self._data, np.uint8) == _NEWLINE), len(self._data))
        number = index % self._count
        start = int(self._ends[number - 1]) + 1 if number else 0
        return self._data[start : int(self._ends[number])].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def take(self, rows: np.ndarray) -> tuple[str, ...]:
        """The texts numbered `rows`."""
        texts = self if len(rows) * _MANY < self._count else self._all()
        return tuple([texts[row] for row in rows.tolist()])

    def _all(self) -> tuple[str, ...]:
        if self._texts is None:
            data = self._load() if self._data is None else self._data
            self._texts = tuple(data.decode("utf-8", "surrogatepass").split("\n"))
            self._data = self._ends = None
        return self._texts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Lines | tuple) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __reduce__(self) -> tuple[type, tuple[tuple[str, ...]]]:
        return tuple, (self._all(),)

    def __repr__(self) -> str:
        return f"<{self._count} texts>"


def take_texts(texts: Sequence[str], rows: np.ndarray) -> tuple[str, ...]:
    """The texts numbered `rows`."""
    return texts.take(rows) if isinstance(texts, Lines) else tuple([texts[row] for row in rows.tolist()])
