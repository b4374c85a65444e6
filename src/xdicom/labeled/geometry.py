"""Where the voxels of a labelled array lie in the patient, after any selection along its axes."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.model.plane import LPS_TO_RAS, orientation_letters, unit

STRAIGHT_SHARE = 0.02
"""Steps along an axis differ by no more than this share, where one matrix holds for all of them."""


def affine_of(array: xr.DataArray, space: Literal["LPS", "RAS"] = "LPS") -> np.ndarray:
    """Matrix from index (column, row, slice, 1) of `array` to patient coordinates [mm]; float64, shape `(4, 4)`.

    Of an image of a slide it leads to the slide's coordinates, and its third column is zero. It follows the coordinates, so that
    it is right after slicing, striding and sorting along `z`, `y` and `x`. The third
    column is zero where the series has one slice: one slice tells no step.

    Parameters
    ----------
    array
        A labelled array with a place in the patient, or on a slide.
    space
        `"LPS"`, the patient coordinates of DICOM (to the left, to the back, to the head), or `"RAS"`, those of NIfTI.

    Raises
    ------
    InconsistentSeriesError
        If the array has no geometry, or its slices are unevenly spaced.

    Examples
    --------
    >>> import xdicom
    >>> ct = xdicom.open_series("testdata/ct")
    >>> ct.dicom.affine[:3, 3].tolist() == [float(ct[axis][0]) for axis in ("x", "y", "z")]
    True
    >>> ct.dicom.to_affine("RAS")[0].tolist() == (-ct.dicom.affine[0]).tolist()
    True
    """
    cosines, is_slide = array.attrs.get("image_orientation_patient"), False
    if cosines is None and array.attrs.get("total_pixel_matrix_origin") is not None and space == "LPS":
        cosines, is_slide = array.attrs.get("image_orientation_slide"), True
    if cosines is None or "y" not in array.coords or "x" not in array.coords:
        raise InconsistentSeriesError("the array has no place in the patient: its header states no position, orientation or spacing")
    row_direction, column_direction = np.array(cosines[:3], float), np.array(cosines[3:6], float)
    normal = unit(np.cross(row_direction, column_direction))
    first, step = (np.zeros(3), np.zeros(3)) if is_slide else _slices(array, normal)
    x_first, x_step = _line(array, "x")
    y_first, y_step = _line(array, "y")
    matrix = np.eye(4)
    matrix[:3, 0] = row_direction * x_step
    matrix[:3, 1] = column_direction * y_step
    matrix[:3, 2] = step
    matrix[:3, 3] = x_first * row_direction + y_first * column_direction + first
    matrix[:3, 3] += 0 if is_slide else _shift(array, first, normal)
    return (LPS_TO_RAS @ matrix if space == "RAS" else matrix) + 0.0  # no -0.0


def _shift(array: xr.DataArray, first: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Shift of the first slice within its plane.

    In a sheared stack (gantry tilt) x and y are those of the first slice that was opened, and the slices between that one
    and this array's first one add their part of the shear.
    """
    if "affine" not in array.attrs:
        return np.zeros(3)
    opened = np.array(array.attrs["affine"], float)
    step = opened[:3, 2]
    along = float(step @ normal)
    slices = float((first - opened[:3, 3]) @ normal) / along if along else 0.0
    return slices * np.asarray(step - along * normal)


def _slices(array: xr.DataArray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place of the first slice along the normal, and the way from one to the next."""
    if "z" not in array.coords:
        raise InconsistentSeriesError("the array has no z coordinate: it has no place along the slice normal")
    z = np.atleast_1d(np.asarray(array["z"].values, float))
    if array["z"].ndim and array["z"].dims != ("z",):
        raise InconsistentSeriesError("z is no axis of the array: its frames form no grid, and no single matrix places them")
    first = z[0] * normal
    if len(z) == 1:
        opened = array.attrs.get("affine")
        return first, np.zeros(3) if opened is None else np.array(opened, float)[:3, 2]
    steps = np.diff(z)
    if np.abs(steps - np.median(steps)).max() > STRAIGHT_SHARE * abs(np.median(steps)) or "affine" not in array.attrs:
        raise InconsistentSeriesError(
            f"slices are unevenly spaced ({np.abs(steps).min():g} to {np.abs(steps).max():g} mm): no single matrix places them. "
            "Use the coordinates z and image_position_patient_x, _y, _z, or .dicom.regular_z()"
        )
    step = (z[-1] - z[0]) / (len(z) - 1)
    stored = np.array(array.attrs["affine"], float)[:3, 2]
    along = float(stored @ normal)
    return first, stored * (step / along) if along else step * normal


def _line(array: xr.DataArray, name: str) -> tuple[float, float]:
    """Position of the first row or column, and the way to the next."""
    values = np.atleast_1d(np.asarray(array[name].values, float))
    steps = np.diff(values)
    if len(steps) and np.abs(steps - np.median(steps)).max() > STRAIGHT_SHARE * abs(np.median(steps)):
        raise InconsistentSeriesError(
            f"positions along {name} are unevenly spaced: no single matrix places them. Select along {name} with even steps"
        )
    spacing = array.attrs.get("pixel_spacing", [0.0, 0.0])[0 if name == "y" else 1]
    return float(values[0]), float((values[-1] - values[0]) / (len(values) - 1)) if len(values) > 1 else float(spacing)


def orientation_of(array: xr.DataArray) -> str:
    """Sides of the patient to which the axes x, y and z point, as three letters; `LPS` for a patient-aligned axial stack.

    Raises
    ------
    InconsistentSeriesError
        If the array has no geometry.
    """
    cosines = array.attrs.get("image_orientation_patient")
    if cosines is None or len(cosines) != 6:
        raise InconsistentSeriesError("the array has no orientation in the patient")
    row_direction, column_direction = np.array(cosines[:3], float), np.array(cosines[3:6], float)
    normal = np.cross(row_direction, column_direction)
    return "".join(orientation_letters(direction) for direction in (row_direction, column_direction, normal))
