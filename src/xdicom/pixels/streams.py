"""What a compressed stream says about itself, read before any decoder allocates for it.

A stream's own size, precision and sign are what a decoder goes by. They are held against the header first, so that a
stream of ninety bytes can't ask for gigabytes, and against the bytes that are there, since neither libjpeg-turbo nor
OpenJPH reports a stream that stops short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xdicom.errors import PixelDataError, UnsupportedEncodingError

Buffer = bytes | memoryview

JPEG_SOF_LOSSLESS = 0xC3
JPEG_SOF_PROGRESSIVE = 0xC2
JPEG_SOF_JPEG_LS = 0xF7

_JPEG_SOF = {
    0xC0: "baseline",
    0xC1: "extended sequential",
    JPEG_SOF_PROGRESSIVE: "progressive",
    JPEG_SOF_LOSSLESS: "lossless",
    JPEG_SOF_JPEG_LS: "JPEG-LS",
}
"""Frame headers that can be decoded, by their marker (ISO/IEC 10918-1 B.1.1.3, ISO/IEC 14495-1 C.1.1)."""
_JPEG_OTHER_SOF = frozenset({0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
"""Hierarchical and arithmetic coded processes."""
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a segment: TEM and RSTn."""
_EOI = b"\xff\xd9"
_TAIL = 64
"""Bytes at the end of a stream in which its last marker is looked for first; padding may follow it."""
_MOST_SCANS = 1000
"""More scans than any progressive JPEG needs: three components of 64 coefficients at 13 bits make 2,500 at the utmost,
encoders write about ten; each scan costs a pass over the whole image."""


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Size and sample form of a compressed stream."""

    rows: int
    """Height [pixels]."""
    columns: int
    """Width [pixels]."""
    components: int
    """Samples of a pixel."""
    precision: int
    """Bits of a sample."""
    is_signed: bool = False
    """Whether the stream itself knows its samples to be signed."""
    process: int = 0
    """JPEG: second byte of the frame header's marker."""
    color_space: Literal["RGB", "YBR", ""] = ""
    """JPEG: what its markers call its three components; empty where they say nothing."""
    is_high_throughput: bool = False
    """JPEG 2000: whether blocks are coded by part 15."""
    is_closed: bool = True
    """JPEG 2000: whether the end marker is there."""


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
    process = 0
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
            frame, process = bytes(data[at + 4 : at + 2 + length]), code
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
    return StreamHeader(
        rows=frame[1] << 8 | frame[2],
        columns=frame[3] << 8 | frame[4],
        components=components,
        precision=frame[0],
        process=process,
        color_space=_color_space(frame[6 : 6 + 3 * components], adobe_transform, is_jfif, process),
    )


def _require_end(data: Buffer, scan: int, process: int) -> None:
    """Refuse a stream without end marker (the decoder would fill what is missing with gray), or of endless scans."""
    if bytes(data[-_TAIL:]).find(_EOI) < 0 or process == JPEG_SOF_PROGRESSIVE:
        coded = bytes(data[scan:])
        if _EOI not in coded:
            raise PixelDataError(f"JPEG stream of {len(data)} bytes ends without its end marker: it is cut short")
        if coded.count(b"\xff\xda") > _MOST_SCANS:
            raise PixelDataError(f"JPEG stream claims more than {_MOST_SCANS} scans")


def _color_space(components: bytes, adobe_transform: int | None, is_jfif: bool, process: int) -> Literal["RGB", "YBR", ""]:
    """What the markers of a lossy JPEG call its three components, the most specific one first."""
    if len(components) != 9 or process not in (0xC0, 0xC1, JPEG_SOF_PROGRESSIVE):
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


