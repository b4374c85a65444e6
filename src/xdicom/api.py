"""The story in five calls: scan, open_frames, open_series, open_study."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, MultipleSeriesError
from xdicom.export.catalog_store import is_catalog, lists_catalog, read_catalog, write_catalog
from xdicom.index import catalog as index_catalog
from xdicom.index.arrange import arrange
from xdicom.index.dicomweb import is_dicomweb, scan_dicomweb
from xdicom.index.filesets import locate_instances
from xdicom.index.progress import progress_bar
from xdicom.index.scan import Progress, rescan
from xdicom.index.slides import arrange_slide
from xdicom.index.study import plan_study, require_frames, told
from xdicom.labeled.build import label
from xdicom.labeled.origins import remember
from xdicom.labeled.slides import label_slide
from xdicom.lazy.cells import Array
from xdicom.lazy.frames import ChunkSpec, frames_to_dask
from xdicom.lazy.tiles import tiles_to_dask
from xdicom.model.frames import FrameTable
from xdicom.model.grid import Axis, FrameGrid, TileGrid


class Catalog(index_catalog.Catalog):
    """Headers of many instances, ready to be opened; made by `scan`.

    It prints as a table of the series found. It holds no name, number or birth date of a person.
    """

    @classmethod
    def of(cls, found: index_catalog.Catalog) -> Catalog:
        """The same catalog, with the methods of this door."""
        return cls(found.frames, found.problems, found.notes, found.source_count, found.read_by_pydicom)

    def save(self, target: str | os.PathLike[str], *, storage_options: Mapping[str, object] | None = None) -> None:
        """Save the catalog: `scan`, `open_series` and the others take it in place of the location and read no header.

        Parameters
        ----------
        target
            Folder or URL of the saved catalog (a Zarr group); a catalog that is there is replaced.
        storage_options
            As for `scan`.

        Raises
        ------
        SourceError
            If something else is at the target.

        Examples
        --------
        >>> import tempfile
        >>> target = tempfile.mkdtemp() + "/ct.catalog"
        >>> scan("testdata/ct").save(target)
        >>> open_series(target).sizes["z"]
        24
        """
        write_catalog(self, target, storage_options=storage_options)


Location = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Catalog
"""A file, folder, glob, URL, archive or DICOMDIR, several of these, or a catalog, saved or not."""


def scan(
    location: Location,
    *,
    storage_options: Mapping[str, object] | None = None,
    progress: bool | Progress = False,
    known: Catalog | None = None,
) -> Catalog:
    """Catalog of the DICOM instances at a location; headers are read once, pixels not at all.

    Parameters
    ----------
    location
        A file, a folder (with all below it), a glob, a URL that fsspec knows, an archive, several of these, or a saved
        catalog. `dicomweb+https://host/path/studies/UID`, with `/series/UID` behind it or not, is what a DICOMweb server
        has. A DICOMDIR that is named itself stands for the files that it names.
    storage_options
        Options for storage that is not local, as everywhere in the fsspec world.
    progress
        Whether a progress bar with files, frames and rate is shown, or a function that is called with the sources done, their
        number, and the frames found so far.
    known
        A catalog made before: sources that did not change since (by size and modification time or etag) are taken
        from it, and only the others are read (and one of each series that they belong to, whose patient must be theirs).

    Returns
    -------
    Catalog
        The series found, and in `problems` every source that is not DICOM, has no pixels or can't be read, with the reason.

    Raises
    ------
    SourceError
        If there is nothing at the location, or it can't be listed.

    Examples
    --------
    >>> catalog = scan("testdata/ct")
    >>> catalog.series[0].modality, catalog.series[0].frames
    ('CT', 24)
    """
    if isinstance(location, Catalog):
        return location
    if is_dicomweb(location):
        return Catalog.of(scan_dicomweb(cast("str", location), storage_options))
    if is_catalog(location):
        return Catalog.of(read_catalog(cast("str", location), storage_options=storage_options))
    sources = locate_instances(location, storage_options)
    if lists_catalog(location, sources):
        return Catalog.of(read_catalog(cast("str", location), storage_options=storage_options))
    if not progress:
        return Catalog.of(rescan(known, sources))
    if callable(progress):
        return Catalog.of(rescan(known, sources, progress))
    with progress_bar("headers", "files") as report:
        return Catalog.of(rescan(known, sources, report))


def open_frames(location: Location, *, chunks: ChunkSpec = None, storage_options: Mapping[str, object] | None = None) -> Array:
    """Stored values of all frames at a location, in file order: the floor below `open_series`.

    Parameters
    ----------
    location
        As for `scan`; usually one file.
    chunks
        Frames in one task: a number, `{"frame": n}` or `"auto"`; one by default.
    storage_options
        As for `scan`.

    Returns
    -------
    dask.array.Array
        Shape `(frames, rows, columns[, samples])`, in native byte order; one decode task for each chunk of frames.

    Raises
    ------
    NotDicomError
        If there are no frames.
    InconsistentSeriesError
        If frames differ in shape or type.
    PixelDataError, UnsupportedEncodingError, SourceError
        As the frames demand; those of a single frame are raised when it is computed.

    Examples
    --------
    >>> open_frames("testdata/us_cine.dcm").shape[0]
    12
    """
    frames = _frames_of(scan(location, storage_options=storage_options), None, pick=False)
    forms = {(encoding.frame_shape, encoding.dtype): i for i, encoding in enumerate(frames.instances.encodings)}
    used = {
        (frames.instances.encodings[code].frame_shape, frames.instances.encodings[code].dtype)
        for code in np.unique(frames.instances.encoding[np.unique(frames.instance)])
    }
    if len(used) > 1:
        listed = "; ".join(f"{' x '.join(map(str, shape))} {dtype}" for shape, dtype in sorted(used, key=lambda form: forms[form]))
        raise InconsistentSeriesError(f"frames differ in shape or type: {listed}. Open each series by itself, or all with open_study().")
    axis = Axis("frame", np.arange(len(frames)))
    return frames_to_dask(FrameGrid("frames", (axis,), np.arange(len(frames)), frames), chunks)


def open_series(
    location: Location,
    *,
    series_uid: str | None = None,
    stack: str | None = None,
    chunks: ChunkSpec = None,
    storage_options: Mapping[str, object] | None = None,
) -> xr.DataArray:
    """One series as a lazy labelled array of its stored values.

    Parameters
    ----------
    location
        As for `scan`.
    series_uid
        Series Instance UID, where several series lie at the location.
    stack
        Name of the stack, where the series makes several arrays (localizers of three orientations, magnitude and phase).
    chunks
        Frames in one task, as `{"z": 16}`, a number or `"auto"`; one by default.
    storage_options
        As for `scan`.

    Returns
    -------
    xarray.DataArray
        Named `stored_values`; dimensions `([extra axes...], z, y, x[, sample])`, or `time` or `frame` in place of `z` where
        frames have no place in the patient; dask inside. Methods of `.dicom` transform it.

    Raises
    ------
    MultipleSeriesError
        If there are several series or stacks and none is named; the message lists them.
    NotDicomError
        If there are no frames, or no series of that UID.
    SourceError
        If there is nothing at the location, or storage fails.

    Examples
    --------
    >>> ct = open_series("testdata/ct")
    >>> ct.dims, ct.sizes["z"]
    (('z', 'y', 'x'), 24)
    """
    return _labeled(choose_grid(scan(location, storage_options=storage_options), series_uid, stack), chunks)


def open_study(location: Location, *, chunks: ChunkSpec = None, storage_options: Mapping[str, object] | None = None) -> xr.DataTree:
    """All series at a location as a tree of lazy labelled arrays.

    Parameters
    ----------
    location
        As for `scan`.
    chunks
        Frames in one task, for all arrays: a number, `"auto"`, or a mapping of which each array takes what it has.
    storage_options
        As for `scan`.

    Returns
    -------
    xarray.DataTree
        One node for each series; its Dataset has the variable `stored_values`, or where the series makes several arrays it
        has a child for each, with the reason of the split in the attribute `split_by`. A slide has a child for each level and
        other image, as `open_slide` gives them. What was odd is in `notes`, what was
        not read in `problems` of the root.

    Raises
    ------
    NotDicomError
        If there are no frames.
    SourceError
        If there is nothing at the location, or storage fails.

    Examples
    --------
    >>> [node.name for node in open_study("testdata").children.values()][:1]
    ['1_ct_phantom']
    """
    plan = plan_study(scan(location, storage_options=storage_options))
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=plan.attrs)}
    for path, attrs, grid in plan.nodes:
        dataset = xr.Dataset() if grid is None else _labeled(grid, _known(chunks, grid)).to_dataset(promote_attrs=False)
        nodes[path] = dataset.assign_attrs(attrs)
    return xr.DataTree.from_dict(nodes, name="study")


def open_slide(
    location: Location,
    *,
    series_uid: str | None = None,
    chunks: ChunkSpec = None,
    storage_options: Mapping[str, object] | None = None,
) -> xr.DataTree:
    """A whole slide as a tree of lazy labelled images, one node for each level of its pyramid.

    Parameters
    ----------
    location
        As for `scan`: the files of one slide.
    series_uid
        Series Instance UID, where several series lie at the location.
    chunks
        Pixels in one task along `y` and `x` (whole tiles), a number of tiles, or `"auto"`; one tile by default.
    storage_options
        As for `scan`.

    Returns
    -------
    xarray.DataTree
        Nodes `level_0` (the finest), `level_1`, … and `label`, `overview`, `thumbnail` where there are such images; a second
        pyramid is the node `pyramid_2`. Each Dataset has the variable `stored_values`, dimensions `([optical_path or segment,]
        [z,] y, x[, sample])`, cut to the total pixel matrix; `y` and `x` are millimetres in the slide's coordinates. The
        attribute `problems` names what was not read, and images that could not be arranged.

    Raises
    ------
    NotDicomError
        If there is no image of a slide.
    MultipleSeriesError
        If there are several series and none is named.
    InconsistentSeriesError
        If no image can be arranged: tiles lie outside it, off its grid, or two in one place.
    """
    catalog = scan(location, storage_options=storage_options)
    plan = arrange_slide(_frames_of(catalog, series_uid))
    nodes = {f"/{grid.name}": _labeled(grid, chunks).to_dataset(promote_attrs=False) for grid in plan.grids}
    root = xr.Dataset(attrs={"problems": told(catalog.problems) + plan.problems})
    return xr.DataTree.from_dict({"/": root, **nodes}, name="slide")


def choose_grid(catalog: Catalog, series_uid: str | None = None, stack: str | None = None) -> FrameGrid:
    """Frames of one array: of the series and the stack that are named, or of the only ones there are.

    Raises
    ------
    MultipleSeriesError
        If there are several and none is named; the message lists them.
    NotDicomError
        If there are no frames, or no series of that UID.
    """
    grids = arrange(_frames_of(catalog, series_uid)).grids
    if stack is not None:
        chosen = [grid for grid in grids if grid.name == stack]
        if not chosen:
            raise MultipleSeriesError(f"no stack {stack!r}; there are:\n{_list_stacks(grids)}")
        grids = chosen
    if len(grids) > 1:
        raise MultipleSeriesError(
            f"the series makes {len(grids)} arrays; choose one with stack=, or open all with open_study():\n{_list_stacks(grids)}"
        )
    return grids[0]


def _known(chunks: ChunkSpec, grid: FrameGrid | TileGrid) -> ChunkSpec:
    """The part of `chunks` that names dimensions of `grid`."""
    return {name: size for name, size in chunks.items() if name in grid.dims} if isinstance(chunks, Mapping) else chunks


def _labeled(grid: FrameGrid | TileGrid, chunks: ChunkSpec) -> xr.DataArray:
    if isinstance(grid, TileGrid):
        array = label_slide(tiles_to_dask(grid, chunks), grid)
    else:
        array = label(frames_to_dask(grid, chunks), grid)
    remember(grid.frames, array)
    return array


def _frames_of(catalog: Catalog, series_uid: str | None, *, pick: bool = True) -> FrameTable:
    require_frames(catalog)
    return catalog.pick(series_uid) if pick else catalog.frames


def _list_stacks(grids: Sequence[FrameGrid]) -> str:
    return "\n".join(
        f"  {grid.name}: {', '.join(f'{dim} {size}' for dim, size in zip(grid.dims, grid.shape, strict=True))}"
        + (f" ({'; '.join(map(str, reasons))})" if isinstance(reasons := grid.attrs.get("split_by"), list) else "")
        for grid in grids
    )
