"""Whether an array holds what its frames hold: references to frames, and frames that are moved, know nothing of what was computed since."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import SourceError
from xdicom.export.zarr_values import equal_bits
from xdicom.lazy.blocks import Place, over_blocks
from xdicom.lazy.frames import FrameBlock, read_block
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameRefs, FrameTable

_MOVES = frozenset({"getitem", "concatenate", "stack", "transpose", "rechunk-split", "rechunk-merge"})
"""Beginnings of the names that dask gives to layers of a graph that move values and change none."""
_READS = frozenset({"stored_values"})
"""Of those that read frames."""
_PROBES = 4
"""Frames that are compared where values were only moved."""


def check_unchanged(array: xr.DataArray, frames: FrameTable, rows: np.ndarray, encoding: PixelEncoding) -> None:
    """Refuse an array of other values than its frames: all are compared, or some where the graph shows that none was computed on.

    Parameters
    ----------
    array
        Stored values.
    frames
        The frames that it was made of.
    rows
        Row of `frames` for each plane, -1 where there is none and values are 0.
    encoding
        Encoding of the frames.

    Raises
    ------
    SourceError
        If it holds other values.
    """
    refs = frames.refs()
    if is_moved_only(array):
        places = np.argwhere(rows >= 0)
        for place in places[np.unique(np.linspace(0, len(places) - 1, _PROBES).round().astype(int))] if len(places) else ():
            values = np.asarray(array.variable[tuple(place.tolist())].values)
            _compare(values[None], refs, rows[tuple(place.tolist())].reshape(1), encoding)
        return
    variable = array.variable
    whole: dict[Any, int] = dict.fromkeys(variable.dims[rows.ndim :], -1)
    planes = variable.chunk(whole if variable.chunks is not None else dict.fromkeys(variable.dims[: rows.ndim], 1) | whole).data
    over_blocks(partial(_compare_block, refs=refs, rows=rows, encoding=encoding), planes, list(np.ndindex(planes.numblocks)))


def is_moved_only(array: xr.DataArray) -> bool:
    """Whether values are read from frames, and chosen and arranged at most, as far as the names of the graph's layers tell."""
    if array.chunks is None:
        return False
    layers = getattr(array.data.dask, "layers", {})
    kinds = {str(name).rpartition("-")[0] for name in layers}
    return bool(kinds) and kinds <= _MOVES | _READS and bool(kinds & _READS)


def _compare_block(block: np.ndarray, place: Place, *, refs: FrameRefs, rows: np.ndarray, encoding: PixelEncoding) -> None:
    here = rows[place[: rows.ndim]]
    _compare(block.reshape(here.size, *block.shape[rows.ndim :]), refs, here.reshape(-1), encoding)


def _compare(planes: np.ndarray, refs: FrameRefs, rows: np.ndarray, encoding: PixelEncoding) -> None:
    """Compare planes with the frames `rows`, one by one: memory holds one more plane.

    Raises
    ------
    SourceError
        If they differ: the array was computed on.
    """
    for plane, row in zip(planes, rows.tolist(), strict=True):
        there = np.zeros((), plane.dtype)
        if row >= 0:
            there = read_block(
                FrameBlock(refs.take(np.array([row])), encoding.frame_shape, np.dtype(encoding.dtype), np.zeros(1, np.int32))
            )
        if not equal_bits(np.broadcast_to(there, plane.shape), plane):
            raise SourceError("the array holds other values than its frames: references are made of stored values as they were opened")
