"""Tiles of one large image to a dask array, one decode task for each tile or for a square of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from xdicom.lazy.cells import Array, from_cells
from xdicom.lazy.frames import decode_frames, fingerprint_refs
from xdicom.model.frames import FrameRefs
from xdicom.model.grid import TileGrid
from xdicom.pixels.support import check_supported
from xdicom.sources.options import PublicOptions, public_options, using_options


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
    background: int
    """Value of pixels where no tile is."""
    samples: tuple[int, ...] = ()
    """`(samples,)` for colour, else empty."""
    options: PublicOptions = ()
    """Options of the storage that are no secrets."""


def tiles_to_dask(grid: TileGrid, chunks: Mapping[str, int] | None = None) -> Array:
    """Stored values of the image of `grid`, cut to its total pixel matrix.

    Parameters
    ----------
    grid
        Tiles in their places.
    chunks
        Pixels in one task along `y` and `x`: whole tiles; one tile by default.

    Returns
    -------
    dask.array.Array
        Shape `grid.shape`; where no tile is, the background (white for colour and MONOCHROME1, else 0).

    Raises
    ------
    UnsupportedEncodingError
        If an encoding is not read.
    ValueError
        If `chunks` divides a tile or names another dimension.
    """
    for encoding in grid.frames.instances.encodings:
        check_supported(encoding)
    wanted = dict(chunks or {})
    unknown = set(wanted) - {"y", "x"}
    if unknown:
        raise ValueError(f"chunks of a slide are pixels along y and x, not {', '.join(sorted(unknown))}")
    lengths = []
    for name, tile, total in zip(("y", "x"), grid.tile_shape, grid.matrix, strict=True):
        size = wanted.get(name, tile)
        size = total if size == -1 else size
        if size < total and size % tile:
            raise ValueError(f"chunks along {name} must be whole tiles of {tile} pixels, not {size}")
        whole, rest = divmod(total, size)
        lengths.append((size,) * whole + ((rest,) if rest else ()))
    outer = tuple((1,) * size for size in grid.rows.shape[:-2])
    token = (fingerprint_refs(grid.frames.refs()), grid.rows.shape, grid.matrix)
    return from_cells(
        read_tiles, TileCells(grid), (*outer, *lengths), grid.samples, np.dtype(grid.encoding.dtype), name="stored_values", token=token
    )


class TileCells:
    """Tiles of a grid, of which blocks are cut."""

    def __init__(self, grid: TileGrid) -> None:
        self.refs = grid.frames.refs()
        self.rows = grid.rows
        self.tile_shape = grid.tile_shape
        self.samples = grid.samples
        self.dtype = np.dtype(grid.encoding.dtype)
        self.options = public_options(self.refs.urls)
        is_white = bool(grid.samples) or grid.encoding.photometric_interpretation == "MONOCHROME1"
        self.background = (1 << grid.encoding.bits_stored) - 1 if is_white and self.dtype.kind == "u" else 0

    def block(self, place: tuple[slice, ...]) -> TileBlock:
        """The tiles of the pixels at `place`."""
        *outer, y, x = place[: self.rows.ndim]
        tile_rows, tile_columns = self.tile_shape
        rows = self.rows[
            (*outer, slice(y.start // tile_rows, -(-y.stop // tile_rows)), slice(x.start // tile_columns, -(-x.stop // tile_columns)))
        ]
        used, cells = np.unique(rows, return_inverse=True)
        if used[0] < 0:
            used, cells = used[1:], cells - 1
        shape = (*(part.stop - part.start for part in outer), y.stop - y.start, x.stop - x.start, *self.samples)
        return TileBlock(
            self.refs.take(used),
            shape,
            self.dtype,
            cells.reshape(-1, *rows.shape[-2:]),
            self.tile_shape,
            self.background,
            self.samples,
            self.options,
        )


def read_tiles(block: TileBlock) -> np.ndarray:
    """Stored values of the tiles of one task, shape `block.shape`.

    Raises
    ------
    PixelDataError
        If a tile is truncated or damaged.
    SourceError
        If storage does not answer, or a source changed since it was scanned.
    """
    rows, columns = block.tile_shape
    height, width = block.shape[len(block.shape) - 2 - len(block.samples) :][:2]
    out = np.empty((block.cells.shape[0], height, width, *block.samples), block.dtype)
    if (block.cells < 0).any():
        out[...] = block.background
    places = {int(block.cells[place]): place for place in np.ndindex(block.cells.shape) if block.cells[place] >= 0}
    with using_options(block.options):
        for i, tile in decode_frames(block.refs):
            image, tile_row, tile_column = places[i]
            top, left = tile_row * rows, tile_column * columns
            out[image, top : top + rows, left : left + columns] = tile[: height - top, : width - left]
    return out.reshape(block.shape)
