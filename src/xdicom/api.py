"""The story in five calls: scan, open_frames, open_series, open_study."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import xarray as xr

from xdicom import errors
from xdicom.errors import InconsistentSeriesError, MultipleSeriesError, NotDicomError, SourceError
from xdicom.export.catalog_store import is_catalog, lists_catalog, read_catalog, write_catalog
from xdicom.index import catalog as index_catalog
from xdicom.index.arrange import arrange
from xdicom.index.dicomweb import is_dicomweb, scan_dicomweb
from xdicom.index.filesets import locate_instances
from xdicom.index.progress import progress_bar
from xdicom.index.scan import Progress, rescan
from xdicom.index.series_names import series_name, unique_name
from xdicom.index.slides import arrange_slide
from xdicom.labeled.build import label
from xdicom.labeled.origins import remember
from xdicom.labeled.slides import label_slide
from xdicom.lazy.cells import Array
from xdicom.lazy.frames import ChunkSpec, frames_to_dask
from xdicom.lazy.tiles import tiles_to_dask
from xdicom.model.frames import FrameTable
from xdicom.model.grid import Axis, FrameGrid


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
        Whether a progress bar is shown, or a function that is called with the sources done and their number.
    known
        A catalog made before: sources that did not change since (by size and modification time or etag) are taken
        from it, and only the others are read.

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
    with progress_bar("headers", len(sources)) as report:
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
        has a child for each, with the reason of the split in the attribute `split_by`. What was odd is in `notes`, what was
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
    chunks: Mapping[str, int] | None = None,
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
        Pixels in one task along `y` and `x`, whole tiles; one tile by default.
    storage_options
        As for `scan`.

    Returns
    -------
    xarray.DataTree
        Nodes `level_0` (the finest), `level_1`, … and `label`, `overview`, `thumbnail` where there are such images. Each
        Dataset has the variable `stored_values`, dimensions `([optical_path,] [z,] y, x[, sample])`, cut to the total pixel
        matrix; `y` and `x` are millimetres in the slide's coordinates.

    Raises
    ------
    NotDicomError
        If there is no image of a slide.
    MultipleSeriesError
        If there are several series and none is named.
    InconsistentSeriesError
        If tiles lie outside the image, off its grid, or two in one place.
    """
    frames = _frames_of(scan(location, storage_options=storage_options), series_uid)
    grids = arrange_slide(frames)
    remember(frames)
    nodes = {f"/{grid.name}": label_slide(tiles_to_dask(grid, chunks), grid).to_dataset(promote_attrs=False) for grid in grids}
    return xr.DataTree.from_dict(nodes, name="slide")


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


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What the nodes of a study are, before any array is made."""

    attrs: dict[str, object]
    """Attributes of the root: problems and notes."""
    nodes: list[tuple[str, dict[str, object], FrameGrid | None]]
    """Path, attributes and frames of each node; a series of several arrays has none itself."""


def plan_study(catalog: Catalog) -> StudyPlan:
    """Nodes of the tree of all series of a catalog, with readable unique names.

    Raises
    ------
    NotDicomError
        If there are no frames.
    """
    _require_frames(catalog)
    nodes: list[tuple[str, dict[str, object], FrameGrid | None]] = []
    taken: dict[str, object] = {}
    # By number and UID, so that names that are taken go to the same series wherever files lie.
    for series in sorted(catalog.series, key=lambda series: (series.number is None, series.number or 0, series.series_uid)):
        arrangement = arrange(catalog.pick(series.series_uid))
        name = unique_name(series_name(series), taken)
        taken[name] = series
        attrs: dict[str, object] = {
            "series_instance_uid": series.series_uid, "modality": series.modality, "series_description": series.description,
            "notes": arrangement.notes,
        }  # fmt: skip
        if len(arrangement.grids) == 1:
            nodes.append((f"/{name}", attrs, arrangement.grids[0]))
            continue
        nodes.append((f"/{name}", attrs, None))
        nodes.extend((f"/{name}/{grid.name}", {"split_by": grid.attrs.get("split_by", [])}, grid) for grid in arrangement.grids)
    problems = [f"{problem.url}: {problem.reason}" for problem in catalog.problems]
    notes = [f"{note.url}: {note.reason}" for note in catalog.notes]
    return StudyPlan({"problems": problems, "notes": notes}, nodes)


def _known(chunks: ChunkSpec, grid: FrameGrid) -> ChunkSpec:
    """The part of `chunks` that names dimensions of `grid`."""
    return {name: size for name, size in chunks.items() if name in grid.dims} if isinstance(chunks, Mapping) else chunks


def _labeled(grid: FrameGrid, chunks: ChunkSpec) -> xr.DataArray:
    remember(grid.frames)
    return label(frames_to_dask(grid, chunks), grid)


def _frames_of(catalog: Catalog, series_uid: str | None, *, pick: bool = True) -> FrameTable:
    _require_frames(catalog)
    return catalog.pick(series_uid) if pick else catalog.frames


def _require_frames(catalog: Catalog) -> None:
    """Raise what the sources of an empty catalog say."""
    if len(catalog.frames):
        return
    if not catalog.source_count:
        raise SourceError("nothing to open: the location holds no files")
    kinds = {problem.kind for problem in catalog.problems}
    kind = getattr(errors, kinds.pop()) if len(kinds) == 1 else NotDicomError
    raise kind(f"no frames found: {catalog.describe_problems()}")


def _list_stacks(grids: Sequence[FrameGrid]) -> str:
    return "\n".join(
        f"  {grid.name}: {', '.join(f'{dim} {size}' for dim, size in zip(grid.dims, grid.shape, strict=True))}"
        + (f" ({'; '.join(map(str, reasons))})" if isinstance(reasons := grid.attrs.get("split_by"), list) else "")
        for grid in grids
    )
