"""A function called once for each of chosen blocks of a dask array, where the block is: for results that leave dask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute_as_if_collection
from dask.callbacks import Callback

BATCH = 512
"""Blocks in one graph: few enough for the client's memory, many enough to keep a cluster busy."""

Place = tuple[slice, ...]
"""Where a block lies in the whole array."""
Report = Callable[[int, int], None]
"""Told how many blocks are done, and of how many."""


def over_blocks(
    function: Callable[[np.ndarray, Place], Any], array: da.Array, blocks: Sequence[tuple[int, ...]], report: Report | None = None
) -> list[Any]:
    """`function(block, place)` for chosen blocks of `array`; one task each, on the worker that has the block.

    Memory holds the blocks in work and what `function` returns, whatever the size of the array.

    Parameters
    ----------
    function
        Takes a block and its place in the array; what it returns comes home. It is sent to workers.
    array
        Any dask array; the blocks that are not chosen are not computed.
    blocks
        Numbers of each block along the dimensions.
    report
        Told of every block where the scheduler is local, else of every batch.

    Examples
    --------
    >>> numbers = da.arange(6, chunks=2)
    >>> over_blocks(lambda block, place: (place[0].start, int(block.sum())), numbers, [(0,), (2,)])
    [(0, 1), (4, 9)]
    """
    starts = tuple(tuple(np.cumsum((0, *sizes)).tolist()) for sizes in array.chunks)
    calls: da.Array = da.map_blocks(
        partial(_call, function=function, starts=starts),
        array,
        dtype=object,
        meta=np.empty((0,) * array.ndim, object),
        chunks=tuple((1,) * len(sizes) for sizes in array.chunks),
        name=f"{getattr(function, 'func', function).__name__.strip('_<>')}-of-{array.name}",
    )
    results: list[Any] = []
    for first in range(0, len(blocks), BATCH):
        batch = blocks[first : first + BATCH]
        with _Counter(calls.name, first, len(blocks), report):
            results += compute_as_if_collection(da.Array, calls.dask, [(calls.name, *block) for block in batch])
        if report is not None:
            report(first + len(batch), len(blocks))
    return results


def places_of(array: da.Array) -> list[Place]:
    """Place of every block of `array`, in C order of their numbers."""
    edges = [list(pairwise(np.cumsum((0, *sizes)).tolist())) for sizes in array.chunks]
    return [tuple(slice(*edges[axis][i]) for axis, i in enumerate(block)) for block in np.ndindex(array.numblocks)]


def zeros_in_blocks(chunks: tuple[tuple[int, ...], ...], dtype: np.dtype[Any]) -> da.Array:
    """Zeros, for functions over blocks that bring their values from elsewhere."""
    zeros: da.Array = da.zeros(tuple(map(sum, chunks)), chunks=chunks, dtype=dtype)
    return zeros


def _call(
    block: np.ndarray, *, function: Callable[[np.ndarray, Place], Any], starts: tuple[tuple[int, ...], ...], block_id: tuple[int, ...]
) -> Any:
    return function(block, tuple(slice(edges[i], edges[i + 1]) for edges, i in zip(starts, block_id, strict=True)))


class _Counter(Callback):
    """Counts tasks of a name as a local scheduler ends them."""

    def __init__(self, name: str, done: int, of: int, report: Report | None) -> None:
        super().__init__(posttask=self._count)
        self.name, self.done, self.of, self.report = name, done, of, report

    def _count(self, key: Any, *_: Any) -> None:
        if self.report is not None and isinstance(key, tuple) and key[0] == self.name:
            self.done += 1
            self.report(self.done, self.of)
