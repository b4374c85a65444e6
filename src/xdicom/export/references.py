"""The frames of an array as byte ranges that Zarr can read as chunks, where they lie."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import BytesCodec, TransposeCodec

from xdicom.errors import InconsistentSeriesError, PixelDataError, SourceError, UnsupportedEncodingError
from xdicom.export.frame_codec import FrameCodec
from xdicom.export.unchanged import check_unchanged
from xdicom.export.zarr_labels import labels_text
from xdicom.labeled.origins import locate_frames
from xdicom.labeled.parameters import STORED
from xdicom.model.encoding import DEFLATED_LITTLE_ENDIAN, PixelEncoding
from xdicom.model.frames import FrameTable
from xdicom.pixels.samples import is_subsampled
from xdicom.pixels.support import check_supported
from xdicom.sources.chain import Span, split_chain
from xdicom.sources.dicomweb import PREFIX as DICOMWEB

_PLANE = ("y", "x", "sample")


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """Where each chunk of an array lies, and what turns its bytes into values."""

    urls: tuple[str, ...]
    """Sources: absolute local paths and URLs."""
    stamps: tuple[str, ...]
    """Change marker of each source, empty where unknown."""
    source: np.ndarray
    """Number of each chunk's source, -1 where the chunk is zero by definition; int32, shape of the grid of chunks."""
    offset: np.ndarray
    """First byte of each chunk; int64, the same shape."""
    length: np.ndarray
    """Bytes of each chunk; int64, the same shape."""
    chunk_shape: tuple[int, ...]
    """Shape of a chunk."""
    filters: tuple[TransposeCodec, ...]
    """Codecs from arrays to arrays."""
    serializer: BytesCodec | FrameCodec
    """Codec from arrays to bytes."""
    fill_value: int = 0
    """Value where no chunk is."""

    @property
    def encoding(self) -> dict[str, Any]:
        """What xarray takes as the encoding of the array."""
        codecs = {"chunks": self.chunk_shape, "filters": list(self.filters), "serializer": self.serializer, "compressors": []}
        return codecs | ({"fill_value": self.fill_value} if self.fill_value else {})


def references_of(array: xr.DataArray) -> References:
    """Byte ranges of the frames of an array of stored values, as it was opened or selected across frames.

    Parameters
    ----------
    array
        `stored_values` whose series was opened in this process, with its frames whole.

    Raises
    ------
    SourceError
        If the array was not opened in this process, or holds other values than its frames.
    InconsistentSeriesError
        If frames differ in their encoding: Zarr has one codec for an array.
    UnsupportedEncodingError
        If frames are no byte ranges: deflated transfer syntax, members of compressed archives, tiles of mosaics, native
        frames that begin within a byte and are not in their order.
    PixelDataError
        If a frame has no bytes.
    """
    found = locate_frames(array) if array.name == STORED else None
    if found is None:
        raise SourceError(
            f"{array.name!r} can't be traced to frames in files: references are made of stored values as open_series() gives them, "
            "in the process that opened them, and of instances that have a SOP Instance UID"
        )
    frames, rows = found
    encodings = encodings_of(frames, rows)
    _check_planes(array, encodings[0], frames, rows)
    references = _references(array, frames, rows, encodings)
    check_unchanged(array, frames, rows, encodings[0])
    return references


def fingerprint_of_references(array: xr.DataArray, references: References) -> str:
    """Digest of the labels of a portable array, and of where each of its chunks lies in sources of which state."""
    digest = hashlib.sha256(labels_text(array).encode())
    digest.update("\n".join(references.stamps).encode())
    for column in (references.source, references.offset, references.length):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def encodings_of(frames: FrameTable, rows: np.ndarray) -> tuple[PixelEncoding, ...]:
    """The encodings of the frames: one, or a native and an encapsulated one."""
    instances = np.unique(frames.instance[np.unique(rows[rows >= 0])])
    used: list[PixelEncoding] = list(
        dict.fromkeys(frames.instances.encodings[code] for code in frames.instances.encoding[instances].tolist())
    )
    if not used:
        raise SourceError("the array has no frames to refer to")
    if len(used) > 2 or len({encoding.is_encapsulated for encoding in used}) != len(used):
        differ = [name for name in PixelEncoding.__slots__ if len({getattr(encoding, name) for encoding in used}) > 1]
        raise InconsistentSeriesError(
            f"frames have {len(used)} encodings, which differ in {', '.join(differ)}, and a codec of Zarr tells but a native from an "
            "encapsulated one: select the frames of one, or copy them with .dicom.to_zarr()"
        )
    for encoding in used:
        if encoding.transfer_syntax_uid == DEFLATED_LITTLE_ENDIAN:
            raise UnsupportedEncodingError(
                f"frames in the deflated transfer syntax ({DEFLATED_LITTLE_ENDIAN}) are no ranges of their files: "
                "copy them with .dicom.to_zarr()"
            )
        check_supported(encoding)
    return tuple(used)


def _check_planes(array: xr.DataArray, encoding: PixelEncoding, frames: FrameTable, rows: np.ndarray) -> None:
    planes = tuple(array.sizes[dim] for dim in array.dims if dim in _PLANE)
    if planes != encoding.frame_shape or array.dtype != encoding.dtype or tuple(array.dims[rows.ndim :]) != _PLANE[: len(planes)]:
        raise UnsupportedEncodingError(
            f"planes of {' x '.join(map(str, planes))} are no whole frames of {' x '.join(map(str, encoding.frame_shape))} "
            "(tiles of a mosaic, or a part of them): copy them with .dicom.to_zarr()"
        )
    if (rows >= 0).any() and (frames.length[rows[rows >= 0]] <= 0).any():
        raise PixelDataError("some frames have no bytes: a source was cut short")


