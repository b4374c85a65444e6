"""A series in its places: nothing lost, nothing twice, and the same whatever files are called and where they lie."""

from __future__ import annotations

import gc
import shutil
import sys
import tracemalloc
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import OBLIQUE, image_position, make_ct, make_enhanced_mr, make_file, make_pet, phantoms, uid
from index.arranged import arranged, catalog_of, cells, form, grids_of, make_planes, only_grid, repeated, values
from xdicom.index.arrange import Arrangement, arrange
from xdicom.index.report import report_stack
from xdicom.labeled.build import describe
from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable


def test_slices_are_sorted_by_position_whatever_their_names_and_numbers(tmp_path: Path) -> None:
    make_ct(tmp_path, [5.0, 0.0, 2.5], ["b.dcm", "c.dcm", "a.dcm"], varying={"InstanceNumber": [1, 2, 3], "SliceLocation": [-5, 0, -2.5]})

    grid = only_grid(tmp_path)

    assert values(grid, "z") == [0, 2.5, 5]
    assert cells(grid, "instance_number").tolist() == [2, 3, 1]


def test_instance_numbers_that_descend_do_not_turn_the_order(tmp_path: Path) -> None:
    make_planes(tmp_path, [6.0, 4.0, 2.0, 0.0])

    grid = only_grid(tmp_path)

    assert values(grid, "z") == [0, 2, 4, 6]
    assert cells(grid, "instance_number").tolist() == [4, 3, 2, 1]


def test_positions_along_an_oblique_normal_are_the_coordinate(tmp_path: Path) -> None:
    make_planes(tmp_path, [3.0, 1.0, 2.0], ImageOrientationPatient=OBLIQUE)

    np.testing.assert_allclose(values(only_grid(tmp_path), "z"), [1, 2, 3], atol=1e-9)


def test_the_spacing_is_that_of_the_positions_and_not_of_elements_that_lie(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 6.96, 13.92], SpacingBetweenSlices=2.0, SliceThickness=5.0)

    assert only_grid(tmp_path).attrs["spacing_between_slices"] == pytest.approx(6.96)


def test_a_tilt_without_a_tilt_element_is_found(tmp_path: Path) -> None:
    paths = make_planes(tmp_path, [0.0, 4.85, 9.7, 14.55])
    shift = np.tan(np.radians(14))
    for i, path in enumerate(paths):
        position = image_position(4.85 * i, origin_mm=(-10, -20 + 4.85 * i * shift))
        make_planes(path.parent, [0.0], {"ImagePositionPatient": [position], "SOPInstanceUID": [uid(i)]}, SeriesInstanceUID=uid("tilt"))
        (path.parent / "000.dcm").rename(path.parent / f"tilted{i}.bin")
    for path in paths:
        path.unlink(missing_ok=True)

    grid = only_grid(tmp_path)

    assert grid.attrs["shear_degrees"] == pytest.approx(14, abs=0.01)


def test_a_tilt_element_without_a_tilt_is_not_believed(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0], GantryDetectorTilt=16.5)

    assert "is_sheared" not in only_grid(tmp_path).attrs


@pytest.mark.parametrize("lost", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_without_position_orientation_or_spacing_there_is_no_z(tmp_path: Path, lost: str) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0], {lost: [None] * 3})

    grid = only_grid(tmp_path)

    assert form(grid) == {"frame": 3}
    assert grid.plane is None
    assert grid.affine is None


def test_a_plane_without_position_among_others_loses_no_frame(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0], {"ImagePositionPatient": [image_position(0), None, image_position(4)]})

    assert sum(len(grid.frames) for grid in grids_of(tmp_path)) == 3


def test_non_square_pixels_of_a_non_square_matrix_are_not_swapped(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], rows=4, columns=9, pixel_spacing=(4.0, 6.4))

    grid = only_grid(tmp_path)

    assert grid.shape == (2, 4, 9)
    assert grid.affine is not None
    np.testing.assert_allclose(grid.affine[:3, :2], [[6.4, 0], [0, 4.0], [0, 0]])


def test_a_slope_for_each_slice_is_a_value_of_its_cell(tmp_path: Path) -> None:
    slopes = np.linspace(5e-5, 7.8e-4, 59)
    make_pet(tmp_path, slopes[::-1].tolist())

    np.testing.assert_allclose(cells(only_grid(tmp_path), "rescale_slope"), slopes[::-1])


# --- copies ----------------------------------------------------------------------------------------------------------------


def test_a_copy_of_a_file_is_left_out_and_noted(tmp_path: Path) -> None:
    paths = make_planes(tmp_path / "a", [0.0, 2.0])
    shutil.copy(paths[1], tmp_path / "a" / "copy.dcm")

    arrangement = arranged(tmp_path)

    assert [form(grid) for grid in arrangement.grids] == [{"z": 2}]
    assert "copy.dcm is a copy of" in arrangement.notes[0]


