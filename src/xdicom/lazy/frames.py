"""Frames in their places to a dask array of stored values: one decode task for each chunk of frames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dask.config
import numpy as np
from dask.array.core import normalize_chunks
from dask.utils import parse_bytes

from xdicom.lazy.cells import Array, Chunks, from_cells, recut
from xdicom.lazy.reading import check_lengths, read_frame, read_frames_into
from xdicom.model.frames import FrameRefs
from xdicom.model.grid import FrameGrid
from xdicom.model.packing import pack_numbers, pack_texts, unpack_numbers, unpack_texts
from xdicom.pixels.support import check_supported
from xdicom.sources.options import PublicOptions, public_options, using_options

ChunkSpec = Mapping[str, int | str | tuple[int, ...]] | int | str | None
"""What a person may say of chunks: frames per task by dimension, for all of them, `"auto"`, or None for one a task."""

AUTO_CHUNK_BYTES = 32 << 20
"""Decoded bytes of one task with `"auto"`, where dask's `array.chunk-size` is not less: one request for remote storage moves as much
in a fraction of a second, and beside it what a task costs the scheduler (about 1 ms) is nothing [bytes]."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameBlock:
    """The frames of one task: all that a worker is given."""

    refs: FrameRefs
    """Where they lie and how they are encoded."""
    shape: tuple[int, ...]
    """Shape of the block: the grid's own dimensions and those of a plane."""
    dtype: np.dtype[np.generic]
    """Type of the stored values."""
    cell: np.ndarray
    """Row of `refs` for each cell in C order, -1 for a cell that is zero by definition; int32, shape `(cells,)`."""
    tile: np.ndarray | None = None
    """Tile of the frame for each cell, where frames hold several planes; int32, shape `(cells,)`."""
    tile_columns: int = 1
    """Tiles in a row of a frame."""
    options: PublicOptions = ()
    """Options of the storage that are no secrets."""


def frames_to_dask(grid: FrameGrid, chunks: ChunkSpec = None) -> Array:
    """Stored values of the frames of `grid`, each in its place.

    Parameters
    ----------
    grid
        Frames in their places.
    chunks
        Frames in one task: by dimension, one number for all dimensions across frames, or `"auto"` (tasks of up to
        32 MiB, or dask's `array.chunk-size` where that is less). Without it one frame a task; planes that are tiles of one
        frame stay together.

    Returns
    -------
    dask.array.Array
        Shape `grid.shape`, type of the encoding in native byte order, both known before anything is read.

    Raises
    ------
    UnsupportedEncodingError
        If an encoding of the frames is not read.
    ValueError
        If `chunks` names another dimension or divides a plane.
    """
    for encoding in grid.frames.instances.encodings:
        check_supported(encoding)
    lengths = _chunk_lengths(grid, chunks)
    return from_cells(
        read_block,
        GridCells(grid),
        lengths,
        grid.frame_shape,
        np.dtype(grid.encoding.dtype),
        name="stored_values",
        token=_fingerprint(grid),
    )


def recut_frames(array: Array, chunks: Chunks) -> Array | None:
    """An array of uncompressed frames with other chunks, each of them read at once into its place; None where it is more than that.

    Compressed frames stay tasks of their own, so that all cores decode.
    """
    return recut(array, chunks, GridCells, lambda cells: not any(encoding.is_encapsulated for encoding in cells.refs.encodings))


_ONE_CELL = np.zeros(1, np.int32)


