"""Labels that were changed by hand: those that say of a frame what its header does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.export.dicom_clocks import CLOCK_OF
from xdicom.export.dicom_header import LABELS
from xdicom.export.dicom_planes import frame_sizes, label_of
from xdicom.index.arrange import arrange
from xdicom.labeled.coords import header_coordinates
from xdicom.labeled.labels import LABELS as READ_LABELS
from xdicom.model.frames import FrameTable

Known = tuple[FrameTable, np.ndarray]
"""Frames, and which of them fills each plane."""
TOLERANCE = 1e-6
"""Numbers that differ by no more (absolute and relative) are one."""
COUNTED_FROM_FIRST = frozenset({"time", "acquisition_time", "content_time", "frame_reference_date_time"})
"""Labels that count from the first of the frames that were opened together: only their differences are stated."""
_SET_FROM_PLACE = ("image_position_", "image_orientation_", "slice_location")
_NOT_COMPARED = frozenset({"z", "y", "x", "sop_instance_uid", "instance_number", "frame_number", "source_sop_instance_uid"})
"""Labels of place, which is settled by itself, and of identity, which is new."""
_COLUMNS = {label.name: label.column for label in READ_LABELS if not label.parts}
_DIRECTIONS = frozenset({"gradient_x", "gradient_y", "gradient_z"})
_KEYWORDS = {**LABELS, **dict.fromkeys(_DIRECTIONS, "DiffusionGradientOrientation")}


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What labels say otherwise than the headers of their frames."""

    names: tuple[str, ...] = ()
    """Coordinates that do."""
    keywords: frozenset[str] = frozenset()
    """Elements of single-frame instances that state these."""
    shifts: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Seconds by which the moment that an element states was moved, for each plane."""


def changes_of(array: xr.DataArray, frames: FrameTable, rows: np.ndarray) -> Changes:
    """Labels of an arranged array that its frames' headers do not bear out.

    Parameters
    ----------
    array
        Its coordinates say what was changed.
    frames, rows
        The frames that it was made of, and which of them fills each plane.

    Raises
    ------
    InconsistentSeriesError
        If a label was changed that no element states.
    """
    stated = stated_labels(frames, rows)
    extra = {dim for dim in frame_sizes(array) if dim != "z"}
    names: list[str] = []
    shifts: dict[str, np.ndarray] = {}
    for name in map(str, array.coords):
        label = label_of(array, name)
        if label is None or name in _NOT_COMPARED or name.startswith(_SET_FROM_PLACE):
            continue
        there = stated.get(name)
        if there is None and name in _COLUMNS and (column := frames.column(_COLUMNS[name])) is not None and column.kind == "number":
            there = column.first_numbers()[rows]
        if there is None and name not in extra and name not in _KEYWORDS:
            continue
        if there is not None and _is_same(label, there, name):
            continue
        names.append(name)
        clock = CLOCK_OF.get(_source_of(array, name), ())
        if clock and label.dtype.kind in "iuf":
            before = np.zeros(len(label)) if there is None or there.dtype.kind not in "iuf" else there
            own = dict.fromkeys(clock, label - before)
            shifts = own | shifts if name == "time" else shifts | own
        elif name not in _KEYWORDS and name not in extra:
            raise InconsistentSeriesError(
                f"the coordinate {name} was changed, and no element that is written states it: leave it as it was, or take it away "
                f"with array.drop_vars({name!r})"
            )
    return Changes(tuple(names), frozenset(_KEYWORDS[name] for name in names if name in _KEYWORDS), shifts)


def _source_of(array: xr.DataArray, name: str) -> str:
    """Element that states a clock, by the attributes of the coordinate."""
    known = {"acquisition_time": "AcquisitionTime", "content_time": "ContentTime", "frame_reference_date_time": "FrameReferenceDateTime"}
    if name in known:
        return known[name]
    attrs = array.coords[name].attrs
    return str(attrs.get("source", "AcquisitionTime")) if name == "time" and attrs.get("units", "s") == "s" else ""


def stated_labels(frames: FrameTable, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What the labels of frames are when they are opened, as a scan and an arrangement have it; NaN or empty where there is none."""
    found: dict[str, np.ndarray] = {}
    place = {key: number for number, key in enumerate(_keys(frames))}
    for grid in arrange(frames).grids:
        cells = grid.rows.reshape(-1)
        used = cells >= 0
        keys = _keys(grid.frames)
        at = np.array([place[keys[row]] for row in cells[used].tolist()], np.int64)
        dims = tuple(axis.name for axis in grid.axes)
        axes = {axis.name: ((axis.name,), axis.values) for axis in grid.axes if axis.values is not None and axis.name != "z"}
        for name, (along, values) in {**axes, **{name: coordinate[:2] for name, coordinate in header_coordinates(grid).items()}}.items():
            shape = [size if dim in along else 1 for dim, size in zip(dims, grid.rows.shape, strict=True)]
            whole = np.broadcast_to(np.asarray(values).reshape(shape), grid.rows.shape).reshape(-1)[used]
            if name not in found:
                found[name] = np.full(len(frames), np.nan) if whole.dtype.kind in "iuf" else np.full(len(frames), "", object)
            if (found[name].dtype.kind == "f") == (whole.dtype.kind in "iuf"):
                found[name][at] = whole
    return {name: values[rows] for name, values in found.items()}


def _keys(frames: FrameTable) -> list[tuple[str, int]]:
    urls = frames.instances.urls
    return [(urls[instance], number) for instance, number in zip(frames.instance.tolist(), frames.frame_number.tolist(), strict=True)]


def _is_same(label: np.ndarray, stated: np.ndarray, name: str) -> bool:
    if label.dtype.kind not in "iuf" or stated.dtype.kind not in "iuf":
        return bool((label.astype(str) == stated.astype(str)).all())
    difference = label.astype(float) - stated.astype(float)
    if name in COUNTED_FROM_FIRST and np.isfinite(difference).any():
        difference = difference - difference[np.isfinite(difference)][0]
    both_missing = np.isnan(label.astype(float)) & np.isnan(stated.astype(float))
    return bool((both_missing | (np.abs(difference) <= TOLERANCE * (1 + np.abs(stated)))).all())


def check_agreement(array: xr.DataArray, changed: tuple[str, ...], planned: Known) -> None:
    """Refuse labels that would not be read back from the headers that would be written.

    What was changed by hand stands above what was not: `acquisition_time` follows a new `time`.

    Parameters
    ----------
    array
        What is written.
    changed
        Coordinates that were changed.
    planned
        Frames of the headers that would be written, and which of them each plane is.

    Raises
    ------
    InconsistentSeriesError
        With the name of the coordinate that would be lost.
    """
    frames, rows = planned
    stated = stated_labels(frames, rows)
    for name in changed:
        label, there = label_of(array, name), stated.get(name)
        if there is None and (column := frames.column(_COLUMNS.get(name, name))) is not None and column.kind == "number":
            there = column.first_numbers()[rows]
        if label is None or (there is not None and _is_same(label, there, name)):
            continue
        others = ", ".join(other for other in changed if other != name)
        contradicts = f", or {others} (changed, too) says otherwise" if others else ""
        raise InconsistentSeriesError(
            f"the coordinate {name} was changed, and would not be read back: headers of these frames have no element for it"
            f"{contradicts}. Leave it as it was; or take it away, as with array.drop_vars({name!r}); or make headers of the labels alone, "
            "as with array.drop_vars('sop_instance_uid')"
        )