def test_a_multi_frame_file_and_its_copy_are_one(tmp_path: Path) -> None:
    path = make_enhanced_mr(tmp_path / "a.dcm")
    shutil.copy(path, tmp_path / "b.dcm")

    arrangement = arranged(tmp_path)

    assert [form(grid) for grid in arrangement.grids] == [{"echo_time": 2, "z": 3}]
    assert len(arrangement.notes) == 1


def test_files_without_sop_instance_uids_are_no_copies(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0], SOPInstanceUID=None, varying={"SOPInstanceUID": [None] * 3})

    arrangement = arranged(tmp_path)

    assert [form(grid) for grid in arrangement.grids] == [{"z": 3}]
    assert arrangement.notes == []


def test_slices_that_all_bear_one_uid_are_all_kept(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0], SOPInstanceUID=uid("same"), varying={"SOPInstanceUID": [uid("same")] * 3})

    arrangement = arranged(tmp_path)

    assert [form(grid) for grid in arrangement.grids] == [{"z": 3}]
    assert all("other content" in note for note in arrangement.notes)


def test_one_uid_with_other_content_is_kept_and_noted(tmp_path: Path) -> None:
    for i, rows in enumerate((2, 4)):
        make_ct(tmp_path / str(i), [float(i)], rows=rows, series_uid=uid("one"), varying={"SOPInstanceUID": [uid("same")]})

    arrangement = arranged(tmp_path)

    assert sum(len(grid.frames) for grid in arrangement.grids) == 2
    assert "other content" in arrangement.notes[0]


# --- concatenations --------------------------------------------------------------------------------------------------------


def part(path: Path, number: int, total: int = 3) -> Path:
    elements = {
        "Modality": "MR", "SeriesInstanceUID": uid("one"), "SOPInstanceUID": uid(number), "InstanceNumber": 1,
        "ConcatenationUID": uid("whole"),
        "InConcatenationNumber": number, "InConcatenationTotalNumber": total, "ConcatenationFrameOffsetNumber": 2 * (number - 1),
    }  # fmt: skip
    return make_file(path, elements, phantoms(2, 2, 2))


def test_missing_parts_of_a_concatenation_are_noted(tmp_path: Path) -> None:
    part(tmp_path / "a.dcm", 3)
    part(tmp_path / "b.dcm", 1)

    arrangement = arranged(tmp_path)

    assert arrangement.notes == [f"concatenation {uid('whole')}: parts 2 of 3 are missing"]
    assert form(arrangement.grids[0]) == {"frame": 4}


def test_a_whole_concatenation_is_no_reason_for_a_note(tmp_path: Path) -> None:
    for number in (2, 3, 1):
        part(tmp_path / f"{number}.dcm", number)

    assert arranged(tmp_path).notes == []


# --- names, order and folders ----------------------------------------------------------------------------------------------


def summary(arrangement: Arrangement) -> list[tuple[Any, ...]]:
    """What an arrangement is, without where its files lie."""
    told = []
    for grid in arrangement.grids:
        uids = grid.frames.texts("sop_instance_uid")
        numbers = grid.frames.frame_number
        rows = [(uids[row], int(numbers[row])) if row >= 0 else None for row in grid.rows.reshape(-1).tolist()]
        axes = [(axis.name, None if axis.values is None else axis.values.tolist()) for axis in grid.axes]
        told.append((grid.name, axes, grid.shape, rows, None if grid.affine is None else grid.affine.tolist(), grid.attrs))
    return told


def heap(folder: Path) -> list[Path]:
    """A series with two echoes by three times by three places, a localizer's plane and an enhanced object."""
    time = [f"1000{t:02d}" for t in (0, 2, 4) for _ in range(6)]
    paths = make_planes(
        folder / "a", repeated([0.0, 2.0, 4.0], 6),
        {"EchoTime": [e for _ in range(3) for e in (5, 10) for _ in range(3)], "AcquisitionTime": time},
        SeriesInstanceUID=uid("heap"),
    )  # fmt: skip
    paths += make_planes(
        folder / "b", [1.0], SeriesInstanceUID=uid("heap"), ImageOrientationPatient=OBLIQUE, varying={"SOPInstanceUID": [uid("b")]}
    )
    return [*paths, make_enhanced_mr(folder / "c.dcm", (3.0, 6.0), SeriesInstanceUID=uid("heap"))]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.integers(1, 4), st.integers(0, 5))
