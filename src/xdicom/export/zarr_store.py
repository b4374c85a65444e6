"""Labelled arrays to Zarr stores from which plain xarray gives them back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Literal, TypedDict

import xarray as xr
import zarr

from xdicom.export.dicom_profile import deidentify_attrs, node_paths
from xdicom.export.pseudonyms import Pseudonyms
from xdicom.export.zarr_growth import append_array
from xdicom.export.zarr_labels import plain_attrs, portable
from xdicom.export.zarr_layout import Layout, Sizes
from xdicom.export.zarr_marks import consolidate
from xdicom.export.zarr_original import write_original_array
from xdicom.export.zarr_pipelines import own_pipeline
from xdicom.export.zarr_places import Mode, StoreLike, open_existing, open_target
from xdicom.export.zarr_told import pseudonyms_for, told_of
from xdicom.export.zarr_values import Form, Region, Written, remove_halves, write_array
from xdicom.lazy.blocks import Report


class ZarrTreeOptions(TypedDict, total=False):
    """Options of `write_zarr_tree`."""

    chunks: Mapping[str, int] | None
    shards: Sizes
    codecs: Any
    layout: Layout
    mode: Mode
    resume: bool
    progress: bool | Report
    storage_options: Mapping[str, Any] | None
    zarr_format: Literal[2, 3]
    deidentify: bool
    uid_secret: str | bytes | None


class ZarrOptions(ZarrTreeOptions, total=False):
    """Options of `write_zarr`."""

    region: Region | None
    append_dim: str | None


@own_pipeline()
def write_zarr(
    array: xr.DataArray,
    store: StoreLike,
    *,
    chunks: Mapping[str, int] | None = None,
    shards: Sizes = "auto",
    codecs: Any = "auto",
    layout: Layout = "frames",
    mode: Mode = "w-",
    region: Region | None = None,
    append_dim: str | None = None,
    resume: bool = False,
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: Literal[2, 3] = 3,
    deidentify: bool = False,
    uid_secret: str | bytes | None = None,
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
        `zarr.create_array` takes them. `"original"` moves frames as they lie in the files, without decoding them: smaller
        than any of these where they are compressed, and read with this package installed (codec `xdicom.frame`).
    layout
        `"frames"`: one frame a chunk. `"volume"`: chunks of 32 x 128 x 128, for cuts across the frames.
    mode
        `"w-"` makes a new store and refuses where something is, `"w"` replaces a store.
    region
        Part of the array that is written now, by dimension, from end to end of shards: several processes may write one
        store, each its region, when one of them has made it. A last run with `resume` and without `region` writes what is
        missing and marks the store as whole.
    append_dim
        Dimension along which the array is added to the one in the store, which must be of the same type and labels.
        Readers see the store as it was until all is written.
    resume
        Complete what an interrupted run left: shards that are there stay as they are. Makes the store where there is none.
    progress
        Whether a progress bar is shown, or a function that is called with the shards done and their number.
    storage_options
        Options for storage that is not local, as everywhere in the fsspec world.
    zarr_format
        Version of the Zarr format; version 2 has no shards.
    deidentify
        Apply the Basic Application Level Confidentiality Profile (PS3.15 E) to the labels: dates, free texts and what else its
        table names are left out, UIDs are new ones. Pixels stay as they are; a warning says where they may hold more. What
        is left out is missing afterwards: write `.dicom.to_suv()` of a PET series rather than its stored values.
    uid_secret
        Secret of at least 16 letters that maps UIDs: exports with the same one have the same new UIDs for the same old ones.
        Without one they hold within the export alone, which can't be resumed or grow.

    Returns
    -------
    Written
        Shards written, shards that were there already, and bytes of values.

    Raises
    ------
    SourceError
        If there is a store already (or something else), what is there to resume is of other values, or storage fails.
    InconsistentSeriesError
        If the array can't be added to the one in the store.
    ValueError
        If lengths of chunks or shards do not fit the array, or `region` begins or ends within a shard.
    TypeError
        If an attribute can't be written as JSON.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xdicom, zarr
    >>> slices = xr.DataArray(np.eye(4, dtype=np.int16)[None], dims=("z", "y", "x"), coords={"z": [2.5]}, name="stored_values")
    >>> store = zarr.storage.MemoryStore()
    >>> slices.dicom.to_zarr(store, progress=False)
    Written(blocks=1, kept=0, values=32)
    >>> xr.open_zarr(store)["stored_values"].identical(slices)
    True
    """
    pseudonyms = _pseudonyms(deidentify, uid_secret, codecs, needs_lasting=resume or region is not None or append_dim is not None)
    if append_dim is not None:
        root = open_existing(store, storage_options)
        if resume:
            remove_halves(root)
        part, fingerprint = told_of(array, pseudonyms)
        written = append_array(root, part, append_dim, resume=resume, progress=progress, fingerprint=fingerprint)
    else:
        root = open_target(store, mode, resume or region is not None, storage_options, zarr_format)
        if resume and region is None:
            remove_halves(root)
        form = Form(chunks, shards, codecs, layout)
        written = _write(root, array, form, pseudonyms, resume=resume or region is not None, progress=progress, region=region)
    if region is None:
        consolidate(root)
    return written


