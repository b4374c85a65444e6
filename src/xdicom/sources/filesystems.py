"""Remote storage by way of fsspec: any of its protocols and chains.

fsspec is imported when the first remote url is met: it costs 70 ms, and local files do not need it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from xdicom.sources.counters import count, scheme_of
from xdicom.sources.faults import ChangedError, ShortReadError
from xdicom.sources.options import Options
from xdicom.sources.source import Answer, Source, is_changed, stamp_of

_HTTP = ("http://", "https://")
_BUCKETS = ("S3FileSystem", "GCSFileSystem", "AzureBlobFileSystem")
"""File systems of fsspec that take names with slashes, and would make a bucket of what is made as a folder."""


class FileSystem:
    """Objects of one place, read by fsspec."""

    def __init__(self, options: Options) -> None:
        self._options = Options(options)
        self._query = str(self._options.pop("query", ""))

    def read(self, url: str, offset: int, length: int | None, stamp: str) -> Answer:
        """Bytes from `offset` on, all when `length` is None."""
        system, path = self._open(url)
        if url.startswith(_HTTP):
            return _read_http(system, path, offset, length, stamp)
        if stamp:
            system.invalidate_cache()
            count(scheme_of(url), 0)
            found = _source(url, system.info(path)).stamp
            if is_changed(stamp, found):
                raise ChangedError(f"stamp was {stamp}, is {found}")
        if length is None:
            return Answer(bytes(system.cat_file(path)))
        data = bytes(system.cat_file(path, start=offset, end=offset + length))
        if len(data) != length:
            size = system.info(path).get("size")
            if size is not None and len(data) != max(0, min(length, size - offset)):
                raise ShortReadError(f"{len(data)} of {length} bytes from byte {offset} on came, of an object of {size}")
        return Answer(data)

    def describe(self, url: str) -> Source:
        """Size and stamp of one object."""
        system, path = self._open(url)
        system.invalidate_cache()
        return _source(url, system.info(path))

    def find(self, url: str) -> list[Source]:
        """All objects at or below `url`."""
        system, path = self._open(url)
        if url.startswith(_HTTP) and not url.endswith("/"):
            return [self.describe(url)]
        system.invalidate_cache()
        found: Mapping[str, Mapping[str, Any]] = system.find(path, detail=True)
        return [_source(renamed(url, name), info) for name, info in found.items() if not _is_folder(name, info)]

    def write(self, url: str, data: bytes) -> None:
        """Put an object, which is there as a whole when this returns."""
        self._prepare(url)
        system, path = self._open(url)
        system.pipe_file(path, data)

    def upload(self, local_path: str, url: str) -> None:
        """Put a local file as an object."""
        self._prepare(url)
        system, path = self._open(url)
        system.put_file(local_path, path)

    def remove(self, url: str) -> None:
        """Take an object away."""
        system, path = self._open(url)
        system.rm_file(path)

    def names_in(self, url: str) -> list[str]:
        """Names of the objects in a folder, none where there is no such folder."""
        system, path = self._open(url)
        system.invalidate_cache()
        try:
            return [str(name).rstrip("/").rpartition("/")[2] for name in system.ls(path, detail=False)]
        except FileNotFoundError:
            return []

    def _prepare(self, url: str) -> None:
        """Make the folders above an object, where storage has folders: in buckets they are parts of names."""
        system, path = self._open(url)
        if type(system).__name__ not in _BUCKETS:
            system.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _open(self, url: str) -> tuple[Any, str]:
        """File system of `url` and the path of `url` on it; fsspec keeps its file systems itself."""
        from fsspec.core import url_to_fs  # noqa: PLC0415 - see the module's docstring

        address = f"{url}{'&' if '?' in url else '?'}{self._query}" if self._query else url
        system, path = url_to_fs(address, **self._options)
        return system, path


def renamed(url: str, name: str) -> str:
    """Url of what a listing of `url` calls `name`.

    Examples
    --------
    >>> renamed("memory://a/", "/a/b.dcm"), renamed("simplecache::s3://bucket/a", "bucket/a/b.dcm")
    ('memory://a/b.dcm', 'simplecache::s3://bucket/a/b.dcm')
    """
    found = re.match(r"((?:[a-z0-9+.-]+::)*)([a-z0-9+.-]+)://([^:]*(?::(?!:)[^:]*)*)(::.*)?", url, re.IGNORECASE | re.DOTALL)
    if found is None:
        return name
    wrappers, scheme, path, outer = found.groups()
    if name.startswith(_HTTP):
        return wrappers + name
    place = path.partition("/")[0]
    name = name.lstrip("/")
    if "@" in place or (scheme in ("ftp", "sftp", "ssh", "smb", "webhdfs", "hdfs") and not name.startswith(place)):
        # The host (or the storage account) belongs to the url, but is no part of the names in the listing.
        inside = name.partition("/")[2] if "@" in place else name
        name = f"{place}/{inside}"
    return f"{wrappers}{scheme}://{name}{outer or ''}"


def _is_folder(name: str, info: Mapping[str, Any]) -> bool:
    """Whether a listing shows a folder, or the empty object that marks one in an object store."""
    return info.get("type") == "directory" or (name.endswith("/") and not info.get("size"))


def _source(url: str, info: Mapping[str, Any]) -> Source:
    given = info.get("size")
    size = -1 if given is None else int(given)
    return Source(url, size, stamp_of(info, size))


def _read_http(system: Any, url: str, offset: int, length: int | None, stamp: str) -> Answer:
    """One GET through the session of fsspec's file system, whose own reads tell nothing of the answer's status."""
    from fsspec.asyn import sync  # noqa: PLC0415 - see the module's docstring

    headers = {"Accept-Encoding": "identity"}
    if length is not None:
        headers["Range"] = f"bytes={offset}-{offset + length - 1}"
    if stamp.startswith('"'):
        headers["If-Match"] = stamp
    status, answered, data = sync(system.loop, _get, system, url, headers)
    if status != 206:
        if length is not None and (offset or len(data) > length):
            raise NotImplementedError("the server does not serve byte ranges; download the file, or put 'simplecache::' before the url")
        return Answer(data, len(data), stamp_of(answered, len(data)))
    served, _, total = answered.get("Content-Range", "").removeprefix("bytes ").partition("/")
    if length is not None and served.partition("-")[0] != str(offset):
        raise ShortReadError(f"bytes {served} came instead of those from {offset} on")
    size = int(total) if total.isdecimal() else -1
    wanted = length if size < 0 or length is None else max(0, min(length, size - offset))
    if len(data) != wanted and (size >= 0 or len(data) > (wanted or 0)):
        raise ShortReadError(f"{len(data)} of {wanted} bytes from byte {offset} on came")
    return Answer(data, size, stamp_of(answered, size))


async def _get(system: Any, url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body of one GET."""
    session = await system.set_session()
    settings = {**system.kwargs, "headers": {**system.kwargs.get("headers", {}), **headers}}
    if "timeout" not in {**system.kwargs, **system.client_kwargs}:
        # The limits of one request that obstore has; aiohttp's own is five minutes for all of it, however much there is.
        settings["timeout"] = type(session.timeout)(total=900, sock_connect=10, sock_read=30)
    async with session.get(system.encode_url(url), **settings) as response:
        data = await response.read()
        response.raise_for_status()
        return response.status, response.headers, data
