"""Columns of a catalog packed into a few arrays, one for each type, and taken out again when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from xdicom.headers.values import RawValue
from xdicom.model.columns import Column
from xdicom.model.texts import Lines

_AS_LINES = -1
"""In place of lengths, before the number of texts: the texts are lines."""
_SIZES, _TEXTS, _TEXT_LENGTHS = "lengths", "texts", "text_lengths"
_DTYPES = {_SIZES: "int64", _TEXTS: "uint8", _TEXT_LENGTHS: "int64"}
"""Types of the packs that are not named like theirs."""
_KEPT = 1 << 22
"""A pack of up to so many bytes is decompressed once, for all that lies in it [bytes]."""


class Packs:
    """Arrays one behind the other, in one pack for each type; how many values each has is a pack as well."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {_SIZES: [], _TEXTS: [], _TEXT_LENGTHS: []}

    def add(self, array: np.ndarray, pack: str = "") -> None:
        """Put an array behind the others of its type."""
        self._parts[_SIZES].append(np.array([array.size], np.int64))
        self._parts.setdefault(pack or array.dtype.name, []).append(array.reshape(-1))

    def add_texts(self, texts: Sequence[str]) -> None:
        """Put texts behind the others: as lines, which are the fastest to tell apart, where none has several."""
        lines = "\n".join(texts)
        if texts and lines.count("\n") == len(texts) - 1:
            self.add(np.array([_AS_LINES, len(texts)], np.int64), _TEXT_LENGTHS)
            self.add(np.frombuffer(lines.encode("utf-8", "surrogatepass"), np.uint8), _TEXTS)
        else:
            self._add_bytes([text.encode("utf-8", "surrogatepass") for text in texts])

    def _add_bytes(self, parts: list[bytes]) -> None:
        self.add(np.array([len(part) for part in parts], np.int64), _TEXT_LENGTHS)
        self.add(np.frombuffer(b"".join(parts), np.uint8), _TEXTS)

    def add_column(self, column: Column) -> dict[str, Any]:
        """Put a column behind the others; what has to be known to take it out."""
        self.add(column.codes)
        entry: dict[str, Any] = {"kind": column.kind, "codes": column.codes.dtype.name}
        if column.kind == "number":
            self.add(column.values)
            entry |= {"values": column.values.dtype.name, "width": int(column.values.shape[1])}
        elif column.kind == "text":
            self.add_texts([str(value) for value in column.values])
        else:
            self._add_bytes([value.data for value in column.values])
            entry["forms"] = [[value.vr, value.is_implicit, value.is_big_endian] for value in column.values]
        return entry

    def joined(self) -> dict[str, np.ndarray]:
        """The packs by name."""
        return {name: np.concatenate(parts) if parts else np.empty(0, _DTYPES[name]) for name, parts in self._parts.items()}


class Pack:
    """A stored pack, of which parts are decompressed when they are asked for."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array
        self._all: np.ndarray | None = None

    def part(self, start: int, stop: int) -> np.ndarray:
        """Values from `start` to `stop`."""
        if self._array.size * self._array.dtype.itemsize > _KEPT:
            return np.asarray(self._array[start:stop])
        if self._all is None:
            self._all = np.asarray(self._array[:])
        return self._all[start:stop]


Loads = Callable[[], np.ndarray]
"""Gives an array when it is called."""


class Unpacker:
    """Takes arrays from packs in the order in which they were put there; what they hold is read later."""

    def __init__(self, packs: Mapping[str, Pack]) -> None:
        self._packs = packs
        self._sizes = iter(packs[_SIZES].part(0, 1 << 62).tolist())
        self._places = dict.fromkeys(packs, 0)

    def next(self, pack: str) -> Loads:
        """The next array of a pack."""
        count = next(self._sizes)
        start = self._places.get(pack, 0)
        self._places[pack] = start + count
        return lambda: self._packs[pack].part(start, start + count) if count else np.empty(0, _DTYPES.get(pack, pack))

    def _parts(self) -> tuple[Loads, Loads]:
        return self.next(_TEXT_LENGTHS), self.next(_TEXTS)

    def texts(self) -> Sequence[str]:
        """The next list of texts."""
        return _texts(*self._parts())

    def column(self, entry: Mapping[str, Any]) -> Callable[[], Column]:
        """The next column, described by `entry`."""
        codes = self.next(entry["codes"])
        if entry["kind"] == "number":
            numbers = self.next(entry["values"])
            return lambda: Column("number", numbers().reshape(-1, entry["width"]), codes())
        lengths, data = self._parts()

        def load() -> Column:
            found: list[Any]
            if entry["kind"] == "text":
                found = list(_texts(lengths, data))
            else:
                parts = _cut(lengths(), data())
                found = [RawValue(vr, part, implicit, big) for part, (vr, implicit, big) in zip(parts, entry["forms"], strict=True)]
            values = np.empty(len(found), object)
            values[:] = found
            return Column(entry["kind"], values, codes())

        return load


def _texts(lengths: Loads, data: Loads) -> Sequence[str]:
    known = lengths()
    if len(known) and known[0] == _AS_LINES:
        return Lines(lambda: data().tobytes(), int(known[1]))
    return tuple(part.decode("utf-8", "surrogatepass") for part in _cut(known, data()))


def _cut(lengths: np.ndarray, data: np.ndarray) -> list[bytes]:
    joined, ends = data.tobytes(), np.cumsum(lengths).tolist()
    return [joined[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class StoredColumns(Mapping[str, Column]):
    """Columns by name, each made when it is first asked for."""

    def __init__(self, loads: Mapping[str, Callable[[], Column]]) -> None:
        self._loads = loads
        self._columns: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._loads[name]()
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._loads

    def __iter__(self) -> Iterator[str]:
        return iter(self._loads)

    def __len__(self) -> int:
        return len(self._loads)

    def __reduce__(self) -> tuple[type, tuple[dict[str, Column]]]:
        return dict, (dict(self),)
