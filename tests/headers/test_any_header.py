"""Headers made at random: the walk of one, many side by side and functional groups in step give what pydicom reads."""

from __future__ import annotations

import io
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headers.agreement import differences, equals, walked_values
from headers.test_real_elements import groups_of
from headers.written import BIG_ENDIAN, EXPLICIT, IMPLICIT, PIXELS, UNDEFINED, element, item, numbers, sequence
from index.test_read_together import assert_row_equals
from index.test_scan import scan
from xdicom.headers.abreast import FEW
from xdicom.headers.dictionary import PUBLIC, TAGS
from xdicom.headers.elements import Syntax
from xdicom.headers.records import Header, parse_header

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of values that it reads all the same
RELAXED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
SYNTAX_UIDS = {EXPLICIT: b"1.2.840.10008.1.2.1\0", IMPLICIT: b"1.2.840.10008.1.2\0", BIG_ENDIAN: b"1.2.840.10008.1.2.2\0"}
SYNTAXES = st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN])
_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4}
_NUMBERS = ["1", "-2.5", "1e3", " 7", "", "abc", "1\\2", "1\\\\2", "00012", "1.", ".5", "+3", "1\\2\\3", "16777217", "0.1", "\\"]
_WHOLE = ["1", "-2", " 7", "", "12\\-3", "00012", "+3", "2147483647"]
_FIXED = {
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
}
_CHOSEN = [
    (tag, vr.split("|")[0])
    for tag, (vr, keyword) in PUBLIC.items()
    if 0x0008 <= tag >> 16 < 0x5200 and "SQ" not in vr and keyword not in _FIXED | {"SpecificCharacterSet", "NumberOfFrames"}
]
_SEQUENCES = [tag for tag, (vr, _) in PUBLIC.items() if vr == "SQ" and tag >> 16 < 0x5200]
_PRIVATE_SEQUENCE, _PRIVATE_UN = 0x00091077, 0x00091078


@dataclass(frozen=True)
class Leaf:
    """An element without items."""

    tag: int
    vr: str
    value: bytes

    def written(self, syntax: Syntax) -> bytes:
        return element(self.tag, self.vr, self.value, syntax)


@dataclass(frozen=True)
class Nest:
    """A sequence; items and itself of defined or undefined length."""

    tag: int
    items: tuple[tuple[Any, ...], ...]
    is_undefined: bool
    are_items_undefined: bool
    is_un: bool = False

    def written(self, syntax: Syntax) -> bytes:
        inner = IMPLICIT if self.is_un else syntax
        items = [
            item(*(each.written(inner) for each in of_tags(content)), undefined=self.are_items_undefined, syntax=inner)
            for content in self.items
        ]
        if not self.is_un:
            return sequence(self.tag, items, undefined=self.is_undefined, syntax=syntax)
        content = b"".join(items) + element(0xFFFEE0DD, "", b"", IMPLICIT)
        return element(self.tag, "UN", content, syntax, length=UNDEFINED)


def has_un(one: Any) -> bool:
    """Whether an element is, or holds, a sequence under UN."""
    return isinstance(one, Nest) and (one.is_un or any(has_un(inner) for content in one.items for inner in content))


def of_tags(elements: tuple[Any, ...]) -> list[Any]:
    """Elements in order, the first of each tag."""
    found: dict[int, Any] = {}
    for each in elements:
        found.setdefault(each.tag, each)
    return [found[tag] for tag in sorted(found)]


@st.composite
def leaves(draw: Any) -> Leaf:
    tag, vr = draw(st.sampled_from(_CHOSEN))
    if vr in _SIZES:
        value = draw(st.binary(min_size=_SIZES[vr], max_size=_SIZES[vr])) * draw(st.integers(0, 3))
    elif vr in ("DS", "IS"):
        text = draw(st.sampled_from(_NUMBERS if vr == "DS" else _WHOLE))
        value = (text + " " * (len(text) % 2)).encode()
    elif vr in ("OB", "OW", "OF", "OD", "OL", "OV", "UN"):
        value = draw(st.binary(max_size=4)) * 2
    elif vr in ("DA", "TM", "DT"):
        value = draw(st.sampled_from([b"", b"20260102" if vr != "TM" else b"101530.5", b"2026" if vr == "DT" else b""]))
    else:
        text = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=30))
        value = (text + " " * (len(text) % 2)).encode()
    return Leaf(tag, vr, value)


