"""Arrays with known values, and the bytes that native pixel data makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


def phantom(
    index: int, rows: int = 8, columns: int = 6, dtype: DTypeLike = np.int16, *, samples: int = 1, bits_stored: int | None = None
) -> Array:
    """Known values of frame `index`, shape `(rows, columns[, samples])`.

    `97 * index + (row * columns + column) * samples + sample`, modulo the range of `bits_stored` bits, so that every value
    differs from its neighbours and from the same place in other frames. Of a signed type, frames 1, 3, … are negative.
    Floats are the same numbers plus a quarter; booleans are 1 for every second group of three numbers.
    """
    dtype = np.dtype(dtype)
    shape = (rows, columns) if samples == 1 else (rows, columns, samples)
    values = 97 * index + np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    if dtype.kind == "b":
        return (values // 3 % 2).astype(dtype)
    if dtype.kind == "f":
        return (values + 0.25).astype(dtype)
    bits = bits_stored or 8 * dtype.itemsize
    half = 2 ** (bits - 1)
    if bits <= 32:
        values %= half if dtype.kind == "i" else 2 * half
    if dtype.kind == "i" and index % 2:
        values -= half
    return values.astype(dtype)


def phantoms(
    count: int, rows: int = 8, columns: int = 6, dtype: DTypeLike = np.int16, *, samples: int = 1, bits_stored: int | None = None
) -> Array:
    """Frames 0 to `count` of `phantom`, shape `(count, rows, columns[, samples])`."""
    return np.stack([phantom(index, rows, columns, dtype, samples=samples, bits_stored=bits_stored) for index in range(count)])


def native_bytes(
    frames: Array,
    *,
    photometric_interpretation: str = "MONOCHROME2",
    planar_configuration: int = 0,
    is_big_endian: bool = False,
    pixel_vr: str = "OW",
) -> bytes:
    """Value of native pixel data for `frames`, shape `(frames, rows, columns[, samples])`, padded to an even length (PS3.5 8.1).

    Booleans become one bit each, frames following each other without padding. Under YBR_FULL_422 the chrominance of the first of
    two pixels serves both. Under big-endian byte order words are swapped, also where 8-bit samples lie in OW.
    """
    if frames.dtype.kind == "b":
        data = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    else:
        if frames.ndim == 4 and photometric_interpretation.endswith("_422"):
            luminance, chrominance = frames[..., 0], frames[..., ::2, 1:]
            frames = np.concatenate([luminance[..., ::2, None], luminance[..., 1::2, None], chrominance], axis=-1)
        elif frames.ndim == 4 and planar_configuration == 1:
            frames = np.moveaxis(frames, -1, 1)
        data = frames.astype(frames.dtype.newbyteorder(">" if is_big_endian else "<")).tobytes()
    data += b"\0" * (len(data) % 2)
    if is_big_endian and pixel_vr == "OW" and frames.dtype.itemsize == 1:
        data = np.frombuffer(data, np.uint16).byteswap().tobytes()
    return data
