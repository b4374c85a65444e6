"""Selection by patient position."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from builders import AXIAL, OBLIQUE, make_ct
from doubles import counted_reads
from xdicom.api import open_series
from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.patient_index import PatientIndex

POSITIONS = (0.0, 2.5, 5.0, 7.5)


@pytest.fixture
def oblique(tmp_path: Path) -> xr.DataArray:
    """Four oblique slices with patient coordinates."""
    make_ct(tmp_path / "oblique", POSITIONS, orientation=OBLIQUE)
    return open_series(tmp_path / "oblique").dicom.patient_coords()


def position(array: xr.DataArray, z: int, y: int, x: int) -> dict[str, float]:
    """Patient position of a voxel by the affine [mm]."""
    point = array.dicom.affine @ [x, y, z, 1]
    return dict(zip(("px", "py", "pz"), point[:3].tolist(), strict=True))


def test_coordinates_are_those_of_the_affine(oblique: xr.DataArray) -> None:
    voxel = oblique.isel(z=2, y=3, x=4)

    found = {name: float(voxel[name]) for name in ("px", "py", "pz")}

    assert found == pytest.approx(position(oblique, 2, 3, 4))


def test_every_voxel_is_found_by_its_own_position(oblique: xr.DataArray) -> None:
    whole = oblique.compute()
    for z, y, x in np.ndindex(whole.shape):
        found = whole.sel(**position(whole, z, y, x))

        assert float(found) == float(whole[z, y, x])


def test_nearest_voxel_is_found(oblique: xr.DataArray) -> None:
    near = oblique.dicom.affine @ [2.4, 3.3, 1.4, 1]

    found = oblique.sel(px=near[0], py=near[1], pz=near[2])

    assert (float(found["z"]), float(found["y"]), float(found["x"])) == (
        float(oblique["z"][1]),
        float(oblique["y"][3]),
        float(oblique["x"][2]),
    )


@pytest.mark.parametrize(
    "index", [(-0.6, 3, 1), (5.6, 3, 1), (2, -0.6, 1), (2, 7.6, 1), (2, 3, -0.6), (2, 3, 3.6), (-1, 3, 1), (2, -1, 1), (2, 3, -1)]
)
def test_points_outside_raise_and_never_wrap(oblique: xr.DataArray, index: tuple[float, float, float]) -> None:
    outside = oblique.dicom.affine @ [*index, 1]

    with pytest.raises(KeyError, match="outside"):
        oblique.sel(px=outside[0], py=outside[1], pz=outside[2])


def test_point_that_is_no_number_raises(oblique: xr.DataArray) -> None:
    with pytest.raises(KeyError, match="outside"):
        oblique.sel(px=np.nan, py=0.0, pz=0.0)


def test_many_points_are_looked_up_at_once(oblique: xr.DataArray) -> None:
    places = np.array([[0, 0, 0], [3, 7, 5], [1, 2, 3]])
    points = oblique.dicom.affine @ np.column_stack([places[:, ::-1], np.ones(3)]).T

    found = oblique.sel(
        px=xr.DataArray(points[0], dims="point"), py=xr.DataArray(points[1], dims="point"), pz=xr.DataArray(points[2], dims="point")
    )

    assert found.dims == ("point",)
    assert found.values.tolist() == [int(oblique.values[tuple(place)]) for place in places]


def test_one_point_of_many_outside_raises(oblique: xr.DataArray) -> None:
    inside, outside = oblique.dicom.affine @ [1, 1, 1, 1], oblique.dicom.affine @ [1, -3, 1, 1]
    points = [xr.DataArray([a, b], dims="point") for a, b in zip(inside[:3], outside[:3], strict=True)]

    with pytest.raises(KeyError, match="1 of 2 points"):
        oblique.sel(px=points[0], py=points[1], pz=points[2])


def test_nothing_is_read_until_values_are_computed(tmp_path: Path) -> None:
    make_ct(tmp_path, POSITIONS, orientation=OBLIQUE)
    array = open_series(tmp_path)
    with counted_reads(tmp_path) as reads:
        array = array.dicom.patient_coords()
        found = array.sel(**position(array, 1, 2, 3))

        assert reads.requests == 0
    assert found.chunks == ()


def test_only_the_frame_of_a_point_is_read(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, POSITIONS, orientation=OBLIQUE)
    array = open_series(tmp_path).dicom.patient_coords()
    with counted_reads(tmp_path) as reads:
        array.sel(**position(array, 1, 2, 3)).compute()

    assert {read.path for read in reads.reads} == {str(paths[1].resolve())}


@pytest.mark.parametrize(
    "selection",
    [
        {"z": slice(1, None)},
        {"z": slice(None, None, -1), "y": slice(2, 6)},
        {"z": slice(None, None, 2)},
        {"z": [3, 0, 1]},
        {"x": np.array([1, 3, 5])},
        {"z": 2},
        {"y": 3},
        {"z": 1, "x": 2},
    ],
    ids=str,
)
def test_index_stays_through_selection(oblique: xr.DataArray, selection: dict[str, object]) -> None:
    part = oblique.isel(selection).compute()

    assert isinstance(part.xindexes["px"], PatientIndex)
    for place in np.ndindex(part.shape):
        voxel = part[place]
        assert int(part.sel({name: float(voxel[name]) for name in ("px", "py", "pz")})) == int(voxel)


def test_point_off_the_chosen_slice_raises(oblique: xr.DataArray) -> None:
    with pytest.raises(KeyError, match="outside"):
        oblique.isel(z=2).sel(**position(oblique, 1, 3, 3))


def test_selection_by_millimetres_keeps_the_index(oblique: xr.DataArray) -> None:
    part = oblique.sel(z=slice(2.0, 8.0))

    assert part.sel(**position(oblique, 3, 3, 3)).values == oblique.values[3, 3, 3]


def test_single_voxel_keeps_its_position_without_an_index(oblique: xr.DataArray) -> None:
    voxel = oblique.isel(z=0, y=0, x=0)

    assert "px" not in voxel.xindexes
    assert float(voxel["px"]) == pytest.approx(position(oblique, 0, 0, 0)["px"])


def test_index_pickles_small(oblique: xr.DataArray) -> None:
    index = pickle.loads(pickle.dumps(oblique.xindexes["px"]))

    assert index.equals(oblique.xindexes["px"])
    assert len(pickle.dumps(oblique.xindexes["px"])) < 2000


def test_large_stack_stays_small(tmp_path: Path) -> None:
    make_ct(tmp_path, POSITIONS, orientation=OBLIQUE)
    array = open_series(tmp_path)
    large = xr.DataArray(
        np.broadcast_to(np.int16(0), (2000, 4096, 4096)),
        dims=("z", "y", "x"),
        coords={"z": 2.5 * np.arange(2000), "y": 0.7 * np.arange(4096), "x": 0.5 * np.arange(4096)},
        attrs=array.attrs,
    )

    text = repr(large.dicom.patient_coords().isel(z=[4, 7, 1900]))

    assert "px" in text


def test_equal_arrays_align(oblique: xr.DataArray) -> None:
    total = oblique + oblique.copy()

    assert total.sizes == oblique.sizes
    assert "px" in total.coords


def test_arrays_at_other_places_do_not_add_up(oblique: xr.DataArray) -> None:
    moved = oblique.drop_vars(["px", "py", "pz"]).assign_coords(x=oblique["x"] + 1).dicom.patient_coords()

    assert not moved.xindexes["px"].equals(oblique.xindexes["px"])


def test_renamed_coordinates_select_too(oblique: xr.DataArray) -> None:
    renamed = oblique.rename({"px": "left", "z": "slice"})
    point = position(oblique, 1, 2, 3)

    found = renamed.sel(left=point["px"], py=point["py"], pz=point["pz"])

    assert found.values == oblique.values[1, 2, 3]


def test_a_point_needs_all_three(oblique: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="px, py, pz"):
        oblique.sel(px=1.0, py=2.0)


def test_boxes_are_refused(oblique: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="takes a number"):
        oblique.sel(px=slice(0, 5), py=0.0, pz=0.0)


def test_extra_axes_are_kept(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.0) * 2, varying={"EchoTime": [5.0, 5.0, 10.0, 10.0]})
    array = open_series(tmp_path).dicom.patient_coords()

    found = array.sel(**position(array, 1, 2, 3))

    assert found.dims == ("echo_time",)
    assert found.values.tolist() == array.values[:, 1, 2, 3].tolist()


def test_sheared_stack_is_selected_by_its_true_positions(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 5.0, 10.0), varying={"ImagePositionPatient": [[0, 2.0 * i, 5.0 * i] for i in range(3)]})
    array = open_series(tmp_path).dicom.patient_coords()

    found = array.sel(px=0.0, py=4.0, pz=10.0)

    assert found.values == array.values[2, 0, 0]


def test_uneven_stack_is_refused(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 8.0, 9.0))

    with pytest.raises(InconsistentSeriesError, match="unevenly spaced"):
        open_series(tmp_path).dicom.patient_coords()


def test_single_slice_is_refused(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0,), orientation=AXIAL)

    with pytest.raises(InconsistentSeriesError, match="single slice"):
        open_series(tmp_path).dicom.patient_coords()


def test_array_without_a_place_is_refused() -> None:
    with pytest.raises(InconsistentSeriesError, match="no place in the patient"):
        xr.DataArray(np.zeros((2, 2, 2)), dims=("z", "y", "x")).dicom.patient_coords()


@pytest.mark.corpus
def test_tilted_series_is_selected_by_stated_positions(corpus: Path) -> None:
    array = open_series(corpus / "series" / "ct_tilt_philips_subset").dicom.patient_coords()
    last = array.isel(z=-1)
    stated = [float(last[f"image_position_patient_{axis}"]) for axis in "xyz"]

    found = array.sel(px=stated[0], py=stated[1], pz=stated[2])

    assert float(found["z"]) == float(array["z"][-1])
    assert (float(found["y"]), float(found["x"])) == (float(array["y"][0]), float(array["x"][0]))
