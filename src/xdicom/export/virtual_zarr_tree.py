"""Trees of arrays as stores of references: a group for each node, such as the levels of a slide."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr
import zarr
from zarr.storage import MemoryStore

from xdicom.errors import SourceError
from xdicom.export.virtual_icechunk import write_icechunk
from xdicom.export.virtual_zarr import write_kerchunk
from xdicom.export.zarr_places import write_object
from xdicom.labeled.build import STORED_VALUES
from xdicom.lazy.blocks import Report

if TYPE_CHECKING:
    from icechunk import IcechunkStore  # type: ignore[import-not-found,unused-ignore]


def arrays_of(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    """Stored values of each node that has them, by its path.

    Raises
    ------
    SourceError
        If there are none.
    """
    found = {
        node.relative_to(tree): node.to_dataset(inherit=False)[STORED_VALUES] for node in tree.subtree if STORED_VALUES in node.data_vars
    }
    if not found:
        raise SourceError("the tree has no arrays of stored values to refer to")
    return found


def write_kerchunk_tree(
    tree: xr.DataTree,
    path: str | os.PathLike[str] | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> dict[str, Any]:
    """References to the frames of all arrays of a tree as one kerchunk file (JSON, of Zarr format 3).

    `xarray.open_datatree` opens the store as a tree.

    Parameters
    ----------
    tree
        Arrays of stored values that were opened in this process.
    path, storage_options
        Path or URL of the file, and options of the storage that it lies in; None writes none.
    progress
        Told of references made, and their number.

    Returns
    -------
    dict
        What the file holds: text of metadata, base64 of labels, `[url, offset, length]` of frames.

    Raises
    ------
    SourceError, InconsistentSeriesError, UnsupportedEncodingError, PixelDataError
        As for a single array.
    """
    refs: dict[str, Any] = {}
    groups: dict[str, str] = {}
    for node, array in arrays_of(tree).items():
        prefix = "" if node == "." else f"{node}/"
        for key, entry in write_kerchunk(array, progress=progress)["refs"].items():
            refs[f"{prefix}{key}"] = entry
        parts = node.split("/")
        groups |= {"/".join(parts[:i]): "" for i in range(1, len(parts))} if prefix else {}
    for group in ("", *groups):
        refs.setdefault(f"{group}/zarr.json".lstrip("/"), _empty_group())
    whole = {"version": 1, "refs": refs}
    if path is not None:
        write_object(path, json.dumps(whole).encode(), storage_options)
    return whole


def _empty_group() -> str:
    root = zarr.open_group(MemoryStore(), mode="w", zarr_format=3)
    return json.dumps(root.metadata.to_dict())


def write_icechunk_tree(tree: xr.DataTree, store: IcechunkStore, *, group: str = "") -> int:
    """References to the frames of all arrays of a tree in an icechunk store, which the caller commits; how many there are.

    Parameters and errors are those of `virtual_icechunk.write_icechunk`.
    """
    return sum(
        write_icechunk(array, store, group="/".join(part for part in (group, "" if node == "." else node) if part))
        for node, array in arrays_of(tree).items()
    )
