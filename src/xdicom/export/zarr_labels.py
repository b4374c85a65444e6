"""A labelled array in the form in which all of it survives Zarr."""

from __future__ import annotations

import json
from asyncio import Semaphore, gather
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
import zarr
from xarray.indexes import CoordinateTransformIndex
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from xdicom.export.zarr_marks import MARK, group_again, quiet
from xdicom.labeled.origins import keep_origin
from xdicom.lazy.blocks import zeros_in_blocks

_DOCUMENTS = frozenset({"zarr.json", ".zarray", ".zattrs"})
"""Names of objects that hold an array's metadata."""


def portable(array: xr.DataArray) -> xr.DataArray:
    """`array` with coordinates and attributes as Zarr has them, and with a name.

    Texts become those of variable length, the one kind of text that Zarr's format 3 has a specification of. Attributes
    become what JSON has. How an earlier store had coded the array is dropped, and so are coordinates that are computed for
    each voxel from the affine (`.dicom.patient_coords()`): they would be larger than the values.

    Raises
    ------
    TypeError
        If an attribute is nothing that JSON has.
    """
    computed = {name for name, index in array.xindexes.items() if isinstance(index, CoordinateTransformIndex)}
    coords = {}
    for name, coordinate in array.coords.items():
        if name in computed:
            continue
        variable = coordinate.variable.compute()
        if variable.dtype.kind in "UT":
            variable = xr.Variable(variable.dims, variable.values.astype(object), variable.attrs)
        coords[name] = xr.Variable(variable.dims, variable.values, plain_attrs(variable.attrs, f"the coordinate {name}"))
    values = xr.Variable(array.dims, array.data, plain_attrs(array.attrs, "the array"))
    made = xr.DataArray(values, coords=coords, name="values" if array.name is None else array.name)
    return keep_origin(made, array)


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


def write_labels(group: zarr.Group, array: xr.DataArray, encoding: Mapping[str, Any], **what: Any) -> None:
    """Write all of a portable array but its values, of which the store has the form afterwards, and note `what` of it last.

    All objects are made in memory and sent together: one by one they would cost dozens of round trips, each after the other.
    """
    template, name, zarr_format = template_of(array), str(array.name), group.metadata.zarr_format
    found = group_again(group)
    template.attrs = dict(found.attrs)
    made = MemoryStore()
    with quiet():
        template.to_zarr(
            made, mode="w", compute=False, consolidated=False, safe_chunks=False, zarr_format=zarr_format, encoding={name: dict(encoding)}
        )
    attrs = dict(zarr.open_group(made, mode="r").attrs)
    sync(_replace(group, made, {str(each) for each in template.variables}))
    if what:
        attrs[MARK] = {**dict(attrs.get(MARK, {})), name: what}  # type: ignore[arg-type]
    if attrs != dict(found.attrs):
        with quiet():
            found.attrs.update(attrs)


async def _replace(group: zarr.Group, made: MemoryStore, names: set[str]) -> None:
    """Put arrays into a group in place of those of their names, which are from a run that came no further."""
    store, prefix = group.store, f"{group.path}/" if group.path else ""
    members = {key.rstrip("/").removeprefix(prefix) async for key in store.list_dir(prefix)}
    await gather(*(store.delete_dir(prefix + name) for name in names & members))
    most = Semaphore(zarr.config.get("async.concurrency"))

    async def put(key: str) -> None:
        async with most:
            data = await made.get(key, default_buffer_prototype())
            assert data is not None
            await store.set(prefix + key, data)

    keys = [key async for key in made.list() if "/" in key]
    documents = {key for key in keys if key.rpartition("/")[2] in _DOCUMENTS}
    await gather(*map(put, documents))
    await gather(*(put(key) for key in keys if key not in documents))  # icechunk takes no chunk of an array that it does not know


def template_of(array: xr.DataArray) -> xr.Dataset:
    """The array without its values: xarray writes the labels of it, and no value."""
    nothing = zeros_in_blocks(tuple((size,) for size in array.shape), array.dtype)
    return array.copy(data=nothing).to_dataset(promote_attrs=False)
