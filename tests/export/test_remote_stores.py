"""Stores and sources that are not local: a web server, and a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import xarray as xr
import zarr

import xdicom
from builders import make_ct
from servers import KEY, SECRET, RangeServer, S3Server, require, s3_server
from xdicom import UnsupportedEncodingError
from xdicom.export.zarr_verify import verify_zarr


@pytest.fixture
def web() -> Iterator[RangeServer]:
    """A web server that serves ranges."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    server = RangeServer()
    yield server
    server.stop()


@pytest.fixture
def bucket() -> Iterator[S3Server]:
    """An S3 server with the bucket `bucket`."""
    require("s3")
    with s3_server() as server:
        yield server


def options_of(server: S3Server) -> dict[str, Any]:
    return {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": server.endpoint, "region_name": "us-east-1"}}


def open_kerchunk(references: dict[str, Any], protocol: str, **options: Any) -> xr.DataArray:
    remote = {"asynchronous": True, **options}
    files = fsspec.filesystem(
        "reference", fo=references, asynchronous=True, remote_protocol=protocol, remote_options=remote, skip_instance_cache=True
    )
    return xr.open_zarr(zarr.storage.FsspecStore(files, read_only=True, path=""))["stored_values"].load()


@pytest.mark.parametrize("syntax", ["native", "jpegls"])
def test_references_reach_frames_on_a_web_server(web: RangeServer, tmp_path: Path, syntax: str) -> None:
    paths = make_ct(tmp_path / "ct", transfer_syntax=syntax)
    ct = xdicom.open_series([web.put(path.name, path.read_bytes()) for path in paths])

    references = ct.dicom.to_kerchunk()

    assert {entry[0] for entry in references["refs"].values() if isinstance(entry, list)} == {f"{web.url}/{path.name}" for path in paths}
    assert open_kerchunk(references, "http").identical(ct)


@pytest.mark.s3
def test_a_store_in_a_bucket_is_written_completed_and_compared(bucket: S3Server, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [0.0, 2.5, 5.0, 7.5])
    ct = xdicom.open_series(tmp_path / "ct")
    options = options_of(bucket)
    url = "s3://bucket/stores/ct.zarr"

    ct.dicom.to_zarr(url, shards={"z": 2}, storage_options=options, progress=False)
    bucket.client.delete_object(Bucket="bucket", Key="stores/ct.zarr/stored_values/c/1/0/0")
    written = ct.dicom.to_zarr(url, resume=True, storage_options=options, progress=False)

    assert (written.blocks, written.kept) == (1, 1)
    assert verify_zarr(ct, url, storage_options=options, progress=False).is_equal
    assert xr.open_zarr(url, storage_options=options)["stored_values"].identical(ct)


@pytest.mark.s3
def test_references_reach_frames_in_a_bucket(bucket: S3Server, tmp_path: Path) -> None:
    for path in make_ct(tmp_path / "ct", transfer_syntax="jpegls"):
        bucket.put(f"study/{path.name}", path.read_bytes())
    ct = xdicom.open_series("s3://bucket/study/", storage_options=options_of(bucket))

    assert open_kerchunk(ct.dicom.to_kerchunk(), "s3", **options_of(bucket)).identical(ct)


@pytest.mark.s3
def test_references_in_icechunk_reach_frames_in_a_bucket(bucket: S3Server, tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")
    icechunk.set_logs_filter("error")
    for path in make_ct(tmp_path / "ct", transfer_syntax="jpegls"):
        bucket.put(f"study/{path.name}", path.read_bytes())
    ct = xdicom.open_series("s3://bucket/study/", storage_options=options_of(bucket))
    config = icechunk.RepositoryConfig.default()
    storage = icechunk.s3_store(region="us-east-1", endpoint_url=bucket.endpoint, allow_http=True, force_path_style=True)
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer("s3://bucket/", store=storage))
    allowed = icechunk.containers_credentials({"s3://bucket/": icechunk.s3_static_credentials(access_key_id=KEY, secret_access_key=SECRET)})
    repository = icechunk.Repository.create(icechunk.in_memory_storage(), config=config, authorize_virtual_chunk_access=allowed)
    session = repository.writable_session("main")

    ct.dicom.to_icechunk(session.store)
    session.commit("references")

    again = xr.open_zarr(repository.readonly_session("main").store, consolidated=False)["stored_values"]
    assert again.identical(ct)


@pytest.mark.s3
@pytest.mark.parametrize("at", ["s3", "file", "http"])
def test_a_repository_in_a_bucket_reaches_frames_anywhere(at: str, bucket: S3Server, web: RangeServer, tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")
    icechunk.set_logs_filter("error")
    paths = make_ct(tmp_path / "ct", transfer_syntax="jpegls")
    web_urls = [web.put(path.name, path.read_bytes()) for path in paths]
    for path in paths:
        bucket.put(f"study/{path.name}", path.read_bytes())
    options = options_of(bucket)
    ct = {
        "s3": lambda: xdicom.open_series("s3://bucket/study/", storage_options=options),
        "file": lambda: xdicom.open_series(tmp_path / "ct"),
        "http": lambda: xdicom.open_series(web_urls),
    }[at]()
    url = f"s3://bucket/repositories/{at}"
    if at == "http" and icechunk.__version__.startswith("1."):
        with pytest.raises(UnsupportedEncodingError, match="no web server at a port"):
            ct.dicom.to_icechunk(url, storage_options=options)
        return

    assert ct.dicom.to_icechunk(url, storage_options=options) == 3
    assert ct.dicom.to_icechunk(url, storage_options=options, resume=True) == 3

    words = {"region": "us-east-1", "endpoint_url": bucket.endpoint, "allow_http": True, "force_path_style": True}
    keys = {"access_key_id": KEY, "secret_access_key": SECRET}
    access = icechunk.containers_credentials({
        "s3": {"s3://bucket/": icechunk.s3_static_credentials(**keys)},
        "file": {f"{(tmp_path / 'ct').as_uri()}/": getattr(icechunk.credentials, "LocalFileSystemAccess", None)},
        "http": {f"{web.url}/": getattr(icechunk.credentials, "HttpAccess", None)},
    }[at])  # fmt: skip
    storage = icechunk.s3_storage(bucket="bucket", prefix=f"repositories/{at}", **words, **keys)
    repository = icechunk.Repository.open(storage, authorize_virtual_chunk_access=access)
    assert xr.open_zarr(repository.readonly_session("main").store, consolidated=False)["stored_values"].identical(ct)
    written = [
        bucket.client.get_object(Bucket="bucket", Key=entry["Key"])["Body"].read()
        for entry in bucket.client.list_objects_v2(Bucket="bucket", Prefix="repositories/")["Contents"]
    ]
    assert len(written) > 3
    assert SECRET.encode() not in b"".join(written)


@pytest.mark.s3
def test_a_file_of_references_lies_in_a_bucket(bucket: S3Server, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct")
    ct, options = xdicom.open_series(tmp_path / "ct"), options_of(bucket)
    target = "s3://bucket/references/ct.json"

    ct.dicom.to_kerchunk(target, storage_options=options)

    files = fsspec.filesystem(
        "reference", fo=target, target_options=options, asynchronous=True, remote_protocol="file", remote_options={"asynchronous": True}
    )
    assert xr.open_zarr(zarr.storage.FsspecStore(files, read_only=True, path=""))["stored_values"].load().identical(ct)


def test_a_repository_elsewhere_is_refused_by_name(tmp_path: Path) -> None:
    pytest.importorskip("icechunk", reason="icechunk is not installed")
    make_ct(tmp_path / "ct")

    with pytest.raises(UnsupportedEncodingError, match=r"not at gs://"):
        xdicom.open_series(tmp_path / "ct").dicom.to_icechunk("gs://bucket/references")