@own_pipeline()
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
    deidentify: bool = False,
    uid_secret: str | bytes | None = None,
) -> Written:
    """Write every array of a tree to one Zarr store, a group for each node; `xarray.open_datatree(store)` gives it back.

    What nodes tell of files that were not read or are odd (`problems`, `notes`) stays behind: it names files. With
    `deidentify`, groups are named by modality and number (`ct_1`), since names of nodes are made of descriptions.

    Parameters
    ----------
    tree
        A tree of labelled arrays.
    store
        A path, a URL that fsspec knows, or a Zarr store.
    chunks, shards
        As for a single array, which takes the dimensions that it has.
    codecs, layout, mode, resume, progress, storage_options, zarr_format, deidentify, uid_secret
        As for a single array.

    Returns
    -------
    Written
        Shards and bytes of values of all arrays.

    Raises
    ------
    SourceError, ValueError, TypeError
        As `write_zarr`.
    """
    pseudonyms = _pseudonyms(deidentify, uid_secret, codecs, needs_lasting=resume)
    paths = node_paths(tree, pseudonyms)
    root = open_target(store, mode, resume, storage_options, zarr_format)
    if resume:
        remove_halves(root)
    written = Written(0, 0, 0)
    for node in tree.subtree:
        dataset, path = node.to_dataset(inherit=False), paths[node.relative_to(tree)]
        group = root if path == "." else root.require_group(path)
        kept = {name: value for name, value in dataset.attrs.items() if name not in _NAMES_FILES}
        group.attrs.update(plain_attrs(kept if pseudonyms is None else deidentify_attrs(kept, pseudonyms), f"the node {path}"))
        for array in dataset.data_vars.values():
            form = Form(_known(chunks, array.dims), _known(shards, array.dims), codecs, layout)
            written += _write(group, array, form, pseudonyms, resume=resume, progress=progress)
    consolidate(root)
    return written


def _pseudonyms(deidentify: bool, secret: str | bytes | None, codecs: Any, *, needs_lasting: bool) -> Pseudonyms | None:
    """Pseudonyms for an export that is to be de-identified.

    Raises
    ------
    ValueError
        If it can't be, because frames are to be moved as they are.
    """
    if not deidentify:
        return None
    if isinstance(codecs, str) and codecs == "original":
        raise ValueError("codecs='original' moves frames as they are, with comments in code streams and overlays in unused bits: "
                         "leave it out to de-identify")  # fmt: skip
    return pseudonyms_for(secret, needs_lasting=needs_lasting)


def _write(
    group: zarr.Group,
    array: xr.DataArray,
    form: Form,
    pseudonyms: Pseudonyms | None,
    *,
    resume: bool,
    progress: bool | Report,
    region: Region | None = None,
) -> Written:
    if isinstance(form.codecs, str) and form.codecs == "original":
        if region is not None or group.metadata.zarr_format == 2:
            raise ValueError("codecs='original' writes whole arrays of Zarr format 3: leave region= and zarr_format= out")
        return write_original_array(group, portable(array), form, resume=resume, progress=progress)
    told, fingerprint = told_of(array, pseudonyms)
    return write_array(group, told, form, resume=resume, progress=progress, region=region, fingerprint=fingerprint)


_NAMES_FILES = ("problems", "notes")


def _known(sizes: Any, dims: tuple[Hashable, ...]) -> Any:
    """The part of `sizes` that names dimensions of an array."""
    return {name: size for name, size in sizes.items() if name in dims} if isinstance(sizes, Mapping) else sizes
