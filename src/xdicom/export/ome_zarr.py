"""Labelled arrays to OME-Zarr 0.5: a pyramid of levels in millimetres, for the viewers of the imaging world."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypedDict

import numpy as np
import xarray as xr
import zarr

from xdicom.errors import InconsistentSeriesError
from xdicom.export.fingerprint import fingerprint_of
from xdicom.export.ome_levels import SPACE, Method, coarser, plan_levels, write_coarser_block
from xdicom.export.ome_metadata import VERSION, axis_scales, coarser_axes, multiscales, omero, patient_place, to_ome_dims
from xdicom.export.zarr_labels import portable, write_labels
from xdicom.export.zarr_layout import Layout, Sizes, chunk_shape, compressors_of, shard_shape
from xdicom.export.zarr_marks import consolidate, is_labelled, mark
from xdicom.export.zarr_pipelines import own_pipeline
from xdicom.export.zarr_places import Mode, StoreLike, open_target
from xdicom.export.zarr_told import pseudonyms_for, told_of
from xdicom.export.zarr_values import Form, Written, cuts_of, is_stored, progress_of, remove_halves, stored_keys, values_of, write_array
from xdicom.labeled.parameters import STORED
from xdicom.lazy.blocks import Report, over_blocks, places_of, zeros_in_blocks


class OmeZarrOptions(TypedDict, total=False):
    """Options of `write_ome_zarr`."""

    levels: int | Literal["auto"]
    chunks: Mapping[str, int] | None
    shards: Sizes
    codecs: Any
    layout: Layout
    mode: Mode
    resume: bool
    progress: bool | Report
    storage_options: Mapping[str, Any] | None
    deidentify: bool
    uid_secret: str | bytes | None


@own_pipeline()
def write_ome_zarr(
    array: xr.DataArray,
    store: StoreLike,
    *,
    levels: int | Literal["auto"] = "auto",
    chunks: Mapping[str, int] | None = None,
    shards: Sizes = "auto",
    codecs: Any = "auto",
    layout: Layout = "frames",
    mode: Mode = "w-",
    resume: bool = False,
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
    deidentify: bool = False,
    uid_secret: str | bytes | None = None,
) -> Written:
    """Write a labelled array as an OME-Zarr 0.5 image with coarser levels.

    Every level is a group `scale0`, `scale1`, … with the values and their labels: `xarray.open_zarr(store, group="scale0")`
    opens one, `xarray.open_datatree(store)` all. Values are written as they are: for Hounsfield units give it
    `.dicom.to_modality()`. Axes are time (`t`), channel (`c`: colour samples, or one further dimension such as echo time),
    `z`, `y`, `x`; spatial ones are in millimetres where the header says so. Scale and translation place the centre of each
    voxel, on every level. Axes along the patient's own have an anatomical orientation (RFC-4); the whole affine is in the
    attribute `xdicom` of the root.

    Parameters
    ----------
    array
        A labelled array, its values in dask or in memory.
    store
        A path, a URL that fsspec knows, or a Zarr store.
    levels
        Number of levels, or `"auto"` for as many as it takes to come to 128 rows and columns.
    chunks, shards, codecs, layout, mode, resume, progress, storage_options, deidentify, uid_secret
        As for `.dicom.to_zarr`; dimensions are those of the image (`t`, `c`, `z`, `y`, `x`).

    Returns
    -------
    Written
        Shards and bytes of values of all levels.

    Raises
    ------
    SourceError
        If there is a store already, what is there to resume is of other values, or storage fails.
    InconsistentSeriesError
        If slices are unevenly spaced, or the stored values of slices can't be averaged because each has its own rescaling.
    ValueError
        If there are more dimensions than OME-Zarr has, or colour samples are not red, green and blue.

    Examples
    --------
    >>> import numpy as np, xarray as xr, xdicom, zarr
    >>> image = xr.DataArray(np.zeros((200, 300), np.uint8), dims=("y", "x"), name="stored_values")
    >>> store = zarr.storage.MemoryStore()
    >>> written = image.dicom.to_ome_zarr(store, progress=False)
    >>> [dataset["path"] for dataset in zarr.open_group(store).attrs["ome"]["multiscales"][0]["datasets"]]
    ['scale0/stored_values', 'scale1/stored_values', 'scale2/stored_values']
    """
    if isinstance(codecs, str) and codecs == "original":
        raise ValueError("codecs='original' is of .dicom.to_zarr(): viewers of OME-Zarr do not know the codec of DICOM frames")
    told, fingerprint = told_of(array, pseudonyms_for(uid_secret, needs_lasting=resume) if deidentify else None)
    image = portable(to_ome_dims(told))
    fingerprint = fingerprint or fingerprint_of(told)
    axes = axis_scales(image)
    method = method_of(image)
    steps = plan_levels(
        {axis.name: image.sizes[axis.name] for axis in axes if axis.name in SPACE}, {axis.name: axis.scale for axis in axes}, levels
    )
    if method == "mean" and image.name == STORED and _varies(image, {axis for step in steps for axis in step}):
        raise InconsistentSeriesError(
            "every slice has its own rescaling, so that stored values of several have no mean: write .dicom.to_modality(), or levels=1"
        )
    root = open_target(store, mode, resume, storage_options, zarr_format=3)
    if resume:
        remove_halves(root)
    form = Form(chunks, shards, codecs, layout)
    name = str(image.name)
    written = write_array(root.require_group("scale0"), image, form, resume=resume, progress=progress, fingerprint=fingerprint)
    level, paths, scales = image, [f"scale0/{name}"], [axes]
    for number, step in enumerate(steps, 1):
        source = values_of(root.require_group(f"scale{number - 1}"), name)
        level = coarser(level, step, method)
        fingerprint = hashlib.sha256(f"{fingerprint} {sorted(step.items())} {method}".encode()).hexdigest()
        group = root.require_group(f"scale{number}")
        written += _write_level(group, level, source, step, form, method, fingerprint, resume=resume, progress=progress)
        paths.append(f"scale{number}/{name}")
        scales.append(coarser_axes(scales[-1], step, method))
    smallest = np.asarray(values_of(root.require_group(f"scale{len(steps)}"), name)[_sample(level)])
    ome: dict[str, Any] = {"version": VERSION, "multiscales": multiscales(name, paths, scales, method), "omero": omero(image, smallest)}
    place = patient_place(image)
    root.attrs.update({"ome": ome, "xdicom": place} if place else {"ome": ome})
    consolidate(root)
    return written


def method_of(image: xr.DataArray) -> Method:
    """How voxels of an image become one: segments and palette entries have no mean."""
    is_name = (
        image.attrs.get("modality") == "SEG"
        or (image.attrs.get("photometric_interpretation") == "PALETTE COLOR" and image.name == STORED)
        or image.attrs.get("bits_allocated") == 1
        or image.dtype.kind == "b"
    )
    return "nearest" if is_name else "mean"


def _varies(image: xr.DataArray, axes: set[str]) -> bool:
    """Whether the rescaling is another one along some of `axes`."""
    names = ("rescale_slope", "rescale_intercept", "dose_grid_scaling", "modality_lut_index")
    return any(axes & set(map(str, image.coords[name].dims)) for name in names if name in image.coords)


def _sample(level: xr.DataArray) -> tuple[slice, ...]:
    """About a million values of a level, from all over it."""
    room = max(1, level.size // 2**20)
    return tuple(slice(None, None, room) if axis == 0 and level.ndim > 2 else slice(None) for axis in range(level.ndim))


def _write_level(
    group: zarr.Group,
    level: xr.DataArray,
    source: zarr.Array[Any],
    step: Mapping[str, int],
    form: Form,
    method: Method,
    fingerprint: str,
    *,
    resume: bool,
    progress: bool | Report,
) -> Written:
    """Write labels of a level, and its values from those of the level before."""
    dims, name = tuple(map(str, level.dims)), str(level.name)
    if not (resume and is_labelled(group, name, fingerprint)):
        chunk = chunk_shape(dims, level.shape, level.dtype, form.chunks, form.layout)
        shard = shard_shape(dims, level.shape, level.dtype, chunk, form.shards, form.layout)
        encoding = {"chunks": chunk, "compressors": compressors_of(form.codecs, level.dtype, 3)}
        mark(group, name, fingerprint=fingerprint, state="labels")
        encoding |= {} if shard is None else {"shards": shard}
        write_labels(group, level, encoding, fingerprint=fingerprint, state="values")
    target = values_of(group, name)
    blocks = zeros_in_blocks(cuts_of(target, level), level.dtype)
    numbers = wanted = list(np.ndindex(blocks.numblocks))
    if resume:
        there = stored_keys(target.store, target.path)
        places = dict(zip(numbers, places_of(blocks), strict=True))
        wanted = [number for number in numbers if not is_stored(target, places[number], there)]
    write = partial(write_coarser_block, source=source, target=target, factors=tuple(step.get(dim, 1) for dim in dims), method=method)
    with progress_of(progress, f"writing {group.path}", "shards") as report:
        written = Written(len(wanted), len(numbers) - len(wanted), sum(over_blocks(write, blocks, wanted, report)))
    mark(group, name, fingerprint=fingerprint, state="complete")
    return written
