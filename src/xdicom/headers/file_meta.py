"""File meta information, and how the data set after it is written, whatever the transfer syntax says (PS3.10 7.1)."""

from __future__ import annotations

import struct

from xdicom.errors import NotDicomError
from xdicom.headers.dictionary import PUBLIC
from xdicom.headers.elements import LONG_VRS, SHORT_VRS, Syntax
from xdicom.model.encoding import EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN

_META = frozenset(tag for tag in PUBLIC if tag >> 16 == 2)


def file_meta(head: bytes) -> tuple[int, dict[int, bytes]]:
    """Where the data set begins, and the values of the file meta information (PS3.10 7.1)."""
    start = 132 if head[128:132] == b"DICM" else 0
    if start == 0 and len(head) > 136 and not head[:128].strip(b"\0") and _looks_like_element(head, 128):
        start = 128
    if start == 0 and not _looks_like_element(head, 0):
        raise NotDicomError("no DICM prefix at byte 128 and no data element at the start: not a DICOM file")
    values: dict[int, bytes] = {}
    while head[start : start + 2] == b"\x02\0" and len(head) >= start + 12:
        element, vr, length = struct.unpack_from("<H2sH", head, start + 2)
        if vr in LONG_VRS:
            (length,) = struct.unpack_from("<I", head, start + 8)
            start += 12
        elif vr in SHORT_VRS:
            start += 8
        else:  # some writers leave the VR out here too
            (length,) = struct.unpack_from("<I", head, start + 4)
            start += 8
        if 0x00020000 | element in _META:
            values[0x00020000 | element] = head[start : start + length]
        start += length
    return start, values


def _looks_like_element(head: bytes, at: int) -> bool:
    """Whether a plausible data element of group 0002 or 0008 begins at byte `at`, in any syntax."""
    if len(head) < at + 8:
        return False
    for order in "<>":
        group, element, vr = struct.unpack_from(order + "HH2s", head, at)
        (length,) = struct.unpack_from(order + "I", head, at + 4)
        if group in (0x0002, 0x0008) and element < 0x3000 and (vr in SHORT_VRS or vr in LONG_VRS or length < 1024):
            return True
    return False


def data_set_syntax(head: bytes, start: int, uid: str, notes: list[str]) -> Syntax:
    """How the data set is written: what the transfer syntax says, unless its first element says otherwise."""
    vr = head[start + 4 : start + 6]
    looks_explicit = vr in SHORT_VRS or vr in LONG_VRS
    looks_big = head[start : start + 1] == b"\0" and head[start + 1 : start + 2] != b"\0"
    if not uid:
        return Syntax(is_implicit=not looks_explicit, is_big_endian=looks_explicit and looks_big)
    is_implicit, is_big = uid == IMPLICIT_LITTLE_ENDIAN, uid == EXPLICIT_BIG_ENDIAN
    if looks_explicit == is_implicit and len(head) >= start + 8:
        notes.append(f"the transfer syntax says {'implicit' if is_implicit else 'explicit'} VR, the data set is written otherwise")
        is_implicit = not is_implicit
    return Syntax(is_implicit, is_big)
