"""Samples in their cells: bits, sign, planes and byte order (PS3.5 8.1.1, 8.1.2)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xdicom.errors import PixelDataError
from xdicom.model.encoding import PIXEL_DATA, PixelEncoding

ByteOrder = Literal["<", ">"]

SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Photometric interpretations whose native chrominance is stored once for two pixels (PS3.3 C.7.6.3.1.2)."""

_PIECE = 1 << 17
"""Samples settled at a time: what the first step leaves in the cache, the second finds there."""


def is_subsampled(encoding: PixelEncoding) -> bool:
    """Whether native pixels of `encoding` lie as Y1 Y2 Cb Cr."""
    return encoding.samples_per_pixel == 3 and encoding.photometric_interpretation in SUBSAMPLED


def fills_cells(encoding: PixelEncoding) -> bool:
    """Whether each sample fills its cell, so that there is nothing to mask, shift or extend."""
    return encoding.pixel_keyword != PIXEL_DATA or encoding.bits_stored == encoding.bits_allocated


def byte_order(encoding: PixelEncoding) -> ByteOrder:
    """Byte order in which native cells are stored."""
    return ">" if encoding.is_big_endian else "<"


def settle_cells(array: np.ndarray, encoding: PixelEncoding) -> None:
    """Drop the bits of each cell that are not its sample and extend the sign, in place (PS3.5 8.1.1).

    What lies above High Bit, such as an overlay of old, goes, as does what lies below the sample; the sign is High Bit.
    """
    if fills_cells(encoding):
        return
    flat = array.reshape(-1)  # a view, since the array is contiguous
    above = encoding.bits_allocated - 1 - encoding.high_bit
    below = encoding.high_bit + 1 - encoding.bits_stored
    mask = (1 << encoding.bits_stored) - 1
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        if encoding.is_signed:
            if above:
                np.left_shift(piece, above, out=piece)
            np.right_shift(piece, above + below, out=piece)
        else:
            if below:
                np.right_shift(piece, below, out=piece)
            if above:
                np.bitwise_and(piece, mask, out=piece)


def settle_stream(samples: np.ndarray, encoding: PixelEncoding, precision: int, *, masks: bool) -> None:
    """Settle samples that came out of a stream of `precision` bits, in place.

    A stream of fewer bits holds bare samples, wherever the header puts them in their cells. One that covers High Bit may
    hold whole cells; without `masks` that is believed only where the sample does not lie at the bottom of its cell, since
    the precision of such streams is more often right than Bits Stored.
    """
    is_at_bottom = encoding.high_bit == encoding.bits_stored - 1
    if masks if is_at_bottom else precision > encoding.high_bit:
        settle_cells(samples, encoding)


def reinterpret_sign(samples: np.ndarray, precision: int, is_signed: bool, dtype: np.dtype[np.generic]) -> np.ndarray:
    """`samples` of `precision` bits as `dtype`, two's complement kept where stream and header differ in sign.

    A stream that takes its samples for unsigned holds the bit pattern of the signed ones, and the other way round.
    """
    if is_signed == (dtype.kind == "i"):
        return samples.astype(dtype, copy=False)
    cells = samples.astype(dtype, copy=False) if dtype.itemsize != samples.dtype.itemsize else samples.view(dtype)
    spare = dtype.itemsize * 8 - precision
    if spare > 0:
        if not cells.flags.writeable:
            cells = cells.copy()
        if dtype.kind == "i":
            np.left_shift(cells, spare, out=cells)
            np.right_shift(cells, spare, out=cells)
        else:
            np.bitwise_and(cells, (1 << precision) - 1, out=cells)
    return cells


def shaped(samples: np.ndarray, encoding: PixelEncoding, rows: int | None = None) -> np.ndarray:
    """`samples`, if their shape is that of a frame, or of its first `rows`."""
    expected = encoding.frame_shape if rows is None else (rows, *encoding.frame_shape[1:])
    if samples.shape != expected:
        raise PixelDataError(f"the stream was decoded to shape {samples.shape}, expected {expected}")
    return samples


def join_planes(planes: np.ndarray) -> np.ndarray:
    """Color by pixel, shape `(rows, columns, samples)`, of color by plane, shape `(samples, rows, columns)`."""
    joined = np.empty((*planes.shape[1:], planes.shape[0]), planes.dtype)
    for number, plane in enumerate(planes):  # a third of the time that one transposed copy takes
        joined[..., number] = plane
    return joined


def unpack_bits(data: bytes | memoryview | np.ndarray, encoding: PixelEncoding, lead_bits: int = 0) -> np.ndarray:
    """Samples of one bit, the first pixel in the least significant bit (PS3.5 8.1.1, Annex D)."""
    count = encoding.native_frame_bits
    packed = np.frombuffer(data, np.uint8)
    return np.unpackbits(packed, count=lead_bits + count, bitorder="little")[lead_bits:].reshape(encoding.frame_shape)


def unpack_native(
    data: bytes | memoryview, encoding: PixelEncoding, lead_bits: int = 0, *, order: ByteOrder = "<", out: np.ndarray | None = None
) -> np.ndarray:
    """Stored values of one uncompressed frame, shape `encoding.frame_shape`, in `out` or an array of their own.

    Parameters
    ----------
    data
        The frame's bytes, `lead_bits` [bits] of the frame before it included; what follows the frame is ignored.
    encoding
        How the samples lie in them.
    lead_bits
        Bits at the beginning that belong to the frame before.
    order
        Byte order of the cells.
    out
        C-contiguous room for them, of the encoding's type; packed bits leave it as it is.

    Raises
    ------
    PixelDataError
        Where there are fewer bytes than the frame needs.
    """
    unit = 2 if encoding.swaps_bytes_of_words else 1
    needed = -(-(lead_bits + encoding.native_frame_bits) // (8 * unit)) * unit
    if len(data) < needed:
        raise PixelDataError(f"{len(data)} bytes of pixel data found where {needed} are expected: it is cut short")
    raw = np.frombuffer(data, np.uint8, count=needed)
    if encoding.swaps_bytes_of_words:
        raw = raw.view(np.uint16).byteswap().view(np.uint8)
    if encoding.bits_allocated == 1:
        return unpack_bits(raw, encoding, lead_bits)
    count = encoding.native_frame_bits // encoding.bits_allocated
    cells = np.frombuffer(raw, encoding.dtype.newbyteorder(order), count=count, offset=lead_bits // 8)
    samples = np.empty(encoding.frame_shape, encoding.dtype) if out is None else out
    _fill(samples, cells, encoding)
    settle_cells(samples, encoding)
    return samples


def _fill(samples: np.ndarray, cells: np.ndarray, encoding: PixelEncoding) -> None:
    """Put each cell where its sample belongs."""
    if is_subsampled(encoding):
        # Two pixels share one pair of chrominance samples, which is repeated, not interpolated.
        pairs = cells.reshape(encoding.rows, encoding.columns // 2, 4)
        for first in (0, 1):
            samples[:, first::2, 0] = pairs[..., first]
            samples[:, first::2, 1:] = pairs[..., 2:]
    elif encoding.samples_per_pixel > 1 and encoding.planar_configuration == 1:
        for number, plane in enumerate(cells.reshape(-1, encoding.rows, encoding.columns)):
            samples[..., number] = plane
    else:
        samples.reshape(-1)[:] = cells
