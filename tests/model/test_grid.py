"""Frames in their places: shape and values of an array before anything is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.test_frames import column, table
from xdicom.model.encoding import EXPLICIT_LITTLE_ENDIAN, PixelEncoding
from xdicom.model.grid import MISSING, Axis, FrameGrid, Tiles


def grid(rows: list[list[int]], **more: object) -> FrameGrid:
    frames = table("abc", shared={"echo": column(1, 2, 3)})
    return FrameGrid("name", (Axis("time"), Axis("z")), np.array(rows), frames, **more)  # type: ignore[arg-type]


def test_the_shape_is_that_of_the_grid_and_of_a_plane() -> None:
    found = grid([[0, 1, 2], [3, 4, 5]])

    assert (found.shape, found.dims) == ((2, 3, 2, 2), ("time", "z", "y", "x"))


def test_color_has_a_dimension_of_samples() -> None:
    found = grid([[0, 1, 2], [3, 4, 5]])
    color = PixelEncoding(EXPLICIT_LITTLE_ENDIAN, 2, 2, samples_per_pixel=3, bits_allocated=8)
    frames = replace(found.frames, instances=replace(found.frames.instances, encodings=(color,)))

    found = replace(found, frames=frames)

    assert (found.shape, found.dims[-1]) == ((2, 3, 2, 2, 3), "sample")


def test_tiles_are_planes() -> None:
    found = grid([[0, 0, 0, 0]], tiles=Tiles(np.arange(4, dtype=np.int32).reshape(1, 4), columns=2, rows=2))

    assert found.shape == (1, 4, 1, 1)


def test_values_of_cells_are_those_of_their_frames() -> None:
    echo = grid([[5, 1, 2]]).column("echo")

    assert echo is not None
    assert echo.first_numbers().tolist() == [3, 1, 2]


def test_cells_without_a_frame_have_no_value() -> None:
    found = grid([[0, MISSING, 5]])

    echo = found.column("echo")

    assert echo is not None
    np.testing.assert_array_equal(echo.first_numbers(), [1, np.nan, 3])
    assert found.encoding.rows == 2


def test_values_of_their_own_stand_above_those_of_frames() -> None:
    echo = grid([[0, 1, 2]], own={"echo": column(7, 8, 9)}).column("echo")

    assert echo is not None
    assert echo.first_numbers().tolist() == [7, 8, 9]


def test_what_no_frame_says_is_none() -> None:
    assert grid([[0, 1, 2]]).column("nothing") is None
