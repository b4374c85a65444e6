"""Folders that files are written into, on this machine or anywhere that fsspec writes: a file is there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import uuid4

from xdicom.errors import SourceError
from xdicom.sources.counters import scheme_of
from xdicom.sources.dicomweb import PREFIX
from xdicom.sources.filesystems import FileSystem
from xdicom.sources.options import merge, options_for, prefix_of, set_storage_options, without_secrets
from xdicom.sources.remote import Client, ask

T = TypeVar("T")

_READ_ONLY = ("http", "https", "zip", "tar", "ftp+zip", "reference", "dicomweb+http", "dicomweb+https")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where files go; it holds no credentials, and travels to workers."""

    location: str
    """Local path, or URL without a slash at its end."""

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of a file system that this machine has mounted."""
        return "://" not in self.location

    def address(self, name: str) -> str:
        """Path or URL of a file in it."""
        return os.path.join(self.location, name) if self.is_local else f"{self.location}/{name}"

    def make(self) -> None:
        """Make a local folder where there is none; other storage makes its own as files come.

        Raises
        ------
        SourceError
            If it can't be made.
        """
        if self.is_local:
            try:
                Path(self.location).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SourceError(f"{self.location} can't be made: {error.strerror}") from error

    def there(self, names: Iterable[str]) -> list[str]:
        """Those of some names that a file has already, in their order.

        Raises
        ------
        SourceError
            If storage does not answer, or denies.
        """
        if self.is_local:
            return [name for name in names if os.path.lexists(self.address(name))]
        client, system = self._client()
        known = set(ask(client, self.location, lambda: system.names_in(self.location)) or ())
        return [name for name in names if name in known]

    def put(self, name: str, *parts: bytes | memoryview) -> int:
        """Write a file of some parts; its bytes.

        Raises
        ------
        SourceError
            If it can't be written.
        """
        if self.is_local:
            with self.whole_file(name) as file:
                for part in parts:
                    file.write(part)
        else:
            client, system = self._client()
            data, url = b"".join(parts), self.address(name)
            ask(client, url, lambda: system.write(url, data))
        return sum(map(len, parts))

    @contextmanager
    def whole_file(self, name: str) -> Iterator[IO[bytes]]:
        """A file that gets its name when it is whole, and leaves nothing where it fails; elsewhere it is sent when it is.

        Raises
        ------
        SourceError
            If it can't be written.
        """
        if self.is_local:
            with _local_file(Path(self.address(name))) as file:
                yield file
            return
        with tempfile.TemporaryDirectory(prefix="xdicom-") as place:
            path = os.path.join(place, "whole")
            with open(path, "wb") as file:
                yield file
            client, system = self._client()
            url = self.address(name)
            ask(client, url, lambda: system.upload(path, url))

    def remove(self, names: Iterable[str]) -> None:
        """Take away those of some files that are there."""
        for name in self.there(names):
            if self.is_local:
                os.unlink(self.address(name))
            else:
                client, system = self._client()
                url = self.address(name)
                ask(client, url, lambda system=system, url=url: system.remove(url))  # type: ignore[misc]

    def _client(self) -> tuple[Client, FileSystem]:
        options = options_for(self.location)
        system = FileSystem(options)
        return Client(system, options, scheme_of(self.location)), system


def folder_at(location: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> Folder:
    """The folder at a path or a URL, with options as fsspec takes them; these are remembered, and not part of it.

    Raises
    ------
    SourceError
        If it is of a kind that is only read.

    Examples
    --------
    >>> folder_at("/data/out"), folder_at("s3://bucket/out/")
    (Folder(location='/data/out'), Folder(location='s3://bucket/out'))
    """
    text = os.fspath(location)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    if "://" not in text:
        return Folder(text)
    plain, secrets = without_secrets(text)
    plain = plain.rstrip("/")
    scheme = plain.partition("://")[0]
    if "::" in plain or scheme in _READ_ONLY or plain.startswith(PREFIX):
        raise SourceError(
            f"{plain} is of a kind that is read and not written: give a folder, or a URL such as s3://bucket/folder; what is written to a "
            "folder can be copied or sent from there"
        )
    options = merge(storage_options or {}, secrets)
    if options:
        set_storage_options(prefix_of(plain), options)
    return Folder(plain)


def split_place(location: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> tuple[Folder, str]:
    """Folder and name of a file that is to be written."""
    text = os.fspath(location)
    if "://" not in text:
        return Folder(os.path.dirname(text) or "."), os.path.basename(text)
    folder, _, name = text.rpartition("/")
    return folder_at(folder, storage_options), name


@contextmanager
def _local_file(path: Path) -> Iterator[IO[bytes]]:
    temporary = path.with_name(f".{path.name}-{uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise SourceError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
