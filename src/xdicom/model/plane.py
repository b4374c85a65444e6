"""Geometry of planes in the patient's LPS coordinates, in millimetres (PS3.3 C.7.6.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Orientation and pixel spacing that all planes of a stack share."""

    row_direction: np.ndarray
    """Unit vector along a row, to the next column; float64, shape `(3,)`."""
    column_direction: np.ndarray
    """Unit vector along a column, to the next row; float64, shape `(3,)`."""
    row_spacing_mm: float
    """Distance of rows: the first value of Pixel Spacing (PS3.3 10.7.1.3) [mm]."""
    column_spacing_mm: float
    """Distance of columns: the second value of Pixel Spacing [mm]."""

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the planes: cross product of row and column direction."""
        return unit(np.cross(self.row_direction, self.column_direction))

    def affine(self, first_mm: np.ndarray, step_mm: np.ndarray) -> np.ndarray:
        """Matrix from index (column, row, slice, 1) to LPS [mm]; shape `(4, 4)` (PS3.3 C.7.6.2.1.1).

        `first_mm` is the centre of the first slice's first voxel, `step_mm` the way from one slice's to the next one's.
        """
        matrix = np.eye(4)
        matrix[:3, 0] = self.row_direction * self.column_spacing_mm
        matrix[:3, 1] = self.column_direction * self.row_spacing_mm
        matrix[:3, 2] = step_mm
        matrix[:3, 3] = first_mm
        return matrix + 0.0  # no -0.0


def unit(vector: np.ndarray) -> np.ndarray:
    """`vector` with length 1."""
    return np.asarray(vector / np.linalg.norm(vector))


def slice_normals(orientations: np.ndarray) -> np.ndarray:
    """Unit normals of many planes from their six direction cosines; shapes `(frames, 6)` and `(frames, 3)`."""
    normals = np.cross(orientations[:, :3], orientations[:, 3:])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Turns LPS coordinates (DICOM) into RAS coordinates (NIfTI)."""

_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))


def orientation_letters(direction: np.ndarray) -> str:
    """Letter of the patient's side to which `direction` points most: L, R, P, A, S or I.

    Examples
    --------
    >>> orientation_letters(np.array([0.1, -0.9, 0.2]))
    'A'
    """
    axis = int(np.argmax(np.abs(direction)))
    return _LETTERS[axis][0 if direction[axis] >= 0 else 1]
