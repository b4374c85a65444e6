"""Vendors' elements by name: by the private creator of their block, or by their usual place where that was removed."""

from __future__ import annotations

from xdicom.headers.dictionary import PRIVATE, to_snake_case
from xdicom.model.frames import FrameTable

_VENDORS = {"SIEMENS": "siemens", "GEMS": "ge", "Philips": "philips", "Image": "uih"}
PRIVATE_NAMES = {key: f"{_VENDORS[key[1].split('_')[0].split()[0]]}_{to_snake_case(name)}" for key, (_, name) in PRIVATE.items()}
"""Column name of each vendor's element."""
VENDOR_SOURCES: dict[str, str] = {PRIVATE_NAMES[key]: f"({key[0]:04X},xx{key[2]:02X}) {key[1]}" for key in PRIVATE}
"""Element and private creator of each column that holds a vendor's value."""
ASSUMED = "assumed_"
"""What the name of a second column begins with, which has the same value where the private creator is not there but assumed."""
_CONVENTIONAL_BLOCK = 0x10
_MANUFACTURERS = {"siemens": "siemens", "ge": "ge ", "philips": "philips", "uih": "uih"}


def private_creator_by_place(group: int, block: int, low: int, manufacturer: str) -> str | None:
    """Creator of an element whose creator was removed, where it lies in the usual block and the manufacturer agrees."""
    if block != _CONVENTIONAL_BLOCK:
        return None
    for key, name in PRIVATE_NAMES.items():
        if key[0] == group and key[2] == low and manufacturer.lower().startswith(_MANUFACTURERS[name.split("_")[0]]):
            return key[1]
    return None


def assumed_sources(frames: FrameTable) -> list[str]:
    """Vendors' elements of `frames` whose private creator is assumed, each with that creator."""
    return [source for name, source in VENDOR_SOURCES.items() if frames.column(ASSUMED + name) is not None]
