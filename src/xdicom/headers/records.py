"""One source's header as named raw values: what the instance says of itself, and where its pixel data begins."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from xdicom.errors import NotDicomError
from xdicom.headers.csa import parse_csa
from xdicom.headers.dictionary import NAMES, OVERLAYS, PUBLIC, TAGS
from xdicom.headers.elements import Fetch, UncertainHeaderError, Walk, Window, walk
from xdicom.headers.fallback import walk_with_pydicom
from xdicom.headers.file_meta import data_set_syntax, file_meta
from xdicom.headers.functional_groups import FrameColumns, columns_of_items, per_frame_columns, shared_values
from xdicom.headers.items import end_of_long_sequence
from xdicom.headers.names import named_values, overlay_name
from xdicom.headers.values import RawKey
from xdicom.model.encoding import DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN

HEAD_LENGTH = 8192
"""Bytes read of each source at first: the headers of most single-frame objects fit [bytes]."""

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


_END_OF_LONG = {_PER_FRAME: end_of_long_sequence}


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
        walked, syntax, named_by_pydicom = walk_with_pydicom(fetch, size, WANTED)
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
            if len(matrix := csa.get("B_matrix", ())) == 6:
                values.setdefault("siemens_b_matrix", _decimals(matrix))
        if times := csa.get("MosaicRefAcqTimes", ()):
            values.setdefault("siemens_mosaic_slice_times", _decimals(times))


def _decimals(texts: tuple[str, ...]) -> RawKey:
    return RawKey("DS", "\\".join(texts).encode("latin_1"), False, False)
