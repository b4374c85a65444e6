"""Data sets that are walked side by side: what comes out is what a walk of each alone gives, or nothing."""

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
from xdicom.headers.abreast import PADDING, Abreast
from xdicom.headers.elements import PIXEL_REPRESENTATION, Syntax, UncertainHeaderError, Window, walk

SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
PIXEL_DATA = 0x7FE00010
ACQUISITION_TIME, PADDING_VALUE, PRIVATE, LAST = 0x00080032, 0x00280120, 0x00291010, 0x7FE00008
STRIDE = 512


def abreast(
    sets: list[bytes], syntax: Syntax = EXPLICIT, *, stride: int = STRIDE, refused: tuple[int, ...] = ()
) -> tuple[Abreast, list[dict[int, bytes]], list[int]]:
    """Walk to the pixel data behind each of `sets`; values by tag of each data set, and the bytes that were read again of each."""
    files = [each + element(PIXEL_DATA, "OW", bytes(PADDING), syntax) for each in sets]
    block = np.zeros((2 * len(files), stride), np.uint8)
    got = [min(len(file), stride) for file in files]
    again = [0] * len(files)

    def fill(row: int, file: int, offset: int) -> int:
        data = files[file][offset : offset + stride]
        block[row, : len(data)] = np.frombuffer(data, np.uint8)
        return len(data)

    def read_more(rows: np.ndarray, offsets: np.ndarray, _: np.ndarray) -> np.ndarray:
        for row in rows.tolist():
            again[row] += 1
        return np.array(
            [fill(len(files) + row, row, offset) for row, offset in zip(rows.tolist(), offsets.tolist(), strict=True)], np.int64
        )

    for row in range(len(files)):
        fill(row, row, 0)
    rows = np.arange(len(files))
    walked = Abreast(block, rows, rows * stride, rows * stride + np.minimum(got, stride - PADDING), syntax, read_more)
    walked.walk(lambda tag: tag != PRIVATE, LAST, refused)
    found: list[dict[int, bytes]] = [{} for _ in files]
    data = block.tobytes()
    for tag, parts in walked.parts.items():
        for part in parts:
            for row, offset, length in zip(part.rows.tolist(), part.offset.tolist(), part.length.tolist(), strict=True):
                found[row][tag] = data[offset : offset + length]
    return walked, found, again


@SYNTAXES
def test_values_are_found_though_the_data_sets_are_laid_out_differently(syntax: Syntax) -> None:
    sets = [
        element(MODALITY, "CS", b"MR", syntax) + element(ROWS, "US", numbers(1, syntax=syntax), syntax),
        element(ROWS, "US", numbers(2, syntax=syntax), syntax),
        element(MODALITY, "CS", b"CT", syntax)
        + element(SERIES_DESCRIPTION, "LO", b"thorax", syntax)
        + element(ROWS, "US", numbers(3, syntax=syntax), syntax),
        b"",
    ]

    walked, found, _ = abreast(sets, syntax)

    assert walked.rows.tolist() == [0, 1, 2, 3]
    assert found == [
        {MODALITY: b"MR", ROWS: numbers(1)},
        {ROWS: numbers(2)},
        {MODALITY: b"CT", SERIES_DESCRIPTION: b"thorax", ROWS: numbers(3)},
        {},
    ]


def test_elements_of_one_tag_may_have_several_vrs() -> None:
    sets = [element(ROWS, vr, b"\1\0") for vr in ("US", "SS", "OW", "US")]

    walked, _, _ = abreast(sets)

    assert {part.vr: part.rows.tolist() for part in walked.parts[ROWS]} == {"US": [0, 3], "SS": [1], "OW": [2]}


def test_signed_and_unsigned_data_sets_without_vrs_are_told_apart() -> None:
    sets = [
        element(PIXEL_REPRESENTATION, "US", numbers(n), IMPLICIT) + element(PADDING_VALUE, "US", b"\0\x80", IMPLICIT)
        for n in (0, 1, 1, 0, 0)
    ]

    walked, _, _ = abreast(sets, IMPLICIT)

    assert {part.vr: part.rows.tolist() for part in walked.parts[PADDING_VALUE]} == {"US": [0, 3, 4], "SS": [1, 2]}