class PackedCells:
    """Frames in their places, which travel as few bytes: they go with every graph that was not culled yet."""

    refs: FrameRefs
    """The frames."""
    rows: np.ndarray
    """Row of `refs` for each place, -1 where there is none."""

    def __getstate__(self) -> dict[str, Any]:
        refs = self.refs
        packed = [pack_numbers(array) for array in (refs.source, refs.encoding, refs.offset, refs.length, refs.frame_number)]
        state = self.__dict__ | {"rows": pack_numbers(self.rows)}
        return state | {"refs": (pack_texts(refs.urls), pack_texts(refs.stamps), refs.encodings, packed)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        urls, stamps, encodings, packed = state["refs"]
        refs = FrameRefs(unpack_texts(urls), unpack_texts(stamps), encodings, *map(unpack_numbers, packed))
        self.__dict__.update(state | {"rows": unpack_numbers(state["rows"]), "refs": refs})


class GridCells(PackedCells):
    """Frames of a grid, of which blocks are cut."""

    def __init__(self, grid: FrameGrid) -> None:
        self.refs = grid.frames.refs()
        self.rows = grid.rows
        self.tiles = grid.tiles
        self.frame_shape = grid.frame_shape
        self.dtype = np.dtype(grid.encoding.dtype)
        self.options = public_options(self.refs.urls)

    def block(self, place: tuple[slice, ...]) -> FrameBlock:
        """The frames of the block at `place`."""
        return self.select(place[: self.rows.ndim])

    def select(self, key: tuple[int | slice | np.ndarray, ...]) -> FrameBlock:
        """The frames at `key`, which has a number, a slice or an array of numbers for each dimension across frames."""
        rows = _outer(self.rows, key)
        flat = rows.reshape(-1)
        cell: np.ndarray
        if len(flat) == 1 and flat[0] >= 0:
            refs, cell = self.refs.one(int(flat[0])), _ONE_CELL
        else:
            used, cell = np.unique(flat, return_inverse=True)
            cell = cell.reshape(-1).astype(np.int32)
            if len(used) and used[0] < 0:
                used, cell = used[1:], cell - 1
            refs = self.refs.take(used)
        tile = None if self.tiles is None else _outer(self.tiles.tile, key).reshape(-1)
        columns = 1 if self.tiles is None else self.tiles.columns
        return FrameBlock(refs, (*rows.shape, *self.frame_shape), self.dtype, cell, tile, columns, self.options)


def _outer(values: np.ndarray, key: tuple[int | slice | np.ndarray, ...]) -> np.ndarray:
    """`values` at `key`, each dimension by itself."""
    for axis in reversed(range(len(key))):
        values = values[(slice(None),) * axis + (key[axis],)]
    return np.asarray(values)


def read_block(block: FrameBlock) -> np.ndarray:
    """Stored values of the frames of one task, shape `block.shape`.

    Raises
    ------
    PixelDataError
        If a frame is truncated or damaged; the message says which, and where it lies.
    SourceError
        If storage does not answer, or a source changed since it was scanned.
    """
    if not block.options:
        return _read_block(block)
    with using_options(block.options):
        return _read_block(block)


def _read_block(block: FrameBlock) -> np.ndarray:
    refs, cells = block.refs, len(block.cell)
    check_lengths(refs)
    if block.tile is None and cells == len(refs) == 1:
        return read_frame(refs, 0).reshape(block.shape)
    plane_shape = block.shape[len(block.shape) - _plane_dimensions(block) :]
    out = np.empty((cells, *plane_shape), block.dtype)
    if block.tile is None:
        missing = block.cell < 0
        if missing.any():
            out[missing] = 0
        filled = np.flatnonzero(~missing)
        target = np.empty(len(refs), np.int64)
        target[block.cell[filled]] = filled
        read_frames_into(refs, out, target)
        if len(filled) > len(refs):  # a selection may ask for one frame several times
            out[filled] = out[target[block.cell[filled]]]
        return out.reshape(block.shape)
    rows, columns = plane_shape[:2]
    # One frame after the other: a block of tiles needs room for itself and one whole frame.
    for frame in range(len(refs)):
        whole = read_frame(refs, frame)
        for place in np.flatnonzero(block.cell == frame).tolist():
            tile = int(block.tile[place])
            top, left = tile // block.tile_columns * rows, tile % block.tile_columns * columns
            out[place] = whole[top : top + rows, left : left + columns]
    return out.reshape(block.shape)


def _plane_dimensions(block: FrameBlock) -> int:
    samples = block.refs.encodings[0].samples_per_pixel if block.refs.encodings else 1
    return 2 if samples == 1 else 3


def _chunk_lengths(grid: FrameGrid, chunks: ChunkSpec) -> tuple[tuple[int, ...], ...]:
    """Lengths of the blocks along the dimensions across frames."""
    names = tuple(axis.name for axis in grid.axes)
    shape = grid.rows.shape
    if not names:
        return ()
    default = [1] * len(names)
    if grid.tiles is not None:
        default[-1] = shape[-1]
    inner = dict(zip(grid.dims[len(names) :], grid.frame_shape, strict=True))
    if chunks is None:
        wanted: list[int | str | tuple[int, ...]] = list(default)
    elif isinstance(chunks, Mapping):
        unknown = [name for name in chunks if name not in grid.dims]
        if unknown:
            raise ValueError(f"chunks names {', '.join(map(repr, unknown))}; the dimensions are {', '.join(grid.dims)}")
        divided = [name for name, size in inner.items() if name in chunks and chunks[name] not in (-1, size, (size,), None, "auto")]
        if divided:
            raise ValueError(f"chunks divides {', '.join(divided)}, but a frame is decoded as a whole; call .chunk() on the result")
        wanted = [chunks.get(name, default[i]) for i, name in enumerate(names)]
    elif isinstance(chunks, int | str):
        wanted = [chunks] * len(names)
    else:
        raise ValueError(f"chunks must be a mapping from dimension to frames, a number, 'auto' or None, not {type(chunks).__name__}")
    if "auto" in wanted:
        limit = min(AUTO_CHUNK_BYTES, parse_bytes(dask.config.get("array.chunk-size")))
        whole = normalize_chunks((*wanted, *grid.frame_shape), shape=grid.shape, limit=limit, dtype=grid.encoding.dtype)
        return tuple(tuple(map(int, sizes)) for sizes in whole[: len(names)])
    return tuple(tuple(map(int, sizes)) for sizes in normalize_chunks(tuple(wanted), shape=shape))


def _fingerprint(grid: FrameGrid) -> str:
    """What tells the array of `grid` from any other: sources, places and encodings, no credentials."""
    tiles = () if grid.tiles is None else (grid.tiles.tile, np.array([grid.tiles.rows, grid.tiles.columns]))
    return fingerprint_refs(grid.frames.refs(), grid.rows, *tiles)


def fingerprint_refs(refs: FrameRefs, *arrays: np.ndarray) -> str:
    """What tells frames (in the places that `arrays` say) from any other: sources and encodings, no credentials."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\n".join((*refs.urls, "", *refs.stamps, *map(repr, refs.encodings))).encode("utf-8", "surrogatepass"))
    for array in (refs.source, refs.encoding, refs.offset, refs.length, refs.frame_number, *arrays):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
