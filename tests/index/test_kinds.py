"""Objects with rules of their own: dose grids, segmentations, nuclear medicine and cine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import image_position, make_cine, make_file, make_nm, make_rtdose, make_seg, phantoms, uid
from builders.multiframe import ANGULAR_VIEW, DETECTOR, ENERGY_WINDOW, FRAME_TIME_VECTOR, PHASE, ROTATION, SLICE, TIME_SLOT
from index.arranged import arranged, form, grids_of, only_grid, values

# --- dose ------------------------------------------------------------------------------------------------------------------


def test_offsets_that_begin_with_zero_count_from_the_first_plane(tmp_path: Path) -> None:
    grid = only_grid(make_rtdose(tmp_path / "dose.dcm", (0.0, 3.0, 6.0), position_mm=-40.0))

    assert values(grid, "z") == [-40, -37, -34]


def test_offsets_that_begin_with_the_position_are_positions(tmp_path: Path) -> None:
    grid = only_grid(make_rtdose(tmp_path / "dose.dcm", (-40.0, -37.0, -34.0), position_mm=-40.0))

    assert values(grid, "z") == [-40, -37, -34]


@pytest.mark.parametrize(("offsets", "expected"), [((0.0, -3.0, -6.0), [-46, -43, -40]), ((-40.0, -43.0, -46.0), [-46, -43, -40])])
def test_offsets_may_descend(tmp_path: Path, offsets: tuple[float, ...], expected: list[float]) -> None:
    grid = only_grid(make_rtdose(tmp_path / "dose.dcm", offsets, position_mm=-40.0))

    assert values(grid, "z") == expected
    assert grid.rows.tolist() == [2, 1, 0]


def test_uneven_offsets_are_kept(tmp_path: Path) -> None:
    grid = only_grid(make_rtdose(tmp_path / "dose.dcm", (0.0, 3.0, 7.0)))

    assert values(grid, "z") == [0, 3, 7]
    assert grid.affine is None


def test_offsets_of_neither_form_give_no_position_and_are_noted(tmp_path: Path) -> None:
    arrangement = arranged(make_rtdose(tmp_path / "dose.dcm", (5.0, 8.0, 11.0), position_mm=-40.0))

    assert form(arrangement.grids[0]) == {"frame": 3}
    assert "neither with 0 nor with the position" in arrangement.notes[0]


def test_more_offsets_than_frames_are_noted(tmp_path: Path) -> None:
    arrangement = arranged(make_rtdose(tmp_path / "dose.dcm", (0.0, 3.0, 6.0), GridFrameOffsetVector=[0, 3, 6, 9, 12]))

    assert values(arrangement.grids[0], "z") == [0, 3, 6]
    assert "5 offsets for 3 frames" in arrangement.notes[0]


def test_fewer_offsets_than_frames_leave_no_geometry(tmp_path: Path) -> None:
    grid = only_grid(make_rtdose(tmp_path / "dose.dcm", (0.0, 3.0, 6.0), GridFrameOffsetVector=[0, 3]))

    assert form(grid) == {"frame": 3}


# --- segmentations ---------------------------------------------------------------------------------------------------------


def test_a_segmentation_is_segment_by_place_and_empty_frames_are_missing(tmp_path: Path) -> None:
    grid = only_grid(make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (1, 2.5), (2, 2.5))))

    assert form(grid) == {"segment": 2, "z": 2}
    assert grid.rows.tolist() == [[0, 1], [-1, 2]]
    assert values(grid, "segment") == [1, 2]


def test_segments_that_are_described_and_have_no_frame_are_empty_steps(tmp_path: Path) -> None:
    grid = only_grid(make_seg(tmp_path / "seg.dcm", labels=("a", "b", "c"), frames=((1, 0.0), (3, 0.0))))

    assert values(grid, "segment") == [1, 2, 3]
    assert grid.rows.reshape(-1).tolist() == [0, -1, 1]


def test_the_order_of_the_frames_of_a_segmentation_does_not_matter(tmp_path: Path) -> None:
    grid = only_grid(make_seg(tmp_path / "seg.dcm", frames=((2, 5.0), (1, 0.0), (2, 0.0), (1, 5.0))))

    assert grid.rows.tolist() == [[1, 3], [2, 0]]


def test_two_frames_of_one_segment_at_one_place_are_both_kept(tmp_path: Path) -> None:
    grid = only_grid(make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (1, 0.0), (2, 2.5))))

    assert sorted(grid.rows[grid.rows >= 0].tolist()) == [0, 1, 2]


# --- nuclear medicine ------------------------------------------------------------------------------------------------------


VECTORS: dict[str, tuple[dict[int, list[int]], dict[str, int]]] = {
    "windows by detectors": ({ENERGY_WINDOW: [1, 1, 2, 2], DETECTOR: [1, 2, 1, 2]}, {"energy_window": 2, "detector": 2}),
    "first pointer fastest": ({ENERGY_WINDOW: [1, 2, 1, 2], DETECTOR: [1, 1, 2, 2]}, {"energy_window": 2, "detector": 2}),
    "rotations": ({ENERGY_WINDOW: [1] * 6, DETECTOR: [1, 1, 1, 2, 2, 2], ROTATION: [1] * 6, ANGULAR_VIEW: [1, 2, 3] * 2},
                  {"energy_window": 1, "detector": 2, "rotation": 1, "angular_view": 3}),
    "reconstructed slices": ({SLICE: [1, 2, 3]}, {"slice": 3}),
    "gated": ({TIME_SLOT: [1, 1, 2, 2], SLICE: [1, 2, 1, 2]}, {"time_slot": 2, "slice": 2}),
}  # fmt: skip


@pytest.mark.parametrize(("vectors", "sizes"), VECTORS.values(), ids=VECTORS)
def test_vectors_of_nuclear_medicine_are_axes(tmp_path: Path, vectors: dict[int, list[int]], sizes: dict[str, int]) -> None:
    grid = only_grid(make_nm(tmp_path / "nm.dcm", vectors))

    assert form(grid) == sizes


def test_frames_lie_where_their_vectors_say(tmp_path: Path) -> None:
    grid = only_grid(make_nm(tmp_path / "nm.dcm", {ENERGY_WINDOW: [2, 1, 2, 1], DETECTOR: [1, 1, 2, 2]}))

    assert grid.rows.tolist() == [[1, 3], [0, 2]]
    assert values(grid, "energy_window") == [1, 2]


@pytest.mark.parametrize(
    "vectors",
    [{PHASE: [1, 1, 2], TIME_SLOT: [1, 2, 1]}, {PHASE: [1, 1, 1]}],
    ids=["phases of different lengths", "one that numbers nothing"],
)
def test_vectors_that_make_no_grid_leave_the_frames_in_file_order(tmp_path: Path, vectors: dict[int, list[int]]) -> None:
    grid = only_grid(make_nm(tmp_path / "nm.dcm", vectors))

    assert form(grid) == {"frame": 3}
    assert grid.rows.tolist() == [0, 1, 2]


def test_a_vector_shorter_than_the_frames_is_not_believed(tmp_path: Path) -> None:
    grid = only_grid(make_nm(tmp_path / "nm.dcm", {ENERGY_WINDOW: [1, 2, 1, 2], DETECTOR: [1, 1, 2, 2]}, DetectorVector=[1, 1]))

    assert form(grid) == {"frame": 4}


def test_numbers_of_vectors_that_would_make_a_giant_grid_make_none(tmp_path: Path) -> None:
    count = 80
    every = list(range(1, count + 1))
    vectors = {ENERGY_WINDOW: every, DETECTOR: every, ROTATION: every, TIME_SLOT: every, SLICE: every}
    position = {"ImagePositionPatient": [0.0, 0.0, 0.0], "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]}
    make_nm(tmp_path / "nm.dcm", vectors, DetectorInformationSequence=[position], SpacingBetweenSlices=2.0)

    assert only_grid(tmp_path).rows.size == count


# --- cine ------------------------------------------------------------------------------------------------------------------


def test_a_frame_time_makes_a_clock_in_seconds(tmp_path: Path) -> None:
    grid = only_grid(make_cine(tmp_path / "us.dcm", 4, 40.0))

    assert form(grid) == {"time": 4}
    np.testing.assert_allclose(values(grid, "time"), [0, 0.04, 0.08, 0.12])
    assert grid.axes[0].attrs["units"] == "s"


@pytest.mark.parametrize("first", [0.0, 33.333])
def test_a_frame_time_vector_counts_from_its_first_frame(tmp_path: Path, first: float) -> None:
    grid = only_grid(make_cine(tmp_path / "us.dcm", 3, [first, 50.0, 33.5]))

    np.testing.assert_allclose(values(grid, "time"), [0, 0.05, 0.0835])


def test_a_frame_time_vector_shorter_than_the_frames_gives_no_time(tmp_path: Path) -> None:
    grid = only_grid(make_cine(tmp_path / "us.dcm", 3, [0.0, 50.0, 50.0], FrameTimeVector=[0, 50]))

    assert form(grid) == {"frame": 3}


@pytest.mark.parametrize(
    "given", [{"FrameTime": 0}, {"FrameTime": None, "CineRate": 25}, {"FrameTime": None, "RecommendedDisplayFrameRate": 30}]
)
def test_without_a_frame_time_frames_are_numbered(tmp_path: Path, given: dict[str, Any]) -> None:
    grid = only_grid(make_cine(tmp_path / "us.dcm", 4, 40.0, **({"FrameIncrementPointer": None} | given)))

    assert form(grid) == {"frame": 4}
    assert values(grid, "frame") == [0, 1, 2, 3]


def test_each_clip_of_a_series_is_an_array_of_its_own(tmp_path: Path) -> None:
    for i in range(3):
        make_cine(tmp_path / f"{i}.dcm", 4 + i, SeriesInstanceUID=uid("one"), InstanceNumber=i + 1)

    grids = grids_of(tmp_path)

    assert [form(grid) for grid in grids] == [{"time": 4}, {"time": 5}, {"time": 6}]
    assert len({grid.name for grid in grids}) == 3


def test_single_pictures_of_a_series_are_frames_in_order_of_instance_number(tmp_path: Path) -> None:
    from builders import make_file, phantom

    for number in (3, 1, 2):
        make_file(
            tmp_path / f"{number}.dcm", {"Modality": "XC", "SeriesInstanceUID": uid("one"), "InstanceNumber": 4 - number}, phantom(number)
        )

    grid = only_grid(tmp_path)

    assert form(grid) == {"frame": 3}
    assert grid.frames.numbers("instance_number")[grid.rows].tolist() == [1, 2, 3]


def test_a_single_picture_has_no_axis_across_frames(tmp_path: Path) -> None:
    from builders import make_file, phantom

    grid = only_grid(make_file(tmp_path / "a.dcm", {"Modality": "CR"}, phantom(0)))

    assert grid.dims == ("y", "x")
    assert grid.rows.shape == ()


def test_concatenated_parts_are_joined_by_their_offsets(tmp_path: Path) -> None:
    for number, offset in ((2, 3), (1, 0)):
        elements = {
            "Modality": "MR", "SeriesInstanceUID": uid("one"), "SOPInstanceUID": uid(number), "InstanceNumber": 1,
            "ConcatenationUID": uid("whole"),
            "InConcatenationNumber": number, "InConcatenationTotalNumber": 2, "ConcatenationFrameOffsetNumber": offset,
        }  # fmt: skip
        make_file(tmp_path / f"{3 - number}.dcm", elements, phantoms(3, 2, 2))

    grid = only_grid(tmp_path)

    assert form(grid) == {"frame": 6}
    assert grid.frames.numbers("in_concatenation_number")[grid.rows].tolist() == [1, 1, 1, 2, 2, 2]


def test_the_pointer_of_a_cine_run_does_not_make_vectors(tmp_path: Path) -> None:
    grid = only_grid(make_cine(tmp_path / "us.dcm", 3, 40.0, FrameIncrementPointer=[FRAME_TIME_VECTOR]))

    assert form(grid) == {"time": 3}


def test_positions_of_frames_are_not_those_of_a_dose(tmp_path: Path) -> None:
    # Another object with the element: it is no dose, and its frames have one position.
    path = make_file(
        tmp_path / "a.dcm",
        {"Modality": "OT", "GridFrameOffsetVector": [0, 1], "ImagePositionPatient": image_position(0)},
        phantoms(2, 2, 2),
    )

    assert form(only_grid(path)) == {"frame": 2}
