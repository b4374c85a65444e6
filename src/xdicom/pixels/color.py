"""In which color space samples come out of a stream, and when that is changed to the header's: the one place for it.

The standard says that Photometric Interpretation names the color space of the compressed stream (PS3.5 8.2.1), so
samples are left as they are coded. Two things come in between.

1. JPEG 2000 streams may be coded with a reversible or irreversible color transform, named YBR_RCT and YBR_ICT. Every
   decoder undoes it: the stored values are RGB. The same holds for XYB in JPEG XL.
2. A lossy JPEG may say of itself that its three components are RGB or YCbCr. The most specific word counts: the Adobe
   APP14 marker's transform flag, then components named R, G, B, then a JFIF marker or subsampled chrominance. Where
   that contradicts the header, the samples are converted to what the header says, so that stored values are in the
   header's color space for every frame and nobody behind has to look into a stream. A stream that says nothing is taken
   at the header's word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.streams import StreamHeader

_UNDONE_BY_CODEC = frozenset({"YBR_RCT", "YBR_ICT", "XYB"})
_YBR_FULL = frozenset({"YBR_FULL", "YBR_FULL_422"})


def stored_photometric_interpretation(encoding: PixelEncoding) -> str:
    """Photometric Interpretation of the stored values, as far as it is not the header's.

    Examples
    --------
    >>> encoding = PixelEncoding("1.2.840.10008.1.2.4.90", 480, 640, 3, 8, 8, 7, photometric_interpretation="YBR_RCT")
    >>> stored_photometric_interpretation(encoding)
    'RGB'
    """
    if encoding.is_encapsulated and encoding.photometric_interpretation in _UNDONE_BY_CODEC:
        return "RGB"
    return encoding.photometric_interpretation


@dataclass(frozen=True, slots=True)
class ColorStep:
    """What a JPEG decoder is told about color, and what is left to do behind it."""

    of_stream: str | None
    """Color space that the decoder takes the components for; None for the gray ones."""
    of_samples: str | None
    """Color space that it hands out; equal to `of_stream` for the components as they are."""
    to_ybr: bool = False
    """Whether its samples are RGB and wanted as YCbCr."""


_GRAY = ColorStep(None, None)
_AS_CODED = ColorStep("RGB", "RGB")  # the same name twice means that nothing is converted
_FOUR_AS_CODED = ColorStep("CMYK", "CMYK")
TO_RGB = ColorStep("YCBCR", "RGB")
_TO_YBR = ColorStep("RGB", "RGB", to_ybr=True)


def jpeg_color_step(stream: StreamHeader, encoding: PixelEncoding) -> ColorStep:
    """How a JPEG stream's samples come into the header's color space."""
    if stream.components != 3:
        return _GRAY if stream.components == 1 else _FOUR_AS_CODED
    if stream.color_space == "YBR" and encoding.photometric_interpretation == "RGB":
        return TO_RGB
    if stream.color_space == "RGB" and encoding.photometric_interpretation in _YBR_FULL:
        return _TO_YBR
    return _AS_CODED


_TO_YBR_MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""Rows Y, Cb, Cr over columns R, G, B (PS3.3 C.7.6.3.1.2, ITU-R BT.601 in full range)."""


def convert_color(rgb: np.ndarray, precision: int) -> np.ndarray:
    """YBR_FULL samples of the RGB ones, of `precision` bits, rounded; shape `(rows, columns, 3)` as given."""
    ybr = rgb.astype(np.float32) @ _TO_YBR_MATRIX.T.astype(np.float32)
    ybr[..., 1:] += 1 << (precision - 1)
    np.rint(ybr, out=ybr)
    return np.clip(ybr, 0, (1 << precision) - 1, out=ybr).astype(rgb.dtype)
