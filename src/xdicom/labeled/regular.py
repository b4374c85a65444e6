"""Slices on an even z axis: missing ones filled with a value that is asked for, nothing resampled."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.model.plane import unit

REGULAR_SHARE = 0.01
"""Gaps are whole multiples of the step within this share, and slices lie within this share of a step of the even axis."""
STRAIGHT_MM = 0.1
"""Origins of an even stack lie within this of a straight line [mm]."""
FILLED = "filled_positions"
"""Attribute that tells which positions of z were filled [mm]."""

_ORIGIN = tuple(f"image_position_patient_{axis}" for axis in "xyz")
_GAP_ATTRS = ("missing_slices", "missing_positions")


def regular_z(array: xr.DataArray, fill_value: float) -> xr.DataArray:
    """The array on an even z axis, with `fill_value` where a slice is missing; lazy where `array` is, and of its type.

    No slice is resampled: those that are there keep their values, and what is between them is filled. Coordinates along z
    have no value at filled positions: numbers are NaN (whole numbers become float64), texts are empty, and `frame_number`
    is 0. The attribute `filled_positions` lists the positions that were filled, and the array has an affine again.

    Parameters
    ----------
    array
        An array with a z axis in millimetres, ascending or descending.
    fill_value
        Value of filled slices, in the meaning that the values have now: -1024 for CT in HU, NaN for floats. Where slope
        and intercept vary from slice to slice, call `to_modality()` first: a filled slice has none.

    Returns
    -------
    xarray.DataArray
        The same array where no slice is missing.

    Raises
    ------
    InconsistentSeriesError
        If slices are unevenly spaced and gaps are no whole multiples of one step within 1 %, or there is no z axis.
    ValueError
        If the type of the values does not hold `fill_value`.

    Examples
    --------
    >>> import xarray as xr, xdicom
    >>> ct = xr.DataArray([[1.0], [2.0], [4.0]], dims=("z", "x"), coords={"z": [0.0, 2.5, 7.5]})
    >>> ct.dicom.regular_z(fill_value=-1024.0)["z"].values.tolist()
    [0.0, 2.5, 5.0, 7.5]
    """
    if "z" not in array.dims or "z" not in array.coords:
        raise InconsistentSeriesError("the array has no z axis: its frames have no place along a slice normal, or form no grid")
    value = _as_value(array, fill_value)
    z = np.asarray(array["z"].values, np.float64)
    if len(z) < 2:
        return array
    place = _places(z)
    count = int(place[-1]) + 1
    if count == len(z):
        return array
    even = np.linspace(z[0], z[-1], count)
    source = np.full(count, len(z), np.int64)
    source[place] = np.arange(len(z))
    result = take_or_fill(array, "z", source, value).assign_coords(z=("z", even, array["z"].attrs))
    attrs = {name: kept for name, kept in array.attrs.items() if name not in _GAP_ATTRS}
    filled = even[np.setdiff1d(np.arange(count), place)]
    attrs |= {"is_regular": True, "spacing_between_slices": float(abs(even[1] - even[0])), FILLED: filled.tolist()}
    affine = _affine(array, count)
    if affine is not None:
        attrs["affine"] = affine
    result.attrs = attrs
    return result


def _as_value(array: xr.DataArray, fill_value: float) -> np.ndarray:
    """`fill_value` in the type of the values."""
    dtype = array.dtype
    if dtype.kind in "iu":
        limits = np.iinfo(dtype.str)
        if not (float(fill_value).is_integer() and limits.min <= fill_value <= limits.max):
            raise ValueError(
                f"{dtype} values can't be {fill_value}: choose a whole number from {limits.min} to {limits.max}, "
                "or turn them into floats first"
            )
    return np.asarray(fill_value).astype(dtype)


def _places(z: np.ndarray) -> np.ndarray:
    """Number of each slice on the even axis from the first slice to the last one."""
    gaps = np.diff(z)
    if np.isnan(gaps).any() or not ((gaps > 0).all() or (gaps < 0).all()):
        raise InconsistentSeriesError("z neither rises nor falls from slice to slice: sort the array with sortby('z') first")
    for step in (np.median(gaps), gaps[np.argmin(np.abs(gaps))]):
        multiples = np.rint(gaps / step)
        if (multiples < 1).any():
            continue
        step = (z[-1] - z[0]) / multiples.sum()
        place = np.concatenate([[0], np.cumsum(multiples)]).astype(np.int64)
        is_even = np.abs(gaps - multiples * step) <= REGULAR_SHARE * np.abs(multiples * step)
        is_on_axis = np.abs(z - z[0] - place * step) <= REGULAR_SHARE * abs(step)
        if is_even.all() and is_on_axis.all():
            return place
    distances = np.abs(gaps)
    raise InconsistentSeriesError(
        f"slices are unevenly spaced: gaps of {distances.min():.6g} to {distances.max():.6g} mm are no whole multiples "
        "of one step within 1 %. Slices are filled in, never resampled: use interp() for values between them"
    )


def take_or_fill(array: xr.DataArray, dim: str, source: np.ndarray, value: np.ndarray | float) -> xr.DataArray:
    """Steps of `array` along `dim` in the order `source`, `value` where that is the number behind the last one.

    Coordinates along `dim` have no value there: numbers are NaN (whole numbers become float64), texts are empty, and
    `frame_number` is 0. The index of `dim` is left out.
    """
    data = _take(array.variable, xr.full_like(array.variable.isel({dim: slice(0, 1)}), value), dim, source)
    kept = {name: coord for name, coord in array.coords.items() if dim not in coord.dims}
    filled = {name: _fill(name, coord.variable, dim, source) for name, coord in array.coords.items() if name != dim and dim in coord.dims}
    return xr.DataArray(data, coords={**kept, **filled}, dims=array.dims, name=array.name, attrs=array.attrs)


def _take(variable: xr.Variable, filler: xr.Variable, dim: str, source: np.ndarray) -> xr.Variable:
    joined: xr.Variable = xr.Variable.concat([variable, filler], dim=dim)
    return joined.isel({dim: source})


def _fill(name: object, variable: xr.Variable, dim: str, source: np.ndarray) -> xr.Variable:
    kind = variable.dtype.kind
    if kind in "iu" and name != "frame_number":
        variable = variable.astype(np.float64)
    empty: object = 0 if name == "frame_number" else "" if kind in "UO" else np.nan
    if kind in "mM":
        empty = np.array("NaT", variable.dtype)
    filler = variable.isel({dim: slice(0, 1)}).copy(deep=True)
    filler = filler.copy(data=np.full(filler.shape, empty, dtype=variable.dtype))
    return _take(variable, filler, dim, source)


def _affine(array: xr.DataArray, count: int) -> list[list[float]] | None:
    """Index to LPS [mm] of the filled array, where its origins lie on a straight line."""
    cosines, spacing = array.attrs.get("image_orientation_patient"), array.attrs.get("pixel_spacing")
    if cosines is None or spacing is None or not all(name in array.coords and array[name].dims == ("z",) for name in _ORIGIN):
        return None
    origins = np.stack([np.asarray(array[name].values, np.float64) for name in _ORIGIN], axis=1)
    z = np.asarray(array["z"].values, np.float64)
    step = (origins[-1] - origins[0]) / (count - 1)
    line = origins[0] + np.outer((z - z[0]) / (z[-1] - z[0]) * (count - 1), step)
    if not np.linalg.norm(origins - line, axis=1).max() <= STRAIGHT_MM:
        return None
    matrix = np.eye(4)
    matrix[:3, 0] = unit(np.array(cosines[:3], float)) * spacing[1]
    matrix[:3, 1] = unit(np.array(cosines[3:6], float)) * spacing[0]
    matrix[:3, 2], matrix[:3, 3] = step, origins[0]
    return [[float(number) for number in row] for row in matrix]
