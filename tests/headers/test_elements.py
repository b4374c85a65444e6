"""The walk over data elements: right in every form of writing, and doubtful rather than wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headers.written import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    ITEM,
    ITEM_END,
    MODALITY,
    PIXELS,
    REFERENCED_IMAGES,
    REFERENCED_UID,
    ROWS,
    SEQUENCE_END,
    SERIES_DESCRIPTION,
    UNDEFINED,
    element,
    item,
    numbers,
    sequence,
    walked,
)
from xdicom.headers.elements import MAX_DEPTH, Syntax, UncertainHeaderError, Window, end_of_sequence, is_private_wanted, vr_in_implicit

SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN], ids=["explicit", "implicit", "big endian"])
UNKNOWN_PUBLIC = 0x00081072  # Operator Identification Sequence: not read


def data_set(syntax: Syntax, *, undefined: bool = False) -> bytes:
    """A small header with a sequence in the middle, and pixels."""
    inner = [item(element(REFERENCED_UID, "UI", b"1.2\0", syntax), undefined=undefined, syntax=syntax)] * 2
    return b"".join((
        element(MODALITY, "CS", b"MR", syntax),
        sequence(REFERENCED_IMAGES, inner, undefined=undefined, syntax=syntax),
        element(ROWS, "US", numbers(7, syntax=syntax), syntax),
        element(PIXELS, "OW", b"\1\2\3\4", syntax),
    ))  # fmt: skip


@SYNTAXES
def test_wanted_values_are_found_in_every_syntax(syntax: Syntax) -> None:
    found = walked(data_set(syntax), syntax)

    assert found.values[MODALITY] == ("CS", b"MR")
    assert found.values[ROWS] == ("US", numbers(7, syntax=syntax))


@SYNTAXES
def test_elements_behind_a_sequence_of_undefined_length_are_found(syntax: Syntax) -> None:
    found = walked(data_set(syntax, undefined=True), syntax)

    assert found.values[ROWS] == ("US", numbers(7, syntax=syntax))


@SYNTAXES
def test_the_value_of_an_undefined_sequence_ends_before_its_delimiter(syntax: Syntax) -> None:
    data = data_set(syntax, undefined=True)

    kind, value = walked(data, syntax).values[REFERENCED_IMAGES]

    assert kind == "SQ"
    assert value == b"".join([item(element(REFERENCED_UID, "UI", b"1.2\0", syntax), undefined=True, syntax=syntax)] * 2)


@SYNTAXES
def test_the_place_and_length_of_pixel_data_are_told(syntax: Syntax) -> None:
    data = data_set(syntax)

    found = walked(data, syntax)

    assert (found.pixel_keyword, found.pixel_length) == ("PixelData", 4)
    assert data[found.pixel_offset :] == b"\1\2\3\4"


def test_pixel_data_of_undefined_length_has_no_length() -> None:
    found = walked(element(PIXELS, "OB", b"\xfe\xff\x00\xe0\0\0\0\0", length=UNDEFINED))

    assert found.pixel_length == -1


def test_nothing_behind_the_pixel_data_is_read() -> None:
    found = walked(element(PIXELS, "OW", b"\0\0") + element(0xFFFCFFFC, "OB", b"\0\0"))

    assert found.values == {}


@pytest.mark.parametrize(("tag", "keyword"), [(0x7FE00008, "FloatPixelData"), (0x7FE00009, "DoubleFloatPixelData")])
def test_float_pixels_are_pixel_data_too(tag: int, keyword: str) -> None:
    assert walked(element(tag, "OF", b"\0" * 8)).pixel_keyword == keyword


def test_pixels_of_the_icon_are_not_the_pixels() -> None:
    icon = sequence(0x00880200, [item(element(ROWS, "US", numbers(2)), element(PIXELS, "OW", b"\0" * 8))], undefined=True)
    data = element(ROWS, "US", numbers(9)) + icon + element(PIXELS, "OW", b"\5\6")

    found = walked(data)

    assert found.values[ROWS] == ("US", numbers(9))
    assert data[found.pixel_offset :] == b"\5\6"


def test_a_data_set_without_pixels_ends_with_its_last_element() -> None:
    found = walked(element(MODALITY, "CS", b"SR") + element(ROWS, "US", b""))

    assert found.pixel_keyword == ""
    assert found.values[ROWS] == ("US", b"")


@pytest.mark.parametrize("head", [0, 1, 13, 40, 100])
def test_more_is_fetched_where_the_header_is_longer_than_what_was_read(head: int) -> None:
    data = data_set(EXPLICIT, undefined=True)

    assert walked(data, head=head).values == walked(data).values


def test_a_value_longer_than_the_source_ends_the_walk() -> None:
    found = walked(element(MODALITY, "CS", b"MR") + element(SERIES_DESCRIPTION, "LO", b"cut", length=64))

    assert list(found.values) == [MODALITY]


@SYNTAXES
def test_group_lengths_are_not_believed(syntax: Syntax) -> None:
    lie = element(0x00080000, "UL", numbers(999_999, code="I", syntax=syntax), syntax)

    found = walked(lie + element(MODALITY, "CS", b"CT", syntax), syntax)

    assert found.values[MODALITY] == ("CS", b"CT")


def test_elements_out_of_order_are_read() -> None:
    found = walked(element(ROWS, "US", numbers(3)) + element(MODALITY, "CS", b"CT"))

    assert set(found.values) == {ROWS, MODALITY}


def test_unknown_public_elements_are_passed_over() -> None:
    found = walked(sequence(UNKNOWN_PUBLIC, [item()]) + element(MODALITY, "CS", b"CT"))

    assert set(found.values) == {MODALITY}


def test_an_unknown_value_of_kind_un_takes_the_kind_of_the_dictionary() -> None:
    assert walked(element(ROWS, "UN", numbers(5))).values[ROWS] == ("US", numbers(5))


def test_an_un_element_of_undefined_length_is_an_implicit_sequence() -> None:
    inner = item(element(REFERENCED_UID, "UI", b"1.2\0", IMPLICIT), undefined=True)
    data = sequence(REFERENCED_IMAGES, [inner], undefined=True, vr="UN") + element(ROWS, "US", numbers(5))

    found = walked(data)

    assert found.values[REFERENCED_IMAGES] == ("SQ implicit", inner)
    assert found.values[ROWS] == ("US", numbers(5))


def test_un_within_an_explicit_sequence_hides_an_implicit_one() -> None:
    hidden = sequence(0x00091001, [item(element(REFERENCED_UID, "UI", b"1.2\0", IMPLICIT), undefined=True)], undefined=True, vr="UN")
    data = sequence(REFERENCED_IMAGES, [item(hidden, undefined=True)], undefined=True) + element(ROWS, "US", numbers(5))

    assert walked(data).values[ROWS] == ("US", numbers(5))


def test_un_within_a_big_endian_sequence_hides_a_little_endian_one() -> None:
    hidden = sequence(0x00091078, [item(element(MODALITY, "CS", b"XX", IMPLICIT), undefined=True, syntax=IMPLICIT)], syntax=IMPLICIT)[8:]
    end = element(SEQUENCE_END, "", b"", IMPLICIT)
    un = element(0x00091078, "UN", hidden + end, BIG_ENDIAN, length=UNDEFINED)
    data = sequence(REFERENCED_IMAGES, [item(un, undefined=True, syntax=BIG_ENDIAN)], undefined=True, syntax=BIG_ENDIAN)

    found = walked(data + element(ROWS, "US", numbers(7, syntax=BIG_ENDIAN), BIG_ENDIAN), BIG_ENDIAN)

    assert found.values[ROWS] == ("US", b"\0\7")


def test_delimiters_within_a_value_of_stated_length_are_not_delimiters() -> None:
    text = element(SERIES_DESCRIPTION, "LO", element(ITEM_END, "") * 2)
    data = sequence(REFERENCED_IMAGES, [item(text, undefined=True)], undefined=True) + element(ROWS, "US", numbers(5))

    assert walked(data).values[ROWS] == ("US", numbers(5))


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN], ids=["implicit", "explicit", "big endian"])
def test_pixel_representation_decides_what_us_or_ss_is(syntax: Syntax, is_signed: bool) -> None:
    data = element(0x00280103, "US", numbers(int(is_signed), syntax=syntax), syntax)
    data += element(0x00280120, "UN", numbers(1, syntax=syntax), syntax)

    assert walked(data, syntax).values[0x00280120][0] == ("SS" if is_signed else "US")


def test_the_place_of_overlay_data_is_told_and_its_bytes_are_not_read() -> None:
    data = element(ROWS, "US", numbers(8)) + element(0x60003000, "OW", b"\7" * 8)

    found = walked(data)

    offset, length = found.overlay_data[0x60003000]
    assert data[offset : offset + length] == b"\7" * 8
    assert 0x60003000 not in found.values


@pytest.mark.parametrize(
    "data",
    [
        element(MODALITY, "CS", b"MR") + b"\x28\0\x10\0\xff\xff\2\0\1\0\0\0",
        element(MODALITY, "CS", b"MR") + element(ITEM, "", b"\0" * 8),
        b"\0" * 24,
        sequence(REFERENCED_IMAGES, [element(ROWS, "US", numbers(5))], undefined=True),
        element(REFERENCED_IMAGES, "SQ", item(), length=UNDEFINED),
    ],
    ids=["a VR that is none", "an item at the top level", "zeros", "an element between items", "a sequence without end"],
)
def test_what_the_walk_can_not_vouch_for_is_doubted(data: bytes) -> None:
    with pytest.raises(UncertainHeaderError, match=r"at byte|from byte|between items"):
        walked(data)


def test_endless_nesting_is_doubted() -> None:
    opened = element(REFERENCED_IMAGES, "SQ", b"", length=UNDEFINED) + element(ITEM, "", b"", length=UNDEFINED)

    with pytest.raises(UncertainHeaderError, match="nested more than"):
        walked(opened * (MAX_DEPTH + 10))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN]))
def test_any_bytes_are_walked_or_doubted(data: bytes, syntax: Syntax) -> None:
    try:
        found = walked(data, syntax)
    except UncertainHeaderError:
        return

    assert all(len(value) <= len(data) for _, value in found.values.values())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 160), st.integers(0, 255), st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN]))
def test_one_wrong_byte_never_ends_in_another_error(place: int, byte: int, syntax: Syntax) -> None:
    data = bytearray(data_set(syntax, undefined=True))
    data[place % len(data)] = byte

    try:
        found = walked(bytes(data), syntax)
    except UncertainHeaderError:
        return

    assert found.pixel_offset <= len(data)


@SYNTAXES
@pytest.mark.parametrize("undefined", [False, True])
def test_nested_sequences_end_where_their_own_delimiter_is(syntax: Syntax, undefined: bool) -> None:
    inner = sequence(
        REFERENCED_IMAGES, [item(element(REFERENCED_UID, "UI", b"1.2\0", syntax), syntax=syntax)] * 3, undefined=undefined, syntax=syntax
    )
    data = sequence(REFERENCED_IMAGES, [item(inner, undefined=undefined, syntax=syntax)] * 2, undefined=True, syntax=syntax)
    header = 8 if syntax.is_implicit else 12

    end, after = end_of_sequence(Window(data + b"\0" * 12, lambda *_: b"", len(data) + 12), header, syntax)

    assert (end, after) == (len(data) - 8, len(data))


@pytest.mark.parametrize(
    ("tag", "is_signed", "vr"),
    [
        (MODALITY, False, "CS"), (0x00280106, False, "US"), (0x00280106, True, "SS"), (0x00283006, False, "OW"), (PIXELS, False, "OW"),
        (0x60003000, False, "OW"), (0x60020010, False, "US"), (0x00091001, False, "UN"),
    ],
)  # fmt: skip
def test_elements_without_a_vr_have_that_of_the_dictionary(tag: int, is_signed: bool, vr: str) -> None:
    assert vr_in_implicit(tag, is_signed) == vr


@pytest.mark.parametrize(
    ("group", "number", "is_wanted"),
    [(0x0043, 0x0010, True), (0x0043, 0x1039, True), (0x0043, 0x4239, True), (0x0043, 0x1038, False), (0x0045, 0x1039, False)],
)
def test_private_elements_are_looked_for_in_any_block(group: int, number: int, is_wanted: bool) -> None:
    assert is_private_wanted(group, number) is is_wanted
