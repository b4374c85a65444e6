"""How the pixels of a frame are encoded, as one frozen value that all frames alike share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE_SYNTAXES = frozenset({IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN})
"""Transfer syntaxes whose pixel data is not encapsulated (PS3.5 A.1 to A.3 and A.5)."""

FLOAT_PIXEL_DATA = "FloatPixelData"
DOUBLE_FLOAT_PIXEL_DATA = "DoubleFloatPixelData"
PIXEL_DATA = "PixelData"


@lru_cache(maxsize=64)
def _dtype(pixel_keyword: str, bits_allocated: int, is_signed: bool) -> np.dtype[np.generic]:
    if pixel_keyword == FLOAT_PIXEL_DATA:
        return np.dtype(np.float32)
    if pixel_keyword == DOUBLE_FLOAT_PIXEL_DATA:
        return np.dtype(np.float64)
    item_size = max(1, math.ceil(bits_allocated / 8))
    return np.dtype(f"{'i' if is_signed else 'u'}{item_size}")


@dataclass(frozen=True, slots=True)
class PixelEncoding:
    """What turns the bytes of one frame into samples (PS3.3 C.7.6.3, PS3.5 8)."""

    transfer_syntax_uid: str
    """UID of the transfer syntax, without padding."""
    rows: int
    """Height of a frame [pixels]."""
    columns: int
    """Width of a frame [pixels]."""
    samples_per_pixel: int = 1
    """Samples (colour planes) of a pixel: 1, 3 or 4."""
    bits_allocated: int = 16
    """Bits of one sample cell: 1, 8, 16, 32 or 64."""
    bits_stored: int = 16
    """Bits of it that are the sample."""
    high_bit: int = 15
    """Number of the sample's most significant bit within its cell, counted from 0."""
    is_signed: bool = False
    """Whether Pixel Representation is 1 (two's complement)."""
    photometric_interpretation: str = "MONOCHROME2"
    """What the header calls the meaning of the samples."""
    planar_configuration: int = 0
    """0 for colour by pixel, 1 for colour by plane."""
    pixel_keyword: str = PIXEL_DATA
    """Element that holds the pixels: PixelData, FloatPixelData or DoubleFloatPixelData."""
    pixel_vr: str = "OW"
    """VR of that element, OB or OW: 8-bit samples in big-endian OW are swapped in pairs (PS3.5 8.1.2)."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the decoded stored values, in native byte order."""
        return _dtype(self.pixel_keyword, self.bits_allocated, self.is_signed)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """`(rows, columns)`, and `samples_per_pixel` behind it for colour."""
        shape = (self.rows, self.columns)
        return shape if self.samples_per_pixel == 1 else (*shape, self.samples_per_pixel)

    @property
    def is_encapsulated(self) -> bool:
        """Whether frames lie in items, as fragments (PS3.5 A.4)."""
        return self.transfer_syntax_uid not in NATIVE_SYNTAXES

    @property
    def is_big_endian(self) -> bool:
        """Whether words are stored most significant byte first."""
        return self.transfer_syntax_uid == EXPLICIT_BIG_ENDIAN

    @property
    def native_frame_bits(self) -> int:
        """Bits of one native frame in the pixel data; frames follow each other without padding (PS3.5 8.1.1)."""
        samples = self.samples_per_pixel
        if self.photometric_interpretation in ("YBR_FULL_422", "YBR_PARTIAL_422") and samples == 3:
            samples = 2  # two luminance and two chrominance samples for two pixels (PS3.3 C.7.6.3.1.2)
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def swaps_bytes_of_words(self) -> bool:
        """Whether 8-bit samples (or packed bits) lie swapped within big-endian 16-bit words."""
        return self.is_big_endian and self.pixel_vr == "OW" and self.bits_allocated <= 8

    def native_span(self, frame_number: int) -> tuple[int, int]:
        """Offset from the start of the value and length of native frame `frame_number` (from 1) [bytes].

        The span covers whole bytes (whole words where bytes are swapped within words); what it covers before
        the frame's first bit is `lead_bits`.
        """
        bits = self.native_frame_bits
        unit = 16 if self.swaps_bytes_of_words else 8
        first = (frame_number - 1) * bits // unit
        last = -(-frame_number * bits // unit)
        return first * unit // 8, (last - first) * unit // 8

    def lead_bits(self, frame_number: int) -> int:
        """Bits of the frame's native span that belong to the frame before it (PS3.5 8.1.1)."""
        unit = 16 if self.swaps_bytes_of_words else 8
        return (frame_number - 1) * self.native_frame_bits % unit
