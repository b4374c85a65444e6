"""Columns of numbers and texts as few bytes: graphs travel to schedulers, and what is regular need not travel."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import chain

import numpy as np

Packed = tuple[str, tuple[int, ...], bytes]
"""Type, shape and compressed bytes of an array."""


def pack_numbers(values: np.ndarray) -> Packed:
    """An array of integers as compressed differences: one that counts evenly takes a few bytes.

    Examples
    --------
    >>> kind, shape, data = pack_numbers(np.arange(0, 1_000_000, 10))
    >>> shape, len(data) < 10_000
    ((100000,), True)
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    return flat.dtype.str, values.shape, zlib.compress(np.diff(flat, prepend=flat.dtype.type(0)).tobytes(), 1)


def unpack_numbers(packed: Packed) -> np.ndarray:
    """The array that `pack_numbers` packed."""
    kind, shape, data = packed
    steps = np.frombuffer(zlib.decompress(data), kind)
    return np.cumsum(steps, dtype=steps.dtype).reshape(shape)


def pack_texts(texts: Sequence[str]) -> tuple[bytes, bytes]:
    """Texts as compressed bytes, and their lengths."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = np.array([len(part) for part in parts], np.int32)
    return zlib.compress(b"".join(parts), 1), zlib.compress(lengths.tobytes(), 1)


def unpack_texts(packed: tuple[bytes, bytes]) -> tuple[str, ...]:
    """The texts that `pack_texts` packed."""
    data, ends = zlib.decompress(packed[0]), np.cumsum(np.frombuffer(zlib.decompress(packed[1]), np.int32)).tolist()
    return tuple(data[start:end].decode("utf-8", "surrogatepass") for start, end in zip(chain([0], ends), ends, strict=False))
