"""One source's header as named raw values: what the instance is, how its pixels are encoded and where they lie."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from xdicom.errors import NotDicomError, PixelDataError, UnsupportedEncodingError
from xdicom.headers.csa import parse_csa
from xdicom.headers.dictionary import NAMES, OVERLAYS, PRIVATE, PUBLIC, TAGS, to_snake_case
from xdicom.headers.elements import (
    PIXEL_TAGS,
    UNDEFINED_LENGTH,
    Fetch,
    Syntax,
    UncertainHeaderError,
    Walk,
    Window,
    is_private_wanted,
    walk,
)
from xdicom.headers.file_meta import data_set_syntax, file_meta
from xdicom.headers.functional_groups import FrameColumns, columns_of_items, per_frame_columns, shared_values
from xdicom.headers.items import end_of_long_sequence
from xdicom.headers.seekable import seekable_file
from xdicom.headers.spans import Spans, encapsulated_spans, native_spans
from xdicom.headers.values import RawValue
from xdicom.model.encoding import (
    DEFLATED_LITTLE_ENDIAN,
    DOUBLE_FLOAT_PIXEL_DATA,
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    FLOAT_PIXEL_DATA,
    IMPLICIT_LITTLE_ENDIAN,
    NATIVE_SYNTAXES,
    PixelEncoding,
)

HEAD_LENGTH = 8192
"""Bytes read of each source at first: the headers of most single-frame objects fit [bytes]."""

BITS_ALLOCATED = (1, 8, 16, 32, 64)
"""Sizes of a sample cell that are read."""

_LAZY = {
    TAGS[keyword]
    for keyword in (
        "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ICCProfile", "IconImageSequence", "ReferencedImageSequence",
        "ReferencedSeriesSequence", "DerivationImageSequence", "SourceImageSequence",
    )
}  # fmt: skip
"""Elements that are read on demand, if at all."""
WANTED = frozenset(PUBLIC) - _LAZY | frozenset(tag for tag in OVERLAYS if tag & 0xFFFF != 0x3000)
_SHARED, _PER_FRAME = TAGS["SharedFunctionalGroupsSequence"], TAGS["PerFrameFunctionalGroupsSequence"]
_SHORTEST_ELEMENT = 8
_IMAGE_TYPE, _TRANSFER_SYNTAX = TAGS["ImageType"], TAGS["TransferSyntaxUID"]
CSA_HEADERS = frozenset(0x00290010 | block << 8 for block in range(0x10, 0x100))
"""Siemens' CSA image header, (0029,xx10), in any block."""
_VENDORS = {"SIEMENS": "siemens", "GEMS": "ge", "Philips": "philips", "Image": "uih"}
PRIVATE_NAMES = {key: f"{_VENDORS[key[1].split('_')[0].split()[0]]}_{to_snake_case(name)}" for key, (_, name) in PRIVATE.items()}
"""Column name of each vendor's element."""
_LARGEST_VALUE = 16 << 20
"""Values above this are passed over by pydicom: they are none that a header is made of [bytes]."""
_CONVENTIONAL_BLOCK = 0x10
_MANUFACTURERS = {"siemens": "siemens", "ge": "ge ", "philips": "philips", "uih": "uih"}


_END_OF_LONG = {_PER_FRAME: end_of_long_sequence}


class RawKey(NamedTuple):
    """A raw value that can be a key: two frames with equal keys have equal values."""

    vr: str
    data: bytes
    is_implicit: bool
    is_big_endian: bool

    def value(self) -> RawValue:
        """The raw value itself."""
        if self.vr == "SQ implicit":
            return RawValue("SQ", self.data, is_implicit=True)
        return RawValue(self.vr, self.data, self.is_implicit, self.is_big_endian)


