"""A dask array of frames and their grid to a labelled array."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdicom.headers.private import assumed_sources
from xdicom.labeled.attributes import header_attributes, parameter_coordinates
from xdicom.labeled.coords import header_coordinates
from xdicom.labeled.header_tables import table_attributes
from xdicom.labeled.regions import region_attributes
from xdicom.labeled.segments import segment_attributes
from xdicom.lazy.cells import Array
from xdicom.model.grid import FrameGrid

STORED_VALUES = "stored_values"
_DECIMALS = 9
"""Decimals of positions: millionths of a micrometre."""


def label(frames: Array | np.ndarray, grid: FrameGrid) -> xr.DataArray:
    """Labelled array of the stored values of `grid`, named `stored_values`.

    Parameters
    ----------
    frames
        Stored values, shape `grid.shape`.
    grid
        Frames in their places.

    Returns
    -------
    xarray.DataArray
        Dimensions `grid.dims`. Index coordinates are positions along the slice normal, the column and the row direction
        [mm] and the values of the extra axes; every header value that varies is a coordinate on the dimensions of which
        it is a function; what does not vary is an attribute.
    """
    coords, attrs = describe(grid)
    return xr.DataArray(frames, dims=grid.dims, coords=coords, attrs=attrs, name=STORED_VALUES)


def describe(grid: FrameGrid) -> tuple[dict[str, Any], dict[str, object]]:
    """Coordinates and attributes of the labelled array of `grid`."""
    coords: dict[str, Any] = {}
    for axis in grid.axes:
        if axis.values is not None:
            coords[axis.name] = (axis.name, _settled(axis.values) if axis.name == "z" else axis.values, dict(axis.attrs))
    if grid.plane is not None and grid.origins is not None:
        rows, columns = grid.frame_shape[:2]
        first = grid.origins[0]
        for name, direction, spacing, count in (
            ("y", grid.plane.column_direction, grid.plane.row_spacing_mm, rows),
            ("x", grid.plane.row_direction, grid.plane.column_spacing_mm, columns),
        ):
            start = float(first @ direction)
            along = "column" if name == "y" else "row"
            coords[name] = (
                name,
                _settled(start + spacing * np.arange(count)),
                {"units": "mm", "long_name": f"position along the {along} direction"},
            )
    coords |= header_coordinates(grid)
    coords |= parameter_coordinates(grid)
    tables, table_coords = table_attributes(grid)
    regions, region_coords = region_attributes(grid)
    coords |= table_coords | region_coords
    assumed = assumed_sources(grid.frames)
    for _, _, about in coords.values():
        if any(source in str(about.get("source", "")) for source in assumed):
            about["private_creator"] = "assumed"
    further: dict[str, object] = {"assumed_private_creators": assumed} if assumed else {}
    return coords, {**header_attributes(grid), **segment_attributes(grid), **tables, **regions, **further}


def _settled(positions_mm: np.ndarray) -> np.ndarray:
    """Positions without the noise of floating-point sums, so that equal places of two series have equal labels [mm]."""
    return np.asarray(np.round(positions_mm, _DECIMALS) + 0.0)
