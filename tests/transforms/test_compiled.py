"""The compiled loop gives the bits that arrays give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.transforms import compiled, display
from xdicom.transforms.chain import Chain, Link
from xdicom.transforms.display import Rendering, render
from xdicom.transforms.lookup import all_values
from xdicom.transforms.presentation import Output

VALUES = all_values(np.dtype("i2")).reshape(4, 128, 128)
KINDS = [
    ("i2", "int32", 1.0, -1024.0),
    ("u2", "int32", 1.0, -1024.0),
    ("i2", "float32", 0.37, -12.5),
    ("i2", "float64", 11.66, 3.3),
    ("u1", "uint8", 1.0, 0.0),
    ("i2", "int32", 1.0, 8_388_607.0),
    ("i2", "int32", 1.0, 20_000_001.0),
    (">i2", "int16", 1.0, 0.0),
]


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop, compiled, from the first pixel on."""
    pytest.importorskip("numba")
    monkeypatch.setattr(compiled, "ENOUGH", 0)


def without_loop(values: np.ndarray, *parameters: object, rendering: Rendering) -> np.ndarray:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display, "_is_plain_window", lambda *_: False)
        return render(values, *parameters, rendering=rendering)


WINDOWS = [
    (40.0, 400.0, "LINEAR"),
    (40.5, 333.3, "LINEAR"),
    (-600.0, 1500.0, "LINEAR_EXACT"),
    (40.0, 1.0, "LINEAR"),
    (9000.0, 50000.0, "LINEAR"),
]


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize(("dtype", "modality", "slope", "intercept"), KINDS)
@pytest.mark.parametrize(("center", "width", "function"), WINDOWS)
@pytest.mark.parametrize("is_inverted", [False, True])
def test_every_16_bit_value_lands_on_the_same_level(
    dtype: str, modality: str, slope: float, intercept: float, center: float, width: float, function: str, is_inverted: bool
) -> None:
    arithmetic = "float64" if modality == "float64" or center % 1 else "float32"
    rendering = Rendering(modality, arithmetic, function, Output(is_inverted=is_inverted))
    values = VALUES.astype(dtype) if dtype != "u2" else VALUES.view("u2")
    values = values[:, ::3] if modality == "float32" else values

    shown = render(values, slope, intercept, center, width, rendering=rendering)

    assert shown.tobytes() == without_loop(values, slope, intercept, center, width, rendering=rendering).tobytes()
    chain = Chain((Link(render, (("rendering", rendering),), 4, np.dtype("u1")),))
    assert chain(values, slope, intercept, center, width).tobytes() == shown.tobytes()


@pytest.mark.usefixtures("loop")
@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1), (1, 1, 64), (1, 1, 1)])
def test_parameters_may_vary_along_any_axis(shape: tuple[int, ...]) -> None:
    values = VALUES.reshape(4, 4, 4096)[..., :4096] if shape != (1, 1, 64) else VALUES.reshape(16, 64, 64)
    count = int(np.prod(shape))
    slopes, intercepts = np.linspace(0.5, 2, count).reshape(shape), np.linspace(-5, 5, count).reshape(shape)
    rendering = Rendering("float32", "float32")

    shown = render(values, slopes, intercepts, 40.0, np.full((1, 1, 1), 400.0), rendering=rendering)

    assert shown.tobytes() == without_loop(values, slopes, intercepts, 40.0, np.full((1, 1, 1), 400.0), rendering=rendering).tobytes()


def test_the_loop_means_the_same_before_it_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        display, "window_loops", lambda _, arithmetic: compiled.Loops(compiled.steps_in(arithmetic.type), compiled.write_line)
    )
    values = VALUES.reshape(-1)[::15]

    for dtype, modality, slope, intercept in KINDS[:3]:
        rendering = Rendering(modality, "float32")
        numbers = values.astype(dtype) if dtype != "u2" else values.view("u2")
        shown = render(numbers, slope, intercept, 40.0, 400.0, rendering=rendering)

        assert shown.tobytes() == without_loop(numbers, slope, intercept, 40.0, 400.0, rendering=rendering).tobytes()


@given(
    center=st.floats(-4000, 4000, width=32),
    width=st.floats(0.0078125, 1e5, width=32),
    slope=st.floats(-100, 100, width=32),
    intercept=st.floats(-1e5, 1e5, width=32),
)
@settings(max_examples=60, deadline=None)
def test_any_numbers_give_equal_bits(center: float, width: float, slope: float, intercept: float) -> None:
    pytest.importorskip("numba")
    values = VALUES.reshape(-1)[::5]
    rendering = Rendering("float32", "float32", "LINEAR_EXACT")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "ENOUGH", 0)
        shown = render(values, slope, intercept, center, width, rendering=rendering)

    assert shown.tobytes() == without_loop(values, slope, intercept, center, width, rendering=rendering).tobytes()


def test_few_pixels_are_shown_without_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_seen", 0)

    assert compiled.window_loops(1000, np.dtype("f4")) is None
    assert compiled._seen == 1000
