"""xarray's own doors: the same arrays as open_series, however xarray is asked to load them."""

from __future__ import annotations

import asyncio
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from builders import CORONAL, OBLIQUE, make_ct, make_enhanced_mr, make_pet, make_seg, phantom
from doubles import counted_reads
from xdicom.api import open_series, open_study
from xdicom.errors import MultipleSeriesError

POSITIONS = (0.0, 2.5, 5.0, 7.5)
UNSTABLE = "ignore:The data type .* does not have a Zarr V3 specification"
"""cubed keeps texts in Zarr arrays of its own."""
needs_cubed = pytest.mark.skipif(
    not (find_spec("cubed") and find_spec("cubed_xarray") and hasattr(np, "__array_namespace_info__")),
    reason="cubed and cubed-xarray, with numpy 2.1 or newer, are not installed",
)
needs_async = pytest.mark.skipif(not hasattr(xr.DataArray, "load_async"), reason="this xarray does not load in an event loop")


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A folder with a CT of four slices."""
    make_ct(tmp_path / "ct", POSITIONS, slope=[1.0, 2.0, 3.0, 4.0])
    return tmp_path / "ct"


def open_values(location: Path, **options: Any) -> xr.DataArray:
    """The array of the only series at a location, through xarray's door."""
    return xr.open_dataset(location, engine="dicom", **options)["stored_values"]


@pytest.mark.parametrize("chunks", [None, {}, {"z": 2}, "auto"], ids=str)
def test_array_is_that_of_open_series(ct: Path, chunks: Any) -> None:
    xr.testing.assert_identical(open_values(ct, chunks=chunks).load(), open_series(ct).load())


def test_chunks_none_reads_nothing_until_values_are_asked_for(ct: Path) -> None:
    with counted_reads(ct) as reads:
        array = open_values(ct, chunks=None)
        headers = reads.requests
        part = array.isel(z=1, y=slice(2, 5))

        assert reads.requests == headers
        part.load()
    assert {Path(read.path).name for read in reads.reads[headers:]} == {"001.dcm"}


def test_chunks_of_the_files_are_one_frame_each(ct: Path) -> None:
    assert open_values(ct, chunks={}).chunks == ((1, 1, 1, 1), (8,), (6,))


@pytest.mark.parametrize(
    "key",
    [
        {"z": 2},
        {"z": slice(None, None, -2), "x": slice(4, 1, -1)},
        {"z": [3, 0, 0], "y": [1, 5]},
        {"z": xr.DataArray([0, 3, 1], dims="point"), "x": xr.DataArray([5, 0, 2], dims="point")},
        {"y": -1, "x": -2},
        {"z": slice(0, 0)},
    ],
    ids=str,
)
def test_any_selection_equals_that_of_numpy(ct: Path, key: dict[str, Any]) -> None:
    expected = open_series(ct).compute().isel(key)

    found = open_values(ct, chunks=None).isel(key)

    xr.testing.assert_identical(found.load(), expected)


def test_dataset_pickles_without_its_pixels(ct: Path) -> None:
    data = pickle.dumps(xr.open_dataset(ct, engine="dicom", chunks=None))

    again = pickle.loads(data)

    assert len(data) < 20_000
    assert again["stored_values"].values.tolist() == open_series(ct).values.tolist()


@needs_async
def test_async_loading_gives_the_values(ct: Path) -> None:
    async def load() -> list[xr.DataArray]:
        array = open_values(ct, chunks=None)
        return list(await asyncio.gather(*(array.isel(z=i).load_async() for i in range(4))))

    planes = asyncio.run(load())

    assert [plane.values.tolist() for plane in planes] == open_series(ct).values.tolist()


@needs_async
def test_event_loop_goes_on_while_frames_are_read(ct: Path) -> None:
    async def load() -> list[str]:
        told: list[str] = []

        async def tick() -> None:
            told.append("tick")

        ticking = asyncio.create_task(tick())
        await open_values(ct, chunks=None).load_async()
        told.append("loaded")
        await ticking
        return told

    assert asyncio.run(load()) == ["tick", "loaded"]


def test_file_is_recognized_without_naming_the_engine(tmp_path: Path) -> None:
    path = make_enhanced_mr(tmp_path / "mr.dcm")

    dataset = xr.open_dataset(path)

    assert dataset["stored_values"].sizes == {"echo_time": 2, "z": 3, "y": 8, "x": 6}


def test_variables_can_be_left_out(ct: Path) -> None:
    dataset = xr.open_dataset(ct, engine="dicom", drop_variables=["sop_instance_uid", "instance_number"])

    assert "sop_instance_uid" not in dataset.coords
    assert "rescale_slope" in dataset.coords


