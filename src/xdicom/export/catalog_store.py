"""A catalog as a Zarr group, and back: headers once read need not be read again.

Zarr rather than Parquet, because it is a dependency already, lies on any storage that fsspec knows, and keeps each
column as one compressed array that is read with one request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from xdicom.errors import NotDicomError, SourceError
from xdicom.headers.values import RawValue
from xdicom.index.catalog import Catalog, Problem
from xdicom.model.columns import Column
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable
from xdicom.sources.concurrency import at_once
from xdicom.sources.locate import locate
from xdicom.sources.options import options_for, prefix_of, set_storage_options, without_secrets
from xdicom.sources.ranges import whole
from xdicom.sources.source import Source

FORMAT = "xdicom-catalog"
VERSION = 1
_ONE_CHUNK = 1 << 28
"""Columns are not divided: a catalog is read as a whole."""

_AS_LINES = -1
"""In place of lengths: the texts are lines."""


def write_catalog(catalog: Catalog, target: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None) -> None:
    """Save a catalog to a Zarr group; one that is there is replaced.

    Parameters
    ----------
    catalog
        What a scan found. Names of persons are not in it; paths and UIDs are.
    target
        A path or a URL that fsspec knows.
    storage_options
        Options for storage that is not local.

    Raises
    ------
    SourceError
        If something else than a catalog is at the target.
    """
    text = os.fspath(target)
    options = _check_target(text, storage_options)
    table, frames = catalog.frames.instances, catalog.frames
    packs: dict[str, list[np.ndarray]] = {}
    _pack_texts(packs, list(table.urls))
    _pack_texts(packs, list(table.stamps))
    for array in (table.sizes, table.encoding, frames.instance, frames.frame_number, frames.offset, frames.length):
        _pack(packs, array)
    for columns in (table.columns, frames.columns):
        for column in columns.values():
            _pack(packs, column.codes)
            _pack_values(packs, column)
    joined = {dtype: np.concatenate(arrays) for dtype, arrays in packs.items()}
    group = zarr.open_group(text, mode="w", storage_options=options)
    group.attrs.update(
        {
            "format": FORMAT,
            "version": VERSION,
            "encodings": [asdict(encoding) for encoding in table.encodings],
            "problems": [asdict(problem) for problem in catalog.problems],
            "notes": [asdict(note) for note in catalog.notes],
            "source_count": catalog.source_count,
            "read_by_pydicom": catalog.read_by_pydicom,
            "instance_columns": {name: _column_attrs(column) for name, column in table.columns.items()},
            "frame_columns": {name: _column_attrs(column) for name, column in frames.columns.items()},
            "chunks": {dtype: -(-len(data) // _ONE_CHUNK) for dtype, data in joined.items()},
        }
    )
    for dtype, data in joined.items():
        chunks = (max(1, min(len(data), _ONE_CHUNK)),)
        stored = group.create_array(dtype, shape=data.shape, dtype=data.dtype, chunks=chunks, config={"write_empty_chunks": True})
        stored[:] = data


def _check_target(target: str, storage_options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Options to write to `target` with; refuse one where something else lies, which would be removed."""
    if not _is_url(target):
        there = Path(target)
        is_taken = there.exists() and (not there.is_dir() or any(there.iterdir())) and not is_catalog(target)
        options = None
    else:
        try:
            found = locate(target, storage_options)
        except SourceError:  # nothing is there, or nothing that may be seen
            found = []
        is_taken = bool(found) and (not lists_catalog(target, found) or FORMAT.encode() not in whole(_marker_of(target)))
        known = options_for(target)
        options = {name: known[name] for name in known if name != "query"} or None
    if is_taken:
        raise SourceError(f"{target} is there already and is no saved catalog: choose another target or remove it")
    return options


def read_catalog(target: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None) -> Catalog:
    """The catalog that `write_catalog` saved.

    Raises
    ------
    NotDicomError
        If there is no saved catalog at the target, or one of another version.
    SourceError
        If remote storage holds nothing there, or fails.
    """
    text = os.fspath(target)
    if _is_url(text) and storage_options:
        set_storage_options(prefix_of(text), storage_options)
    try:
        group = _fetch_group(text) if _is_url(text) else zarr.open_group(text, mode="r")
    except (FileNotFoundError, ValueError) as error:
        raise NotDicomError(f"no saved catalog at {text}") from error
    attrs: dict[str, Any] = dict(group.attrs)
    if attrs.get("format") != FORMAT or attrs.get("version") != VERSION:
        raise NotDicomError(f"{text} is no saved catalog of version {VERSION}: scan the location again and save it")
    packs = _Unpacker({name: np.asarray(array[:]) for name, array in group.arrays()})
    urls, stamps = packs.texts(), packs.texts()
    sizes, encoding, instance, frame_number, offset, length = (
        packs.next(dtype) for dtype in ("int64", "int16", "int32", "int32", "int64", "int64")
    )
    instance_columns = {name: packs.column(entry) for name, entry in attrs["instance_columns"].items()}
    frame_columns = {name: packs.column(entry) for name, entry in attrs["frame_columns"].items()}
    encodings = tuple(PixelEncoding(**entry) for entry in attrs["encodings"])
    table = InstanceTable(tuple(urls), sizes, tuple(stamps), encodings, encoding, instance_columns)
    return Catalog(
        FrameTable(table, instance, frame_number, offset, length, frame_columns),
        tuple(Problem(**entry) for entry in attrs["problems"]),
        tuple(Problem(**entry) for entry in attrs["notes"]),
        int(attrs["source_count"]),
        int(attrs["read_by_pydicom"]),
    )


