"""What there is to know of an array before it is made: its shape, why it stands alone, gaps and oddities, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from xdicom.index.catalog import readable_size
from xdicom.model.grid import FrameGrid

MOST_PLACES = 5
"""Positions of missing slices that are told."""
LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 81))
"""Transfer syntaxes that always lose something (PS3.5 A.4)."""


def shape_of(grid: FrameGrid) -> str:
    """Dimensions, type and size of the array of `grid`, such as `z 24, y 160, x 192; int16, 1.5 MB`."""
    dtype = grid.encoding.dtype
    dims = ", ".join(f"{dim} {length}" for dim, length in zip(grid.dims, grid.shape, strict=True))
    return f"{dims}; {dtype}, {readable_size(math.prod(grid.shape) * dtype.itemsize)}"


def describe_array(grid: FrameGrid) -> list[str]:
    """Why the array of `grid` stands alone, how its slices lie, and what is odd about them; a sentence each."""
    return [*_reasons(grid), *_places(grid), *_losses(grid)]


def _reasons(grid: FrameGrid) -> Iterator[str]:
    reasons = grid.attrs.get("split_by")
    if isinstance(reasons, list) and reasons:
        yield f"apart because of {'; '.join(map(str, reasons))}"
    if "incomplete" in grid.attrs:
        yield f"frames in a row, since they fill no grid: {grid.attrs['incomplete']}"
    empty = int((grid.rows < 0).sum())
    if empty:
        yield f"{empty} cells of the grid have no frame"


def _places(grid: FrameGrid) -> Iterator[str]:
    attrs = grid.attrs
    if grid.plane is not None and "plane" in attrs:
        spacing = attrs.get("spacing_between_slices")
        yield f"{str(attrs['plane']).replace('_', ' ')}" + (f", slices {spacing:.6g} mm apart" if isinstance(spacing, float) else "")
    missing = attrs.get("missing_positions")
    if isinstance(missing, list):
        listed = ", ".join(f"{place:.6g}" for place in missing[:MOST_PLACES]) + (", ..." if len(missing) > MOST_PLACES else "")
        yield f"slices missing: {attrs['missing_slices']}, at z = {listed} mm"
    elif attrs.get("is_regular") is False:
        yield "slices are unevenly spaced"
    if attrs.get("is_sheared"):
        yield f"sheared by {attrs['shear_degrees']:.3g} degrees (gantry tilt)"


def _losses(grid: FrameGrid) -> Iterator[str]:
    frames = np.unique(grid.frames.instance[grid.rows[grid.rows >= 0]])
    table = grid.frames.instances
    if LOSSY_SYNTAXES & {table.encodings[code].transfer_syntax_uid for code in np.unique(table.encoding[frames])}:
        yield "compressed with loss"
        return
    column = grid.column("lossy_image_compression")
    if column is not None and "01" in {str(column.values[code]) for code in np.unique(column.codes) if code >= 0}:
        yield "compressed with loss"
