"""Adding an array to the one in a Zarr store, along one dimension."""

from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr
import zarr

from xdicom.errors import InconsistentSeriesError, SourceError
from xdicom.export.fingerprint import fingerprint_of
from xdicom.export.zarr_labels import equal_attrs, template_of
from xdicom.export.zarr_marks import mark, marks_of, quiet
from xdicom.export.zarr_values import Written, values_of, write_values
from xdicom.lazy.blocks import Report

_OF_ONE_PART = frozenset({
    "affine", "spacing_between_slices", "is_regular", "sop_instance_uid", "instance_number", "transfer_syntax_uid", "slice_thickness",
})  # fmt: skip
"""Attributes in which parts may differ: those of the array in the store stay."""


def append_array(
    group: zarr.Group, array: xr.DataArray, dim: str, *, resume: bool, progress: bool | Report, fingerprint: str = ""
) -> Written:
    """Add a portable array to the one of its name in the group, behind its end along `dim`.

    The group's metadata is consolidated by the caller, afterwards: until then, readers see what was there before.

    Raises
    ------
    SourceError
        If there is no such array, it is not whole, or another part is being added.
    InconsistentSeriesError
        If the array does not go with it; the message names what differs.
    """
    name = str(array.name)
    noted = marks_of(group).get(name)
    if noted is None or noted["state"] not in ("complete", "growing"):
        raise SourceError(f"{group.store_path} has no whole array {name!r} to add to: write it, or complete it with resume=True")
    part = fingerprint or fingerprint_of(array)
    target = values_of(group, name)
    start = int(noted["from"]) if noted["state"] == "growing" else target.shape[array.get_axis_num(dim)] if dim in array.dims else 0
    if noted["state"] == "growing" and (not resume or noted["part"] != part or noted["along"] != dim):
        raise SourceError(
            f"a part is being added to {name!r} in {group.store_path}, and another was interrupted or is at work: "
            "repeat that one with resume=True"
        )
    array = _fitting(group, array, dim, start)
    whole = {"fingerprint": noted["fingerprint"]}
    mark(group, name, **whole, state="growing", part=part, along=dim, **{"from": start})
    _grow_labels(group, array, dim, start)
    offset = tuple(start if other == dim else 0 for other in array.dims)
    written = write_values(values_of(group, name), array, resume=resume, progress=progress, offset=offset)
    mark(group, name, fingerprint=hashlib.sha256((noted["fingerprint"] + part).encode()).hexdigest(), state="complete")
    return written


def _fitting(group: zarr.Group, array: xr.DataArray, dim: str, start: int) -> xr.DataArray:
    """`array` with the coordinates that the store's one has.

    Raises
    ------
    InconsistentSeriesError
        If something differs that may not.
    """
    stored = xr.open_zarr(group.store, group=group.path, consolidated=False, chunks=None)[array.name]
    wrong: list[str] = []
    if dim not in stored.dims or stored.dims != array.dims:
        wrong.append(f"dimensions are {', '.join(map(str, array.dims))}, in the store {', '.join(map(str, stored.dims))}")
        raise InconsistentSeriesError(_refusal(array, dim, wrong))
    stored = stored.isel({dim: slice(0, start)})
    wrong += [
        f"{other} has {array.sizes[other]} steps, in the store {stored.sizes[other]}"
        for other in array.dims
        if other != dim and array.sizes[other] != stored.sizes[other]
    ]
    if array.dtype != stored.dtype:
        wrong.append(f"values are {array.dtype}, in the store {stored.dtype}")
    for label in sorted({str(name) for name in (*array.coords, *stored.coords)}):
        if label not in array.coords or label not in stored.coords:
            wrong.append(f"the coordinate {label} is only {'in the store' if label in stored.coords else 'here'}")
            continue
        here, there = array.coords[label].variable, stored.coords[label].variable
        if dim in there.dims and dim not in here.dims:
            here = here.set_dims({d: array.sizes[d] for d in there.dims})
            array = array.assign_coords({label: here.copy(deep=True)})
        if here.dims != there.dims or (dim not in here.dims and not here.equals(there)):
            wrong.append(f"the coordinate {label} differs")
        elif here.dims == (dim,) and label == dim and np.isin(here.values, there.values).any():
            wrong.append(f"some of its steps are in the store already: {dim} = {here.values[np.isin(here.values, there.values)][0]}")
    wrong += [
        f"the attribute {key} differs"
        for key in sorted({*array.attrs, *stored.attrs} - _OF_ONE_PART)
        if not equal_attrs(array.attrs.get(key), stored.attrs.get(key))
    ]
    if wrong:
        raise InconsistentSeriesError(_refusal(array, dim, wrong))
    return array


def _refusal(array: xr.DataArray, dim: str, wrong: list[str]) -> str:
    return f"{array.name!r} can't be added to the array in the store along {dim}: {'; '.join(wrong)}"


def _grow_labels(group: zarr.Group, array: xr.DataArray, dim: str, start: int) -> None:
    """Lengthen every array that has the dimension, and write the coordinates of the new part."""
    template = template_of(array)
    growing = [str(name) for name, variable in template.variables.items() if dim in variable.dims]
    for name in growing:
        found = group[name]
        assert isinstance(found, zarr.Array)
        axis = template.variables[name].dims.index(dim)
        found.resize(tuple(start + array.sizes[dim] if i == axis else size for i, size in enumerate(found.shape)))
    part = template.drop_vars([name for name in template.variables if str(name) not in growing])
    part = part.drop_indexes(list(part.indexes))  # xarray writes no index into a region
    with quiet():
        part.to_zarr(
            group.store, group=group.path, mode="r+", region={dim: slice(start, start + array.sizes[dim])}, compute=False,
            consolidated=False, safe_chunks=False, zarr_format=group.metadata.zarr_format,
        )  # fmt: skip
