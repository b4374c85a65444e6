"""Zarr stores of references: arrays whose chunks are the frames where they lie in DICOM files, nothing copied."""

from __future__ import annotations

import base64
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote

import numpy as np
import xarray as xr
import zarr
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from xdicom.errors import MissingDependencyError, MultipleSeriesError
from xdicom.export.references import References
from xdicom.export.slide_references import references_of
from xdicom.export.zarr_labels import portable, write_labels
from xdicom.export.zarr_marks import consolidate
from xdicom.export.zarr_pipelines import own_pipeline
from xdicom.export.zarr_places import write_object
from xdicom.index.arrange import arrange
from xdicom.index.scan import scan_sources
from xdicom.labeled.build import label
from xdicom.labeled.origins import remember
from xdicom.lazy.blocks import Report
from xdicom.lazy.frames import frames_to_dask
from xdicom.sources.chain import is_local
from xdicom.sources.locate import locate

STEP = 4096
"""References between two reports of progress."""

if TYPE_CHECKING:
    from virtualizarr.manifests import ManifestStore  # type: ignore[import-not-found,unused-ignore]


class KerchunkOptions(TypedDict, total=False):
    """Options of `write_kerchunk`."""

    storage_options: Mapping[str, Any] | None
    progress: Report | None


@own_pipeline()
def write_kerchunk(
    array: xr.DataArray,
    path: str | os.PathLike[str] | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    progress: Report | None = None,
) -> dict[str, Any]:
    """References to the frames of an array as a kerchunk file (JSON, of Zarr format 3).

    Any program opens it through fsspec's `ReferenceFileSystem`; where frames are encapsulated or have unused bits, it needs
    this package for the codec `xdicom.frame`. Labels are in the file itself.

    Parameters
    ----------
    array
        `stored_values` whose series was opened in this process.
    path
        Path or URL of the file, which gets its name when it is whole; None writes none.
    storage_options
        Options for a file that is not local.
    progress
        Told of references made, and their number.

    Returns
    -------
    dict
        What the file holds: text of metadata, base64 of labels, `[url, offset, length]` of frames.

    Raises
    ------
    SourceError
        If frames can't be traced to their sources, or the file can't be written.
    UnsupportedEncodingError, InconsistentSeriesError, PixelDataError
        If frames can't be read where they lie (deflated as a whole), differ in encoding, or are cut short.
    """
    references = references_of(array)
    store, name = _labels_store(array, references), str(array.name)
    refs: dict[str, Any] = {key: _inline(data) for key, data in _contents(store).items()}
    target = zarr.open_array(store, path=name, mode="r")
    urls = [file_url(url) for url in references.urls]
    flat = (column.reshape(-1).tolist() for column in (references.source, references.offset, references.length))
    for number, (index, source, offset, length) in enumerate(zip(np.ndindex(references.source.shape), *flat, strict=True), 1):
        if progress is not None and (number % STEP == 0 or number == references.source.size):
            progress(number, references.source.size)
        if source >= 0:
            refs[f"{name}/{target.metadata.encode_chunk_key(index)}"] = [urls[source], offset, length]
    whole = {"version": 1, "refs": refs}
    if path is not None:
        write_object(path, json.dumps(whole).encode(), storage_options)
    return whole


