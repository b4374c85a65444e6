"""Icechunk repositories with references to frames: in a local folder or in a bucket, to files, web servers and buckets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlsplit

import xarray as xr

from xdicom.errors import MissingDependencyError, SourceError, UnsupportedEncodingError
from xdicom.export.slide_references import references_of
from xdicom.export.virtual_icechunk import add_to_icechunk, write_icechunk
from xdicom.export.virtual_zarr_tree import arrays_of, write_icechunk_tree
from xdicom.export.zarr_values import Written
from xdicom.lazy.blocks import Report
from xdicom.sources.chain import is_local
from xdicom.sources.options import options_for
from xdicom.sources.translations import settings_for

if TYPE_CHECKING:
    from icechunk import IcechunkStore  # type: ignore[import-not-found,unused-ignore]

_S3 = ("s3", "s3a")


class IcechunkOptions(TypedDict, total=False):
    """Options of `refer_in_icechunk`."""

    group: str
    resume: bool
    storage_options: Mapping[str, Any] | None


def write_icechunk_repository(
    opened: xr.DataArray | xr.DataTree,
    target: str | os.PathLike[str],
    message: str = "references to DICOM frames",
    *,
    resume: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> Written:
    """Make an icechunk repository that refers to the frames of an array, or of all arrays of a tree, and commit it.

    The repository may read below the folder that local sources have in common, from each web server and from each bucket that
    sources lie in. Who opens it allows that in turn, with `authorize_virtual_chunk_access`; credentials are never in it.

    Parameters
    ----------
    opened
        `stored_values`, or a tree of them, opened in this process: from local files, over HTTP without credentials, from S3.
    target
        A folder, or a URL `s3://bucket/path`.
    message
        Of its one commit.
    resume
        Take a repository that is there, and add the arrays that it has not. One that it has stays, where it refers to the same
        frames in the same state.
    storage_options
        For a repository in a bucket, as s3fs takes them; without them those that sources in that bucket were opened with.
    progress
        Told of references made, and their number.

    Returns
    -------
    Written
        References that were written, and those that were there.

    Raises
    ------
    MissingDependencyError
        Without icechunk.
    UnsupportedEncodingError
        If sources or the repository lie where icechunk is not told here how to go: make a repository and use `.dicom.to_icechunk()`.
    SourceError
        If there is something at the target, or another array in the repository; or as `references.references_of`.
    InconsistentSeriesError, PixelDataError
        As `references.references_of`.
    """
    try:
        import icechunk  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("references in icechunk need icechunk: pip install 'xdicom[virtual]'") from error
    arrays = {"": opened} if isinstance(opened, xr.DataArray) else arrays_of(opened)
    storage = _storage(os.fspath(target), storage_options, icechunk)
    is_there = icechunk.Repository.exists(storage)
    if is_there and not resume:
        raise SourceError(f"there is a repository at {target} already: resume=True adds what it has not")
    config = (icechunk.Repository.fetch_config(storage) if is_there else None) or icechunk.RepositoryConfig.default()
    access = {}
    for prefix, (store, allowed) in _containers({url for array in arrays.values() for url in references_of(array).urls}, icechunk).items():
        config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store=store))
        access[prefix] = allowed
    make = icechunk.Repository.open if is_there else icechunk.Repository.create
    repository = make(storage, config=config, authorize_virtual_chunk_access=icechunk.containers_credentials(access))
    repository.save_config()
    session = repository.writable_session("main")
    written = Written(0, 0, 0)
    for node, array in arrays.items():
        written += add_to_icechunk(array, session.store, group="" if node == "." else node, resume=resume, progress=progress)
    if written.blocks:
        session.commit(message)
    return written


def refer_in_icechunk(
    opened: xr.DataArray | xr.DataTree,
    store: IcechunkStore | str | os.PathLike[str],
    *,
    group: str = "",
    resume: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> int:
    """References to the frames of an array, or of all arrays of a tree, in icechunk: no pixel is copied.

    Local sources and those in S3 are noted with their state: reading one that has changed since is an error of icechunk.

    Parameters
    ----------
    opened
        `stored_values`, or a tree of them, opened in this process.
    store
        Store of a writable session, which the caller commits, and whose repository has a virtual chunk container for the place
        of the sources; or a folder or URL `s3://bucket/path`, where a repository is made and committed.
    group
        Path of the group in a store that the array comes into.
    resume
        Take a repository that is there, and add the arrays that it has not.
    storage_options
        For a repository in a bucket, as s3fs takes them; without them those that sources in that bucket were opened with.

    Returns
    -------
    int
        References that are there now.

    Raises
    ------
    MissingDependencyError
        Without icechunk.
    SourceError
        If there is a repository already, it has another array of that name, or frames can't be traced to files.
    InconsistentSeriesError, UnsupportedEncodingError, PixelDataError
        As for `.dicom.to_kerchunk()`; also if icechunk is not told here how to go to a source.
    ValueError
        If a group is named and a repository is to be made, or the other options are given for a store.
    """
    if isinstance(store, str | os.PathLike):
        if group:
            raise ValueError("group= is of a store: a new repository has the array in its root, and those of a tree in their groups")
        written = write_icechunk_repository(opened, store, resume=resume, storage_options=storage_options)
        return written.blocks + written.kept
    if resume or storage_options is not None:
        raise ValueError("resume= and storage_options= are of a repository at a path or URL")
    if isinstance(opened, xr.DataTree):
        return write_icechunk_tree(opened, store, group=group)
    return write_icechunk(opened, store, group=group)


def _storage(target: str, given: Mapping[str, Any] | None, icechunk: Any) -> Any:
    """Where a repository lies, with the credentials for it.

    Raises
    ------
    UnsupportedEncodingError
        If it is neither a folder nor in S3.
    """
    if is_local(target):
        return icechunk.local_filesystem_storage(target)
    parts = urlsplit(target)
    if parts.scheme not in _S3:
        raise UnsupportedEncodingError(
            f"repositories are made in local folders and in S3, not at {parts.scheme}://: use .dicom.to_icechunk(store)"
        )
    place, credentials = _s3(target, {**options_for(target), **(given or {})})
    place.pop("s3_compatible", None)
    return icechunk.s3_storage(bucket=parts.netloc, prefix=parts.path.strip("/"), **place, **credentials)


def _containers(urls: set[str], icechunk: Any) -> dict[str, tuple[Any, Any]]:
    """Places that hold all sources: what reads from there, and the credentials that it takes.

    Raises
    ------
    UnsupportedEncodingError
        If some lie elsewhere.
    """
    found: dict[str, tuple[Any, Any]] = {}
    local = {url for url in urls if is_local(url)}
    if local:
        access = getattr(icechunk.credentials, "LocalFileSystemAccess", None)  # older ones want None
        for parent in _parents(local):
            found[f"{Path(parent).as_uri()}/"] = icechunk.local_filesystem_store(parent), access
    for scheme, place in sorted({urlsplit(url)[:2] for url in urls - local}):
        prefix = f"{scheme}://{place}/"
        options = options_for(prefix)
        if urlsplit(prefix).port is not None and scheme in ("http", "https") and icechunk.__version__.startswith("1."):
            raise UnsupportedEncodingError(
                f"sources lie at {prefix}, and icechunk {icechunk.__version__} reads from no web server at a port: pip install "
                "'icechunk>=2' (on Python 3.12 or newer), or use .dicom.to_kerchunk()"
            )
        if scheme in ("http", "https") and not set(options) - {"allow_http"}:
            found[prefix] = icechunk.http_store(), getattr(icechunk.credentials, "HttpAccess", None)
        elif scheme == "s3":
            store, credentials = _s3(prefix, options)
            found[prefix] = icechunk.s3_store(**store), icechunk.s3_credentials(**credentials)
        else:
            why = "with options" if scheme in ("http", "https") else "which xdicom does not tell icechunk of"
            raise UnsupportedEncodingError(
                f"sources lie at {prefix}, {why}: make a repository with a virtual chunk container and the credentials for it, and use "
                ".dicom.to_icechunk(session.store)"
            )
    return found


def _parents(paths: set[str]) -> set[str]:
    """The folder that local files have in common; where that is all of the disk, the folders below it."""
    folders = {os.path.dirname(path) for path in paths}
    parent = os.path.commonpath(folders)
    if parent != os.path.dirname(parent):
        return {parent}
    return {str(Path(*Path(folder).parts[:2])) for folder in folders}


def _s3(url: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Where a bucket is, and the credentials for it, in the words of icechunk.

    Raises
    ------
    UnsupportedEncodingError
        If options say what icechunk can't be told.
    """
    settings = settings_for(url, options) or settings_for(url, {"anon": False, "key": "-", **options})
    if settings is None:
        raise UnsupportedEncodingError(
            f"icechunk can't be told some of the storage options {', '.join(sorted(options))}: make a repository with them, and use "
            ".dicom.to_icechunk(session.store)"
        )
    endpoint = settings.get("endpoint")
    place = {
        "region": settings.get("region"),
        "endpoint_url": endpoint,
        "allow_http": bool(settings["client_options"].get("allow_http")),
        "force_path_style": endpoint is not None and not settings.get("virtual_hosted_style_request"),
        "requester_pays": bool(settings.get("request_payer")),
        "s3_compatible": endpoint is not None,
    }
    names = ("access_key_id", "secret_access_key", "session_token")
    credentials: dict[str, Any] = {name: settings[name] for name in names if name in settings and settings[name] != "-"}
    if settings.get("skip_signature"):
        credentials = {"anonymous": True}
    return place, credentials or {"from_env": True}
