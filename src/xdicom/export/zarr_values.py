"""Labels and values into one group of a Zarr store, in an order that can be interrupted anywhere and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.core.sync import sync

from xdicom.errors import SourceError
from xdicom.export.fingerprint import fingerprint_of
from xdicom.export.zarr_labels import write_labels
from xdicom.export.zarr_layout import Layout, Sizes, chunk_shape, compressors_of, shard_shape
from xdicom.export.zarr_marks import is_labelled, mark
from xdicom.index.progress import progress_bar
from xdicom.lazy.blocks import Place, Report, over_blocks, places_of
from xdicom.lazy.frames import recut_frames

Region = Mapping[str, slice]
"""Part of an array by dimension."""

_PROBES = 4
"""Shards of a store that is taken up again of which a chunk is compared."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export did."""

    blocks: int
    """Shards that were written; groups of as many chunks where there are no shards."""
    kept: int
    """Shards that an earlier run had written."""
    values: int
    """Bytes of the values that were written, before compression."""

    def __add__(self, other: Written) -> Written:
        return Written(self.blocks + other.blocks, self.kept + other.kept, self.values + other.values)


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


def write_array(
    group: zarr.Group,
    array: xr.DataArray,
    form: Form,
    *,
    resume: bool,
    progress: bool | Report,
    region: Region | None = None,
    fingerprint: str = "",
) -> Written:
    """Write a portable array and its labels into a group, and mark it as whole in the end.

    Labels first, then the values, one task for each shard. Where `resume` is set, labels and shards that are there stay.
    What the array is known by is its fingerprint, unless another is given.

    Raises
    ------
    SourceError
        If what is there to resume was made of something else.
    ValueError
        If lengths of chunks or shards do not fit the array, or `region` begins or ends within a shard.
    """
    dims, zarr_format = tuple(map(str, array.dims)), group.metadata.zarr_format
    chunk = chunk_shape(dims, array.shape, array.dtype, form.chunks, form.layout)
    if zarr_format == 2 and form.shards not in ("auto", None):
        raise ValueError("Zarr format 2 has no shards: leave shards= out, or write format 3")
    shard = shard_shape(dims, array.shape, array.dtype, chunk, form.shards, form.layout) if zarr_format == 3 else None
    name, fingerprint = str(array.name), fingerprint or fingerprint_of(array)
    if not (resume and is_labelled(group, name, fingerprint)):
        encoding = {"chunks": chunk, "shards": shard, "compressors": compressors_of(form.codecs, array.dtype, zarr_format)}
        mark(group, name, fingerprint=fingerprint, state="labels")
        encoding = {key: value for key, value in encoding.items() if key != "shards" or value is not None}
        write_labels(group, array, encoding, fingerprint=fingerprint, state="values")
    target = values_of(group, name)
    written = write_values(target, array, resume=resume, progress=progress, region=region)
    if region is None:
        mark(group, name, fingerprint=fingerprint, state="complete")
    return written


def values_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """The array `name` of a group, set to write every chunk.

    By itself Zarr leaves out chunks that hold nothing but zeros, and no one could tell them from those still to come.
    """
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found.with_config({"write_empty_chunks": True})


def write_values(
    target: zarr.Array[Any],
    array: xr.DataArray,
    *,
    resume: bool,
    progress: bool | Report,
    region: Region | None = None,
    offset: tuple[int, ...] | None = None,
) -> Written:
    """Write the values of `array` into `target` from `offset` on, one task for each shard.

    Parameters
    ----------
    resume
        Leave out shards that are in the store, other than those that began before `offset`.
    region
        Write these shards alone.
    """
    offset = offset or (0,) * array.ndim
    blocks = in_blocks(target, array, offset)
    places = dict(zip(np.ndindex(blocks.numblocks), places_of(blocks), strict=True))
    wanted = [number for number, place in places.items() if _is_within(place, array, region)]
    chosen = len(wanted)
    if resume:
        there = stored_keys(target.store, target.path)
        wanted = [number for number in wanted if not is_stored(target, _moved(places[number], offset), there, offset)]
        if len(wanted) < chosen and not isinstance(array.data, np.ndarray):
            missing = set(wanted)
            present = [place for number, place in places.items() if number not in missing and _is_within(place, array, region)]
            for i in np.unique(np.linspace(0, len(present) - 1, _PROBES).round().astype(int)).tolist():
                _compare_one(target, array, present[i], offset)
    with progress_of(progress, f"writing {array.name}", "shards") as report:
        sizes = over_blocks(partial(_write_block, target=target, offset=offset), blocks, wanted, report)
    return Written(len(wanted), chosen - len(wanted), sum(sizes))


def in_blocks(target: zarr.Array[Any], array: xr.DataArray, offset: tuple[int, ...] | None = None) -> Any:
    """Values of `array` as a dask array whose blocks are the shards of `target`, where it begins at `offset` in it."""
    cuts = cuts_of(target, array, offset)
    frames = None if isinstance(array.data, np.ndarray) else recut_frames(array.data, cuts)
    return array.variable.chunk(dict(zip(array.dims, cuts, strict=True)), name=uuid4().hex).data if frames is None else frames


