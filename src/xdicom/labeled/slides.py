"""Images of a whole slide as labelled arrays in the slide's millimetres."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdicom.labeled.attributes import header_attributes, table_attributes
from xdicom.labeled.build import STORED_VALUES
from xdicom.lazy.cells import Array
from xdicom.model.grid import Axis, FrameGrid, TileGrid


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
        Dimensions `([optical_path,] [z,] y, x[, sample])`. `y` and `x` are the positions of rows and columns along the
        column and row direction in the slide's coordinates [mm], so that one range of them is the same tissue on every
        level; `affine` in attrs takes (column, row, 0, 1) to slide coordinates [mm].
    """
    coords: dict[str, Any] = {axis.name: (axis.name, axis.values, dict(axis.attrs)) for axis in grid.axes if axis.values is not None}
    flat = FrameGrid(grid.name, (Axis("frame"),), np.arange(len(grid.frames)), grid.frames)
    attrs = {**header_attributes(flat), **table_attributes(flat)[0], **grid.attrs}
    attrs.update({"tile_rows": grid.tile_shape[0], "tile_columns": grid.tile_shape[1]})
    if grid.plane is not None and grid.origin is not None:
        for name, direction, spacing, count in (
            ("y", grid.plane.column_direction, grid.plane.row_spacing_mm, grid.matrix[0]),
            ("x", grid.plane.row_direction, grid.plane.column_spacing_mm, grid.matrix[1]),
        ):
            start = float(grid.origin @ direction)
            coords[name] = (name, start + spacing * np.arange(count), {"units": "mm", "long_name": f"position on the slide along {name}"})
        attrs["affine"] = grid.plane.affine(grid.origin, np.zeros(3)).tolist()
        attrs["pixel_spacing"] = [grid.plane.row_spacing_mm, grid.plane.column_spacing_mm]
    return xr.DataArray(values, dims=grid.dims, coords=coords, attrs=attrs, name=STORED_VALUES)
