"""Headers of JPEG 2000 and HTJ2K code streams (ISO/IEC 15444-1 Annex A)."""

from __future__ import annotations

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.pixels.streams import Buffer, StreamHeader, boxes_of

SSIZ_OFFSET = 42
"""First byte of the code stream that tells sign and precision of a component; the others follow three bytes apart each."""
SIGN_BIT = 0x80
"""Bit of it that tells the sign (A.5.1)."""

_SOT = b"\xff\x90"
_SOT_LENGTH = 12
"""Bytes of the marker segment that a tile-part begins with (A.4.2)."""
_EOC = b"\xff\xd9"
_TAIL = 64
"""Bytes at the end of a stream in which its end marker is looked for first; padding may follow it."""
_MOST_TILES = 65535
"""Tiles are numbered in 16 bits (A.4.2)."""


def jpeg_2000_codestream(data: Buffer) -> Buffer:
    """The bare code stream in `data`, out of its JP2 boxes if it has any (ISO/IEC 15444-1 I.4).

    PS3.5 A.4.4 asks for bare streams. The boxes of those that are not would make a decoder apply color transforms of
    its own, where the DICOM header is to be believed.
    """
    if bytes(data[4:8]) != b"jP  ":
        return data
    for kind, start, end in boxes_of(data):
        if kind == b"jp2c":
            return data[start:end]
    raise PixelDataError("JP2 file without a code stream in it")


def parse_jpeg_2000(data: Buffer) -> StreamHeader:
    """Header of a JPEG 2000 or HTJ2K code stream, whose tile-parts must all be there (ISO/IEC 15444-1 A.4, A.5).

    Raises
    ------
    PixelDataError
        Where the stream is none, is cut short, or divides its image in a way that can't be.
    UnsupportedEncodingError
        For subsampled components and such that differ in precision.
    """
    size = len(data)
    if bytes(data[:4]) != b"\xff\x4f\xff\x51" or size < SSIZ_OFFSET:
        raise PixelDataError(f"no JPEG 2000 stream: it begins with {bytes(data[:4]).hex(' ') or 'nothing'}, not with ff 4f ff 51")
    at = 4 + int.from_bytes(data[4:6], "big")
    siz = bytes(data[6:at])
    components = int.from_bytes(siz[34:36], "big")
    if components == 0 or len(siz) < 36 + 3 * components:
        raise PixelDataError("damaged JPEG 2000 stream: its size header is not whole")
    rows, columns, tiles = _check_grid(siz)
    forms = {siz[start : start + 3] for start in range(36, 36 + 3 * components, 3)}
    if len(forms) > 1 or siz[37:39] != b"\x01\x01":
        raise UnsupportedEncodingError("JPEG 2000 with subsampled components, or components of several precisions, is not read")
    is_high_throughput = False
    while bytes(data[at : at + 2]) != _SOT:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > size or data[at] != 0xFF:
            raise PixelDataError(f"damaged JPEG 2000 stream: no marker segment at byte {at} of {size}")
        if data[at + 1] == 0x50 and length >= 6:  # CAP: the 15th bit of Pcap from the left is part 15 (A.5.2)
            is_high_throughput = bool(data[at + 5] & 0x02)
        elif data[at + 1] in (0x52, 0x53):
            _check_coding_style(bytes(data[at + 1 : at + 2 + length]), components)
        at += 2 + length
    open_end, is_open = _check_tile_parts(data, at, tiles)
    return StreamHeader(
        rows=rows,
        columns=columns,
        components=components,
        precision=(siz[36] & ~SIGN_BIT) + 1,
        is_signed=bool(siz[36] & SIGN_BIT),
        is_high_throughput=is_high_throughput,
        open_end=open_end,
        is_open=is_open,
    )


def _check_grid(siz: bytes) -> tuple[int, int, int]:
    """Rows and columns of the image, and its tiles; refuses tiles that don't cover it, on which a decoder may hang (A.5.1, B.3)."""
    x1, y1, x0, y0, width, height, left, top = (int.from_bytes(siz[at : at + 4], "big") for at in range(2, 34, 4))
    tiles = 0
    if x0 < x1 and y0 < y1 and left <= x0 < left + width and top <= y0 < top + height:
        tiles = -((left - x1) // width) * -((top - y1) // height)
    if not 1 <= tiles <= _MOST_TILES:
        raise PixelDataError("damaged JPEG 2000 stream: its tiles don't cover its image")
    return y1 - y0, x1 - x0, tiles


def _check_coding_style(segment: bytes, components: int) -> None:
    """Refuse decompositions and blocks out of range, in COD or COC, its marker's second byte first (A.6.1, A.6.2)."""
    if segment[0] == 0x52:
        style, parameters = segment[3:4], segment[8:]
    else:
        width = 1 if components < 257 else 2
        style, parameters = segment[3 + width : 4 + width], segment[4 + width :]
    is_whole = len(style) == 1 and len(parameters) >= 5
    if is_whole and style[0] & 1:  # precinct sizes follow, one for each resolution
        precincts = parameters[5:]
        is_whole = len(precincts) > parameters[0] and all(size & 0x0F and size >> 4 for size in precincts[1:])
    if not is_whole or parameters[0] > 32 or max(parameters[1:3]) > 8 or parameters[1] + parameters[2] > 8:
        raise PixelDataError("damaged JPEG 2000 stream: its coding style is out of range")


def _check_tile_parts(data: Buffer, at: int, tiles: int) -> tuple[int, bool]:
    """Byte behind the last tile-part where no end marker follows it, else 0, and whether that part leaves its length open (A.4).

    Refuses a tile-part that is cut short, and a tile of which none or not all are there: decoders leave what is missing black or coarse.
    """
    size = len(data)
    found: dict[int, int] = {}
    stated: dict[int, int] = {}
    open_end, is_open = 0, False
    while bytes(data[at : at + 2]) == _SOT:
        if at + _SOT_LENGTH > size:
            raise PixelDataError(f"JPEG 2000 stream is cut short: it ends within the header of a tile-part at byte {at}")
        tile, length = int.from_bytes(data[at + 4 : at + 6], "big"), int.from_bytes(data[at + 6 : at + 10], "big")
        found[tile] = found.get(tile, 0) + 1
        stated[tile] = max(stated.get(tile, 0), data[at + 11])
        if length == 0:  # the last one, up to the end marker
            if _EOC not in bytes(data[-_TAIL:]) and _EOC not in bytes(data[at:]):
                raise PixelDataError(f"JPEG 2000 stream of {size} bytes ends without its end marker: it is cut short")
            is_open = True
            break
        if length < _SOT_LENGTH + 2 or at + length > size:
            raise PixelDataError(f"JPEG 2000 stream is cut short: a tile-part at byte {at} has {length} bytes, {size - at} are there")
        at += length
    if not is_open and bytes(data[at : at + 2]) != _EOC:
        if bytes(data[at:]).strip(b"\0"):
            raise PixelDataError(f"damaged JPEG 2000 stream: neither a tile-part nor the end marker at byte {at} of {size}")
        open_end = at
    if len(found) < tiles or max(found) >= tiles:
        raise PixelDataError(f"JPEG 2000 stream is not whole: {len(found)} of its {tiles} tiles are there")
    if any(found[tile] < count for tile, count in stated.items()):
        raise PixelDataError(f"JPEG 2000 stream is not whole: it has {sum(found.values())} of {sum(stated.values())} tile-parts")
    return open_end, is_open