@pytest.mark.parametrize(
    "other",
    [
        element(ROWS, "US", numbers(5)) + element(MODALITY, "CS", b"MR"),
        element(ROWS, "US", numbers(5)) * 2,
        element(ROWS, "??", numbers(5)),
        element(ROWS, "UN", numbers(5)),
        element(SERIES_DESCRIPTION, "LO", b"x", length=60_000),
        sequence(REFERENCED_IMAGES, [], undefined=True).replace(b"SQ", b"UN"),
        element(SERIES_DESCRIPTION, "LO", b"refused"),
    ],
    ids=[
        "tags descend",
        "a tag twice",
        "no VR",
        "a known element marked unknown",
        "a value behind the end",
        "unknown of undefined length",
        "refused",
    ],
)
def test_a_doubtful_data_set_is_given_up_and_no_other(other: bytes) -> None:
    usual = element(MODALITY, "CS", b"MR") + element(ROWS, "US", numbers(5))

    walked, found, _ = abreast([usual, usual, other, usual], refused=(SERIES_DESCRIPTION,) if b"refused" in other else ())

    assert walked.rows.tolist() == [0, 1, 3]
    assert [found[row] for row in (0, 1, 3)] == [{MODALITY: b"MR", ROWS: numbers(5)}] * 3


@SYNTAXES
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_are_passed_and_told_whole(syntax: Syntax, undefined: bool) -> None:
    inner = sequence(
        REFERENCED_IMAGES,
        [item(element(REFERENCED_UID, "UI", b"1.2\0", syntax), undefined=undefined, syntax=syntax)] * 2,
        undefined=undefined,
        syntax=syntax,
    )

    def items(count: int) -> list[bytes]:
        return [item(element(MODALITY, "CS", b"MR", syntax) + inner, undefined=undefined, syntax=syntax)] * count

    sets = [
        sequence(REFERENCED_IMAGES, items(n), undefined=undefined, syntax=syntax) + element(ROWS, "US", numbers(n, syntax=syntax), syntax)
        for n in (1, 2, 0, 1, 1)
    ]

    walked, found, _ = abreast(sets, syntax)

    # The last few are not followed through a longer sequence: the walk of one file does that as well.
    expected = [0, 2, 3, 4] if not undefined else walked.rows.tolist()
    assert set(expected) <= set(walked.rows.tolist())
    assert [found[row] for row in expected] == [
        {REFERENCED_IMAGES: b"".join(items((1, 2, 0, 1, 1)[row])), ROWS: numbers((1, 2, 0, 1, 1)[row])} for row in expected
    ]


@SYNTAXES
def test_sequences_of_undefined_length_that_are_alike_are_followed_to_their_end(syntax: Syntax) -> None:
    items = [item(element(REFERENCED_UID, "UI", b"1.2\0", syntax), undefined=True, syntax=syntax)] * 3
    sets = [sequence(REFERENCED_IMAGES, items, undefined=True, syntax=syntax)] * 4

    walked, found, _ = abreast(sets, syntax)

    assert walked.rows.tolist() == [0, 1, 2, 3]
    assert found == [{REFERENCED_IMAGES: b"".join(items)}] * 4


def test_longer_headers_are_read_on_once_for_each_jump() -> None:
    sets = [
        element(MODALITY, "CS", b"MR")
        + element(ROWS, "US", numbers(n))
        + element(PRIVATE, "OB", bytes(2000))
        + element(0x00291020, "OB", bytes(3000))
        for n in range(4)
    ]

    walked, found, again = abreast([each + element(0x00400001, "LO", b"behind") for each in sets[:3]] + sets[3:])

    # What is wanted of (0029,1020) does not fit a reading: those data sets are given up.
    assert walked.rows.tolist() == []
    assert again == [1, 1, 1, 1]
    assert [values[ROWS] for values in found] == [numbers(n) for n in range(4)]


