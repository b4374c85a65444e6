"""Labelled arrays to DICOM: one valid instance for each plane, or for all of them where the source was multi-frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
import xarray as xr

from xdicom.errors import SourceError
from xdicom.export.dicom_changes import Known, check_agreement
from xdicom.export.dicom_header import header_of
from xdicom.export.dicom_kept import head_alone
from xdicom.export.dicom_multiframe import multiframe_header, write_multiframe
from xdicom.export.dicom_origins import urls_of
from xdicom.export.dicom_plan import Choices, SeriesPlan, WrittenDicom
from xdicom.export.dicom_planes import arranged
from xdicom.export.dicom_planning import make_plan
from xdicom.export.dicom_slides import is_slide_image, plan_slide, write_slide
from xdicom.export.dicom_writing import NotStoredBeforeError, write_instances
from xdicom.index.heads import table_of_heads
from xdicom.lazy.blocks import Report
from xdicom.lazy.cells import Array
from xdicom.sources.folders import Folder, folder_at
from xdicom.sources.options import public_options, using_options

Write = Callable[[Array, SeriesPlan, Folder, list[str], bool | Report], WrittenDicom]


class DicomTreeOptions(TypedDict, total=False):
    """Options of `write_dicom_tree`."""

    transfer_syntax: str | None
    loss: float | None
    derivation: str | None
    attributes: Mapping[str, Any] | None
    uid_seed: str | None
    keep_uids: bool
    overwrite: bool
    storage_options: Mapping[str, Any] | None
    progress: bool | Report


class DicomOptions(DicomTreeOptions, total=False):
    """Options of `write_dicom`."""

    rescale: tuple[float, float] | str | None
    bits_stored: int | None
    series_description: str | None
    series_number: int | None


def write_dicom(
    array: xr.DataArray,
    directory: str | os.PathLike[str],
    *,
    transfer_syntax: str | None = None,
    loss: float | None = None,
    rescale: tuple[float, float] | str | None = None,
    bits_stored: int | None = None,
    series_description: str | None = None,
    series_number: int | None = None,
    derivation: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    uid_seed: str | None = None,
    keep_uids: bool = False,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: bool | Report = True,
) -> WrittenDicom:
    """Write a labelled array as DICOM: a new series of the same study, derived from the one that the array came from.

    Everything that follows from the array is set from the array: size, place, spacing, sample form, rescale, window, times
    and other axes. All else comes from the headers of the source where this process has opened it, and from the labels
    alone where it has not (an array that was reopened from Zarr). One task computes a block and writes its planes, so
    that memory holds the blocks in work; a file gets its name when it is whole.

    Parameters
    ----------
    array
        `stored_values` (written bit for bit), `modality_values`, `suv` or `real_world_values` (stored through slope and
        intercept), `display_values` or `rgb` (written as Secondary Capture).
    directory
        Folder for the files, or its URL (`s3://bucket/folder`); it is made where there is none. They are named 00001.dcm and
        on, in the order of the array.
    transfer_syntax
        UID or short name: `rle`, `jpeg-ls`, `jpeg-lossless`, `jpeg-2000`, `htj2k`, …. Without
        it files are not compressed.
    loss
        How much a lossy transfer syntax may lose: quality of `jpeg` (1 to 100), largest error of `jpeg-ls-near`, ratio of
        signal to noise of `jpeg-2000-lossy` [dB]. It is recorded in the header.
    rescale
        Slope and intercept by which modality values are stored; `"source"` for those of the source. Without it those
        with the smallest error, for which floating-point values are computed twice.
    bits_stored
        Bits Stored, where stored values need others than the labels say.
    series_description, series_number, derivation
        Series Description, Series Number and Derivation Description; the first two stay as they are where they are not given.
    attributes
        Further values by keyword, for all instances and above all others; None leaves an element out.
    uid_seed
        Makes new UIDs depend on this text and the plane's number alone; random without it.
    keep_uids
        Keep the identity of instances whose pixels and labels are those of their source: nothing is marked as derived.
        Every plane is compared with its source.
    overwrite
        Whether files of the same names are replaced.
    storage_options
        Options of the storage that `directory` lies in, as fsspec takes them. Workers find credentials in their environment.
    progress
        Whether a progress bar is shown, or a function that is called with the blocks done and their number.

    Returns
    -------
    WrittenDicom
        Instances, frames, bytes, UID of the series, and the largest error that storing through a slope made.

    Raises
    ------
    SourceError
        If a file is there already, or can't be written.
    InconsistentSeriesError
        If labels contradict each other, or no longer say what an image needs.
    UnsupportedEncodingError
        If the kind of object or the transfer syntax is not written.
    ValueError
        If values can't be stored in the form that was asked for.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> ct = xdicom.open_series("testdata/ct")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = ct.isel(y=slice(40, 120)).dicom.to_dicom(folder, progress=False)
    ...     xdicom.open_series(folder).sizes["y"], written.instances
    (80, 24)
    """
    folder = folder_at(directory, storage_options)
    choices = Choices(
        transfer_syntax=transfer_syntax,
        loss=loss,
        rescale=rescale,
        bits_stored=bits_stored,
        series_description=series_description,
        series_number=series_number,
        derivation=derivation,
        attributes=dict(attributes or {}),
        uid_seed=uid_seed,
        keep_uids=keep_uids,
    )
    return write_choices(array, choices, folder, progress, overwrite=overwrite)


def write_choices(array: xr.DataArray, choices: Choices, folder: Folder, progress: bool | Report, *, overwrite: bool) -> WrittenDicom:
    """Write a labelled array into a folder; see `write_dicom`."""
    if is_slide_image(array):
        tiles, planned = plan_slide(array, choices)
        return _into(folder, tiles, planned, write_slide, progress, overwrite=overwrite)
    array = whole_planes(arranged(array))
    try:
        return _write(array, choices, folder, progress, overwrite=overwrite)
    except NotStoredBeforeError:
        return _write(array, replace(choices, is_measured=True), folder, progress, overwrite=overwrite)


def _write(array: xr.DataArray, choices: Choices, folder: Folder, progress: bool | Report, *, overwrite: bool) -> WrittenDicom:
    """Write an arranged array of whole planes; see `write_dicom`.

    Raises
    ------
    NotStoredBeforeError
        If its values were taken for those that the source stored, and are not: nothing of them is left.
    """
    plan = make_plan(array, choices)
    if plan.plan.changed:
        check_agreement(array, plan.plan.changed, planned_frames(plan))
    write = write_instances if plan.frames_of is None else write_multiframe
    return _into(folder, array.data, plan, write, progress, overwrite=overwrite)


def _into(folder: Folder, values: Array, plan: SeriesPlan, write: Write, progress: bool | Report, *, overwrite: bool) -> WrittenDicom:
    """Write what is planned into a folder, over nothing that must not be replaced."""
    names = [f"{number:05d}.dcm" for number in range(1, plan.instances + 1)]
    urls = urls_of(plan.places)
    plan = replace(plan, plan=replace(plan.plan, options=(*plan.plan.options, *public_options(folder.location))))
    sources = {place_of_file(url) for url in urls}
    own = [name for name in names if place_of_file(folder.address(name)) in sources]
    if own:
        raise SourceError(f"{folder.address(own[0])} is one of the files that the array is read from: write to another folder")
    there = [] if overwrite else folder.there(names)
    if there:
        others = f" and {len(there) - 1} others of these names" if there[1:] else ""
        raise SourceError(f"{folder.location} holds {there[0]}{others}: overwrite=True replaces them")
    folder.make()
    try:
        return write(values, plan, folder, names, progress)
    except NotStoredBeforeError:
        folder.remove(names)
        raise


def place_of_file(url: str) -> str:
    """Where a file lies, the same for all ways to name it."""
    path = url.removeprefix("file://")
    return path if "://" in path else os.path.realpath(path)


def planned_frames(series: SeriesPlan) -> Known:
    """Frames of the headers that would be written, and which of them each plane is."""
    if series.frames_of is not None:
        heads = [head_alone(multiframe_header(series, rows, 1.0, (0.0, 1.0))) for rows in series.frames_of]
        return table_of_heads(heads), np.argsort(np.concatenate(series.frames_of))
    with using_options(series.plan.options):
        heads = [head_alone(header_of(series.plan, i, None)) for i in range(len(series.plan.rows))]
    return table_of_heads(heads), np.arange(len(heads))


def whole_planes(array: xr.DataArray) -> xr.DataArray:
    """`array` with its labels in memory, and in dask blocks that hold whole planes; one plane a block where it was in memory."""
    coords = {name: coordinate.variable.compute() for name, coordinate in array.coords.items() if coordinate.variable.chunks is not None}
    array = array.assign_coords(coords) if coords else array
    inner: dict[Any, int] = {dim: -1 for dim in ("y", "x", "sample") if dim in array.dims}
    values = array.variable
    if values.chunks is None:
        return array.chunk(dict.fromkeys(array.dims, 1) | inner)
    return array.chunk(inner) if any(len(values.chunksizes[dim]) > 1 for dim in inner) else array
