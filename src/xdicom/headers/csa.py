"""Siemens' CSA headers: named values in a private element, of which mosaics need a few."""

from __future__ import annotations

import struct

_MAGIC = b"SV10"
_TAG_HEAD = struct.Struct("<64si4siii")
_ITEM_HEAD = struct.Struct("<4i")
_MAX_TAGS = 1024


def parse_csa(data: bytes) -> dict[str, tuple[str, ...]]:
    """Values of a CSA header by name; empty where the bytes are none of that form.

    Every length is held against the bytes that are there: the element may be anything after a file was made anonymous.
    """
    start = 8 if data[:4] == _MAGIC else 0
    if len(data) < start + 8:
        return {}
    (count,) = struct.unpack_from("<I", data, start)
    if not 0 < count <= _MAX_TAGS:
        return {}
    offset = start + 8
    values: dict[str, tuple[str, ...]] = {}
    for _ in range(count):
        if offset + _TAG_HEAD.size > len(data):
            return {}
        name, _, _, _, items, _ = _TAG_HEAD.unpack_from(data, offset)
        offset += _TAG_HEAD.size
        texts = []
        for _ in range(max(0, items)):
            if offset + _ITEM_HEAD.size > len(data):
                return {}
            length = _ITEM_HEAD.unpack_from(data, offset)[1 if start else 0]
            offset += _ITEM_HEAD.size
            if length < 0 or offset + length > len(data):
                return {}
            texts.append(data[offset : offset + length].split(b"\0")[0].decode("latin_1").strip())
            offset += -(-length // 4) * 4
        values[name.split(b"\0")[0].decode("latin_1")] = tuple(text for text in texts if text)
    return values