def test_several_series_are_listed_and_chosen(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", series_uid="1.2.3")
    make_pet(tmp_path / "pet", series_uid="1.2.4")

    with pytest.raises(MultipleSeriesError, match=r"1\.2\.4"):
        xr.open_dataset(tmp_path, engine="dicom")

    assert open_values(tmp_path, series_uid="1.2.4").attrs["modality"] == "PT"


def test_tree_has_the_nodes_and_values_of_open_study(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", series_uid="1.2.3")
    make_ct(tmp_path / "b", (0.0, 2.5), ["3.dcm", "4.dcm"], series_uid="1.2.3", orientation=CORONAL)
    make_pet(tmp_path / "pet", series_uid="1.2.4", SeriesNumber=2)
    make_seg(tmp_path / "seg" / "seg.dcm", SeriesInstanceUID="1.2.5", SeriesNumber=3)

    tree = xr.open_datatree(tmp_path, engine="dicom", chunks={})
    tree.name = "study"

    xr.testing.assert_identical(tree.load(), open_study(tmp_path).load())


def test_tree_of_a_study_has_every_frame(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", series_uid="1.2.3")
    make_ct(tmp_path / "b", (0.0, 2.5), ["3.dcm", "4.dcm"], series_uid="1.2.3", orientation=CORONAL)

    tree = xr.open_datatree(tmp_path, engine="dicom")

    assert sum(node["stored_values"].sizes["z"] for node in tree.subtree if "stored_values" in node.data_vars) == 5


@needs_cubed
@pytest.mark.filterwarnings(UNSTABLE)
def test_cubed_computes_the_same_values(ct: Path) -> None:

    array = open_values(ct, chunks={}, chunked_array_type="cubed")

    assert type(array.data).__module__.startswith("cubed")
    assert array.compute().values.tolist() == open_series(ct).values.tolist()
    assert array.isel(z=slice(1, 3)).compute().values.tolist() == open_series(ct).isel(z=slice(1, 3)).values.tolist()
    assert float(array.mean()) == pytest.approx(float(open_series(ct).mean()))


@needs_cubed
@pytest.mark.filterwarnings(UNSTABLE)
def test_cubed_computes_missing_frames_of_a_segmentation(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=[(1, 0.0), (1, 2.5), (2, 2.5)])

    array = open_values(tmp_path, chunks={}, chunked_array_type="cubed").compute()

    assert not array.sel(segment=2, z=0.0).any()
    assert array.sel(segment=2, z=2.5).values.tolist() == phantom(2, dtype=bool).astype(int).tolist()


@pytest.mark.parametrize("orientation", [None, OBLIQUE], ids=["axial", "oblique"])
def test_two_series_of_one_frame_of_reference_align(tmp_path: Path, orientation: tuple[float, ...] | None) -> None:
    where = {} if orientation is None else {"orientation": orientation}
    make_ct(tmp_path / "ct", (0.1, 2.6, 5.1, 7.6), rows=8, columns=6, pixel_spacing=(0.7, 0.3), origin_mm=(-10.1, 3.3), **where)
    # The other one begins two slices, three rows and one column later.
    make_ct(tmp_path / "mr", (5.1, 7.6, 10.1), rows=8, columns=6, pixel_spacing=(0.7, 0.3), origin_mm=(-9.8, 5.4), **where)
    first, second = open_series(tmp_path / "ct"), open_series(tmp_path / "mr")

    a, b = xr.align(first, second, join="inner")

    assert a.shape == b.shape == (2, 5, 5)
    assert a.values.tolist() == first.values[2:, 3:, 1:].tolist()
    assert b.values.tolist() == second.values[:2, :5, :5].tolist()


def test_aligned_series_can_be_computed_with(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", POSITIONS)
    make_ct(tmp_path / "b", POSITIONS[1:])
    first, second = open_series(tmp_path / "a"), open_series(tmp_path / "b")

    difference = first - second

    assert difference.sizes["z"] == 3
    assert np.array_equal(difference.values, first.values[1:] - second.values)


def test_series_at_other_places_share_nothing(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", (0.0, 2.5))
    make_ct(tmp_path / "b", (1.0, 3.5))

    a, _ = xr.align(open_series(tmp_path / "a"), open_series(tmp_path / "b"), join="inner")

    assert a.sizes["z"] == 0


@pytest.mark.corpus
def test_every_real_series_opens_through_both_doors_alike(corpus: Path) -> None:
    for folder in sorted((corpus / "series").iterdir()):
        tree, study = xr.open_datatree(folder, engine="dicom"), open_study(folder)

        assert [node.path for node in tree.subtree] == [node.path for node in study.subtree], folder.name
        for node in study.subtree:
            if "stored_values" in node.data_vars:
                ours, theirs = node["stored_values"], tree[node.path]["stored_values"]
                assert (ours.dims, ours.shape, ours.dtype) == (theirs.dims, theirs.shape, theirs.dtype)
                assert set(ours.coords) == set(theirs.coords)
                xr.testing.assert_identical(
                    ours.isel(dict.fromkeys(ours.dims[:-2], 0)).load(), theirs.isel(dict.fromkeys(ours.dims[:-2], 0)).load()
                )
