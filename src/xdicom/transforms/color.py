"""Colour samples to red, green and blue (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.errors import UnsupportedEncodingError
from xdicom.transforms.pieces import Scratch, pieces


@dataclass(frozen=True, slots=True)
class LumaChroma:
    """How a luminance and two chrominances came from red, green and blue, in 8-bit numbers."""

    red: float
    """Share of red in the luminance."""
    blue: float
    """Share of blue in the luminance."""
    black: float
    """Luminance of black."""
    luma_steps: float
    """Steps of luminance from black to white."""
    chroma_steps: float
    """Steps of chrominance from one end to the other."""


FULL_RANGE = LumaChroma(red=0.299, blue=0.114, black=0, luma_steps=255, chroma_steps=255)
"""YBR_FULL and YBR_FULL_422: ITU-R BT.601 over all levels, as JPEG has it."""

STUDIO_RANGE = LumaChroma(red=0.299, blue=0.114, black=16, luma_steps=219, chroma_steps=224)
"""YBR_PARTIAL_422 and YBR_PARTIAL_420: BT.601 over the levels of video, 16 to 235 and 16 to 240."""

TO_RGB: dict[str, LumaChroma | None] = {
    "RGB": None,
    "YBR_ICT": None,
    "YBR_RCT": None,
    "YBR_FULL": FULL_RANGE,
    "YBR_FULL_422": FULL_RANGE,
    "YBR_PARTIAL_422": STUDIO_RANGE,
    "YBR_PARTIAL_420": STUDIO_RANGE,
}
"""What has to be undone for each photometric interpretation; nothing for YBR_ICT and YBR_RCT, the names that files have
for what a JPEG 2000 decoder undoes itself (PS3.5 8.2.4)."""


def to_rgb(samples: np.ndarray, photometric_interpretation: str, bits_stored: int | None = None) -> np.ndarray:
    """Red, green and blue of colour samples.

    Parameters
    ----------
    samples
        Unsigned samples, shape `(..., 3)`; chrominance at every pixel.
    photometric_interpretation
        What the samples are, as they came from the decoder.
    bits_stored
        Bits of a sample; all bits of the type by default.

    Returns
    -------
    numpy.ndarray
        Shape and type of `samples`, rounded to the nearest level and clipped; `samples` itself where it is RGB already. YBR_FULL
        of 8 bits is worked out in 65536ths, level by level as decoders of JPEG do that convert by themselves: what lies
        within 0.01 of the middle between two levels may go to the other one.

    Raises
    ------
    UnsupportedEncodingError
        For a photometric interpretation that is not one of these colour spaces.

    Examples
    --------
    >>> to_rgb(np.array([[76, 85, 255], [255, 128, 128]], np.uint8), "YBR_FULL")
    array([[254,   0,   0],
           [255, 255, 255]], dtype=uint8)
    """
    if photometric_interpretation not in TO_RGB:
        raise UnsupportedEncodingError(
            f"samples of photometric interpretation {photometric_interpretation!r} can't be turned into RGB: "
            f"that is known for {', '.join(TO_RGB)}, PALETTE COLOR and grayscale with a palette"
        )
    space = TO_RGB[photometric_interpretation]
    if space is None:
        return samples
    bits = bits_stored or 8 * samples.dtype.itemsize
    if space is FULL_RANGE and bits == 8:
        return _jpeg_to_rgb(samples)
    return _luma_chroma_to_rgb(samples, space, bits)


_SHIFT = 16
_RED_OF_CR, _BLUE_OF_CB, _GREEN_OF_CB, _GREEN_OF_CR = 91881, 116130, -22554, -46802
"""Shares of the chrominances in whole 65536ths."""


def _jpeg_to_rgb(samples: np.ndarray) -> np.ndarray:
    """8-bit YBR_FULL in whole numbers, level by level what decoders of JPEG give that convert by themselves."""
    out = np.empty(samples.shape, samples.dtype)
    scratches = [Scratch(np.dtype(np.int32)) for _ in range(4)]
    half, white = np.int32(1 << (_SHIFT - 1)), np.int32(255)
    for index in pieces(samples.shape):
        piece, target = samples[index], out[index]
        y, cb, cr = (scratch.copy(piece[..., i]) for i, scratch in enumerate(scratches[:3]))
        cb -= np.int32(128)
        cr -= np.int32(128)
        channel = scratches[3].empty(y.shape)
        for i, chroma, share in ((0, cr, _RED_OF_CR), (2, cb, _BLUE_OF_CB)):
            np.multiply(chroma, np.int32(share), out=channel)
            channel += half
            channel >>= np.int32(_SHIFT)
            channel += y
            target[..., i] = np.clip(channel, np.int32(0), white, out=channel)
        cb *= np.int32(_GREEN_OF_CB)
        cr *= np.int32(_GREEN_OF_CR)
        cb += cr
        cb += half
        cb >>= np.int32(_SHIFT)
        y += cb
        target[..., 1] = np.clip(y, np.int32(0), white, out=y)
    return out


def _luma_chroma_to_rgb(samples: np.ndarray, space: LumaChroma, bits: int) -> np.ndarray:
    white = 2**bits - 1
    to_eight_bits = 1.0 if bits == 8 else 2.0 ** (8 - bits)
    center = 2.0 ** (bits - 1)
    black = space.black / to_eight_bits
    luma = white / (white if space.luma_steps == 255 else space.luma_steps / to_eight_bits)
    chroma = white / (white if space.chroma_steps == 255 else space.chroma_steps / to_eight_bits)
    red, blue = space.red, space.blue
    green = 1 - red - blue
    arithmetic = np.dtype(np.float32 if bits <= 8 else np.float64)
    number = arithmetic.type
    out = np.empty(samples.shape, samples.dtype)
    scratches = [Scratch(arithmetic) for _ in range(4)]
    for index in pieces(samples.shape):
        piece, target = samples[index], out[index]
        y, cb, cr = (scratch.copy(piece[..., i]) for i, scratch in enumerate(scratches[:3]))
        y -= number(black)
        y *= number(luma)
        y += number(0.5)
        cb -= number(center)
        cr -= number(center)
        channel = scratches[3].empty(y.shape)
        np.multiply(cr, number(2 * (1 - red) * chroma), out=channel)
        channel += y
        target[..., 0] = np.clip(channel, number(0), number(white), out=channel)
        np.multiply(cb, number(2 * (1 - blue) * chroma), out=channel)
        channel += y
        target[..., 2] = np.clip(channel, number(0), number(white), out=channel)
        cb *= number(-2 * (1 - blue) * blue / green * chroma)
        cr *= number(-2 * (1 - red) * red / green * chroma)
        y += cb
        y += cr
        target[..., 1] = np.clip(y, number(0), number(white), out=y)
    return out
