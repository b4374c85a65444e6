"""Segmented palettes, opcode by opcode."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.transforms.segments import expand_segments


def test_discrete_and_linear_segments() -> None:
    data = np.array([0, 3, 10, 11, 12, 1, 4, 20], np.uint8)

    assert expand_segments(data, 7).tolist() == [10, 11, 12, 14, 16, 18, 20]


def test_linear_segments_fall_too_and_round_halves_to_even() -> None:
    assert expand_segments(np.array([0, 1, 3, 1, 2, 0, 1, 2, 1], np.uint16), 5).tolist() == [3, 2, 0, 0, 1]


def test_an_indirect_segment_of_8_bits_points_with_four_bytes() -> None:
    data = np.array([0, 2, 5, 6, 1, 2, 10, 2, 2, 0, 0, 0, 0, 0], np.uint8)

    assert expand_segments(data, 8).tolist() == [5, 6, 8, 10, 5, 6, 8, 10]


def test_an_indirect_segment_of_16_bits_counts_bytes_and_puts_its_low_word_first() -> None:
    data = np.array([0, 2, 500, 600, 1, 2, 1000, 2, 1, 8, 0], np.uint16)  # byte 8 is number 4: the linear segment

    # the copied line starts from the entry before it, which is already where it ends
    assert expand_segments(data, 6).tolist() == [500, 600, 800, 1000, 1000, 1000]


def test_a_byte_of_padding_behind_the_last_segment_is_no_segment() -> None:
    assert expand_segments(np.array([0, 1, 9, 0], np.uint8), 1).tolist() == [9]


@pytest.mark.parametrize(
    ("numbers", "entries", "message"),
    [
        ([1, 2, 5], 2, "begins with a linear segment"),
        ([3, 1, 5], 1, "opcode 3"),
        ([0, 3, 5], 3, "end early"),
        ([0, 1, 5], 2, "make 1 entries, its descriptor promises 2"),
        ([0, 3, 5, 6, 7], 2, "more than the 2 entries"),
        ([0, 1, 5, 2, 1, 3, 0, 0, 0], 9, "points at an indirect"),
        ([0, 1, 5, 2, 1, 200, 0, 0, 0], 9, "end early"),
        ([0, 1, 5, 2, 255, 0, 0, 0, 0], 20, "more than the 20|points at an indirect"),
    ],
)
def test_damaged_segments_are_refused(numbers: list[int], entries: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        expand_segments(np.array(numbers, np.uint8), entries)
