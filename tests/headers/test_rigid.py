"""Items of one length are compared whole; those of another layout are told apart, and none is believed unseen."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest

from xdicom.headers import functional_groups, rigid
from xdicom.headers.elements import LongSequence, Syntax
from xdicom.headers.functional_groups import FrameColumns, columns_of_items
from xdicom.headers.items import item_bounds

STACK, COMMENTS, POSITION, LABEL = (0x0020, 0x9056), (0x0020, 0x9158), (0x0020, 0x9057), (0x0020, 0x9453)
EXPLICIT = Syntax(is_implicit=False)


def element(tag: tuple[int, int], vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", *tag, vr, len(value)) + value


def item(*elements: bytes) -> bytes:
    """An item of Frame Content Sequence with these elements, within one of the per-frame groups."""
    inner = b"".join(elements)
    inner = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(inner)) + inner
    inner = struct.pack("<HH2sHI", 0x0020, 0x9111, b"SQ", 0, len(inner)) + inner
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(inner)) + inner


def read(items: list[bytes], before: bytes = b"", behind: bytes = b"") -> FrameColumns:
    value = b"".join(items)
    return columns_of_items(LongSequence(before + value + behind, len(before), len(before) + len(value), EXPLICIT))


def texts(frames: FrameColumns, name: str) -> list[str]:
    return frames.columns[name].texts().tolist()


def test_items_as_long_as_others_may_be_laid_out_in_another_way() -> None:
    kinds = [
        [element(STACK, b"SH", b"%03d " % 7), element(COMMENTS, b"LO", b"ab")],
        [element(STACK, b"SH", b"9 "), element(COMMENTS, b"LO", b"abcd")],
        [element(STACK, b"SH", b"5 "), element(LABEL, b"LO", b"abcd")],
    ]

    frames = read([item(*kinds[i % 3]) for i in range(90)])

    assert texts(frames, "stack_id") == ["007", "9", "5"] * 30
    assert texts(frames, "frame_comments") == ["ab", "abcd", ""] * 30
    assert texts(frames, "frame_label") == ["", "", "abcd"] * 30


def test_one_item_whose_header_differs_in_a_bit_is_read_by_itself() -> None:
    items = [item(element(STACK, b"SH", b"A1"), element(POSITION, b"UL", struct.pack("<I", i))) for i in range(60)]
    items[41] = items[41].replace(b"SH", b"LO").replace(b"A1", b"B1")

    frames = read(items)

    assert texts(frames, "stack_id") == ["A1"] * 41 + ["B1"] + ["A1"] * 18
    assert frames.columns["in_stack_position_number"].first_numbers().tolist() == list(range(60))


def test_values_that_look_like_headers_are_values() -> None:
    odd = element(STACK, b"SH", b"zz")
    items = [item(element(STACK, b"SH", b"A1"), element(COMMENTS, b"LO", odd if i % 5 == 0 else b"0123456789")) for i in range(60)]

    frames = read(items)

    assert texts(frames, "stack_id") == ["A1"] * 60
    assert texts(frames, "frame_comments")[:2] == [odd.decode("latin_1").strip("\0 "), "0123456789"]


def test_items_lie_where_they_lie_and_nothing_around_them_counts() -> None:
    items = [item(element(POSITION, b"UL", struct.pack("<I", i))) for i in range(40)]

    frames = read(items, before=items[0] * 3, behind=items[0] * 3)

    assert frames.columns["in_stack_position_number"].first_numbers().tolist() == list(range(40))


@pytest.mark.parametrize("lengths", [1, 3])
def test_one_item_of_each_length_is_walked_for_all(monkeypatch: pytest.MonkeyPatch, lengths: int) -> None:
    walked = []
    walk = rigid.walk_alike

    def counted(data: np.ndarray, starts: np.ndarray, *rest: object, **named: object) -> object:
        walked.append(len(starts))
        return walk(data, starts, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(rigid, "walk_alike", counted)
    monkeypatch.setattr(functional_groups, "walk_alike", counted)

    frames = read([item(element(COMMENTS, b"LO", b"ab" * (i % lengths + 1))) for i in range(300)])

    assert texts(frames, "frame_comments")[-1] == "ab" * (299 % lengths + 1)
    assert walked == [1] * lengths


def test_the_items_are_not_copied() -> None:
    data = b"".join(item(element(COMMENTS, b"LO", b"x" * 900), element(POSITION, b"UL", struct.pack("<I", i))) for i in range(5000))
    sequence = LongSequence(data + bytes(16), 0, len(data), EXPLICIT)
    tracemalloc.start()
    try:
        columns_of_items(sequence)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < len(data) / 2


@pytest.mark.parametrize("is_trusting", [False, True])
def test_items_of_undefined_length_end_within_the_sequence(is_trusting: bool) -> None:
    one = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + element(STACK, b"SH", b"A1") + b"\xfe\xff\x0d\xe0\0\0\0\0"
    data = one * 3 + one[:-8]

    starts, stops, end = item_bounds(b"??" + data + one[-8:], EXPLICIT, 2, 2 + len(data), is_trusting=is_trusting)

    assert starts.tolist() == [2 + 8 + i * len(one) for i in range(3)]
    assert stops.tolist() == [2 + (i + 1) * len(one) for i in range(3)]
    assert end == 2 + 3 * len(one)
