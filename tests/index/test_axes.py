"""Extra axes: what varies where several planes lie at one place, by rules that real scanners taught."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, image_position, make_enhanced_mr, make_file, make_pet, phantom, uid
from index.arranged import arranged, cells, form, make_planes, only_grid, repeated, values
from xdicom.index.axes import is_function_of, number_labels
from xdicom.index.findings import describe_array
from xdicom.model.grid import FrameGrid

Z = [0.0, 2.0, 4.0]


def times(count: int, start: float = 36000.0, step: float = 2.0) -> list[str]:
    """TM values, `step` seconds apart."""
    return [clock(start + i * step) for i in range(count)]


def clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}{whole // 60 % 60:02d}{whole % 60:02d}.{round((seconds - whole) * 1e6):06d}"


def each(values: Sequence[Any], of: int = len(Z)) -> list[Any]:
    """Each value `of` times in turn: one value a volume."""
    return [value for value in values for _ in range(of)]


def volumes(folder: Path, count: int, varying: dict[str, Sequence[Any]], positions: Sequence[float] = Z, **elements: Any) -> FrameGrid:
    make_planes(folder, repeated(positions, count), varying, **elements)
    return only_grid(folder)


# --- one plane at a place: no axis ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keyword", ["AcquisitionTime", "ContentTime", "AcquisitionNumber", "FrameReferenceTime", "TriggerTime", "EchoTime", "FlipAngle", "KVP"]
)
def test_what_varies_from_slice_to_slice_makes_no_axis(tmp_path: Path, keyword: str) -> None:
    varying = times(3) if keyword.endswith("Time") and keyword[0] in "AC" else [10, 20, 30]

    assert form(volumes(tmp_path, 1, {keyword: varying})) == {"z": 3}


def test_beds_of_a_whole_body_scan_make_no_axis(tmp_path: Path) -> None:
    make_pet(
        tmp_path, [1.0] * 6, varying={"FrameReferenceTime": [0, 0, 0, 180000, 180000, 180000], "AcquisitionTime": each(times(2, step=180))}
    )

    assert form(only_grid(tmp_path)) == {"z": 6}


# --- one attribute ---------------------------------------------------------------------------------------------------------


GRID_ATTRIBUTES: dict[str, tuple[str, list[Any], str, list[Any], str]] = {
    "echo": ("EchoTime", [4.6, 9.2], "echo_time", [4.6, 9.2], "ms"),
    "inversion": ("InversionTime", [100, 400], "inversion_time", [100, 400], "ms"),
    "flip angle": ("FlipAngle", [5, 20], "flip_angle", [5, 20], "deg"),
    "tube voltage": ("KVP", [80, 140], "kvp", [80, 140], "kV"),
    "trigger": ("TriggerTime", [0, 55.5], "trigger_time", [0, 55.5], "ms"),
    "acquisition": ("AcquisitionNumber", [12, 13], "acquisition", [12, 13], ""),
    "dynamic PET": ("FrameReferenceTime", [5000, 15000], "time", [0, 10], "s"),
    "acquisition time": ("AcquisitionTime", ["100000", "100003.5"], "time", [0, 3.5], "s"),
    "content time": ("ContentTime", ["100000", "100407"], "time", [0, 247], "s"),
    "coil": ("ReceiveCoilName", ["C1", "C2"], "coil", ["C1", "C2"], ""),
}


@pytest.mark.parametrize(("keyword", "given", "name", "expected", "units"), GRID_ATTRIBUTES.values(), ids=GRID_ATTRIBUTES)
def test_an_attribute_with_the_same_values_at_every_place_is_an_axis(
    tmp_path: Path, keyword: str, given: list[Any], name: str, expected: list[Any], units: str
) -> None:
    grid = volumes(tmp_path, 2, {keyword: each(given)})

    assert form(grid) == {name: 2, "z": 3}
    assert values(grid, name) == expected
    assert grid.axes[0].attrs.get("units", "") == units
    assert grid.rows.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_values_along_an_axis_ascend_whatever_the_order_of_files(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 3, {"EchoTime": each([9.0, 3.0, 6.0])})

    assert values(grid, "echo_time") == [3, 6, 9]
    assert cells(grid, "echo_time").tolist() == [[3] * 3, [6] * 3, [9] * 3]


def test_values_that_differ_by_rounding_alone_are_one(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 2, {"EchoTime": ["4.6", "4.60001", "4.5999", "9.2", "9.2", "9.2"]})

    assert form(grid) == {"echo_time": 2, "z": 3}


@pytest.mark.parametrize("echo_numbers", [[0] * 6, None, [1] * 6])
def test_the_echo_number_does_not_matter(tmp_path: Path, echo_numbers: list[int] | None) -> None:
    varying: dict[str, Sequence[Any]] = {"EchoTime": each([4.6, 9.2])} | ({"EchoNumbers": echo_numbers} if echo_numbers else {})

    assert form(volumes(tmp_path, 2, varying)) == {"echo_time": 2, "z": 3}


def test_the_number_of_temporal_positions_that_is_declared_is_not_believed(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 2, {"AcquisitionTime": each(times(2))}, NumberOfTemporalPositions=200)

    assert form(grid) == {"time": 2, "z": 3}


# --- several at once -------------------------------------------------------------------------------------------------------


def test_echo_comes_before_time(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 2, {"EchoTime": each([11, 92]), "AcquisitionTime": times(6)})

    assert form(grid) == {"echo_time": 2, "z": 3}


def test_temporal_position_and_clocks_that_say_the_same_are_one_axis_in_seconds(tmp_path: Path) -> None:
    grid = volumes(
        tmp_path,
        3,
        {"TemporalPositionIdentifier": each([1, 2, 3]), "AcquisitionTime": each(times(3)), "TriggerTime": each([0, 2000, 4000])},
    )

    assert form(grid) == {"time": 3, "z": 3}
    assert values(grid, "time") == [0, 2, 4]
    assert grid.axes[0].attrs["source"] == "AcquisitionTime"


def test_a_temporal_position_without_a_clock_is_a_number(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 3, {"TemporalPositionIdentifier": each([1, 2, 3])})

    assert values(grid, "time") == [1, 2, 3]
    assert "units" not in grid.axes[0].attrs


@pytest.mark.parametrize("date", ["20240229", None])
def test_a_clock_says_at_what_time_of_day_it_began_and_not_on_which_day(tmp_path: Path, date: str | None) -> None:
    grid = volumes(tmp_path, 2, {"AcquisitionTime": each(times(2))}, AcquisitionDate=date)

    assert grid.axes[0].attrs["start_time_of_day_s"] == 36000
    assert "2024" not in str(grid.axes[0].attrs)


def test_echo_and_time_are_two_axes(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 4, {"EchoTime": each([5, 10, 5, 10]), "AcquisitionTime": each(["100000", "100000", "100002", "100002"])})

    assert form(grid) == {"time": 2, "echo_time": 2, "z": 3}
    assert cells(grid, "echo_time").tolist() == [[[5] * 3, [10] * 3]] * 2


def test_a_temporal_position_that_counts_echoes_too_is_a_coordinate_of_both(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 4, {"EchoTime": each([5, 10, 5, 10]), "TemporalPositionIdentifier": each([1, 2, 3, 4])})

    assert form(grid) == {"repetition": 2, "echo_time": 2, "z": 3} or form(grid) == {"echo_time": 2, "repetition": 2, "z": 3}
    assert sorted(cells(grid, "temporal_position_identifier")[..., 0].reshape(-1).tolist()) == [1, 2, 3, 4]
    assert cells(grid, "echo_time").ndim == 3


def test_labels_of_spin_labelling_are_an_axis(tmp_path: Path) -> None:
    for i, (label, z) in enumerate((label, z) for label in ("LABEL", "CONTROL") for z in Z):
        elements = {
            "Modality": "MR", "SeriesInstanceUID": uid("asl"), "SOPInstanceUID": uid("asl", i), "ImagePositionPatient": image_position(z),
            "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1.0, 1.0], 0x20050014: ("LO", "Philips MR Imaging DD 005"),
            0x20051429: ("CS", label),
        }  # fmt: skip
        make_file(tmp_path / f"{i}.dcm", elements, phantom(i))

    grid = only_grid(tmp_path)

    assert form(grid) == {"label_type": 2, "z": 3}
    assert values(grid, "label_type") == ["CONTROL", "LABEL"]


def test_echo_and_time_by_rank_where_only_slices_have_times(tmp_path: Path) -> None:
    # Every plane has a time of its own; volume after volume, both echoes of a slice close together.
    seconds = [36000 + volume * 10 + z + 0.1 * echo for volume in range(2) for echo in range(2) for z in range(3)]

    grid = volumes(tmp_path, 4, {"EchoTime": each([5, 10, 5, 10]), "AcquisitionTime": [clock(s) for s in seconds]})

    assert form(grid) == {"time": 2, "echo_time": 2, "z": 3}
    assert (np.diff(cells(grid, "acquisition_time"), axis=0) == 10).all()


def test_interleaved_slice_times_of_two_volumes_are_ranked_at_each_place(tmp_path: Path) -> None:
    positions = [0.0, 2.0, 4.0, 6.0]
    delays = [0.0, 1.0, 0.5, 1.5]
    seconds = [36000 + 3 * volume + delay for volume in range(2) for delay in delays]

    grid = volumes(tmp_path, 2, {"AcquisitionTime": [clock(s) for s in seconds]}, positions)

    assert form(grid) == {"time": 2, "z": 4}
    np.testing.assert_allclose(cells(grid, "acquisition_time") - 36000, [delays, [3 + d for d in delays]])


def test_an_acquisition_number_that_mixes_phases_is_no_axis(tmp_path: Path) -> None:
    # As seen: values 1 and 2 for three phases.
    grid = volumes(tmp_path, 3, {"AcquisitionNumber": each([1, 2, 2]), "ContentTime": each(["102551", "103238", "103832"])})

    assert form(grid) == {"time": 3, "z": 3}
    assert values(grid, "time") == [0, 407, 761]
    assert grid.axes[0].attrs["source"] == "ContentTime"


def test_the_acquisition_clock_comes_before_the_content_clock(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 2, {"AcquisitionTime": each(times(2, step=3.2)), "ContentTime": each(times(2, step=0.002))})

    assert values(grid, "time") == [0, 3.2]


def test_a_constant_acquisition_time_is_no_clock(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 2, {"InstanceNumber": list(range(6))}, AcquisitionTime="114815")

    assert form(grid) == {"repetition": 2, "z": 3}


def test_nothing_but_instance_numbers_make_repetitions_without_a_time(tmp_path: Path) -> None:
    grid = volumes(tmp_path, 3, {"InstanceNumber": [7, 8, 9, 1, 2, 3, 4, 5, 6]}, RepetitionTime=5000)

    assert form(grid) == {"repetition": 3, "z": 3}
    assert values(grid, "repetition") == [0, 1, 2]
    assert cells(grid, "instance_number").tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert "units" not in grid.axes[0].attrs


def test_slice_after_slice_is_told_from_volume_after_volume(tmp_path: Path) -> None:
    make_planes(tmp_path, [z for z in Z for _ in range(4)])

    grid = only_grid(tmp_path)

    assert form(grid) == {"repetition": 4, "z": 3}
    assert cells(grid, "instance_number").tolist() == [[1, 5, 9], [2, 6, 10], [3, 7, 11], [4, 8, 12]]


# --- diffusion -------------------------------------------------------------------------------------------------------------

DIRECTIONS = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def weighted(folder: Path, volumes_: Sequence[tuple[float | None, list[float] | None]], **varying: Sequence[Any]) -> FrameGrid:
    given = {
        "DiffusionBValue": each([b for b, _ in volumes_]),
        "DiffusionGradientOrientation": each([direction for _, direction in volumes_]),
        **varying,
    }
    return volumes(folder, len(volumes_), given)


def test_weights_and_directions_are_one_axis_in_order_of_acquisition(tmp_path: Path) -> None:
    grid = weighted(tmp_path, [(1000.0, DIRECTIONS[2]), (0.0, None), (1000.0, DIRECTIONS[0])])

    assert form(grid) == {"diffusion": 3, "z": 3}
    assert cells(grid, "diffusion_b_value").tolist() == [[1000] * 3, [0] * 3, [1000] * 3]
    assert grid.diffusion is not None
    assert grid.diffusion.direction.reshape(3, 3, 3)[:, 0, 2].tolist()[0] == 1


def test_weights_alone_are_an_axis_too(tmp_path: Path) -> None:
    grid = weighted(tmp_path, [(0.0, None), (40.0, None), (273.0, None), (800.0, None)])

    assert form(grid) == {"diffusion": 4, "z": 3}


def test_a_volume_without_a_stated_weight_is_a_step_with_nan(tmp_path: Path) -> None:
    grid = weighted(tmp_path, [(None, None), (1500.0, DIRECTIONS[0]), (1500.0, DIRECTIONS[1])])

    assert form(grid) == {"diffusion": 3, "z": 3}
    assert grid.diffusion is not None
    assert np.isnan(grid.diffusion.b_value.reshape(3, 3)[0]).all()


def test_two_volumes_without_weighting_are_two_steps_of_the_diffusion_axis(tmp_path: Path) -> None:
    grid = weighted(
        tmp_path,
        [(0.0, None), (1000.0, DIRECTIONS[0]), (1000.0, DIRECTIONS[1]), (0.0, None), (1000.0, DIRECTIONS[2]), (1000.0, [0.6, 0.8, 0.0])],
    )

    assert form(grid) == {"diffusion": 6, "z": 3}
    assert cells(grid, "diffusion_b_value")[:, 0].tolist() == [0, 1000, 1000, 0, 1000, 1000]


def test_directions_measured_twice_are_diffusion_and_repetition(tmp_path: Path) -> None:
    grid = weighted(tmp_path, [(1000.0, direction) for direction in DIRECTIONS] * 2)

    assert form(grid) == {"repetition": 2, "diffusion": 3, "z": 3}


def test_a_zero_vector_on_other_images_makes_no_diffusion(tmp_path: Path) -> None:
    grid = volumes(
        tmp_path, 2, {"TemporalPositionIdentifier": each([1, 2])}, DiffusionBValue=0.0, DiffusionGradientOrientation=[0.0, 0.0, 0.0]
    )

    assert form(grid) == {"time": 2, "z": 3}
    assert grid.diffusion is None


def test_the_isotropic_image_of_the_scanner_is_a_step_of_its_own(tmp_path: Path) -> None:
    grid = volumes(
        tmp_path, 4,
        {
            "DiffusionBValue": each([0.0, 1000.0, 1000.0, 1000.0]),
            "DiffusionGradientOrientation": each([None, DIRECTIONS[0], DIRECTIONS[1], None]),
            "DiffusionDirectionality": each(["NONE", "DIRECTIONAL", "DIRECTIONAL", "ISOTROPIC"]),
        },
    )  # fmt: skip

    assert form(grid) == {"diffusion": 4, "z": 3}
    assert grid.diffusion is not None
    assert grid.diffusion.kind.reshape(4, 3)[:, 0].tolist() == ["NONE", "DIRECTIONAL", "DIRECTIONAL", "ISOTROPIC"]


def test_temporal_positions_that_count_directions_are_diffusion(tmp_path: Path) -> None:
    grid = weighted(tmp_path, [(0.0, None), (0.0, None), (1000.0, DIRECTIONS[0])], TemporalPositionIdentifier=each([1, 2, 3]))

    assert form(grid) == {"diffusion": 3, "z": 3}


# --- enhanced objects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [None, [5, 0, 3, 1, 4, 2]])
@pytest.mark.parametrize("has_dimensions", [True, False])
def test_frames_of_an_enhanced_object_are_put_in_their_places(tmp_path: Path, order: list[int] | None, has_dimensions: bool) -> None:
    make_enhanced_mr(tmp_path / "a.dcm", (4.0, 8.0), (0.0, 2.0, 4.0), order=order, has_dimensions=has_dimensions)

    grid = only_grid(tmp_path)

    assert form(grid) == {"echo_time": 2, "z": 3}
    assert cells(grid, "effective_echo_time").tolist() == [[4] * 3, [8] * 3]
    np.testing.assert_allclose(values(grid, "z"), [0, 2, 4], atol=1e-9)


def test_echoes_in_two_files_with_equal_dimension_indices_are_an_axis(tmp_path: Path) -> None:
    for i, echo in enumerate((10.0, 12.46)):
        make_enhanced_mr(tmp_path / f"{i}.dcm", (echo,), Z, SeriesInstanceUID=uid("one"), InstanceNumber=i + 1)

    grid = only_grid(tmp_path)

    assert form(grid) == {"echo_time": 2, "z": 3}
    assert values(grid, "echo_time") == [10, 12.46]


# --- incomplete grids ------------------------------------------------------------------------------------------------------


def test_an_aborted_last_volume_is_an_incomplete_grid_that_keeps_every_plane(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated(Z, 3)[:-1], {"TemporalPositionIdentifier": each([1, 2, 3])[:-1]})

    grid = only_grid(tmp_path)

    assert form(grid) == {"frame": 8}
    assert sorted(grid.rows.tolist()) == list(range(8))
    assert grid.attrs["incomplete"] == "8 of 9 cells of temporal_position x place are filled"
    assert grid.attrs["missing_cells"] == [[2, 2]]


def test_a_sparse_grid_of_echoes_keeps_every_plane_and_its_values(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 10, 30, 0, 30, 0, 30], {"EchoTime": [20, 20, 20, 40, 40, 60, 60]})

    grid = only_grid(tmp_path)

    assert form(grid) == {"frame": 7}
    assert cells(grid, "echo_time").tolist() == [20, 20, 20, 40, 40, 60, 60]
    assert cells(grid, "z").tolist() == [0, 10, 30, 0, 30, 0, 30]
    assert grid.attrs["missing_cells"] == [[1, 1], [2, 1]]


@pytest.mark.parametrize("missing", [slice(8, None), slice(4, 5)], ids=["the last four files", "one in the middle"])
def test_a_run_of_repetitions_with_a_hole_keeps_every_plane_and_says_so(tmp_path: Path, missing: slice) -> None:
    positions, numbers = repeated(Z, 4), list(range(1, 13))
    del positions[missing], numbers[missing]
    make_planes(tmp_path, positions, {"InstanceNumber": numbers})

    grid = only_grid(tmp_path)

    assert sorted(grid.rows.reshape(-1).tolist()) == list(range(len(positions)))
    assert "incomplete" in grid.attrs


def test_an_instance_number_far_from_the_others_counts_no_repetitions(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 2, 4, 0, 2], {"InstanceNumber": [1, 2, 3, 4, 2147483647]})

    tracemalloc.start()
    grid = only_grid(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert form(grid) == {"frame": 5}
    assert peak < 10_000_000


def test_a_missing_cell_of_a_value_that_is_not_stated_is_told(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 2, 0, 2, 0], {"EchoTime": [5, 5, 10, 10, None], "InstanceNumber": [1] * 5})

    grid = only_grid(tmp_path)

    assert grid.attrs["missing_values"] == [None]
    assert "missing: echo_time none at z = 2" in describe_array(grid)


def test_two_images_of_one_place_that_nothing_tells_apart_are_both_kept(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 0, 2], {"InstanceNumber": [1, 1, 2]})

    arrangement = arranged(tmp_path)

    assert sum(len(grid.frames) for grid in arrangement.grids) == 3
    assert form(arrangement.grids[0]) == {"frame": 3}
    assert "incomplete" in arrangement.grids[0].attrs


# --- the parts -------------------------------------------------------------------------------------------------------------


def test_numbers_are_labelled_in_ascending_order_with_nan_last() -> None:
    distinct, labels = number_labels(np.array([3.0, 1.0, np.nan, 1.0004, 3.0]), 1e-2)

    assert labels.tolist() == [1, 0, 2, 0, 1]
    assert distinct[:2].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("values_", "labels", "expected"), [([5, 5, 7], [0, 0, 1], True), ([5, 6, 7], [0, 0, 1], False), ([5, 5, 5], [2, 0, 1], True)]
)
def test_what_is_a_function_of_labels_has_one_value_for_each(values_: list[int], labels: list[int], expected: bool) -> None:
    assert is_function_of(np.array(values_), np.array(labels)) is expected


def test_an_axis_is_named_once(tmp_path: Path) -> None:
    # Trigger times by phase and by nominal delay: two candidates with one name.
    for i in range(4):
        delay, trigger = divmod(i, 2)
        for z in range(2):
            elements = {
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "SOPInstanceUID": uid(i, z), "SeriesInstanceUID": uid("one"),
                "ImagePositionPatient": image_position(z), "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1, 1],
                "NominalCardiacTriggerDelayTime": float(delay), "TriggerTime": trigger * 10,
            }  # fmt: skip
            make_file(tmp_path / f"{i}{z}.dcm", elements, phantom(i, 2, 2))

    assert form(only_grid(tmp_path)) == {"trigger_time": 2, "trigger_time_2": 2, "z": 2}
