"""The meaning of values: stored, without padding, modality (PS3.3 C.7.5.1.1.2, C.11.1)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from xdicom.labeled.parameters import (
    MODALITY,
    PADDING,
    PADDING_PAIRS,
    RESCALE_COORDS,
    STORED,
    STORED_ATTRS,
    Parameter,
    bits_stored,
    modality_table,
    modality_units,
    parameter,
    possible_range,
    relabeled,
    rescale_parameters,
    stage,
    stored_dtype,
)
from xdicom.labeled.tables import table_from_attrs
from xdicom.lazy.apply import apply
from xdicom.transforms import padding
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.modality import SINGLE_PRECISION_BITS, modality_dtype, rescale
from xdicom.transforms.pieces import part, pieces


def to_modality(array: xr.DataArray, *, dtype: DTypeLike | None = None) -> xr.DataArray:
    """Modality values of stored values: HU, Bq/ml, Gy or whatever the file defines (PS3.3 C.11.1).

    A Modality LUT wins over slope and intercept. The parameters are taken from the array's own coordinates and
    attributes and are gone from the result, so that they can't be applied twice.

    Parameters
    ----------
    array
        `stored_values`, numpy- or dask-backed.
    dtype
        A type asked for: float32, float64, or an integer type that holds every value exactly. By default integers stay
        integers where every slope is 1 and every intercept whole; else float32, or float64 for stored values of more
        than 24 bits, which float32 does not hold exactly.

    Returns
    -------
    xarray.DataArray
        `modality_values`, lazy where `array` is; `units` in attrs where the file defines them.

    Raises
    ------
    ValueError
        When `array` does not hold stored values, holds colour, or `dtype` can't hold the result.

    Examples
    --------
    >>> import xdicom
    >>> hu = xdicom.open_series("testdata/ct").dicom.to_modality()
    >>> hu.name, hu.attrs["units"], str(hu.dtype)
    ('modality_values', 'HU', 'int32')
    """
    stage(array, (STORED,), "to_modality")
    refuse_color(array, "to_modality")
    table = modality_table(array)
    wanted = None if dtype is None else np.dtype(dtype)
    if table is not None or "modality_luts" in array.attrs:
        data, _ = _through_tables(array, table, wanted)
    else:
        slope, intercept = rescale_parameters(array)
        result = modality_dtype(array.dtype, slope, intercept, bits_stored=bits_stored(array), dtype=wanted)
        if array.dtype == result and np.all(np.asarray(slope) == 1) and np.all(np.asarray(intercept) == 0):
            data = array.data
        else:
            data = apply(partial(rescale, dtype=result), array.data, slope, intercept, dtype=result)
    attrs: dict[str, object] = {}
    units, limits = modality_units(array), possible_range(array)
    if units is not None:
        attrs["units"] = units
    if limits is not None:
        attrs["value_range"] = list(limits)
    return relabeled(array, data, MODALITY, without=(*RESCALE_COORDS, *STORED_ATTRS, "units"), attrs=attrs)


def mask_padding(array: xr.DataArray) -> xr.DataArray:
    """Stored values with NaN where the file says that pixels are padding (PS3.3 C.7.5.1.1.2).

    Stored values up to 24 bits become float32, wider ones float64. An array whose file declares no padding is given
    back as it is.

    Parameters
    ----------
    array
        `stored_values`: padding is defined before anything else is done to them.

    Returns
    -------
    xarray.DataArray
        `stored_values` without the attributes that declare padding.

    Raises
    ------
    ValueError
        When `array` does not hold stored values.
    """
    stage(array, (STORED,), "mask_padding")
    declared = _padding(array)
    if declared is None:
        return array
    dtype = stored_dtype(array)
    bits = 53 if dtype is None and array.dtype.itemsize > 4 else 24 if dtype is None else (bits_stored(array) or 8 * dtype.itemsize)
    result = np.dtype(np.float32 if bits <= SINGLE_PRECISION_BITS else np.float64)
    data = apply(partial(padding.mask_padding, dtype=result), array.data, *declared, dtype=result)
    attrs = {} if dtype is None else {"stored_dtype": dtype.name}
    return relabeled(array, data, STORED, without=PADDING, attrs=attrs)


def padding_mask(array: xr.DataArray) -> xr.DataArray:
    """Which stored values are padding; False everywhere where the file declares none.

    Raises
    ------
    ValueError
        When `array` does not hold stored values.
    """
    stage(array, (STORED,), "padding_mask")
    data = apply(padding.is_padding, array.data, *(_padding(array) or (np.nan, np.nan)), dtype=np.dtype(bool))
    return xr.DataArray(data, coords=array.coords, dims=array.dims, name="padding_mask")


def apply_table(values: np.ndarray, *, table: LookupTable, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Entries of `table` for `values`, in a type that holds them; NaN where values are missing."""
    return table.apply(values, dtype)


