"""Labelled arrays to Zarr stores from which plain xarray gives them back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypedDict
from uuid import uuid4

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.core.sync import sync

from xdicom.errors import SourceError
from xdicom.export.fingerprint import fingerprint_of
from xdicom.export.zarr_labels import plain_attrs, portable
from xdicom.export.zarr_layout import Layout, Sizes, chunk_shape, compressors_of, shard_shape
from xdicom.index.progress import progress_bar
from xdicom.lazy.blocks import Place, over_blocks, places_of

StoreLike = str | os.PathLike[str] | Store
"""A path, a URL that fsspec knows, or a Zarr store."""
Mode = Literal["w-", "w"]
"""`w-` makes a store where none is, `w` replaces one."""
Report = Callable[[int, int], None]
"""Told how many shards are done, and of how many."""

class ZarrOptions(TypedDict, total=False):
    """Options of `write_zarr` and `write_zarr_tree`, which has them in full."""

    chunks: Mapping[str, int] | None
    shards: Sizes
    codecs: Any
    layout: Layout
    mode: Mode
    resume: bool
    progress: bool | Report
    storage_options: Mapping[str, Any] | None
    zarr_format: Literal[2, 3]


MARK = "xdicom_export"
"""Attribute of the group that says of what the store is a copy, and whether it is whole."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export did."""

    blocks: int
    """Shards (or groups of chunks, where there are no shards) that were written."""
    kept: int
    """Shards that an earlier run had written."""
    values: int
    """Bytes of the values that were written, before compression."""

    def __add__(self, other: Written) -> Written:
        return Written(self.blocks + other.blocks, self.kept + other.kept, self.values + other.values)


def write_zarr(
    array: xr.DataArray,
    store: StoreLike,
    *,
    chunks: Mapping[str, int] | None = None,
    shards: Sizes = "auto",
    codecs: Any = "auto",
    layout: Layout = "frames",
    mode: Mode = "w-",
    resume: bool = False,
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: Literal[2, 3] = 3,
) -> Written:
    """Write a labelled array to a Zarr store: values, coordinates, units, LUT parameters and tables, attributes.

    `xarray.open_zarr(store)[array.name]` gives the array back, and the methods of `.dicom` work on it. One task writes one
    shard, so that memory holds the shards in work, whatever the size of the array. The store is marked as whole when
    all of it is written.

    Parameters
    ----------
    array
        A labelled array, its values in dask or in memory.
    store
        A path, a URL that fsspec knows, or a Zarr store.
    chunks
        Lengths of a chunk by dimension, -1 for all of it; what is not named comes from `layout`.
    shards
        Lengths of a shard by dimension; `"auto"` for 64 frames (fewer where they are above 256 MiB); None for none.
    codecs
        `"auto"` for Blosc with Zstandard level 1 behind a byte shuffle, None for no compression, or compressors as
        `zarr.create_array` takes them.
    layout
        `"frames"`: one frame a chunk. `"volume"`: chunks of 32 x 128 x 128, for cuts across the frames.
    mode
        `"w-"` makes a new store and refuses where something is, `"w"` replaces a store.
    resume
        Complete a store that an interrupted run left: shards that are there stay as they are. Makes it where none is.
    progress
        Whether a progress bar is shown, or a function that is called with the shards done and their number.
    storage_options
        Options for storage that is not local, as everywhere in the fsspec world.
    zarr_format
        Version of the Zarr format; version 2 has no shards.

    Returns
    -------
    Written
        Shards written, shards that were there already, and bytes of values.

    Raises
    ------
    SourceError
        If there is a store already (or something else), what is there to resume is of other values, or storage fails.
    ValueError
        If lengths of chunks or shards do not fit the array.
    TypeError
        If an attribute can't be written as JSON.

    Examples
    --------
    >>> import numpy as np, xarray as xr, zarr
    >>> slices = xr.DataArray(np.eye(4, dtype=np.int16)[None], dims=("z", "y", "x"), coords={"z": [2.5]}, name="stored_values")
    >>> store = zarr.storage.MemoryStore()
    >>> write_zarr(slices, store, progress=False)
    Written(blocks=1, kept=0, values=32)
    >>> xr.open_zarr(store)["stored_values"].identical(slices)
    True
    """
    if mode not in ("w-", "w"):
        raise ValueError(f"mode is 'w-' or 'w', not {mode!r}")
    root = open_target(store, mode, resume, storage_options, zarr_format)
    written = write_array(root, portable(array), Form(chunks, shards, codecs, layout), resume=resume, progress=progress)
    consolidate(root)
    return written


