"""Data elements between a header that is read and one that is written, as bytes in Explicit VR Little Endian (PS3.5 7)."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from xdicom.headers.dictionary import PUBLIC, TAGS
from xdicom.headers.elements import LONG_VRS, PIXEL_REPRESENTATION, SHORT_VRS
from xdicom.headers.values import RawValue, decode_text

Elements = dict[int, RawValue]
"""Values of a data set or an item by tag; what has no VR yet gets one when it is written."""

SPECIFIC_CHARACTER_SET = 0x00080005
_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_SHORT_LIMIT = 0xFFFE
_PREAMBLE = bytes(128) + b"DICM"
IMPLEMENTATION_CLASS_UID = "2.25.183279405417932145609274151683409217745"
"""Names xdicom as the writer of a file (PS3.7 D.3.3.2)."""


@cache
def tag_and_vr(keyword: str) -> tuple[int, str]:
    """Tag and VR of an element by its keyword (PS3.6 6).

    Raises
    ------
    ValueError
        If there is no such element.
    """
    if keyword in TAGS:
        tag = TAGS[keyword]
        if tag in PUBLIC:
            return tag, PUBLIC[tag][0]
    from pydicom.datadict import dictionary_VR, tag_for_keyword  # noqa: PLC0415 - only for elements that are never read

    number = tag_for_keyword(keyword)
    if number is None:
        raise ValueError(f"there is no data element {keyword!r}: elements go by the keywords of PS3.6, such as 'SeriesDescription'")
    return number, dictionary_VR(number).replace(" or ", "|")


def set_element(elements: Elements, keyword: str, value: Any, *, vr: str | None = None) -> None:
    """Put a value into `elements`; None removes it, an empty one stays as an empty element.

    Parameters
    ----------
    elements
        Data set or item, changed in place.
    keyword
        Keyword of the element.
    value
        A number, a text, several of them, or for a sequence items that are mappings by keyword or `Elements`.
    vr
        The one that holds, where there are several.
    """
    tag, known = tag_and_vr(keyword)
    if value is None:
        elements.pop(tag, None)
        return
    elements[tag] = make_value(vr or known, value)


def make_value(vr: str, value: Any) -> RawValue:
    """A value as the bytes of its VR (PS3.5 6.2)."""
    if "|" in vr:
        vr = "OW" if isinstance(value, bytes) else "SS" if vr.startswith("US|SS") and np.min(value) < 0 else "US"
    if isinstance(value, bytes):
        return RawValue(vr, value)
    if vr == "SQ":
        return RawValue("SQ", b"".join(_item(item) for item in value))
    parts = list(value) if isinstance(value, list | tuple | np.ndarray) else [value]
    if vr in _FORMATS:
        return RawValue(
            vr, struct.pack(f"<{len(parts)}{_FORMATS[vr]}", *(float(part) if vr in ("FL", "FD") else int(part) for part in parts))
        )
    if vr == "AT":
        return RawValue(vr, b"".join(struct.pack("<HH", part >> 16, part & 0xFFFF) for part in parts))
    texts = [decimal_string(part) if vr == "DS" else str(int(part)) if vr == "IS" else str(part) for part in parts if part != ""]
    return RawValue(vr, "\\".join(texts).encode("utf-8"))


def decimal_string(number: Any) -> str:
    """A number in at most 16 characters, as near as they allow (PS3.5 6.2).

    Examples
    --------
    >>> decimal_string(1 / 3), decimal_string(-2.0), decimal_string(1e-9 / 7)
    ('0.33333333333333', '-2', '1.4285714286e-10')
    """
    if isinstance(number, str):
        return number
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{value} can't be written as a decimal string")
    text = str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    for digits in range(16, 0, -1):
        if len(text) <= 16:
            break
        text = f"{value:.{digits}g}"
    return text


def is_near(elements: Elements, keyword: str, value: Any, tolerance: float = 1e-6) -> bool:
    """Whether an element holds the number or numbers `value` already, within `tolerance` (absolute and relative)."""
    tag, _ = tag_and_vr(keyword)
    if tag not in elements:
        return False
    there, wanted = elements[tag].numbers(), np.atleast_1d(value).tolist()
    return len(there) == len(wanted) and all(abs(a - b) <= tolerance * (1 + abs(b)) for a, b in zip(there, wanted, strict=True))


def texts_of(elements: Elements, keyword: str) -> tuple[str, ...]:
    """The parts of a text; none where the element is missing."""
    tag, _ = tag_and_vr(keyword)
    return elements[tag].texts() if tag in elements else ()


def _item(item: Mapping[Any, Any]) -> bytes:
    elements: Elements = {}
    for key, value in item.items():
        if isinstance(key, int):
            elements[key] = value
        else:
            set_element(elements, key, value)
    data = encode_elements(elements)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data


def encode_elements(elements: Mapping[int, RawValue], *, is_signed: bool | None = None) -> bytes:
    """Elements as bytes in Explicit VR Little Endian, in the order of their tags; group lengths are left out."""
    if is_signed is None:
        is_signed = PIXEL_REPRESENTATION in elements and elements[PIXEL_REPRESENTATION].data[:1] == b"\1"
    return b"".join(_element(tag, elements[tag], elements, is_signed) for tag in sorted(elements) if tag & 0xFFFF or tag >> 16 == 0)


def _element(tag: int, value: RawValue, around: Mapping[int, RawValue], is_signed: bool) -> bytes:
    vr, data = value.vr, value.data
    if value.is_implicit:
        vr = _vr_of(tag, value, around, is_signed)
        if vr == "SQ":
            data = b"".join(_item_of(item, is_signed) for item in value.items())
    if len(data) % 2:
        data += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if vr.encode() in SHORT_VRS and len(data) > _SHORT_LIMIT:
        vr = "UN"  # the length takes more than two bytes (PS3.5 6.2.2 note 3)
    if vr.encode() in LONG_VRS:
        return head + vr.encode() + b"\0\0" + struct.pack("<I", len(data)) + data
    return head + vr.encode() + struct.pack("<H", len(data)) + data


def _item_of(item: Mapping[int, RawValue], is_signed: bool) -> bytes:
    data = encode_elements(item, is_signed=is_signed)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data


def _vr_of(tag: int, value: RawValue, around: Mapping[int, RawValue], is_signed: bool) -> str:
    """VR of an element that was written without one."""
    if value.vr not in ("UN", ""):
        return value.vr
    if tag >> 16 & 1:
        return _private_vr(tag, around)
    from pydicom.datadict import dictionary_VR  # noqa: PLC0415 - the dictionary of all elements, for headers that have no VR

    try:
        vr = dictionary_VR(tag)
    except KeyError:
        return "UN"
    if vr == "US or SS":
        return "SS" if is_signed else "US"
    return vr if len(vr) == 2 else "OW"


def _private_vr(tag: int, around: Mapping[int, RawValue]) -> str:
    """VR of a private element, where pydicom knows its creator's dictionary."""
    if tag & 0xFFFF < 0x0100:
        return "LO"
    creator = around.get(tag >> 16 << 16 | (tag & 0xFFFF) >> 8)
    if creator is None:
        return "UN"
    from pydicom.datadict import private_dictionary_VR  # noqa: PLC0415

    try:
        vr = private_dictionary_VR(tag, creator.data.decode("latin_1").strip(" \0"))
    except KeyError:
        return "UN"
    return vr if len(vr) == 2 else "UN"


