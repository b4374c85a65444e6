"""One frame's bytes to red, green and blue, with the conversion left to the decoder where it gives the same in less time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xdicom.errors import PixelDataError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.color import stored_photometric_interpretation
from xdicom.pixels.decode import decode_frame, join_fragments
from xdicom.pixels.jpeg_stream import parse_jpeg
from xdicom.transforms.color import to_rgb

_LOSSY_JPEG = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})


def decode_rgb(data: bytes | memoryview, encoding: PixelEncoding, frame_number: int = 1) -> np.ndarray:
    """Red, green and blue of one frame of color samples: level by level `to_rgb` of its stored values.

    Parameters and errors are those of `decode.decode_frame`.
    """
    if encoding.transfer_syntax_uid in _LOSSY_JPEG and encoding.photometric_interpretation in _YBR_FULL and encoding.bits_stored == 8:
        try:
            is_ybr = parse_jpeg(join_fragments(data)).color_space == "YBR"
        except PixelDataError:
            is_ybr = False  # decoding says what is wrong, and where
        if is_ybr:
            return decode_frame(data, replace(encoding, photometric_interpretation="RGB"), frame_number)
    return to_rgb(decode_frame(data, encoding, frame_number), stored_photometric_interpretation(encoding), encoding.bits_stored)
