"""Exports that were interrupted, shared between processes, or whose source changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import xdicom
from export.conftest import open_ct
from xdicom import SourceError
from xdicom.export.zarr_marks import MARK
from xdicom.export.zarr_pipelines import ZARRS, array_to_read
from xdicom.export.zarr_values import Written
from xdicom.export.zarr_verify import verify_zarr

Contents = Callable[[Path], dict[str, bytes]]


def test_only_missing_shards_are_decoded_and_written(ct: xr.DataArray, tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    ct.dicom.to_zarr(store, shards={"z": 3}, progress=False)
    (store / "stored_values" / "c" / "2" / "0" / "0").unlink()
    calls: list[int] = []
    counted = ct.copy(data=ct.data.map_blocks(lambda block: calls.append(len(block)) or block, dtype=ct.dtype, meta=ct.data._meta))

    written = counted.dicom.to_zarr(store, resume=True, progress=False)

    assert written == Written(blocks=1, kept=3, values=3 * ct[0].nbytes)
    assert sum(calls) == 3 + 3  # a frame of each shard that is there is compared
    assert xr.open_zarr(store)["stored_values"].identical(ct)


def test_resume_makes_a_store_where_there_is_none(ct: xr.DataArray, tmp_path: Path) -> None:
    assert ct.dicom.to_zarr(tmp_path / "store.zarr", resume=True, progress=False).blocks == 1


def test_a_source_that_changed_is_refused(tmp_path: Path, contents: Contents) -> None:
    open_ct(tmp_path / "ct", 4).dicom.to_zarr(tmp_path / "store.zarr", progress=False)
    before = contents(tmp_path / "store.zarr")
    path = tmp_path / "ct" / "002.dcm"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))

    with pytest.raises(SourceError, match="its source has changed since"):
        xdicom.open_series(tmp_path / "ct").dicom.to_zarr(tmp_path / "store.zarr", resume=True, progress=False)

    assert contents(tmp_path / "store.zarr") == before


def test_values_that_were_computed_otherwise_are_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    ct.dicom.to_zarr(store, shards={"z": 3}, progress=False)
    (store / "stored_values" / "c" / "2" / "0" / "0").unlink()
    other = ct.copy(data=ct.data + np.int16(1))

    with pytest.raises(SourceError, match="other values than the array"):
        other.dicom.to_zarr(store, resume=True, progress=False)


def test_values_that_were_computed_otherwise_in_part_are_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    ct.dicom.to_zarr(store, shards={"z": 3}, progress=False)
    (store / "stored_values" / "c" / "2" / "0" / "0").unlink()
    other = ct.copy(data=ct.data + (np.arange(12) >= 9).astype(np.int16)[:, None, None])

    with pytest.raises(SourceError, match=r"other values than the array at index \(9, 0, 0\)"):
        other.dicom.to_zarr(store, resume=True, progress=False)


def test_a_store_of_another_writer_is_refused(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct.to_dataset().drop_vars("sop_instance_uid").to_zarr(store, consolidated=False)

    with pytest.raises(SourceError, match="from another writer"):
        ct.dicom.to_zarr(store, resume=True, progress=False)


def test_the_store_says_when_it_is_whole(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct.dicom.to_zarr(store, shards={"z": 4}, region={"z": slice(0, 4)}, progress=False)
    before = zarr.open_group(store).attrs[MARK]["stored_values"]["state"]
    ct.dicom.to_zarr(store, shards={"z": 4}, resume=True, progress=False)

    assert before == "values"
    assert zarr.open_group(store).attrs[MARK]["stored_values"]["state"] == "complete"
    assert MARK not in xr.open_zarr(store)["stored_values"].attrs


def test_regions_are_written_one_by_one(ct: xr.DataArray) -> None:
    store = MemoryStore()

    parts = [ct.dicom.to_zarr(store, shards={"z": 5}, region={"z": slice(*edges)}, progress=False) for edges in ((0, 0), (5, 12), (0, 5))]
    last = ct.dicom.to_zarr(store, resume=True, progress=False)

    assert [part.blocks for part in (*parts, last)] == [0, 2, 1, 0]
    assert xr.open_zarr(store)["stored_values"].identical(ct)


def test_a_region_that_cuts_a_shard_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="region begins or ends within a shard: z 0 to 6, and there is one from 5 to 10"):
        ct.dicom.to_zarr(MemoryStore(), shards={"z": 5}, region={"z": slice(0, 6)}, progress=False)


def test_another_pipeline_that_is_set_does_not_write(ct: xr.DataArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of zarrs writes into files by their names, so that a killed run would leave halves that pass for whole."""
    pytest.importorskip("zarrs", reason="zarrs is not installed")
    named, rename = set[Path](), Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, target: (named.add(Path(target)), rename(path, target))[1])

    with zarr.config.set({"codec_pipeline.path": ZARRS}):
        ct.dicom.to_zarr(tmp_path / "store.zarr", progress=False)

    assert tmp_path / "store.zarr" / "stored_values" / "c" / "0" / "0" / "0" in named


@pytest.mark.parametrize("codecs", ["auto", "original"])
def test_zarrs_reads_what_was_written(tmp_path: Path, codecs: str) -> None:
    pytest.importorskip("zarrs", reason="zarrs is not installed")
    ct = open_ct(tmp_path / "ct", 5, transfer_syntax="jpegls")
    ct.dicom.to_zarr(tmp_path / "store.zarr", codecs=codecs, shards={"z": 2}, progress=False)
    array = array_to_read(zarr.open_group(tmp_path / "store.zarr", mode="r"), "stored_values")

    assert type(array.array._async_array.codec_pipeline).__name__ == "ZarrsCodecPipeline"
    np.testing.assert_array_equal(array.array[:], ct)
    assert verify_zarr(ct, tmp_path / "store.zarr", progress=False).is_equal
