"""Values by name: keywords in snake_case, and vendors' elements by the private creator of their block (PS3.5 7.8.1)."""

from __future__ import annotations

from xdicom.headers.dictionary import NAMES, OVERLAYS, PRIVATE, to_snake_case
from xdicom.headers.elements import Syntax
from xdicom.headers.private import ASSUMED, PRIVATE_NAMES, private_creator_by_place
from xdicom.headers.values import RawKey


def named_values(values: dict[int, tuple[str, bytes]], syntax: Syntax) -> dict[str, tuple[int, RawKey]]:
    """Tags and values by name; vendors' elements by the private creator of their block (PS3.5 7.8.1)."""
    named: dict[str, tuple[int, RawKey]] = {}
    private: list[int] = []
    implicit, big = syntax.is_implicit, syntax.is_big_endian
    for tag, (vr, data) in values.items():
        name = NAMES.get(tag)
        if name is not None:
            named[name] = (tag, RawKey(vr, data, implicit, big))
        elif tag >> 16 & 1:
            private.append(tag)
        elif tag in OVERLAYS:
            named[overlay_name(tag)] = (tag, RawKey(vr, data, implicit, big))
    if not private:
        return named
    creators = {tag: values[tag][1].decode("latin_1").strip(" \0") for tag in private if 0x10 <= tag & 0xFFFF <= 0xFF}
    manufacturer = named["manufacturer"][1].data.decode("latin_1") if "manufacturer" in named else ""
    for tag in private:
        if tag in creators:
            continue
        group, block, low = tag >> 16, tag >> 8 & 0xFF, tag & 0xFF
        creator = creators.get(group << 16 | block)
        if creator is None:
            creator = private_creator_by_place(group, block, low, manufacturer)
        entry = PRIVATE.get((group, creator or "", low))
        if entry is not None:
            vr, data = values[tag]
            name = PRIVATE_NAMES[group, creator or "", low]
            named[name] = (tag, RawKey(entry[0] if vr == "UN" else vr, data, implicit, big))
            if group << 16 | block not in creators:
                named[ASSUMED + name] = named[name]
    return named


def overlay_name(tag: int) -> str:
    """Column name of an element of an overlay plane; that of Overlay Data holds its offset, its length and whether it is swapped."""
    return f"overlay_{tag >> 16 & 0xFF:02x}_{to_snake_case(OVERLAYS[tag][1])}"
