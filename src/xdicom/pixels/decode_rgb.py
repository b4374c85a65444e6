"""One frame's bytes to red, green and blue, with the conversion left to the decoder where it gives the same in less time."""

from __future__ import annotations

from functools import partial

import numpy as np

from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.codecs_jpeg import decode_jpeg_stream
from xdicom.pixels.color import TO_RGB, jpeg_color_step, stored_photometric_interpretation
from xdicom.pixels.decode import decode_by, decode_frame, join_fragments
from xdicom.pixels.jpeg_stream import parse_jpeg
from xdicom.transforms.color import to_rgb

_LOSSY_JPEG = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})


def decode_rgb(data: bytes | memoryview, encoding: PixelEncoding, frame_number: int = 1, *, rows: int | None = None) -> np.ndarray:
    """Red, green and blue of one frame of color samples: level by level `to_rgb` of its stored values.

    Parameters and errors are those of `decode.decode_frame`.
    """
    if encoding.transfer_syntax_uid in _LOSSY_JPEG and encoding.photometric_interpretation in _YBR_FULL and encoding.bits_stored == 8:
        return decode_by(partial(_decode_jpeg, rows=rows), data, encoding, frame_number)
    return _converted(decode_frame(data, encoding, frame_number, rows=rows), encoding)


def _decode_jpeg(data: bytes | memoryview, encoding: PixelEncoding, *, rows: int | None) -> np.ndarray:
    """The same of a JPEG, whose decoder converts what the stream itself calls YCbCr."""
    data = join_fragments(data)
    stream = parse_jpeg(data)
    if stream.color_space == "YBR":
        return decode_jpeg_stream(data, stream, encoding, TO_RGB, rows)
    return _converted(decode_jpeg_stream(data, stream, encoding, jpeg_color_step(stream, encoding), rows), encoding)


def _converted(stored: np.ndarray, encoding: PixelEncoding) -> np.ndarray:
    return to_rgb(stored, stored_photometric_interpretation(encoding), encoding.bits_stored)
