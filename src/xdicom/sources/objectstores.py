"""Remote storage by way of obstore, where it is installed and the options say the same to it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from xdicom.sources.faults import ShortReadError
from xdicom.sources.options import Options
from xdicom.sources.source import Answer, Source, stamp_of
from xdicom.sources.translations import SCHEMES, settings_for


def can_name(url: str) -> bool:
    """Whether obstore can say the address of `url`: no chain, no query, no page of links, no empty or dotted step of the path."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or "::" in url:
        return False
    if scheme in ("http", "https") and ("?" in rest or "#" in rest or rest.endswith("/")):
        return False
    steps = rest.rstrip("/").split("/")
    return all(steps) and not {".", ".."} & set(steps) and _is_installed() and not _process.is_dead


@lru_cache(maxsize=1)
def _is_installed() -> bool:
    return importlib.util.find_spec("obstore") is not None


class _Process:
    """What obstore can do in this process: its threads do not survive a fork, and requests would wait for them for ever."""

    __slots__ = ("has_opened", "is_dead")

    def __init__(self) -> None:
        self.has_opened = self.is_dead = False

    def fork(self) -> None:
        # Whoever else imported it may have started its threads too.
        self.is_dead = self.has_opened or "obstore" in sys.modules


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.fork)


def connect(url: str, options: Options) -> ObjectStore | None:
    """Storage of the place of `url`; None when `options` do not translate, so that fsspec has to read it."""
    settings = settings_for(url, options)
    if settings is None:
        return None
    import obstore.store  # noqa: PLC0415 - optional

    kinds: dict[str, Callable[..., Any]] = {
        "s3": obstore.store.S3Store,
        "gs": obstore.store.GCSStore,
        "az": obstore.store.AzureStore,
        "http": obstore.store.HTTPStore,
    }
    kind = settings.pop("kind")
    _process.has_opened = True
    # Tries are counted and limited in one place, xdicom.sources.faults, for all libraries alike.
    return ObjectStore(kinds[kind](**settings, retry_config={"max_retries": 0}), decodes=kind == "http")


class ObjectStore:
    """Objects of one bucket, container or host, read by obstore."""

    def __init__(self, store: Any, *, decodes: bool) -> None:
        self._store = store
        self._decodes = decodes

    def read(self, url: str, offset: int, length: int | None, stamp: str) -> Answer:
        """Bytes from `offset` on, all when `length` is None."""
        from obstore import get  # noqa: PLC0415 - optional

        wishes: Any = {}
        if length is not None:
            wishes["range"] = (offset, offset + length)
        if stamp.startswith('"'):
            wishes["if_match"] = stamp
        result = get(self._store, self._path(url), options=wishes)
        meta = result.meta
        first, end = result.range
        data = bytes(result.bytes())
        size = int(meta["size"])
        wanted = size if length is None else max(0, min(length, size - offset))
        if len(data) != wanted or len(data) != end - first or (length is not None and first != offset):
            raise ShortReadError(f"{len(data)} of {wanted} bytes from byte {offset} on came, of an object of {size}")
        return Answer(data, size, stamp_of(meta, size))

    def describe(self, url: str) -> Source:
        """Size and stamp of one object."""
        from obstore import head  # noqa: PLC0415 - optional

        meta = head(self._store, self._path(url))
        return Source(url, int(meta["size"]), stamp_of(meta, int(meta["size"])))

    def find(self, url: str) -> list[Source] | None:
        """All objects at or below `url`; None when one of them has a name that obstore can't say."""
        from obstore import list as list_objects  # noqa: PLC0415 - optional
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415 - optional

        if self._decodes:
            return [self.describe(url)]
        place = "/".join(url.split("/", 3)[:3])
        path = self._path(url)
        try:
            listed = [meta for page in list_objects(self._store, prefix=path or None) for meta in page]
        except InvalidPathError:
            return None
        # A key that ends with a slash marks a folder; obstore lists it without the slash, under which nothing lies.
        listed = [meta for meta in listed if meta["size"] or self._exists(meta["path"])]
        found = [Source(f"{place}/{meta['path']}", int(meta["size"]), stamp_of(meta, int(meta["size"]))) for meta in listed]
        return found or ([] if url.endswith("/") or not path else [self.describe(url)])

    def _exists(self, path: str) -> bool:
        from obstore import head  # noqa: PLC0415 - optional

        try:
            head(self._store, path)
        except FileNotFoundError:
            return False
        return True

    def _path(self, url: str) -> str:
        """Path of `url` below the place; obstore encodes what must be encoded in a request."""
        path = "".join(url.split("/", 3)[3:]).rstrip("/")
        return unquote(path) if self._decodes else path
