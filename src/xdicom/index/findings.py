"""What there is to know of an array before it is made: its shape, why it stands alone, gaps and oddities, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from xdicom.headers.private import assumed_sources
from xdicom.index.sizes import readable_size
from xdicom.index.spacing import REGULAR_SHARE
from xdicom.model.grid import FrameGrid

MOST_PLACES = 5
"""Positions of missing slices, and cells without a frame, that a sentence tells."""
LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 81))
"""Transfer syntaxes that always lose something (PS3.5 A.4)."""


def shape_of(grid: FrameGrid) -> str:
    """Dimensions, type and size of the array of `grid`, such as `z 24, y 160, x 192; int16, 1.5 MB`."""
    dtype = grid.encoding.dtype
    dims = ", ".join(f"{dim} {length}" for dim, length in zip(grid.dims, grid.shape, strict=True))
    return f"{dims}; {dtype}, {readable_size(math.prod(grid.shape) * dtype.itemsize)}"


def describe_array(grid: FrameGrid) -> list[str]:
    """Why the array of `grid` stands alone, how its slices lie, and what is odd about them; a sentence each."""
    return [*_reasons(grid), *_places(grid), *_losses(grid), *_dimensions(grid), *_assumptions(grid)]


def _reasons(grid: FrameGrid) -> Iterator[str]:
    reasons = grid.attrs.get("split_by")
    if isinstance(reasons, list) and reasons:
        yield f"apart because of {'; '.join(map(str, reasons))}"
    if "incomplete" in grid.attrs:
        yield f"frames in a row, since they fill no grid: {grid.attrs['incomplete']}"
        missing = _missing_cells(grid)
        if missing:
            yield f"missing: {_listed(missing)}"
        odd = grid.attrs.get("odd_places")
        if isinstance(odd, list) and odd and grid.origins is not None and grid.plane is not None:
            z = grid.origins @ grid.plane.normal
            yield f"unlike most places: {_listed([f'{count} at z = {z[place]:.6g}' for place, count in odd])}"
    empty = int((grid.rows < 0).sum())
    if empty:
        yield f"{empty} cells of the grid have no frame"


def _missing_cells(grid: FrameGrid) -> list[str]:
    """Cells that no frame fills, each by its value on the extra axis and its position."""
    cells, values, axis = (grid.attrs.get(name) for name in ("missing_cells", "missing_values", "missing_axis"))
    if not isinstance(cells, list) or grid.origins is None or grid.plane is None:
        return []
    z = grid.origins @ grid.plane.normal
    steps = (
        [f"{value:.6g}" if isinstance(value, float) else str(value or "none") for value in values]
        if isinstance(values, list)
        else [str(cell[0]) for cell in cells]
    )
    return [f"{axis} {step} at z = {z[place]:.6g}" for step, (_, place) in zip(steps, cells, strict=True)]


def _places(grid: FrameGrid) -> Iterator[str]:
    attrs = grid.attrs
    if grid.plane is not None and "plane" in attrs:
        spacing = attrs.get("spacing_between_slices")
        yield f"{str(attrs['plane']).replace('_', ' ')}" + (f", slices {spacing:.6g} mm apart" if isinstance(spacing, float) else "")
    missing = attrs.get("missing_positions")
    if isinstance(missing, list):
        what = "planes left out as empty" if "segment" in grid.dims else "slices missing"
        yield f"{what}: {attrs['missing_slices']}, at z = {_listed([f'{place:.6g}' for place in missing])} mm"
    elif attrs.get("is_regular") is False:
        yield "slices are unevenly spaced" + _gap_range(grid)
    yield from _stated_spacing(grid)
    if attrs.get("is_sheared"):
        yield f"sheared by {attrs['shear_degrees']:.3g} degrees (gantry tilt)"


def _stated_spacing(grid: FrameGrid) -> Iterator[str]:
    """That Spacing Between Slices is not the distance of the slices, neither along the normal nor along their line."""
    found, column = grid.attrs.get("spacing_between_slices"), grid.column("spacing_between_slices")
    stated = column.first_numbers() if column is not None and column.kind == "number" else np.full(1, np.nan)
    if not isinstance(found, float) or np.isnan(stated).all():
        return
    steps = [found, *([float(np.linalg.norm(grid.affine[:3, 2]))] if grid.affine is not None else [])]
    value = abs(float(stated[np.isfinite(stated)][0]))
    if all(abs(value - step) > REGULAR_SHARE * step for step in steps):
        yield f"Spacing Between Slices says {value:.6g} mm; positions hold"


def _gap_range(grid: FrameGrid) -> str:
    places = next((axis.values for axis in grid.axes if axis.name == "z"), None)
    if places is None or len(places) < 2:
        return ""
    gaps = np.diff(places)
    return f": {gaps.min():.6g} to {gaps.max():.6g} mm"


def _losses(grid: FrameGrid) -> Iterator[str]:
    rows = np.unique(grid.rows[grid.rows >= 0])
    lossy = count_lossy(grid, rows)
    if lossy:
        yield "compressed with loss" if lossy == len(rows) else f"{lossy} of {len(rows)} frames compressed with loss"


def _dimensions(grid: FrameGrid) -> Iterator[str]:
    """That Dimension Index Values of one object do not tell its frames apart, which other elements do (PS3.3 C.7.6.17)."""
    rows = np.unique(grid.rows[grid.rows >= 0])
    column = grid.frames.columns.get("dimension_index_values")
    if column is None or column.kind != "number" or not len(rows):
        return
    stated = rows[column.codes[rows] >= 0]
    told = np.unique(np.column_stack([grid.frames.instance[stated], column.codes[stated]]), axis=0)
    if len(told) < len(stated):
        yield f"dimension indices tell only {len(told)} of {len(stated)} frames apart"


def _assumptions(grid: FrameGrid) -> Iterator[str]:
    """Vendors' elements that are believed by their place and the manufacturer, since whose they are was removed (PS3.5 7.8.1)."""
    assumed = assumed_sources(grid.frames)
    if assumed:
        yield f"private creators are missing and were assumed: {_listed(assumed)}"


def count_lossy(grid: FrameGrid, rows: np.ndarray) -> int:
    """Frames among `rows` whose encoding loses something, or whose header says that one did (PS3.3 C.7.6.1.1.5)."""
    table = grid.frames.instances
    always = np.array([encoding.transfer_syntax_uid in LOSSY_SYNTAXES for encoding in table.encodings])
    lossy = always[table.encoding[grid.frames.instance[rows]]]
    column = grid.frames.column("lossy_image_compression")
    if column is not None and column.kind == "text":
        lossy = lossy | (column.take(rows).texts() == "01")
    return int(lossy.sum())


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:MOST_PLACES]) + (", ..." if len(texts) > MOST_PLACES else "")
