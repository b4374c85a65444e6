"""Windows to the letter of PS3.3 C.11.2.1, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.transforms.lookup import all_values
from xdicom.transforms.voi import CT_PRESETS, apply_window, window_arithmetic, window_edges


def linear(x: Fraction, center: Fraction, width: Fraction, ymin: int, ymax: int) -> Fraction:
    """PS3.3 C.11.2.1.2.1, as it is written there."""
    if x <= center - Fraction(1, 2) - (width - 1) / 2:
        return Fraction(ymin)
    if x > center - Fraction(1, 2) + (width - 1) / 2:
        return Fraction(ymax)
    return ((x - (center - Fraction(1, 2))) / (width - 1) + Fraction(1, 2)) * (ymax - ymin) + ymin


def linear_exact(x: Fraction, center: Fraction, width: Fraction, ymin: int, ymax: int) -> Fraction:
    """PS3.3 C.11.2.1.3.2, as it is written there."""
    if x <= center - width / 2:
        return Fraction(ymin)
    if x > center + width / 2:
        return Fraction(ymax)
    return ((x - center) / width + Fraction(1, 2)) * (ymax - ymin) + ymin


FORMULAS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact}


def expected(values: list[int], center: float, width: float, function: str, ymin: int = 0, ymax: int = 255) -> list[int]:
    """Levels of whole numbers: the formula is a straight line between two thresholds, so two points of it give all."""
    formula, c, w = FORMULAS[function], Fraction(center), Fraction(width)
    half = w / 2 if function == "LINEAR_EXACT" else (w - 1) / 2
    middle = c if function == "LINEAR_EXACT" else c - Fraction(1, 2)
    first, last = math.floor(middle - half), math.floor(middle + half)  # up to and above these the output is constant
    if half == 0:
        return [ymin if v <= first else ymax for v in values]
    slope = (ymax - ymin) / (2 * half)
    offset = formula(middle, c, w, ymin, ymax) - slope * middle + Fraction(1, 2)
    common = math.lcm(slope.denominator, offset.denominator)
    step, start = int(slope * common), int(offset * common)
    return [ymin if v <= first else ymax if v > last else (step * v + start) // common for v in values]


def test_the_reference_itself_follows_the_formulas() -> None:
    values = list(range(-30, 60))

    for function, formula in FORMULAS.items():
        for center, width in [(10, 40), (10.3, 7.5), (0, 1), (11, 2)]:
            by_formula = [math.floor(formula(Fraction(v), Fraction(center), Fraction(width), 0, 255) + Fraction(1, 2)) for v in values]
            assert expected(values, center, width, function) == by_formula


# Tables worked by hand: PS3.3 C.11.2.1.2.1 note 4 and the formulas at the ends and the middle of the window
@pytest.mark.parametrize(
    ("center", "width", "values", "shown"),
    [
        (2048, 4096, [0, 1, 2048, 4094, 4095], [0, 0, 128, 255, 255]),
        (2048, 1, [2046, 2047, 2048, 2049], [0, 0, 255, 255]),
        (0, 100, [-51, -50, -49, 0, 48, 49, 50], [0, 0, 3, 129, 252, 255, 255]),
        (127.5, 2, [126, 127, 128, 129], [0, 128, 255, 255]),
    ],
)
def test_linear_windows_worked_by_hand(center: float, width: float, values: list[int], shown: list[int]) -> None:
    assert apply_window(np.array(values, np.int16), center, width).tolist() == shown


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
@pytest.mark.parametrize(
    ("center", "width"), [(40, 400), (-600, 1500), (0, 1), (40, 2), (40, 14), (41, 401), (1000, 4096), (0, 65535), (40.3, 350.7)]
)
@pytest.mark.parametrize("output", [(0, 255), (255, 0)])
def test_every_16_bit_number_lands_on_the_level_of_the_formula(function: str, center: float, width: float, output: tuple[int, int]) -> None:
    values = all_values(np.dtype("i2"))

    shown = apply_window(values, center, width, function=function, output=output)

    assert shown.tolist() == expected(values.tolist(), center, width, function, *output)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
def test_65536_levels_are_exact_too(function: str) -> None:
    values = np.arange(-3000, 3000).astype(np.int16)

    shown = apply_window(values, 40, 1999, function=function, output=(0, 65535), dtype=np.dtype(np.uint16))

    assert shown.tolist() == expected(values.tolist(), 40, 1999, function, 0, 65535)


@given(center=st.integers(-2000, 4000), width=st.integers(1, 4096), function=st.sampled_from(["LINEAR", "LINEAR_EXACT"]))
@settings(max_examples=40, deadline=None)
def test_single_precision_shows_the_same_levels_as_fractions(center: int, width: int, function: str) -> None:
    low = center - width // 2 - 2
    values = list(range(low, low + min(width, 400) + 4)) + list(range(low + width - 200, low + width + 4))
    array = np.array(values, np.int32)

    shown = apply_window(array, center, width, function=function)

    assert window_arithmetic(array.dtype, center, width, function, 256) == np.float32
    assert shown.tolist() == expected(values, center, width, function)


@pytest.mark.parametrize(("center", "width"), [(40, 400), (0, 1), (-5.5, 0.25)])
def test_sigmoid_follows_its_formula(center: float, width: float) -> None:
    values = all_values(np.dtype("i2"))

    shown = apply_window(values, center, width, function="SIGMOID", dtype=np.dtype(np.float32), output=(0, 1))

    exponents = np.clip([-4 * (float(v) - center) / width for v in values], -700, 700)
    assert np.allclose(shown, [1 / (1 + math.exp(e)) for e in exponents], rtol=1e-6, atol=1e-30)


def test_sigmoid_is_half_at_its_center_and_levels_are_rounded() -> None:
    shown = apply_window(np.array([-400, 0, 400], np.int16), 0, 400, function="SIGMOID")

    # 255 / (1 + e**4) = 4.59, 127.5, 255 - 4.59
    assert shown.tolist() == [5, 128, 250]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
def test_a_window_of_width_0_is_a_threshold_at_its_center(function: str) -> None:
    assert apply_window(np.array([9, 10, 11], np.int16), 10, 0, function=function).tolist() == [0, 0, 255]


def test_a_linear_window_narrower_than_1_is_taken_as_exact() -> None:
    values = np.array([0.0, 0.25, 0.5, 0.75, 1.0], np.float32)

    assert np.array_equal(apply_window(values, 0.5, 0.5), apply_window(values, 0.5, 0.5, function="LINEAR_EXACT"))
    assert apply_window(values, 0.5, 0.5).tolist() == [0, 0, 128, 255, 255]


def test_each_frame_has_its_own_window() -> None:
    values = np.full((3, 4, 5), 100, np.int16)
    centers, widths = np.array([100.0, 0.0, 300.0])[:, None, None], np.array([100.0, 1.0, 10.0])[:, None, None]

    shown = apply_window(values, centers, widths)

    assert shown[:, 0, 0].tolist() == [129, 255, 0]


def test_what_is_not_a_number_is_black_and_infinity_is_an_end() -> None:
    values = np.array([np.nan, -np.inf, np.inf], np.float32)

    assert apply_window(values, 0, 100).tolist() == [0, 0, 255]
    assert apply_window(values, 0, 100, output=(255, 0)).tolist() == [0, 255, 0]
    assert np.isnan(apply_window(values, 0, 100, dtype=np.dtype("f4"), output=(0, 1))[0])


def test_a_numbers_level_does_not_depend_on_its_neighbours() -> None:
    values = np.arange(-1000, 1000, dtype=np.int16).reshape(10, 200)
    whole = apply_window(values, 40, 400)

    assert all(np.array_equal(apply_window(values[i : i + 1, ::7], 40, 400), whole[i : i + 1, ::7]) for i in range(10))


@pytest.mark.parametrize(
    ("center", "width", "function", "message"),
    [
        (0, -1, "LINEAR", "negative width -1"),
        (0, 1, "CUBIC", "no VOI LUT function 'CUBIC'"),
        (np.nan, 1, "LINEAR", "not a finite"),
        (0, np.inf, "LINEAR", "not a finite"),
    ],
)
def test_windows_that_mean_nothing_are_refused(center: float, width: float, function: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        window_edges(center, width, function)


def test_presets_have_positive_widths_and_names_in_capitals() -> None:
    assert all(name == name.upper() and window.width > 1 for name, window in CT_PRESETS.items())
    assert (CT_PRESETS["LUNG"].center, CT_PRESETS["LUNG"].width) == (-600, 1500)


@pytest.mark.parametrize(
    ("dtype", "center", "width", "levels", "expected"),
    [
        ("i2", 40, 400, 256, "f4"),
        ("i2", 40, 400, 65536, "f8"),
        ("i2", 40.5, 400, 256, "f8"),
        ("i4", 40, 5000, 256, "f8"),
        ("f4", 0.1, 0.3, 256, "f4"),
        ("f8", 40, 400, 256, "f8"),
    ],
)
def test_precision_follows_from_types_and_parameters_alone(dtype: str, center: float, width: float, levels: int, expected: str) -> None:
    assert window_arithmetic(np.dtype(dtype), center, width, "LINEAR", levels) == np.dtype(expected)