@dataclass(slots=True)
class Header:
    """What one source says of its instance."""

    values: dict[str, RawKey]
    """Raw values by name; those of the shared functional groups stand above those of the top level."""
    frames: FrameColumns | None = None
    """Columns of the per-frame functional groups."""
    transfer_syntax_uid: str = ""
    """UID of the transfer syntax, or the nearest guess where there is none."""
    walked: Walk = field(default_factory=Walk)
    """Where the pixel data lies."""
    inflate_from: int = -1
    """Where a deflated data set begins, -1 for any other: the header is then read from the inflated source."""
    parser: str = "walk"
    """Which parser read it: `walk`, or `pydicom` where the walk was not certain."""
    notes: list[str] = field(default_factory=list)
    """What was odd and how it was read all the same."""

    def text(self, name: str) -> str:
        """First part of a text value, or the empty string."""
        key = self.values.get(name)
        return key.value().text() if key else ""

    def number(self, name: str, default: float = -1) -> float:
        """First number of a value, or `default`."""
        key = self.values.get(name)
        numbers = key.value().numbers() if key else ()
        return numbers[0] if numbers and numbers[0] == numbers[0] else default


def parse_header(head: bytes, fetch: Fetch, size: int, inflated_from: int = -1) -> Header:
    """Header of the instance whose first bytes are `head`; more are fetched where it is longer.

    `inflated_from` is where the data set was deflated, when `fetch` reads the inflated source.

    Raises
    ------
    NotDicomError
        If the bytes are not those of a DICOM file (PS3.10 7.1).
    """
    start, meta = file_meta(head)
    if start + _SHORTEST_ELEMENT > len(head) and (more := fetch(0, start + HEAD_LENGTH)) and len(more) > len(head):
        head = more
        start, meta = file_meta(head)
    if start + _SHORTEST_ELEMENT > len(head):
        raise NotDicomError("the file ends within its meta information")
    notes: list[str] = []
    uid = meta.get(_TRANSFER_SYNTAX, b"").decode("latin_1").strip(" \0")
    if uid == DEFLATED_LITTLE_ENDIAN and inflated_from < 0:
        return Header({}, transfer_syntax_uid=uid, inflate_from=start)
    syntax = data_set_syntax(head, start, uid, notes)
    window = Window(head, fetch, size)
    parser = "walk"
    csa: dict[int, tuple[str, bytes]] = {}
    try:
        walked = walk(window, start, syntax, WANTED, _END_OF_LONG)
        if b"MOSAIC" in walked.values.get(_IMAGE_TYPE, ("", b""))[1]:
            csa = walk(Window(head, fetch, size), start, syntax, CSA_HEADERS).values
    except UncertainHeaderError as doubt:
        notes.append(f"read by pydicom: {doubt}")
        parser = "pydicom"
        walked, syntax, named_by_pydicom = _walk_with_pydicom(fetch, size)
        uid = uid or named_by_pydicom
    if not uid and _TRANSFER_SYNTAX in walked.values:  # behind a damaged element the rest of the meta information passed for the data set
        uid = walked.values[_TRANSFER_SYNTAX][1].decode("latin_1").strip(" \0")
    if not uid:
        uid = EXPLICIT_BIG_ENDIAN if syntax.is_big_endian else IMPLICIT_LITTLE_ENDIAN if syntax.is_implicit else EXPLICIT_LITTLE_ENDIAN
    values = {name: key for name, (_, key) in named_values(walked.values, syntax).items()}
    _add_csa(values, csa)
    for tag, place in walked.overlay_data.items():
        if tag not in OVERLAYS:
            continue
        # In big-endian files words are swapped, bytes are not: the VR, in front of the length, tells which these are.
        is_swapped = syntax.is_big_endian and fetch(place[0] - 8, 2) == b"OW"
        values[overlay_name(tag)] = RawKey("UV", struct.pack("<3Q", *place, is_swapped), False, False)
    for tag, raw in meta.items():
        values.setdefault(NAMES[tag], RawKey("UI", raw, False, False))
    header = Header(values, transfer_syntax_uid=uid, walked=walked, parser=parser, notes=notes)
    try:
        if shared := walked.values.get(_SHARED):
            values.update(shared_values(RawKey(*shared, syntax.is_implicit, syntax.is_big_endian).value(), RawKey))
        if per_frame := walked.values.get(_PER_FRAME):
            header.frames = per_frame_columns(RawKey(*per_frame, syntax.is_implicit, syntax.is_big_endian).value())
        elif sequence := walked.sequences.pop(_PER_FRAME, None):
            header.frames = columns_of_items(sequence)
    except UncertainHeaderError as doubt:
        notes.append(f"functional groups are damaged ({doubt}): frames have no values of their own")
    for name in (NAMES[_SHARED], NAMES[_PER_FRAME]):
        values.pop(name, None)
    return header