def test_names_order_folders_and_copies_of_files_change_nothing_but_notes(tmp_path: Path, random: Any, folders: int, copies: int) -> None:
    original, moved = tmp_path / "original", tmp_path / "moved"
    shutil.rmtree(original, ignore_errors=True)
    shutil.rmtree(moved, ignore_errors=True)
    paths = heap(original)
    again = random.sample(paths, copies)
    names = [f"{number:02d}.ima" for number in range(len(paths) + copies)]
    random.shuffle(names)
    for path, name in zip([*paths, *again], names, strict=True):
        target = moved / f"folder{random.randrange(folders)}" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    arrangement = arranged(moved)

    assert summary(arrangement) == summary(arranged(original))
    assert sum("is a copy of" in note for note in arrangement.notes) == copies


def test_jitter_of_orientations_is_resolved_alike_whatever_the_names_of_files(tmp_path: Path) -> None:
    cosines = [[1.0, 1e-8 * i, 0.0, -1e-8 * i, 1.0, 0.0] for i in range(4)]
    varying = {"ImageOrientationPatient": cosines, "ImagePositionPatient": [[-300.0, 500.0, 2.0 * i] for i in range(4)]}
    paths = make_planes(tmp_path / "a", [0.0] * 4, varying)
    for i, path in enumerate(paths):
        (tmp_path / "b").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "b" / f"{9 - i}.dcm")

    assert summary(arranged(tmp_path / "b")) == summary(arranged(tmp_path / "a"))


def test_the_order_of_the_frames_in_a_catalog_does_not_matter(tmp_path: Path) -> None:
    heap(tmp_path)
    frames = catalog_of(tmp_path).pick()

    backwards = frames.take(np.arange(len(frames))[::-1])

    assert summary(arrange(backwards)) == summary(arrange(frames))


def test_names_of_arrays_are_unique_in_their_series(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0] * 4, {"StackID": ["a", "b", "c", "d"]})

    names = [grid.name for grid in grids_of(tmp_path)]

    assert len(set(names)) == len(names) == 4


def test_a_grid_carries_only_the_frames_it_needs(tmp_path: Path) -> None:
    for name, orientation in (("a", (1.0, 0, 0, 0, 1.0, 0)), ("b", OBLIQUE)):
        make_planes(
            tmp_path / name,
            [0, 1],
            SeriesInstanceUID=uid("one"),
            ImageOrientationPatient=orientation,
            varying={"SOPInstanceUID": [uid(name, 0), uid(name, 1)]},
        )

    assert [(len(grid.frames), len(grid.frames.instances)) for grid in grids_of(tmp_path)] == [(2, 2), (2, 2)]


def many_frames(folder: Path, volumes: int, planes: int) -> FrameTable:
    """Frames of one object, of `volumes` temporal positions by `planes` places."""
    make_enhanced_mr(folder / "a.dcm", (1.0,), (0.0, 1.0), has_dimensions=False)
    small = catalog_of(folder).pick()
    count = volumes * planes
    z, t = np.tile(np.arange(planes), volumes), np.repeat(np.arange(volumes), planes)
    places = Column("number", np.array([image_position(float(i), OBLIQUE) for i in range(planes)]), z.astype(np.int16))
    index = Column("number", np.arange(1, volumes + 1).reshape(-1, 1), t.astype(np.int16))
    return FrameTable(
        small.instances, np.zeros(count, np.int32), np.arange(1, count + 1, dtype=np.int32), np.arange(count) * 96, np.full(count, 96),
        {"image_position_patient": places, "temporal_position_index": index},
    )  # fmt: skip


def test_two_hundred_thousand_frames_are_arranged_without_an_object_for_each(tmp_path: Path) -> None:
    volumes, planes = 2000, 100
    frames = many_frames(tmp_path, volumes, planes)

    tracemalloc.start()
    (grid,) = arrange(frames).grids
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert form(grid) == {"time": volumes, "z": planes}
    assert peak / (volumes * planes) < 1000  # bytes: a handful of columns, not a Python object with its values


def calls_of(frames: FrameTable) -> int:
    """Functions that are called, in this thread alone, while `frames` are arranged, described and reported on."""
    calls = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # others have functions called whenever garbage is collected
    try:
        sys.setprofile(count)  # cProfile counts what other threads do as well, from Python 3.12 on
        (grid,) = arrange(frames).grids
        describe(grid)
        report_stack(grid)
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def test_arranging_and_labelling_calls_no_function_for_each_frame(tmp_path: Path) -> None:
    calls = []
    for number, volumes in enumerate((20, 200)):
        frames = many_frames(tmp_path / str(number), volumes, 50)
        calls.append(calls_of(frames))

    assert calls[1] - calls[0] < 0.05 * (200 - 20) * 50
