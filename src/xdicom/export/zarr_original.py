"""Frames into the chunks of a Zarr store as they lie in DICOM files: code streams are moved, not decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from xdicom.errors import PixelDataError
from xdicom.export.fingerprint import fingerprint_of
from xdicom.export.references import References
from xdicom.export.slide_references import references_of
from xdicom.export.zarr_labels import write_labels
from xdicom.export.zarr_layout import shard_shape
from xdicom.export.zarr_marks import is_labelled, mark
from xdicom.export.zarr_values import Form, Written, is_stored, progress_of, stored_keys, values_of
from xdicom.lazy.blocks import Place, Report, over_blocks
from xdicom.lazy.cells import from_cells
from xdicom.sources.ranges import read_many_into

_NOTHING = 2**64 - 1
"""Offset and length of a chunk that a shard has not."""


def write_original_array(group: zarr.Group, array: xr.DataArray, form: Form, *, resume: bool, progress: bool | Report) -> Written:
    """Write a portable array of stored values and its labels into a group, its frames as they are, and mark it as whole.

    Raises
    ------
    SourceError
        If what is there to resume was made of something else, or as `references.references_of`.
    InconsistentSeriesError, UnsupportedEncodingError, PixelDataError
        As `references.references_of`.
    ValueError
        If other chunks than frames are asked for.
    """
    references = references_of(array)
    name, fingerprint = str(array.name), fingerprint_of(array)
    if not (resume and is_labelled(group, name, fingerprint)):
        encoding = original_encoding(array, references, form)
        mark(group, name, fingerprint=fingerprint, state="labels")
        write_labels(group, array, encoding, fingerprint=fingerprint, state="values")
    written = write_original(values_of(group, name), references, resume=resume, progress=progress)
    mark(group, name, fingerprint=fingerprint, state="complete")
    return written


def original_encoding(array: xr.DataArray, references: References, form: Form) -> dict[str, Any]:
    """What xarray takes as the encoding of an array whose chunks are its frames as they are.

    Raises
    ------
    ValueError
        If other chunks are asked for.
    """
    if form.chunks is not None or form.layout != "frames":
        raise ValueError("codecs='original' keeps frames as they are, and each is a chunk: leave chunks= and layout= out")
    shard = shard_shape(tuple(map(str, array.dims)), array.shape, array.dtype, references.chunk_shape, form.shards)
    return references.encoding if shard is None else {**references.encoding, "shards": shard}


def write_original(target: zarr.Array[Any], references: References, *, resume: bool, progress: bool | Report) -> Written:
    """Write the bytes of all chunks, one task for each shard (or for each chunk, where there are none)."""
    step = target.shards or target.chunks
    inner = tuple(whole // part for whole, part in zip(step, references.chunk_shape, strict=True))
    grid = tuple(-(-size // whole) for size, whole in zip(target.shape, step, strict=True))
    cells = _Shards(references, inner, target)
    blocks = from_cells(
        _write_shard, cells, tuple((1,) * count for count in grid), (), np.dtype(np.int64), name="original", token=uuid4().hex
    )
    numbers = list(np.ndindex(grid))
    wanted = numbers
    if resume:
        there = stored_keys(target.store, target.path)
        wanted = [number for number in numbers if not is_stored(target, _place(number, step), there)]
    with progress_of(progress, f"moving {target.basename}", "shards") as report:
        sizes = over_blocks(_size, blocks, wanted, report)
    return Written(len(wanted), len(numbers) - len(wanted), sum(sizes))


def _place(number: tuple[int, ...], step: tuple[int, ...]) -> Place:
    return tuple(slice(i * length, (i + 1) * length) for i, length in zip(number, step, strict=True))


def _size(block: np.ndarray, place: Place) -> int:  # noqa: ARG001
    return int(block.sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Shard:
    """Where the chunks of one shard lie, and where it goes."""

    urls: tuple[str, ...]
    stamps: tuple[str, ...]
    source: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    store: Store
    key: str
    has_index: bool
    shape: tuple[int, ...]


class _Shards:
    """The shards of an array, of which one is cut."""

    def __init__(self, references: References, inner: tuple[int, ...], target: zarr.Array[Any]) -> None:
        self.references, self.inner, self.target = references, inner, target

    def block(self, place: tuple[slice, ...]) -> _Shard:
        """The shard at a place of the grid of shards."""
        number = tuple(part.start for part in place)
        refs, cut = self.references, tuple(slice(i * n, (i + 1) * n) for i, n in zip(number, self.inner, strict=True))
        source = np.full(self.inner, -1, np.int32)
        offset, length = np.zeros(self.inner, np.int64), np.zeros(self.inner, np.int64)
        there = refs.source[cut]
        here = tuple(slice(0, n) for n in there.shape)
        source[here], offset[here], length[here] = there, refs.offset[cut], refs.length[cut]
        used, codes = np.unique(source, return_inverse=True)
        codes = codes.reshape(source.shape).astype(np.int32)
        if used[0] < 0:
            used, codes = used[1:], codes - 1
        path, key = self.target.path, self.target.metadata.encode_chunk_key(number)
        return _Shard(
            tuple(refs.urls[i] for i in used), tuple(refs.stamps[i] for i in used), codes, offset, length,
            self.target.store, f"{path}/{key}" if path else key, self.target.shards is not None, (1,) * len(number),
        )  # fmt: skip


def _write_shard(shard: _Shard) -> np.ndarray:
    """Read the bytes of the chunks of a shard, each into its place, and write them to the store; how many there were."""
    source, lengths = shard.source.reshape(-1), np.where(shard.source >= 0, shard.length, 0).reshape(-1)
    ends, index = np.cumsum(lengths), _index(lengths) if shard.has_index else b""
    total = int(ends[-1])
    data = np.empty(total + len(index), np.uint8)
    data[total:] = np.frombuffer(index, np.uint8)
    there = np.flatnonzero(lengths)
    places = [data[end - length : end] for end, length in zip(ends[there].tolist(), lengths[there].tolist(), strict=True)]
    urls, stamps = [shard.urls[i] for i in source[there]], [shard.stamps[i] for i in source[there]]
    counts = read_many_into(urls, shard.offset.reshape(-1)[there], places, stamps)
    for url, count, place in zip(urls, counts, places, strict=True):
        if count < len(place):
            raise PixelDataError(f"a frame should have {len(place)} bytes, {count} are there: the source is cut short (in {url})")
    if len(data):
        sync(shard.store.set(shard.key, default_buffer_prototype().buffer.from_array_like(data)))
    return np.full(shard.shape, total, np.int64)


def _index(lengths: np.ndarray) -> bytes:
    """Index of a shard, as the codec `sharding_indexed` has it: offset and length of each chunk, and their checksum."""
    sizes = lengths.astype(np.uint64)
    offsets = np.concatenate([np.zeros(1, np.uint64), np.cumsum(sizes)[:-1]])
    entries = np.where(sizes[:, None] > 0, np.stack([offsets, sizes], axis=1), np.uint64(_NOTHING)).astype("<u8").tobytes()
    return entries + crc32c(entries).to_bytes(4, "little")


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Castagnoli's checksum (RFC 3720 B.4), for a few thousand bytes.

    Examples
    --------
    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
