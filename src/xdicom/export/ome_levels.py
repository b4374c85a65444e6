"""Coarser copies of an array: how many, how much coarser along which axis, and where their voxels lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr

from xdicom.lazy.blocks import Place

Method = Literal["mean", "nearest"]
"""How voxels become one: their mean, or the first of them, where a number is a name and not an amount."""
SMALLEST = 128
"""Levels are made until one has no more rows and columns than this."""
MAX_LEVELS = 16
SPACE = ("z", "y", "x")


def plan_levels(sizes: Mapping[str, int], spacing: Mapping[str, float], levels: int | Literal["auto"] = "auto") -> list[dict[str, int]]:
    """How many voxels become one along each axis, from each level to the next.

    Axes that are finer than twice the finest one are halved, so that voxels become more alike in their sides and slices
    that are thick stay as they are.

    Parameters
    ----------
    sizes
        Voxels along the spatial axes.
    spacing
        Distance of voxels along them [any unit, the same for all].
    levels
        Number of levels with the first, or `"auto"` for as many as it takes to come to 128 rows and columns.

    Examples
    --------
    >>> plan_levels({"z": 100, "y": 512, "x": 512}, {"z": 1.2, "y": 0.5, "x": 0.5})
    [{'y': 2, 'x': 2}, {'z': 2, 'y': 2, 'x': 2}]
    """
    if levels != "auto" and levels < 1:
        raise ValueError(f"levels is a number from 1 on, or 'auto', not {levels!r}")
    steps: list[dict[str, int]] = []
    now, apart = dict(sizes), dict(spacing)
    while len(steps) + 1 < (MAX_LEVELS if levels == "auto" else levels):
        if levels == "auto" and max(now[axis] for axis in ("y", "x")) <= SMALLEST:
            break
        finest = min((apart[axis] for axis in now if now[axis] > 1), default=0.0)
        step = {axis: 2 for axis in now if now[axis] > 1 and apart[axis] < 2 * finest}
        if not step:
            break
        for axis in step:
            now[axis], apart[axis] = -(-now[axis] // 2), 2 * apart[axis]
        steps.append(step)
    return steps


def coarser(array: xr.DataArray, step: Mapping[str, int], method: Method) -> xr.DataArray:
    """Labels of the next level of `array`, without values (they are zeros that take no memory).

    A voxel lies in the middle of those that it is the mean of, and where the first of them lies if it is that one.
    Labels of single slices do not hold for several and are left out.
    """
    shape = tuple(-(-size // step.get(str(dim), 1)) for dim, size in array.sizes.items())
    coords: dict[Any, Any] = {}
    for name, coordinate in array.coords.items():
        if not step.keys() & set(map(str, coordinate.dims)):
            coords[name] = coordinate.variable
        elif coordinate.dims == (name,) and coordinate.dtype.kind in "iuf":
            factor, values = step[str(name)], np.asarray(coordinate.values, float)
            apart = (values[-1] - values[0]) / (len(values) - 1) if len(values) > 1 else 0.0
            first = values[0] + (apart * (factor - 1) / 2 if method == "mean" else 0.0)
            coords[name] = xr.Variable(coordinate.dims, first + apart * factor * np.arange(-(-len(values) // factor)), coordinate.attrs)
    attrs = dict(array.attrs)
    if "pixel_spacing" in attrs:
        attrs["pixel_spacing"] = [apart * step.get(axis, 1) for apart, axis in zip(attrs["pixel_spacing"], ("y", "x"), strict=True)]
    if "affine" in attrs:
        grow = np.diag([*(float(step.get(axis, 1)) for axis in ("x", "y", "z")), 1.0])
        if method == "mean":
            grow[:3, 3] = [(step.get(axis, 1) - 1) / 2 for axis in ("x", "y", "z")]
        attrs["affine"] = (np.array(attrs["affine"], float) @ grow).tolist()
    if "spacing_between_slices" in attrs:
        attrs["spacing_between_slices"] = attrs["spacing_between_slices"] * step.get("z", 1)
    values = np.broadcast_to(np.zeros((), array.dtype), shape)
    return xr.DataArray(values, dims=array.dims, coords=coords, attrs=attrs, name=array.name)


def write_coarser_block(
    block: np.ndarray, place: Place, *, source: zarr.Array[Any], target: zarr.Array[Any], factors: tuple[int, ...], method: Method
) -> int:
    """Fill the block of a level at `place` from the level before, slice by slice, and return its bytes."""
    out = np.empty(block.shape, block.dtype)
    for first in range(block.shape[0]):
        own = (slice(place[0].start + first, place[0].start + first + 1), *place[1:])
        there = tuple(
            slice(part.start * factor, min(part.stop * factor, size)) for part, factor, size in zip(own, factors, source.shape, strict=True)
        )
        out[first : first + 1] = reduced(np.asarray(source[there]), factors, method)
    target[place] = out
    return out.nbytes


def reduced(values: np.ndarray, factors: Sequence[int], method: Method) -> np.ndarray:
    """`values` with blocks of so many voxels along each axis as one; a block at the far edge may be of fewer.

    Means of integers are rounded, halves to even; means of floats leave out NaN.

    Examples
    --------
    >>> reduced(np.array([[1, 3, 8], [5, 7, 9]]), (2, 2), "mean")
    array([[4, 8]])
    """
    if method == "nearest":
        return values[tuple(slice(None, None, factor) for factor in factors)]
    lacking = [(0, -size % factor) for size, factor in zip(values.shape, factors, strict=True)]
    whole = np.pad(values, lacking, mode="edge") if any(after for _, after in lacking) else values
    is_small = values.dtype.kind in "iub" and values.dtype.itemsize <= 2
    shape = tuple(-(-size // factor) for size, factor in zip(values.shape, factors, strict=True))
    total, count = np.zeros(shape, np.int32 if is_small else np.float64), np.zeros(shape, np.int32)
    for offsets in product(*map(range, factors)):
        part = whole[tuple(slice(offset, None, factor) for offset, factor in zip(offsets, factors, strict=True))]
        there = ~np.isnan(part) if part.dtype.kind == "f" else True
        total += np.where(there, part, 0) if part.dtype.kind == "f" else part
        count += there
    with np.errstate(invalid="ignore"):
        mean = total / count
    return mean.astype(values.dtype) if values.dtype.kind == "f" else np.rint(mean).astype(values.dtype)
