"""Zarr stores by path, URL or object: made anew, opened again, looked at from outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import uuid4

import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import FsspecStore

from xdicom.errors import SourceError

StoreLike = str | os.PathLike[str] | Store
"""A path, a URL that fsspec knows, or a Zarr store."""
Mode = Literal["w-", "w"]
"""`w-` makes a store where none is, `w` replaces one."""


def open_target(
    store: StoreLike, mode: Mode, resume: bool, storage_options: Mapping[str, Any] | None, zarr_format: Literal[2, 3]
) -> zarr.Group:
    """Root group of a new store, or of the one to resume.

    Raises
    ------
    SourceError
        If something is there that `mode` does not allow to replace.
    """
    if mode not in ("w-", "w"):
        raise ValueError(f"mode is 'w-' or 'w', not {mode!r}")
    place, options = _opened_with(store, storage_options)
    if isinstance(place, Store) and not place.supports_deletes:
        raise SourceError(
            f"{type(place).__name__} can't change what was written, and an export marks its progress: write a folder, pack it then"
        )
    existing = _existing(place, options) if resume or mode == "w" else None
    if existing is not None and resume:
        return existing
    try:
        how: Any = "w" if existing is not None else "a" if resume else "w-"
        return zarr.open_group(place, mode=how, zarr_format=zarr_format, **options)
    except (FileExistsError, ValueError) as error:
        raise SourceError(
            f"there is something at {_shown(place)} already: mode='w' replaces a Zarr store, resume=True completes one that was "
            "interrupted, append_dim= adds to one"
        ) from error


def open_existing(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> zarr.Group:
    """Root group of a store that is there.

    Raises
    ------
    SourceError
        If there is none.
    """
    place, options = _opened_with(store, storage_options)
    found = _existing(place, options)
    if found is None:
        raise SourceError(f"there is no Zarr store at {_shown(place)}")
    return found


def open_stored(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> zarr.Group:
    """Root group of a store that is there, for reading.

    Raises
    ------
    SourceError
        If there is none.
    """
    place, options = _opened_with(store, storage_options)
    try:
        return zarr.open_group(place, mode="r", use_consolidated=False, **options)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise SourceError(f"there is no Zarr store at {_shown(place)}") from error


def _opened_with(store: StoreLike, storage_options: Mapping[str, Any] | None) -> tuple[Any, dict[str, Any]]:
    place = os.fspath(store) if isinstance(store, os.PathLike) else store
    if isinstance(place, str) and place.startswith("file://"):
        place = url2pathname(urlsplit(place).path)  # as a folder, files get their names when they are whole
    return place, {"storage_options": None if storage_options is None else dict(storage_options)}


def _existing(place: Any, options: Mapping[str, Any]) -> zarr.Group | None:
    try:
        return zarr.open_group(place, mode="r+", use_consolidated=False, **options)
    except (FileNotFoundError, KeyError, ValueError):
        return None


def _shown(place: Any) -> str:
    return place if isinstance(place, str) else str(place)


def holds_tree(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> bool:
    """Whether a store holds arrays in groups below its root, and none in the root itself.

    Raises
    ------
    SourceError
        If there is no store.
    """
    root = open_stored(store, storage_options)
    return not any(True for _ in root.array_keys()) and any(True for _ in root.group_keys())


def stored_bytes(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> int:
    """Bytes of all objects of a store.

    Raises
    ------
    SourceError
        If there is no store.
    """
    root = open_stored(store, storage_options)
    return int(sync(root.store.getsize_prefix(root.path)))


def write_object(target: str | os.PathLike[str], data: bytes, storage_options: Mapping[str, Any] | None = None) -> None:
    """Write one file or object, which gets its name when it is whole.

    Raises
    ------
    SourceError
        If it can't be written.
    """
    place, _ = _opened_with(target, storage_options)
    try:
        if "://" not in place:
            half = f"{place}.{uuid4().hex}.partial"
            try:
                with open(half, "wb") as file:
                    file.write(data)
                os.replace(half, place)
            finally:
                Path(half).unlink(missing_ok=True)
            return
        folder, _, name = place.rpartition("/")
        store = FsspecStore.from_url(folder, storage_options=dict(storage_options or {}))
        sync(store.set(name, default_buffer_prototype().buffer.from_bytes(data)))
    except OSError as error:
        raise SourceError(f"{place} can't be written: {error.strerror or type(error).__name__}") from error


def object_there(target: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> bytes | None:
    """Content of a file or object; None where there is none."""
    place, _ = _opened_with(target, storage_options)
    if "://" not in place:
        return Path(place).read_bytes() if Path(place).is_file() else None
    folder, _, name = place.rpartition("/")
    found = sync(
        FsspecStore.from_url(folder, storage_options=dict(storage_options or {}), read_only=True).get(name, default_buffer_prototype())
    )
    return None if found is None else found.to_bytes()
