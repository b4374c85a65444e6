"""Data elements as bytes, written by hand so that they may be wrong too (PS3.5 7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from xdicom.headers.dictionary import PUBLIC
from xdicom.headers.elements import LONG_VRS, Syntax, Walk, Window, walk

IMPLICIT = Syntax(is_implicit=True)
EXPLICIT = Syntax(is_implicit=False)
BIG_ENDIAN = Syntax(is_implicit=False, is_big_endian=True)
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def element(tag: int, vr: str, value: bytes = b"", syntax: Syntax = EXPLICIT, *, length: int | None = None) -> bytes:
    """One data element; `length` lies about the length of its value."""
    order = ">" if syntax.is_big_endian else "<"
    size = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if syntax.is_implicit or tag >> 16 == 0xFFFE:
        return head + struct.pack(f"{order}I", size) + value
    if vr.encode() in LONG_VRS:
        return head + vr.encode() + b"\0\0" + struct.pack(f"{order}I", size) + value
    return head + vr.encode() + struct.pack(f"{order}H", size) + value


def item(*elements: bytes, undefined: bool = False, syntax: Syntax = EXPLICIT) -> bytes:
    """One item of a sequence."""
    content = b"".join(elements)
    if not undefined:
        return element(ITEM, "", content, syntax)
    return element(ITEM, "", content, syntax, length=UNDEFINED) + element(ITEM_END, "", b"", syntax)


def sequence(tag: int, items: Sequence[bytes], *, undefined: bool = False, syntax: Syntax = EXPLICIT, vr: str = "SQ") -> bytes:
    """One sequence of items that are written already."""
    content = b"".join(items)
    if not undefined:
        return element(tag, vr, content, syntax)
    return element(tag, vr, content, syntax, length=UNDEFINED) + element(SEQUENCE_END, "", b"", syntax)


def numbers(*values: int, code: str = "H", syntax: Syntax = EXPLICIT) -> bytes:
    """Binary numbers."""
    return struct.pack(f"{'>' if syntax.is_big_endian else '<'}{len(values)}{code}", *values)


def walked(data: bytes, syntax: Syntax = EXPLICIT, *, head: int | None = None) -> Walk:
    """What the walk finds in `data`, of which `head` bytes are there before it asks."""
    window = Window(data if head is None else data[:head], lambda offset, length: data[offset : offset + length], len(data))
    return walk(window, 0, syntax, frozenset(PUBLIC))


PIXELS = 0x7FE00010
MODALITY, ROWS, SERIES_DESCRIPTION = 0x00080060, 0x00280010, 0x0008103E
REFERENCED_IMAGES, REFERENCED_UID = 0x00081140, 0x00081155
