"""What a store says of its own arrays: of what each is a copy, how far it is written, and its metadata in one place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zarr

from xdicom.errors import SourceError

MARK = "xdicom_export"
"""Attribute of a group: of what each of its arrays is a copy, and how far it is written."""


def marks_of(group: zarr.Group) -> dict[str, Any]:
    """What is noted of each array in a group."""
    marks: Any = group_again(group).attrs.get(MARK, {})
    return dict(marks)


def mark(group: zarr.Group, name: str, **what: Any) -> None:
    """Note of the array `name` of what it is a copy, and how far it is written."""
    found = group_again(group)
    marks: Any = found.attrs.get(MARK, {})
    if marks.get(name) != what:
        with quiet():
            found.attrs.update({MARK: {**marks, name: what}})


def group_again(group: zarr.Group) -> zarr.Group:
    """The group as it is in the store now, with the consolidated metadata that readers use until it is renewed."""
    return zarr.open_group(group.store, path=group.path, mode="r" if group.read_only else "r+", zarr_format=group.metadata.zarr_format)


def is_labelled(group: zarr.Group, name: str, fingerprint: str) -> bool:
    """Whether an interrupted run had come as far as the values of the array `name`.

    Raises
    ------
    SourceError
        If what is there was made of something else.
    """
    noted = marks_of(group).get(name)
    if noted is None:
        if name in group:
            raise SourceError(f"{group.store_path} has {name!r} from another writer: what is missing is unknown; mode='w' replaces it")
        return False
    if noted["fingerprint"] != fingerprint:
        raise SourceError(f"{group.store_path} has {name!r} of another array, or its source has changed since; mode='w' replaces it")
    return bool(noted["state"] != "labels")


def consolidate(root: zarr.Group) -> None:
    """Gather the metadata of the whole store in its root, as `xarray.open_zarr` looks for it: one request opens it all."""
    with quiet():
        zarr.consolidate_metadata(root.store, path=root.path, zarr_format=root.metadata.zarr_format)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what is known and meant: that consolidated metadata is no part of format 3, that an archive keeps old entries."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
        warnings.filterwarnings("ignore", "Duplicate name")
        yield