def file_head(elements: Elements, transfer_syntax_uid: str) -> bytes:
    """Preamble, file meta information and data set up to the pixel data (PS3.10 7.1)."""
    meta: Elements = {
        0x00020001: RawValue("OB", b"\0\1"),
        0x00020002: elements[TAGS["SOPClassUID"]],
        0x00020003: elements[TAGS["SOPInstanceUID"]],
        0x00020010: RawValue("UI", transfer_syntax_uid.encode()),
        0x00020012: RawValue("UI", IMPLEMENTATION_CLASS_UID.encode()),
        0x00020013: RawValue("SH", b"XDICOM"),
    }
    group = encode_elements(meta)
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(group))
    return _PREAMBLE + length + group + encode_elements({tag: value for tag, value in elements.items() if tag >> 16 > 2})


def add_text(elements: Elements, keyword: str, text: str) -> None:
    """Put a text into `elements`; what is not ASCII makes them Unicode (PS3.3 C.12.1.1.2)."""
    set_element(elements, keyword, text)
    if not text.isascii():
        set_element(elements, "SpecificCharacterSet", "ISO_IR 192")


def to_unicode(elements: Elements, character_sets: Sequence[str]) -> None:
    """Turn texts of a data set, those in its sequences too, from `character_sets` to UTF-8."""
    for tag, value in elements.items():
        vr = _vr_of(tag, value, elements, is_signed=False) if value.is_implicit else value.vr
        if vr == "SQ" and value.data:
            items = value.items()
            for item in items:
                to_unicode(item, character_sets)
            elements[tag] = RawValue("SQ", b"".join(_item_of(item, is_signed=False) for item in items))
        elif vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT") and not (value.data.isascii() and b"\x1b" not in value.data):
            elements[tag] = RawValue(vr, decode_text(value.data, character_sets).encode("utf-8"), value.is_implicit)
