"""Raw values: numbers, texts and sequences as the standard means them, and as files have them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import python_encoding

from fresh import imports
from headers.written import BIG_ENDIAN, EXPLICIT, IMPLICIT, REFERENCED_IMAGES, REFERENCED_UID, ROWS, element, item, numbers, sequence
from xdicom.headers.elements import Syntax
from xdicom.headers.values import RawValue, decode_text, number_or_nan, parse_elements, parse_items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1.5", (1.5,)), (b" 1.5 ", (1.5,)), (b"1\\-2\\3.25 ", (1, -2, 3.25)), (b"1.00000e+00", (1.0,)), (b"2e-016 ", (2e-16,)),
        (b"-0.0", (0.0,)), (b"+7", (7.0,)), (b"5\0", (5.0,)), (b"", ()), (b"  ", ()), (b"\0\0", ()),
        (b"12345678901234567890.5", (12345678901234567890.5,)),
    ],
)  # fmt: skip
def test_decimal_strings_are_numbers(text: bytes, expected: tuple[float, ...]) -> None:
    assert RawValue("DS", text).numbers() == expected


@pytest.mark.parametrize("text", [b"abc", b"1,5", b"--1", b"1 2", b"0x10"])
def test_a_decimal_string_that_is_no_number_is_nan(text: bytes) -> None:
    (value,) = RawValue("DS", text).numbers()

    assert math.isnan(value)


def test_an_empty_part_among_decimal_strings_is_nan() -> None:
    first, second, third = RawValue("DS", b"1\\\\3").numbers()

    assert (first, third) == (1, 3)
    assert math.isnan(second)


@pytest.mark.parametrize(("text", "expected"), [(b"12", 12), (b"+3 ", 3), (b"1.0", 1), (b"1e3", 1000), (b"-2147483648", -(2**31))])
def test_integer_strings_are_integers_also_where_they_have_a_point(text: bytes, expected: int) -> None:
    (value,) = RawValue("IS", text).numbers()

    assert value == expected
    assert isinstance(value, int)


@pytest.mark.parametrize("text", [b"x", b"inf", b"nan", b"1e999"])
def test_an_integer_string_that_is_no_number_is_nan(text: bytes) -> None:
    assert math.isnan(RawValue("IS", text).numbers()[0])


def test_text_that_is_no_number_is_nan() -> None:
    assert math.isnan(number_or_nan(b"?", float))


@pytest.mark.parametrize("is_big_endian", [False, True])
@pytest.mark.parametrize(
    ("vr", "code", "values"),
    [
        ("US", "H", (0, 65535)), ("SS", "h", (-32768, 7)), ("UL", "I", (2**32 - 1, 1)), ("SL", "i", (-(2**31), 1)),
        ("UV", "Q", (2**64 - 1,)),
        ("SV", "q", (-(2**63),)), ("FL", "f", (0.5, -2.0)), ("FD", "d", (0.1, 1e300)), ("OW", "H", (1, 2, 3)), ("OD", "d", (1.5,)),
    ],
)  # fmt: skip
def test_binary_numbers_are_read_in_both_byte_orders(vr: str, code: str, values: tuple[float, ...], is_big_endian: bool) -> None:
    data = struct.pack(f"{'>' if is_big_endian else '<'}{len(values)}{code}", *values)
    value = RawValue(vr, data, is_big_endian=is_big_endian)

    assert value.numbers() == values
    assert value.array().tolist() == list(values)
    assert value.array().dtype.isnative


def test_bytes_left_over_behind_whole_numbers_are_ignored() -> None:
    assert RawValue("US", b"\1\0\2").numbers() == (1,)


@pytest.mark.parametrize("is_big_endian", [False, True])
def test_tags_are_numbers_of_group_and_element(is_big_endian: bool) -> None:
    syntax = BIG_ENDIAN if is_big_endian else EXPLICIT

    assert RawValue("AT", numbers(0x0018, 0x1063, syntax=syntax), is_big_endian=is_big_endian).numbers() == (0x00181063,)


def test_an_array_may_be_read_as_another_type() -> None:
    assert RawValue("OB", struct.pack("<2Q", 8, 2**40)).array("u8").tolist() == [8, 2**40]


@pytest.mark.parametrize(
    ("vr", "data", "expected"),
    [
        ("LO", b" a \\b\0", ("a", "b")), ("CS", b"A\\\\C ", ("A", "", "C")), ("UI", b"1.2\0", ("1.2",)), ("LT", b"a\\b ", ("a\\b",)),
        ("ST", b"  ", ()), ("LO", b"", ()), ("UC", b"long \\name", ("long", "name")), ("UR", b"http://a\\b", ("http://a\\b",)),
    ],
)  # fmt: skip
def test_texts_are_split_and_freed_of_padding(vr: str, data: bytes, expected: tuple[str, ...]) -> None:
    assert RawValue(vr, data).texts() == expected


def test_the_first_part_of_a_text_stands_for_it() -> None:
    assert RawValue("CS", b"ORIGINAL\\PRIMARY").text() == "ORIGINAL"
    assert RawValue("CS", b"").text() == ""


CHARACTER_SETS = {
    "ISO_IR 100": "Grüße", "ISO_IR 101": "Łódź", "ISO_IR 109": "ĉirkaŭ", "ISO_IR 110": "Rīga", "ISO_IR 144": "Москва", "ISO_IR 127": "قلب",
    "ISO_IR 126": "Καρδιά", "ISO_IR 138": "לב", "ISO_IR 148": "başak", "ISO_IR 13": "ﾔﾏﾀﾞ", "ISO_IR 166": "หัวใจ",
    "ISO_IR 192": "心臓 Herz ❤",
    "GB18030": "心脏", "GBK": "心脏",
}  # fmt: skip


@pytest.mark.parametrize("name", CHARACTER_SETS)
def test_texts_are_decoded_by_the_character_set_of_the_header(name: str) -> None:
    text = CHARACTER_SETS[name]

    assert decode_text(text.encode(python_encoding[name]), (name,)) == text


@pytest.mark.parametrize("name", ["ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 6"])
def test_a_single_character_set_named_with_code_extensions_is_decoded(name: str) -> None:
    text = {"ISO 2022 IR 100": "Grüße", "ISO 2022 IR 144": "Москва", "ISO 2022 IR 6": "heart"}[name]

    assert decode_text(text.encode(python_encoding[name]), (name,)) == text


@pytest.mark.parametrize("name", ["ISO-IR 192", "ISO_IR_192", "ISO IR 192", "ISO_IR192", "ISO 2022-IR 192"])
def test_a_misspelled_character_set_is_understood(name: str) -> None:
    assert decode_text("心臓".encode(), (name,)) == "心臓"


def test_code_extensions_change_the_character_set_within_a_text() -> None:
    text = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"

    assert decode_text(text, ("", "ISO 2022 IR 87")) == "Yamada^Tarou=山田^太郎"


def test_korean_code_extensions_without_escape_in_the_first_part_are_decoded() -> None:
    text = b"Hong^Gildong=" + b"\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7"

    assert decode_text(text, ("", "ISO 2022 IR 149")) == "Hong^Gildong=洪^吉洞"


@pytest.mark.parametrize("sets", [(), ("NO SUCH SET",), ("ISO_IR 6",)])
def test_bytes_beyond_ascii_without_a_known_character_set_are_latin_1(sets: tuple[str, ...]) -> None:
    assert decode_text(b"Gr\xfc\xdfe", sets) == "Grüße"


def test_bytes_that_are_none_of_the_character_set_become_the_replacement_sign() -> None:
    assert decode_text(b"a\xffb", ("ISO_IR 192",)) == "a�b"


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN], ids=["explicit", "implicit", "big endian"])
def test_items_of_a_sequence_are_values_by_tag(syntax: Syntax, undefined: bool) -> None:
    items = [item(element(REFERENCED_UID, "UI", f"1.{i}".encode(), syntax), undefined=undefined, syntax=syntax) for i in range(3)]
    value = RawValue("SQ", b"".join(items), syntax.is_implicit, syntax.is_big_endian)

    assert [each[REFERENCED_UID].text() for each in value.items()] == ["1.0", "1.1", "1.2"]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN], ids=["explicit", "implicit", "big endian"])
def test_sequences_within_items_are_read_in_the_same_syntax(syntax: Syntax) -> None:
    inner = sequence(
        REFERENCED_IMAGES, [item(element(ROWS, "US", numbers(5, syntax=syntax), syntax), syntax=syntax)], undefined=True, syntax=syntax
    )
    value = RawValue("SQ", item(inner, undefined=True, syntax=syntax), syntax.is_implicit, syntax.is_big_endian)

    assert value.items()[0][REFERENCED_IMAGES].items()[0][ROWS].numbers() == (5,)


@pytest.mark.parametrize("undefined", [False, True])
def test_un_sequences_within_items_are_implicit(undefined: bool) -> None:
    inner = item(element(REFERENCED_UID, "UI", b"1.2\0", IMPLICIT))
    hidden = sequence(REFERENCED_IMAGES, [inner], undefined=undefined, vr="UN")

    (outer,) = parse_items(item(hidden), is_implicit=False, is_big_endian=False)

    assert outer[REFERENCED_IMAGES].items()[0][REFERENCED_UID].text() == "1.2"


def test_an_empty_sequence_has_no_items() -> None:
    assert RawValue("SQ", b"").items() == []


def test_an_item_longer_than_its_sequence_ends_with_it() -> None:
    data = element(0xFFFEE000, "", element(ROWS, "US", numbers(5)), length=1000)

    (only,) = parse_items(data, is_implicit=False, is_big_endian=False)

    assert only[ROWS].numbers() == (5,)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_items_are_read_or_doubted(data: bytes) -> None:
    try:
        items = parse_items(data, is_implicit=True, is_big_endian=False)
    except ValueError:
        return

    assert sum(len(value.data) for each in items for value in each.values()) <= len(data)


def test_elements_end_at_the_delimiter_of_their_item() -> None:
    data = element(ROWS, "US", numbers(5)) + element(0xFFFEE00D, "") + element(ROWS, "US", numbers(6))

    values, end = parse_elements(data, 0, len(data), EXPLICIT)

    assert values[ROWS].numbers() == (5,)
    assert end == 10 + 8


def test_pydicom_is_not_imported_for_plain_character_sets() -> None:
    code = "from xdicom.headers.values import decode_text; decode_text(b'a\\xe4', ('ISO_IR 100',))"

    assert not imports(code, "pydicom")


def test_items_behind_a_damaged_one_are_left_out_where_that_is_asked_for() -> None:
    good, bad = item(element(ROWS, "US", numbers(5))), item(b"\x28\0\x10\0\xff\xff\2\0\1\0")
    value = RawValue("SQ", good + bad + good)

    assert [each[ROWS].numbers() for each in value.readable_items()] == [(5,)]
    with pytest.raises(ValueError, match="in an item"):
        value.items()
