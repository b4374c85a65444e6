"""Which instance lies where, for this process: arrays carry SOP Instance UIDs, not paths (which may name a person)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdicom.errors import SourceError
from xdicom.headers.datasets import read_dataset
from xdicom.model.frames import FrameTable
from xdicom.sources.ranges import read_range

if TYPE_CHECKING:
    from pydicom import Dataset

_MAX_TABLES = 256
_tables: OrderedDict[int, FrameTable] = OrderedDict()


def remember(frames: FrameTable) -> None:
    """Keep where the frames of an opened series lie."""
    _tables[id(frames)] = frames
    while len(_tables) > _MAX_TABLES:
        _tables.popitem(last=False)


def place_of(sop_instance_uid: str) -> tuple[str, int] | None:
    """Where an instance lies that was opened in this process, and where its first frame begins in it; or None."""
    for frames in reversed(_tables.values()):
        column = frames.instances.columns.get("sop_instance_uid")
        if column is None:
            continue
        rows = np.flatnonzero(column.values == sop_instance_uid)
        if len(rows):
            instance = int((column.codes == rows[0]).argmax())
            return frames.instances.urls[instance], int(frames.offset[frames.instance == instance].min())
    return None


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
    uid = _instance_uid(array, frame)
    place = place_of(uid)
    if place is None:
        raise SourceError(f"instance {uid} was not opened in this process: open its location with open_series() or open_study() first, then ask again")
    url, pixel_offset = place
    return read_dataset(lambda offset, length: read_range(url, offset, length), pixel_offset)


def _instance_uid(array: xr.DataArray, frame: Mapping[str, int] | int) -> str:
    if "sop_instance_uid" not in array.coords:
        return str(array.attrs.get("sop_instance_uid", "(not stated)"))
    coordinate = array["sop_instance_uid"]
    where: Mapping[Any, int] = {array.dims[0]: frame} if isinstance(frame, int) else frame
    chosen = coordinate.isel({dim: index for dim, index in where.items() if dim in coordinate.dims})
    return str(chosen.values.flat[0])
