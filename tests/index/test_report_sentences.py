"""What is told of an array before it is made, sentence by sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import AXIAL, CORONAL, image_position, make_ct, make_seg, make_slices
from index.arranged import grids_of, only_grid
from xdicom.index.report import describe_array, shape_of


def test_shape_type_and_size_are_told(tmp_path: Path) -> None:
    make_ct(tmp_path, rows=10, columns=20)

    assert shape_of(only_grid(tmp_path)) == "z 3, y 10, x 20; int16, 1.2 kB"


def test_a_plain_stack_has_its_plane_and_spacing(tmp_path: Path) -> None:
    make_ct(tmp_path, positions_mm=[0.0, 2.5, 5.0])

    assert describe_array(only_grid(tmp_path)) == ["axial, slices 2.5 mm apart"]


def test_missing_slices_are_told_with_their_places(tmp_path: Path) -> None:
    make_ct(tmp_path, positions_mm=[0.0, 2.5, 7.5, 10.0, 12.5, 15.0])

    assert "slices missing: 1, at z = 5 mm" in describe_array(only_grid(tmp_path))


def test_of_many_missing_slices_the_first_are_told(tmp_path: Path) -> None:
    make_ct(tmp_path, positions_mm=[0.0, 1.0, 2.0, 3.0, 10.0])

    assert "slices missing: 6, at z = 4, 5, 6, 7, 8, ... mm" in describe_array(only_grid(tmp_path))


def test_uneven_spacing_is_told(tmp_path: Path) -> None:
    make_ct(tmp_path, positions_mm=[0.0, 2.5, 6.1, 7.0])

    assert "slices are unevenly spaced: 0.9 to 3.6 mm" in describe_array(only_grid(tmp_path))


@pytest.mark.parametrize(("stated", "is_told"), [(2.0, True), (2.5, False), (-2.51, False), (None, False)])
def test_a_spacing_that_the_header_states_and_positions_do_not_have_is_told(tmp_path: Path, stated: float, is_told: bool) -> None:
    make_ct(tmp_path, positions_mm=[0.0, 2.5, 5.0], SpacingBetweenSlices=stated)

    assert ("Spacing Between Slices says 2 mm; positions hold" in describe_array(only_grid(tmp_path))) == is_told


def test_a_spacing_along_the_table_of_a_tilted_gantry_is_no_lie(tmp_path: Path) -> None:
    positions = [(0.0, 0.75 * i, 2.4 * i) for i in range(4)]
    make_slices(tmp_path, positions, PixelSpacing=[1, 1], ImageOrientationPatient=list(AXIAL), Modality="CT", SpacingBetweenSlices=2.5144)

    assert not any("says" in sentence for sentence in describe_array(only_grid(tmp_path)))


def test_gantry_tilt_is_told(tmp_path: Path) -> None:
    positions = [(0.0, 0.4 * i, 2.0 * i) for i in range(4)]
    make_slices(tmp_path, positions, PixelSpacing=[1, 1], ImageOrientationPatient=list(AXIAL), Modality="CT")

    assert "sheared by 11.3 degrees (gantry tilt)" in describe_array(only_grid(tmp_path))


def test_reason_of_a_split_is_told(tmp_path: Path) -> None:
    positions = [image_position(float(i), orientation) for orientation in (AXIAL, CORONAL) for i in range(2)]
    orientations = [list(AXIAL)] * 2 + [list(CORONAL)] * 2
    make_slices(tmp_path, positions, PixelSpacing=[1, 1], varying={"ImageOrientationPatient": orientations}, Modality="MR")

    reasons = [describe_array(grid)[0] for grid in grids_of(tmp_path)]

    assert len(reasons) == 2
    assert all(reason.startswith("apart because of orientation: ") for reason in reasons)


def test_cells_without_a_frame_are_counted(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (1, 2.5), (2, 2.5)))

    assert "1 cells of the grid have no frame" in describe_array(only_grid(tmp_path))


@pytest.mark.parametrize(
    ("elements", "is_told"),
    [
        ({"transfer_syntax": "jpeg"}, True),
        ({"LossyImageCompression": "01"}, True),
        ({"LossyImageCompression": "00"}, False),
    ],
)
def test_loss_is_told(tmp_path: Path, elements: dict, is_told: bool) -> None:
    make_ct(tmp_path, rows=16, columns=16, dtype="uint8", bits_stored=8, intercept=0, **elements)

    assert ("compressed with loss" in describe_array(only_grid(tmp_path))) == is_told
