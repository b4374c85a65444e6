"""Where the planes of a labelled array lie in the patient, and what its labels say of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.model.plane import unit

PLANE = ("y", "x", "sample")
"""Dimensions of a plane; planes lie along all others."""
EVEN_SHARE = 1e-3
"""Steps between rows and columns differ by no more than this share of the spacing."""
PLACE_TOLERANCE_MM = 0.01
"""Largest distance between the position that `z` states for a plane and the one its image position does [mm]."""


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Geometry of the planes of an array."""

    orientation: tuple[float, ...] | None
    """Six cosines of the directions along a row and along a column; None where the planes have no place in the patient."""
    spacing_mm: tuple[float, float] | None
    """Distances between rows and between columns; None where labels do not tell."""
    positions_mm: np.ndarray | None
    """Centre of the first pixel of each plane; float64, shape `(planes, 3)`."""
    step_mm: float | None
    """Distance from slice to slice, where all are evenly spaced."""


def arranged(array: xr.DataArray) -> xr.DataArray:
    """`array` with the dimensions of a plane behind all others.

    Raises
    ------
    ValueError
        If it has no rows or no columns.
    """
    missing = [dim for dim in ("y", "x") if dim not in array.dims]
    if missing:
        there = ", ".join(map(str, array.dims))
        raise ValueError(f"an image has rows and columns, and this array no dimension {' and '.join(missing)}: it has {there}")
    return array.transpose(..., *(dim for dim in PLANE if dim in array.dims))


def frame_sizes(array: xr.DataArray) -> dict[Any, int]:
    """Lengths of the dimensions that count planes."""
    return {dim: size for dim, size in array.sizes.items() if dim not in PLANE}


def label_of(array: xr.DataArray, name: str) -> np.ndarray | None:
    """What a coordinate says of each plane, in C order; None where there is none, or it varies within planes."""
    if name not in array.coords:
        return None
    sizes = frame_sizes(array)
    variable = array.coords[name].variable
    if not set(variable.dims) <= set(sizes):
        return None
    return np.asarray(variable.set_dims(sizes).values).reshape(-1)


def planes_of(array: xr.DataArray) -> Planes:
    """Geometry of an arranged array, from its coordinates after whatever was done to it.

    Raises
    ------
    InconsistentSeriesError
        If labels contradict each other, or rows or columns are unevenly spaced.
    """
    y_first, y_step = line_of(array, "y")
    x_first, x_step = line_of(array, "x")
    spacing = None if y_step is None or x_step is None else (abs(y_step), abs(x_step))
    cosines = array.attrs.get("image_orientation_patient")
    z, stated = label_of(array, "z"), _stated_positions(array)
    if cosines is None and z is not None:
        raise InconsistentSeriesError(
            "planes have a position z, and no attribute image_orientation_patient says along which direction: give the attributes of the "
            "series that the array was made of, as with array.assign_attrs(series.attrs), or drop what is no position, "
            "as with array.drop_vars('z')"
        )
    if cosines is None or y_first is None or x_first is None or (z is None and stated is None):
        return Planes(None, spacing, None, None)
    row, column = unit(np.array(cosines[:3], float)), unit(np.array(cosines[3:6], float))
    normal = unit(np.cross(row, column))
    if stated is None:
        assert z is not None
        if not np.isfinite(z.astype(float)).all():
            raise InconsistentSeriesError(
                "z has values that are no numbers: give the position of every plane, as with assign_coords(z=...)"
            )
        places = np.stack([np.full(len(z), x_first), np.full(len(z), y_first), z.astype(float)])
        positions = np.linalg.solve(np.stack([row, column, normal]), places).T + _shear(array, z, normal)
    else:
        if z is not None and np.abs(stated @ normal - z).max(initial=0) > PLACE_TOLERANCE_MM:
            worst = int(np.abs(stated @ normal - z).argmax())
            raise InconsistentSeriesError(
                f"labels contradict each other: plane {worst} lies at z = {z[worst]:g} mm, and at {stated[worst] @ normal:g} mm "
                "by its coordinates image_position_patient_x, _y, _z. Drop or change what is wrong, "
                "as with array.drop_vars('image_position_patient_x')"
            )
        x_opened, y_opened = _opened_corner(array, stated, row, column)
        positions = stated + (x_first - x_opened) * row + (y_first - y_opened) * column
    signs = (-1.0 if x_step is not None and x_step < 0 else 1.0), (-1.0 if y_step is not None and y_step < 0 else 1.0)
    orientation = tuple((signs[0] * np.array(cosines[:3], float)).tolist() + (signs[1] * np.array(cosines[3:6], float)).tolist())
    return Planes(orientation, spacing, positions, _step(positions @ normal))


