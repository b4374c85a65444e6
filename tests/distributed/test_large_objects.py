"""Twenty thousand frames in one object, and whole roads from bucket to bucket."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_ct, make_file
from servers import PATIENCE_S, S3Server
from xdicom.sources import reset_statistics, statistics

COUNT, ROWS, COLUMNS = 20_000, 16, 16


def frames() -> np.ndarray:
    numbers = np.arange(COUNT * ROWS * COLUMNS, dtype=np.uint32) * 2_654_435_761
    return (numbers >> 20).astype(np.uint16).reshape(COUNT, ROWS, COLUMNS)


@pytest.fixture(scope="module", params=["native", "deflated_frame"])
def url(request: pytest.FixtureRequest, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = make_file(tmp_path_factory.mktemp("many") / "a.dcm", {"Modality": "OT"}, frames(), request.param)
    return s3.put(f"many-{request.param}.dcm", path.read_bytes())


def test_the_scan_reads_the_header_and_the_tables(url: str, s3: S3Server) -> None:
    reset_statistics()

    catalog = xdicom.scan(url, storage_options=s3.options)

    assert len(catalog.frames) == COUNT
    assert statistics().requests <= 8
    assert statistics().bytes < 32_768 + 4 * COUNT + 4 * 65_536


def test_one_frame_moves_little_more_than_its_bytes(url: str, s3: S3Server) -> None:
    array = xdicom.open_frames(url, storage_options=s3.options)
    length = xdicom.scan(url).frames.length[12_345]
    reset_statistics()

    values = array[12_345].compute()

    assert (values == frames()[12_345]).all()
    assert statistics().requests == 1
    assert statistics().bytes < 1.5 * length


def test_the_mean_of_all_takes_one_request_a_chunk(url: str, s3: S3Server) -> None:
    array = xdicom.open_frames(url, chunks=2_500, storage_options=s3.options)
    reset_statistics()

    mean = array.mean().compute()

    assert mean == frames().mean()
    assert statistics().requests == array.npartitions == 8


def test_the_memory_of_the_client_does_not_grow_with_the_frames(client: Any, tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.dcm", {"Modality": "OT"}, frames())
    mean = xdicom.open_frames(path, chunks=2_500).mean()
    client.compute(mean.sum()).result(PATIENCE_S)  # what is imported at the first time is no memory of frames
    tracemalloc.start()

    result = client.compute(mean).result(PATIENCE_S)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert result == frames().mean()
    assert peak < frames().nbytes / 4


def test_a_series_goes_from_s3_to_zarr_on_s3(client: Any, s3: S3Server, tmp_path: Path) -> None:
    for path in make_ct(tmp_path / "ct", [2.0 * i for i in range(20)], transfer_syntax="rle"):
        s3.put(f"road/ct/{path.name}", path.read_bytes())
    xdicom.scan("s3://bucket/road/ct/", storage_options=s3.options).save("s3://bucket/road/ct.catalog", storage_options=s3.options)

    ct = xdicom.open_series("s3://bucket/road/ct.catalog", chunks={"z": 4}, storage_options=s3.options)
    with dask.config.set(scheduler=client):
        ct.dicom.to_zarr("s3://bucket/road/ct.zarr", storage_options=s3.options, progress=False)

    again = xr.open_zarr("s3://bucket/road/ct.zarr", storage_options=s3.options)["stored_values"]
    assert again.compute().equals(xdicom.open_series(tmp_path / "ct").compute())


def test_workers_share_a_catalog_on_s3(client: Any, s3: S3Server, tmp_path: Path) -> None:
    paths = make_ct(tmp_path / "ct", [2.0 * i for i in range(6)])
    for path in paths:
        s3.put(f"shared/ct/{path.name}", path.read_bytes())
    catalog = "s3://bucket/shared/ct.catalog"
    xdicom.scan("s3://bucket/shared/ct/", storage_options=s3.options).save(catalog, storage_options=s3.options)
    place = {"client_kwargs": s3.options["client_kwargs"]}

    def mean_of(number: int) -> tuple[float, int]:
        reset_statistics()
        plane = xdicom.open_series(catalog, storage_options=place)[number]
        opened = statistics().requests
        with dask.config.set(scheduler="synchronous"):
            return float(plane.mean()), statistics().requests - opened

    found = client.gather(client.map(mean_of, range(6)))

    assert [mean for mean, _ in found] == [float(plane.mean()) for plane in xdicom.open_series(paths)]
    assert {requests for _, requests in found} == {1}
