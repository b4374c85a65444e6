"""A large image cut into tiles, those at its edges filled up with the pixels of the edge."""

from __future__ import annotations

from functools import partial
from math import isqrt
from typing import Any

import numpy as np

from xdicom.lazy.cells import Array

BLOCK_BYTES = 16 << 20
"""Bytes that the tiles of one block have at most, unless a single one has more."""


def cut_into_tiles(image: Array, tile: tuple[int, int], samples: int) -> Array:
    """Tiles of the images along the last dimensions of `image`, lazily.

    Parameters
    ----------
    image
        Shape `(..., rows, columns)`, and behind these `samples` where that is not 0.
    tile
        Rows and columns of a tile.
    samples
        Length of the last dimension, 0 where there is none.

    Returns
    -------
    dask.array.Array
        Shape `(..., tile rows, tile columns, rows of a tile, columns of a tile[, samples])`; each block holds whole tiles.

    Examples
    --------
    >>> import dask.array as da
    >>> tiles = cut_into_tiles(da.arange(6).reshape(2, 3), (2, 2), 0)
    >>> tiles.shape, tiles[0, 1].compute().tolist()
    ((1, 2, 2, 2), [[2, 2], [5, 5]])
    """
    outer = image.ndim - 2 - bool(samples)
    rows, columns = image.shape[outer : outer + 2]
    bytes_of_tile = tile[0] * tile[1] * max(1, samples) * image.dtype.itemsize
    many = max(1, isqrt(max(1, BLOCK_BYTES // bytes_of_tile)))
    sizes: dict[int, int] = dict.fromkeys(range(outer), 1) | {outer: many * tile[0], outer + 1: many * tile[1]}
    blocks = image.rechunk(sizes | ({outer + 2: -1} if samples else {}))
    along = [tuple(-(-size // length) for size in blocks.chunks[outer + i]) for i, length in enumerate(tile)]
    chunks: tuple[Any, ...] = (*blocks.chunks[:outer], *along, (tile[0],), (tile[1],), *blocks.chunks[outer + 2 :])
    meta = np.empty((0,) * (image.ndim + 2), image.dtype)
    function, new_axis = partial(_cut, outer=outer, tile=tile), [outer + 2, outer + 3]
    whole: Array = blocks.map_blocks(function, dtype=image.dtype, chunks=chunks, new_axis=new_axis, meta=meta)
    assert whole.shape[outer : outer + 2] == (-(-rows // tile[0]), -(-columns // tile[1]))
    return whole


def _cut(block: np.ndarray, *, outer: int, tile: tuple[int, int]) -> np.ndarray:
    rows, columns = block.shape[outer : outer + 2]
    across = -(-rows // tile[0]), -(-columns // tile[1])
    lacks = across[0] * tile[0] - rows, across[1] * tile[1] - columns
    if any(lacks):
        block = np.pad(block, [(0, 0)] * outer + [(0, lack) for lack in lacks] + [(0, 0)] * (block.ndim - outer - 2), "edge")
    shape = (*block.shape[:outer], across[0], tile[0], across[1], tile[1], *block.shape[outer + 2 :])
    return block.reshape(shape).swapaxes(outer + 1, outer + 2)
