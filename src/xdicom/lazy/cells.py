"""The primitive: a dask array with one task for each block of a grid of values, as one layer of the graph.

The layer holds the values of all blocks as arrays and cuts out those of one block when its task is made, so that building
costs the same for any number of blocks, and a task carries its own values alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

import dask.array as da
import numpy as np
from dask.blockwise import BlockwiseDep, blockwise
from dask.highlevelgraph import HighLevelGraph
from dask.tokenize import tokenize

from xdicom.model.packing import pack_numbers, unpack_numbers

Array = da.Array
"""The array type of this room, for rooms that pass it on."""

Chunks = tuple[tuple[int, ...], ...]
"""Lengths of the blocks along each dimension, as dask has them."""


class Cells(Protocol):
    """Values of many cells, of which blocks are cut."""

    def block(self, place: tuple[slice, ...]) -> Any:
        """What the task of the block at `place` is given: small, and picklable."""


class _BlockDep(BlockwiseDep):
    """Argument of a blockwise layer that is cut out of `cells` when a task is made."""

    def __init__(self, cells: Cells, chunks: Chunks, numblocks: tuple[int, ...], key: str) -> None:
        self.cells = cells
        self.key = key
        self.starts = tuple(np.cumsum((0, *sizes)) for sizes in chunks)
        self.numblocks = numblocks
        self.produces_tasks = False

    def __getitem__(self, index: tuple[int, ...]) -> Any:
        place = tuple(slice(int(starts[i]), int(starts[i + 1])) for starts, i in zip(self.starts, index, strict=False))
        return self.cells.block(place)

    def __dask_tokenize__(self) -> str:
        """The key of the array that it is for, which tells cells and chunks: to look through all cells again takes long."""
        return self.key

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"starts": tuple(map(pack_numbers, self.starts))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"starts": tuple(map(unpack_numbers, state["starts"]))})


def from_cells(
    function: Callable[[Any], np.ndarray],
    cells: Cells,
    chunks: Chunks,
    inner_shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    name: str,
    token: Hashable,
) -> da.Array:
    """Dask array with one task `function(cells.block(place))` for each block.

    Parameters
    ----------
    function
        Makes the block at a place: an array of the block's shape, `inner_shape` behind it, of type `dtype`.
    cells
        What blocks are made of.
    chunks
        Lengths of the blocks along the grid's own dimensions.
    inner_shape
        Shape of one cell; these dimensions are never divided.
    dtype
        Type of the array.
    name
        First part of the names of tasks.
    token
        What tells this array from others; hashed with `name`.
    """
    key = f"{name}-{tokenize(name, token, chunks)}"
    whole = (*chunks, *((size,) for size in inner_shape))
    axes = tuple(range(len(whole)))
    numblocks = tuple(len(sizes) for sizes in whole)
    layer = blockwise(function, key, axes, _BlockDep(cells, chunks, numblocks, key), axes, numblocks={})
    graph = HighLevelGraph.from_collections(key, layer)
    array: da.Array = da.Array(graph, key, whole, dtype=dtype, meta=np.empty((0,) * len(whole), dtype))
    # dask notes the chunks on the layer for the picture in a notebook; of many frames they outweigh all else that travels.
    (layer.collection_annotations or {}).pop("chunks", None)
    return array


def recut(array: da.Array, chunks: Chunks, kind: type[Cells], is_wanted: Callable[[Any], bool]) -> da.Array | None:
    """The array of `from_cells` with other blocks, each made at once; None where `array` is more than that, or not wanted.

    Parameters
    ----------
    array
        Any dask array.
    chunks
        Lengths of the new blocks along all dimensions; the inner ones are not divided.
    kind
        Class of the cells.
    is_wanted
        Whether cells are to be made in other blocks.
    """
    layer = array.dask.layers.get(array.name)
    deps, function = list(getattr(layer, "io_deps", {}).values()), getattr(getattr(layer, "task", None), "func", None)
    if len(array.dask.layers) != 1 or len(deps) != 1 or not isinstance(deps[0], _BlockDep) or function is None:
        return None
    cells, outer = deps[0].cells, len(deps[0].starts)
    if not isinstance(cells, kind) or not is_wanted(cells) or any(len(sizes) > 1 for sizes in chunks[outer:]):
        return None
    return from_cells(
        function, cells, chunks[:outer], array.shape[outer:], array.dtype, name=array.name.rpartition("-")[0], token=(array.name, "recut")
    )


class _Values:
    """An array as cells."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def block(self, place: tuple[slice, ...]) -> np.ndarray:
        """The part of the array at `place`."""
        cut = tuple(part if size > 1 else slice(None) for part, size in zip(place, self.values.shape, strict=True))
        return np.ascontiguousarray(self.values[cut])


def _itself(values: np.ndarray) -> np.ndarray:
    return values


def values_to_dask(values: np.ndarray, chunks: Chunks) -> da.Array:
    """Small array `values` as a dask array cut like `chunks`; dimensions of length 1 stay so and broadcast.

    It fuses with what it is combined with, so that each task carries its own part of `values` alone.
    """
    cut = tuple(sizes if size > 1 else (1,) for size, sizes in zip(values.shape, chunks, strict=True))
    return from_cells(_itself, _Values(values), cut, (), values.dtype, name="values", token=tokenize(values))
