"""Nuclear medicine: what the numbers of the vectors stand for, also where phases differ in length and make no axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import make_nm
from builders.multiframe import ANGULAR_VIEW, DETECTOR, ENERGY_WINDOW, PHASE, ROTATION, RR_INTERVAL, SLICE, TIME_SLICE, TIME_SLOT
from index.arranged import form, only_grid
from labeled.opened import opened

PHASES = [
    {"PhaseDelay": 0, "ActualFrameDuration": 1000, "PauseBetweenFrames": 0, "NumberOfFramesInPhase": 3},
    {"PhaseDelay": 500, "ActualFrameDuration": 5000, "PauseBetweenFrames": 1000, "NumberOfFramesInPhase": 2},
]
RAGGED = {ENERGY_WINDOW: [1] * 5, DETECTOR: [1] * 5, PHASE: [1, 1, 1, 2, 2], TIME_SLICE: [1, 2, 3, 1, 2]}
WINDOWS = [
    {"EnergyWindowName": "Tc99m", "EnergyWindowRangeSequence": [{"EnergyWindowLowerLimit": 126, "EnergyWindowUpperLimit": 154}]},
    {"EnergyWindowName": "scatter", "EnergyWindowRangeSequence": [{"EnergyWindowLowerLimit": 108, "EnergyWindowUpperLimit": 125}]},
]


def dynamic(path: Path, vectors: dict[int, list[int]], **elements: Any) -> Path:
    return make_nm(path, vectors, ImageType=["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"], **elements)


def test_phases_of_different_lengths_keep_their_numbers_and_times(tmp_path: Path) -> None:
    dynamic(tmp_path / "nm.dcm", RAGGED, PhaseInformationSequence=PHASES)

    array = opened(tmp_path)

    assert array.dims == ("frame", "y", "x")
    assert array["phase"].values.tolist() == [1, 1, 1, 2, 2]
    assert array["time_slice"].values.tolist() == [1, 2, 3, 1, 2]
    assert array["phase_time"].values.tolist() == [0, 1, 2, 3.5, 9.5]
    assert array["phase_time"].attrs["units"] == "s"


def test_one_phase_has_its_times_on_the_axis_of_its_frames(tmp_path: Path) -> None:
    dynamic(tmp_path / "nm.dcm", {PHASE: [1, 1, 1], TIME_SLICE: [1, 2, 3]}, PhaseInformationSequence=PHASES[:1])

    array = opened(tmp_path)

    assert array.sizes == {"phase": 1, "time_slice": 3, "y": 8, "x": 6}
    assert array["phase_time"].dims == ("time_slice",)
    assert array["phase_time"].values.tolist() == [0, 1, 2]


def test_no_time_is_made_of_phases_that_are_not_described(tmp_path: Path) -> None:
    dynamic(tmp_path / "nm.dcm", RAGGED, PhaseInformationSequence=PHASES[:1])

    assert "phase_time" not in opened(tmp_path).coords


PAUSED = [
    # Frames at 2 to 3, 3.5 to 4.5 and 5 to 6 s; four seconds of delay; frames at 10 to 15 and 15 to 20 s; half a second; one frame.
    {"PhaseDelay": 2000, "ActualFrameDuration": 1000, "PauseBetweenFrames": 500, "NumberOfFramesInPhase": 3},
    {"PhaseDelay": 4000, "ActualFrameDuration": 5000, "PauseBetweenFrames": 0, "NumberOfFramesInPhase": 2},
    {"PhaseDelay": 500, "ActualFrameDuration": 60000, "NumberOfFramesInPhase": 1},
]
PAUSED_FRAMES = {PHASE: [1, 1, 1, 2, 2, 3], TIME_SLICE: [1, 2, 3, 1, 2, 1]}


def test_a_pause_follows_every_frame_of_a_phase_but_the_last(tmp_path: Path) -> None:
    dynamic(tmp_path / "nm.dcm", PAUSED_FRAMES, PhaseInformationSequence=PAUSED)

    assert opened(tmp_path)["phase_time"].values.tolist() == [2, 3.5, 5, 10, 15, 20.5]


def test_times_belong_to_the_numbers_of_the_vectors_and_not_to_the_order_of_frames(tmp_path: Path) -> None:
    backwards = {name: numbers[::-1] for name, numbers in PAUSED_FRAMES.items()}
    dynamic(tmp_path / "nm.dcm", backwards, PhaseInformationSequence=PAUSED)

    assert opened(tmp_path)["phase_time"].values.tolist() == [20.5, 15, 10, 5, 3.5, 2]


def test_windows_that_are_counted_together_have_the_same_times(tmp_path: Path) -> None:
    vectors = {ENERGY_WINDOW: [1, 1, 1, 2, 2, 2], DETECTOR: [1] * 6, PHASE: [1] * 6, TIME_SLICE: [1, 2, 3] * 2}
    dynamic(tmp_path / "nm.dcm", vectors, PhaseInformationSequence=PAUSED[:1])

    array = opened(tmp_path)

    assert array["phase_time"].dims == ("time_slice",)
    assert array["phase_time"].values.tolist() == [2, 3.5, 5]


@pytest.mark.parametrize(
    ("phase", "lost"), [(0, "PauseBetweenFrames"), (0, "ActualFrameDuration"), (0, "NumberOfFramesInPhase"), (1, "PhaseDelay")]
)
def test_no_time_is_made_up(tmp_path: Path, phase: int, lost: str) -> None:
    phases = [{key: value for key, value in item.items() if (i, key) != (phase, lost)} for i, item in enumerate(PAUSED)]
    dynamic(tmp_path / "nm.dcm", PAUSED_FRAMES, PhaseInformationSequence=phases)

    assert "phase_time" not in opened(tmp_path).coords


def test_without_a_delay_of_the_first_phase_time_counts_from_its_first_frame(tmp_path: Path) -> None:
    first = {key: value for key, value in PAUSED[0].items() if key != "PhaseDelay"}
    dynamic(tmp_path / "nm.dcm", PAUSED_FRAMES, PhaseInformationSequence=[first, *PAUSED[1:]])

    assert opened(tmp_path)["phase_time"].values.tolist() == [0, 1.5, 3, 8, 13, 18.5]


def test_energy_windows_have_their_names_and_limits(tmp_path: Path) -> None:
    make_nm(tmp_path / "nm.dcm", EnergyWindowInformationSequence=WINDOWS)

    array = opened(tmp_path)

    assert array["energy_window_name"].dims == ("energy_window",)
    assert array["energy_window_name"].values.tolist() == ["Tc99m", "scatter"]
    assert array["energy_window_lower_limit"].values.tolist() == [126, 108]
    assert array["energy_window_upper_limit"].attrs["units"] == "keV"


def test_a_window_of_several_ranges_has_a_name_and_no_limits(tmp_path: Path) -> None:
    both = [{**WINDOWS[0], "EnergyWindowRangeSequence": [*WINDOWS[0]["EnergyWindowRangeSequence"]] * 2}, WINDOWS[1]]  # type: ignore[misc]
    make_nm(tmp_path / "nm.dcm", EnergyWindowInformationSequence=both)

    array = opened(tmp_path)

    np.testing.assert_array_equal(array["energy_window_lower_limit"], [np.nan, 108])


VIEWS = {DETECTOR: [1, 1, 1, 2, 2, 2], ROTATION: [1] * 6, ANGULAR_VIEW: [1, 2, 3] * 2}


@pytest.mark.parametrize(("direction", "expected"), [("CC", [[0, 4, 8], [180, 184, 188]]), ("CW", [[0, 356, 352], [180, 176, 172]])])
def test_views_of_a_tomography_have_angles(tmp_path: Path, direction: str, expected: list[list[float]]) -> None:
    rotation = {"AngularStep": 4.0, "RotationDirection": direction, "StartAngle": 0}
    detectors = [{"StartAngle": 0.0}, {"StartAngle": 180.0}]
    make_nm(tmp_path / "nm.dcm", VIEWS, RotationInformationSequence=[rotation], DetectorInformationSequence=detectors)

    array = opened(tmp_path)

    assert array["angle"].dims == ("detector", "angular_view")
    assert array["angle"].values.tolist() == expected
    assert array["angle"].attrs["units"] == "deg"


def test_each_rotation_of_one_detector_begins_where_it_says(tmp_path: Path) -> None:
    rotations = [{"AngularStep": 90.0, "RotationDirection": "CC", "StartAngle": start} for start in (0, 45)]
    make_nm(tmp_path / "nm.dcm", {ROTATION: [1, 1, 2, 2], ANGULAR_VIEW: [1, 2, 1, 2]}, RotationInformationSequence=rotations)

    assert opened(tmp_path)["angle"].values.tolist() == [[0, 90], [45, 135]]


def test_a_rotation_back_goes_down_from_where_it_begins(tmp_path: Path) -> None:
    # From the patient's back by the left side to the front, and the same way back, each view a quarter further (PS3.3 C.8.4.12).
    rotations = [
        {"AngularStep": 90.0, "RotationDirection": "CC", "StartAngle": 0},
        {"AngularStep": 90.0, "RotationDirection": "CW", "StartAngle": 180},
    ]
    vectors = {ROTATION: [1, 1, 1, 2, 2, 2], ANGULAR_VIEW: [1, 2, 3] * 2}
    make_nm(tmp_path / "nm.dcm", vectors, RotationInformationSequence=rotations)

    assert opened(tmp_path)["angle"].values.tolist() == [[0, 90, 180], [180, 90, 0]]


@pytest.mark.parametrize(("direction", "expected"), [("CC", [350, 0, 10]), ("CW", [350, 340, 330])])
def test_angles_lie_within_one_turn(tmp_path: Path, direction: str, expected: list[float]) -> None:
    rotation = {"AngularStep": 10.0, "RotationDirection": direction, "StartAngle": 350}
    make_nm(tmp_path / "nm.dcm", {ROTATION: [1] * 3, ANGULAR_VIEW: [1, 2, 3]}, RotationInformationSequence=[rotation])

    assert opened(tmp_path)["angle"].values.tolist() == expected


def test_of_two_detectors_and_two_rotations_nobody_says_where_each_begins(tmp_path: Path) -> None:
    rotations = [{"AngularStep": 90.0, "RotationDirection": "CC", "StartAngle": start} for start in (0, 45)]
    detectors = [{"StartAngle": 0.0}, {"StartAngle": 180.0}]
    vectors = {DETECTOR: [1] * 4 + [2] * 4, ROTATION: [1, 1, 2, 2] * 2, ANGULAR_VIEW: [1, 2] * 4}
    make_nm(tmp_path / "nm.dcm", vectors, RotationInformationSequence=rotations, DetectorInformationSequence=detectors)

    assert "angle" not in opened(tmp_path).coords


def test_two_detectors_of_which_only_the_rotation_says_where_it_begins_have_no_angle(tmp_path: Path) -> None:
    rotation = {"AngularStep": 4.0, "RotationDirection": "CC", "StartAngle": 0}
    make_nm(tmp_path / "nm.dcm", VIEWS, RotationInformationSequence=[rotation], DetectorInformationSequence=[{}, {}])

    assert "angle" not in opened(tmp_path).coords


@pytest.mark.parametrize("lost", ["RotationDirection", "AngularStep", "StartAngle"])
def test_no_angle_is_made_up(tmp_path: Path, lost: str) -> None:
    rotation = {"AngularStep": 90.0, "RotationDirection": "CC", "StartAngle": 0}
    del rotation[lost]
    make_nm(tmp_path / "nm.dcm", {ROTATION: [1, 1], ANGULAR_VIEW: [1, 2]}, RotationInformationSequence=[rotation])

    assert "angle" not in opened(tmp_path).coords


def test_gated_tomography_has_all_its_axes(tmp_path: Path) -> None:
    numbers = np.array(np.meshgrid([1, 2], [1, 2, 3], [1, 2], indexing="ij")).reshape(3, -1)
    vectors = dict(zip((RR_INTERVAL, TIME_SLOT, SLICE), numbers.tolist(), strict=True))

    grid = only_grid(make_nm(tmp_path / "nm.dcm", vectors, ImageType=["ORIGINAL", "PRIMARY", "RECON GATED TOMO", "EMISSION"]))

    assert form(grid) == {"rr_interval": 2, "time_slot": 3, "slice": 2}
