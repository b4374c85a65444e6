"""Places along the normal: order, repeats, gaps, shear; and no place where the header states none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import AXIAL, CORONAL, OBLIQUE, SAGITTAL, image_position
from xdicom.index.spacing import Stack, stack_planes

SPACING = (0.7, 0.5)


def stacked(distances: list[float], orientation: tuple[float, ...] = AXIAL, lateral: list[tuple[float, float]] | None = None) -> Stack:
    shifts = lateral or [(0.0, 0.0)] * len(distances)
    positions = [image_position(d, orientation, (-10 + a, -20 + b)) for d, (a, b) in zip(distances, shifts, strict=True)]
    stack = stack_planes(np.array(positions), np.array([orientation] * len(distances)), np.array([SPACING] * len(distances)))
    assert stack is not None
    return stack


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_places_ascend_along_the_normal_whatever_their_order(orientation: tuple[float, ...]) -> None:
    stack = stacked([4.0, 0.0, 2.0], orientation)

    np.testing.assert_allclose(stack.distance_mm, [0, 2, 4], atol=1e-9)
    assert stack.place.tolist() == [2, 0, 1]
    np.testing.assert_allclose(stack.origin_mm, [image_position(d, orientation) for d in (0, 2, 4)], atol=1e-9)


def test_planes_at_one_place_share_its_number() -> None:
    stack = stacked([0.0, 2.0, 0.0, 2.0, 0.004])

    assert stack.place.tolist() == [0, 1, 0, 1, 0]
    assert len(stack.distance_mm) == 2


@pytest.mark.parametrize(("step", "same"), [(0.009, True), (0.02, False)])
def test_positions_within_a_hundredth_of_a_millimetre_are_one_place(step: float, same: bool) -> None:
    assert (len(stacked([0.0, step]).distance_mm) == 1) is same


def test_the_tolerance_grows_with_the_gaps() -> None:
    assert len(stacked([0.0, 50.0, 50.04, 100.0, 150.0, 200.0]).distance_mm) == 5


def test_the_affine_takes_an_index_to_the_voxel() -> None:
    stack = stacked([5.0, 1.0, 3.0], OBLIQUE)

    assert stack.affine is not None
    np.testing.assert_allclose(stack.affine @ [0, 0, 0, 1], [*image_position(1.0, OBLIQUE), 1])
    np.testing.assert_allclose(stack.affine @ [0, 0, 2, 1], [*image_position(5.0, OBLIQUE), 1])
    np.testing.assert_allclose(stack.affine @ [4, 0, 0, 1], [*image_position(1.0, OBLIQUE, (-10 + 4 * 0.5, -20)), 1])
    np.testing.assert_allclose(stack.affine @ [0, 4, 0, 1], [*image_position(1.0, OBLIQUE, (-10, -20 + 4 * 0.7)), 1])


def test_one_slice_has_no_step() -> None:
    stack = stacked([3.0])

    assert stack.attrs == {}
    assert stack.affine is not None
    assert stack.affine[:3, 2].tolist() == [0, 0, 0]


def test_a_regular_stack_says_its_spacing() -> None:
    assert stacked([0.0, 2.5, 5.0, 7.5]).attrs == {"spacing_between_slices": 2.5, "is_regular": True}


def test_noise_of_the_positions_is_no_irregularity() -> None:
    stack = stacked([0.0, 3.39991, 6.8, 10.20007])

    assert stack.attrs["is_regular"] is True
    assert stack.affine is not None


def test_a_missing_slice_is_reported_with_its_position() -> None:
    stack = stacked([0.0, 5.0, 10.0, 20.0, 25.0])

    assert stack.attrs == {"spacing_between_slices": 5.0, "is_regular": False, "missing_slices": 1, "missing_positions": [15.0]}
    assert stack.affine is None


def test_several_missing_slices_are_all_reported() -> None:
    assert stacked([0.0, 1.0, 2.0, 5.0, 6.0, 8.0]).attrs["missing_positions"] == [3.0, 4.0, 7.0]


def test_with_three_slices_the_smaller_gap_is_the_step() -> None:
    assert stacked([0.0, 10.0, 15.0]).attrs["missing_positions"] == [5.0]


def test_uneven_gaps_are_kept_and_no_slice_is_missing() -> None:
    stack = stacked([0.0, 1.0, 2.7, 4.0, 5.1])

    assert stack.attrs["is_regular"] is False
    assert "missing_slices" not in stack.attrs
    assert stack.affine is None
    np.testing.assert_allclose(stack.distance_mm, [0.0, 1.0, 2.7, 4.0, 5.1])


def test_positions_that_were_rounded_have_an_affine_and_are_not_regular() -> None:
    gaps = np.array([6.9583, 7.0575, 6.97, 6.97, 6.97])
    stack = stacked(np.concatenate([[0], np.cumsum(gaps)]).tolist())

    assert stack.attrs["is_regular"] is False
    assert stack.affine is not None


def test_a_gantry_tilt_is_a_shear_and_the_step_is_the_true_one() -> None:
    tilt = np.tan(np.radians(16.5))
    stack = stacked([2.4 * i for i in range(6)], lateral=[(0.0, 2.4 * i * tilt) for i in range(6)])

    assert stack.attrs["is_sheared"] is True
    assert stack.attrs["shear_degrees"] == pytest.approx(16.5)
    assert stack.affine is not None
    np.testing.assert_allclose(stack.affine[:3, 2], [0, 2.4 * tilt, 2.4])


def test_a_tenth_of_a_degree_is_no_shear() -> None:
    stack = stacked([10.0 * i for i in range(4)], lateral=[(0.001 * i, 0.0) for i in range(4)])

    assert "is_sheared" not in stack.attrs


def test_origins_that_lie_on_no_line_have_no_affine() -> None:
    stack = stacked([0.0, 1.0, 2.0, 3.0], lateral=[(0, 0), (1, 0), (0, 0), (-1, 0)])

    assert stack.affine is None


def test_planes_of_one_place_with_different_origins_are_no_stack() -> None:
    positions = np.array([image_position(0), image_position(0, origin_mm=(5, 5))])

    assert stack_planes(positions, np.array([AXIAL] * 2), np.array([SPACING] * 2)) is None


@pytest.mark.parametrize("lost", ["position", "orientation", "spacing", "infinite position", "zero spacing", "zero orientation"])
def test_without_position_orientation_or_spacing_there_is_no_place(lost: str) -> None:
    positions, orientations, spacings = np.zeros((2, 3)), np.array([AXIAL] * 2), np.array([SPACING] * 2)
    positions[1, 2] = 1
    if lost == "position":
        positions[1] = np.nan
    elif lost == "infinite position":
        positions[1] = np.inf
    elif lost == "orientation":
        orientations[0, 3] = np.nan
    elif lost == "spacing":
        spacings[1] = np.nan
    elif lost == "zero spacing":
        spacings[:] = 0
    else:
        orientations[:] = 0

    assert stack_planes(positions, orientations, spacings) is None


def test_cosines_that_are_not_quite_unit_are_made_so() -> None:
    cosines = np.array(AXIAL) * (1 + 8e-7)

    stack = stack_planes(np.array([[0, 0, 0], [0, 0, 1.0]]), np.array([cosines] * 2), np.array([SPACING] * 2))

    assert stack is not None
    assert np.linalg.norm(stack.plane.row_direction) == pytest.approx(1, abs=1e-15)


@settings(deadline=None)
@given(
    st.lists(st.integers(-500, 500), min_size=1, max_size=30, unique=True),
    st.randoms(use_true_random=False),
    st.sampled_from([AXIAL, CORONAL, OBLIQUE]),
)
def test_the_order_of_the_planes_does_not_matter(numbers: list[int], random: object, orientation: tuple[float, ...]) -> None:
    distances = [0.5 * number for number in numbers]
    shuffled = distances.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    first, second = stacked(distances, orientation), stacked(shuffled, orientation)

    np.testing.assert_allclose(first.distance_mm, second.distance_mm, atol=1e-9)
    assert first.attrs.keys() == second.attrs.keys()
    np.testing.assert_allclose(first.distance_mm[first.place], distances, atol=1e-6)
