"""Which instance lies where, for this process: arrays carry SOP Instance UIDs, not paths (which may name a person).

Copies of an instance, one of them changed, often keep its UID. An array therefore also carries, in the encoding of its
coordinates, the frames that it was opened from: they go where coordinates go within this process, and are in no store and
sent nowhere. An array without them is taken to be of what was opened last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdicom.errors import SourceError
from xdicom.headers.datasets import read_dataset
from xdicom.index.copies import occurrences
from xdicom.model.frames import FrameTable, concatenate_frames
from xdicom.sources.ranges import read_range

if TYPE_CHECKING:
    from pydicom import Dataset

_MAX_TABLES = 256
_PLANE = ("y", "x", "sample")
_OPENED = "xdicom_opened"
"""Where an encoding has the frames that were opened."""
_FIRST = ("sop_instance_uid", "frame_number")
"""Coordinates whose word counts most."""
_tables: OrderedDict[int, FrameTable] = OrderedDict()


class Opened:
    """Frames that an array was opened from, for this process: a copy is the same, and what is sent to another process is empty."""

    def __init__(self, frames: FrameTable | None = None) -> None:
        self.frames = frames

    def __copy__(self) -> Opened:
        return self

    def __deepcopy__(self, _: object) -> Opened:
        return self

    def __reduce__(self) -> tuple[type[Opened], tuple[()]]:
        return Opened, ()

    def __repr__(self) -> str:
        return f"<{0 if self.frames is None else len(self.frames)} frames that were opened>"


def remember(frames: FrameTable, opened: xr.DataArray | xr.Dataset) -> None:
    """Keep where the frames of an opened series lie, and have all variables of `opened`, in place, say that they were made of these."""
    _tables[id(frames)] = frames
    _tables.move_to_end(id(frames))
    while len(_tables) > _MAX_TABLES:
        _tables.popitem(last=False)
    _mark(opened, Opened(frames))


def keep_origin(made: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    """`made`, whose variables are new, with what `source` says of the frames that it was opened from."""
    mark = _mark_of(source)
    if mark is not None:
        _mark(made, mark)
    return made


def _mark(opened: xr.DataArray | xr.Dataset, mark: Opened) -> None:
    for variable in _variables(opened):
        variable.encoding[_OPENED] = mark


def _variables(opened: xr.DataArray | xr.Dataset) -> list[xr.Variable]:
    own = [opened.variable] if isinstance(opened, xr.DataArray) else [opened.variables[name] for name in opened.data_vars]
    return [*own, *(coordinate.variable for coordinate in opened.coords.values())]


def _mark_of(array: xr.DataArray) -> Opened | None:
    """The frames that an array was opened from, where its variables say so and agree."""
    for name in _FIRST:
        if name in array.coords and _OPENED in array.coords[name].variable.encoding:
            first: Opened = array.coords[name].variable.encoding[_OPENED]
            return first
    marks = {variable.encoding[_OPENED] for variable in _variables(array) if _OPENED in variable.encoding}
    return marks.pop() if len(marks) == 1 else None


def _tables_for(array: xr.DataArray) -> list[FrameTable]:
    """Frames that were opened, those of the array first, then the last ones."""
    mark = _mark_of(array)
    own = None if mark is None else mark.frames
    others = [table for table in reversed(_tables.values()) if table is not own]
    return others if own is None else [own, *others]


def _place(frames: FrameTable, instance: int) -> tuple[str, int]:
    """Where an instance lies, and where its first frame begins in it."""
    return frames.instances.urls[instance], int(frames.offset[frames.instance == instance].min())


def place_of_series(array: xr.DataArray) -> tuple[str, int] | None:
    """Where an instance of the series of `array` lies, and where its first frame begins in it; None where none was opened."""
    series_instance_uid = str(array.attrs.get("series_instance_uid", ""))
    for frames in _tables_for(array) if series_instance_uid else ():
        column = frames.instances.columns.get("series_instance_uid")
        if column is not None and series_instance_uid in column.values:
            code = int(np.flatnonzero(column.values == series_instance_uid)[0])
            return _place(frames, int((column.codes == code).argmax()))
    return None


def locate_frames(array: xr.DataArray) -> tuple[FrameTable, np.ndarray] | None:
    """The frames that an array was made of, and which of them fills each of its planes.

    Frames are known by SOP Instance UID and frame number, which go where the array goes: through selection, sorting and
    concatenation.

    Parameters
    ----------
    array
        A labelled array.

    Returns
    -------
    tuple or None
        The frames, and the row of each plane's frame among them, -1 where a plane has none; int64, with the dimensions
        of the array that are not `y`, `x` and `sample`. None where a frame is of an instance that this process has not
        opened, or planes are not told apart by their frames. Of an image of a slide the first frame of each of its instances.
    """
    if "sop_instance_uids" in array.attrs:
        return _locate_instances(array)
    sizes = {dim: size for dim, size in array.sizes.items() if dim not in _PLANE}
    uid = _along(array, "sop_instance_uid", sizes)
    number = _along(array, "frame_number", sizes)
    if uid is None:
        return None
    if number is None:
        number = np.ones(uid.shape, np.int64)
    occurrence = _along(array, "sop_instance_occurrence", sizes)
    names, codes = np.unique(_named(uid.astype(object), occurrence).astype(str).reshape(-1), return_inverse=True)
    codes, number = codes.reshape(-1), number.astype(np.int64).reshape(-1)
    rows = np.full(codes.shape, -1, np.int64)
    pending = (number > 0) & (names[codes] != "")
    used: list[FrameTable] = []
    for frames in _tables_for(array):
        if not pending.any():
            break
        found = _rows_of(frames, _instances_named(frames, names)[codes], number)
        fresh = pending & (found >= 0)
        if fresh.any():
            rows[fresh] = found[fresh] + sum(map(len, used))
            used.append(frames)
            pending &= ~fresh
    if pending.any() or not used:
        return None
    return (used[0] if len(used) == 1 else concatenate_frames(used)), rows.reshape(tuple(sizes.values()))


def _locate_instances(array: xr.DataArray) -> tuple[FrameTable, np.ndarray] | None:
    """The first frame of each of the instances, where one table has them all."""
    uids = np.array(array.attrs["sop_instance_uids"], str)
    for frames in _tables_for(array):
        instances = _instances_named(frames, uids)
        if len(instances) and (instances >= 0).all():
            return frames, np.array([int((frames.instance == instance).argmax()) for instance in instances.tolist()], np.int64)
    return None


def _along(array: xr.DataArray, name: str, sizes: Mapping[Any, int]) -> np.ndarray | None:
    """A coordinate or an attribute for each plane; None where there is none, or it varies within planes."""
    if name in array.coords:
        variable = array.coords[name].variable
        return np.asarray(variable.set_dims(sizes).values) if set(variable.dims) <= set(sizes) else None
    return np.full(tuple(sizes.values()), array.attrs[name]) if name in array.attrs else None


def _named(uids: np.ndarray, occurrence: np.ndarray | None) -> np.ndarray:
    """SOP Instance UIDs with what tells instances apart that have the same one, against PS3.5 9; object array of their shape."""
    names = uids.astype(object)
    if occurrence is not None:
        for place in zip(*np.nonzero((occurrence != 1) & (names != "")), strict=True):
            names[place] = f"{names[place]} {occurrence[place]:.0f}"
    return names


def _instances_named(frames: FrameTable, names: np.ndarray) -> np.ndarray:
    """Number of the instance of each name, as `_named` gives it, -1 where the table has none."""
    column = frames.instances.columns.get("sop_instance_uid")
    if column is None or column.kind != "text":
        return np.full(len(names), -1)
    known = {name: i for i, name in enumerate(_named(column.texts(), occurrences(frames)).tolist()) if name}
    return np.array([known.get(name, -1) for name in names.tolist()])


def _rows_of(frames: FrameTable, instance: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Row of each frame, by instance and number in it; -1 where there is none."""
    base = int(max(frames.frame_number.max(initial=0), number.max(initial=0))) + 1
    keys, wanted = frames.instance.astype(np.int64) * base + frames.frame_number, instance * base + number
    order = np.argsort(keys, kind="stable")
    at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    return np.where((instance >= 0) & (keys[order[at]] == wanted), order[at], -1)


