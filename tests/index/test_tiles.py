"""Mosaics and grids: cut into planes with their positions, or left whole with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, OBLIQUE, image_position, make_file, phantom, uid
from headers.test_csa import csa
from index.arranged import arranged, cells, form, only_grid, values

TILE = (4, 6)
SPACING = [0.7, 0.5]


def mosaic(
    path: Path,
    count: int,
    *,
    side: int | None = None,
    number: int = 0,
    orientation: Sequence[float] = AXIAL,
    first_mm: float = 5.0,
    **more: Any,
) -> Path:
    """A mosaic of `count` tiles of 4 x 6 pixels.

    Tile `k` is filled with `100 * number + k`; the first plane lies at `first_mm` on the normal.
    """
    side = side or int(np.ceil(np.sqrt(count)))
    pixels = np.zeros((side * TILE[0], side * TILE[1]), np.int16)
    for k in range(count):
        top, left = k // side * TILE[0], k % side * TILE[1]
        pixels[top : top + TILE[0], left : left + TILE[1]] = 100 * number + k
    # The header's position is that of a plane of the mosaic's size around the first plane's centre.
    lost = (pixels.shape[0] - TILE[0], pixels.shape[1] - TILE[1])
    corner = (-10 - lost[1] / 2 * SPACING[1], -20 - lost[0] / 2 * SPACING[0])
    elements = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "SOPInstanceUID": uid(path.name), "SeriesInstanceUID": uid("one"),
        "InstanceNumber": number + 1, "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
        "ImageOrientationPatient": list(orientation),
        "ImagePositionPatient": image_position(first_mm, orientation, corner), "PixelSpacing": SPACING, "SpacingBetweenSlices": 3.6,
        "SliceThickness": 3.0, "AcquisitionTime": f"1000{2 * number:02d}", 0x00190010: ("LO", "SIEMENS MR HEADER"),
        0x0019100A: ("US", count),
    }  # fmt: skip
    own = {int(key[1:], 16) if key.startswith("x") else key: value for key, value in more.items()}
    return make_file(path, {**elements, **own}, pixels)


@pytest.mark.parametrize(("count", "side"), [(1, 1), (4, 2), (5, 3), (9, 3), (10, 4)])
def test_a_mosaic_is_as_many_planes_as_it_says(tmp_path: Path, count: int, side: int) -> None:
    grid = only_grid(mosaic(tmp_path / "a.dcm", count))

    assert form(grid) == {"z": count}
    assert grid.frame_shape == TILE
    assert grid.tiles is not None
    assert (grid.tiles.columns, grid.tiles.rows) == (side, side)
    assert grid.tiles.tile.tolist() == list(range(count))


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE])
def test_planes_lie_where_they_were_measured(tmp_path: Path, orientation: Sequence[float]) -> None:
    grid = only_grid(mosaic(tmp_path / "a.dcm", 5, orientation=orientation))

    np.testing.assert_allclose(values(grid, "z"), 5 + 3.6 * np.arange(5), atol=1e-6)
    assert grid.affine is not None
    np.testing.assert_allclose(grid.affine[:3, 3], image_position(5.0, orientation), atol=1e-6)


def test_the_step_is_the_spacing_and_not_the_thickness(tmp_path: Path) -> None:
    assert only_grid(mosaic(tmp_path / "a.dcm", 4)).attrs["spacing_between_slices"] == pytest.approx(3.6)


def test_volumes_are_steps_in_time(tmp_path: Path) -> None:
    for number in range(3):
        mosaic(tmp_path / f"{2 - number}.dcm", 4, number=number)

    grid = only_grid(tmp_path)

    assert form(grid) == {"time": 3, "z": 4}
    assert values(grid, "time") == [0, 2, 4]
    assert cells(grid, "instance_number").tolist() == [[1] * 4, [2] * 4, [3] * 4]


@pytest.mark.parametrize(("normal", "expected"), [(("0", "0", "1"), [5, 8.6, 12.2, 15.8]), (("0", "0", "-1"), [-5.8, -2.2, 1.4, 5])])
def test_a_normal_that_points_the_other_way_turns_the_order(tmp_path: Path, normal: tuple[str, ...], expected: list[float]) -> None:
    header = csa({"SliceNormalVector": normal})
    grid = only_grid(mosaic(tmp_path / "a.dcm", 4, x00290010=("LO", "SIEMENS CSA HEADER"), x00291010=("OB", header)))

    np.testing.assert_allclose(values(grid, "z"), expected)


def test_the_number_of_images_may_stand_in_the_csa_header_alone(tmp_path: Path) -> None:
    header = csa({"NumberOfImagesInMosaic": ("5",)})
    path = mosaic(tmp_path / "a.dcm", 5, x0019100A=None, x00190010=None, x00290010=("LO", "SIEMENS CSA HEADER"), x00291010=("OB", header))

    assert form(only_grid(path)) == {"z": 5}


def test_times_of_the_slices_are_coordinates_of_the_planes(tmp_path: Path) -> None:
    grid = only_grid(mosaic(tmp_path / "a.dcm", 4, x00191029=("FD", [0.0, 1450.00000001, 482.5, 1932.5])))

    assert cells(grid, "slice_time").tolist() == [0, 1450, 482.5, 1932.5]


def csa_of(values_: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    return {"x00290010": ("LO", "SIEMENS CSA HEADER"), "x00291010": ("OB", csa(values_))}


def test_weights_and_times_may_stand_in_the_csa_header_alone(tmp_path: Path) -> None:
    weights: list[tuple[str, tuple[str, ...]]] = [("0", ()), ("1000", ("1", "0", "0")), ("1000", ("0", "0.6", "0.8"))]
    for number, (b, direction) in enumerate(weights):
        values_ = {"B_value": (b,), "DiffusionGradientDirection": direction, "MosaicRefAcqTimes": ("0", "1450", "482.5", "1932.5")}
        mosaic(tmp_path / f"{number}.dcm", 4, number=number, **csa_of(values_))

    grid = only_grid(tmp_path)

    assert form(grid) == {"diffusion": 3, "z": 4}
    assert grid.diffusion is not None
    assert grid.diffusion.b_value.reshape(3, 4)[:, 0].tolist() == [0, 1000, 1000]
    np.testing.assert_allclose(grid.diffusion.direction.reshape(3, 4, 3)[1:, 0], [[1, 0, 0], [0, 0.6, 0.8]])
    assert cells(grid, "slice_time")[0].tolist() == [0, 1450, 482.5, 1932.5]


def test_an_element_stands_above_the_csa_header(tmp_path: Path) -> None:
    values_ = {"B_value": ("750",), "DiffusionGradientDirection": ("1", "0", "0")}
    for number, b in enumerate(("0", "500")):
        mosaic(tmp_path / f"{number}.dcm", 4, number=number, x0019100C=("IS", b), **csa_of(values_))

    grid = only_grid(tmp_path)

    assert grid.diffusion is not None
    assert grid.diffusion.b_value.reshape(2, 4)[:, 0].tolist() == [0, 500]
    assert np.isnan(grid.diffusion.direction).all()


def test_an_empty_weight_of_the_csa_header_is_none(tmp_path: Path) -> None:
    for number in range(2):
        mosaic(tmp_path / f"{number}.dcm", 4, number=number, **csa_of({"B_value": ()}))

    grid = only_grid(tmp_path)

    assert (form(grid), grid.diffusion) == ({"time": 2, "z": 4}, None)


WHOLE: dict[str, tuple[dict[str, Any], str]] = {
    "no number of images": ({"x0019100A": None}, "no element states their number"),
    "tiles that do not fit": ({"x0019100A": ("US", 17)}, "not a whole number of 5 x 5 tiles"),
    "no position": ({"ImagePositionPatient": None}, "image_position_patient is not stated"),
    "no spacing of slices": ({"SpacingBetweenSlices": None}, "Spacing Between Slices is not stated"),
}


@pytest.mark.parametrize(("changes", "reason"), WHOLE.values(), ids=WHOLE)
def test_a_mosaic_that_can_not_be_cut_is_left_whole_with_the_reason(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    arrangement = arranged(mosaic(tmp_path / "a.dcm", 4, **changes))

    (grid,) = arrangement.grids
    assert grid.frame_shape == (8, 12)
    assert grid.tiles is None
    assert reason in arrangement.notes[0]


def test_mosaics_and_single_planes_are_never_one_array(tmp_path: Path) -> None:
    mosaic(tmp_path / "a.dcm", 4)
    make_file(
        tmp_path / "b.dcm",
        {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "SeriesInstanceUID": uid("one"),
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
            "ImageOrientationPatient": list(AXIAL), "ImagePositionPatient": image_position(0), "PixelSpacing": SPACING,
        },
        phantom(0, *TILE),
    )  # fmt: skip

    assert sorted(len(grid.rows) for grid in arranged(tmp_path).grids) == [1, 4]


def test_mosaics_of_different_numbers_are_different_arrays(tmp_path: Path) -> None:
    mosaic(tmp_path / "a.dcm", 4)
    mosaic(tmp_path / "b.dcm", 3, number=1)

    assert sorted(len(grid.rows) for grid in arranged(tmp_path).grids) == [3, 4]


def uih_grid(path: Path, count: int, rows: int, columns: int, *, step: float = -4.2, **more: Any) -> Path:
    """A UIH grid of tiles of 4 x 6 pixels, whose positions run along `step`."""
    slices = [
        {"ImagePositionPatient": image_position(30 + step * k), "AcquisitionDateTime": f"20240101100000.{k:06d}"} for k in range(count)
    ]
    elements = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "SOPInstanceUID": uid(path.name), "SeriesInstanceUID": uid("one"),
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "VFRAME"], "ImageOrientationPatient": list(AXIAL), "PixelSpacing": SPACING,
        "NumberOfSlices": 17,
        0x00650010: ("LO", "Image Private Header"), 0x00651050: ("DS", str(count)),
        0x00651051: ("SQ", [_item(each) for each in slices]), 0x00651014: ("FD", [0.0, 0.0, 1.0]),
    }  # fmt: skip
    own = {int(key[1:], 16) if key.startswith("x") else key: value for key, value in more.items()}
    return make_file(path, {**elements, **own}, phantom(0, rows * TILE[0], columns * TILE[1]))


def _item(elements: dict[str, Any]) -> Any:
    from builders import make_item

    return make_item(elements)


@pytest.mark.parametrize(("count", "rows", "columns"), [(20, 4, 5), (6, 2, 3), (4, 2, 2)])
def test_a_grid_need_not_be_square(tmp_path: Path, count: int, rows: int, columns: int) -> None:
    grid = only_grid(uih_grid(tmp_path / "a.dcm", count, rows, columns))

    assert form(grid) == {"z": count}
    assert grid.frame_shape == TILE


def test_tiles_of_a_grid_lie_at_their_stated_positions_whatever_the_stated_normal(tmp_path: Path) -> None:
    grid = only_grid(uih_grid(tmp_path / "a.dcm", 4, 2, 2))

    np.testing.assert_allclose(values(grid, "z"), [17.4, 21.6, 25.8, 30])
    assert grid.tiles is not None
    assert grid.tiles.tile.tolist() == [3, 2, 1, 0]


def test_a_grid_without_positions_is_left_whole_with_the_reason(tmp_path: Path) -> None:
    arrangement = arranged(uih_grid(tmp_path / "a.dcm", 4, 2, 2, x00651051=None))

    assert arrangement.grids[0].tiles is None
    assert "no element states the positions of the tiles" in arrangement.notes[0]


def test_fewer_positions_than_tiles_leave_the_grid_whole(tmp_path: Path) -> None:
    arrangement = arranged(uih_grid(tmp_path / "a.dcm", 4, 2, 2, x00651051=("SQ", [_item({"ImagePositionPatient": image_position(0)})])))

    assert arrangement.grids[0].tiles is None
    assert len(arrangement.notes) == 1
