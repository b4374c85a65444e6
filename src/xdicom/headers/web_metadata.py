"""Metadata of an instance in the DICOM JSON model (PS3.18 F) to the bytes of a header, which is read like any other."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any

from xdicom.headers.dictionary import PRIVATE_PLACES
from xdicom.headers.elements import LONG_VRS, PIXEL_TAGS
from xdicom.headers.records import CSA_HEADERS, WANTED

_NUMBERS = {"FL": "f", "FD": "d", "SL": "i", "SS": "h", "UL": "I", "US": "H", "SV": "q", "UV": "Q"}
_TEXT_PADDING = {"UI": b"\0"}
_CHARACTER_SET = 0x00080005
_IMAGE_TYPE = "00080008"
_PIXEL_DATA = 0x7FE00010
_PREAMBLE = b"\0" * 128 + b"DICM"

FetchBulk = Callable[[str], bytes]
"""Called with the address of a value that the metadata leave out."""


def encode_header(metadata: Mapping[str, Mapping[str, Any]], transfer_syntax_uid: str, fetch_bulk: FetchBulk) -> bytes:
    """Header as a file has it (PS3.10 7.1), in explicit VR little endian, whatever the transfer syntax is called.

    Parameters
    ----------
    metadata
        Elements of one instance by tag.
    transfer_syntax_uid
        Of its pixel data; it goes into the file meta information.
    fetch_bulk
        Gives values that are kept apart; it is called for those only that are read.

    Returns
    -------
    bytes
        With an empty element of pixel data at the end where the instance has pixels.
    """
    syntax = _element(0x00020010, b"UI", _padded(transfer_syntax_uid.encode(), b"\0"))
    pixel_tags = [int(tag, 16) for tag in metadata if int(tag, 16) in PIXEL_TAGS]
    has_pixels = bool(pixel_tags) or ("00280010" in metadata and "00280011" in metadata)  # some servers leave pixel data out
    body = _encode({**metadata, f"{_CHARACTER_SET:08X}": {"vr": "CS", "Value": ["ISO_IR 192"]}}, fetch_bulk)
    pixels = _element(max([*pixel_tags, 0]) or _PIXEL_DATA, b"OW", b"") if has_pixels else b""
    return _PREAMBLE + syntax + body + pixels


def lacks_values(metadata: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether an element that is read stands there with an empty list of values: a server could not say what it is.

    Elements that are empty themselves have no list at all (PS3.18 F.2.2).
    """
    return any(content.get("Value") == [] and content.get("vr") != "SQ" and int(tag, 16) in WANTED for tag, content in metadata.items())


def _is_read(tag: int, elements: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether anything is made of an element, so that it is fetched where it is kept apart."""
    is_mosaic = "MOSAIC" in (elements.get(_IMAGE_TYPE, {}).get("Value") or ())
    return tag in WANTED or tag & 0xFFFF00FF in PRIVATE_PLACES or (is_mosaic and tag in CSA_HEADERS)


def _encode(elements: Mapping[str, Mapping[str, Any]], fetch_bulk: FetchBulk) -> bytes:
    parts: list[bytes] = []
    for name in sorted(elements, key=lambda name: int(name, 16)):
        tag, content = int(name, 16), elements[name]
        if tag in PIXEL_TAGS or tag >> 16 <= 2:
            continue
        vr = str(content.get("vr", "UN"))
        if "BulkDataURI" in content:
            if not _is_read(tag, elements):
                continue
            value = fetch_bulk(str(content["BulkDataURI"]))
        elif "InlineBinary" in content:
            value = base64.b64decode(content["InlineBinary"])
        else:
            value = _value(vr, content.get("Value") or [], fetch_bulk)
        parts.append(_element(tag, vr.encode(), _padded(value, _TEXT_PADDING.get(vr, b"\0" if vr in ("OB", "UN") else b" "))))
    return b"".join(parts)


def _value(vr: str, values: list[Any], fetch_bulk: FetchBulk) -> bytes:
    if vr == "SQ":
        items = [_encode(item or {}, fetch_bulk) for item in values]
        return b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    if vr in _NUMBERS:
        make = float if vr in ("FL", "FD") else int
        return struct.pack(f"<{len(values)}{_NUMBERS[vr]}", *(make(value) for value in values))
    if vr == "AT":
        return b"".join(struct.pack("<HH", int(value[:4], 16), int(value[4:], 16)) for value in values)
    return "\\".join(_text(value) for value in values).encode()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):  # a person's name, by script
        return "=".join(str(value.get(script, "")) for script in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    return repr(value) if isinstance(value, float) else str(value)


def _padded(value: bytes, padding: bytes) -> bytes:
    return value + padding if len(value) % 2 else value


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    start = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in LONG_VRS:
        return start + struct.pack("<HI", 0, len(value)) + value
    return start + struct.pack("<H", len(value)) + value
