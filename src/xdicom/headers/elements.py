"""The walk over data elements: from bytes to tags, VRs and the places of their values (PS3.5 7)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from xdicom.headers.dictionary import OVERLAYS, PRIVATE_GROUPS, PRIVATE_PLACES, PUBLIC

Fetch = Callable[[int, int], bytes]
"""`fetch(offset, length)`: bytes of the source, fewer only where it ends."""

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_TAGS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
PIXEL_REPRESENTATION = 0x00280103

LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""VRs whose length takes four bytes, behind two reserved ones (PS3.5 7.1.2)."""
SHORT_VRS = frozenset(
    {
        b"AE",
        b"AS",
        b"AT",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"FD",
        b"FL",
        b"IS",
        b"LO",
        b"LT",
        b"PN",
        b"SH",
        b"SL",
        b"SS",
        b"ST",
        b"TM",
        b"UI",
        b"UL",
        b"US",
    }
)

_NO_LONG: Mapping[int, Any] = MappingProxyType({})

MAX_DEPTH = 64
"""Sequences nested deeper than this are taken for damage."""


class UncertainHeaderError(ValueError):
    """Bytes that this walk does not vouch for; another parser may be asked. It never leaves this room."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How data elements are written (PS3.5 A)."""

    is_implicit: bool
    """Whether elements carry no VR."""
    is_big_endian: bool = False
    """Whether numbers are stored most significant byte first."""


@dataclass(frozen=True, slots=True)
class LongSequence:
    """The value of a sequence of many items, where it lies in memory: it is not copied."""

    data: bytes
    """Bytes around it."""
    start: int
    """Its first byte in `data`."""
    stop: int
    """The byte behind its last item."""
    syntax: Syntax
    """How its elements are written."""
    bounds: tuple[Any, Any] | None = None
    """Where its items begin and end in `data`, as `items.item_bounds` gives them, where that is known."""


@dataclass(slots=True)
class Walk:
    """What a walk over the top level of a data set found."""

    values: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """VR and bytes of each wanted value, by tag; the VR `SQ implicit` marks a sequence whose elements have no VR."""
    pixel_keyword: str = ""
    """Element that holds the pixels; empty where there is none."""
    pixel_vr: str = ""
    """Its VR."""
    pixel_offset: int = -1
    """First byte of its value [bytes from the start of the source]."""
    pixel_length: int = -1
    """Length of its value [bytes], -1 where it is undefined."""
    sequences: dict[int, LongSequence] = field(default_factory=dict)
    """Wanted sequences that are likely to be long, by tag; they are not among `values`."""
    overlay_data: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Offset and length of Overlay Data, by tag: it is not read with the header."""


def vr_in_implicit(tag: int, is_signed: bool) -> str:
    """VR of an element that is written without one (PS3.5 6.2, A.1)."""
    vr, _ = PUBLIC.get(tag) or OVERLAYS.get(tag) or ("UN", "")
    if vr == "US|SS":
        return "SS" if is_signed else "US"
    return "OW" if vr in ("US|OW", "OB|OW") else vr


def is_private_wanted(group: int, element: int) -> bool:
    """Whether an element is a private creator, or may be one of the vendors' elements that are read (PS3.5 7.8.1)."""
    return group in PRIVATE_GROUPS and (element <= 0xFF or group << 16 | element & 0xFF in PRIVATE_PLACES)


class Window:
    """A window on the bytes of a source that moves forward as the walk asks for more."""

    def __init__(self, data: bytes, fetch: Fetch, size: int) -> None:
        self.data, self.base, self.fetch, self.size = data, 0, fetch, size
        self.items: tuple[Any, Any] | None = None
        """Bounds of the items of a long sequence that was walked, as `items.item_bounds` gives them."""

    def need(self, offset: int, length: int) -> int:
        """Place of `offset` in `data`, with at least `length` bytes from there on, or -1 where the source ends before."""
        place = offset - self.base
        if place >= 0 and place + length <= len(self.data):
            return place
        if self.size >= 0 and offset + length > self.size:
            return -1
        data = self.fetch(offset, max(length + 4096, 16384))
        if len(data) < length:
            return -1
        self.data, self.base = data, offset
        return 0


EndOf = Callable[["Window", int, Syntax], tuple[int, int]]
"""Finds where a sequence of undefined length ends, and where the element behind it begins."""


