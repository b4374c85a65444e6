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
_NOT_COMPARED = frozenset(
    {"z", "y", "x", "sop_instance_uid", "sop_instance_occurrence", "instance_number", "frame_number", "source_sop_instance_uid"}
)
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
    stated, series = stated_labels(frames, rows), _series_of(frames)[rows]
    clock_s = _seconds_of(frames)[rows]
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
        clock = CLOCK_OF.get(_source_of(array, name), ()) if label.dtype.kind in "iuf" else ()
        if name == "time" and clock:
            there = _since_first(there, clock_s, series)
        if there is None and name not in _KEYWORDS and (name not in extra or _is_renamed(label, stated)):
            continue
        if there is not None and _is_same(label, there, name, series if name != "time" else None):
            continue
        names.append(name)
        if clock and there is not None and there.dtype.kind in "iuf":
            own = dict.fromkeys(clock, label - there)
            shifts = own | shifts if name == "time" else shifts | own
        elif name not in _KEYWORDS and name not in extra:
            raise InconsistentSeriesError(
                f"the coordinate {name} was changed, and no element that is written states it: leave it as it was, or take it away "
                f"with array.drop_vars({name!r})"
            )
    return Changes(tuple(names), frozenset(_KEYWORDS[name] for name in names if name in _KEYWORDS), shifts)


def _series_of(frames: FrameTable) -> np.ndarray:
    """Number of the series that each frame is of."""
    return np.asarray(np.unique(frames.texts("series_instance_uid").astype(str), return_inverse=True)[1].reshape(-1))


def _seconds_of(frames: FrameTable) -> np.ndarray:
    """When each frame was acquired, as far as its header tells [s]."""
    days = frames.numbers("acquisition_date")
    moment = np.where(np.isfinite(days), days, 0) * 86_400 + frames.numbers("acquisition_time")
    for name in ("acquisition_date_time", "frame_acquisition_date_time"):
        stated = frames.numbers(name)
        moment = np.where(np.isfinite(stated), stated, moment)
    return np.asarray(moment)


def _since_first(times: np.ndarray | None, clock_s: np.ndarray, series: np.ndarray) -> np.ndarray | None:
    """Times of planes from the first one's, whichever series these are of; None where no header tells."""
    if times is None or times.dtype.kind not in "iuf" or not np.isfinite(times).all():
        return clock_s - clock_s.min() if np.isfinite(clock_s).all() else times
    if not np.isfinite(clock_s).all():
        return times
    starts = np.full(int(series.max()) + 1, np.inf)
    np.minimum.at(starts, series, clock_s)
    return np.asarray(times + (starts - starts.min())[series])


def _is_renamed(label: np.ndarray, stated: Mapping[str, np.ndarray]) -> bool:
    """Whether an axis of another name has the values of a label that headers state."""
    return any(_is_same(label, there, name) for name, there in stated.items())


def _source_of(array: xr.DataArray, name: str) -> str:
    """Element that states a clock, by the attributes of the coordinate."""
    known = {"acquisition_time": "AcquisitionTime", "content_time": "ContentTime", "frame_reference_date_time": "FrameReferenceDateTime"}
    if name in known:
        return known[name]
    attrs = array.coords[name].attrs
    return str(attrs.get("source", "AcquisitionTime")) if name == "time" and attrs.get("units", "s") == "s" else ""


def stated_labels(frames: FrameTable, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What the labels of frames are when they are opened, as a scan and an arrangement have it; NaN or empty where there is none.

    Series are arranged each by itself.
    """
    found: dict[str, np.ndarray] = {}
    place = {key: number for number, key in enumerate(_keys(frames))}
    series = _series_of(frames)
    parts = [np.flatnonzero(series == number) for number in range(int(series.max(initial=-1)) + 1)]
    for grid in (grid for part in parts for grid in arrange(frames if len(parts) == 1 else frames.take(part)).grids):
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


def _is_same(label: np.ndarray, stated: np.ndarray, name: str, series: np.ndarray | None = None) -> bool:
    """Whether a label is what headers state; what counts from the first frame may count from another one in each series."""
    if label.dtype.kind not in "iuf" or stated.dtype.kind not in "iuf":
        return bool((label.astype(str) == stated.astype(str)).all())
    difference = label.astype(float) - stated.astype(float)
    if name in COUNTED_FROM_FIRST and np.isfinite(difference).any():
        groups = np.zeros(len(label), np.int64) if series is None else series
        known = np.isfinite(difference)
        first = np.zeros(int(groups.max()) + 1)
        first[groups[known][::-1]] = difference[known][::-1]
        difference = difference - first[groups]
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
            f"the coordinate {name} was changed, and would not be read back: headers of these frames have no element for it, or a vendor's "
            f"that says otherwise{contradicts}. Leave it as it was; or take it away, as with array.drop_vars({name!r}); or make headers of "
            "the labels alone, as with array.drop_vars('sop_instance_uid')"
        )
