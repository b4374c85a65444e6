"""Frames as encoded streams, and streams as encapsulated pixel data."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby

import imagecodecs
import numpy as np

from builders.samples import Array

ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"

TRANSFER_SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "native": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big_endian": "1.2.840.10008.1.2.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg_extended": "1.2.840.10008.1.2.4.51",
    "jpeg_lossless_p14": "1.2.840.10008.1.2.4.57",
    "jpeg_lossless": "1.2.840.10008.1.2.4.70",
    "jpegls": "1.2.840.10008.1.2.4.80",
    "jpegls_near": "1.2.840.10008.1.2.4.81",
    "j2k": "1.2.840.10008.1.2.4.90",
    "j2k_lossy": "1.2.840.10008.1.2.4.91",
    "jpegxl": "1.2.840.10008.1.2.4.110",
    "jpegxl_lossy": "1.2.840.10008.1.2.4.112",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "htj2k_rpcl": "1.2.840.10008.1.2.4.202",
    "htj2k_lossy": "1.2.840.10008.1.2.4.203",
    "deflated_frame": "1.2.840.10008.1.2.8.1",
    "mpeg2": "1.2.840.10008.1.2.4.100",
    "h264": "1.2.840.10008.1.2.4.102",
    "hevc": "1.2.840.10008.1.2.4.107",
}
"""UID of each transfer syntax by the short name that the builders take."""

NATIVE = frozenset({"implicit", "native", "deflated", "big_endian"})
"""Names of the transfer syntaxes whose pixel data is not encapsulated."""


def encode_frame(frame: Array, syntax: str, bits_stored: int, photometric_interpretation: str = "MONOCHROME2") -> bytes:
    """One frame, shape `(rows, columns[, samples])`, as a stream of the transfer syntax with the short name `syntax`.

    Samples are in the colour space that `photometric_interpretation` names, and stay in it (JPEG); for YBR_RCT and YBR_ICT they
    are RGB and the codec transforms them (JPEG 2000), as decoders undo it. YBR_FULL_422 subsamples the chrominance.
    """
    return ENCODERS[syntax](frame, bits_stored, photometric_interpretation)


def encode_rle(frame: Array) -> bytes:
    """RLE stream: one segment for each byte of each sample, most significant first; rows by themselves (PS3.5 annex G)."""
    samples = frame.reshape(*frame.shape[:2], -1)
    if samples.dtype.kind == "b":  # one bit each, packed before it is run-length coded
        samples = np.packbits(samples.reshape(-1), bitorder="little").reshape(1, -1, 1)
        frame = samples[..., 0]
    cells = samples.astype(samples.dtype.newbyteorder(">")).view(np.uint8).reshape(*samples.shape, -1)
    planes = np.moveaxis(cells, (2, 3), (0, 1)).reshape(-1, *frame.shape[:2])
    segments = [b"".join(_pack_bits(row.tobytes()) for row in plane) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = 64 + np.cumsum([0, *map(len, segments[:-1])])
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def _pack_bits(data: bytes) -> bytes:
    """`data` as runs (257 - n, value) and literals (n - 1, values) of at most 128 bytes (PS3.5 G.3.1)."""
    packed, literal = bytearray(), bytearray()

    def flush() -> None:
        for start in range(0, len(literal), 128):
            part = literal[start : start + 128]
            packed.extend((len(part) - 1, *part))
        literal.clear()

    for value, equal in groupby(data):
        count = len(list(equal))
        while count > 2:
            flush()
            length = min(count, 128)
            packed.extend((257 - length, value))
            count -= length
        literal.extend([value] * count)
    flush()
    return bytes(packed)


def _unsigned(frame: Array, bits_stored: int) -> Array:
    """The low `bits_stored` bits of each sample, for codecs that know no sign."""
    cells = np.ascontiguousarray(frame).view(f"u{frame.dtype.itemsize}")
    low: Array = np.bitwise_and(cells, 2**bits_stored - 1)
    return low


def _encode_rle(frame: Array, bits_stored: int, photometric: str) -> bytes:
    return encode_rle(frame)


def _encode_jpeg(frame: Array, bits_stored: int, photometric: str) -> bytes:
    if frame.ndim == 2:
        return bytes(imagecodecs.jpeg_encode(_unsigned(frame, bits_stored), 95, bitspersample=bits_stored))
    space = "RGB" if photometric == "RGB" else "YCBCR"
    subsampling = "422" if photometric.endswith("_422") else "444"
    return bytes(imagecodecs.jpeg_encode(frame, 95, colorspace=space, outcolorspace=space, subsampling=subsampling))


def _encode_jpeg_lossless(frame: Array, bits_stored: int, photometric: str, *, predictor: int) -> bytes:
    values = _unsigned(frame, bits_stored)
    space = None if frame.ndim == 2 else "RGB"  # any three samples: no colour transform is lossless
    return bytes(
        imagecodecs.jpeg_encode(
            values, colorspace=space, outcolorspace=space, lossless=True, predictor=predictor, bitspersample=bits_stored
        )
    )


def _encode_jpegls(frame: Array, bits_stored: int, photometric: str, *, near: int) -> bytes:
    # This encoder writes the whole width of the type as precision, so signed samples keep their sign bits above High Bit.
    return bytes(imagecodecs.jpegls_encode(_unsigned(frame, 8 * frame.dtype.itemsize), near))


def _encode_jpeg2000(frame: Array, bits_stored: int, photometric: str, *, level: int | None) -> bytes:
    values = frame.astype(np.uint8) if frame.dtype.kind == "b" else frame
    has_transform = photometric in ("YBR_RCT", "YBR_ICT")
    return bytes(
        imagecodecs.jpeg2k_encode(values, level, codecformat="j2k", bitspersample=bits_stored, reversible=level is None, mct=has_transform)
    )


def _encode_htj2k(frame: Array, bits_stored: int, photometric: str, *, level: float | None, has_lengths: bool) -> bytes:
    has_transform = photometric in ("YBR_RCT", "YBR_ICT")
    return bytes(imagecodecs.htj2k_encode(frame, level, rgb=has_transform, reversible=level is None, tlm=has_lengths))


def _encode_jpegxl(frame: Array, bits_stored: int, photometric: str, *, distance: float | None) -> bytes:
    values = _unsigned(frame, bits_stored)
    return bytes(imagecodecs.jpegxl_encode(values, distance=distance, lossless=distance is None, bitspersample=bits_stored))


def _encode_deflated(frame: Array, bits_stored: int, photometric: str) -> bytes:
    """Raw deflate of the native frame; booleans one bit each."""
    data = np.packbits(frame.reshape(-1), bitorder="little").tobytes() if frame.dtype.kind == "b" else frame.tobytes()
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODERS: dict[str, Callable[[Array, int, str], bytes]] = {
    "rle": _encode_rle,
    "jpeg": _encode_jpeg,
    "jpeg_extended": _encode_jpeg,
    "jpeg_lossless_p14": partial(_encode_jpeg_lossless, predictor=4),
    "jpeg_lossless": partial(_encode_jpeg_lossless, predictor=1),
    "jpegls": partial(_encode_jpegls, near=0),
    "jpegls_near": partial(_encode_jpegls, near=2),
    "j2k": partial(_encode_jpeg2000, level=None),
    "j2k_lossy": partial(_encode_jpeg2000, level=60),
    "jpegxl": partial(_encode_jpegxl, distance=None),
    "jpegxl_lossy": partial(_encode_jpegxl, distance=0.5),
    "htj2k": partial(_encode_htj2k, level=None, has_lengths=False),
    "htj2k_rpcl": partial(_encode_htj2k, level=None, has_lengths=True),
    "htj2k_lossy": partial(_encode_htj2k, level=0.001, has_lengths=False),
    "deflated_frame": _encode_deflated,
}
"""Encoder of each encapsulated transfer syntax: `(frame, bits_stored, photometric_interpretation) -> stream`."""


def encapsulate(frames: Sequence[bytes], fragments_per_frame: int = 1, table: str | Sequence[int] = "basic") -> bytes:
    """Value of encapsulated pixel data, without the sequence delimiter that a writer puts behind it (PS3.5 A.4).

    Parameters
    ----------
    frames
        One encoded stream for each frame.
    fragments_per_frame
        Fragments that each stream is cut into, all of even length.
    table
        "basic" fills the Basic Offset Table; "extended" and "none" leave it empty; numbers are written as they are.
    """
    frame_items = [_items(frame, fragments_per_frame) for frame in frames]
    if table == "basic":
        offsets = np.cumsum([0, *map(len, frame_items[:-1])]).tolist()
    else:
        offsets = [] if isinstance(table, str) else list(table)
    return ITEM + struct.pack(f"<I{len(offsets)}I", 4 * len(offsets), *offsets) + b"".join(frame_items)


def extended_offset_table(frames: Sequence[bytes], fragments_per_frame: int = 1) -> tuple[bytes, bytes]:
    """Values of Extended Offset Table and Extended Offset Table Lengths for `frames` (PS3.3 C.7.6.3.1.8)."""
    starts = np.cumsum([0, *(len(_items(frame, fragments_per_frame)) for frame in frames[:-1])])
    lengths = np.array([len(frame) for frame in frames])
    return starts.astype("<u8").tobytes(), lengths.astype("<u8").tobytes()


def _items(stream: bytes, count: int) -> bytes:
    """`stream` as `count` items of even length."""
    stream += b"\0" * (len(stream) % 2)
    step = -(-len(stream) // count)
    step += step % 2
    parts = [stream[start : start + step] for start in range(0, len(stream), step)]
    return b"".join(ITEM + struct.pack("<I", len(part)) + part for part in parts)
