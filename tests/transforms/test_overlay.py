"""Overlay planes, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.transforms.overlay import Overlay, embedded_plane, place_plane, unpack_plane


def test_planes_follow_each_other_without_padding() -> None:
    overlay = Overlay(0x6000, rows=1, columns=3, frames=3)
    packed = np.packbits(np.array([1, 0, 1, 1, 0, 0, 1, 1, 1], bool), bitorder="little").tobytes()

    starts = [overlay.bits_of(plane) for plane in range(3)]

    assert starts == [(0, 3), (3, 3), (6, 3)]
    assert [unpack_plane(packed, 1, 3, first).astype(int).tolist() for first, _ in starts] == [[[1, 0, 1]], [[1, 0, 0]], [[1, 1, 1]]]


def test_an_overlay_without_frames_lies_on_all_of_them() -> None:
    assert [Overlay(0x6000, 1, 1).plane_on(frame) for frame in (1, 7)] == [0, 0]
    assert [Overlay(0x6000, 1, 1, frames=1, first_frame=2).plane_on(frame) for frame in (1, 2, 3)] == [None, 0, None]


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
    out = np.zeros((3, 4), bool)

    place_plane(np.ones((2, 2), bool), origin, out)

    assert out.astype(int).tolist() == expected


def test_too_few_bits_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"3 x 3 needs 10 bits; 8 are there"):
        unpack_plane(b"\xff", 3, 3, lead_bits=1)


def test_an_embedded_overlay_is_one_bit_of_each_cell() -> None:
    cells = np.array([0x1FFF, 0x0FFF, 0xF000], np.uint16)

    assert embedded_plane(cells, 12).tolist() == [True, False, True]
    assert embedded_plane(cells, 15).tolist() == [False, False, True]
    assert embedded_plane(np.array([1, 2**31], np.uint32), 31).tolist() == [False, True]
