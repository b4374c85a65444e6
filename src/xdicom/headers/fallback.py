"""Headers that our own walk does not vouch for, read by pydicom."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from xdicom.errors import NotDicomError
from xdicom.headers.dictionary import OVERLAYS, PUBLIC
from xdicom.headers.elements import PIXEL_TAGS, UNDEFINED_LENGTH, Fetch, Syntax, Walk, is_private_wanted
from xdicom.headers.seekable import seekable_file

_LARGEST_VALUE = 16 << 20
"""Values above this are passed over by pydicom: they are none that a header is made of [bytes]."""


def walk_with_pydicom(fetch: Fetch, size: int, wanted: Container[int]) -> tuple[Walk, Syntax, str]:
    """The same as `walk`, by pydicom, for headers that the walk does not vouch for."""
    from pydicom.dataelem import RawDataElement  # noqa: PLC0415 - half a second, and few files need it
    from pydicom.filebase import DicomBytesIO  # noqa: PLC0415
    from pydicom.filereader import read_partial  # noqa: PLC0415
    from pydicom.filewriter import write_sequence  # noqa: PLC0415
    from pydicom.valuerep import EXPLICIT_VR_LENGTH_32  # noqa: PLC0415

    found = Walk()

    def ends(tag: int, vr: str | None, length: int) -> bool:
        """Whether the header ends before this element: at the pixels, or where there are but zeros."""
        if tag not in PIXEL_TAGS:
            return tag == length == 0
        found.pixel_keyword, found.pixel_vr = PIXEL_TAGS[tag], vr or "OW"
        found.pixel_length = -1 if length == UNDEFINED_LENGTH else length
        return True

    try:
        file = seekable_file(fetch, size)
        ds = read_partial(file, ends, _LARGEST_VALUE, force=True)
        is_implicit, is_little = ds.original_encoding
        if found.pixel_keyword:
            is_long = not is_implicit and found.pixel_vr in EXPLICIT_VR_LENGTH_32
            found.pixel_offset = file.tell() + (12 if is_long else 8)
        for tag in sorted(ds.keys()):
            raw: Any = ds.get_item(tag)
            number = int(tag)
            if number in OVERLAYS and number & 0xFFFF == 0x3000 and isinstance(raw, RawDataElement):
                found.overlay_data[number] = (raw.value_tell, raw.length)
            if number not in wanted and not (tag.group & 1 and is_private_wanted(tag.group, tag.element)):
                continue
            if isinstance(raw, RawDataElement):
                vr = raw.VR or PUBLIC.get(number, ("UN",))[0].split("|")[0]
                found.values[number] = (vr, raw.value or b"")
            elif raw is not None and raw.VR == "SQ":
                buffer = DicomBytesIO()
                buffer.is_little_endian, buffer.is_implicit_VR = bool(is_little), bool(is_implicit)
                sets = ds.original_character_set
                write_sequence(buffer, raw, [sets] if isinstance(sets, str) else list(sets))
                found.values[number] = ("SQ", buffer.getvalue())
    except Exception as error:
        raise NotDicomError(f"the header can't be read ({type(error).__name__}: {error})") from error
    uid = str(getattr(getattr(ds, "file_meta", None), "TransferSyntaxUID", ""))
    return found, Syntax(bool(is_implicit), not is_little), uid
