"""Stores of references: kerchunk, icechunk, VirtualiZarr."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr

import xdicom
from builders import make_cine, make_ct, make_pet
from export.conftest import open_ct
from xdicom import MissingDependencyError, MultipleSeriesError, SourceError
from xdicom.virtual import DicomParser

NAMES = ["ct", "pet", "mr_enhanced.dcm", "us_cine.dcm", "palette.dcm"]


def open_kerchunk(references: Any) -> xr.DataArray:
    """What a kerchunk file gives through fsspec."""
    files = fsspec.filesystem("reference", fo=references, asynchronous=True, remote_protocol="file", remote_options={"asynchronous": True})
    return xr.open_zarr(zarr.storage.FsspecStore(files, read_only=True, path=""))["stored_values"]


@pytest.mark.parametrize("name", NAMES)
def test_a_kerchunk_file_opens_as_the_series_itself(testdata: Path, tmp_path: Path, name: str) -> None:
    array = xdicom.open_series(testdata / name)

    array.dicom.to_kerchunk(tmp_path / "refs.json")

    assert open_kerchunk(str(tmp_path / "refs.json")).identical(array)


def test_a_kerchunk_file_holds_no_pixel(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 4, rows=256, columns=256)

    references = ct.dicom.to_kerchunk()

    assert len([entry for entry in references["refs"].values() if isinstance(entry, list)]) == 4
    assert len(json.dumps(references)) < ct.nbytes / 10


def test_planes_without_a_frame_are_left_out(tmp_path: Path) -> None:
    make_cine(tmp_path / "mask.dcm", 11, photometric="MONOCHROME2", values=np.random.default_rng(2).integers(0, 2, (11, 3, 3)).astype(bool))
    mask = xdicom.open_series(tmp_path / "mask.dcm")

    references = mask.dicom.to_kerchunk()

    assert len([entry for entry in references["refs"].values() if isinstance(entry, list)]) == 2
    assert open_kerchunk(references).identical(mask)


@pytest.fixture
def repository(tmp_path: Path) -> Any:
    """An icechunk repository in memory that may refer to files of the test."""
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")
    icechunk.set_logs_filter("error")
    prefix = f"file://{tmp_path}/"
    config = icechunk.RepositoryConfig.default()
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store=icechunk.local_filesystem_store(str(tmp_path))))
    allowed = {prefix: getattr(icechunk.credentials, "LocalFileSystemAccess", None)}  # older ones want None
    return icechunk.Repository.create(icechunk.in_memory_storage(), config=config, authorize_virtual_chunk_access=allowed)


def read_back(repository: Any, group: str | None = None) -> xr.DataArray:
    return xr.open_zarr(repository.readonly_session("main").store, group=group, consolidated=False)["stored_values"]


@pytest.mark.parametrize("syntax", ["native", "jpegls"])
def test_references_in_icechunk_open_as_the_series_itself(repository: Any, tmp_path: Path, syntax: str) -> None:
    ct = open_ct(tmp_path / "ct series", 4, transfer_syntax=syntax)
    session = repository.writable_session("main")

    count = ct.dicom.to_icechunk(session.store, group="a/ct")
    session.commit("references")

    assert count == 4
    assert read_back(repository, "a/ct").identical(ct)


def test_a_source_that_changed_is_noticed_by_icechunk(repository: Any, tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 2)
    session = repository.writable_session("main")
    ct.dicom.to_icechunk(session.store)
    session.commit("references")
    path = tmp_path / "ct" / "001.dcm"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10 * 10**9))

    with pytest.raises(Exception, match="checksum"):
        read_back(repository).load()


def test_sources_without_a_container_are_an_error(repository: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    ct = open_ct(tmp_path_factory.mktemp("elsewhere") / "ct", 2)

    with pytest.raises(SourceError, match="no virtual chunk container for 2 of 2 frames"):
        ct.dicom.to_icechunk(repository.writable_session("main").store)


def manifests() -> Any:
    """VirtualiZarr and a registry of local files, where its manifests can hold labels."""
    virtualizarr = pytest.importorskip("virtualizarr", reason="VirtualiZarr is not installed")
    obstore = pytest.importorskip("obstore")
    registry = pytest.importorskip("obspec_utils.registry").ObjectStoreRegistry({"file://": obstore.store.LocalStore()})
    if "inlined" not in inspect.signature(virtualizarr.manifests.ChunkManifest.from_arrays).parameters:
        pytest.skip("this VirtualiZarr has no inlined chunks")
    return virtualizarr, registry


@pytest.mark.parametrize("name", NAMES)
def test_the_parser_makes_a_store_that_opens_as_the_series_itself(testdata: Path, name: str) -> None:
    _, registry = manifests()

    store = DicomParser()(str(testdata / name), registry)

    assert xr.open_zarr(store, consolidated=False, zarr_format=3)["stored_values"].identical(xdicom.open_series(testdata / name))


def test_the_parser_is_one_of_virtualizarr(testdata: Path) -> None:
    virtualizarr, registry = manifests()
    url = f"file://{testdata / 'us_cine.dcm'}"

    dataset = virtualizarr.open_virtual_dataset(url, registry=registry, parser=DicomParser())

    assert isinstance(dataset["stored_values"].data, virtualizarr.manifests.ManifestArray)


def test_the_parser_wants_one_array(tmp_path: Path) -> None:
    _, registry = manifests()
    make_ct(tmp_path / "study" / "ct")
    make_pet(tmp_path / "study" / "pet")

    with pytest.raises(MultipleSeriesError):
        DicomParser()(str(tmp_path / "study"), registry)


def test_what_is_missing_is_named(ct: xr.DataArray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "icechunk", None)

    with pytest.raises(MissingDependencyError, match=r"pip install 'xdicom\[virtual\]'"):
        ct.dicom.to_icechunk(None)