def planes_on(mask: xr.DataArray, source: xr.DataArray) -> np.ndarray:
    """Number of the plane of `source` that each plane of `mask` lies on; rows and columns must be the same.

    Raises
    ------
    InconsistentSeriesError
        If they do not lie on one another.
    """
    for name in ("z", "y", "x"):
        if name not in mask.coords or name not in source.coords or mask[name].ndim > 1:
            raise InconsistentSeriesError(
                f"a mask or map and its source need coordinates {name}: without them nothing tells what lies where"
            )
    for name in ("y", "x"):
        if mask.sizes[name] != source.sizes[name] or np.abs(mask[name].values - source[name].values).max() > PLACE_TOLERANCE_MM:
            raise InconsistentSeriesError(f"{name} of the mask or map is not that of the source: cut or fill both alike")
    z, places = np.atleast_1d(mask["z"].values), np.atleast_1d(source["z"].values)
    nearest = np.abs(places[None, :] - z[:, None]).argmin(axis=1)
    if np.abs(places[nearest] - z).max() > PLACE_TOLERANCE_MM:
        raise InconsistentSeriesError("planes of the mask or map are none of the source's: z differs")
    return np.asarray(nearest)


def line_of(array: xr.DataArray, name: str) -> tuple[float | None, float | None]:
    """First value and step of the coordinate of rows or columns; None where there is no such coordinate."""
    spacing = array.attrs.get("pixel_spacing")
    stated = None if spacing is None else float(spacing[0 if name == "y" else 1])
    if name not in array.coords or array.coords[name].dims != (name,):
        return None, stated
    values = np.asarray(array.coords[name].values, float)
    if not np.isfinite(values).all():
        raise InconsistentSeriesError(
            f"{name} has values that are no numbers, so that nothing tells where rows and columns lie: give all of them, "
            f"as with array.assign_coords({name}=...)"
        )
    if len(values) < 2:
        return float(values[0]), stated
    step = (values[-1] - values[0]) / (len(values) - 1)
    if np.abs(np.diff(values) - step).max() > EVEN_SHARE * abs(step) or step == 0:
        raise InconsistentSeriesError(f"{name} is unevenly spaced: DICOM has one distance for all rows and one for all columns")
    if stated is not None and abs(abs(step) - stated) <= 1e-6 * stated:
        step = np.copysign(stated, step)
    return float(values[0]), float(step)


def _stated_positions(array: xr.DataArray) -> np.ndarray | None:
    parts = [label_of(array, f"image_position_patient_{axis}") for axis in "xyz"]
    if any(part is None for part in parts):
        return None
    positions = np.stack([np.asarray(part, float) for part in parts], axis=-1)
    return positions if np.isfinite(positions).all() else None


def _opened_corner(array: xr.DataArray, positions: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[float, float]:
    """What `x` and `y` of the first pixel were when the series was opened: those of the corner of its first plane.

    In a sheared stack (gantry tilt) every plane has another corner, and `x` and `y` are those of the first one's.
    """
    if "affine" in array.attrs:
        first = np.array(array.attrs["affine"], float)[:3, 3]
        return float(first @ row), float(first @ column)
    along_row, along_column = positions @ row, positions @ column
    if np.ptp(along_row) > PLACE_TOLERANCE_MM or np.ptp(along_column) > PLACE_TOLERANCE_MM:
        x, y = float(array.coords["x"].values[0]), float(array.coords["y"].values[0])
        is_whole = np.isclose(along_row, x, atol=1e-6) & np.isclose(along_column, y, atol=1e-6)
        if not is_whole.any():
            raise InconsistentSeriesError(
                "the planes are shifted against each other and unevenly spaced, and rows or columns were selected: "
                "their corners can't be told. "
                "Select rows and columns after to_dicom(), or slices of even distance"
            )
        return x, y
    return float(along_row[0]), float(along_column[0])


def _shear(array: xr.DataArray, z: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Shift of each plane within itself, where slices are stacked aslant (gantry tilt); shape `(planes, 3)`."""
    if "affine" not in array.attrs:
        return np.zeros((len(z), 3))
    opened = np.array(array.attrs["affine"], float)
    step = opened[:3, 2]
    along = float(step @ normal)
    if not along:
        return np.zeros((len(z), 3))
    slices = (z.astype(float) - float(opened[:3, 3] @ normal)) / along
    return np.asarray(slices[:, None] * (step - along * normal))


def _step(places: np.ndarray) -> float | None:
    """Distance of neighboring places, where it is the same for all."""
    steps = np.diff(np.unique(np.round(places, 4)))
    if not len(steps) or np.ptp(steps) > 0.01 * np.median(steps):
        return None
    return float(np.ptp(places) / len(steps))
