"""Stations: stacks of one orientation that lie side by side, such as those of a whole-body scan, and planes without a position."""

from __future__ import annotations

import numpy as np

from xdicom.index.records import Records
from xdicom.index.spacing import SAME_DIRECTION, SAME_ORIGIN_MM, cluster_positions
from xdicom.model.plane import slice_normals, unit

MOST_STATIONS = 32
"""Stations that a series has at most: more are no stations but planes that moved."""


def station_labels(records: Records) -> np.ndarray:
    """Number of the station of each record; records without a position are one of their own.

    Planes at one place along the normal whose origins differ within the plane can't be slices of one stack. Each joins the
    station of its origin, provided that every record lies in a station of the fullest place: a stack that is sheared, or that
    moved during the scan, has none and stays together. PS3.3 C.7.6.2.1.1.
    """
    position, orientation = records.vectors("image_position_patient", 3), records.vectors("image_orientation_patient", 6)
    is_placed = np.isfinite(position).all(axis=1) & np.isfinite(orientation).all(axis=1)
    labels = np.zeros(len(records), np.int64)
    if not is_placed.any():
        return labels
    labels[is_placed] = 1
    normal = slice_normals(orientation[is_placed][:1])[0]
    if np.isnan(normal).any() or (np.abs(orientation[is_placed] - orientation[is_placed][0]) > SAME_DIRECTION).any():
        return labels
    place, count = cluster_positions(position[is_placed] @ normal)
    if count == len(place):
        return labels
    cosines = orientation[is_placed][0]
    within = position[is_placed] @ np.column_stack([unit(cosines[:3]), unit(cosines[3:])])
    stations = _distinct(within[place == np.bincount(place).argmax()])
    if 1 < len(stations) <= MOST_STATIONS:
        distance = np.abs(within[:, None, :] - stations).max(axis=2)
        if (distance.min(axis=1) <= SAME_ORIGIN_MM).all():
            labels[is_placed] = distance.argmin(axis=1) + 1
    return labels


def _distinct(points: np.ndarray) -> np.ndarray:
    """The first of all points that lie together."""
    found: list[np.ndarray] = []
    left = points
    while len(left) and len(found) <= MOST_STATIONS:
        found.append(left[0])
        left = left[np.abs(left - left[0]).max(axis=1) > SAME_ORIGIN_MM]
    return np.array(found)


def describe_station(records: Records) -> str:
    """Where the first plane of a station begins [mm], or `none`."""
    position = records.vectors("image_position_patient", 3)[0]
    return "none" if np.isnan(position).any() else f"first voxel near ({', '.join(f'{number:.6g}' for number in position)}) mm"
