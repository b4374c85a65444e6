"""The whole pipeline in one go equals its stages one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.transforms.display import Rendering, render
from xdicom.transforms.lookup import LookupTable, all_values
from xdicom.transforms.modality import rescale
from xdicom.transforms.presentation import Output, is_inverted
from xdicom.transforms.voi import apply_window, window_arithmetic

VALUES = all_values(np.dtype("i2"))


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"), [(1.0, 0.0, "i2"), (1.0, -1024.0, "i4"), (0.37, -12.5, "f4"), (0.37, -12.5, "f8"), (2.0, 0.0, "f4")]
)
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("output", [Output(), Output("uint8", is_inverted=True), Output("uint16"), Output("float32")])
def test_one_go_equals_rescale_and_window(slope: float, intercept: float, dtype: str, function: str, output: Output) -> None:
    arithmetic = window_arithmetic(np.dtype(dtype), 40.0, 400.0, function, output.levels)
    rendering = Rendering(dtype, arithmetic.name, function, output)
    modality = rescale(VALUES, slope, intercept, dtype=np.dtype(dtype))

    shown = render(VALUES, slope, intercept, 40.0, 400.0, rendering=rendering)

    assert np.array_equal(shown, apply_window(modality, 40, 400, function=function, output=output.limits, dtype=np.dtype(output.dtype)))


def test_a_looked_up_frame_equals_a_worked_out_frame() -> None:
    frames = np.stack([VALUES.reshape(256, 256)] * 2)
    slopes, intercepts = np.full((2, 1, 1), 0.7), np.full((2, 1, 1), 3.0)
    rendering = Rendering("float32", "float32")

    per_frame = render(frames, slopes, intercepts, np.full((2, 1, 1), 40.0), np.full((2, 1, 1), 80.0), rendering=rendering)

    assert np.array_equal(per_frame, render(frames, 0.7, 3.0, 40.0, 80.0, rendering=rendering))


def test_modality_lut_takes_the_place_of_the_rescale() -> None:
    table = LookupTable(0, np.array([0, 1000, 2000, 4095], np.uint16), bits=12)
    rendering = Rendering("uint16", "float64", modality_table=table)

    assert render(np.array([0, 1, 2, 3], np.uint8), 9.0, 9.0, 2048.0, 4096.0, rendering=rendering).tolist() == [0, 62, 125, 255]


@pytest.mark.parametrize(
    "values", [np.array([-1, 0, 1, 2, 3], np.int16), np.array([-1, 0, 1, 2, 3], np.int32), np.array([-1.2, 0, 1.4, 1.5, 9])]
)
def test_voi_lut_output_is_scaled_by_its_bits_not_by_its_entries(values: np.ndarray) -> None:
    table = LookupTable(0, np.array([0, 128, 1000], np.uint16), bits=10)
    rendering = Rendering(values.dtype.name, voi_table=table)

    assert render(values, 1.0, 0.0, 0.0, 1.0, rendering=rendering).tolist() == [0, 0, 32, 249, 249]


def test_voi_lut_shows_missing_numbers_black() -> None:
    table = LookupTable(0, np.array([5, 10], np.uint8), bits=8)
    rendering = Rendering("float32", voi_table=table)

    assert render(np.array([np.nan, 0.0], np.float32), 1.0, 0.0, 0.0, 1.0, rendering=rendering).tolist() == [0, 5]


def test_presentation_lut_input_is_implicitly_scaled() -> None:
    table = LookupTable(0, np.array([0, 10, 20, 30, 4095], np.uint16), bits=12)
    rendering = Rendering("int16", "float64", output=Output("uint16", presentation=table))

    shown = render(np.array([-128, -64, 0, 63, 127], np.int16), 1.0, 0.0, 0.0, 256.0, rendering=rendering)

    # the window spreads 256 values over 5 entries; 12 bits become 16
    assert shown.tolist() == [0, 160, 320, 480, 65535]


@pytest.mark.parametrize("full_scale", [1, 255, 1023, 4095, 65535])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_outputs_span_the_full_scale_and_round_to_the_nearest_level(full_scale: int, dtype: str) -> None:
    voi = np.arange(full_scale + 1)
    top = 255 if dtype == "uint8" else 65535

    shown = Output(dtype).entries(voi, full_scale)

    assert (shown[0], shown[-1]) == (0, top)
    assert np.abs(shown - voi / full_scale * top).max() <= 0.5
    assert np.array_equal(Output(dtype, is_inverted=True).entries(voi, full_scale), shown[::-1])


@pytest.mark.parametrize(
    ("photometric", "shape", "expected"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_polarity_is_inverted_once_at_most(photometric: str, shape: str | None, expected: bool) -> None:
    assert is_inverted(photometric, shape) is expected


def test_other_output_types_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8, uint16, float32"):
        Output("int16")