def test_values_behind_the_first_reading_are_found() -> None:
    sets = [
        element(MODALITY, "CS", b"MR") + element(PRIVATE, "OB", bytes(size)) + element(0x00400001, "LO", b"behind")
        for size in (2000, 480, 4000, 30)
    ]

    walked, found, again = abreast(sets)

    assert walked.rows.tolist() == [0, 1, 2, 3]
    assert found == [{MODALITY: b"MR", 0x00400001: b"behind"}] * 4
    assert again == [1, 1, 1, 0]


def test_where_the_pixel_data_lies_is_told_in_bytes_of_the_file() -> None:
    sets = [element(PRIVATE, "OB", bytes(size)) for size in (2000, 480, 4000, 30)]

    walked, _, _ = abreast(sets)

    assert (walked.position - walked.shift).tolist() == [len(each) for each in sets]
    assert walked.tag.tolist() == [PIXEL_DATA] * 4


WANTED = frozenset({MODALITY, ACQUISITION_TIME, SERIES_DESCRIPTION, 0x00200013, ROWS, 0x00480001})
ELEMENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                (MODALITY, "CS"),
                (ACQUISITION_TIME, "TM"),
                (SERIES_DESCRIPTION, "LO"),
                (0x00200013, "IS"),
                (PRIVATE, "OB"),
                (ROWS, "US"),
                (0x00480001, "??"),
            ]
        ),
        st.integers(0, 6),
    ),
    max_size=7,
)


def alone(data: bytes, syntax: Syntax) -> dict[int, bytes] | None:
    try:
        found = walk(Window(data, lambda *_: b"", len(data)), 0, syntax, WANTED)
    except UncertainHeaderError:
        return None
    return {tag: value for tag, (_, value) in found.values.items()}


@settings(deadline=None)
@given(st.lists(ELEMENTS, min_size=1, max_size=8), st.sampled_from([EXPLICIT, IMPLICIT]), st.booleans())
def test_what_comes_to_the_pixel_data_is_what_each_walk_alone_gives(
    sets: list[list[tuple[tuple[int, str], int]]], syntax: Syntax, is_sorted: bool
) -> None:
    written = [
        b"".join(element(tag, vr, b"\1" * 2 * size, syntax) for (tag, vr), size in (sorted(dict(each).items()) if is_sorted else each))
        for each in sets
    ]

    walked, found, _ = abreast(written, syntax)

    for row in walked.rows.tolist():
        assert found[row] == alone(written[row] + element(PIXEL_DATA, "OW", bytes(PADDING), syntax), syntax)
    if is_sorted and syntax is IMPLICIT:
        assert walked.rows.tolist() == list(range(len(sets)))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=120), min_size=1, max_size=8), st.sampled_from([EXPLICIT, IMPLICIT]))
def test_any_bytes_are_walked_without_leaving_their_row(sets: list[bytes], syntax: Syntax) -> None:
    walked, _, _ = abreast(sets, syntax, stride=64)

    for part in (part for parts in walked.parts.values() for part in parts):
        begin = part.offset // 64
        assert ((part.offset + part.length - 1) // 64 == begin)[part.length > 0].all()
        assert np.isin(begin % len(sets), part.rows).all()


@pytest.mark.parametrize("odd", [None, 7])
def test_values_that_are_the_same_in_all_are_told_and_others_are_not_taken_for_them(odd: int | None) -> None:
    sets = [
        element(MODALITY, "CS", b"CT") + element(SERIES_DESCRIPTION, "LO", b"seen" if i == odd else b"body") + element(ROWS, "US", b"\1\0")
        for i in range(20)
    ]

    walked, _, _ = abreast(sets)

    told = {tag: all(part.is_constant for part in parts) for tag, parts in walked.parts.items()}
    assert told[MODALITY]
    assert told[SERIES_DESCRIPTION] == (odd is None)