def nests(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(st.lists(inner, max_size=3).map(tuple), max_size=3).map(tuple)
    return st.one_of(
        st.builds(Nest, st.sampled_from([*_SEQUENCES, _PRIVATE_SEQUENCE]), items, st.booleans(), st.booleans()),
        st.builds(Nest, st.just(_PRIVATE_UN), items, st.just(value=True), st.booleans(), st.just(value=True)),
    )


VENDOR = st.sampled_from([
    (Leaf(0x00190010, "LO", b"SIEMENS MR HEADER "), Leaf(0x0019100C, "IS", b"50")),
    (Leaf(0x00190042, "LO", b"SIEMENS MR HEADER "), Leaf(0x0019420C, "IS", b"700 ")),
    (Leaf(0x00090010, "LO", b"ACME"), Leaf(0x00091001, "OB", b"\1" * 6), Leaf(0x00091002, "UN", b"\2" * 300)),
    (),
])  # fmt: skip
ELEMENTS = st.tuples(st.lists(st.recursive(leaves(), nests, max_leaves=8), max_size=12).map(tuple), VENDOR).map(lambda both: sum(both, ()))


def file_of(elements: tuple[Any, ...], syntax: Syntax, *, number: int = 0, has_meta: bool = True) -> bytes:
    """A file of one frame of 2 x 2, and these elements."""
    uid = f"1.2.{number}"
    sizes = {"SamplesPerPixel": 1, "Rows": 2, "Columns": 2, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0}
    fixed = (
        Leaf(TAGS["SOPInstanceUID"], "UI", (uid + "\0" * (len(uid) % 2)).encode()),
        Leaf(TAGS["PhotometricInterpretation"], "CS", b"MONOCHROME2 "),
        *(Leaf(TAGS[keyword], "US", numbers(value, syntax=syntax)) for keyword, value in sizes.items()),
    )
    body = b"".join(each.written(syntax) for each in of_tags(fixed + elements)) + element(PIXELS, "OW", bytes(8), syntax)
    meta = element(0x00020010, "UI", SYNTAX_UIDS[syntax])
    head = bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta
    return (head if has_meta else b"") + body


def header_of(data: bytes, head: int = 8192) -> Header:
    return parse_header(data[:head], lambda offset, length: data[offset : offset + length], len(data))


@RELAXED
@given(ELEMENTS, SYNTAXES, st.booleans(), st.sampled_from([200, 500, 8192]))
def test_a_header_made_at_random_is_what_pydicom_reads_byte_by_byte(
    elements: tuple[Any, ...], syntax: Syntax, has_meta: bool, head: int
) -> None:
    assume(syntax != BIG_ENDIAN or not any(map(has_un, elements)))  # pydicom reads what is in them as big endian, against PS3.5 6.2.2
    data = file_of(elements, syntax, has_meta=has_meta)
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)

    header = header_of(data, head)

    assert header.parser == "walk"
    assert header.walked.pixel_offset == len(data) - 8
    for tag, raw in walked_values(header, dataset).items():
        assert not differences(raw, dataset, tag)


@RELAXED
@given(ELEMENTS, ELEMENTS, SYNTAXES, st.integers(0, 2 * FEW))
def test_one_file_of_another_kind_in_a_batch_is_read_as_it_is_alone(
    tmp_path: Path, usual: tuple[Any, ...], other: tuple[Any, ...], syntax: Syntax, place: int
) -> None:
    shutil.rmtree(tmp_path / "batch", ignore_errors=True)
    (tmp_path / "batch").mkdir()
    for number in range(2 * FEW + 1):
        elements = other + usual if number == place else usual
        (tmp_path / "batch" / f"{number:03d}").write_bytes(file_of(elements, syntax, number=number))

    together = scan(tmp_path / "batch")

    assert len(together.frames) == 2 * FEW + 1
    for row in {0, place, 2 * FEW}:
        assert_row_equals(together, row, scan(tmp_path / "batch" / f"{row:03d}"))


