"""A picture as the bytes of a PNG file (ISO/IEC 15948), with nothing but zlib."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def encode_png(pixels: np.ndarray) -> bytes:
    r"""PNG of `pixels`: uint8, shape `(height, width)` for gray or `(height, width, 3)` for RGB.

    Examples
    --------
    >>> encode_png(np.zeros((2, 3), np.uint8))[:4]
    b'\x89PNG'
    """
    height, width = pixels.shape[:2]
    step = 3 if pixels.ndim == 3 else 1
    line = np.ascontiguousarray(pixels, np.uint8).reshape(height, width * step)
    left, up = np.zeros_like(line), np.zeros_like(line)
    left[:, step:], up[1:] = line[:, :-step], line[:-1]
    mean = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
    filtered = np.stack([line, line - left, line - up, line - mean])
    cheapest = np.abs(filtered.view(np.int8).astype(np.int16)).sum(axis=2).argmin(axis=0)
    body = np.column_stack([cheapest.astype(np.uint8), filtered[cheapest, np.arange(height)]])
    header = struct.pack(">2I5B", width, height, 8, 2 if step == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(body.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
