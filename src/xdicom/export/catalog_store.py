"""A catalog as a Zarr group, and back: headers once read need not be read again.

Zarr rather than Parquet, because it is a dependency already, lies on any storage that fsspec knows, and keeps each
column as compressed chunks: all of them are fetched at once, and decompressed when the column is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from xdicom.errors import NotDicomError, SourceError
from xdicom.export.catalog_packs import Pack, Packs, StoredColumns, Unpacker
from xdicom.index.catalog import Catalog, Problem
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable
from xdicom.sources.concurrency import at_once
from xdicom.sources.locate import locate
from xdicom.sources.options import options_for, prefix_of, set_storage_options, without_secrets
from xdicom.sources.ranges import whole
from xdicom.sources.source import Source

FORMAT = "xdicom-catalog"
VERSION = 2
_CHUNK = 1 << 22
"""Bytes of a chunk: a column of many values can be decompressed without the others [bytes]."""


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
    packs = Packs()
    packs.add_texts(table.urls)
    packs.add_texts(table.stamps)
    for array in (table.sizes, table.encoding, frames.instance, frames.frame_number, frames.offset, frames.length):
        packs.add(array)
    described = [{name: packs.add_column(column) for name, column in columns.items()} for columns in (table.columns, frames.columns)]
    joined = packs.joined()
    chunks = {name: max(1, min(len(data), _CHUNK // data.itemsize)) for name, data in joined.items()}
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
            "instance_columns": described[0],
            "frame_columns": described[1],
            "chunks": {name: -(-len(data) // chunks[name]) for name, data in joined.items()},
        }
    )
    for name, data in joined.items():
        stored = group.create_array(name, shape=data.shape, dtype=data.dtype, chunks=(chunks[name],), config={"write_empty_chunks": True})
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
        group = _fetch_group(text)
    except (FileNotFoundError, ValueError) as error:
        raise NotDicomError(f"no saved catalog at {text}") from error
    attrs: dict[str, Any] = dict(group.attrs)
    if attrs.get("format") != FORMAT or attrs.get("version") != VERSION:
        raise NotDicomError(f"{text} is no saved catalog of version {VERSION}: scan the location again and save it")
    packs = Unpacker({name: Pack(array) for name, array in group.arrays()})
    urls, stamps = packs.texts(), packs.texts()
    sizes, encoding, instance, frame_number, offset, length = (
        packs.next(dtype)() for dtype in ("int64", "int16", "int32", "int32", "int64", "int64")
    )
    instance_columns = StoredColumns({name: packs.column(entry) for name, entry in attrs["instance_columns"].items()})
    frame_columns = StoredColumns({name: packs.column(entry) for name, entry in attrs["frame_columns"].items()})
    encodings = tuple(PixelEncoding(**entry) for entry in attrs["encodings"])
    table = InstanceTable(urls, sizes, stamps, encodings, encoding, instance_columns)
    return Catalog(
        FrameTable(table, instance, frame_number, offset, length, frame_columns),
        tuple(Problem(**entry) for entry in attrs["problems"]),
        tuple(Problem(**entry) for entry in attrs["notes"]),
        int(attrs["source_count"]),
        int(attrs["read_by_pydicom"]),
    )


def _fetch_group(target: str) -> zarr.Group:
    """The group at `target`, its chunks fetched as they are: what is asked for later is that, whatever lies there by then.

    Of remote storage one request tells what there is, and then all others are made at the same time.
    """
    is_remote = _is_url(target)

    def read(key: str) -> bytes:
        return whole(_marker_of(target, key)) if is_remote else Path(target, key).read_bytes()

    marker = read("zarr.json")
    counts: Mapping[str, int] = json.loads(marker).get("attributes", {}).get("chunks", {})
    keys = [f"{name}/{part}" for name, count in counts.items() for part in ("zarr.json", *(f"c/{i}" for i in range(count)))]
    parts = at_once(read, keys) if is_remote else map(read, keys)
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