def walk(window: Window, start: int, syntax: Syntax, wanted: Container[int], end_of_long: Mapping[int, EndOf] = _NO_LONG) -> Walk:
    """Wanted values at the top level of a data set, and where its pixel data lies.

    `end_of_long` finds the ends of sequences that are likely to be long, by tag. The walk ends at the pixel data, at the end of the source,
    or raises where it can't vouch for what it reads.
    """
    found = Walk()
    is_signed = False
    order = ">" if syntax.is_big_endian else "<"
    head = struct.Struct(order + ("HHI" if syntax.is_implicit else "HH2sH")).unpack_from
    long_length = struct.Struct(order + "I").unpack_from
    offset = start
    while True:
        place = window.need(offset, 12)
        if place < 0:
            place = window.need(offset, 8)
            if place < 0:
                break
        data = window.data
        if syntax.is_implicit:
            group, element, length = head(data, place)
            vr_bytes, header_length = b"", 8
        else:
            group, element, vr_bytes, length = head(data, place)
            header_length = 8
            if vr_bytes in LONG_VRS:
                if len(data) < place + 12:
                    break
                (length,) = long_length(data, place + 8)
                header_length = 12
            elif vr_bytes not in SHORT_VRS:
                raise UncertainHeaderError(f"VR {vr_bytes!r} at byte {offset}")
        tag = group << 16 | element
        if group == 0xFFFE or tag == 0:
            raise UncertainHeaderError(f"tag {tag:08X} at byte {offset}")
        value = offset + header_length
        vr = vr_bytes.decode() if vr_bytes else vr_in_implicit(tag, is_signed)
        if tag in PIXEL_TAGS:
            found.pixel_keyword, found.pixel_vr, found.pixel_offset = PIXEL_TAGS[tag], vr, value
            found.pixel_length = -1 if length == UNDEFINED_LENGTH else length
            break
        if length == UNDEFINED_LENGTH:
            inner = syntax if vr == "SQ" or vr_bytes == b"" else Syntax(is_implicit=True)
            end, after = end_of_long.get(tag, end_of_sequence)(window, value, inner)
            if tag in wanted or (group & 1 and is_private_wanted(group, element)):
                place = window.need(value, end - value)
                if tag in end_of_long:
                    bounds = window.items and (window.items[0] + place, window.items[1] + place)
                    found.sequences[tag] = LongSequence(window.data, place, place + end - value, inner, bounds)
                    offset = after
                    continue
                # UN of undefined length is a sequence in implicit VR little endian (PS3.5 6.2.2 note 2)
                kind = "SQ" if inner is syntax else "SQ implicit"
                found.values[tag] = (kind, window.data[place : place + end - value])
            offset = after
            continue
        offset = value + length
        if tag in wanted or (group & 1 and is_private_wanted(group, element)):
            place = window.need(value, length)
            if place < 0:
                break
            if vr == "SQ" and tag in end_of_long:
                found.sequences[tag] = LongSequence(window.data, place, place + length, syntax)
                continue
            raw = window.data[place : place + length]
            if vr == "UN" and tag in PUBLIC:
                vr = vr_in_implicit(tag, is_signed)
            found.values[tag] = (vr, raw)
            if tag == PIXEL_REPRESENTATION:
                is_signed = raw[:2] in (b"\1\0", b"\0\1") and raw[:1] == (b"\0" if syntax.is_big_endian else b"\1")
        elif group & 0xFF00 == 0x6000 and element == 0x3000:
            found.overlay_data[tag] = (value, length)
    return found


def end_of_sequence(window: Window, offset: int, syntax: Syntax, *, one_item: bool = False) -> tuple[int, int]:
    """Where a sequence of undefined length ends, and where the element behind it begins [bytes from the start].

    With `one_item` the same of the first item of undefined length alone.
    """
    order = ">" if syntax.is_big_endian else "<"
    head = struct.Struct(order + "HH2sH").unpack_from
    long_length = struct.Struct(order + "I").unpack_from
    # What is open: a sequence waits for items, an item of undefined length waits for elements.
    open_items: list[bool] = [False]
    implicit: list[bool] = [syntax.is_implicit]
    while True:
        place = window.need(offset, 12)
        if place < 0:
            place = window.need(offset, 8)
            if place < 0:
                raise UncertainHeaderError(f"sequence without end from byte {offset}")
        data = window.data
        group, element, vr, length = head(data, place)
        tag = group << 16 | element
        if group == 0xFFFE:
            (length,) = long_length(data, place + 4)
            offset += 8
            if tag == ITEM and not open_items[-1]:
                if length == UNDEFINED_LENGTH:
                    open_items.append(True)
                    implicit.append(implicit[-1])
                else:
                    offset += length
            elif tag == ITEM_DELIMITER and open_items[-1]:
                open_items.pop()
                implicit.pop()
                if one_item and len(open_items) == 1:
                    return offset - 8, offset
            elif tag == SEQUENCE_DELIMITER and not open_items[-1]:
                open_items.pop()
                implicit.pop()
                if not open_items:
                    return offset - 8, offset
            else:
                raise UncertainHeaderError(f"tag {tag:08X} out of place at byte {offset - 8}")
            continue
        if not open_items[-1]:
            raise UncertainHeaderError(f"tag {tag:08X} between items at byte {offset}")
        is_un = False
        if implicit[-1]:
            (length,) = long_length(data, place + 4)
            offset += 8
        elif vr in LONG_VRS:
            if len(data) < place + 12:
                raise UncertainHeaderError(f"element cut at byte {offset}")
            (length,) = long_length(data, place + 8)
            offset, is_un = offset + 12, vr == b"UN"
        elif vr in SHORT_VRS:
            offset += 8
        else:
            raise UncertainHeaderError(f"VR {vr!r} at byte {offset}")
        if length == UNDEFINED_LENGTH and is_un and syntax.is_big_endian:  # what is in it is little endian (PS3.5 6.2.2 note 2)
            _, offset = end_of_sequence(window, offset, Syntax(is_implicit=True))
        elif length == UNDEFINED_LENGTH:
            if len(open_items) > MAX_DEPTH:
                raise UncertainHeaderError(f"sequences nested more than {MAX_DEPTH} deep at byte {offset}")
            open_items.append(False)
            implicit.append(implicit[-1] or is_un)
        else:
            offset += length
