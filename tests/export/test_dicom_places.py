"""DICOM is written wherever fsspec writes, whole or not at all, and over nothing that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import xdicom
from builders import make_ct, make_enhanced_mr
from servers import KEY, SECRET, S3Server, require, s3_server
from xdicom.cli import app
from xdicom.errors import SourceError
from xdicom.export.dicom_files import write_dicom
from xdicom.sources.folders import folder_at, split_place

URL = "memory://written/out"


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Three slices of CT."""
    make_ct(tmp_path / "ct")
    return xdicom.open_series(tmp_path / "ct")


@pytest.fixture
def memory() -> Iterator[Any]:
    """A file system in memory, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def test_single_frames_go_to_a_url(ct: xr.DataArray, memory: Any) -> None:
    written = write_dicom(ct, URL, progress=False)

    assert sorted(path.rpartition("/")[2] for path in memory.find("/written/out")) == ["00001.dcm", "00002.dcm", "00003.dcm"]
    assert written.bytes == memory.du("/written/out")
    np.testing.assert_array_equal(xdicom.open_series(URL).values, ct.values)


@pytest.mark.parametrize("transfer_syntax", [None, "jpeg-ls"])
def test_frames_of_one_object_go_to_a_url(transfer_syntax: str | None, memory: Any, tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "mr.dcm")

    write_dicom(mr, URL, transfer_syntax=transfer_syntax, progress=False)

    assert list(memory.find("/written/out")) == ["/written/out/00001.dcm"]
    np.testing.assert_array_equal(xdicom.open_series(URL).values, mr.values)


def test_what_is_at_a_url_is_not_replaced_unasked(ct: xr.DataArray, memory: Any) -> None:
    write_dicom(ct, URL, progress=False)

    with pytest.raises(SourceError, match=r"00001.dcm and 2 others of these names: overwrite=True"):
        write_dicom(ct, URL, progress=False)
    write_dicom(ct + np.int16(1), URL, overwrite=True, progress=False)
    np.testing.assert_array_equal(xdicom.open_series(URL).values, ct.values + 1)


def test_a_source_at_a_url_is_never_replaced(ct: xr.DataArray, memory: Any) -> None:
    write_dicom(ct, URL, progress=False)

    with pytest.raises(SourceError, match="is one of the files that the array is read from"):
        write_dicom(xdicom.open_series(URL), URL, overwrite=True, progress=False)


def test_maps_and_masks_go_to_a_url(ct: xr.DataArray, memory: Any) -> None:
    pytest.importorskip("highdicom")
    (ct > 50).dicom.to_segmentation(f"{URL}/seg.dcm", ct)
    ct.astype(np.float32).dicom.to_parametric_map(f"{URL}/map.dcm", units="1", progress=False)

    assert [path.rpartition("/")[2] for path in sorted(memory.find("/written/out"))] == ["map.dcm", "seg.dcm"]


@pytest.mark.parametrize("url", ["https://host/out", "simplecache::s3://bucket/out", "dicomweb+https://host/studies/1", "zip://a"])
def test_storage_that_is_only_read_is_refused(url: str, ct: xr.DataArray) -> None:
    with pytest.raises(SourceError, match="is read and not written"):
        write_dicom(ct, url, progress=False)


def test_a_secret_in_a_url_is_not_part_of_the_folder() -> None:
    folder, name = split_place("s3://KEYID:xyzzy@bucket/out/seg.dcm")

    assert (folder.location, name) == ("s3://bucket/out", "seg.dcm")
    assert "xyzzy" not in repr(folder_at("s3://KEYID:xyzzy@bucket/out"))


def test_the_command_writes_to_a_url(memory: Any, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct")

    result = CliRunner().invoke(app, ["to-dicom", str(tmp_path / "ct"), URL])

    assert result.exit_code == 0, result.output
    assert len(memory.find("/written/out")) == 3


@pytest.mark.s3
def test_series_go_to_a_bucket(ct: xr.DataArray, tmp_path: Path) -> None:
    require("s3")
    make_enhanced_mr(tmp_path / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "mr.dcm")
    with s3_server() as server:
        options = options_of(server)

        write_dicom(ct, "s3://bucket/ct", storage_options=options, progress=False)
        write_dicom(mr, "s3://bucket/mr/", storage_options=options, progress=False)

        for array, url in ((ct, "s3://bucket/ct"), (mr, "s3://bucket/mr")):
            np.testing.assert_array_equal(xdicom.open_series(url, storage_options=options).values, array.values)
        with pytest.raises(SourceError, match="overwrite=True"):
            write_dicom(ct, "s3://bucket/ct", storage_options=options, progress=False)
        with pytest.raises(SourceError):
            write_dicom(ct, "s3://no-such-bucket/ct", storage_options=options, progress=False)


def options_of(server: S3Server) -> dict[str, Any]:
    """Options by which s3fs and obstore reach a server."""
    return {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": server.endpoint, "region_name": "us-east-1"}}
