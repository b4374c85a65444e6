"""The PNG of a picture is what others read."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from xdicom.labeled.png import encode_png


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (40, 33), (1, 9, 3), (31, 20, 3)])
@pytest.mark.parametrize("kind", ["noise", "slope", "flat"])
def test_png_holds_the_same_pixels(shape: tuple[int, ...], kind: str) -> None:
    noise = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    pixels = {"noise": noise, "slope": (np.indices(shape).sum(axis=0) * 3).astype(np.uint8), "flat": np.full(shape, 200, np.uint8)}[kind]

    assert np.array_equal(imagecodecs.png_decode(encode_png(pixels)).reshape(shape), pixels)


def test_png_of_part_of_an_array_is_right() -> None:
    pixels = np.arange(20 * 30, dtype=np.uint16).astype(np.uint8).reshape(20, 30)[::2, ::-3]

    assert np.array_equal(imagecodecs.png_decode(encode_png(pixels)), pixels)
