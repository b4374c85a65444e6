"""Two forms of one scan: classic and enhanced (or legacy converted) objects whose planes lie at the same places."""

from __future__ import annotations

import numpy as np

from xdicom.model.grid import FrameGrid

SAME_PLACE_MM = 0.01
"""Planes of two forms of one scan lie within this of each other [mm]."""

FORMS: dict[str, tuple[str, str]] = {
    "1.2.840.10008.5.1.4.1.1.2": ("CT", "classic"),
    "1.2.840.10008.5.1.4.1.1.2.1": ("CT", "enhanced"),
    "1.2.840.10008.5.1.4.1.1.2.2": ("CT", "legacy converted"),
    "1.2.840.10008.5.1.4.1.1.4": ("MR", "classic"),
    "1.2.840.10008.5.1.4.1.1.4.1": ("MR", "enhanced"),
    "1.2.840.10008.5.1.4.1.1.4.3": ("MR", "enhanced color"),
    "1.2.840.10008.5.1.4.1.1.4.4": ("MR", "legacy converted"),
    "1.2.840.10008.5.1.4.1.1.128": ("PET", "classic"),
    "1.2.840.10008.5.1.4.1.1.130": ("PET", "enhanced"),
    "1.2.840.10008.5.1.4.1.1.128.1": ("PET", "legacy converted"),
}
"""What kind of image each SOP class is of, and which form of it (PS3.4 B.5)."""


def describe_twins(grids: list[tuple[str, FrameGrid]], *, of_one_series: bool) -> list[tuple[int, int, str]]:
    """Pairs of arrays that may be two forms of one scan, and why, as numbers of `grids` and a sentence.

    Arrays of different series need a frame of reference to share a place (PS3.3 C.7.4.1); those of one series share what they have.
    Both show the same kind of image in different forms, have equal shapes, orientation and frame of reference, and planes
    at the same places. Whether their pixels are equal too is not looked at; none of them is dropped.
    """
    found: list[tuple[int, int, str]] = []
    candidates = [
        (i, name, grid, described)
        for i, (name, grid) in enumerate(grids)
        if (described := _form(grid)) is not None and grid.plane is not None and (of_one_series or _frame_of_reference(grid) is not None)
    ]
    for number, (i, name, grid, (kind, form)) in enumerate(candidates):
        for j, other_name, other, (other_kind, other_form) in candidates[number + 1 :]:
            if kind == other_kind and form != other_form and _lie_alike(grid, other):
                found.append(
                    (i, j, f"{name} ({form} {kind}) and {other_name} ({other_form} {kind}) lie at the same places: two forms of one scan")
                )
    return found


def _form(grid: FrameGrid) -> tuple[str, str] | None:
    column = grid.frames.column("sop_class_uid")
    return FORMS.get(str(column.first())) if column is not None else None


def _lie_alike(grid: FrameGrid, other: FrameGrid) -> bool:
    if grid.plane is None or other.plane is None or grid.origins is None or other.origins is None:
        return False
    if grid.shape != other.shape or grid.origins.shape != other.origins.shape:
        return False
    directions = [np.concatenate([plane.row_direction, plane.column_direction]) for plane in (grid.plane, other.plane)]
    if np.abs(directions[0] - directions[1]).max() > 1e-3:
        return False
    return _frame_of_reference(grid) == _frame_of_reference(other) and bool(np.abs(grid.origins - other.origins).max() <= SAME_PLACE_MM)


def _frame_of_reference(grid: FrameGrid) -> object:
    column = grid.frames.column("frame_of_reference_uid")
    return column.first() if column is not None else None
