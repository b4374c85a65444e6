"""A labelled array in the form in which all of it survives Zarr."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr


def portable(array: xr.DataArray) -> xr.DataArray:
    """`array` with coordinates and attributes as Zarr has them, and with a name.

    Texts become those of variable length, the one kind of text that Zarr's format 3 has a specification of. Attributes
    become what JSON has. How an earlier store had coded the array is dropped.

    Raises
    ------
    TypeError
        If an attribute is nothing that JSON has.
    """
    coords = {}
    for name, coordinate in array.coords.items():
        variable = coordinate.variable.compute()
        if variable.dtype.kind in "UT":
            variable = xr.Variable(variable.dims, variable.values.astype(object), variable.attrs)
        coords[name] = xr.Variable(variable.dims, variable.values, plain_attrs(variable.attrs, f"the coordinate {name}"))
    values = xr.Variable(array.dims, array.data, plain_attrs(array.attrs, "the array"))
    return xr.DataArray(values, coords=coords, name="values" if array.name is None else array.name)


def plain_attrs(attrs: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Attributes as JSON has them; `where` names their owner in errors."""
    return {str(name): _plain(value, f"the attribute {name!r} of {where}") for name, value in attrs.items()}


def _plain(value: Any, where: str) -> Any:
    """`value` as JSON has it: numpy's numbers and arrays become numbers and lists."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(part, where) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, where) for part in value]
    raise TypeError(f"{where} is a {type(value).__name__}, which Zarr can't keep; drop it, or make it numbers, texts, lists or dicts")


def equal_attrs(one: Any, other: Any) -> bool:
    """Whether two plain values of attributes are the same; NaN equals NaN."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def labels_text(array: xr.DataArray) -> str:
    """Name, dimensions, type, coordinates and attributes of a portable array as one text: equal where the labels are."""
    coords = {
        str(name): [list(map(str, coordinate.dims)), str(coordinate.dtype), np.asarray(coordinate.values).tolist(), coordinate.attrs]
        for name, coordinate in sorted(array.coords.items(), key=lambda item: str(item[0]))
    }
    whole = [str(array.name), list(map(str, array.dims)), list(array.shape), str(array.dtype), coords, array.attrs]
    return json.dumps(whole, sort_keys=True, default=str)