def cuts_of(target: zarr.Array[Any], array: xr.DataArray, offset: tuple[int, ...] | None = None) -> tuple[tuple[int, ...], ...]:
    """Lengths of the blocks of `array` that are shards of `target`, where it begins at `offset` in it."""
    dims = tuple(map(str, array.dims))
    step = target.shards or shard_shape(dims, array.shape, array.dtype, target.chunks, "auto") or target.chunks
    cuts = []
    for size, length, start in zip(array.shape, step, offset or (0,) * array.ndim, strict=True):
        edges = [start, *range((start // length + 1) * length, start + size, length), start + size]
        cuts.append(tuple(np.diff(edges).tolist()))
    return tuple(cuts)


def _write_block(block: np.ndarray, place: Place, *, target: zarr.Array[Any], offset: tuple[int, ...]) -> int:
    target[_moved(place, offset)] = block
    return block.nbytes


def _moved(place: Place, offset: tuple[int, ...]) -> Place:
    return tuple(slice(part.start + start, part.stop + start) for part, start in zip(place, offset, strict=True))


def _is_within(place: Place, array: xr.DataArray, region: Region | None) -> bool:
    """Whether a block lies in `region`.

    Raises
    ------
    ValueError
        If it lies partly in it.
    """
    for dim, part in zip(array.dims, place, strict=True):
        wanted = (region or {}).get(str(dim))
        if wanted is None:
            continue
        start, stop, step = wanted.indices(array.sizes[dim])
        if step != 1:
            raise ValueError(f"region has steps of 1, not {step} along {dim}")
        if part.stop <= start or part.start >= stop:
            return False
        if part.start < start or part.stop > stop:
            raise ValueError(
                f"region begins or ends within a shard: {dim} {start} to {stop}, and there is one from {part.start} to {part.stop}. "
                "Two writers of one shard undo each other's work: choose ends of shards"
            )
    return True


def stored_keys(store: Store, path: str) -> frozenset[str]:
    """Keys below a path of a store, without the path."""

    async def keys() -> list[str]:
        return [key async for key in store.list_prefix(f"{path}/" if path else "")]

    return frozenset(key[len(path) + 1 if path else 0 :] for key in sync(keys()))


def remove_halves(root: zarr.Group) -> None:
    """Remove what a killed writer left half written: not where others may be at work."""
    keys = stored_keys(root.store, root.path)
    halves = [key for key in keys if key.endswith(".partial")]
    folders = {key.rpartition("/")[0] for key in keys.difference(halves)}
    start = f"{root.path}/" if root.path else ""
    for key in halves:
        folder = key.rpartition("/")[0]
        is_alone = folder and not any(other == folder or other.startswith(f"{folder}/") for other in folders)
        sync(root.store.delete_dir(start + folder) if is_alone else root.store.delete(start + key))


def is_stored(target: zarr.Array[Any], place: Place, there: frozenset[str], offset: Sequence[int] = ()) -> bool:
    """Whether every chunk (or shard) at `place` is in the store, as a writer that began at `offset` would have left it."""
    step = target.shards or target.chunks
    if any(part.start == start and part.start % size for part, start, size in zip(place, offset, step, strict=False)):
        return False
    counts = [range(part.start // size, -(-part.stop // size)) for part, size in zip(place, step, strict=True)]
    numbers = np.stack(np.meshgrid(*counts, indexing="ij"), -1).reshape(-1, len(counts)).tolist() if counts else [()]
    return all(target.metadata.encode_chunk_key(tuple(number)) in there for number in numbers)


def _compare_one(target: zarr.Array[Any], array: xr.DataArray, place: Place, offset: tuple[int, ...]) -> None:
    """Compare the first chunk of a place that is in the store with what it would be now.

    Raises
    ------
    SourceError
        If they differ.
    """
    first = tuple(slice(part.start, min(part.stop, part.start + size)) for part, size in zip(place, target.chunks, strict=True))
    there = np.asarray(target[_moved(first, offset)]).astype(array.dtype, copy=False)  # truth values lie as bytes
    if not equal_bits(there, np.asarray(array.variable[first].values)):
        raise SourceError(
            f"{target.store_path} has other values than the array at index {tuple(part.start for part in first)}: "
            "it was made of something else; mode='w' replaces it"
        )


def equal_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays have the same values; NaN equals NaN."""
    return bool(one.shape == other.shape and one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))


def progress_of(progress: bool | Report, title: str, unit: str) -> AbstractContextManager[Callable[[int, int], None] | None]:
    """Context that gives what is to be told of each step: a bar, the caller's function, or nothing."""
    return nullcontext(progress) if callable(progress) else progress_bar(title, unit) if progress else nullcontext(None)
