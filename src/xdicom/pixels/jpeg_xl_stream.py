"""Headers of JPEG XL streams (ISO/IEC 18181-1 Annex D, ISO/IEC 18181-2)."""

from __future__ import annotations

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.pixels.streams import Buffer, StreamHeader, boxes_of

_HEAD_LENGTH = 32
"""Bytes of a code stream that hold all that is read here: at most 8 of each size, and a few bits."""
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, where one is told by the other (ISO/IEC 18181-1 D.2)."""

_MOST_COLORS = 3
"""Channels of color; opacity, or black, is one besides them."""


class _Bits:
    """Bits of a stream's head, the least significant of each byte first."""

    def __init__(self, head: bytes) -> None:
        self._left = int.from_bytes(head.ljust(_HEAD_LENGTH, b"\0"), "little")

    def take(self, count: int) -> int:
        """Unsigned number of the next `count` bits."""
        value, self._left = self._left & (1 << count) - 1, self._left >> count
        return value

    def take_size(self) -> tuple[int, int]:
        """Height and width [pixels] (ISO/IEC 18181-1 D.2)."""
        is_small = self.take(1)
        rows = self._take_length(is_small)
        ratio = self.take(3)
        if ratio == 0:
            return rows, self._take_length(is_small)
        numerator, denominator = _RATIOS[ratio - 1]
        return rows, rows * numerator // denominator

    def _take_length(self, is_small: int) -> int:
        return (self.take(5) + 1) * 8 if is_small else self.take((9, 13, 18, 30)[self.take(2)]) + 1


def parse_jpeg_xl(data: Buffer, components: int) -> StreamHeader:
    """Header of a JPEG XL stream, in its container or bare; `components` are what it is expected to have.

    Raises
    ------
    PixelDataError
        Where the stream is none, or has channels besides the expected ones, for which a decoder would make room.
    UnsupportedEncodingError
        For floating point samples, animations and streams with a preview.
    """
    head = _head(data)
    if head[:2] != b"\xff\x0a":
        raise PixelDataError(f"no JPEG XL stream: it begins with {head[:4].hex(' ') or 'nothing'}, not with ff 0a")
    bits = _Bits(head[2:])
    rows, columns = bits.take_size()
    precision, extra = _precision_and_extra_channels(bits)
    expected = components - _MOST_COLORS if components > _MOST_COLORS else 0
    if extra != expected:
        raise PixelDataError(f"the JPEG XL stream has {extra} channels besides its colors, the header {expected}")
    return StreamHeader(rows=rows, columns=columns, components=components, precision=precision)


def _precision_and_extra_channels(bits: _Bits) -> tuple[int, int]:
    """Bits of a sample and the number of channels besides the colors, out of the image metadata (ISO/IEC 18181-1 D.3)."""
    if bits.take(1):  # all as usual
        return 8, 0
    if bits.take(1):  # further fields
        bits.take(3)  # orientation, which is left alone
        if bits.take(1):  # size for display, which is left alone too
            bits.take_size()
        if bits.take(2):
            raise UnsupportedEncodingError("JPEG XL with a preview or an animation in it is not read")
    if bits.take(1):
        raise UnsupportedEncodingError("JPEG XL with floating point samples is not read")
    choice = bits.take(2)
    precision = (8, 10, 12)[choice] if choice < 3 else bits.take(6) + 1
    bits.take(1)  # how wide a decoder's own samples are
    few = bits.take(2)
    return precision, few if few < 2 else bits.take(4) + 2 if few == 2 else bits.take(12) + 1


def _head(data: Buffer) -> bytes:
    """First bytes of the code stream, out of its container if it is in one."""
    if bytes(data[4:8]) != b"JXL ":
        return bytes(data[:_HEAD_LENGTH])
    for kind, start, _ in boxes_of(data):
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0  # a number counts the parts
            return bytes(data[start : start + _HEAD_LENGTH])
    return b""


def holds_jpeg(data: Buffer) -> bool:
    """Whether a JPEG XL stream keeps what it takes to write the JPEG that it was made of (ISO/IEC 18181-2)."""
    return bytes(data[4:8]) == b"JXL " and any(kind == b"jbrd" for kind, _, _ in boxes_of(data))
