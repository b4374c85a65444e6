"""Header values as coordinates: on the dimensions of which they are functions, with their units, and none that is constant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_cine, make_ct, make_enhanced_mr, make_file, make_pet, make_seg, phantom, uid
from index.arranged import make_planes, repeated
from index.test_axes import each, times, weighted
from index.test_tiles import mosaic
from labeled.opened import labels, opened
from xdicom.labeled.build import label
from xdicom.labeled.coords import function_of, number_values, place_values
from xdicom.lazy.frames import frames_to_dask
from xdicom.model.columns import Column

Z = [0.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("codes", "axes"),
    [
        ([[5, 5], [5, 5]], ()),
        ([[1, 1], [2, 2]], (0,)),
        ([[1, 2], [1, 2]], (1,)),
        ([[1, 2], [3, 4]], (0, 1)),
        ([[1, 2], [2, 1]], (0, 1)),
        ([[-1, -1], [0, 0]], (0,)),
    ],
)
def test_values_lie_on_the_fewest_axes_that_tell_them(codes: list[list[int]], axes: tuple[int, ...]) -> None:
    assert function_of(np.array(codes)) == axes


@pytest.mark.parametrize(
    ("codes", "missing", "axes", "along"),
    [
        ([[0, -1], [0, 1]], [[0, 1], [0, 0]], (1,), [0, 1]),
        ([[-1, 3], [3, 3]], [[1, 0], [0, 0]], (), 3),
        ([[-1, 0], [-1, 1]], [[1, 0], [1, 0]], (0,), [0, 1]),
    ],
)
def test_cells_without_a_frame_have_whatever_fits(codes: Any, missing: Any, axes: tuple[int, ...], along: Any) -> None:
    places, found = place_values(np.array(codes), ("a", "b"), np.array(missing, bool))

    assert places == tuple("ab"[axis] for axis in axes)
    assert found.tolist() == along


@settings(deadline=None)
@given(st.data())
def test_values_along_their_dimensions_give_back_the_whole(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    axes = data.draw(st.sets(st.integers(0, len(shape) - 1)))
    small = data.draw(st.lists(st.integers(0, 3), min_size=64, max_size=64))
    part = np.array(small[: int(np.prod([shape[a] for a in sorted(axes)], dtype=int))]).reshape(
        [n if a in axes else 1 for a, n in enumerate(shape)]
    )
    whole = np.broadcast_to(part, shape)
    dims = tuple("abc"[: len(shape)])

    places, along = place_values(whole, dims)

    assert set(places) <= {dims[axis] for axis in axes}
    expanded = along.reshape([n if d in places else 1 for d, n in zip(dims, shape, strict=True)])
    assert (np.broadcast_to(expanded, shape) == whole).all()


def test_whole_numbers_stay_whole_and_missing_ones_are_nan() -> None:
    column = Column("number", np.array([[3], [7]]), np.array([0, 1, -1]))

    assert number_values(column, np.array([0, 1])).dtype == np.int64
    assert number_values(column, np.array([1, -1])).tolist()[0] == 7
    assert np.isnan(number_values(column, np.array([1, -1]))[1])


def test_values_that_vary_are_coordinates_of_the_slices(tmp_path: Path) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0], varying={"ExposureTime": [500, 510, 520], "XRayTubeCurrent": [100, 200, 300]})

    array = opened(tmp_path)

    assert labels(array, "instance_number") == [2, 3, 1]
    assert labels(array, "x_ray_tube_current") == [200, 300, 100]
    assert array["x_ray_tube_current"].attrs["units"] == "mA"
    assert array["exposure_time"].dims == ("z",)


def test_values_that_do_not_vary_are_no_coordinates(tmp_path: Path) -> None:
    make_ct(tmp_path, Z, SliceThickness=2.5, XRayTubeCurrent=100)

    array = opened(tmp_path)

    assert "slice_thickness" not in array.coords
    assert array.attrs["slice_thickness"] == 2.5
    assert array.attrs["x_ray_tube_current"] == 100


def test_the_way_back_to_each_file_is_a_coordinate(tmp_path: Path) -> None:
    make_ct(tmp_path, [2.0, 0.0], varying={"SOPInstanceUID": [uid("a"), uid("b")]})

    assert labels(opened(tmp_path), "sop_instance_uid") == [uid("b"), uid("a")]


def test_the_way_back_to_each_frame_is_a_coordinate(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "a.dcm", (4.0, 8.0), (0.0, 2.0, 4.0), order=[5, 0, 3, 1, 4, 2])

    array = opened(tmp_path)

    assert array["frame_number"].dims == ("echo_time", "z")
    assert labels(array, "frame_number") == [[2, 4, 6], [3, 5, 1]]


def test_positions_of_the_planes_are_three_coordinates(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], pixel_spacing=(1.0, 1.0))

    array = opened(tmp_path)

    # Only the part that varies: x and y of axial planes are the same for all.
    assert labels(array, "image_position_patient_z") == [0, 2]
    assert array["image_position_patient_z"].attrs["units"] == "mm"


def test_a_value_of_two_dimensions_lies_on_both(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated(Z, 2), {"AcquisitionTime": times(6), "EchoTime": each([5, 10])})

    array = opened(tmp_path)

    assert array["acquisition_time"].dims == ("echo_time", "z")
    assert labels(array, "acquisition_time") == [[0, 2, 4], [6, 8, 10]]


def test_a_value_of_one_extra_axis_lies_on_that_axis(tmp_path: Path) -> None:
    make_planes(
        tmp_path,
        repeated(Z, 2),
        {"TemporalPositionIdentifier": each([1, 2]), "FlipAngle": each([30, 40]), "SliceLocation": repeated([-1, -2, -3], 2)},
    )

    array = opened(tmp_path)

    assert array["slice_location"].dims == ("z",)
    extra = next(dim for dim in array.dims if dim not in ("z", "y", "x"))
    assert array["temporal_position_identifier"].dims == (extra,)


def test_the_values_of_an_axis_are_its_index_and_carry_units(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated(Z, 2), {"EchoTime": each([4.6, 9.2])})

    array = opened(tmp_path)

    assert labels(array, "echo_time") == [4.6, 9.2]
    assert array["echo_time"].attrs["units"] == "ms"
    assert array.sel(echo_time=9.2).sizes["z"] == 3


def test_times_are_seconds_from_the_earliest_and_no_date_is_told(tmp_path: Path) -> None:
    make_ct(tmp_path, Z, varying={"AcquisitionTime": ["101530", "101531.5", "101533"]}, AcquisitionDate="20230405")

    array = opened(tmp_path)

    assert labels(array, "acquisition_time") == [0, 1.5, 3]
    assert array["acquisition_time"].attrs == {"units": "s", "long_name": "time since the earliest frame", "start_time_of_day_s": 36930.0}
    assert "2023" not in str(array.coords)


def test_times_go_on_over_midnight(tmp_path: Path) -> None:
    varying = {"AcquisitionTime": ["235959", "000001", "000003"], "AcquisitionDate": ["20240229", "20240301", "20240301"]}
    make_ct(tmp_path, Z, varying=varying)

    assert labels(opened(tmp_path), "acquisition_time") == [0, 2, 4]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_a_time_that_is_none_is_nan(tmp_path: Path) -> None:
    make_ct(tmp_path, Z, varying={"AcquisitionTime": ["101530", "noon", "101533"]})

    values = opened(tmp_path)["acquisition_time"].values

    assert np.isnan(values).tolist() == [False, True, False]


def test_a_value_of_a_vendors_element_says_where_it_is_from(tmp_path: Path) -> None:
    elements = [
        {
            "SeriesInstanceUID": uid("one"), "SOPInstanceUID": uid(i), "Modality": "MR", 0x20050010: ("LO", "Philips MR Imaging DD 001"),
            0x2005100E: ("FL", 1.0 + i), "ImagePositionPatient": [0.0, 0.0, 2.0 * i], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [1, 1],
        }
        for i in range(3)
    ]  # fmt: skip
    for i, given_ in enumerate(elements):
        make_file(tmp_path / f"{i}.dcm", given_, phantom(i))

    scale = opened(tmp_path)["philips_scale_slope"]

    assert scale.values.tolist() == [1, 2, 3]
    assert scale.attrs["source"] == "(2005,xx0E) Philips MR Imaging DD 001"


CARRIED = {
    "TablePosition": ([1.0, 2.0, 3.0], "table_position", "mm"),
    "CTDIvol": ([5.0, 6.0, 7.0], "ctdi_vol", "mGy"),
    "ExposureTime": ([100, 200, 300], "exposure_time", "ms"),
    "Exposure": ([10, 20, 30], "exposure", "mAs"),
    "KVP": ([80.0, 100.0, 120.0], "kvp", "kV"),
    "FlipAngle": ([5.0, 10.0, 15.0], "flip_angle", "deg"),
    "RepetitionTime": ([500.0, 600.0, 700.0], "repetition_time", "ms"),
    "InversionTime": ([500.0, 600.0, 700.0], "inversion_time", "ms"),
    "SliceThickness": ([1.0, 1.5, 2.0], "slice_thickness", "mm"),
    "ActualFrameDuration": ([1000, 2000, 3000], "actual_frame_duration", "ms"),
    "LowRRValue": ([600, 700, 800], "low_rr_value", "ms"),
    "NumberOfAverages": ([1.0, 2.0, 3.0], "number_of_averages", ""),
}


@pytest.mark.parametrize(("keyword", "row"), CARRIED.items(), ids=CARRIED)
def test_each_value_that_varies_is_carried_with_its_units(tmp_path: Path, keyword: str, row: tuple[list[float], str, str]) -> None:
    given_, name, units = row
    make_planes(tmp_path, Z, {keyword: given_})

    coordinate = opened(tmp_path)[name]

    assert coordinate.dims == ("z",)
    assert coordinate.values.tolist() == given_
    assert coordinate.attrs.get("units", "") == units


def test_texts_that_vary_are_strings(tmp_path: Path) -> None:
    make_planes(tmp_path, Z, {"ReceiveCoilName": ["C1", "C2", None]})

    array = opened(tmp_path)

    assert labels(array, "receive_coil_name") == ["C1", "C2", ""]
    assert array["receive_coil_name"].dtype.kind == "U"


def test_a_value_that_some_files_lack_is_nan_there(tmp_path: Path) -> None:
    make_ct(tmp_path, Z, varying={"SliceLocation": [1.0, None, 3.0]})

    values = opened(tmp_path)["slice_location"].values

    assert values[[0, 2]].tolist() == [1, 3]
    assert np.isnan(values[1])


def test_weights_and_directions_are_coordinates_of_the_diffusion_axis(tmp_path: Path) -> None:
    grid = weighted(tmp_path, [(0.0, None), (1000.0, [0.0, 0.6, 0.8])])

    array = label(frames_to_dask(grid), grid)

    assert labels(array, "b_value") == [0, 1000]
    assert array["b_value"].dims == ("diffusion",)
    assert array["b_value"].attrs == {"units": "s/mm2", "source": "DiffusionBValue"}
    np.testing.assert_allclose(array["gradient_z"].values, [np.nan, 0.8])
    assert "patient" in array["gradient_x"].attrs["long_name"]


def test_directions_in_the_frame_of_the_scanner_have_other_names(tmp_path: Path) -> None:
    from index.test_clocks import VENDORS, planes
    from xdicom.index.arrange import arrange

    ge = VENDORS["GE"][0]
    same = {"ImagePositionPatient": [0, 0, 0]}
    records = planes(tmp_path, ge | same, ge | same | {0x001910BC: ("DS", "0.0"), 0x001910BB: ("DS", "1.0")})
    (grid,) = arrange(records.frames).grids

    array = label(frames_to_dask(grid), grid)

    assert "gradient_x" not in array.coords
    assert labels(array, "gradient_frequency") == [0, 1]


def test_slice_times_of_mosaics_are_coordinates_of_the_slices(tmp_path: Path) -> None:
    for number in range(2):
        mosaic(tmp_path / f"{number}.dcm", 4, number=number, x00191029=("FD", [0.0, 1450.0, 482.5, 1932.5]))

    array = opened(tmp_path)

    assert array["slice_time"].dims == ("z",)
    assert labels(array, "slice_time") == [0, 1450, 482.5, 1932.5]


def test_frames_of_a_flat_axis_keep_their_positions(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 10, 30, 0, 30, 0, 30], {"EchoTime": [20, 20, 20, 40, 40, 60, 60]})

    array = opened(tmp_path)

    assert array.dims == ("frame", "y", "x")
    assert labels(array, "z") == [0, 10, 30, 0, 30, 0, 30]
    assert labels(array, "echo_time") == [20, 20, 20, 40, 40, 60, 60]
    assert array.attrs["missing_cells"] == [[1, 1], [2, 1]]


def test_frames_of_an_incomplete_grid_are_put_in_it_by_their_coordinates(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 10, 30, 0, 30, 0, 30], {"EchoTime": [20, 20, 20, 40, 40, 60, 60]})
    flat = opened(tmp_path)

    grid = flat.set_index(frame=["echo_time", "z"]).unstack("frame", fill_value=0)

    assert grid.chunks is not None
    assert (grid.sizes["echo_time"], grid.sizes["z"]) == (3, 3)
    assert grid.sel(echo_time=60, z=30).values.tolist() == flat.values[6].tolist()
    assert not grid.sel(echo_time=60, z=10).values.any()


def test_repetitions_that_instance_numbers_count_are_a_coordinate_of_frames_in_a_row(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 2, 4, 0, 4, 0, 2, 4], {"InstanceNumber": [1, 2, 3, 4, 6, 7, 8, 9]})

    array = opened(tmp_path)

    assert array.attrs["missing_axis"] == "repetition"
    assert labels(array, "repetition") == [0, 0, 0, 1, 1, 2, 2, 2]


def test_frames_that_are_missing_do_not_hide_what_the_others_say(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (1, 2.5), (2, 2.5)))

    array = opened(tmp_path)

    assert labels(array, "frame_number") == [[1, 2], [0, 3]]
    assert labels(array, "image_position_patient_z") == [0, 2.5]


def test_cine_frames_have_a_time(tmp_path: Path) -> None:
    array = opened(make_cine(tmp_path / "us.dcm", 3, 40.0))

    np.testing.assert_allclose(array["time"].values, [0, 0.04, 0.08])
    assert array["time"].attrs["units"] == "s"
    assert labels(array, "frame_number") == [1, 2, 3]


def test_a_decay_factor_varies_with_the_slices_of_pet(tmp_path: Path) -> None:
    make_pet(tmp_path, [1.0, 2.0], varying={"DecayFactor": [1.01, 1.02]})

    assert labels(opened(tmp_path), "decay_factor") == [1.01, 1.02]
