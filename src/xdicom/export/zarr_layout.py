"""How an array is cut into chunks and shards, and with which codec, before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from zarr.codecs import BloscCodec

Layout = Literal["frames", "volume"]
"""`frames`: one frame a chunk, for reading as DICOM does. `volume`: blocks, for cuts across the frames."""
Sizes = Mapping[str, int] | Literal["auto"] | None
"""Lengths by dimension, `"auto"`, or None for none."""

FRAMES_PER_SHARD = 64
"""Frames that one object in the store holds: 64 frames of 512 x 512 x 16 bits are 34 MB."""
MAX_SHARD_BYTES = 256 * 2**20
"""A task holds a shard in memory, uncompressed."""
MAX_CHUNK_BYTES = 64 * 2**20
"""A reader holds a chunk in memory; frames above this are cut, and Blosc takes no more than 2 GiB."""
VOLUME_CHUNK = (32, 128, 128)
"""Slices, rows and columns of a chunk of the layout `volume`: cuts across the slices are 5 times as fast as from frames."""
VOLUME_SHARD = (64, 512, 512)
"""And of its shards."""
_PLANE = ("y", "x", "sample")


def chunk_shape(
    dims: Sequence[str], shape: Sequence[int], dtype: np.dtype[Any], chunks: Mapping[str, int] | None = None, layout: Layout = "frames"
) -> tuple[int, ...]:
    """Length of a chunk along each dimension.

    Parameters
    ----------
    dims, shape, dtype
        Of the array.
    chunks
        What a person wants, by dimension; -1 is all of it. The layout fills in what is not named.
    layout
        One frame a chunk, or blocks of 32 x 128 x 128.

    Raises
    ------
    ValueError
        If `chunks` names another dimension or is no length, or `layout` is unknown.

    Examples
    --------
    >>> chunk_shape(("z", "y", "x"), (200, 512, 512), np.dtype("i2"))
    (1, 512, 512)
    >>> chunk_shape(("z", "y", "x"), (200, 512, 512), np.dtype("i2"), layout="volume")
    (32, 128, 128)
    """
    if layout not in ("frames", "volume"):
        raise ValueError(f"layout is 'frames' or 'volume', not {layout!r}")
    wanted = {} if chunks is None else _check_sizes("chunks", chunks, dims)
    plane = _plane_axes(dims)
    lengths = [size if axis in plane else 1 for axis, size in enumerate(shape)]
    if layout == "volume":
        for axis, length in zip(_volume_axes(dims), VOLUME_CHUNK, strict=False):
            lengths[axis] = min(length, shape[axis])
    while math.prod(lengths) * dtype.itemsize > MAX_CHUNK_BYTES:
        longest = max(range(len(lengths)), key=lengths.__getitem__)
        lengths[longest] = -(-lengths[longest] // 2)
    for name, length in wanted.items():
        axis = dims.index(name)
        lengths[axis] = max(1, shape[axis] if length == -1 else min(length, shape[axis]))
    return tuple(max(1, length) for length in lengths)


def shard_shape(
    dims: Sequence[str], shape: Sequence[int], dtype: np.dtype[Any], chunk: Sequence[int], shards: Sizes = "auto", layout: Layout = "frames"
) -> tuple[int, ...] | None:
    """Length of a shard along each dimension, a multiple of the chunk's; None where chunks lie in the store by themselves.

    Parameters
    ----------
    dims, shape, dtype, chunk, layout
        Of the array, as for and from `chunk_shape`.
    shards
        What a person wants, by dimension; -1 is all of it. `"auto"`: 64 frames, fewer where they would be above 256 MiB or
        the array has fewer. None: no shards.

    Raises
    ------
    ValueError
        If `shards` names another dimension, or is no multiple of the chunk.

    Examples
    --------
    >>> shard_shape(("z", "y", "x"), (200, 512, 512), np.dtype("i2"), (1, 512, 512))
    (64, 512, 512)
    >>> shard_shape(("time", "z", "y", "x"), (40, 20, 64, 64), np.dtype("i2"), (1, 1, 64, 64))
    (3, 20, 64, 64)
    """
    if shards is None:
        return None
    whole = [length * -(-size // length) if size else length for length, size in zip(chunk, shape, strict=True)]
    if shards != "auto":
        lengths = list(chunk)
        for name, length in _check_sizes("shards", shards, dims).items():
            axis = dims.index(name)
            lengths[axis] = whole[axis] if length == -1 else length
        uneven = [f"{name} {length} / {part}" for name, length, part in zip(dims, lengths, chunk, strict=True) if length % part]
        if uneven:
            raise ValueError(f"a shard holds whole chunks, but these are no multiples (dimension, shard / chunk): {', '.join(uneven)}")
    else:
        lengths = _automatic_shards(dims, whole, dtype, chunk, layout)
    return None if tuple(lengths) == tuple(chunk) else tuple(lengths)


def _automatic_shards(dims: Sequence[str], whole: list[int], dtype: np.dtype[Any], chunk: Sequence[int], layout: Layout) -> list[int]:
    lengths, budget = list(chunk), MAX_SHARD_BYTES // dtype.itemsize
    if layout == "volume":
        for axis, length in zip(_volume_axes(dims), VOLUME_SHARD, strict=False):
            lengths[axis] = min(whole[axis], chunk[axis] * max(1, length // chunk[axis]))
        return lengths
    plane = _plane_axes(dims)
    for axis in plane:
        lengths[axis] = whole[axis] if math.prod(lengths) // lengths[axis] * whole[axis] <= budget else lengths[axis]
    for axis in reversed([axis for axis in range(len(dims)) if axis not in plane]):
        frames = math.prod(lengths[other] for other in range(len(dims)) if other not in plane)
        room = min(FRAMES_PER_SHARD // frames, budget // max(1, math.prod(lengths)))
        lengths[axis] = min(whole[axis], chunk[axis] * max(1, room))
        if lengths[axis] < whole[axis]:
            break
    return lengths


def compressors_of(codecs: Any, dtype: np.dtype[Any], zarr_format: int) -> Any:
    """What turns a chunk's bytes into fewer, as `zarr.Group.create_array` takes it.

    `"auto"` is Blosc with Zstandard level 1 behind a byte shuffle: for CT and MR faster and smaller than Zstandard alone.
    """
    if not isinstance(codecs, str):
        return codecs
    if codecs != "auto":
        raise ValueError(f"codecs is 'auto', 'original', None or compressors as zarr takes them, not {codecs!r}")
    if zarr_format == 2:
        return {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": 1, "blocksize": 0}
    return BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", typesize=dtype.itemsize)


def _plane_axes(dims: Sequence[str]) -> tuple[int, ...]:
    """Axes of one frame: y, x and sample where there are any, else the last two."""
    named = tuple(axis for axis, name in enumerate(dims) if name in _PLANE)
    return named or tuple(range(max(0, len(dims) - 2), len(dims)))


def _volume_axes(dims: Sequence[str]) -> tuple[int, ...]:
    """Axes of slices, rows and columns."""
    plane = [axis for axis in _plane_axes(dims) if dims[axis] != "sample"]
    across = [axis for axis in range(len(dims)) if axis not in plane and dims[axis] != "sample"]
    return (*across[-1:], *plane) if across else ()


def _check_sizes(what: str, sizes: Mapping[str, int], dims: Sequence[str]) -> Mapping[str, int]:
    if not hasattr(sizes, "items"):
        raise ValueError(f"{what} is a mapping from dimension to length, not {sizes!r}")
    unknown = [name for name in sizes if name not in dims]
    if unknown:
        raise ValueError(f"{what} names {', '.join(map(repr, unknown))}; the dimensions are {', '.join(dims)}")
    wrong = [f"{name}: {size!r}" for name, size in sizes.items() if size < 1 and size != -1]
    if wrong:
        raise ValueError(f"{what} has lengths of 1 or more, or -1 for all, not {', '.join(wrong)}")
    return sizes