def write_zarr_tree(
    tree: xr.DataTree,
    store: StoreLike,
    *,
    chunks: Mapping[str, int] | None = None,
    shards: Sizes = "auto",
    codecs: Any = "auto",
    layout: Layout = "frames",
    mode: Mode = "w-",
    resume: bool = False,
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: Literal[2, 3] = 3,
) -> Written:
    """Write every array of a tree to one Zarr store, a group for each node; `xarray.open_datatree(store)` gives it back.

    Parameters are those of `write_zarr`; of `chunks` and `shards` each array takes the dimensions that it has. What the
    root tells of files that were not read (`problems`, `notes`) stays behind: it names files.

    Raises
    ------
    SourceError, ValueError, TypeError
        As `write_zarr`.
    """
    root = open_target(store, mode, resume, storage_options, zarr_format)
    written = Written(0, 0, 0)
    for node in tree.subtree:
        dataset, path = node.to_dataset(inherit=False), node.relative_to(tree)
        group = root if path == "." else root.require_group(path)
        group.attrs.update(plain_attrs({k: v for k, v in dataset.attrs.items() if k not in _FILES or path != "."}, "the node " + path))
        for array in dataset.data_vars.values():
            form = Form(_known(chunks, array.dims), _known(shards, array.dims), codecs, layout)
            written += write_array(group, portable(array), form, resume=resume, progress=progress)
    consolidate(root)
    return written


_FILES = ("problems", "notes")


def _known(sizes: Any, dims: tuple[Hashable, ...]) -> Any:
    """The part of `sizes` that names dimensions of an array."""
    return {name: size for name, size in sizes.items() if name in dims} if isinstance(sizes, Mapping) else sizes


@dataclass(frozen=True, slots=True)
class Form:
    """How arrays are cut and coded, as a person said it."""

    chunks: Mapping[str, int] | None = None
    """Lengths of a chunk."""
    shards: Sizes = "auto"
    """Lengths of a shard."""
    codecs: Any = "auto"
    """Compressors."""
    layout: Layout = "frames"
    """What fills in the rest."""


def open_target(
    store: StoreLike, mode: Mode, resume: bool, storage_options: Mapping[str, Any] | None, zarr_format: Literal[2, 3]
) -> zarr.Group:
    """Root group of a new store, or of the one to resume.

    Raises
    ------
    SourceError
        If something is there that `mode` does not allow to replace.
    """
    options: Any = {"storage_options": None if storage_options is None else dict(storage_options)}
    place: Any = os.fspath(store) if isinstance(store, os.PathLike) else store
    existing = None
    if resume or mode == "w":
        try:
            existing = zarr.open_group(place, mode="r+", use_consolidated=False, **options)
        except (FileNotFoundError, KeyError, ValueError):
            existing = None
    if existing is not None and resume:
        return existing
    try:
        how: Any = "w" if existing is not None else "a" if resume else "w-"
        return zarr.open_group(place, mode=how, zarr_format=zarr_format, **options)
    except (FileExistsError, ValueError) as error:
        shown = place if isinstance(place, str) else type(place).__name__
        raise SourceError(
            f"there is something at {shown} already: mode='w' replaces a Zarr store, resume=True completes one that was interrupted"
        ) from error


def write_array(group: zarr.Group, array: xr.DataArray, form: Form, *, resume: bool, progress: bool | Report) -> Written:
    """Write a portable array and its labels into a group, and mark the group as whole."""
    chunk = chunk_shape(array.dims, array.shape, array.dtype, form.chunks, form.layout)  # type: ignore[arg-type]
    shard = None
    if group.metadata.zarr_format == 3:
        shard = shard_shape(array.dims, array.shape, array.dtype, chunk, form.shards, form.layout)  # type: ignore[arg-type]
    elif form.shards not in ("auto", None):
        raise ValueError("Zarr format 2 has no shards: leave shards= out, or write format 3")
    block = shard or shard_shape(array.dims, array.shape, array.dtype, chunk, "auto", form.layout) or chunk  # type: ignore[arg-type]
    fingerprint = fingerprint_of(array)
    name = str(array.name)
    if not (resume and _is_labelled(group, name, fingerprint)):
        encoding: dict[str, Any] = {"chunks": chunk, "compressors": compressors_of(form.codecs, array.dtype, group.metadata.zarr_format)}
        if shard is not None:
            encoding["shards"] = shard
        _mark(group, name, fingerprint, "labels")
        write_labels(group, array, encoding)
        _mark(group, name, fingerprint, "values")
    written = write_values(values_of(group, name), array, block, resume=resume, progress=progress)
    _mark(group, name, fingerprint, "complete")
    return written


