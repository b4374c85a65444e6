"""Headers as they were read, as elements that are changed and written again (PS3.5 7)."""

from __future__ import annotations

import io
import struct
from collections.abc import Container

from xdicom.errors import NotDicomError
from xdicom.export.dicom_elements import Elements
from xdicom.headers.elements import LONG_VRS, SHORT_VRS, Syntax, UncertainHeaderError, Window, walk
from xdicom.headers.values import RawValue
from xdicom.model.encoding import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN


class _All(Container[int]):
    """Every tag."""

    def __contains__(self, tag: object) -> bool:
        return True


def parse_header(data: bytes) -> Elements:
    """Elements of a data set from the first byte of its file to any byte behind its last header element.

    Raises
    ------
    NotDicomError
        If it can't be read.
    """
    try:
        start, syntax = _start_of(data)
        found = walk(Window(data, lambda *_: b"", len(data)), start, syntax, _All())
    except (UncertainHeaderError, struct.error):
        return _parse_with_pydicom(data)
    return {
        tag: RawValue(vr.split(" ")[0], raw, syntax.is_implicit or "implicit" in vr or (vr == "SQ" and _lacks_vr(raw)))
        for tag, (vr, raw) in found.values.items()
        if tag >> 16 < 0x7FE0
    }


def parse_elements(data: bytes) -> Elements:
    """Elements of a data set that `encode_elements` wrote.

    Raises
    ------
    NotDicomError
        If it can't be read.

    Examples
    --------
    >>> from xdicom.export.dicom_elements import encode_elements, set_element
    >>> elements: Elements = {}
    >>> set_element(elements, "Rows", 512)
    >>> parse_elements(encode_elements(elements)) == elements
    True
    """
    try:
        found = walk(Window(data, lambda *_: b"", len(data)), 0, Syntax(is_implicit=False), _All())
    except (UncertainHeaderError, struct.error) as error:
        raise NotDicomError(f"the elements can't be read ({error})") from error
    return {tag: RawValue(vr.split(" ")[0], raw, "implicit" in vr) for tag, (vr, raw) in found.values.items()}


def _start_of(data: bytes) -> tuple[int, Syntax]:
    """Where the data set begins, and how it is written.

    Raises
    ------
    UncertainHeaderError
        If the file lacks what a file begins with, or is written big endian.
    """
    if data[128:132] != b"DICM" or data[132:136] != b"\2\0\0\0":
        raise UncertainHeaderError("no file meta information with a length")
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    at, uid = 144, ""
    while at + 8 <= start:
        element, vr, length = struct.unpack_from("<H2sH", data, at + 2)
        at += 8
        if vr in LONG_VRS:
            (length,) = struct.unpack_from("<I", data, at)
            at += 4
        if element == 0x0010:
            uid = data[at : at + length].rstrip(b" \0").decode("latin_1")
        at += length
    is_explicit = data[start + 4 : start + 6] in SHORT_VRS or data[start + 4 : start + 6] in LONG_VRS
    if uid == EXPLICIT_BIG_ENDIAN or not uid or is_explicit == (uid == IMPLICIT_LITTLE_ENDIAN):
        raise UncertainHeaderError("not a plain little endian data set")
    return start, Syntax(is_implicit=not is_explicit)


def _lacks_vr(sequence: bytes) -> bool:
    """Whether the elements in the items of a sequence are written without VR (a sequence that came as UN)."""
    vr = sequence[12:14]
    return len(sequence) >= 16 and vr not in SHORT_VRS and vr not in LONG_VRS and sequence[8:12] != b"\xfe\xff\x0d\xe0"


def _parse_with_pydicom(data: bytes) -> Elements:
    """The same by pydicom, for headers that are written otherwise."""
    from pydicom import dcmread, dcmwrite  # noqa: PLC0415 - half a second, and few files need it
    from pydicom.uid import UID  # noqa: PLC0415

    try:
        dataset = dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
        for tag in [tag for tag in dataset.keys() if tag.group >= 0x7FE0]:  # noqa: SIM118 - iterating itself reads every value
            del dataset[tag]
        for _ in dataset.iterall():  # what was not looked at would be written as it lay there
            pass
        if hasattr(dataset, "file_meta"):
            dataset.file_meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE_ENDIAN)
        buffer = io.BytesIO()
        dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=False)
        raw = buffer.getvalue()
        start = 0
        if raw[128:132] == b"DICM":
            start = 144 + struct.unpack_from("<I", raw, 140)[0]
        found = walk(Window(raw, lambda *_: b"", len(raw)), start, Syntax(is_implicit=False), _All())
    except Exception as error:
        raise NotDicomError(f"the header can't be read ({type(error).__name__}: {error})") from error
    kept = {tag: value for tag, value in found.values.items() if 0x0002 < tag >> 16 < 0x7FE0}
    return {tag: RawValue(vr.split(" ")[0], value, "implicit" in vr) for tag, (vr, value) in kept.items()}
