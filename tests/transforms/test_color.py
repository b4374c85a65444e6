"""Colour spaces to RGB, against double precision."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.errors import UnsupportedEncodingError
from xdicom.transforms.color import to_rgb

GRID = np.stack(np.meshgrid(*[np.r_[0:256:5, 255]] * 3, indexing="ij"), axis=-1).astype(np.uint8)


def full_range(samples: np.ndarray, top: float = 255, middle: float = 128) -> np.ndarray:
    y, cb, cr = (samples[..., i].astype(float) for i in range(3))
    cb, cr = cb - middle, cr - middle
    rgb = np.stack([y + 1.402 * cr, y - 0.114 * 1.772 / 0.587 * cb - 0.299 * 1.402 / 0.587 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(rgb, 0, top)


def studio_range(samples: np.ndarray) -> np.ndarray:
    y, cb, cr = ((samples[..., i].astype(float) - (16 if i == 0 else 128)) for i in range(3))
    y, cb, cr = y * 255 / 219, cb * 255 / 224, cr * 255 / 224
    return np.clip(np.stack([y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb], axis=-1), 0, 255)


@pytest.mark.parametrize(
    ("name", "reference"),
    [("YBR_FULL", full_range), ("YBR_FULL_422", full_range), ("YBR_PARTIAL_422", studio_range), ("YBR_PARTIAL_420", studio_range)],
)
def test_levels_are_the_nearest_to_the_formula(name: str, reference) -> None:
    exact = reference(GRID)

    out = to_rgb(GRID, name)

    assert out.dtype == np.uint8
    assert np.abs(out - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("name", "ybr", "rgb"),
    [
        ("YBR_FULL", [0, 128, 128], [0, 0, 0]),
        ("YBR_FULL", [255, 128, 128], [255, 255, 255]),
        ("YBR_FULL", [29, 255, 107], [0, 0, 254]),
        ("YBR_PARTIAL_422", [16, 128, 128], [0, 0, 0]),
        ("YBR_PARTIAL_422", [235, 128, 128], [255, 255, 255]),
    ],
)
def test_black_white_and_blue(name: str, ybr: list[int], rgb: list[int]) -> None:
    assert to_rgb(np.array([ybr], np.uint8), name).tolist() == [rgb]


def test_16_bit_samples_use_their_full_range() -> None:
    samples = np.array([[65535, 32768, 32768], [30000, 40000, 20000]], np.uint16)

    out = to_rgb(samples, "YBR_FULL")

    assert np.abs(out - full_range(samples, 65535, 32768)).max() <= 0.5


def test_12_bits_stored_end_at_4095() -> None:
    samples = np.array([[4095, 2048, 2048], [4095, 4095, 4095]], np.uint16)

    assert to_rgb(samples, "YBR_FULL", 12).max() == 4095
    assert to_rgb(samples, "YBR_FULL", 12)[0].tolist() == [4095] * 3


@pytest.mark.parametrize("name", ["RGB", "YBR_RCT", "YBR_ICT"])
def test_what_a_decoder_made_rgb_is_left_alone(name: str) -> None:
    assert to_rgb(GRID, name) is GRID


def test_frames_and_rows_are_independent() -> None:
    whole = to_rgb(GRID, "YBR_FULL")

    assert np.array_equal(to_rgb(GRID[3:5, ::2], "YBR_FULL"), whole[3:5, ::2])


def test_unknown_color_spaces_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedEncodingError, match="'HSV'"):
        to_rgb(GRID, "HSV")
