"""Frames that are moved into Zarr as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import xdicom
from builders import make_ct, make_seg
from export.conftest import open_ct
from xdicom import PixelDataError, SourceError
from xdicom.export.zarr_verify import verify_zarr


@pytest.mark.parametrize("shards", ["auto", None, {"z": 5}])
def test_frames_keep_their_bits_and_their_size(tmp_path: Path, shards: object) -> None:
    ct = open_ct(tmp_path / "ct", 12, rows=64, columns=64, transfer_syntax="jpegls")
    written = ct.dicom.to_zarr(tmp_path / "store.zarr", codecs="original", shards=shards, progress=False)

    assert xr.open_zarr(tmp_path / "store.zarr")["stored_values"].identical(ct)
    assert verify_zarr(ct, tmp_path / "store.zarr", progress=False).is_equal
    assert written.values < ct.nbytes / 2


def test_nothing_is_decoded_but_a_few_frames_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ct = open_ct(tmp_path / "ct", 20, transfer_syntax="jpegls")
    reads: list[object] = []
    real = xdicom.lazy.reading._decode
    monkeypatch.setattr("xdicom.lazy.reading._decode", lambda *given, **more: reads.append(given[2]) or real(*given, **more))

    ct.dicom.to_zarr(MemoryStore(), codecs="original", progress=False)

    assert len(reads) == 8  # four frames, from the array and from their sources, are compared


def test_planes_without_a_frame_stay_zero(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", rows=8, columns=8)
    seg = xdicom.open_series(tmp_path / "seg.dcm")
    for shards in ("auto", None):
        store = MemoryStore()
        seg.dicom.to_zarr(store, codecs="original", shards=shards, progress=False)

        assert xr.open_zarr(store)["stored_values"].identical(seg)


def test_what_was_interrupted_is_completed(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 6, transfer_syntax="jpegls")
    ct.dicom.to_zarr(tmp_path / "store.zarr", codecs="original", shards={"z": 2}, progress=False)
    (tmp_path / "store.zarr" / "stored_values" / "c" / "1" / "0" / "0").unlink()

    written = ct.dicom.to_zarr(tmp_path / "store.zarr", codecs="original", resume=True, progress=False)

    assert (written.blocks, written.kept) == (1, 2)
    assert xr.open_zarr(tmp_path / "store.zarr")["stored_values"].identical(ct)


def test_a_study_is_moved_too(tmp_path: Path) -> None:
    make_ct(tmp_path / "study" / "ct", transfer_syntax="j2k")
    study = xdicom.open_study(tmp_path / "study")
    store = MemoryStore()

    study.dicom.to_zarr(store, codecs="original", progress=False)

    (name,) = study.children
    assert xr.open_datatree(store, engine="zarr")[name].dataset["stored_values"].identical(study[name].dataset["stored_values"])


def test_other_chunks_than_frames_are_refused(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3)

    with pytest.raises(ValueError, match="each is a chunk"):
        ct.dicom.to_zarr(MemoryStore(), codecs="original", layout="volume", progress=False)


def test_numbers_in_memory_are_no_frames(volume: xr.DataArray) -> None:
    with pytest.raises(SourceError, match="can't be traced"):
        volume.dicom.to_zarr(MemoryStore(), codecs="original", progress=False)


def test_shards_are_read_by_zarr_with_their_checksum(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3)
    ct.dicom.to_zarr(tmp_path / "store.zarr", codecs="original", progress=False)
    shard = tmp_path / "store.zarr" / "stored_values" / "c" / "0" / "0" / "0"
    array = zarr.open_group(tmp_path / "store.zarr", mode="r")["stored_values"]
    np.testing.assert_array_equal(array[:], ct)

    shard.write_bytes(shard.read_bytes()[:-1] + b"\0")

    with pytest.raises(ValueError, match=r"(?i)checksum"):
        array[:]


def test_a_source_that_was_cut_since_is_an_error(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3)
    path = tmp_path / "ct" / "001.dcm"
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises((SourceError, PixelDataError)):
        ct.dicom.to_zarr(MemoryStore(), codecs="original", progress=False)