def read_header(array: xr.DataArray, frame: Mapping[str, int] | int = 0) -> Dataset:
    """Whole header of the instance that a frame of `array` is from, as a pydicom Dataset without pixel data.

    Parameters
    ----------
    array
        A labelled array whose series was opened in this process.
    frame
        Position of the frame: along the first dimension, or by dimension, as for `isel`.

    Raises
    ------
    SourceError
        If the instance was not opened in this process: open or scan its location first.
    """
    uid, occurrence = _instance_of(array, frame)
    for frames in _tables_for(array):
        instance = _find_instance(frames, uid, occurrence)
        if instance >= 0:
            url, pixel_offset = _place(frames, instance)
            return read_dataset(partial(read_range, url), pixel_offset)
    raise SourceError(
        f"instance {uid} was not opened in this process: open its location with open_series() or open_study() first, then ask again"
    )


def _instance_of(array: xr.DataArray, frame: Mapping[str, int] | int) -> tuple[str, int]:
    """SOP Instance UID of a frame, and which of the instances that have it."""
    if "sop_instance_uids" in array.attrs:
        return str(next(iter(array.attrs["sop_instance_uids"]), "")), 1
    where: Mapping[Any, int] = {array.dims[0]: frame} if isinstance(frame, int) else frame

    def stated(name: str, default: Any) -> Any:
        if name not in array.coords:
            return array.attrs.get(name, default)
        coordinate = array.coords[name]
        return coordinate.isel({dim: index for dim, index in where.items() if dim in coordinate.dims}).values.flat[0]

    return str(stated("sop_instance_uid", "(not stated)")), int(stated("sop_instance_occurrence", 1))


def _find_instance(frames: FrameTable, uid: str, occurrence: int) -> int:
    """Number of one instance, -1 where the table has none: of many instances no name is made."""
    column = frames.instances.columns.get("sop_instance_uid")
    if column is None or column.kind != "text" or not uid or uid not in column.values:
        return -1
    instances = np.flatnonzero(column.codes == np.flatnonzero(column.values == uid)[0])
    if len(instances) > 1 or occurrence != 1:
        instances = instances[occurrences(frames)[instances] == occurrence]
    return int(instances[0]) if len(instances) else -1
