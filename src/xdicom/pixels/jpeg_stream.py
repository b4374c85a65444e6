"""Headers of JPEG and JPEG-LS streams (ISO/IEC 10918-1 Annex B, ISO/IEC 14495-1 Annex C)."""

from __future__ import annotations

from typing import Literal

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.pixels.streams import Buffer, StreamHeader

SOF_LOSSLESS = 0xC3
SOF_PROGRESSIVE = 0xC2
SOF_JPEG_LS = 0xF7

_JPEG_SOF = {
    0xC0: "baseline",
    0xC1: "extended sequential",
    SOF_PROGRESSIVE: "progressive",
    SOF_LOSSLESS: "lossless",
    SOF_JPEG_LS: "JPEG-LS",
}
"""Frame headers that can be decoded, by their marker (ISO/IEC 10918-1 B.1.1.3, ISO/IEC 14495-1 C.1.1)."""
_JPEG_OTHER_SOF = frozenset({0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Hierarchical and arithmetic coded processes."""
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a segment: TEM and RSTn."""
_ROW_BY_ROW = frozenset({0xC0, 0xC1})
"""Lossy processes that code each block once, from the top to the bottom."""
_ROWS_OFFSET = 5
"""First byte of the number of rows in a frame header, counted from its marker (ISO/IEC 10918-1 B.2.2)."""
_EOI = b"\xff\xd9"
_TAIL = 64
"""Bytes at the end of a stream in which its last marker is looked for first; padding may follow it."""
_MOST_SCANS = 100
"""More scans than a progressive JPEG is written in: encoders write about ten, those that search for the smallest stream some
sixty. Each costs a pass over the whole image and takes but a few bytes."""


def parse_jpeg(data: Buffer) -> StreamHeader:
    """Header of a JPEG or JPEG-LS stream, which must reach its end marker (ISO/IEC 10918-1 B.1, B.2).

    Raises
    ------
    PixelDataError
        Where the stream is none, or is cut short.
    UnsupportedEncodingError
        For hierarchical and arithmetic coded streams.
    """
    size = len(data)
    if bytes(data[:2]) != b"\xff\xd8":
        raise PixelDataError(f"no JPEG stream: it begins with {bytes(data[:4]).hex(' ') or 'nothing'}, not with ff d8")
    frame: bytes | None = None
    process = frame_at = 0
    adobe_transform: int | None = None
    is_jfif = False
    at = 2
    while True:
        if at + 4 > size:
            raise PixelDataError(f"JPEG stream of {size} bytes ends within its headers")
        if data[at] != 0xFF:
            raise PixelDataError(f"damaged JPEG stream: byte {at} should begin a marker, found {data[at]:02x}")
        code = data[at + 1]
        if code == 0xFF:  # fill byte (B.1.1.2)
            at += 1
            continue
        if code in _JPEG_ALONE:
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if code == 0xDA:
            break
        if length < 2 or at + 2 + length > size:
            raise PixelDataError(f"damaged JPEG stream: segment ff{code:02x} at byte {at} claims {length} bytes")
        if code in _JPEG_SOF:
            frame, process, frame_at = bytes(data[at + 4 : at + 2 + length]), code, at
        elif code in _JPEG_OTHER_SOF:
            raise UnsupportedEncodingError(f"hierarchical or arithmetic coded JPEG (marker ff{code:02x}) is not read")
        elif code == 0xEE and length >= 14 and bytes(data[at + 4 : at + 9]) == b"Adobe":
            adobe_transform = data[at + 15]
        elif code == 0xE0 and bytes(data[at + 4 : at + 9]) == b"JFIF\0":
            is_jfif = True
        at += 2 + length
    if frame is None or len(frame) < 6 or len(frame) < 6 + 3 * frame[5]:
        raise PixelDataError("damaged JPEG stream: no whole frame header before the first scan")
    _require_end(data, at, process)
    components = frame[5]
    is_in_rows = process in _ROW_BY_ROW and bytes(data[at + 4 : at + 5]) == frame[5:6]  # the scan holds all of them
    return StreamHeader(
        rows=frame[1] << 8 | frame[2],
        columns=frame[3] << 8 | frame[4],
        components=components,
        precision=frame[0],
        process=process,
        rows_at=frame_at + _ROWS_OFFSET if is_in_rows else 0,
        color_space=_color_space(frame[6 : 6 + 3 * components], adobe_transform, is_jfif, process),
    )


def _require_end(data: Buffer, scan: int, process: int) -> None:
    """Refuse a stream without end marker (the decoder would fill what is missing with gray), or of endless scans."""
    if bytes(data[-_TAIL:]).find(_EOI) < 0 or process == SOF_PROGRESSIVE:
        coded = bytes(data[scan:])
        if _EOI not in coded:
            raise PixelDataError(f"JPEG stream of {len(data)} bytes ends without its end marker: it is cut short")
        if coded.count(b"\xff\xda") > _MOST_SCANS:
            raise PixelDataError(f"JPEG stream claims more than {_MOST_SCANS} scans")


def _color_space(components: bytes, adobe_transform: int | None, is_jfif: bool, process: int) -> Literal["RGB", "YBR", ""]:
    """What the markers of a lossy JPEG call its three components, the most specific one first."""
    if len(components) != 9 or process not in (0xC0, 0xC1, SOF_PROGRESSIVE):
        return ""
    if adobe_transform is not None:
        return "RGB" if adobe_transform == 0 else "YBR"
    identifiers = bytes(components[0::3])
    if identifiers in (b"RGB", b"rgb"):
        return "RGB"
    samplings = components[1::3]
    if is_jfif or samplings[0] != samplings[1] or samplings[0] != samplings[2]:
        return "YBR"
    return ""
