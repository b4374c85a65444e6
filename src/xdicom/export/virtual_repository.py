"""A new icechunk repository with references to the frames of one array."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import xarray as xr

from xdicom.errors import MissingDependencyError, UnsupportedEncodingError
from xdicom.export.references import references_of
from xdicom.export.virtual_zarr import write_icechunk
from xdicom.sources.chain import is_local


def write_icechunk_repository(array: xr.DataArray, folder: str | os.PathLike[str], message: str = "references to DICOM frames") -> int:
    """Make an icechunk repository in a local folder that refers to the frames of an array, and commit it.

    The repository may read below the folder, or from the server, that all sources have in common. Who opens it allows that
    in turn, with `authorize_virtual_chunk_access`.

    Parameters
    ----------
    array
        `stored_values` whose series was opened in this process, from local files or over HTTP without credentials.
    folder
        Where the repository is made.
    message
        Of its one commit.

    Returns
    -------
    int
        Number of references.

    Raises
    ------
    MissingDependencyError
        Without icechunk.
    UnsupportedEncodingError
        If sources lie in several places or where credentials are needed: make a repository and use `.dicom.to_icechunk()`.
    SourceError, InconsistentSeriesError, PixelDataError
        As `references.references_of`.
    """
    try:
        import icechunk  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("references in icechunk need icechunk: pip install 'xdicom[virtual]'") from error
    prefix, store, access = _container(references_of(array).urls, icechunk)
    config = icechunk.RepositoryConfig.default()
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store=store))
    repository = icechunk.Repository.create(
        icechunk.local_filesystem_storage(os.fspath(folder)), config=config, authorize_virtual_chunk_access={prefix: access}
    )
    repository.save_config()
    session = repository.writable_session("main")
    count = write_icechunk(array, session.store)
    session.commit(message)
    return count


def _container(urls: tuple[str, ...], icechunk: Any) -> tuple[str, Any, Any]:
    """Beginning of all URLs, what reads from there, and the credentials that it takes: none."""
    if all(map(is_local, urls)):
        parent = os.path.commonpath([os.path.dirname(url) for url in urls])
        access = getattr(icechunk.credentials, "LocalFileSystemAccess", None)  # older ones want None
        return f"{Path(parent).as_uri()}/", icechunk.local_filesystem_store(parent), access
    servers = {urlsplit(url)[:2] for url in urls}
    scheme, server = next(iter(servers))
    if len(servers) > 1 or scheme not in ("http", "https"):
        raise UnsupportedEncodingError(
            f"sources lie on {', '.join(sorted(f'{scheme}://{server}' for scheme, server in servers))}: make a repository with a virtual "
            "chunk container and the credentials for each place, and use .dicom.to_icechunk(session.store)"
        )
    access = getattr(icechunk.credentials, "HttpAccess", None)
    return f"{scheme}://{server}/", icechunk.http_store(), access