def jpeg_2000_codestream(data: Buffer) -> Buffer:
    """The bare code stream in `data`, out of its JP2 boxes if it has any (ISO/IEC 15444-1 I.4).

    PS3.5 A.4.4 asks for bare streams. The boxes of those that are not would make a decoder apply color transforms of
    its own, where the DICOM header is to be believed.
    """
    if bytes(data[4:8]) != b"jP  ":
        return data
    at = 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if kind == b"jp2c":
            return data[at + head : at + length if length else len(data)]
        if length < head:
            break
        at += length
    raise PixelDataError("JP2 file without a code stream in it")


def parse_jpeg_2000(data: Buffer) -> StreamHeader:
    """Header of a JPEG 2000 or HTJ2K code stream, whose tile-parts must all be there (ISO/IEC 15444-1 A.4, A.5).

    Raises
    ------
    PixelDataError
        Where the stream is none, or is cut short.
    UnsupportedEncodingError
        For subsampled components and such that differ in precision.
    """
    size = len(data)
    if bytes(data[:4]) != b"\xff\x4f\xff\x51" or size < 42:
        raise PixelDataError(f"no JPEG 2000 stream: it begins with {bytes(data[:4]).hex(' ') or 'nothing'}, not with ff 4f ff 51")
    siz = bytes(data[6 : 4 + (data[4] << 8 | data[5])])
    x1, y1, x0, y0 = (int.from_bytes(siz[at : at + 4], "big") for at in (2, 6, 10, 14))
    components = int.from_bytes(siz[34:36], "big")
    if components == 0 or len(siz) < 36 + 3 * components:
        raise PixelDataError("damaged JPEG 2000 stream: its size header is not whole")
    forms = {siz[at : at + 3] for at in range(36, 36 + 3 * components, 3)}
    if len(forms) > 1 or siz[37:39] != b"\x01\x01":
        raise UnsupportedEncodingError("JPEG 2000 with subsampled components, or components of several precisions, is not read")
    at = 4 + (data[4] << 8 | data[5])
    is_high_throughput = False
    while bytes(data[at : at + 2]) != b"\xff\x90":
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > size or data[at] != 0xFF:
            raise PixelDataError(f"damaged JPEG 2000 stream: no marker segment at byte {at} of {size}")
        if data[at + 1] == 0x50 and length >= 6:  # CAP: bit 15 of Pcap from the left is part 15 (A.5.2)
            is_high_throughput = bool(data[at + 5] & 0x02)
        at += 2 + length
    return StreamHeader(
        rows=y1 - y0,
        columns=x1 - x0,
        components=components,
        precision=(siz[36] & 0x7F) + 1,
        is_signed=bool(siz[36] & 0x80),
        is_high_throughput=is_high_throughput,
        is_closed=_walk_tile_parts(data, at),
    )


def _walk_tile_parts(data: Buffer, at: int) -> bool:
    """Whether the end marker follows the last tile-part; refuses a tile-part that is cut short (A.4.2, A.4.4)."""
    size = len(data)
    while at + 12 <= size and data[at] == 0xFF and data[at + 1] == 0x90:
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        if length == 0:  # the last one, up to the end marker
            return bytes(data[-_TAIL:]).find(_EOI) >= 0 or _EOI in bytes(data[at:])
        if length < 14 or at + length > size:
            raise PixelDataError(f"JPEG 2000 stream is cut short: a tile-part at byte {at} has {length} bytes, {size - at} are there")
        at += length
    return bytes(data[at : at + 2]) == _EOI


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
    for kind, start, _ in _boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0  # a number counts the parts
            return bytes(data[start : start + 18])
    return b""


def holds_jpeg(data: Buffer) -> bool:
    """Whether a JPEG XL stream keeps what it takes to write the JPEG that it was made of (ISO/IEC 18181-2 9.9)."""
    return bytes(data[4:8]) == b"JXL " and any(kind == b"jbrd" for kind, _, _ in _boxes(data))


def _boxes(data: Buffer) -> list[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each whole box."""
    found = []
    at = 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + length if length else len(data)
        if end < at + head:
            break
        found.append((kind, at + head, min(end, len(data))))
        at = end
    return found
