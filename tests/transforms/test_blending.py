"""Enhanced palettes, by numbers worked out by hand (PS3.3 C.7.6.23)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xdicom.transforms.blending import DataPath, EnhancedPalette, Weight, blend
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette

GRAY = DataPath((8,))
RED_RAMP = Palette(*(LookupTable(0, np.array(entries, np.uint8), 8) for entries in ([0, 100, 255], [0, 0, 0], [10, 20, 30])))


def shown(palette: EnhancedPalette, *frames: Any, dtype: type[np.generic] = np.uint8) -> list[Any]:
    found: list[Any] = blend(*(np.array(frame, dtype) for frame in frames), palette=palette).tolist()
    return found


def test_gray_alone_is_equal_red_green_and_blue() -> None:
    palette = EnhancedPalette(8, (GRAY,), (Weight("CONSTANT", 1.0),))

    assert shown(palette, [0, 1, 128, 255]) == [[0, 0, 0], [1, 1, 1], [128, 128, 128], [255, 255, 255]]


def test_colored_tissue_takes_the_last_entry_beyond_the_table() -> None:
    palette = EnhancedPalette(8, (DataPath((8,), RED_RAMP),), (Weight("CONSTANT", 1.0),))

    assert shown(palette, [0, 1, 2, 3, 255]) == [[0, 0, 10], [100, 0, 20], [255, 0, 30], [255, 0, 30], [255, 0, 30]]


def test_fixed_proportions_add_up_and_are_cut_at_full_scale() -> None:
    palette = EnhancedPalette(8, (GRAY, DataPath((8,), RED_RAMP)), (Weight("CONSTANT", 0.5), Weight("CONSTANT", 0.75)))

    assert shown(palette, [0, 100, 200], [0, 1, 2]) == [[0, 0, 8], [125, 50, 65], [255, 100, 123]]


def test_a_threshold_shows_one_path_or_the_other() -> None:
    opacity = LookupTable(0, np.array([0, 255, 255], np.uint8), 8)
    flow = DataPath((8,), RED_RAMP, opacity, "TABLE")
    as_written = EnhancedPalette(8, (GRAY, flow), (Weight("ALPHA_2"), Weight("ONE_MINUS")))

    assert shown(as_written, [70, 80], [0, 1]) == [[0, 0, 10], [80, 80, 80]]


def test_velocity_and_variance_make_one_index_from_their_highest_bits() -> None:
    table = LookupTable(0, np.arange(256, dtype=np.uint8), 8)
    flow = DataPath((5, 3), Palette(table, table, table), LookupTable(0, np.full(256, 51, np.uint8), 8), "TABLE")
    palette = EnhancedPalette(8, (DataPath((8,), None, None, "IDENTITY"), flow), (Weight("ALPHA_1"), Weight("ALPHA_2")))

    # tissue 51: 51/255 of 51/255 = 0.04; flow: 0b10110 above 0b011 is 179, a fifth of it
    assert shown(palette, [51], [0b10110111], [0b01111111]) == [[46, 46, 46]]


def test_a_blending_table_is_entered_by_both_alphas_the_first_on_top() -> None:
    two_bits = LookupTable(0, np.array([0, 1, 2, 3], np.uint8), 2)
    first = DataPath((2,), None, two_bits, "TABLE")
    second = DataPath((1,), None, None, "IDENTITY")
    weights = LookupTable(0, np.array([0, 1, 2, 3, 4, 5, 6], np.uint8) * 36, 8)
    palette = EnhancedPalette(8, (first, second), (Weight("TABLE", table=weights), Weight("CONSTANT", 0.0)))

    # the highest two bits of 0b10...... are alpha 2, the highest bit of 0b1....... is alpha 1: entry 0b101 = 180
    assert shown(palette, [0b10000000, 0b11000000], [0b10000000, 0b11111111]) == [[120] * 3, [216] * 3]


def test_what_12_bits_say_is_shown_in_16() -> None:
    palette = EnhancedPalette(12, (DataPath((12,)),), (Weight("CONSTANT", 1.0),))

    assert palette.dtype == np.uint16
    assert shown(palette, [0, 2048, 4095], dtype=np.uint16) == [[0] * 3, [32776] * 3, [65535] * 3]
    assert EnhancedPalette(12, (DataPath((8,)),), (Weight("CONSTANT", 1.0),)).dtype == np.uint8


def test_every_pair_of_values_is_what_a_slow_reference_says() -> None:
    generator = np.random.default_rng(5)
    tables = [generator.integers(0, 256, 32).astype(np.uint8) for _ in range(8)]
    paths = tuple(
        DataPath((5,), Palette(*(LookupTable(0, table, 8) for table in four[:3])), LookupTable(0, four[3], 8), "TABLE")
        for four in (tables[:4], tables[4:])
    )
    palette = EnhancedPalette(8, paths, (Weight("ALPHA_1"), Weight("ONE_MINUS")))
    primary, secondary = (values.astype(np.uint8) for values in np.meshgrid(np.arange(256), np.arange(256)))

    found = blend(primary, secondary, palette=palette)

    for one, two in generator.integers(0, 256, (500, 2)).tolist():
        first, second = one // 8, two // 8
        alpha = int(tables[3][first])
        exact = [(alpha * int(a[first]) + (255 - alpha) * int(b[second])) * 2 for a, b in zip(tables[:3], tables[4:7], strict=True)]
        assert found[two, one].tolist() == [min(255, (value + 255) // 510) for value in exact]


@pytest.mark.parametrize(
    ("paths", "weights", "message"),
    [
        ((GRAY,), (), "1 data paths and 0 weights"),
        ((DataPath((9,)),), (Weight("CONSTANT", 1.0),), "of 9: each has to be 1 to 8"),
        ((DataPath((0,)),), (Weight("CONSTANT", 1.0),), "of 0: each has to be 1 to 8"),
        ((GRAY,), (Weight("ONE_MINUS"),), "Blending LUT 1 Transfer Function ONE_MINUS is none"),
        ((GRAY,), (Weight("CONSTANT", 1.5),), "Blending Weight Constant"),
        ((GRAY,), (Weight("ALPHA_2"),), "alpha of a secondary data path, and there is none"),
        ((GRAY,), (Weight("ALPHA_1"),), "alpha values of the primary data path, which has none"),
        ((GRAY,), (Weight("TABLE"),), "without Blending Lookup Table Data"),
        (
            (DataPath((8,), None, None, "IDENTITY"), DataPath((8,), None, LookupTable(0, np.zeros(4, np.uint16), 9), "TABLE")),
            (Weight("CONSTANT", 1.0), Weight("TABLE", table=LookupTable(0, np.zeros(4, np.uint8), 8))),
            "index of more than 16 bits",
        ),
    ],
)
def test_what_does_not_fit_is_refused(paths: tuple[DataPath, ...], weights: tuple[Weight, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnhancedPalette(8, paths, weights)