CHANGES: dict[str, tuple[Leaf | Nest, ...]] = {
    "another tag": (Leaf(0x00180051, "DS", b"2.5 "),),
    "another VR": (Leaf(0x00180050, "LO", b"2.5 "),),
    "another length": (Leaf(0x00180050, "DS", b"2.5000"),),
    "no value": (Leaf(0x00180050, "DS", b""),),
    "one element more": (Leaf(0x00180050, "DS", b"2.5 "), Leaf(0x00180060, "DS", b"120 ")),
    "other nesting": (
        Leaf(0x00180050, "DS", b"2.5 "),
        Nest(0x00081140, ((Nest(0x00081199, ((Leaf(0x00081155, "UI", b"1.2\0"),),), True, True),),), True, False),
    ),
    "a sequence of defined length": (
        Leaf(0x00180050, "DS", b"2.5 "),
        Nest(0x00081140, ((Leaf(0x00081155, "UI", b"1.2\0"),),), False, False),
    ),
}
_USUAL = (
    Leaf(0x00080060, "CS", b"CT"),
    Nest(0x00081140, ((Leaf(0x00081155, "UI", b"1.2\0"),),), True, True),
    Leaf(0x0018005A, "CS", b"XX"),
    Leaf(0x00200013, "IS", b"7 "),
    Leaf(0x00281052, "DS", b"-1024 "),
)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_differs_in_one_place_amid_files_alike_is_read_rightly(tmp_path: Path, change: str, syntax: Syntax) -> None:
    thickness = Leaf(0x00180050, "DS", b"2.5 ")
    for number in range(20):
        elements = CHANGES[change] if number == 11 else (thickness,)
        (tmp_path / f"{number:03d}").write_bytes(file_of(elements + _USUAL, syntax, number=number))

    together = scan(tmp_path)

    assert together.frames.numbers("instance_number").tolist() == [7.0] * 20
    for row in range(20):
        assert_row_equals(together, row, scan(tmp_path / f"{row:03d}"))


FRAME_LEAVES = st.sampled_from(
    [
        Leaf(TAGS["TemporalPositionIndex"], "UL", struct.pack("<I", 5)),
        Leaf(TAGS["StackID"], "SH", b"1 "),
        Leaf(TAGS["StackID"], "SH", b"abcd"),
        Leaf(TAGS["InStackPositionNumber"], "UL", struct.pack("<I", 3)),
        Leaf(TAGS["FrameAcquisitionDateTime"], "DT", b"20260101101500.5"),
        Leaf(TAGS["FrameComments"], "LT", b"x" * 40),
        Leaf(0x00209999, "LO", b"unknown "),
        Leaf(0x00091001, "LO", b"own "),
    ]
)
CONTENT = st.lists(FRAME_LEAVES, max_size=4).map(tuple)
POSITION = st.sampled_from([Leaf(TAGS["ImagePositionPatient"], "DS", value) for value in (b"0\\0\\1 ", b"0\\0\\1.25", b"-10\\20\\1000.5")])


@st.composite
def groups(draw: Any) -> tuple[Any, ...]:
    is_undefined, are_items_undefined = draw(st.booleans()), draw(st.booleans())
    content = Nest(TAGS["FrameContentSequence"], (draw(CONTENT),), is_undefined, are_items_undefined)
    position = Nest(TAGS["PlanePositionSequence"], ((draw(POSITION),),), is_undefined, are_items_undefined)
    return draw(st.sampled_from([(content, position), (position,), (content,), (), (position, content, Leaf(0x00091001, "LO", b"own "))]))


@RELAXED
@given(groups(), st.lists(groups(), max_size=5), st.integers(1, 40), st.sampled_from([EXPLICIT, IMPLICIT]), st.booleans(), st.booleans())
def test_functional_groups_made_at_random_are_what_pydicom_reads(
    usual: tuple[Any, ...], others: list[tuple[Any, ...]], many: int, syntax: Syntax, is_undefined: bool, are_items_undefined: bool
) -> None:
    items = (usual,) * many + tuple(others) + (usual,) * 3
    per_frame = Nest(TAGS["PerFrameFunctionalGroupsSequence"], items, is_undefined, are_items_undefined)
    data = file_of((per_frame,), syntax)
    dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)

    frames = header_of(data).frames

    assert frames is not None
    assert frames.count == len(items)
    for row in {0, many - 1, *range(many, len(items))}:
        theirs = groups_of(dataset.PerFrameFunctionalGroupsSequence[row])
        for name in {*theirs, *frames.columns}:
            column = frames.columns.get(name)
            if name not in theirs:
                assert column is None or column.codes[row] < 0, name
            else:
                assert column is not None, name
                assert equals(column, row, theirs[name]), name