def write_labels(group: zarr.Group, array: xr.DataArray, encoding: Mapping[str, Any]) -> None:
    """Write all of a portable array but its values, of which the store has the form afterwards."""
    nothing = xr.Variable(array.dims, np.broadcast_to(np.zeros((), array.dtype), array.shape))
    template = array.copy(data=nothing.chunk(name=uuid4().hex).data).to_dataset(promote_attrs=False)
    template.attrs = dict(group.attrs)
    with _quiet():
        template.to_zarr(
            group.store, group=group.path, mode="a", compute=False, consolidated=False, safe_chunks=False,
            zarr_format=group.metadata.zarr_format, encoding={array.name: dict(encoding)},
        )  # fmt: skip


def values_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """The array `name` of a group, set to write every chunk, also those that hold nothing but zeros: one that is not there
    was not written yet."""
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found.with_config({"write_empty_chunks": True})


def write_values(
    target: zarr.Array[Any], array: xr.DataArray, block: tuple[int, ...], *, resume: bool, progress: bool | Report, offset: tuple[int, ...] = ()
) -> Written:
    """Write the values of `array` into `target`, one task for each block of shape `block`."""
    blocks = array.variable.chunk(dict(zip(array.dims, block, strict=True)), name=uuid4().hex).data
    places = dict(zip(np.ndindex(blocks.numblocks), places_of(blocks), strict=True))
    wanted = list(places)
    if resume:
        there = _stored_keys(target)
        wanted = [number for number, place in places.items() if not _is_stored(target, place, there)]
    write = partial(_write_block, target=target, offset=offset or (0,) * array.ndim)
    with progress_of(progress, f"writing {array.name}", len(wanted)) as report:
        sizes = over_blocks(write, blocks, wanted, report)
    return Written(len(wanted), len(places) - len(wanted), sum(sizes))


def _write_block(block: np.ndarray, place: Place, *, target: zarr.Array[Any], offset: tuple[int, ...]) -> int:
    target[tuple(slice(part.start + start, part.stop + start) for part, start in zip(place, offset, strict=True))] = block
    return block.nbytes


def _stored_keys(target: zarr.Array[Any]) -> frozenset[str]:
    """Keys of all chunks (or shards) of an array that are in the store; what a killed writer left half is removed."""

    async def keys() -> list[str]:
        return [key async for key in target.store.list_prefix(f"{target.path}/" if target.path else "")]

    found = sync(keys())
    for key in found:
        if key.endswith(".partial"):
            sync(target.store.delete(key))
    start = len(target.path) + 1 if target.path else 0
    return frozenset(key[start:] for key in found)


def _is_stored(target: zarr.Array[Any], place: Place, there: frozenset[str]) -> bool:
    """Whether every chunk (or shard) at `place` is in the store."""
    step = target.shards or target.chunks
    counts = [range(part.start // size, -(-part.stop // size)) for part, size in zip(place, step, strict=True)]
    numbers = np.stack(np.meshgrid(*counts, indexing="ij"), -1).reshape(-1, len(counts)).tolist() if counts else [()]
    return all(target.metadata.encode_chunk_key(tuple(number)) in there for number in numbers)


def _is_labelled(group: zarr.Group, name: str, fingerprint: str) -> bool:
    """Whether an interrupted run had come as far as the values of the array `name`.

    Raises
    ------
    SourceError
        If what is there was made of something else.
    """
    marks: Any = group.attrs.get(MARK)
    mark = marks.get(name) if isinstance(marks, dict) else None
    if mark is None:
        if name in group:
            raise SourceError(f"{_shown(group)} has {name!r} from another writer: what is missing can't be told; mode='w' replaces the store")
        return False
    if mark["fingerprint"] != fingerprint:
        raise SourceError(
            f"{_shown(group)} has {name!r} of another array, or its source has changed since it was begun: mode='w' replaces the store"
        )
    return bool(mark["state"] != "labels")


def _mark(group: zarr.Group, name: str, fingerprint: str, state: str) -> None:
    """Note in the group what the array `name` is made of, and how far it is written."""
    marks: Any = group.attrs.get(MARK, {})
    mark = {"fingerprint": fingerprint, "state": state}
    if marks.get(name) != mark:
        with _quiet():
            group.attrs.update({MARK: {**marks, name: mark}})


def _shown(group: zarr.Group) -> str:
    return f"the store {group.store_path}"


def consolidate(root: zarr.Group) -> None:
    """Gather the metadata of the whole store in its root, as `xarray.open_zarr` looks for it: one request opens it all."""
    with _quiet():
        zarr.consolidate_metadata(root.store, path=root.path, zarr_format=root.metadata.zarr_format)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what is known and meant: that consolidated metadata is no part of format 3, that an archive keeps old entries."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
        warnings.filterwarnings("ignore", "Duplicate name")
        yield


def progress_of(progress: bool | Report, title: str, total: int) -> Any:
    """Context that gives what is to be told of each step: a bar, the caller's function, or nothing."""
    return nullcontext(progress) if callable(progress) else progress_bar(title, total) if progress else nullcontext(None)
