"""JPEG of all kinds that are read, and JPEG-LS (PS3.5 A.4.1, A.4.3)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from xdicom.errors import PixelDataError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.color import ColorStep, convert_color, jpeg_color_step
from xdicom.pixels.jpeg_stream import SOF_JPEG_LS, SOF_LOSSLESS, parse_jpeg
from xdicom.pixels.samples import join_planes, reinterpret_sign, settle_stream, shaped
from xdicom.pixels.streams import ALWAYS_BELIEVED, Buffer, StreamHeader, call_codec, check_growth, check_stream

MOST_OF_JPEG, MOST_OF_JPEG_LS = 2048, 1 << 18
"""The most samples that a byte of a stream can make."""


def decode_jpeg(data: Buffer, encoding: PixelEncoding, rows: int | None = None) -> np.ndarray:
    """JPEG: baseline, extended, progressive, lossless (PS3.5 A.4.1); not all below the first `rows` where that saves time."""
    stream = parse_jpeg(data)
    return decode_jpeg_stream(data, stream, encoding, jpeg_color_step(stream, encoding), rows)


def decode_jpeg_stream(data: Buffer, stream: StreamHeader, encoding: PixelEncoding, step: ColorStep, rows: int | None = None) -> np.ndarray:
    """The same of a stream whose header was read, with color samples as `step` says."""
    if stream.process == SOF_JPEG_LS:
        raise PixelDataError("a JPEG-LS stream lies where the transfer syntax says JPEG")
    check_stream(stream, encoding)
    check_growth(len(data), encoding, 8 if stream.process == SOF_LOSSLESS else MOST_OF_JPEG)
    rows = _rows_to_decode(stream, rows)
    if rows < stream.rows:
        data = b"".join((data[: stream.rows_at], rows.to_bytes(2, "big"), data[stream.rows_at + 2 :]))
    samples = call_codec(imagecodecs.jpeg8_decode, data, colorspace=step.of_stream, outcolorspace=step.of_samples)
    samples = shaped(samples, encoding, rows)
    if step.to_ybr:
        samples = convert_color(samples, stream.precision)
    samples = samples.view(encoding.dtype) if samples.dtype.itemsize == encoding.dtype.itemsize else samples.astype(encoding.dtype)
    # Lossless cells may hold other bits about the sample, as native ones do; lossy samples may overshoot Bits Stored.
    settle_stream(samples, encoding, stream.precision, masks=encoding.is_signed or stream.process == SOF_LOSSLESS)
    return samples


def _rows_to_decode(stream: StreamHeader, wanted: int | None) -> int:
    """Rows that a JPEG stream may say it has so that those `wanted` come out right.

    One more is needed, since subsampled chrominance is interpolated with that of the next row.
    """
    if wanted is None or not stream.rows_at:
        return stream.rows
    return max(1, min(wanted + 1, stream.rows))


def decode_jpeg_ls(data: Buffer, encoding: PixelEncoding) -> np.ndarray:
    """JPEG-LS, lossless and near-lossless, any interleaving; its streams know no sign (PS3.5 A.4.3)."""
    stream = parse_jpeg(data)
    if stream.process != SOF_JPEG_LS:
        raise PixelDataError("a JPEG stream lies where the transfer syntax says JPEG-LS")
    check_stream(stream, encoding)
    check_growth(len(data), encoding, MOST_OF_JPEG_LS, ALWAYS_BELIEVED)
    samples = call_codec(imagecodecs.jpegls_decode, data)
    if stream.components > 1 and not samples.flags.c_contiguous:  # planes, seen as pixels
        samples = join_planes(np.moveaxis(samples, -1, 0))
    samples = reinterpret_sign(shaped(samples, encoding), stream.precision, False, encoding.dtype)
    settle_stream(samples, encoding, stream.precision, masks=False)
    return samples
