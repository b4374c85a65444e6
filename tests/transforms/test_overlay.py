"""Overlay planes, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.transforms.overlay import Overlay, embedded_overlay, place_overlay, unpack_overlay


def test_frames_follow_each_other_without_padding() -> None:
    bits = np.array([1, 0, 1, 1, 0, 0, 1, 1, 1], bool)  # three frames of 1 x 3
    overlay = Overlay(0x6000, rows=1, columns=3, frames=3, bits=np.packbits(bits, bitorder="little").tobytes())

    assert unpack_overlay(overlay).astype(int).tolist() == [[[1, 0, 1]], [[1, 0, 0]], [[1, 1, 1]]]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ((1, 1), [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]),
        ((2, 3), [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]),
        ((0, 0), [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
        ((3, 4), [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]),
        ((9, 9), [[0, 0, 0, 0]] * 3),
        ((-5, 1), [[0, 0, 0, 0]] * 3),
    ],
)
def test_what_lies_outside_the_image_is_cut_off(origin: tuple[int, int], expected: list[list[int]]) -> None:
    overlay = Overlay(0x6000, rows=2, columns=2, bits=b"\x0f", origin=origin)

    assert place_overlay(overlay, 3, 4)[0].astype(int).tolist() == expected


def test_too_few_bits_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"6002 has 8 bits.*needs 9"):
        unpack_overlay(Overlay(0x6002, rows=3, columns=3, bits=b"\xff"))


def test_an_embedded_overlay_is_one_bit_of_each_cell() -> None:
    cells = np.array([0x1FFF, 0x0FFF, 0xF000], np.uint16)

    assert embedded_overlay(cells, 12).tolist() == [True, False, True]
    assert embedded_overlay(cells.view(np.int16), 15).tolist() == [False, False, True]
