"""Slides to OME-Zarr 0.5: the pyramid with the levels that are there, tiles as they lie where that can be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
import xarray as xr
import zarr

from xdicom.errors import InconsistentSeriesError, SourceError, UnsupportedEncodingError
from xdicom.export.ome_metadata import VERSION, AxisScale, axis_scales, multiscales, omero, to_ome_dims
from xdicom.export.references import References, fingerprint_of_references
from xdicom.export.slide_references import tile_references
from xdicom.export.zarr_labels import portable, write_labels
from xdicom.export.zarr_layout import MAX_SHARD_BYTES, Sizes, shard_shape
from xdicom.export.zarr_marks import consolidate, is_labelled, mark
from xdicom.export.zarr_original import write_original
from xdicom.export.zarr_places import Mode, StoreLike, open_target
from xdicom.export.zarr_values import Form, Written, remove_halves, values_of, write_array
from xdicom.labeled.color import SAMPLE, to_rgb
from xdicom.labeled.parameters import STORED
from xdicom.labeled.slides import grid_of
from xdicom.lazy.blocks import Report

TILES_ALONG_SHARD = 32
"""A shard is a square of at most so many tiles along each side: a slide of 200,000 tiles is 200 files."""
_SAMPLED = 512
"""The window of grayscale is measured on a square of so many pixels in the middle of the coarsest level."""


class SlideOmeZarrOptions(TypedDict, total=False):
    """Options of `write_slide_ome_zarr`."""

    shards: Sizes
    codecs: Any
    mode: Mode
    resume: bool
    progress: bool | Report
    storage_options: Mapping[str, Any] | None


def write_slide_ome_zarr(
    tree: xr.DataTree,
    store: StoreLike,
    *,
    shards: Sizes = "auto",
    codecs: Any = "original",
    mode: Mode = "w-",
    resume: bool = False,
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
) -> Written:
    """Write the pyramid of a slide as one OME-Zarr 0.5 image: the levels that are there, none computed.

    Every level is a group `scale0`, `scale1`, … with its values and their labels. Colors are red, green and blue. Scale and
    translation of each level are its own, so that levels need not be halves of each other. Labels and overviews stay behind:
    they often show a name.

    Parameters
    ----------
    tree
        A slide as `open_slide` gives it, or the node of a slide in a study.
    store
        A path, a URL that fsspec knows, or a Zarr store.
    shards
        Pixels of a shard by dimension, whole tiles; `"auto"` for squares of up to 32 x 32 tiles and 256 MiB; None for none.
    codecs
        `"original"` moves tiles as they lie in the files, without decoding them; where they are compressed, the store is read
        with this package installed (codecs `xdicom.frame` and `xdicom.rgb_frame`). `"auto"` and compressors as `zarr.create_array`
        takes them write values that any program reads.
    mode, resume, progress, storage_options
        As for `.dicom.to_zarr`.

    Returns
    -------
    Written
        Shards of all levels; bytes of values, or of tiles as they lie.

    Raises
    ------
    SourceError
        If the tree has no pyramid, there is a store already, what is there to resume is of other tiles, or storage fails.
    UnsupportedEncodingError
        If tiles can't be moved as they lie; the message says why, and `codecs="auto"` writes them anew.
    InconsistentSeriesError
        If levels differ in more than size, or focal planes are unevenly spaced.
    ValueError
        If there are more dimensions than OME-Zarr has.
    """
    levels = _levels_of(tree)
    images = [portable(to_ome_dims(level)) for level in levels]
    pairs = list(zip(levels, images, strict=True))
    scales = [_scales(image, level, levels[0]) for level, image in pairs]
    is_original = isinstance(codecs, str) and codecs == "original"
    moved = [_references(level, image) if is_original else None for level, image in pairs]
    root = open_target(store, mode, resume, storage_options, zarr_format=3)
    if resume:
        remove_halves(root)
    written, paths = Written(0, 0, 0), []
    for number, ((level, image), references) in enumerate(zip(pairs, moved, strict=True)):
        group = root.require_group(f"scale{number}")
        tile = {"y": int(level.attrs["tile_rows"]), "x": int(level.attrs["tile_columns"])}
        if references is not None:
            written += _move(group, image, references, _shards(image, tile) if shards == "auto" else shards, resume, progress)
        else:
            chunks = {dim: min(length, image.sizes[dim]) for dim, length in tile.items()}
            whole_samples = {"c": -1} if SAMPLE in level.dims else {}
            fitted: Sizes = _shards(image, chunks) if shards == "auto" else shards
            if isinstance(fitted, Mapping):  # of a level that is smaller than a tile
                fitted = {dim: -1 if chunks.get(dim, 0) < tile.get(dim, 0) else length for dim, length in fitted.items()}
            form = Form({**chunks, **whole_samples}, fitted, codecs)
            written += write_array(group, image, form, resume=resume, progress=progress)
        paths.append(f"scale{number}/{image.name}")
    (entry,) = multiscales(str(levels[0].name), paths, scales, "")
    entry.pop("type", None)
    root.attrs.update(
        {"ome": {"version": VERSION, "multiscales": [entry], "omero": omero(images[-1], _sample(levels[-1]))}} | _place(levels[0])
    )
    consolidate(root)
    return written


def _levels_of(tree: xr.DataTree) -> list[xr.DataArray]:
    """Levels of the pyramid of a node from the finest to the coarsest, colors as red, green and blue."""
    levels: list[xr.DataArray] = []
    while f"level_{len(levels)}" in tree.children:
        level = tree.children[f"level_{len(levels)}"].to_dataset()[STORED]
        levels.append(to_rgb(level) if SAMPLE in level.dims else level)
    if not levels:
        homes = [node.path for node in tree.subtree if "level_0" in node.children]
        hint = f"; there is one at {', '.join(homes)}" if homes else ""
        raise SourceError(f"this node of the tree has no pyramid of a slide (no child level_0){hint}")
    if len({(level.dims, str(level.dtype), str(level.name)) for level in levels}) > 1:
        described = "; ".join(f"level {i}: {', '.join(map(str, level.dims))}, {level.dtype}" for i, level in enumerate(levels))
        raise InconsistentSeriesError(f"levels differ in more than their size, and OME-Zarr has one form for all: {described}")
    return levels


def _shards(image: xr.DataArray, tile: Mapping[str, int]) -> dict[str, int]:
    """Squares of tiles, as many as a task may hold."""
    samples = image.sizes.get("c", 1) if "c" in image.dims else 1
    side = min(TILES_ALONG_SHARD, max(1, math.isqrt(MAX_SHARD_BYTES // (tile["y"] * tile["x"] * samples * image.dtype.itemsize))))
    across = {dim: -(-image.sizes[dim] // length) for dim, length in tile.items()}
    return {dim: length * min(side, across[dim]) for dim, length in tile.items()}


def _references(level: xr.DataArray, image: xr.DataArray) -> References:
    """Where the tiles of a level lie."""
    grid = grid_of(level)
    if grid is None:
        raise UnsupportedEncodingError(
            "tiles are moved as they lie from levels as open_slide() gives them in this process: write changed levels with codecs='auto'"
        )
    channel = next((dim for dim in grid.dims if dim in (SAMPLE, "optical_path", "segment")), "c")
    return tile_references(grid, [channel if dim == "c" else str(dim) for dim in image.dims], is_rgb=SAMPLE in grid.dims)


def _move(group: zarr.Group, image: xr.DataArray, references: References, shards: Sizes, resume: bool, progress: bool | Report) -> Written:
    """Write the labels of a level and move its tiles as they lie."""
    name, fingerprint = str(image.name), fingerprint_of_references(image, references)
    if not (resume and is_labelled(group, name, fingerprint)):
        shard = shard_shape(tuple(map(str, image.dims)), image.shape, image.dtype, references.chunk_shape, shards)
        encoding = references.encoding if shard is None else {**references.encoding, "shards": shard}
        mark(group, name, fingerprint=fingerprint, state="labels")
        write_labels(group, image, encoding, fingerprint=fingerprint, state="values")
    written = write_original(values_of(group, name), references, resume=resume, progress=progress)
    mark(group, name, fingerprint=fingerprint, state="complete")
    return written


def _scales(image: xr.DataArray, level: xr.DataArray, finest: xr.DataArray) -> list[AxisScale]:
    """Axes of a level; where the header states no spacing, in pixels of the finest one."""
    if "z" in image.coords and image.sizes["z"] > 2 and not np.allclose(np.diff(image["z"], 2), 0, atol=1e-3):
        raise InconsistentSeriesError(f"focal planes are unevenly spaced: {np.round(image['z'].values, 3).tolist()} um")
    axes = axis_scales(image)
    if "x" in image.coords:
        return axes
    steps = {dim: finest.sizes[dim] / level.sizes[dim] for dim in ("y", "x")}
    return [replace(axis, scale=steps[axis.name], translation=(steps[axis.name] - 1) / 2) if axis.name in steps else axis for axis in axes]


def _sample(level: xr.DataArray) -> np.ndarray:
    """Values from the middle of a level."""
    middle = {dim: level.sizes[dim] // 2 for dim in ("y", "x")}
    cut = {dim: slice(max(0, place - _SAMPLED // 2), place + _SAMPLED // 2) for dim, place in middle.items()}
    return np.asarray(level.isel(cut).values)


def _place(level: xr.DataArray) -> dict[str, Any]:
    """Affine of the finest level for the attributes: OME-Zarr 0.5 has no words for a turned image."""
    return {"xdicom": {"affine_slide_mm": level.attrs["affine"]}} if "affine" in level.attrs else {}
