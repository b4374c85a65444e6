"""Real-world values: what stored values measure, by the file's own mappings (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.parameters import (
    REAL_WORLD,
    RESCALE_COORDS,
    STORED,
    STORED_ATTRS,
    VOI_ATTRS,
    Parameter,
    parameter,
    refuse_damaged,
    relabeled,
    stage,
    stored_dtype,
    window_coords,
)
from xdicom.labeled.tables import real_world_maps_from_attrs
from xdicom.lazy.apply import apply
from xdicom.transforms.modality import modality_dtype, rescale
from xdicom.transforms.real_world import RealWorldMap, map_linear, map_table

PHILIPS = "PHILIPS"
"""Name of the private scale of Philips, beside the mappings of the standard."""


def to_real_world(array: xr.DataArray, name: str | int | None = None, *, dtype: DTypeLike | None = None) -> xr.DataArray:
    """Real-world values of stored values; NaN where a stored value is not mapped.

    This is a branch of its own, not a step behind `to_modality`: mappings apply to stored values.

    Parameters
    ----------
    array
        `stored_values`, numpy- or dask-backed.
    name
        Which of several mappings: its LUT Label, LUT Explanation, unit or quantity, in capitals or not; or its number, from 0.
        "PHILIPS" means the scale of Philips' private Scale Slope (2005,xx0E) and Scale Intercept (2005,xx0D), which is no
        mapping of the standard and has no unit: (stored value - intercept) / slope.
    dtype
        float32 or float64. By default float32, or float64 for stored values of more than 24 bits.

    Returns
    -------
    xarray.DataArray
        `real_world_values`, with `units` as UCUM has them and `long_name` in attrs.

    Raises
    ------
    ValueError
        When `array` does not hold stored values, or the name fits none or several of the mappings; the message lists them.
    InconsistentSeriesError
        When the mappings of the frames do not go together: different units, or tables that differ.
    """
    stage(array, (STORED,), "to_real_world")
    refuse_damaged(array, "real_world_value_maps")
    wanted = None if dtype is None else np.dtype(dtype)
    if wanted is not None and wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"real-world values can't be of dtype {wanted}: ask for float32 or float64")
    result = wanted or modality_dtype(stored_dtype(array) or array.dtype, 0.5)
    if isinstance(name, str) and name.strip().upper() == PHILIPS:
        return _by_philips_scale(array, result)
    chosen, which = _choose(array, name)
    first = chosen[0]
    if first.table is not None:
        data = apply(partial(map_table, table=first.table, dtype=result), array.data, dtype=result)
    else:
        columns = ([mapping.slope for mapping in chosen], [mapping.intercept for mapping in chosen])
        ends = ([mapping.first_mapped for mapping in chosen], [mapping.last_mapped for mapping in chosen])
        numbers = [
            np.array(column, np.float64)[which] if isinstance(which, np.ndarray) else float(column[0] or 0.0)
            for column in (*columns, *ends)
        ]
        data = apply(partial(map_linear, dtype=result), array.data, *numbers, dtype=result)
    attrs = {"units": first.unit, "long_name": first.explanation or first.label or first.quantity}
    return _labeled(array, data, {key: value for key, value in attrs.items() if value})


def _labeled(array: xr.DataArray, data: object, attrs: dict[str, str]) -> xr.DataArray:
    gone = (*RESCALE_COORDS, *STORED_ATTRS, *VOI_ATTRS, *window_coords(array))
    return relabeled(array, data, REAL_WORLD, without=gone, attrs=attrs)


def _by_philips_scale(array: xr.DataArray, dtype: np.dtype[np.generic]) -> xr.DataArray:
    slope, intercept = (_stated(array, f"philips_scale_{name}") for name in ("slope", "intercept"))
    if slope is None or intercept is None:
        raise ValueError("the file has no Scale Slope and Scale Intercept of Philips, (2005,xx0E) and (2005,xx0D)")
    if not (np.isfinite(slope).all() and np.all(np.asarray(slope) != 0) and np.isfinite(intercept).all()):
        raise InconsistentSeriesError("some frames have no Scale Slope or Intercept of Philips, or one of 0: select those that have both")
    numbers = (1 / np.asarray(slope, np.float64), -np.asarray(intercept, np.float64) / slope)
    factors = [float(number) if number.ndim == 0 else number for number in numbers]
    data = apply(partial(rescale, dtype=dtype), array.data, *factors, dtype=dtype)
    return _labeled(array, data, {"long_name": "scale of Philips (2005,xx0E)"})


def _stated(array: xr.DataArray, name: str) -> Parameter | None:
    """A number of the header: a coordinate where it varies, else an attribute."""
    return float(array.attrs[name]) if name in array.attrs else parameter(array, name)


def _choose(array: xr.DataArray, name: str | int | None) -> tuple[list[RealWorldMap], np.ndarray | None]:
    """The mapping of each set of frames, and the number of each frame's set (None where there is one set)."""
    sets = real_world_maps_from_attrs(array.attrs.get("real_world_value_maps", []))
    if not sets:
        also = (
            f"; to_real_world({PHILIPS!r}) gives those by the private scale of Philips"
            if _stated(array, "philips_scale_slope") is not None
            else ""
        )
        raise ValueError(f"the file has no real-world value mapping (0040,9096); to_modality() gives the values that it does define{also}")
    found = parameter(array, "real_world_value_map_index")
    if found is None:
        return [_pick(sets[0], name)], None
    which = np.asarray(found).astype(np.intp)
    used = np.unique(which)
    if used[0] < 0:
        raise InconsistentSeriesError("some frames have a real-world value mapping and others have none: select the frames that have one")
    chosen = [_pick(sets.get(int(number), []), name) for number in used]
    if len({mapping.unit for mapping in chosen}) > 1 or len({mapping.table for mapping in chosen}) > 1:
        units = ", ".join(sorted({mapping.unit or "none" for mapping in chosen}))
        raise InconsistentSeriesError(
            f"the real-world value mappings of these frames do not go together (units: {units}): select the frames by the "
            "coordinate real_world_value_map_index, and map each part by itself"
        )
    return (chosen, np.searchsorted(used, which)) if which.ndim else (chosen, None)


def _pick(mappings: Sequence[RealWorldMap], name: str | int | None) -> RealWorldMap:
    if isinstance(name, int) and 0 <= name < len(mappings):
        return mappings[name]
    fitting = [mapping for mapping in mappings if name is None or str(name).strip().casefold() in _names(mapping)]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(f"{m.label or m.explanation or 'unnamed'} [{m.unit or 'no unit'}]" for m in mappings) or "none"
    if name is None:
        raise ValueError(f"the file has several real-world value mappings: {listed}; name one by label, explanation, unit or quantity")
    fits = "several" if fitting else "none"
    raise ValueError(f"{name!r} names {fits} of the file's real-world value mappings, which are: {listed}")


def _names(mapping: RealWorldMap) -> set[str]:
    return {text.strip().casefold() for text in (mapping.label, mapping.explanation, mapping.unit, mapping.quantity) if text}
