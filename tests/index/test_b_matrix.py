"""Directions that b-matrices state, and those that they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xdicom
from builders import AXIAL, image_position, make_file, phantoms, uid
from index.arranged import form, only_grid
from index.test_clocks import planes, weights
from xdicom.index.clocks import diffusion_of

AXIS = np.array([2.0, -1.0, 2.0]) / 3
SMALL = np.array([0.6, 0.8, 0.0])


def matrix(b: float, axis: np.ndarray = AXIS, further: np.ndarray | None = None) -> list[float]:
    """The six parts of a b-matrix [s/mm2]."""
    whole = b * np.outer(axis, axis) + (0 if further is None else further)
    return [float(whole[i, j]) for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))]


def of_siemens(parts: list[float], b: float | None = None) -> dict[Any, Any]:
    stated = {} if b is None else {0x0019100C: ("IS", str(round(b)))}
    return {0x00190010: ("LO", "SIEMENS MR HEADER"), 0x00191027: ("FD", parts), **stated}


@pytest.mark.parametrize("b", [1000.0, None])
def test_a_matrix_of_one_axis_is_a_direction_and_its_trace_a_weight(tmp_path: Path, b: float | None) -> None:
    found = weights(planes(tmp_path, of_siemens(matrix(1000), b)))

    np.testing.assert_allclose(found.b_value, [1000])
    np.testing.assert_allclose(found.direction[0], AXIS, atol=1e-12)
    assert found.is_derived
    assert found.source == ("(0019,xx0C) SIEMENS MR HEADER, " if b else "") + "(0019,xx27) SIEMENS MR HEADER"


def test_the_sign_of_an_axis_does_not_depend_on_anything(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, of_siemens(matrix(1000, -AXIS), 1000), of_siemens(matrix(700, AXIS), 700)))

    np.testing.assert_allclose(found.direction, [AXIS, AXIS], atol=1e-12)


@pytest.mark.parametrize(
    ("parts", "b"),
    [
        (matrix(900, AXIS, 50 * np.eye(3)), 1050),  # a tenth lies along other axes
        (matrix(0, AXIS, 333 * np.eye(3)), 999),  # every direction
        (matrix(1000), 800),  # trace and weight contradict each other
        (matrix(5, SMALL), 5),  # imaging gradients alone
        ([0.0] * 6, 0),
    ],
)
def test_a_matrix_without_a_clear_axis_is_no_direction(tmp_path: Path, parts: list[float], b: float) -> None:
    found = weights(planes(tmp_path, of_siemens(parts, b)))

    assert found.b_value.tolist() == [b]
    assert np.isnan(found.direction).all()
    assert not found.is_derived


def test_imaging_gradients_turn_the_axis_but_little(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, of_siemens(matrix(1000, AXIS, 10 * np.outer(SMALL, SMALL)), 1005)))

    assert found.direction[0] @ AXIS > 0.9999


def test_a_direction_that_is_stated_stands_above_the_matrix(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, {**of_siemens(matrix(1000), 1000), "DiffusionGradientOrientation": [0.0, 0.0, -1.0]}))

    assert found.direction.tolist() == [[0, 0, -1]]
    assert not found.is_derived


def test_no_matrix_states_nothing(tmp_path: Path) -> None:
    assert diffusion_of(planes(tmp_path, {})) is None


def make_enhanced(path: Path, directionality: str | None, *, b_of: list[float]) -> Path:
    """An Enhanced MR object of two positions and a b-matrix for each of `b_of`."""
    names = [f"DiffusionBValue{part}" for part in ("XX", "XY", "XZ", "YY", "YZ", "ZZ")]
    axes = [AXIS, SMALL, np.array([0.0, 0.0, 1.0])]
    frames = [
        {
            "PlanePositionSequence": [{"ImagePositionPatient": image_position(z)}],
            "MRDiffusionSequence": [
                {
                    "DiffusionBValue": b,
                    **({"DiffusionDirectionality": directionality if b else "NONE"} if directionality else {}),
                    **({"DiffusionBMatrixSequence": [dict(zip(names, matrix(b, axes[i % 3]), strict=True))]} if b else {}),
                }
            ],
        }
        for i, b in enumerate(b_of)
        for z in (0.0, 2.0)
    ]
    shared = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(AXIAL)}],
        "PixelMeasuresSequence": [{"PixelSpacing": [0.7, 0.5]}],
    }
    elements = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1", "Modality": "MR", "SeriesInstanceUID": uid("matrix"),
        "SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": frames,
    }  # fmt: skip
    return make_file(path, elements, phantoms(len(frames), 2, 3))


@pytest.mark.parametrize("directionality", ["BMATRIX", None])
def test_frames_of_an_enhanced_object_are_told_apart_by_their_matrices(tmp_path: Path, directionality: str | None) -> None:
    opened = xdicom.open_series(make_enhanced(tmp_path / "a.dcm", directionality, b_of=[1000.0, 1000.0, 1000.0, 0.0]))

    assert opened.sizes["diffusion"] == 4
    vectors = np.stack([opened[f"gradient_{axis}"].values for axis in "xyz"], axis=1)
    np.testing.assert_allclose(vectors[:3], [AXIS, SMALL, [0, 0, 1]], atol=1e-12)
    assert np.isnan(vectors[3]).all()
    assert "arbitrary" in opened["gradient_x"].attrs["derived"]
    np.testing.assert_allclose(opened["b_matrix_xy"].values[:3], [-2000 / 9, 480, 0], atol=1e-9)
    assert opened["b_matrix_xy"].attrs["units"] == "s/mm2"


def test_an_isotropic_frame_has_no_direction_whatever_its_matrix(tmp_path: Path) -> None:
    grid = only_grid(make_enhanced(tmp_path / "a.dcm", "ISOTROPIC", b_of=[1000.0, 500.0]))

    assert form(grid) == {"diffusion": 2, "z": 2}
    assert grid.diffusion is not None
    assert np.isnan(grid.diffusion.direction).all()
