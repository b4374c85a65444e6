"""Planes in the patient's millimetres, as header elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)
"""Cosines of the row and the column direction; the normal of OBLIQUE is (0.48, -0.64, 0.6)."""

ORIGIN_MM = (-10.0, -20.0)
"""Default position of the first pixel along the row and the column direction [mm]."""


def image_position(position_mm: float, orientation: Sequence[float] = AXIAL, origin_mm: tuple[float, float] = ORIGIN_MM) -> list[float]:
    """Image Position (Patient) of a plane at `position_mm` along the normal.

    The first pixel lies at `origin_mm` along the row and the column direction, so that the labels of the
    array are `x[0] == origin_mm[0]`, `y[0] == origin_mm[1]` and `z == position_mm`.
    """
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    position = origin_mm[0] * row + origin_mm[1] * column + position_mm * np.cross(row, column)
    return [round(float(number), 9) + 0.0 for number in position]
