"""Tiles of a slide as byte ranges that Zarr can read as chunks, where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import TransposeCodec
from zarr.registry import register_codec

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.export.frame_codec import FrameCodec
from xdicom.export.references import References, codecs_of, direct_source, encodings_of
from xdicom.export.references import references_of as references_of_frames
from xdicom.labeled.parameters import STORED
from xdicom.labeled.slides import grid_of
from xdicom.model.grid import TileGrid
from xdicom.pixels.color import stored_photometric_interpretation
from xdicom.pixels.decode_rgb import decode_rgb
from xdicom.transforms.color import to_rgb

NAME = "xdicom.rgb_frame"
"""Name of the codec of color tiles in the metadata of arrays, and of its entry point in the group `zarr.codecs`."""


@dataclass(frozen=True)
class RgbFrameCodec(FrameCodec):
    """Chunks of one frame of color samples in a DICOM transfer syntax, read as red, green and blue. It reads and does not write."""

    def to_dict(self) -> dict[str, Any]:
        """The codec as an array's metadata has it."""
        return {**super().to_dict(), "name": NAME}

    def decode_chunk(self, data: bytes | memoryview, shape: tuple[int, ...]) -> np.ndarray:
        """Red, green and blue of a chunk, of the shape that chunks have.

        Raises
        ------
        PixelDataError
            Where the bytes are not those of a frame.
        """
        return decode_rgb(data, self.encodings[0]).reshape(shape)


register_codec(NAME, RgbFrameCodec)


def references_of(array: xr.DataArray) -> References:
    """Byte ranges of the frames of an array of stored values: of an image of a slide its tiles.

    Raises
    ------
    SourceError, InconsistentSeriesError, UnsupportedEncodingError, PixelDataError
        As `references.references_of`.
    """
    grid = grid_of(array) if array.name == STORED else None
    return references_of_frames(array) if grid is None else tile_references(grid, tuple(map(str, array.dims)))


def tile_references(grid: TileGrid, dims: Sequence[str], *, is_rgb: bool = False) -> References:
    """Byte ranges of the tiles of a whole image.

    Parameters
    ----------
    grid
        Tiles in their places.
    dims
        Dimensions of `grid` in the order of the array in the store.
    is_rgb
        Whether color samples are read as red, green and blue.

    Raises
    ------
    InconsistentSeriesError
        If tiles differ in their encoding.
    UnsupportedEncodingError
        If tiles are no byte ranges, or those that are missing are of a color that Zarr has no fill value for.
    PixelDataError
        If a tile has no bytes.
    """
    frames, rows = grid.frames, grid.rows
    encodings = encodings_of(frames, rows)
    encoding = encodings[0]
    if any(each.lead_bits(2) or each.lead_bits(3) for each in encodings if not each.is_encapsulated):
        raise UnsupportedEncodingError(f"tiles of {encoding.native_frame_bits} bits begin within a byte: copy them with .dicom.to_zarr()")
    if (frames.length[rows[rows >= 0]] <= 0).any():
        raise PixelDataError("some tiles have no bytes: a source was cut short")
    converts = is_rgb and stored_photometric_interpretation(encoding) != "RGB"
    row = np.maximum(rows, 0)
    places = [direct_source(url) for url in frames.instances.urls]
    instance = frames.instance[row]
    shape = (*rows.shape, *(1,) * len(grid.samples))
    filters, serializer = ((), RgbFrameCodec(encodings)) if converts else codecs_of(len(grid.dims), frames, rows, encodings)
    order = [grid.dims.index(dim) for dim in dims]
    if order != sorted(order):
        if filters:
            raise UnsupportedEncodingError(
                "color samples that lie plane by plane are not moved into another order: write them with codecs="
            )
        filters = (TransposeCodec(order=tuple(int(axis) for axis in np.argsort(order))),)
    chunk = (*(1,) * (rows.ndim - 2), *grid.tile_shape, *grid.samples)
    return References(
        urls=tuple(url for url, _ in places),
        stamps=tuple(frames.instances.stamps),
        source=np.where(rows >= 0, instance, -1).astype(np.int32).reshape(shape).transpose(order),
        offset=(frames.offset[row] + np.array([shift for _, shift in places], np.int64)[instance]).reshape(shape).transpose(order),
        length=frames.length[row].reshape(shape).transpose(order),
        chunk_shape=tuple(chunk[axis] for axis in order),
        filters=filters,
        serializer=serializer,
        fill_value=_fill_value(grid, converts=converts),
    )


def _fill_value(grid: TileGrid, *, converts: bool) -> int:
    """Value of all samples where no tile is; 0 where none is missing."""
    if not grid.attrs.get("missing_tiles"):
        return 0
    samples = np.array([grid.background], grid.encoding.dtype)
    if converts:
        samples = to_rgb(samples, stored_photometric_interpretation(grid.encoding), grid.encoding.bits_stored)
    background = np.unique(samples).tolist()
    if len(background) > 1:
        raise UnsupportedEncodingError(
            f"{grid.attrs['missing_tiles']} tiles are missing, and their samples are {', '.join(map(str, grid.background))}, "
            "where Zarr has one value for all: write a copy with .dicom.to_zarr()"
        )
    return int(background[0])