def pixel_encoding(header: Header) -> PixelEncoding:
    """How the pixels of the instance are encoded (PS3.3 C.7.6.3).

    Raises
    ------
    NotDicomError
        If the instance has no pixel data.
    PixelDataError
        If the header lacks what describes the pixels.
    """
    walked = header.walked
    if not walked.pixel_keyword:
        kind = header.text("sop_class_uid") or header.text("media_storage_sop_class_uid")
        raise NotDicomError(f"no pixel data (SOP Class {kind or 'not stated'})")
    sizes = {name: int(header.number(name)) for name in ("rows", "columns", "bits_allocated")}
    missing = [name for name, value in sizes.items() if value <= 0]
    if missing:
        raise PixelDataError(f"the header does not state {', '.join(missing)}")
    if sizes["bits_allocated"] not in BITS_ALLOCATED:
        raise UnsupportedEncodingError(f"Bits Allocated is {sizes['bits_allocated']}; read are {', '.join(map(str, BITS_ALLOCATED))}")
    floats = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}
    bits_allocated = floats.get(walked.pixel_keyword, sizes["bits_allocated"])
    bits_stored, high_bit = bits_allocated, bits_allocated - 1
    if walked.pixel_keyword not in floats:
        bits_stored, high_bit = _place_of_samples(header, bits_allocated)
    return PixelEncoding(
        transfer_syntax_uid=header.transfer_syntax_uid,
        rows=sizes["rows"],
        columns=sizes["columns"],
        samples_per_pixel=max(1, int(header.number("samples_per_pixel", 1))),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        is_signed=walked.pixel_keyword not in floats and header.number("pixel_representation", 0) == 1,
        photometric_interpretation=header.text("photometric_interpretation") or "MONOCHROME2",
        planar_configuration=int(header.number("planar_configuration", 0)) & 1,
        pixel_keyword=walked.pixel_keyword,
        pixel_vr="OB" if walked.pixel_vr == "OB" else "OW",
    )


def _place_of_samples(header: Header, bits_allocated: int) -> tuple[int, int]:
    """Bits Stored and High Bit, put right and noted where they do not fit their cells (PS3.5 8.1.1)."""
    stored = bits_stored = int(header.number("bits_stored", bits_allocated))
    if not 0 < bits_stored <= bits_allocated:
        bits_stored = bits_allocated
    stated = high_bit = int(header.number("high_bit", bits_stored - 1))
    if not bits_stored - 1 <= high_bit < bits_allocated:
        high_bit = bits_stored - 1
    if bits_allocated > 1 and (bits_stored != stored or (high_bit != stated and bits_stored < bits_allocated)):
        wrong = f"Bits Stored {stored} and High Bit {stated} don't fit in {bits_allocated} bits allocated"
        header.notes.append(f"{wrong}; {bits_stored} and {high_bit} are assumed")
    return bits_stored, high_bit


def frame_spans(header: Header, encoding: PixelEncoding, fetch: Fetch, size: int) -> Spans:
    """Where the frames of the instance lie.

    Raises
    ------
    PixelDataError
        If they can't be found.
    UnsupportedEncodingError
        If the transfer syntax and the form of the pixel data contradict each other.
    """
    walked = header.walked
    declared = header.number("number_of_frames", 1)
    count = max(1, int(declared))
    if declared < 1:
        header.notes.append(f"Number of Frames is {declared:g}; one is assumed")
    if walked.pixel_length >= 0 and header.transfer_syntax_uid in NATIVE_SYNTAXES:
        available = walked.pixel_length if size < 0 else max(0, min(walked.pixel_length, size - walked.pixel_offset))
        return native_spans(walked.pixel_offset, available, encoding, count)
    if header.transfer_syntax_uid in NATIVE_SYNTAXES:
        return _native_of_undefined_length(header, encoding, fetch, size, count)
    if walked.pixel_length >= 0 and not walked.pixel_length:
        raise PixelDataError("the pixel data is empty")
    if walked.pixel_length >= 0 and fetch(walked.pixel_offset, 4) != b"\xfe\xff\x00\xe0":
        raise UnsupportedEncodingError(
            f"transfer syntax {header.transfer_syntax_uid} asks for encapsulated pixel data, but its length is defined "
            f"({walked.pixel_length} bytes) and no item is in it"
        )
    tables = [header.values.get(name) for name in ("extended_offset_table", "extended_offset_table_lengths")]
    extended = (tables[0].value().array("u8"), tables[1].value().array("u8")) if tables[0] and tables[1] else None
    return encapsulated_spans(fetch, walked.pixel_offset, size, encoding, count, extended)


