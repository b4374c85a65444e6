"""Images of a whole slide as labelled arrays in the slide's millimetres."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.labeled.attributes import header_attributes, parameter_coordinates
from xdicom.labeled.build import STORED_VALUES
from xdicom.labeled.header_tables import table_attributes
from xdicom.labeled.parameters import RGB
from xdicom.labeled.segments import segment_attributes, segment_coordinates
from xdicom.lazy.apply import step_behind
from xdicom.lazy.cells import Array
from xdicom.lazy.tiles import TileCells, read_part
from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable
from xdicom.model.grid import Axis, FrameGrid, TileGrid
from xdicom.transforms.color import to_rgb as samples_to_rgb

_MAX_GRIDS = 256
_DECIMALS = 9
"""Decimals of positions [mm]."""
_MAX_CELLS = 8
_grids: OrderedDict[str, TileGrid] = OrderedDict()
_cells: OrderedDict[str, TileCells] = OrderedDict()
_templates: OrderedDict[tuple[str, Hashable], tuple[tuple[xr.Variable, ...], xr.DataArray]] = OrderedDict()


def label_slide(values: Array | np.ndarray, grid: TileGrid) -> xr.DataArray:
    """Labelled array of one image of a slide, named `stored_values`.

    Parameters
    ----------
    values
        Stored values, shape `grid.shape`.
    grid
        Tiles in their places.

    Returns
    -------
    xarray.DataArray
        Dimensions `([optical_path or segment,] [z,] y, x[, sample])`. `y` and `x` are the positions of the centres of rows and
        columns along the column and row direction in the slide's coordinates [mm], so that one range of them is the same tissue
        on every level; `z` is the height of focal planes [um]; `affine` in attrs takes (column, row, 0, 1) to slide
        coordinates [mm].
    """
    coords, attrs = describe_slide(grid)
    name = getattr(values, "name", None)
    if isinstance(name, str):
        _grids[name] = grid
        while len(_grids) > _MAX_GRIDS:
            _grids.popitem(last=False)
    return xr.DataArray(values, dims=grid.dims, coords=coords, attrs=attrs, name=STORED_VALUES)


def grid_of(array: xr.DataArray) -> TileGrid | None:
    """The tiles that an image of a slide was made of, where it is whole and was opened in this process; else None.

    The image may be `stored_values`, or `rgb` as `to_rgb` makes it.
    """
    step = step_behind(array.data) if array.name == RGB else None
    is_color = step is not None and [link.function for link in step.chain.links] == [samples_to_rgb]
    return _grids.get(str(getattr(step.array if step is not None and is_color else array.data, "name", "")))


def describe_slide(grid: TileGrid) -> tuple[dict[str, Any], dict[str, object]]:
    """Coordinates and attributes of the labelled array of `grid`."""
    coords: dict[str, Any] = {axis.name: (axis.name, axis.values, dict(axis.attrs)) for axis in grid.axes if axis.values is not None}
    flat = _of_instances(grid)
    coords |= {name: entry for name, entry in parameter_coordinates(flat).items() if not entry[0]}
    coords |= segment_coordinates(flat)
    attrs = {**header_attributes(flat), **segment_attributes(flat), **table_attributes(flat)[0], **grid.attrs}
    uids = grid.frames.instances.columns.get("sop_instance_uid")
    if uids is not None and uids.kind == "text":
        attrs["sop_instance_uids"] = uids.texts().tolist()
    attrs.update({"tile_rows": grid.tile_shape[0], "tile_columns": grid.tile_shape[1]})
    paths, path_coords = _optical_paths(grid)
    coords |= path_coords
    attrs |= paths
    if grid.plane is not None and grid.origin is not None:
        for name, direction, spacing, count in (
            ("y", grid.plane.column_direction, grid.plane.row_spacing_mm, grid.matrix[0]),
            ("x", grid.plane.row_direction, grid.plane.column_spacing_mm, grid.matrix[1]),
        ):
            start = float(grid.origin @ direction)
            positions = np.round(start + spacing * np.arange(count), _DECIMALS) + 0.0
            coords[name] = (name, positions, {"units": "mm", "long_name": f"position on the slide along {name}"})
        attrs["affine"] = grid.plane.affine(grid.origin, np.zeros(3)).tolist()
        attrs["pixel_spacing"] = [grid.plane.row_spacing_mm, grid.plane.column_spacing_mm]
        attrs["total_pixel_matrix_origin"] = grid.origin[:2].tolist()
    return coords, attrs


def _of_instances(grid: TileGrid) -> FrameGrid:
    """One frame of each instance, with the values that all frames share: what is told of hundreds of thousands in no time."""
    frames = grid.frames
    rows = np.unique(frames.instance, return_index=True)[1]
    shared = {name: column.take(rows) for name, column in frames.columns.items() if column.is_constant}
    few = FrameTable(frames.instances, frames.instance[rows], frames.frame_number[rows], frames.offset[rows], frames.length[rows], shared)
    segment = next((axis for axis in grid.axes if axis.name == "segment"), Axis("frame"))
    return FrameGrid(grid.name, (segment,), np.arange(len(rows)), few)


def _optical_paths(grid: TileGrid) -> tuple[dict[str, object], dict[str, Any]]:
    """Descriptions and wavelengths of optical paths: as coordinates where there are several paths, else as attributes."""
    axis = next((axis for axis in grid.axes if axis.name == "optical_path"), None)
    column: Column | None = grid.frames.instances.columns.get("optical_path_sequence")
    known: dict[str, dict[int, RawValue]] = {}
    for value in column.values if column is not None and column.kind == "raw" else ():
        for item in value.readable_items():
            known.setdefault(item[TAGS["OpticalPathIdentifier"]].text() if TAGS["OpticalPathIdentifier"] in item else "", item)
    names = [str(name) for name in axis.values] if axis is not None and axis.values is not None else list(known)[:1]
    items = [known.get(name, {}) for name in names]
    texts = [item[TAGS["OpticalPathDescription"]].text() if TAGS["OpticalPathDescription"] in item else "" for item in items]
    colors = [_meaning(item.get(TAGS["IlluminationColorCodeSequence"])) for item in items]
    waves = [_number(item.get(TAGS["IlluminationWaveLength"])) for item in items]
    found: list[tuple[str, list[Any], dict[str, object]]] = [
        ("optical_path_description", texts, {"source": "OpticalPathDescription"}),
        ("illumination_color", colors, {"source": "IlluminationColorCodeSequence"}),
        ("illumination_wavelength", waves, {"source": "IlluminationWaveLength", "units": "nm"}),
    ]
    there = [(name, values, attrs) for name, values, attrs in found if any(str(value) not in ("", "nan") for value in values)]
    if axis is not None:
        return {}, {name: ("optical_path", np.array(values), attrs) for name, values, attrs in there}
    single: dict[str, object] = {"optical_path_identifier": names[0]} if names and names[0] else {}
    return single | {name: values[0] for name, values, _ in there}, {}


def _number(value: RawValue | None) -> float:
    numbers = value.numbers() if value is not None else ()
    return float(numbers[0]) if numbers else float("nan")


def _meaning(sequence: RawValue | None) -> str:
    items = sequence.readable_items() if sequence is not None else []
    return items[0][TAGS["CodeMeaning"]].text() if items and TAGS["CodeMeaning"] in items[0] else ""


def read_region(array: xr.DataArray, indexers: Mapping[str, slice | int], threads: int = 1) -> xr.DataArray:
    """A part of an array in memory: what `array.isel(indexers).compute()` gives, without a graph where that can be done.

    Images of slides as `open_slide` gives them, and their colors by `to_rgb`, are read straight from their tiles: a few tiles
    take less time than planning to read them. Any other array is computed.

    Parameters
    ----------
    array
        A labelled array.
    indexers
        Rows and columns by dimension, as for `isel`.
    threads
        Threads that decode tiles.
    """
    step = None if str(getattr(array.data, "name", "")) in _grids else step_behind(array.data)
    source = str(getattr(step.array if step is not None else array.data, "name", ""))
    grid, bounds = _grids.get(source), []
    if grid is not None:
        bounds = [_bounds(indexers.get(dim, slice(None)), size) for dim, size in zip(grid.dims, grid.shape, strict=True)]
    place = tuple(part for part in bounds if part is not None)
    if grid is None or len(place) < len(grid.dims) or (step is not None and step.parameters):
        return array.isel(indexers).compute()
    if source not in _cells:
        _cells[source] = TileCells(grid)
        while len(_cells) > _MAX_CELLS:
            _cells.popitem(last=False)
    is_rgb = step is not None and [link.function for link in step.chain.links] == [samples_to_rgb]
    values = read_part(_cells[source], place, threads, is_rgb=is_rgb)
    values = step.chain(values) if step is not None and not is_rgb else values
    kept = tuple(0 if isinstance(indexers.get(dim), int | np.integer) else slice(None) for dim in map(str, array.dims))
    labels = _labels(array, source).isel(indexers)
    labels.data = values[kept]
    labels.attrs = dict(array.attrs)
    return labels


def _labels(array: xr.DataArray, source: str) -> xr.DataArray:
    """The array without values; the same one again as long as its coordinates are the same."""
    variables = tuple(array.coords.variables.values())
    known, labels = _templates.get((source, array.name), ((), array))
    if len(known) != len(variables) or any(one is not other for one, other in zip(known, variables, strict=True)):
        labels = array.copy(deep=False, data=np.broadcast_to(np.zeros((), array.dtype), array.shape))
        _templates[source, array.name] = variables, labels
        while len(_templates) > _MAX_CELLS:
            _templates.popitem(last=False)
    return labels


def _bounds(key: object, size: int) -> slice | None:
    """First and last step of a selection without gaps; None of any other."""
    if isinstance(key, int | np.integer):
        first = int(key) + (size if key < 0 else 0)
        return slice(first, first + 1)
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        return slice(start, stop) if step == 1 and stop > start else None
    return None
