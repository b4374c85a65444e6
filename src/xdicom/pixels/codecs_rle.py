"""RLE, a segment for each byte of each sample (PS3.5 Annex G)."""

from __future__ import annotations

import struct
from itertools import pairwise

import imagecodecs
import numpy as np

from xdicom.errors import PixelDataError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.samples import settle_cells, unpack_bits
from xdicom.pixels.streams import Buffer, call_codec, check_growth

MOST_BYTES_PER_BYTE = 64
"""Two bytes make 128 (PS3.5 G.3.2)."""
_RLE_HEADER = struct.Struct("<16I")


def decode_rle(data: Buffer, encoding: PixelEncoding, out: np.ndarray | None = None) -> np.ndarray:
    """RLE Lossless: a segment for each byte of each sample, the most significant first (PS3.5 Annex G)."""
    is_packed = encoding.bits_allocated == 1
    width = 1 if is_packed else encoding.dtype.itemsize
    bounds = _segment_bounds(data, 1 if is_packed else encoding.samples_per_pixel * width)
    check_growth(len(data), encoding, MOST_BYTES_PER_BYTE * (8 if is_packed else 1))
    if is_packed:
        packed = np.empty((encoding.native_frame_bits + 7) // 8, np.uint8)
        _decode_rle_sample(data, bounds, packed)
        return unpack_bits(packed, encoding)
    samples = np.empty(encoding.frame_shape, encoding.dtype) if out is None else out
    if encoding.samples_per_pixel == 1:
        _decode_rle_sample(data, bounds, samples)
    else:
        plane = np.empty((encoding.rows, encoding.columns), encoding.dtype)
        for number in range(encoding.samples_per_pixel):
            _decode_rle_sample(data, bounds[number * width : (number + 1) * width + 1], plane)
            samples[..., number] = plane
    settle_cells(samples, encoding)
    return samples


def _segment_bounds(data: Buffer, expected: int) -> list[int]:
    """Where each of the `expected` segments begins, and where the last one ends."""
    if len(data) < _RLE_HEADER.size:
        raise PixelDataError(f"an RLE frame of {len(data)} bytes is shorter than its header of {_RLE_HEADER.size}")
    count, *offsets = _RLE_HEADER.unpack(data[: _RLE_HEADER.size])
    if count != expected:
        raise PixelDataError(f"{count} RLE segments found, {expected} expected")
    bounds = [*offsets[:count], len(data)]
    if bounds[0] != _RLE_HEADER.size or bounds != sorted(bounds):
        raise PixelDataError(f"RLE segment offsets {bounds[:-1]} don't lie in order within {len(data)} bytes")
    return bounds


def _decode_rle_sample(data: Buffer, bounds: list[int], plane: np.ndarray) -> None:
    """Fill C-contiguous `plane` from the segments between `bounds`, each of which must fill one byte of its cells."""
    cells = plane.reshape(-1).view(np.uint8)
    width = len(bounds) - 1
    start, end = bounds[0], bounds[-1]
    if start == _RLE_HEADER.size and end == len(data):
        stream = data
    else:
        offsets = [bound - start + _RLE_HEADER.size for bound in bounds[:-1]]
        stream = _RLE_HEADER.pack(width, *offsets, *[0] * (15 - width)) + bytes(data[start:end])
    try:
        filled = len(call_codec(imagecodecs.dicomrle_decode, stream, dtype=plane.dtype, out=cells))
    except PixelDataError:  # a segment is damaged, or longer than it should be; padding may make it so
        filled = _decode_rle_padded(data, bounds, cells)
    if filled != cells.size:
        raise PixelDataError(f"RLE segments hold {filled} bytes of a sample, {cells.size} expected")


def _decode_rle_padded(data: Buffer, bounds: list[int], plane: np.ndarray) -> int:
    """As `_decode_rle_sample`, for segments with zeros behind their last pixel."""
    width = len(bounds) - 1
    length = plane.size // width
    cells = plane.reshape(length, width)
    for number, (start, end) in enumerate(pairwise(bounds)):
        decoded = np.frombuffer(call_codec(imagecodecs.packbits_decode, data[start:end]), np.uint8)
        if decoded.size < length or decoded[length:].any():
            raise PixelDataError(f"an RLE segment holds {decoded.size} bytes, {length} expected")
        cells[:, width - 1 - number] = decoded[:length]
    return plane.size
