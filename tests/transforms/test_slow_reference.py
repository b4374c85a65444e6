"""Every 16-bit number through every kind of table, beside one number after the other in plain Python and whole fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from xdicom.transforms.display import Rendering, render, render_supplemental
from xdicom.transforms.lookup import LookupTable, all_values
from xdicom.transforms.padding import is_padding
from xdicom.transforms.palette import Palette
from xdicom.transforms.presentation import Output
from xdicom.transforms.real_world import map_linear, map_table
from xdicom.transforms.voi import apply_window

GENERATOR = np.random.default_rng(11)
KINDS = ["i2", "u2"]
BLACK, WHITE = Fraction(0), Fraction(1)


def numbers(kind: str) -> np.ndarray:
    return all_values(np.dtype(kind))


def nearest(fraction: Fraction) -> int:
    """Halves upwards."""
    return (2 * fraction.numerator + fraction.denominator) // (2 * fraction.denominator)


def entry(table: LookupTable, value: int) -> int:
    return int(table.data[min(max(value - table.first_mapped, 0), len(table) - 1)])


@cache
def ends(center: Fraction, width: Fraction) -> tuple[Fraction, Fraction]:
    half = (width - 1) / 2
    return center - Fraction(1, 2) - half, center - Fraction(1, 2) + half


def linear(value: Fraction, center: Fraction, width: Fraction) -> Fraction:
    """PS3.3 C.11.2.1.2.1 onto 0 to 1, as it stands there."""
    low, high = ends(center, width)
    if value <= low:
        return BLACK
    if value > high:
        return WHITE
    return (value - (center - Fraction(1, 2))) / (width - 1) + Fraction(1, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "bits", "is_inverted"), [(0, 8, False), (-1024, 12, True), (40000, 16, False)])
def test_voi_luts(kind: str, first: int, bits: int, is_inverted: bool) -> None:
    table = LookupTable(first, GENERATOR.integers(0, 2**bits, 3000).astype(np.uint16), bits)
    rendering = Rendering(np.dtype(kind).name, output=Output(is_inverted=is_inverted), voi_table=table)

    shown = render(numbers(kind), 1.0, 0.0, 0.0, 1.0, rendering=rendering)

    full = 2**bits - 1
    said = (entry(table, value) for value in numbers(kind).tolist())
    assert shown.tolist() == [(2 * 255 * (full - value if is_inverted else value) + full) // (2 * full) for value in said]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entries", [4096, 77])
def test_presentation_luts_behind_a_rescale_and_a_window(kind: str, entries: int) -> None:
    table = LookupTable(0, GENERATOR.integers(0, 4096, entries).astype(np.uint16), 12)
    rendering = Rendering("int32", "float64", output=Output("uint16", presentation=table))

    shown = render(numbers(kind), 1.0, -1024.0, 40.0, 401.0, rendering=rendering)

    levels = (linear(Fraction(value - 1024), Fraction(40), Fraction(401)) for value in numbers(kind).tolist())
    assert shown.tolist() == [nearest(Fraction(65535 * int(table.data[nearest(level * (entries - 1))]), 4095)) for level in levels]


@pytest.mark.parametrize("kind", KINDS)
def test_modality_luts_under_a_window(kind: str) -> None:
    table = LookupTable(-500, GENERATOR.integers(0, 65536, 2000).astype(np.uint16), 16)
    rendering = Rendering("uint16", "float64", modality_table=table)

    shown = render(numbers(kind), 1.0, 0.0, 30000.5, 20001.0, rendering=rendering)

    levels = (linear(Fraction(entry(table, value)), Fraction("30000.5"), Fraction(20001)) for value in numbers(kind).tolist())
    assert shown.tolist() == [nearest(level * 255) for level in levels]


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_stored_values_by_rescale(kind: str) -> None:
    shown = render(numbers(kind).reshape(256, 256), 0.5, -10.0, 40.25, 800.5, rendering=Rendering("float64", "float64"))

    levels = (linear(Fraction(value, 2) - 10, Fraction("40.25"), Fraction("800.5")) for value in numbers(kind).tolist())
    assert shown.reshape(-1).tolist() == [nearest(level * 255) for level in levels]


def test_sigmoids() -> None:
    shown = apply_window(numbers("i2"), 100.0, 3000.0, function="SIGMOID")

    exact = [255 / (1 + math.exp(min(-4 * (value - 100) / 3000, 700))) for value in numbers("i2").tolist()]
    assert shown.tolist() == [math.floor(level + 0.5) for level in exact]


@pytest.mark.parametrize("kind", KINDS)
def test_supplemental_palettes(kind: str) -> None:
    tables = [LookupTable(20000, GENERATOR.integers(0, 256, 300).astype(np.uint8), 8) for _ in range(3)]
    rendering = Rendering("int32", "float32")

    shown = render_supplemental(
        numbers(kind), 1.0, 0.0, 9000.0, 3000.0, rendering=rendering, palette=Palette(*tables, is_supplemental=True)
    )

    expected = []
    for value in numbers(kind).tolist():
        gray = nearest(linear(Fraction(value), Fraction(9000), Fraction(3000)) * 255)
        expected.append([gray] * 3 if value < 20000 else [entry(table, value) for table in tables])
    assert shown.tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_real_world_values(kind: str) -> None:
    table = LookupTable(-77, GENERATOR.normal(size=500), bits=64)

    lines = map_linear(numbers(kind), 0.25, -3.5, -1000, 20000, dtype=np.dtype("f8"))
    looked_up = map_table(numbers(kind), table, dtype=np.dtype("f8"))

    for value, on_line, in_table in zip(numbers(kind).tolist(), lines.tolist(), looked_up.tolist(), strict=True):
        assert on_line == value / 4 - 3.5 if -1000 <= value <= 20000 else math.isnan(on_line)
        assert in_table == table.data[value + 77] if -77 <= value < 423 else math.isnan(in_table)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("value", "limit"), [(-2000, None), (63536, None), (5, 9), (9, 5), (-32768, 65535)])
def test_padding(kind: str, value: int, limit: int | None) -> None:
    least, greatest = sorted((value, value if limit is None else limit))

    found = is_padding(numbers(kind), value, limit) if limit is not None else is_padding(numbers(kind), value)

    assert found.tolist() == [least <= number <= greatest for number in numbers(kind).tolist()]
