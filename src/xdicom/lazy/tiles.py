"""Tiles of one large image to a dask array, one decode task for each tile or for a rectangle of them; and parts of it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isqrt

import dask.config
import numpy as np
from dask.utils import parse_bytes

from xdicom.lazy.cells import Array, from_cells
from xdicom.lazy.frames import AUTO_CHUNK_BYTES, ChunkSpec, PackedCells, fingerprint_refs
from xdicom.lazy.reading import Decode, check_lengths, read_frame, read_frames
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameRefs
from xdicom.model.grid import TileGrid
from xdicom.pixels.color import stored_photometric_interpretation
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.decode_rgb import decode_rgb
from xdicom.pixels.support import check_supported
from xdicom.sources.options import PublicOptions, public_options, using_options
from xdicom.transforms.color import to_rgb

_LEAST_TILES = 4
"""A thread is started for so many tiles: it takes about as long as one of them."""


@dataclass(frozen=True, slots=True, eq=False)
class TileBlock:
    """The tiles of one task."""

    refs: FrameRefs
    """Where they lie and how they are encoded."""
    shape: tuple[int, ...]
    """Shape of the block."""
    dtype: np.dtype[np.generic]
    """Type of the stored values."""
    cells: np.ndarray
    """Row of `refs` for each tile, -1 where none is; int64, shape `(images, tile rows, tile columns)`."""
    tile_shape: tuple[int, int]
    """Rows and columns of a tile [pixels]."""
    background: tuple[int, ...]
    """Value of each sample where no tile is."""
    samples: tuple[int, ...] = ()
    """`(samples,)` for colour, else empty."""
    options: PublicOptions = ()
    """Options of the storage that are no secrets."""
    corner: tuple[int, int] = (0, 0)
    """First row and column of the block in its first tile [pixels]."""
    decode: Decode = decode_frame
    """What makes values of the bytes of a tile."""


def tiles_to_dask(grid: TileGrid, chunks: ChunkSpec = None) -> Array:
    """Stored values of the image of `grid`, cut to its total pixel matrix.

    Parameters
    ----------
    grid
        Tiles in their places.
    chunks
        Pixels in one task along `y` and `x`, whole tiles; a number for a square of at most so many tiles; `"auto"` for one of at
        most 32 MiB, or dask's `array.chunk-size` where that is less. One tile by default.

    Returns
    -------
    dask.array.Array
        Shape `grid.shape`; where no tile is, the grid's background.

    Raises
    ------
    UnsupportedEncodingError
        If an encoding is not read.
    ValueError
        If `chunks` divides a tile or names another dimension.
    TypeError
        If it is no such thing.
    """
    for encoding in grid.frames.instances.encodings:
        check_supported(encoding)
    outer = tuple((1,) * size for size in grid.rows.shape[:-2])
    lengths = tuple(
        (size,) * (total // size) + ((total % size,) if total % size else ())
        for size, total in zip(_chunk_sizes(grid, chunks), grid.matrix, strict=True)
    )
    token = (fingerprint_refs(grid.frames.refs(), grid.rows), grid.rows.shape, grid.matrix, grid.background)
    return from_cells(
        read_tiles, TileCells(grid), (*outer, *lengths), grid.samples, np.dtype(grid.encoding.dtype), name="stored_values", token=token
    )


def _chunk_sizes(grid: TileGrid, chunks: ChunkSpec) -> tuple[int, int]:
    """Rows and columns of a task [pixels]."""
    tile, matrix = grid.tile_shape, grid.matrix
    if isinstance(chunks, int | str):
        if chunks == "auto":
            limit = min(AUTO_CHUNK_BYTES, parse_bytes(dask.config.get("array.chunk-size")))
            chunks = limit // (int(np.prod(grid.encoding.frame_shape)) * grid.encoding.dtype.itemsize)
        if isinstance(chunks, str):
            raise TypeError(f"chunks is a mapping from dimension to pixels, a number of tiles, 'auto' or None, not {chunks!r}")
        side = max(1, isqrt(max(chunks, 1))) if chunks != -1 else max(grid.rows.shape[-2:])
        return min(side * tile[0], matrix[0]), min(side * tile[1], matrix[1])
    wanted = dict(chunks or {})
    unknown = set(wanted) - set(grid.dims)
    if unknown:
        raise ValueError(f"chunks of a slide are pixels along y and x, not {', '.join(sorted(unknown))}")
    sizes = []
    for name, length, total in zip(("y", "x"), tile, matrix, strict=True):
        size = wanted.get(name, length)
        if not isinstance(size, int):
            raise TypeError(f"chunks along {name} is a number of pixels, not {size!r}")
        size = total if size == -1 else size
        if size < 1 or (size < total and size % length):
            raise ValueError(f"chunks along {name} must be whole tiles of {length} pixels, not {size}")
        sizes.append(min(size, total))
    return sizes[0], sizes[1]


class TileCells(PackedCells):
    """Tiles of a grid, of which blocks are cut."""

    def __init__(self, grid: TileGrid) -> None:
        self.refs = grid.frames.refs()
        self.rows = grid.rows
        self.tile_shape = grid.tile_shape
        self.samples = grid.samples
        self.dtype = np.dtype(grid.encoding.dtype)
        self.options = public_options(self.refs.urls)
        self.background = grid.background

    def block(self, place: tuple[slice, ...]) -> TileBlock:
        """The tiles under the pixels at `place`, which may begin and end anywhere."""
        *outer, y, x = place[: self.rows.ndim]
        tile_rows, tile_columns = self.tile_shape
        rows = self.rows[
            (*outer, slice(y.start // tile_rows, -(-y.stop // tile_rows)), slice(x.start // tile_columns, -(-x.stop // tile_columns)))
        ]
        shape = (*(part.stop - part.start for part in outer), y.stop - y.start, x.stop - x.start, *self.samples)
        flat = rows.reshape(-1)
        if len(flat) == 1 and flat[0] >= 0:
            refs, cells = self.refs.one(int(flat[0])), np.zeros(1, np.int64)
        else:
            is_there = flat >= 0
            cells = np.where(is_there, np.cumsum(is_there) - 1, -1)
            refs = self.refs.take(flat[is_there])
        return TileBlock(
            refs, shape, self.dtype, cells.reshape(-1, *rows.shape[-2:]), self.tile_shape, self.background, self.samples, self.options,
            (y.start % tile_rows, x.start % tile_columns),
        )  # fmt: skip


def read_tiles(block: TileBlock, threads: int = 1) -> np.ndarray:
    """Stored values of the tiles of one task, shape `block.shape`; decoded by so many threads.

    Raises
    ------
    PixelDataError
        If a tile is truncated or damaged.
    SourceError
        If storage does not answer, or a source changed since it was scanned.
    """
    with using_options(block.options):
        if _is_one_tile(block):
            check_lengths(block.refs)
            return read_frame(block.refs, 0, block.decode).reshape(block.shape)
        height, width = block.shape[len(block.shape) - 2 - len(block.samples) :][:2]
        out = np.empty((block.cells.shape[0], height, width, *block.samples), block.dtype)
        if len(block.refs) < block.cells.size:
            out[...] = np.array(block.background, block.dtype) if block.samples else block.background[0]
        _read_tiles_into(out, block, min(threads, len(block.refs) // _LEAST_TILES))
    return out.reshape(block.shape)


def _is_one_tile(block: TileBlock) -> bool:
    """Whether the block is a whole tile and nothing else."""
    return block.cells.size == len(block.refs) == 1 and block.shape[len(block.shape) - 2 - len(block.samples) :][:2] == block.tile_shape


def _read_tiles_into(out: np.ndarray, block: TileBlock, threads: int) -> None:
    """Decode all tiles of the block into their places, in this thread and so many others less one."""
    places = np.argwhere(block.cells >= 0)
    if threads < 2:
        _paste(out, block, block.refs, places)
        return
    own, *others = np.array_split(np.arange(len(places)), threads)
    with ThreadPoolExecutor(len(others)) as pool:
        # Options that came with a task hold in its thread; a copy of the context takes them along.
        waiting = [pool.submit(copy_context().run, _paste, out, block, block.refs.take(part), places[part]) for part in others]
        _paste(out, block, block.refs.take(own), places[own])
        for future in waiting:
            future.result()


def _paste(out: np.ndarray, block: TileBlock, refs: FrameRefs, places: np.ndarray) -> None:
    """Decode the tiles `refs` into their `places`: image, row and column of tiles of each."""
    (rows, columns), (first_row, first_column), (height, width) = block.tile_shape, block.corner, out.shape[1:3]
    tops = (places[:, 1] * rows - first_row).tolist()
    wanted = [height - top if height - top < rows else None for top in tops]
    for (image, tile_row, tile_column), tile in zip(places.tolist(), read_frames(refs, block.decode, wanted), strict=True):
        top, left = tile_row * rows - first_row, tile_column * columns - first_column
        up, before = max(0, -top), max(0, -left)
        out[image, top + up : top + rows, left + before : left + columns] = tile[up : height - top, before : width - left]


def read_part(cells: TileCells, place: tuple[slice, ...], threads: int = 1, *, is_rgb: bool = False) -> np.ndarray:
    """Values of a part of an image, without a graph: what an array of `tiles_to_dask` has at that place.

    Parameters
    ----------
    cells
        Tiles of the image.
    place
        First and last step along each dimension.
    threads
        Threads that decode tiles.
    is_rgb
        Whether color samples are wanted as red, green and blue.
    """
    block = cells.block(place)
    return read_tiles(_as_rgb(block, cells) if is_rgb else block, threads)


def _as_rgb(block: TileBlock, cells: TileCells) -> TileBlock:
    """The block with red, green and blue in place of its color samples."""
    return replace(block, decode=decode_rgb, background=_background_as_rgb(block.background, cells.refs.encodings[0]))


@lru_cache(maxsize=64)
def _background_as_rgb(background: tuple[int, ...], encoding: PixelEncoding) -> tuple[int, ...]:
    pixel = np.array([background], encoding.dtype)
    red_green_blue: list[int] = to_rgb(pixel, stored_photometric_interpretation(encoding), encoding.bits_stored)[0].tolist()
    return tuple(red_green_blue)
