"""DICOM is written where the workers are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import xdicom
from builders import make_ct, make_enhanced_mr
from servers import KEY, SECRET, S3Server


def test_workers_write_the_files_of_a_series(client: Any, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [2.5 * i for i in range(12)])
    ct = xdicom.open_series(tmp_path / "ct")
    told: list[tuple[int, int]] = []

    with client.as_current():
        smooth = ct.dicom.to_modality().astype(np.float32) * np.float32(0.9)
        written = smooth.dicom.to_dicom(tmp_path / "out", transfer_syntax="rle", progress=lambda done, of: told.append((done, of)))

    again = xdicom.open_series(tmp_path / "out").dicom.to_modality()
    assert written.instances == 12
    assert np.abs(again.values - smooth.values).max() <= written.max_error + 0.002  # reading rounds to float32
    assert told[-1] == (12, 12)


def test_frames_of_many_workers_become_one_object(client: Any, tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "mr.dcm")

    with client.as_current():
        mr.dicom.to_dicom(tmp_path / "out", progress=False)
        (mr.astype(np.float32) / 3).assign_attrs(mr.attrs).dicom.to_parametric_map(
            tmp_path / "map.dcm", units="1", progress=False, attributes={"FrameOfReferenceUID": "1.2.3"}
        )

    np.testing.assert_array_equal(xdicom.open_series(tmp_path / "out").values, mr.values)
    np.testing.assert_array_equal(xdicom.open_series(tmp_path / "map.dcm").values, mr.values.astype(np.float32) / 3)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00001.dcm"]


def test_a_store_alone_is_written_by_workers(client: Any, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [2.5 * i for i in range(6)])
    ct = xdicom.open_series(tmp_path / "ct")
    ct.dicom.keep_headers().dicom.to_zarr(tmp_path / "ct.zarr", progress=False)

    with client.as_current():
        client.submit(_write, str(tmp_path / "ct.zarr"), str(tmp_path / "out")).result()

    np.testing.assert_array_equal(xdicom.open_series(tmp_path / "out").values, ct.values)


def test_workers_write_to_a_bucket(client: Any, s3: S3Server, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [2.5 * i for i in range(6)])
    make_enhanced_mr(tmp_path / "mr.dcm")
    endpoint = {"client_kwargs": {"endpoint_url": s3.endpoint, "region_name": "us-east-1"}}
    options = {"key": KEY, "secret": SECRET, **endpoint}  # what is secret stays here: workers have their own in the environment

    for source, name in ((tmp_path / "ct", "ct"), (tmp_path / "mr.dcm", "mr")):
        array = xdicom.open_series(source)
        with client.as_current():
            array.dicom.to_dicom(f"s3://bucket/written/{name}", storage_options=options, transfer_syntax="rle", progress=False)
        again = xdicom.open_series(f"s3://bucket/written/{name}", storage_options=options)
        np.testing.assert_array_equal(again.values, array.values)


def _write(store: str, folder: str) -> int:
    """What a process does that has never seen the source."""
    import dask
    import xarray as xr

    import xdicom  # noqa: F401 - for the accessor

    with dask.config.set(scheduler="synchronous"):
        return int(xr.open_zarr(store)["stored_values"].dicom.to_dicom(folder, progress=False).instances)
