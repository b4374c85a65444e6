"""Comparing a store with its source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import xdicom
from builders import make_ct, make_pet
from xdicom import SourceError
from xdicom.export.zarr_verify import Verification, verify_zarr, verify_zarr_tree


def test_a_faithful_store_is_equal(ct: xr.DataArray, tmp_path: Path) -> None:
    ct.dicom.to_zarr(tmp_path / "store.zarr", shards={"z": 5}, progress=False)

    found = verify_zarr(ct, tmp_path / "store.zarr", progress=False)

    assert found == Verification(frames=12)
    assert found.is_equal
    assert str(found) == "12 frames: equal"


def test_frames_that_differ_are_named(volume: xr.DataArray) -> None:
    store = MemoryStore()
    volume.dicom.to_zarr(store, shards={"z": 2}, chunks={"y": 2}, progress=False)
    zarr.open_group(store)["stored_values"][1, 0, 3, 2, 2] = -1

    found = verify_zarr(volume, store, progress=False)

    assert found.different == ((1, 0, 3),)
    assert str(found) == "30 frames: 1 differ: frame 1, 0, 3"


def test_labels_that_differ_are_named(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct.dicom.to_zarr(store, progress=False)

    found = verify_zarr(ct.assign_coords(rescale_slope=2.0).assign_attrs(modality="MR"), store, progress=False)

    assert found.labels == ("the coordinate rescale_slope differs", "the attribute modality differs")
    assert not found.is_equal


def test_a_store_that_is_not_whole_is_not_equal(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct.dicom.to_zarr(store, shards={"z": 6}, region={"z": slice(0, 6)}, progress=False)

    found = verify_zarr(ct, store, progress=False)

    assert found.labels == ("the store is not marked as whole",)
    assert found.different == tuple((i,) for i in range(6, 12))


def test_another_shape_is_told_and_not_compared(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct.dicom.to_zarr(store, progress=False)

    found = verify_zarr(ct[:4], store, progress=False)

    assert found.frames == 0
    assert found.labels[0] == "shape is {'z': 4, 'y': 8, 'x': 6}, in the store {'z': 12, 'y': 8, 'x': 6}"


def test_nan_equals_nan() -> None:
    array = xr.DataArray(np.array([[[np.nan, 1.0]]]), dims=("z", "y", "x"), attrs={"fill": float("nan")}, name="v")
    store = MemoryStore()
    array.dicom.to_zarr(store, progress=False)

    assert verify_zarr(array, store, progress=False).is_equal


def test_each_series_of_a_study_is_compared(tmp_path: Path) -> None:
    make_ct(tmp_path / "study" / "ct")
    make_pet(tmp_path / "study" / "pet")
    study = xdicom.open_study(tmp_path / "study")
    study.dicom.to_zarr(tmp_path / "study.zarr", progress=False)

    found = verify_zarr_tree(study, tmp_path / "study.zarr", progress=False)

    assert len(found) == 2
    assert all(each.is_equal for each in found.values())


def test_a_store_that_is_not_there_is_an_error(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no Zarr store"):
        verify_zarr(ct, tmp_path / "store.zarr", progress=False)
