"""Data sets that are walked in step: what comes out is what a walk of each alone gives, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headers.written import (
    EXPLICIT,
    IMPLICIT,
    MODALITY,
    REFERENCED_IMAGES,
    REFERENCED_UID,
    ROWS,
    SERIES_DESCRIPTION,
    element,
    item,
    numbers,
    sequence,
)
from xdicom.headers.elements import Syntax
from xdicom.headers.layout import Alike, walk_alike
from xdicom.headers.values import parse_elements

SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])


def in_step(sets: list[bytes], syntax: Syntax = EXPLICIT, *, enters: bool = True) -> tuple[Alike, bytes]:
    data = b"".join(sets)
    ends = np.cumsum([len(each) for each in sets])
    starts = np.concatenate([[0], ends[:-1]])
    block = np.frombuffer(data + bytes(16), np.uint8)
    alike = walk_alike(block, starts, ends, syntax, is_wanted=lambda path: True, is_entered=lambda path: enters)
    return alike, data


def values_of(alike: Alike, data: bytes) -> dict[tuple[int, ...], list[bytes]]:
    return {
        each.path: [data[o : o + n] for o, n in zip(each.offset.tolist(), each.length.tolist(), strict=True)] for each in alike.elements
    }


@SYNTAXES
def test_values_of_all_data_sets_are_found_though_their_lengths_differ(syntax: Syntax) -> None:
    sets = [element(MODALITY, "CS", b"MR", syntax) + element(SERIES_DESCRIPTION, "LO", b"x" * 2 * i, syntax) for i in range(5)]

    alike, data = in_step(sets, syntax)

    assert alike.rows.tolist() == [0, 1, 2, 3, 4]
    assert values_of(alike, data) == {(MODALITY,): [b"MR"] * 5, (SERIES_DESCRIPTION,): [b"x" * 2 * i for i in range(5)]}


@pytest.mark.parametrize(
    "other",
    [
        element(MODALITY, "LO", b"MR") + element(ROWS, "US", numbers(5)),
        element(MODALITY, "CS", b"MR") + element(0x00280011, "US", numbers(5)),
        element(MODALITY, "CS", b"MR"),
        element(MODALITY, "CS", b"MR") + element(ROWS, "US", numbers(5)) + element(0x00280011, "US", numbers(5)),
        element(MODALITY, "CS", b"MR") + element(ROWS, "US", numbers(5), length=99),
    ],
    ids=["another VR", "another tag", "an element less", "an element more", "a length beyond the end"],
)
def test_a_data_set_that_is_laid_out_otherwise_falls_out(other: bytes) -> None:
    usual = element(MODALITY, "CS", b"MR") + element(ROWS, "US", numbers(5))

    alike, data = in_step([usual, usual, other, usual])

    assert alike.rows.tolist() == [0, 1, 3]
    assert values_of(alike, data)[ROWS,] == [numbers(5)] * 3


@SYNTAXES
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_are_entered_and_their_first_items_read(syntax: Syntax, undefined: bool) -> None:
    def each(i: int) -> bytes:
        items = [
            item(element(REFERENCED_UID, "UI", f"1.{i}.{j}".encode().ljust(6, b"\0"), syntax), undefined=undefined, syntax=syntax)
            for j in range(3)
        ]
        return sequence(REFERENCED_IMAGES, items, undefined=undefined, syntax=syntax) + element(
            ROWS, "US", numbers(i, syntax=syntax), syntax
        )

    alike, data = in_step([each(i) for i in range(4)], syntax)

    found = values_of(alike, data)
    assert found[REFERENCED_IMAGES, REFERENCED_UID] == [f"1.{i}.0\0".encode() for i in range(4)]
    assert found[ROWS,] == [numbers(i) for i in range(4)]


@SYNTAXES
@pytest.mark.parametrize("undefined", [False, True])
def test_a_wanted_sequence_is_told_whole(syntax: Syntax, undefined: bool) -> None:
    items = [item(element(REFERENCED_UID, "UI", b"1.2\0", syntax), undefined=undefined, syntax=syntax)] * 2
    sets = [sequence(REFERENCED_IMAGES, items, undefined=undefined, syntax=syntax)] * 3

    alike, data = in_step(sets, syntax, enters=False)

    assert values_of(alike, data)[REFERENCED_IMAGES,] == [b"".join(items)] * 3


def test_data_sets_with_another_number_of_items_fall_out() -> None:
    one = sequence(REFERENCED_IMAGES, [item(element(REFERENCED_UID, "UI", b"1.2\0"))])
    two = sequence(REFERENCED_IMAGES, [item(element(REFERENCED_UID, "UI", b"1.2\0"))] * 2)

    alike, data = in_step([one, two, one])

    assert alike.rows.tolist() == [0, 2]
    assert values_of(alike, data)[REFERENCED_IMAGES, REFERENCED_UID] == [b"1.2\0"] * 2


@pytest.mark.parametrize("first", [b"\x08\0\x60\0??\2\0MR", b"\xfe\xff\0\xe0\0\0\0\0", b"\x08\0\x60\0UN\0\0\xff\xff\xff\xff", b"\x08\0"])
def test_a_first_data_set_that_can_not_be_followed_gives_nothing(first: bytes) -> None:
    alike, _ = in_step([first, first])

    assert (len(alike.rows), alike.elements) == (0, [])


ELEMENTS = st.lists(
    st.tuples(
        st.sampled_from([(MODALITY, "CS"), (SERIES_DESCRIPTION, "LO"), (0x00200013, "IS"), (0x00291010, "OB"), (ROWS, "US")]),
        st.integers(0, 6),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(st.lists(ELEMENTS, min_size=1, max_size=8), st.sampled_from([EXPLICIT, IMPLICIT]))
def test_what_stays_in_step_is_what_each_walk_alone_gives(sets: list[list[tuple[tuple[int, str], int]]], syntax: Syntax) -> None:
    written = [b"".join(element(tag, vr, b"\1" * 2 * size, syntax) for (tag, vr), size in each) for each in sets]

    alike, data = in_step(written, syntax)

    found = values_of(alike, data)
    ends = np.cumsum([len(each) for each in written])
    for place, row in enumerate(alike.rows.tolist()):
        alone, end = parse_elements(data, int(ends[row]) - len(written[row]), int(ends[row]), syntax)
        assert {path[0]: values[place] for path, values in found.items()} == {tag: value.data for tag, value in alone.items()}
        assert alike.end[place] == end


@settings(deadline=None)
@given(st.binary(min_size=16, max_size=120), st.integers(1, 4), st.sampled_from([EXPLICIT, IMPLICIT]))
def test_any_bytes_are_walked_without_leaving_their_data_set(data: bytes, count: int, syntax: Syntax) -> None:
    alike, whole = in_step([data] * count, syntax)

    for each in alike.elements:
        assert (each.offset + each.length <= len(whole)).all()
        assert ((each.offset // len(data)) == alike.rows).all() or len(each.length) == 0 or (each.length == 0).any()