def apply_tables(values: np.ndarray, which: np.ndarray, *, tables: tuple[LookupTable, ...], dtype: np.dtype[np.generic]) -> np.ndarray:
    """Entries for `values` from the table that each frame's number in `which` names; `which` broadcasts against `values`."""
    out = np.empty(values.shape, dtype)
    for index in pieces(values.shape):
        piece, target, numbers = values[index], out[index], part(which, index)
        for number in np.unique(numbers):
            here = np.broadcast_to(numbers == number, piece.shape)
            target[here] = tables[int(number)].apply(piece[here], dtype)
    return out


def table_dtype(array: xr.DataArray, *tables: LookupTable) -> np.dtype[np.generic]:
    """Type of the modality values that `tables` make of `array`: of the entries, or floating-point where values may be missing."""
    missing = (np.float32,) if array.dtype.kind == "f" else ()
    return np.result_type(*(table.data.dtype for table in tables), *missing)


def _through_tables(
    array: xr.DataArray, table: LookupTable | None, wanted: np.dtype[np.generic] | None
) -> tuple[object, np.dtype[np.generic]]:
    if table is not None:
        which: np.ndarray | float = 0.0
        tables: tuple[LookupTable, ...] = (table,)
    else:
        tables = tuple(table_from_attrs(attrs) for attrs in array.attrs["modality_luts"])
        found = parameter(array, "modality_lut_index")
        if found is None:
            raise ValueError("the array has modality_luts but no coordinate modality_lut_index that says which frame has which")
        which = found
    natural = table_dtype(array, *tables)
    result = natural if wanted is None else wanted
    if not np.can_cast(natural, result, "safe"):
        raise ValueError(f"{result} does not hold the entries of this Modality LUT exactly: {natural} does")
    if len(tables) == 1 or isinstance(which, float):
        chosen = tables[int(which)] if isinstance(which, float) else tables[0]
        return apply(partial(apply_table, table=chosen, dtype=result), array.data, dtype=result), result
    return apply(partial(apply_tables, tables=tables, dtype=result), array.data, which, dtype=result), result


def _padding(array: xr.DataArray) -> tuple[Parameter, Parameter] | None:
    """Both ends of the range of padding values, NaN for none; numbers read with the wrong sign are put right (PS3.3 C.7.5.1.1.2)."""
    for value, limit in PADDING_PAIRS:
        one, other = (_as_stored(parameter(array, name, array.attrs.get(name, np.nan)), array) for name in (value, limit))
        if not np.isnan(one).all():
            return one, other
    return None


def _as_stored(number: Parameter | None, array: xr.DataArray) -> Parameter:
    assert number is not None
    dtype = stored_dtype(array)
    if dtype is None or dtype.kind not in "iu":
        return number if isinstance(number, np.ndarray) else float(number)
    turn = float(2 ** (8 * dtype.itemsize))
    numbers = np.asarray(number, np.float64)
    if dtype.kind == "i":
        numbers = np.where(numbers > np.iinfo(dtype.str).max, numbers - turn, numbers)
    else:
        numbers = np.where(numbers < 0, numbers + turn, numbers)
    return numbers if numbers.ndim else float(numbers)


def refuse_color(array: xr.DataArray, what: str) -> None:
    """Raise where values are colour samples or numbers of colours.

    Raises
    ------
    ValueError
        With what to do with them instead.
    """
    samples, stated = int(array.attrs.get("samples_per_pixel", 1)), str(array.attrs.get("photometric_interpretation", "colour"))
    if samples > 1 and stated.startswith("MONOCHROME"):
        raise ValueError(
            f"{what} is for grayscale; these are {samples} samples a pixel, which the header calls {stated}. Say what they are: "
            "array.assign_attrs(photometric_interpretation='RGB').dicom.to_rgb()"
        )
    if samples > 1 or stated == "PALETTE COLOR":
        raise ValueError(f"{what} is for grayscale; these are {stated} samples: use to_rgb()")