@dataclass(frozen=True, slots=True)
class DicomParser:
    """Parser of VirtualiZarr for DICOM: `DicomParser()(url, registry)` is a store of references to the frames of a series.

    Headers are read by xdicom, frames by the registry's stores when they are asked for.
    """

    series_uid: str | None = None
    """Series Instance UID, where several series lie at the URL."""
    stack: str | None = None
    """Name of the stack, where the series makes several arrays."""
    storage_options: Mapping[str, object] | None = None
    """Options for storage that is not local, with which headers are read."""

    def __call__(self, url: str, registry: Any) -> ManifestStore:
        """References to the frames at a URL (a file, a folder, a pattern), for VirtualiZarr's registry of object stores.

        Raises
        ------
        MissingDependencyError
            Without VirtualiZarr, or with one whose manifests hold no labels.
        MultipleSeriesError
            If several arrays lie there and none is named.
        SourceError, InconsistentSeriesError, UnsupportedEncodingError, PixelDataError
            As `references.references_of`.
        """
        try:
            from virtualizarr.manifests import ChunkManifest, ManifestArray, ManifestGroup, ManifestStore  # noqa: PLC0415
        except ImportError as error:
            raise MissingDependencyError("DicomParser needs VirtualiZarr: pip install 'xdicom[virtual]'") from error
        if "inlined" not in inspect.signature(ChunkManifest.from_arrays).parameters:
            raise MissingDependencyError(
                "DicomParser needs a VirtualiZarr whose manifests hold labels (2.8 does, on Python 3.12 or newer): "
                "pip install 'virtualizarr>=2.8'; .dicom.to_icechunk() and .dicom.to_kerchunk() do without"
            )
        array = self._open(url)
        references = references_of(array)
        store = _labels_store(array, references)
        contents, root = _contents(store), zarr.open_group(store, mode="r", use_consolidated=False)
        arrays = {}
        for name, member in root.arrays():
            if name == array.name:
                manifest = _manifest(ChunkManifest, references)
            else:
                manifest = _inlined_manifest(ChunkManifest, member, name, contents)
            metadata: Any = member.metadata  # of format 3, as this store is written
            arrays[name] = ManifestArray(metadata=metadata, chunkmanifest=manifest)
        return ManifestStore(group=ManifestGroup(arrays=arrays), registry=registry)

    def _open(self, url: str) -> xr.DataArray:
        catalog = scan_sources(locate(url, self.storage_options))
        grids = [grid for grid in arrange(catalog.pick(self.series_uid)).grids if self.stack in (None, grid.name)]
        if len(grids) != 1:
            raise MultipleSeriesError(f"{len(grids)} arrays: name one of the stacks {', '.join(grid.name for grid in grids)} with stack=")
        array = label(frames_to_dask(grids[0]), grids[0])
        remember(grids[0].frames, array)
        return array


def _manifest(make: Any, references: References) -> Any:
    urls = np.array([*map(file_url, references.urls), ""], np.dtypes.StringDType())
    missing = references.source < 0
    return make.from_arrays(
        paths=urls[references.source],
        offsets=np.where(missing, 0, references.offset).astype(np.uint64),
        lengths=np.where(missing, 0, references.length).astype(np.uint64),
    )


def _inlined_manifest(make: Any, member: zarr.Array[Any], name: str, contents: Mapping[str, bytes]) -> Any:
    """Manifest of labels, which holds their chunks itself."""
    grid = tuple(-(-size // length) for size, length in zip(member.shape, member.chunks, strict=True))
    inlined = {index: contents[f"{name}/{member.metadata.encode_chunk_key(index)}"] for index in np.ndindex(grid)}
    return make.from_arrays(
        paths=np.full(grid, "__inlined__", np.dtypes.StringDType()),
        offsets=np.zeros(grid, np.uint64),
        lengths=np.array([len(inlined[index]) for index in np.ndindex(grid)], np.uint64).reshape(grid),
        inlined=inlined,
        validate_paths=False,
    )


@own_pipeline()
def _labels_store(array: xr.DataArray, references: References) -> MemoryStore:
    """Everything of an array but its chunks."""
    store = MemoryStore()
    root = zarr.open_group(store, mode="w", zarr_format=3)
    write_labels(root, portable(array), references.encoding)
    consolidate(root)
    return store


def _contents(store: MemoryStore) -> dict[str, bytes]:
    async def read() -> dict[str, bytes]:
        found = {}
        async for key in store.list():
            buffer = await store.get(key, default_buffer_prototype())
            assert buffer is not None
            found[key] = buffer.to_bytes()
        return found

    return sync(read())


def _inline(data: bytes) -> str:
    """Bytes as kerchunk has them within the file."""
    return data.decode() if data.startswith(b"{") else "base64:" + base64.b64encode(data).decode()


def file_url(url: str, *, encoded: bool = False) -> str:
    """URL of a source; that of a local path has `file://` in front."""
    return f"file://{quote(url) if encoded else url}" if is_local(url) else url
