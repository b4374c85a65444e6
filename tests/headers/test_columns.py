"""Raw values to columns: each distinct value once, clocks as numbers, oddities as NaN."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.headers.columns import build_column, days_since_1970, gather_column, parse_values, seconds_of_day, seconds_since_1970
from xdicom.headers.values import RawValue
from xdicom.model.columns import Column

Key = tuple[str, bytes, bool, bool]


def key(vr: str, data: bytes, *, big: bool = False) -> Key:
    return (vr, data, False, big)


def cells(column: Column) -> list[object]:
    """The value of each frame; None where it has none."""
    return [
        None if code < 0 else column.values[code].tolist() if column.kind == "number" else column.values[code]
        for code in column.codes.tolist()
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("101530.25", 36930.25), ("10:15:30", 36930), ("1015", 36900), ("10", 36000), ("000000", 0), ("235959.999999", 86399.999999),
        ("101530.25 ", 36930.25),
        ("101530.1234567", 36930.1234567),
    ],
)  # fmt: skip
def test_times_are_seconds_of_the_day(text: str, seconds: float) -> None:
    assert seconds_of_day(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize("text", ["", "noon", "1", "10h15", "-101530"])
def test_a_time_that_is_none_is_nan(text: str) -> None:
    assert math.isnan(seconds_of_day(text))


@pytest.mark.parametrize(
    ("text", "days"), [("19700101", 0), ("19700102", 1), ("2000.03.01", 11017), ("20000301\0", 11017), ("1969-12-31", -1)]
)
def test_dates_are_days_since_1970(text: str, days: int) -> None:
    assert days_since_1970(text) == days


@pytest.mark.parametrize("text", ["", "1970", "197001", "19701301", "19700132", "00000101", "abcdefgh"])
def test_a_date_that_is_none_is_nan(text: str) -> None:
    assert math.isnan(days_since_1970(text))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("19700101000001.5", 1.5),
        ("19700102", 86400),
        ("197001", 0),
        ("1971", 31536000),
        ("19700101010203+0200", 3723),
        ("19700101000000.000001", 1e-6),
    ],
)
def test_date_times_are_seconds_since_1970_by_their_own_clock(text: str, seconds: float) -> None:
    assert seconds_since_1970(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize("text", ["", "x", "19", "19700100", "0000", "19700101T000000"])
def test_a_date_time_that_is_none_is_nan(text: str) -> None:
    assert math.isnan(seconds_since_1970(text))


def test_equal_raw_values_are_one_value() -> None:
    column = build_column([key("LO", b"a "), key("LO", b"b"), key("LO", b"a "), None])

    assert column.values.tolist() == ["a", "b"]
    assert column.codes.tolist() == [0, 1, 0, -1]


def test_values_that_differ_in_their_padding_alone_are_one_value() -> None:
    column = build_column([key("LO", b"a "), key("LO", b"a"), key("DS", b"")])

    assert column.values.tolist() == ["a"]
    assert column.codes.tolist() == [0, 0, -1]


@pytest.mark.parametrize("forms", [[b"1", b"1.0 ", b"+1", b"1e0 "], [b"-0.0", b"0 ", b"0.000"]])
def test_decimal_strings_of_one_number_are_one_value(forms: list[bytes]) -> None:
    column = build_column([key("DS", form) for form in forms])

    assert len(column.values) == 1
    assert column.is_constant


def test_integer_strings_are_integers() -> None:
    column = build_column([key("IS", b"3 "), key("IS", b"-7")])

    assert column.values.dtype == np.int64
    assert cells(column) == [[3], [-7]]


@pytest.mark.parametrize("text", [b"1.5", b"9007199254740993", b"x"])
def test_integer_strings_that_are_no_whole_numbers_stay_numbers(text: bytes) -> None:
    assert build_column([key("IS", b"3 "), key("IS", text)]).values.dtype == np.float64


def test_values_of_different_multiplicity_are_padded_with_nan() -> None:
    column = build_column([key("DS", b"1\\2"), key("DS", b"3")])

    assert np.isnan(column.values[1, 1])
    assert column.values[:, 0].tolist() == [1, 3]


@pytest.mark.parametrize("count", [3, 40])
def test_decimal_strings_are_numbers_however_many_there_are(count: int) -> None:
    column = build_column([key("DS", f"{i}.25\\{i}".encode()) for i in range(count)])

    assert column.numbers().tolist() == [[i + 0.25, i] for i in range(count)]


@pytest.mark.parametrize("count", [3, 40])
def test_a_decimal_string_that_is_no_number_is_nan_and_spoils_no_other(count: int) -> None:
    column = build_column([key("DS", b"abc" if i == 1 else str(i).encode()) for i in range(count)])

    numbers = column.first_numbers()
    assert np.isnan(numbers[1])
    assert np.delete(numbers, 1).tolist() == [i for i in range(count) if i != 1]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("vr", "code", "value"), [("US", "H", 513), ("SS", "h", -2), ("FD", "d", 0.1), ("FL", "f", 0.5), ("UL", "I", 70000)]
)
def test_binary_numbers_are_read_in_their_byte_order(vr: str, code: str, value: float, big: bool) -> None:
    column = build_column([key(vr, struct.pack(f"{'>' if big else '<'}2{code}", value, value), big=big)])

    assert cells(column) == [[value, value]]
    assert column.values.dtype.isnative


def test_one_value_in_both_byte_orders_is_one_value() -> None:
    column = build_column([key("US", b"\1\0"), key("US", b"\0\1", big=True)])

    assert cells(column) == [[1], [1]]
    assert len(column.values) == 1


def test_tags_are_group_and_element_in_one_number() -> None:
    assert cells(build_column([key("AT", b"\x18\0\x63\x10")])) == [[0x00181063]]


@pytest.mark.parametrize(("vr", "raw", "number"), [("TM", b"0001", 60.0), ("DA", b"19700103", 2.0), ("DT", b"19700101000005", 5.0)])
def test_clocks_become_numbers(vr: str, raw: bytes, number: float) -> None:
    assert cells(build_column([key(vr, raw)])) == [[number]]


@pytest.mark.parametrize(("vr", "text"), [("LT", "a\\b"), ("LO", "a\\b"), ("CS", "A\\B")])
def test_texts_of_several_parts_keep_their_backslashes(vr: str, text: str) -> None:
    assert cells(build_column([key(vr, b" " * (vr != "LT") + text.encode() + b" ")])) == [text]


def test_texts_are_decoded_by_their_character_set() -> None:
    assert cells(build_column([key("LO", "Łódź".encode("iso8859_2"))], ("ISO_IR 101",))) == ["Łódź"]


def test_sequences_stay_raw() -> None:
    column = build_column([key("SQ", b"\xfe\xff\0\xe0\0\0\0\0")])

    assert column.kind == "raw"
    assert column.values[0] == RawValue("SQ", b"\xfe\xff\0\xe0\0\0\0\0")


def test_any_value_stays_raw_when_asked() -> None:
    column = build_column([key("US", b"\0\1\0\0\x10\0")], is_raw=True)

    assert column.values[0].numbers() == (256, 0, 16)


def test_no_value_at_all_is_a_column_of_nothing() -> None:
    column = build_column([None, None])

    assert (len(column), column.is_complete) == (2, False)
    assert column.first() is None


def test_values_of_another_kind_give_way_to_the_kind_of_most() -> None:
    column = build_column([key("DS", b"1"), key("DS", b"2"), key("LO", b"three")])

    assert cells(column) == [[1.0], [2.0], None]


def test_one_value_of_another_kind_does_not_outweigh_many_equal_ones() -> None:
    column = build_column([key("DS", b"2.5 ")] * 9 + [key("LO", b"none of this")] + [key("LO", b"3.5 ")])

    assert cells(column) == [[2.5]] * 9 + [None, [3.5]]


@given(st.lists(st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.text("0123456789", max_size=6)), min_size=17))
def test_many_times_are_to_the_last_bit_what_each_of_them_is(times: list[tuple[int, int, int, str]]) -> None:
    texts = [f"{hours:02}{minutes:02}{seconds:02}" + (f".{rest}" if rest else "") for hours, minutes, seconds, rest in times]
    raws = [(text + " " * (len(text) % 2)).encode() for text in texts]

    _, values = parse_values("TM", raws, is_implicit=False, is_big_endian=False)

    assert values[:, 0].tolist() == [seconds_of_day(text) for text in texts]


@pytest.mark.parametrize("odd", [b"noon", b"10:15", b"1015  5 ", b"101530 5", b"1015", b"", b"101530.5\\12"])
def test_one_odd_time_among_many_is_read_as_it_is_alone(odd: bytes) -> None:
    raws = [b"%06d.5" % (101500 + i) for i in range(40)] + [odd]

    _, values = parse_values("TM", raws, is_implicit=False, is_big_endian=False)
    _, alone = parse_values("TM", [odd], is_implicit=False, is_big_endian=False)

    np.testing.assert_array_equal(values[-1], alone[0])
    assert values[3, 0] == seconds_of_day("101503.5")


def test_clocks_that_are_none_are_nan() -> None:
    _, values = parse_values("TM", [b"1200", b"noon"], is_implicit=False, is_big_endian=False)

    assert values[0, 0] == 43200
    assert np.isnan(values[1, 0])


def gathered(vr: str, raws: list[bytes]) -> Column:
    data = np.frombuffer(b"??".join([b"", *raws, b"", b"\0" * 16]), np.uint8)
    ends = np.cumsum([len(raw) + 2 for raw in raws])
    lengths = np.array([len(raw) for raw in raws])
    return gather_column(vr, data, ends - lengths, lengths, is_implicit=False)


RAWS = {
    "DS": st.lists(st.sampled_from([b"1", b"1.0", b"-2.5 ", b"3\\4", b"", b"x", b"12345.678 "]), min_size=1, max_size=30),
    "LO": st.lists(st.sampled_from([b"a", b"a ", b"bc", b"", b"a\\b", b"long text "]), min_size=1, max_size=30),
    "US": st.lists(st.sampled_from([b"\1\0", b"\2\0\3\0", b"", b"\0\0"]), min_size=1, max_size=30),
    "FD": st.lists(st.sampled_from([struct.pack("<d", 0.1), struct.pack("<d", -7), b""]), min_size=1, max_size=30),
    "TM": st.lists(st.sampled_from([b"1000", b"101010.5", b"", b"?"]), min_size=1, max_size=30),
    "IS": st.lists(st.sampled_from([b"1", b"22", b"-3 ", b""]), min_size=1, max_size=30),
    "SQ": st.lists(st.sampled_from([b"\xfe\xff\0\xe0\0\0\0\0", b""]), min_size=1, max_size=30),
}


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("vr", RAWS)
def test_values_gathered_from_a_block_equal_those_read_one_by_one(vr: str, data: st.DataObject) -> None:
    raws = data.draw(RAWS[vr])

    block, single = gathered(vr, raws), build_column([key(vr, raw) for raw in raws])

    if single.kind == "number":
        width = min(block.values.shape[1] if block.kind == "number" else 1, single.values.shape[1])
        np.testing.assert_array_equal(block.numbers()[:, :width], single.numbers()[:, :width])
    elif len(single.values):
        assert cells(block) == cells(single)
    assert (block.codes < 0).tolist() == (single.codes < 0).tolist()
