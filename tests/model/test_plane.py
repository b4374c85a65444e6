"""Planes in the patient: unit vectors, matrices and letters."""

from __future__ import annotations

import numpy as np
import pytest

from builders import AXIAL, CORONAL, OBLIQUE, SAGITTAL, image_position
from xdicom.model.plane import LPS_TO_RAS, Plane, orientation_letters, slice_normals, unit


def plane(cosines: tuple[float, ...]) -> Plane:
    return Plane(np.array(cosines[:3]), np.array(cosines[3:]), row_spacing_mm=0.7, column_spacing_mm=0.5)


@pytest.mark.parametrize("cosines", [AXIAL, CORONAL, SAGITTAL, OBLIQUE])
def test_the_normal_stands_on_both_directions(cosines: tuple[float, ...]) -> None:
    normal = plane(cosines).normal

    assert np.linalg.norm(normal) == pytest.approx(1)
    assert normal @ np.array(cosines[:3]) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(slice_normals(np.array([cosines]))[0], normal)


def test_a_matrix_takes_columns_by_the_column_spacing_and_rows_by_the_row_spacing() -> None:
    matrix = plane(OBLIQUE).affine(np.array(image_position(0.0, OBLIQUE)), 2.0 * plane(OBLIQUE).normal)

    np.testing.assert_allclose((matrix @ [3, 4, 5, 1])[:3], image_position(10.0, OBLIQUE, (-10 + 3 * 0.5, -20 + 4 * 0.7)))


def test_a_direction_that_is_none_has_no_normal() -> None:
    assert np.isnan(slice_normals(np.zeros((1, 6)))).all()


def test_vectors_are_made_one_long() -> None:
    assert unit(np.array([0.0, 3.0, 4.0])).tolist() == [0, 0.6, 0.8]


@pytest.mark.parametrize(
    ("direction", "letter"),
    [([1, 0, 0], "L"), ([-1, 0.1, 0], "R"), ([0, 1, 0], "P"), ([0, -1, 0], "A"), ([0.2, 0, 0.9], "S"), ([0, 0, -1], "I")],
)
def test_directions_are_named_by_the_side_of_the_patient(direction: list[float], letter: str) -> None:
    assert orientation_letters(np.array(direction)) == letter


def test_ras_is_lps_with_two_axes_turned() -> None:
    assert (LPS_TO_RAS @ [1, 2, 3, 1]).tolist() == [-1, -2, 3, 1]