def _references(array: xr.DataArray, frames: FrameTable, rows: np.ndarray, encodings: tuple[PixelEncoding, ...]) -> References:
    encoding = encodings[0]
    group = _frames_per_chunk(frames, rows, encodings)
    first, last = _ends(rows, group)
    row = np.maximum(first, 0)
    urls, shifts, stamps = [], [], []
    for url, stamp in zip(frames.instances.urls, frames.instances.stamps, strict=True):
        outer, shift = direct_source(url)
        urls.append(outer)
        shifts.append(shift)
        stamps.append(stamp)
    instance = frames.instance[row]
    offset = frames.offset[row] + np.array(shifts, np.int64)[instance]
    end = frames.offset[np.maximum(last, 0)] + frames.length[np.maximum(last, 0)] + np.array(shifts, np.int64)[instance]
    shape = (*first.shape, *(1,) * len(encoding.frame_shape))
    filters, serializer = codecs_of(array.ndim, frames, rows, encodings)
    return References(
        urls=tuple(urls),
        stamps=tuple(stamps),
        source=np.where(first >= 0, instance, -1).astype(np.int32).reshape(shape),
        offset=offset.reshape(shape),
        length=(end - offset).reshape(shape),
        chunk_shape=(*(1,) * (rows.ndim - 1), *((group,) if rows.ndim else ()), *encoding.frame_shape),
        filters=filters,
        serializer=serializer,
    )


def _frames_per_chunk(frames: FrameTable, rows: np.ndarray, encodings: tuple[PixelEncoding, ...]) -> int:
    """Frames that begin and end on a byte together.

    Raises
    ------
    UnsupportedEncodingError
        If such frames do not follow each other along the last axis.
    """
    encoding = next((each for each in encodings if not each.is_encapsulated), None)
    numbers = np.unique(frames.frame_number[rows[rows >= 0]]).tolist()
    if encoding is None or all(encoding.lead_bits(number) == 0 for number in numbers):
        return 1
    unit = 16 if encoding.swaps_bytes_of_words else 8
    group = unit // gcd(unit, encoding.native_frame_bits)
    number, instance = frames.frame_number[np.maximum(rows, 0)], frames.instance[np.maximum(rows, 0)]
    steps = np.arange(rows.shape[-1]) if rows.ndim else np.zeros(1, int)
    starts = steps // group * group
    in_order = len(encodings) == 1 and rows.ndim and (rows >= 0).all() and (instance == instance[..., starts]).all()
    if not in_order or ((number - 1) % group != steps % group).any() or (number - number[..., starts] != steps - starts).any():
        raise UnsupportedEncodingError(
            f"frames of {encoding.native_frame_bits} bits begin within a byte, {group} of them share whole ones, and here they are not in "
            "their order: copy them with .dicom.to_zarr()"
        )
    return group


def _ends(rows: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last frame of each chunk."""
    if group == 1:
        return rows, rows
    starts = np.arange(0, rows.shape[-1], group)
    return rows[..., starts], rows[..., np.minimum(starts + group, rows.shape[-1]) - 1]


def direct_source(url: str) -> tuple[str, int]:
    """The source that a url takes its bytes from, and where they begin in it.

    Raises
    ------
    UnsupportedEncodingError
        If they lie in it compressed.
    """
    links, outer = split_chain(url)
    if outer.startswith(DICOMWEB):
        raise UnsupportedEncodingError(f"{url}: a DICOMweb server has no byte ranges to refer to: copy the frames with .dicom.to_zarr()")
    shift = 0
    for link in links:
        if not isinstance(link, Span):
            raise UnsupportedEncodingError(
                f"{url} lies compressed in its source and has no byte range there: unpack it, or copy it with .dicom.to_zarr()"
            )
        shift += link.offset
    return outer, shift


def codecs_of(
    dimensions: int, frames: FrameTable, rows: np.ndarray, encodings: tuple[PixelEncoding, ...]
) -> tuple[tuple[TransposeCodec, ...], BytesCodec | FrameCodec]:
    """Zarr's own codecs where they say exactly what the frames are, so that anyone can read them; else ours."""
    encoding = encodings[0]
    is_plain = (
        len(encodings) == 1
        and not encoding.is_encapsulated
        and not is_subsampled(encoding)
        and not encoding.swaps_bytes_of_words
        and encoding.bits_allocated == encoding.dtype.itemsize * 8
        and (encoding.dtype.kind == "f" or (encoding.bits_stored == encoding.bits_allocated == encoding.high_bit + 1))
        and (frames.length[rows[rows >= 0]] * 8 == encoding.native_frame_bits).all()
    )
    if not is_plain:
        return (), FrameCodec(encodings)
    plain = BytesCodec() if encoding.dtype.itemsize == 1 else BytesCodec(endian="big" if encoding.is_big_endian else "little")
    if encoding.samples_per_pixel == 1 or encoding.planar_configuration == 0:
        return (), plain
    y = dimensions - 3
    return (TransposeCodec(order=(*range(y), y + 2, y, y + 1)),), plain
