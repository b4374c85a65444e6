"""Positions of planes along their normal: which are one place, and how regular the places are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xdicom.model.plane import Plane, slice_normals, unit

SAME_PLACE_MM = 0.01
"""Positions nearer than this are one place [mm]: ten times the worst rounding seen, a fiftieth of the thinnest slices."""
SAME_PLACE_SHARE = 1e-3
"""Or nearer than this share of the median gap."""
SAME_ORIGIN_MM = 0.1
"""Origins of one place may differ by this within the plane [mm]."""
SAME_DIRECTION = 2e-3
"""Direction cosines of one stack differ by no more than this."""
REGULAR_SHARE = 0.01
"""Gaps of a regular stack differ from their median by no more than this share."""
NEARLY_REGULAR_SHARE = 0.02
"""The same for a stack whose positions were rounded by the sender."""
STRAIGHT_MM = 0.1
"""Origins of a regular stack lie within this of a straight line [mm]."""
SHEAR_DEGREES = 0.1
"""A stack whose origins run at a larger angle to the normal is sheared (gantry tilt) [degrees]."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Places of planes that share an orientation."""

    plane: Plane
    """Orientation and spacing."""
    place: np.ndarray
    """Number of each record's place, ascending along the normal; int64, shape `(records,)`."""
    distance_mm: np.ndarray
    """Position of each place on the normal [mm]; float64, shape `(places,)`."""
    origin_mm: np.ndarray
    """Centre of the first voxel at each place [mm]; float64, shape `(places, 3)`."""
    affine: np.ndarray | None
    """Index to LPS [mm], where the places form a straight regular stack."""
    attrs: dict[str, object] = field(default_factory=dict)
    """What is known of gaps, regularity and shear."""


def stack_planes(positions: np.ndarray, orientations: np.ndarray, spacings: np.ndarray) -> Stack | None:
    """Places of planes of one orientation, or None where orientations differ or a plane has no position, orientation or spacing.

    Parameters
    ----------
    positions
        Image Position (Patient) of each plane [mm]; shape `(planes, 3)`.
    orientations
        Image Orientation (Patient) of each; shape `(planes, 6)`.
    spacings
        Pixel Spacing of each [mm]; shape `(planes, 2)`.
    """
    if not (np.isfinite(positions).all() and np.isfinite(orientations).all() and np.isfinite(spacings).all() and len(positions)):
        return None
    if (np.abs(orientations - orientations[0]) > SAME_DIRECTION).any() or np.ptp(spacings, axis=0).max() > SAME_ORIGIN_MM:
        return None
    cosines = orientations[0]
    normal = slice_normals(orientations[:1])[0]
    if np.isnan(normal).any() or (spacings[0] <= 0).any():
        return None
    plane = Plane(unit(cosines[:3]), unit(cosines[3:]), float(spacings[0, 0]), float(spacings[0, 1]))
    distance = positions @ normal
    place, count = cluster_positions(distance)
    first = np.full(count, len(distance), np.int64)
    np.minimum.at(first, place, np.arange(len(distance)))
    origin = positions[first]
    if np.abs(positions - origin[place]).max() > SAME_ORIGIN_MM:
        return None
    steps = distance[first]
    attrs = _describe_gaps(steps)
    affine = _affine(plane, origin, steps, attrs)
    return Stack(plane, place, steps, origin, affine, attrs)


def cluster_positions(distance: np.ndarray) -> tuple[np.ndarray, int]:
    """Number of the place of each position, ascending, and the number of places."""
    order = np.argsort(distance, kind="stable")
    gaps = np.diff(distance[order])
    real = gaps[gaps > SAME_PLACE_MM]
    tolerance = max(SAME_PLACE_MM, SAME_PLACE_SHARE * float(np.median(real)) if len(real) else 0.0)
    place = np.empty(len(distance), np.int64)
    place[order] = np.concatenate([[0], np.cumsum(gaps > tolerance)])
    return place, int(place.max()) + 1


def _describe_gaps(distance: np.ndarray) -> dict[str, object]:
    gaps = np.diff(distance)
    if len(gaps) == 0:
        return {}
    median = float(np.median(gaps))
    deviation = float(np.abs(gaps - median).max()) / median
    attrs: dict[str, object] = {"spacing_between_slices": median, "is_regular": bool(deviation <= REGULAR_SHARE)}
    if deviation <= REGULAR_SHARE:
        attrs["spacing_between_slices"] = float((distance[-1] - distance[0]) / len(gaps))
        return attrs
    # With few slices the median may itself be a hole: the smallest gap is then the step.
    step = float(gaps.min()) if len(gaps) < 4 else median
    multiples = gaps / step
    whole = np.rint(multiples)
    holes = np.flatnonzero((whole >= 2) & (np.abs(multiples - whole) <= REGULAR_SHARE * whole))
    others = np.delete(multiples, holes)
    if len(holes) and (np.abs(others - 1) <= REGULAR_SHARE).all():
        missing = [float(distance[i] + step * k) for i in holes for k in range(1, int(whole[i]))]
        attrs |= {"spacing_between_slices": step, "missing_slices": len(missing), "missing_positions": missing[:1000]}
    return attrs


def _affine(plane: Plane, origin: np.ndarray, distance: np.ndarray, attrs: dict[str, object]) -> np.ndarray | None:
    count = len(origin)
    if count == 1:
        # One slice tells no step: the third column stays zero rather than invented.
        return plane.affine(origin[0], np.zeros(3))
    step = (origin[-1] - origin[0]) / (count - 1)
    along = float(step @ plane.normal)
    across = float(np.linalg.norm(step - along * plane.normal))
    angle = float(np.degrees(np.arctan2(across, along)))
    if angle > SHEAR_DEGREES:
        attrs |= {"is_sheared": True, "shear_degrees": angle}
    gaps = np.diff(distance)
    if np.abs(gaps - np.median(gaps)).max() > NEARLY_REGULAR_SHARE * np.median(gaps):
        return None
    line = origin[0] + np.arange(count)[:, None] * step
    if np.linalg.norm(origin - line, axis=1).max() > STRAIGHT_MM:
        return None
    return plane.affine(origin[0], step)