def _native_of_undefined_length(header: Header, encoding: PixelEncoding, fetch: Fetch, size: int, count: int) -> Spans:
    """Uncompressed pixel data in items, or running to the end of the source, against PS3.5 A.1 and A.2."""
    start = header.walked.pixel_offset
    first = fetch(start, 8)
    if first[:4] == b"\xfe\xff\x00\xe0":
        raise UnsupportedEncodingError(
            f"transfer syntax {header.transfer_syntax_uid} is uncompressed, but the pixel data lies in items: "
            "the transfer syntax is wrong or missing"
        )
    header.notes.append("native pixel data of undefined length; it is taken to reach the end of the source")
    return native_spans(start, max(0, size - start), encoding, count)


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
            named[PRIVATE_NAMES[group, creator or "", low]] = (tag, RawKey(entry[0] if vr == "UN" else vr, data, implicit, big))
    return named


def overlay_name(tag: int) -> str:
    """Column name of an element of an overlay plane; that of Overlay Data holds its offset, its length and whether it is swapped."""
    return f"overlay_{tag >> 16 & 0xFF:02x}_{to_snake_case(OVERLAYS[tag][1])}"


def _add_csa(values: dict[str, RawKey], headers: dict[int, tuple[str, bytes]]) -> None:
    """What a Siemens mosaic says in its CSA image header: where the slices go, and what no element of its own says."""
    for _, data in headers.values():
        csa = parse_csa(data)
        count, normal = csa.get("NumberOfImagesInMosaic", ()), csa.get("SliceNormalVector", ())
        if count:
            values.setdefault("siemens_mosaic_images", RawKey("IS", count[0].encode("latin_1"), False, False))
        if len(normal) == 3:
            values["siemens_slice_normal"] = _decimals(normal)
        if "siemens_diffusion_b_value" not in values and len(b_value := csa.get("B_value", ())) == 1:
            values["siemens_diffusion_b_value"] = _decimals(b_value)
            if len(direction := csa.get("DiffusionGradientDirection", ())) == 3:
                values.setdefault("siemens_diffusion_gradient_direction", _decimals(direction))
        if times := csa.get("MosaicRefAcqTimes", ()):
            values.setdefault("siemens_mosaic_slice_times", _decimals(times))


def _decimals(texts: tuple[str, ...]) -> RawKey:
    return RawKey("DS", "\\".join(texts).encode("latin_1"), False, False)


def private_creator_by_place(group: int, block: int, low: int, manufacturer: str) -> str | None:
    """Creator of an element whose creator was removed, where it lies in the usual block and the manufacturer agrees."""
    if block != _CONVENTIONAL_BLOCK:
        return None
    for key, name in PRIVATE_NAMES.items():
        if key[0] == group and key[2] == low and manufacturer.lower().startswith(_MANUFACTURERS[name.split("_")[0]]):
            return key[1]
    return None


def _walk_with_pydicom(fetch: Fetch, size: int) -> tuple[Walk, Syntax, str]:
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
            if number not in WANTED and not (tag.group & 1 and is_private_wanted(tag.group, tag.element)):
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


def raw_array(header: Header, name: str) -> np.ndarray | None:
    """Numbers of a value as an array, or None where the header has none."""
    key = header.values.get(name)
    return key.value().array() if key else None