def _fetch_group(url: str) -> zarr.Group:
    """The group at `url`, fetched whole: one request, and then all others at the same time."""
    marker = whole(_marker_of(url))
    counts: Mapping[str, int] = json.loads(marker).get("attributes", {}).get("chunks", {})
    keys = [f"{name}/{part}" for name, count in counts.items() for part in ("zarr.json", *(f"c/{i}" for i in range(count)))]
    parts = at_once(whole, [_marker_of(url, key) for key in keys])
    make = default_buffer_prototype().buffer.from_bytes
    store = MemoryStore({"zarr.json": make(marker), **{key: make(part) for key, part in zip(keys, parts, strict=True)}})
    return zarr.open_group(store, mode="r")


def is_catalog(location: object) -> bool:
    """Whether a local folder is a saved catalog, or a web address is named like one (`….catalog`), which can't be listed."""
    if not isinstance(location, str | os.PathLike):
        return False
    text = os.fspath(location)
    if _is_url(text):
        return text.startswith(("http://", "https://")) and text.partition("?")[0].rstrip("/").endswith(".catalog")
    marker = Path(text) / "zarr.json"
    return marker.is_file() and FORMAT in marker.read_text(encoding="utf-8")


def lists_catalog(location: object, sources: Sequence[Source]) -> bool:
    """Whether `sources`, which are all that lies at a remote location, are those of a Zarr group."""
    if not isinstance(location, str) or not _is_url(location):
        return False
    marker = _marker_of(location)
    return any(source.url == marker for source in sources)


def _is_url(location: str) -> bool:
    return "://" in location


def _marker_of(url: str, key: str = "zarr.json") -> str:
    """Url of what has the name `key` within the group at `url`."""
    return f"{without_secrets(url)[0].rstrip('/')}/{key}"


def _column_attrs(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": column.kind, "codes": column.codes.dtype.name}
    if column.kind == "number":
        entry |= {"values": column.values.dtype.name, "width": int(column.values.shape[1])}
    if column.kind == "raw":
        entry["forms"] = [[value.vr, value.is_implicit, value.is_big_endian] for value in column.values]
    return entry


def _pack(packs: dict[str, list[np.ndarray]], array: np.ndarray) -> None:
    """Put an array behind the others of its type, its length before it in `lengths`."""
    packs.setdefault("lengths", []).append(np.array([array.size], np.int64))
    packs.setdefault(array.dtype.name, []).append(array.reshape(-1))


def _pack_bytes(packs: dict[str, list[np.ndarray]], parts: list[bytes]) -> None:
    _pack(packs, np.array([len(part) for part in parts], np.int64))
    _pack(packs, np.frombuffer(b"".join(parts), np.uint8))


def _pack_texts(packs: dict[str, list[np.ndarray]], texts: list[str]) -> None:
    """Put texts behind the others: as lines, which are the fastest to tell apart, where none has several."""
    lines = "\n".join(texts)
    if texts and lines.count("\n") == len(texts) - 1:
        _pack(packs, np.array([_AS_LINES], np.int64))
        _pack(packs, np.frombuffer(lines.encode("utf-8", "surrogatepass"), np.uint8))
    else:
        _pack_bytes(packs, [text.encode("utf-8", "surrogatepass") for text in texts])


def _pack_values(packs: dict[str, list[np.ndarray]], column: Column) -> None:
    if column.kind == "number":
        _pack(packs, column.values)
    elif column.kind == "text":
        _pack_texts(packs, [str(value) for value in column.values])
    else:
        _pack_bytes(packs, [value.data for value in column.values])


class _Unpacker:
    """Takes arrays from packs in the order in which they were put there."""

    def __init__(self, packs: dict[str, np.ndarray]) -> None:
        self.packs = packs
        self.lengths = iter(packs["lengths"].tolist())
        self.places = dict.fromkeys(packs, 0)

    def next(self, dtype: str) -> np.ndarray:
        """The next array of a type."""
        count = next(self.lengths)
        place = self.places.get(dtype, 0)
        self.places[dtype] = place + count
        return self.packs[dtype][place : place + count] if count else np.empty(0, dtype)

    def parts(self) -> list[bytes]:
        """The next list of byte strings."""
        return self._cut(self.next("int64"))

    def _cut(self, lengths: np.ndarray) -> list[bytes]:
        data, ends = self.next("uint8").tobytes(), np.cumsum(lengths).tolist()
        return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def texts(self) -> list[str]:
        """The next list of texts."""
        lengths = self.next("int64")
        if len(lengths) == 1 and lengths[0] == _AS_LINES:
            return self.next("uint8").tobytes().decode("utf-8", "surrogatepass").split("\n")
        return [part.decode("utf-8", "surrogatepass") for part in self._cut(lengths)]

    def column(self, entry: Mapping[str, Any]) -> Column:
        """The next column, described by `entry`."""
        codes = self.next(entry["codes"])
        if entry["kind"] == "number":
            return Column("number", self.next(entry["values"]).reshape(-1, entry["width"]), codes)
        parts: list[str] | list[RawValue]
        if entry["kind"] == "text":
            parts = self.texts()
        else:
            parts = [RawValue(vr, part, implicit, big) for part, (vr, implicit, big) in zip(self.parts(), entry["forms"], strict=True)]
        values = np.empty(len(parts), object)
        values[:] = parts
        return Column(entry["kind"], values, codes)
