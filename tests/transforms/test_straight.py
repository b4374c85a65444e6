"""A straight line from stored values to levels gives the bits that the steps of the standard give, or is not used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xdicom.transforms import chain, display
from xdicom.transforms.chain import Chain, Link
from xdicom.transforms.display import Rendering, render
from xdicom.transforms.lookup import all_values
from xdicom.transforms.straight import Line, Setting, straight_line
from xdicom.transforms.voi import CT_PRESETS, window_edges

EVERY = {name: all_values(np.dtype(name)) for name in ("i2", "u2", "i1", "u1")}


def levels(way: Line | Setting, values: np.ndarray) -> np.ndarray:
    out = np.empty(values.shape, np.uint8)
    way.write(out, values)
    return out


def setting(
    center: float, width: float, stored: str = "int16", intercept: float = -1024.0, output: tuple[float, float] = (0, 255)
) -> Setting:
    edge, span = window_edges(center, width)
    return Setting(stored, "int32", "float64", 1.0, intercept, float(edge), float(span), output)


@pytest.mark.parametrize("name", CT_PRESETS)
@pytest.mark.parametrize("output", [(0, 255), (255, 0)])
def test_common_windows_have_a_line(name: str, output: tuple[float, float]) -> None:
    wanted = setting(CT_PRESETS[name].center, CT_PRESETS[name].width, output=output)

    line = straight_line(wanted)

    assert line is not None
    assert np.array_equal(levels(line, EVERY["i2"]), levels(wanted, EVERY["i2"]))


@pytest.mark.parametrize("width", [12000.0, 20000.0, 50000.0, 65535.0, 65536.0])
@pytest.mark.parametrize("stored", ["int16", "uint16"])
def test_windows_as_wide_as_the_type_have_a_line(stored: str, width: float) -> None:
    wanted = replace(setting(width / 2, width, stored), modality="int32")

    line = straight_line(wanted)

    assert line is not None
    every = EVERY[np.dtype(stored).str[1:]]
    assert np.array_equal(levels(line, every), levels(wanted, every))


@given(
    center=st.one_of(st.floats(-70000, 70000), st.integers(-4000, 4000).map(lambda n: n / 2)),
    width=st.one_of(st.floats(0.01, 1e5), st.integers(2, 8000).map(float)),
    slope=st.one_of(st.just(1.0), st.floats(-50, 50)),
    intercept=st.one_of(st.floats(-1e5, 1e5), st.just(-1024.0)),
    stored=st.sampled_from(list(EVERY)),
    arithmetic=st.sampled_from(["float32", "float64"]),
    output=st.sampled_from([(0, 255), (255, 0)]),
)
@example(center=1.0, width=2.0, slope=-2.2250738585e-313, intercept=0.0, stored="i2", arithmetic="float64", output=(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_line_gives_the_level_of_every_value(
    center: float, width: float, slope: float, intercept: float, stored: str, arithmetic: str, output: tuple[float, float]
) -> None:
    number = np.dtype(arithmetic).type
    edge, span = (float(number(each)) for each in window_edges(center, width, "LINEAR_EXACT"))
    wanted = Setting(np.dtype(stored).name, arithmetic, arithmetic, float(number(slope)), float(number(intercept)), edge, span, output)

    line = straight_line(wanted)

    assert line is None or np.array_equal(levels(line, EVERY[stored]), levels(wanted, EVERY[stored]))


@pytest.mark.parametrize(
    "wanted",
    [
        Setting("uint16", "float64", "float64", 0.0, 5.0, 0.0, 10.0, (0, 255)),
        Setting("uint16", "float64", "float64", 1.0, 1e300, 0.0, 10.0, (0, 255)),
        Setting("uint16", "float64", "float64", 1e300, 0.0, 0.0, 1e-200, (0, 255)),
        Setting("uint16", "float64", "float64", 1.0, 0.0, 0.0, 65535.0 / 7.0 + 1e-9, (0, 255)),
    ],
)
def test_numbers_beyond_single_precision_have_none_or_a_right_one(wanted: Setting) -> None:
    line = straight_line(wanted)

    with np.errstate(all="ignore"):
        assert line is None or np.array_equal(levels(line, EVERY["u2"]), levels(wanted, EVERY["u2"]))


def test_a_line_that_is_off_by_one_level_at_one_value_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = setting(40.0, 400.0, intercept=-1000.0)
    true_write = Setting.write

    def write(self: Setting, out: np.ndarray, values: np.ndarray) -> None:
        true_write(self, out, values)
        out[values == 1040] += 1

    monkeypatch.setattr(Setting, "write", write)

    assert straight_line.__wrapped__(wanted) is None


def test_windows_that_differ_from_frame_to_frame_are_lines_where_frames_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.stack([EVERY["i2"].reshape(256, 256)] * 3)
    centers, widths = np.array([40.0, 40.5, -600.0]).reshape(3, 1, 1), np.array([400.0, 81.0, 20000.0]).reshape(3, 1, 1)
    rendering = Rendering("int32", "float64")
    seen = []
    true_line = display.straight_line
    monkeypatch.setattr(display, "straight_line", lambda each: seen.append(true_line(each) if each.span < 10000 else None) or seen[-1])

    large = render(values, 1.0, -1024.0, centers, widths, rendering=rendering)
    used = [line is not None for line in seen]
    small = [render(values[:, row : row + 1], 1.0, -1024.0, centers, widths, rendering=rendering) for row in range(256)]

    assert used == [True, True, False]
    assert len(seen) == 3
    assert np.array_equal(large, np.concatenate(small, axis=1))


def test_one_window_needs_no_table_of_all_values() -> None:
    values = EVERY["i2"].reshape(256, 256)
    links = Chain((Link(render, (("rendering", Rendering("int32", "float32")),), 4, np.dtype("u1")),))
    made = chain._table.cache_info().misses

    shown = links(values, 1.0, -1024.0, 41.0, 401.0)
    few = np.concatenate([links(row, 1.0, -1024.0, 41.0, 401.0) for row in values])

    assert chain._table.cache_info().misses == made
    assert np.array_equal(shown.reshape(-1), few)


def test_the_byte_order_of_stored_values_does_not_matter() -> None:
    line = straight_line(setting(40.0, 400.0))

    assert line is not None
    assert np.array_equal(levels(line, EVERY["i2"].astype(">i2")), levels(line, EVERY["i2"]))
