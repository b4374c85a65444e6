"""Whether a Zarr store holds what its source does: frame by frame, in the memory of a few shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
import zarr

from xdicom.errors import SourceError
from xdicom.export.dicom_kept import OWN, WHOLE, keep_headers
from xdicom.export.dicom_profile import deidentify_array, node_paths
from xdicom.export.pseudonyms import pseudonyms_of
from xdicom.export.zarr_labels import equal_attrs, portable
from xdicom.export.zarr_marks import marks_of
from xdicom.export.zarr_pipelines import ArrayToRead, array_to_read, own_pipeline
from xdicom.export.zarr_places import StoreLike, open_stored
from xdicom.export.zarr_values import equal_bits, in_blocks, progress_of
from xdicom.lazy.blocks import Place, Report, over_blocks

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Verification:
    """What a comparison of a store with its source found."""

    frames: int
    """Frames that were compared."""
    different: tuple[tuple[int, ...], ...] = ()
    """Index of each frame whose values differ, along the dimensions across frames."""
    labels: tuple[str, ...] = ()
    """What else differs: coordinates, attributes, shape, type, or that the store is not whole."""

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.different or self.labels)

    def __str__(self) -> str:
        if self.is_equal:
            return f"{self.frames} frames: equal"
        shown = [f"frame {', '.join(map(str, index))}" if index else "the frame" for index in self.different[:_SHOWN]]
        more = [f"{len(self.different) - _SHOWN} more frames"] if len(self.different) > _SHOWN else []
        return f"{self.frames} frames: {len(self.different)} differ: {'; '.join([*shown, *more, *self.labels])}"


@own_pipeline()
def verify_zarr(
    array: xr.DataArray,
    store: StoreLike,
    *,
    group: str = "",
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
    uid_secret: str | bytes | None = None,
) -> Verification:
    """Compare an array with the one of its name in a Zarr store, every value and every label.

    Source and store are both read once, shard by shard, on the workers that dask has.

    Parameters
    ----------
    array
        What should be in the store, usually a series just opened from where the store was made of.
    store
        A path, a URL that fsspec knows, or a Zarr store.
    group
        Path of the array's group, where the store is that of a tree.
    progress
        Whether a progress bar is shown, or a function that is called with the shards done and their number.
    storage_options
        Options for storage that is not local.
    uid_secret
        Secret with which the store was de-identified; None where it was not.

    Raises
    ------
    SourceError
        If there is no such store or array in it.
    """
    found, name = open_stored(store, storage_options), "values" if array.name is None else str(array.name)
    if group:
        if not isinstance(inner := found.get(group), zarr.Group):
            raise SourceError(f"there is no group {group!r} in {found.store_path}")
        found = inner
    if name not in found:
        raise SourceError(f"there is no array {name!r} in {found.store_path}")
    if {OWN, WHOLE} <= set(found.array_keys()) and OWN not in array.coords:
        array = keep_headers(array)
    array = portable(array)
    if uid_secret is not None:
        array = portable(deidentify_array(array, pseudonyms_of(uid_secret)))
    labels = tuple(_different_labels(array, found))
    target = array_to_read(found, name)
    if any(label.startswith(("shape is", "values are")) for label in labels):
        return Verification(0, (), labels)
    blocks = in_blocks(target.array, array)
    numbers = list(np.ndindex(blocks.numblocks))
    planes = tuple(axis for axis, dim in enumerate(array.dims) if dim not in ("y", "x", "sample"))
    with progress_of(progress, f"comparing {name}", "shards") as report:
        results = over_blocks(partial(_compare_block, target=target, planes=planes), blocks, numbers, report)
    different = sorted({index for result in results for index in result})
    return Verification(int(np.prod([array.shape[axis] for axis in planes], dtype=np.int64)), tuple(different), labels)


def verify_zarr_tree(
    tree: xr.DataTree,
    store: StoreLike,
    *,
    progress: bool | Report = True,
    storage_options: Mapping[str, Any] | None = None,
    uid_secret: str | bytes | None = None,
) -> dict[str, Verification]:
    """Compare every array of a tree with the store that was made of it, by path of its node; see `verify_zarr`."""
    found: dict[str, Verification] = {}
    paths = node_paths(tree, None if uid_secret is None else pseudonyms_of(uid_secret))
    for node in tree.subtree:
        path = paths[node.relative_to(tree)]
        for name, array in node.to_dataset(inherit=False).data_vars.items():
            group = "" if path == "." else path
            found[f"{group}/{name}"] = verify_zarr(
                array, store, group=group, progress=progress, storage_options=storage_options, uid_secret=uid_secret
            )
    return found


def _compare_block(block: np.ndarray, place: Place, *, target: ArrayToRead, planes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Index of each frame of a block that is another in the store."""
    there = target[place].astype(block.dtype, copy=False)  # truth values lie as bytes
    if equal_bits(block, there):
        return []
    across = [range(place[axis].start, place[axis].stop) for axis in planes]
    different = []
    for index in np.ndindex(tuple(map(len, across))):
        key: list[Any] = [slice(None)] * block.ndim
        for axis, i in zip(planes, index, strict=True):
            key[axis] = i
        if not equal_bits(block[tuple(key)], there[tuple(key)]):
            different.append(tuple(steps[i] for steps, i in zip(across, index, strict=True)))
    return different


def _different_labels(array: xr.DataArray, group: zarr.Group) -> list[str]:
    stored = xr.open_zarr(group.store, group=group.path, consolidated=False, chunks=None)[array.name]
    state = marks_of(group).get(str(array.name), {}).get("state")
    wrong = [] if state == "complete" else ["the store is not marked as whole"]
    if stored.dims != array.dims or stored.shape != array.shape:
        wrong.append(f"shape is {dict(array.sizes)}, in the store {dict(stored.sizes)}")
    if stored.dtype != array.dtype:
        wrong.append(f"values are {array.dtype}, in the store {stored.dtype}")
    for name in sorted({str(name) for name in (*array.coords, *stored.coords)}):
        here, there = array.coords.get(name), stored.coords.get(name)
        if here is None or there is None or not here.variable.identical(there.variable):
            wrong.append(f"the coordinate {name} differs")
    keys = sorted({*array.attrs, *stored.attrs})
    return wrong + [f"the attribute {key} differs" for key in keys if not equal_attrs(array.attrs.get(key), stored.attrs.get(key))]
