"""Siemens' CSA headers: read where they are that, and nothing where they are not."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.headers.csa import parse_csa

VALUES = {"NumberOfImagesInMosaic": ("36",), "SliceNormalVector": ("0.1", "-0.2", "0.97"), "B_value": (), "Odd": ("abc", "de")}


def csa(values: dict[str, tuple[str, ...]], *, is_second_form: bool = True, items: int = 6) -> bytes:
    """A CSA header as Siemens' scanners write it; the first form has no magic and other item lengths."""
    out = (b"SV10" + b"\4\3\2\1" if is_second_form else b"") + struct.pack("<II", len(values), 77)
    for name, texts in values.items():
        out += struct.pack("<64si4siii", name.encode(), len(texts), b"DS\0\0", 6, items, 77)
        for i in range(items):
            text = texts[i].encode() + b"\0" if i < len(texts) else b""
            lengths = (len(text), len(text), 77, len(text)) if is_second_form else (len(text), 0, 77, 0)
            out += struct.pack("<4i", *lengths) + text + b"\0" * (-len(text) % 4)
    return out


@pytest.mark.parametrize("is_second_form", [True, False], ids=["SV10", "without magic"])
def test_values_are_found_by_name_in_both_forms(is_second_form: bool) -> None:
    assert parse_csa(csa(VALUES, is_second_form=is_second_form)) == VALUES


def test_padding_behind_the_last_value_is_ignored() -> None:
    assert parse_csa(csa(VALUES) + b"\0" * 100) == VALUES


@pytest.mark.parametrize("data", [b"", b"SV10", b"some text in the same element", b"\0" * 200, b"\xff" * 300], ids=str)
def test_anything_else_has_no_values(data: bytes) -> None:
    assert parse_csa(data) == {}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_header_that_was_cut_has_no_values(share: float) -> None:
    data = csa(VALUES)

    assert parse_csa(data[: int(len(data) * share)]) == {}


def test_a_length_beyond_the_end_is_not_followed() -> None:
    data = bytearray(csa({"Name": ("value",)}, items=1))
    struct.pack_into("<i", data, len(data) - 8 - 12, 2**31 - 1)

    assert parse_csa(bytes(data)) == {}


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert isinstance(parse_csa(b"SV10\4\3\2\1" + data), dict)
