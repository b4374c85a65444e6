"""xarray's own doors: the same arrays and labels as ours, read when they are indexed and no further."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xarray.core import indexing

import xdicom
from builders import (
    AXIAL,
    CORONAL,
    make_cine,
    make_ct,
    make_enhanced_mr,
    make_file,
    make_not_dicom,
    make_pet,
    make_seg,
    make_sr,
    phantom,
    phantoms,
    uid,
)
from doubles import counted_reads
from index.arranged import make_planes, only_grid
from index.test_tiles import mosaic
from xdicom.backend import DicomBackendEntrypoint, FrameBackendArray
from xdicom.errors import MultipleSeriesError, NotDicomError, SourceError


def test_the_engine_is_known_to_xarray() -> None:
    engine = xr.backends.list_engines()["dicom"]

    assert isinstance(engine, DicomBackendEntrypoint)
    assert engine.description
    assert engine.supports_groups


MAKERS: dict[str, Any] = {
    "ct": lambda folder: make_ct(folder, [4.0, 0.0, 2.0]),
    "pet": make_pet,
    "enhanced": lambda folder: make_enhanced_mr(folder / "a.dcm"),
    "cine": lambda folder: make_cine(folder / "a.dcm"),
    "segmentation": lambda folder: make_seg(folder / "a.dcm"),
    "mosaic": lambda folder: mosaic(folder / "a.dcm", 5),
    "picture": lambda folder: make_file(folder / "a.dcm", {"Modality": "CR"}, phantom(0)),
}


@pytest.mark.filterwarnings("ignore:The specified chunks separate the stored chunks")  # a mosaic is one stored chunk
@pytest.mark.parametrize("chunks", [None, {}, "auto", {"z": 2, "time": 2}])
@pytest.mark.parametrize("kind", MAKERS)
def test_both_doors_give_the_same_values_and_labels(tmp_path: Path, kind: str, chunks: Any) -> None:
    MAKERS[kind](tmp_path)
    if isinstance(chunks, dict):
        chunks = {dim: size for dim, size in chunks.items() if dim in xdicom.open_series(tmp_path).dims}

    dataset = xr.open_dataset(tmp_path, engine="dicom", chunks=chunks)

    xr.testing.assert_identical(dataset["stored_values"].compute(), xdicom.open_series(tmp_path).compute())


def test_chunks_of_the_file_are_single_frames(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0])

    array = xr.open_dataset(tmp_path, engine="dicom", chunks={})["stored_values"]

    assert isinstance(array.data, da.Array)
    assert array.chunks == ((1, 1, 1), (8,), (6,))


def test_chunks_of_a_mosaic_are_whole_mosaics(tmp_path: Path) -> None:
    for number in range(2):
        mosaic(tmp_path / f"{number}.dcm", 5, number=number)

    array = xr.open_dataset(tmp_path, engine="dicom", chunks={})["stored_values"]

    assert array.chunks[:2] == ((1, 1), (5,))


def test_the_methods_of_arrays_work_on_both(tmp_path: Path) -> None:
    make_pet(tmp_path, [0.5, 1.25, 2.0])

    array = xr.open_dataset(tmp_path, engine="dicom", chunks={})["stored_values"]

    np.testing.assert_array_equal(array.dicom.to_modality(), xdicom.open_series(tmp_path).dicom.to_modality())


def test_opening_reads_no_pixel_and_leaves_no_file_open(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [0.0, 1.0], rows=256, columns=256)

    with counted_reads(tmp_path) as reads:
        xr.open_dataset(tmp_path, engine="dicom")

    assert all(reads.bytes_within(path, 8192, 10**9) == 0 for path in paths)
    assert reads.left_open == 0


def test_indexing_reads_the_frames_that_are_asked_for(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [0.0, 1.0, 2.0])
    dataset = xr.open_dataset(tmp_path, engine="dicom")

    with counted_reads(tmp_path) as reads:
        values = dataset["stored_values"][1, 2:4].values

    np.testing.assert_array_equal(values, phantom(1)[2:4])
    assert reads.opened == [str(paths[1])]


KEYS = {
    "one frame": 1,
    "a frame from the end": -1,
    "a slice": slice(0, 2),
    "every other backwards": slice(None, None, -2),
    "frames twice": [2, 0, 2],
    "none": slice(0, 0),
    "an array": np.array([1, 1]),
    "where": np.array([True, False, True]),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_frames_are_indexed_as_in_an_array(tmp_path: Path, key: Any) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0])

    array = xr.open_dataset(tmp_path, engine="dicom", cache=False)["stored_values"]

    np.testing.assert_array_equal(array[key].values, phantoms(3)[key])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_selection_is_that_of_the_array(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("selection")
    make_enhanced_mr(folder / "a.dcm", (4.0, 8.0), (0.0, 2.0, 4.0), rows=4, columns=3)
    whole = phantoms(6, 4, 3, np.uint16).reshape(2, 3, 4, 3)
    key = {}
    for dim, size in zip(("echo_time", "z", "y", "x"), whole.shape, strict=True):
        kind = data.draw(st.sampled_from(["all", "number", "slice", "list"]))
        if kind == "number":
            key[dim] = data.draw(st.integers(-size, size - 1))
        elif kind == "slice":
            # Empty slices that run backwards are more than xarray itself can take.
            key[dim] = data.draw(
                st.slices(size).filter(lambda part, size=size: (part.step or 1) > 0 or len(range(*part.indices(size))) > 0)
            )
        elif kind == "list":
            key[dim] = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))

    part = xr.open_dataset(folder, engine="dicom", cache=False)["stored_values"].isel(key)

    expected = xr.DataArray(whole, dims=("echo_time", "z", "y", "x")).isel(key)
    np.testing.assert_array_equal(part.values, expected.values)


def test_points_are_picked_one_by_one(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0])
    where = {dim: xr.DataArray(index, dims="point") for dim, index in {"z": [2, 0, 1, 1], "y": [0, 7, 3, 3], "x": [5, 0, 2, 2]}.items()}

    picked = xr.open_dataset(tmp_path, engine="dicom")["stored_values"].isel(where)

    assert picked.values.tolist() == phantoms(3)[[2, 0, 1, 1], [0, 7, 3, 3], [5, 0, 2, 2]].tolist()


def test_an_array_loads_from_an_event_loop(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0])
    array = FrameBackendArray(only_grid(tmp_path))

    values = asyncio.run(array.async_getitem(indexing.BasicIndexer((1, slice(None), slice(None)))))

    np.testing.assert_array_equal(values, phantom(1))


def test_a_dataset_loads_from_an_event_loop(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0])
    dataset = xr.open_dataset(tmp_path, engine="dicom")

    loaded = asyncio.run(dataset.load_async())

    np.testing.assert_array_equal(loaded["stored_values"], phantoms(3))


def test_a_dataset_that_is_not_read_yet_pickles(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0])

    again = pickle.loads(pickle.dumps(xr.open_dataset(tmp_path, engine="dicom")))

    np.testing.assert_array_equal(again["stored_values"], phantoms(2))


def test_variables_may_be_dropped(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0])

    dataset = xr.open_dataset(tmp_path, engine="dicom", drop_variables=["sop_instance_uid", "nothing"])
    one = xr.open_dataset(tmp_path, engine="dicom", drop_variables="sop_instance_uid")

    assert "sop_instance_uid" not in dataset.coords
    assert "sop_instance_uid" not in one.coords
    assert "instance_number" in dataset.coords


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """CT and a localizer of two orientations."""
    make_ct(tmp_path / "ct", [0.0, 2.0, 4.0], SeriesNumber=4)
    for name, orientation in (("a", AXIAL), ("b", CORONAL)):
        make_planes(
            tmp_path / "localizer" / name, [0.0, 2.0], {"SOPInstanceUID": [uid(name, 0), uid(name, 1)]}, SeriesInstanceUID=uid("localizer"),
            ImageOrientationPatient=orientation, SeriesNumber=1,
        )  # fmt: skip
    make_sr(tmp_path / "report.dcm")
    return tmp_path


def test_a_series_and_a_stack_are_chosen_by_name(study: Path) -> None:
    dataset = xr.open_dataset(study, engine="dicom", series_uid=uid("localizer"), stack="coronal")

    assert dataset["stored_values"].attrs["plane"] == "coronal"


def test_several_series_are_refused(study: Path) -> None:
    with pytest.raises(MultipleSeriesError, match="series_uid="):
        xr.open_dataset(study, engine="dicom")


def test_a_study_is_a_tree_with_the_same_nodes(study: Path) -> None:
    tree = xr.open_datatree(study, engine="dicom")

    ours = xdicom.open_study(study)
    assert [node.path for node in tree.subtree] == [node.path for node in ours.subtree]
    for node, mine in zip(tree.subtree, ours.subtree, strict=True):
        assert node.attrs == mine.attrs
        if "stored_values" in mine.data_vars:
            xr.testing.assert_identical(node["stored_values"].compute(), mine["stored_values"].compute())


def test_groups_are_opened_as_datasets(study: Path) -> None:
    groups = xr.open_groups(study, engine="dicom")

    assert set(groups) == {"/", "/4_ct", "/1_mr", "/1_mr/axial", "/1_mr/coronal"}
    assert "no pixel data" in groups["/"].attrs["problems"][0]


@pytest.mark.parametrize("syntax", ["native", "deflated", "rle"])
def test_files_with_the_prefix_can_be_opened_without_naming_the_engine(tmp_path: Path, syntax: str) -> None:
    (path,) = make_ct(tmp_path, [0.0], ["no suffix"], transfer_syntax=syntax)

    assert DicomBackendEntrypoint().guess_can_open(path)
    np.testing.assert_array_equal(xr.open_dataset(path)["stored_values"][0], phantom(0))


def test_what_is_no_dicom_file_is_left_to_others(tmp_path: Path) -> None:
    guess = DicomBackendEntrypoint().guess_can_open

    assert not guess(make_not_dicom(tmp_path / "a.dcm"))
    assert not guess(tmp_path)
    assert not guess(tmp_path / "nowhere")
    assert not guess(b"bytes")
    assert not guess(None)


@pytest.mark.parametrize(("name", "error"), [("nowhere", SourceError), ("notes.dcm", NotDicomError), ("empty", SourceError)])
def test_bad_input_is_our_own_error(tmp_path: Path, name: str, error: type[Exception]) -> None:
    make_not_dicom(tmp_path / "notes.dcm")
    (tmp_path / "empty").mkdir()

    with pytest.raises(error):
        xr.open_dataset(tmp_path / name, engine="dicom")


def test_series_are_opened_together(tmp_path: Path) -> None:
    for name, positions in (("a", [0.0, 2.0]), ("b", [4.0, 6.0])):
        make_ct(tmp_path / name, positions)

    dataset = xr.open_mfdataset(
        [tmp_path / "a", tmp_path / "b"], engine="dicom", combine="nested", concat_dim="z", coords="different", compat="equals",
        join="outer",
        combine_attrs="override",
    )  # fmt: skip

    assert dataset["z"].values.tolist() == [0, 2, 4, 6]
    np.testing.assert_array_equal(dataset["stored_values"], np.concatenate([phantoms(2), phantoms(2)]))
