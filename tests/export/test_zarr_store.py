"""Labelled arrays to Zarr and back through plain xarray."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore, ZipStore

import distributed
import xdicom
from builders import make_cine, make_ct, make_pet
from xdicom import SourceError
from xdicom.export.zarr_values import Written
from xdicom.export.zarr_verify import Verification, verify_zarr


def reopened(store: object, name: str = "stored_values") -> xr.DataArray:
    return xr.open_zarr(store)[name]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", ["ct", "pet", "mr_enhanced.dcm", "us_cine.dcm", "palette.dcm"])
def test_an_opened_series_comes_back_identical(testdata: Path, tmp_path: Path, name: str, zarr_format: int) -> None:
    array = xdicom.open_series(testdata / name)

    array.dicom.to_zarr(tmp_path / "store.zarr", zarr_format=zarr_format, progress=False)

    again = reopened(tmp_path / "store.zarr")
    assert again.identical(array)
    assert again.attrs == array.attrs
    assert again.dtype == array.dtype


@pytest.mark.parametrize("layout", ["frames", "volume"])
def test_any_layout_holds_the_same_values(volume: xr.DataArray, layout: str) -> None:
    store = MemoryStore()
    volume.dicom.to_zarr(store, layout=layout, progress=False)

    assert reopened(store).identical(volume)


def test_the_store_alone_is_enough_for_modality_values(tmp_path: Path) -> None:
    make_pet(tmp_path / "pet", slopes=[0.5, 1.25, 2.0])
    pet = xdicom.open_series(tmp_path / "pet")
    pet.dicom.to_zarr(tmp_path / "store.zarr", progress=False)

    again = reopened(tmp_path / "store.zarr").dicom.to_modality()

    np.testing.assert_array_equal(again, pet.dicom.to_modality())
    assert again.attrs["units"] == "BQML"


def test_floats_with_nan_come_back_with_nan() -> None:
    values = np.array([[[0.0, np.nan], [1.5, -2.0]]], np.float32)
    array = xr.DataArray(values, dims=("z", "y", "x"), coords={"z": [1.0], "b": ("z", [np.nan])}, name="modality_values")
    store = MemoryStore()

    array.dicom.to_zarr(store, progress=False)

    assert reopened(store, "modality_values").identical(array)


def test_zeros_stay_zeros_and_are_written(tmp_path: Path) -> None:
    array = xr.DataArray(np.zeros((3, 2, 2), np.uint8), dims=("z", "y", "x"), name="stored_values")
    array.dicom.to_zarr(tmp_path / "store.zarr", shards={"z": 1}, progress=False)

    again = reopened(tmp_path / "store.zarr")
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, array)
    assert zarr.open_group(tmp_path / "store.zarr")["stored_values"].nchunks_initialized == 3


@pytest.mark.parametrize("dtype", [np.bool_, np.uint32, np.int8, np.float64])
def test_values_of_every_type_come_back_are_completed_and_compared(dtype: type) -> None:
    values = (np.arange(4 * 3 * 2).reshape(4, 3, 2) % 3).astype(dtype)
    array = xr.DataArray(values, dims=("z", "y", "x"), attrs={"long_name": "numbers"}, name="mask").chunk(z=1)
    store = MemoryStore()
    array.dicom.to_zarr(store, shards={"z": 2}, progress=False)

    assert array.dicom.to_zarr(store, resume=True, progress=False).blocks == 0
    assert verify_zarr(array, store, progress=False) == Verification(frames=4)
    assert reopened(store, "mask").identical(array)
    assert reopened(store, "mask").dtype == dtype


def test_a_shard_is_one_file_and_one_task(ct: xr.DataArray, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    written = ct.dicom.to_zarr(tmp_path / "store.zarr", shards={"z": 4}, progress=lambda *step: done.append(step))

    assert written == Written(blocks=3, kept=0, values=ct.nbytes)
    assert {(1, 3), (2, 3), (3, 3)} == set(done)
    assert len([path for path in (tmp_path / "store.zarr" / "stored_values" / "c").rglob("*") if path.is_file()]) == 3


def test_frames_are_decoded_once(ct: xr.DataArray) -> None:
    calls: list[int] = []
    counted = ct.copy(data=ct.data.map_blocks(lambda block: calls.append(len(block)) or block, dtype=ct.dtype, meta=ct.data._meta))

    counted.dicom.to_zarr(MemoryStore(), shards={"z": 4}, progress=False)

    assert sum(calls) == ct.sizes["z"]


def test_memory_holds_the_shards_in_work_and_no_more(tmp_path: Path) -> None:
    made, alive, most = itertools.count(), set[int](), 0
    lock = threading.Lock()

    class Frame(np.ndarray):
        def __del__(self) -> None:
            alive.discard(getattr(self, "number", -1))

    def make(block: np.ndarray) -> np.ndarray:
        nonlocal most
        frame = np.zeros((1, 8, 8), np.int16).view(Frame)
        with lock:
            frame.number = next(made)
            alive.add(frame.number)
            most = max(most, len(alive))
        return frame

    meta = np.empty((0, 0, 0), np.int16)
    frames = da.zeros(512, chunks=1).map_blocks(make, dtype=np.int16, chunks=((1,) * 512, (8,), (8,)), new_axis=[1, 2], meta=meta)
    with dask.config.set(scheduler="threads", num_workers=2):
        xr.DataArray(frames, dims=("z", "y", "x"), name="v").dicom.to_zarr(tmp_path / "s.zarr", shards={"z": 16}, progress=False)

    assert next(made) == 512
    assert most <= 3 * 16


def test_compressors_are_what_is_asked_for() -> None:
    array = xr.DataArray(np.zeros((2, 4, 4), np.int16), dims=("z", "y", "x"), name="stored_values")
    plain, auto = MemoryStore(), MemoryStore()

    array.dicom.to_zarr(plain, codecs=None, shards=None, progress=False)
    array.dicom.to_zarr(auto, shards=None, progress=False)

    assert zarr.open_group(plain)["stored_values"].compressors == ()
    (codec,) = zarr.open_group(auto)["stored_values"].compressors
    assert codec.to_dict()["configuration"] | {"blocksize": 0} == {
        "typesize": 2,
        "cname": "zstd",
        "clevel": 1,
        "shuffle": "shuffle",
        "blocksize": 0,
    }


def test_an_existing_store_is_not_touched(ct: xr.DataArray, tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    store = tmp_path / "store.zarr"
    ct.dicom.to_zarr(store, progress=False)
    before = contents(store)

    with pytest.raises(SourceError, match=r"something at .*store\.zarr already.*mode='w'"):
        (ct + 1).dicom.to_zarr(store, progress=False)

    assert contents(store) == before


def test_mode_w_replaces_a_store(ct: xr.DataArray, volume: xr.DataArray, tmp_path: Path) -> None:
    ct.dicom.to_zarr(tmp_path / "store.zarr", progress=False)
    volume.dicom.to_zarr(tmp_path / "store.zarr", mode="w", progress=False)

    assert reopened(tmp_path / "store.zarr").identical(volume)


def test_mode_w_deletes_nothing_but_zarr_stores(volume: xr.DataArray, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(SourceError, match="something at"):
        volume.dicom.to_zarr(tmp_path, mode="w", progress=False)

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_attributes_of_numpy_become_json_and_others_are_refused(volume: xr.DataArray) -> None:
    store = MemoryStore()
    volume.assign_attrs(a=np.float32(0.5), b={"c": np.arange(2)}).dicom.to_zarr(store, progress=False)

    assert reopened(store).attrs == {"units": "1", "a": 0.5, "b": {"c": [0, 1]}}
    with pytest.raises(TypeError, match="attribute 'who' of the array is a object"):
        volume.assign_attrs(who=object()).dicom.to_zarr(MemoryStore(), progress=False)


def test_a_reopened_array_can_be_written_again(ct: xr.DataArray, tmp_path: Path) -> None:
    ct.dicom.to_zarr(tmp_path / "one.zarr", shards={"z": 5}, progress=False)
    reopened(tmp_path / "one.zarr").dicom.to_zarr(tmp_path / "two.zarr", progress=False)

    assert reopened(tmp_path / "two.zarr").identical(ct)


def test_a_store_is_packed_after_it_was_written(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="ZipStore can't change"):
        ct.dicom.to_zarr(ZipStore(tmp_path / "direct.zip", mode="w"), progress=False)
    ct.dicom.to_zarr(tmp_path / "store.zarr", progress=False)
    shutil.make_archive(str(tmp_path / "store"), "zip", tmp_path / "store.zarr")

    with ZipStore(tmp_path / "store.zip", mode="r") as store:
        assert reopened(store).identical(ct)


def test_a_url_is_a_store() -> None:
    array = xr.DataArray(np.eye(3)[None], dims=("z", "y", "x"), name="stored_values")
    array.dicom.to_zarr("memory://here/store.zarr", progress=False)

    assert reopened("memory://here/store.zarr").identical(array)


def test_a_url_of_a_file_is_a_folder(ct: xr.DataArray, tmp_path: Path) -> None:
    ct.dicom.to_zarr(f"{(tmp_path / 'a store').as_uri()}", progress=False)

    assert reopened(tmp_path / "a store").identical(ct)


def test_coordinates_that_are_computed_for_each_voxel_stay_behind(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct.dicom.patient_coords().dicom.to_zarr(store, progress=False)

    again = reopened(store)
    assert again.identical(ct)
    assert again.dicom.patient_coords()["px"].equals(ct.dicom.patient_coords()["px"])


def test_version_2_has_no_shards(volume: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="format 2 has no shards"):
        volume.dicom.to_zarr(MemoryStore(), zarr_format=2, shards={"z": 5}, progress=False)


def test_a_study_becomes_one_store_with_a_group_for_each_series(tmp_path: Path) -> None:
    make_ct(tmp_path / "study" / "ct")
    make_pet(tmp_path / "study" / "pet")
    make_cine(tmp_path / "study" / "cine.dcm")
    study = xdicom.open_study(tmp_path / "study")

    written = study.dicom.to_zarr(tmp_path / "study.zarr", chunks={"z": 2}, progress=False)

    again = xr.open_datatree(tmp_path / "study.zarr", engine="zarr")
    assert written.blocks == 3
    assert set(again.children) == set(study.children)
    for name, node in study.children.items():
        assert again[name].dataset["stored_values"].identical(node.dataset["stored_values"])
        assert again[name].attrs["series_instance_uid"] == node.attrs["series_instance_uid"]


def test_a_store_names_no_file(tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    told = {
        "PatientName": "DOE^JANE", "PatientID": "77-88", "PatientBirthDate": "19700102", "PatientAddress": "5 Elm Street",
        "OtherPatientIDs": "XX-4711", "PatientTelephoneNumbers": "555-0199", "PatientMotherBirthName": "MILLER", "PatientComments": "tall",
        "AccessionNumber": "A08154711", "ReferringPhysicianName": "SMITH^JOHN", "OperatorsName": "JONES^ANN",
        "InstitutionName": "ST ELSEWHERE", "MedicalRecordLocator": "shelf 9", "Occupation": "astronaut", "StudyID": "study-99",
    }  # fmt: skip
    paths = make_ct(tmp_path / "DOE^JANE" / "ct", **told)
    shutil.copy(paths[0], tmp_path / "DOE^JANE" / "copy.dcm")
    (tmp_path / "DOE^JANE" / "letter.txt").write_text("no DICOM")
    study = xdicom.open_study(tmp_path / "DOE^JANE")

    study.dicom.to_zarr(tmp_path / "study.zarr", codecs=None, progress=False)

    everything = b"".join(contents(tmp_path / "study.zarr").values())
    assert b"stored_values" in everything
    assert "copy.dcm" in str(next(iter(study.children.values())).attrs["notes"])
    assert [text for text in ("DOE", "JANE", *told.values()) if text.encode() in everything] == []


@pytest.mark.slow
def test_workers_in_other_processes_write_their_shards(ct: xr.DataArray, tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster),
    ):
        written = ct.dicom.to_zarr(tmp_path / "store.zarr", shards={"z": 4}, progress=False)
        found = verify_zarr(ct, tmp_path / "store.zarr", progress=False)

    assert written.blocks == 3
    assert found.is_equal
