"""Headers of JPEG XL streams (ISO/IEC 18181-1 Annex D, ISO/IEC 18181-2)."""

from __future__ import annotations

from xdicom.errors import PixelDataError
from xdicom.pixels.streams import Buffer, boxes_of


def parse_jpeg_xl_size(data: Buffer) -> tuple[int, int]:
    """Rows and columns of a JPEG XL stream [pixels] (ISO/IEC 18181-1 D.2, 18181-2 for the boxes)."""
    head = _jpeg_xl_head(data)
    if head[:2] != b"\xff\x0a":
        raise PixelDataError(f"no JPEG XL stream: it begins with {head[:4].hex(' ') or 'nothing'}, not with ff 0a")
    bits = int.from_bytes(head[2:].ljust(16, b"\0"), "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & (1 << count) - 1, bits >> count
        return value

    is_small = take(1)

    def take_length() -> int:
        return (take(5) + 1) * 8 if is_small else take((9, 13, 18, 30)[take(2)]) + 1

    rows = take_length()
    ratio = take(3)
    if ratio == 0:
        return rows, take_length()
    numerator, denominator = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return rows, rows * numerator // denominator


def _jpeg_xl_head(data: Buffer) -> bytes:
    """First bytes of the code stream, out of its container if it is in one."""
    if bytes(data[4:8]) != b"JXL ":
        return bytes(data[:18])
    for kind, start, _ in boxes_of(data):
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0  # a number counts the parts
            return bytes(data[start : start + 18])
    return b""


def holds_jpeg(data: Buffer) -> bool:
    """Whether a JPEG XL stream keeps what it takes to write the JPEG that it was made of (ISO/IEC 18181-2 9.9)."""
    return bytes(data[4:8]) == b"JXL " and any(kind == b"jbrd" for kind, _, _ in boxes_of(data))
