"""Transforms in a chain give the bits that they give one after the other, in no more memory than input and output."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xdicom.transforms.chain import FEW, Chain, Link
from xdicom.transforms.color import to_rgb
from xdicom.transforms.display import Rendering, render, render_supplemental
from xdicom.transforms.lookup import LookupTable, all_values
from xdicom.transforms.modality import rescale
from xdicom.transforms.padding import is_padding, mask_padding
from xdicom.transforms.palette import Palette, apply_palette
from xdicom.transforms.presentation import Output
from xdicom.transforms.real_world import map_linear
from xdicom.transforms.well_known_palettes import well_known_palette

F4, U1 = np.dtype("f4"), np.dtype("u1")
RAMP = LookupTable(0, np.random.default_rng(3).permutation(4096).astype(np.uint16), 12)


def link(function: Callable[..., np.ndarray], count: int, kind: np.dtype[Any], axis: int | None = None, **options: object) -> Link:
    return Link(function, tuple(sorted(options.items())), count, kind, axis, is_pointwise=function is not to_rgb)


MASKED = link(mask_padding, 0, F4, padding_value=-2000, dtype=F4)
RESCALED = link(rescale, 2, F4, dtype=F4)
SHOWN = link(render, 4, U1, rendering=Rendering("float32", "float32"))
SHOWN_BY_TABLE = link(render, 4, np.dtype("u2"), rendering=Rendering("float32", voi_table=RAMP, output=Output("uint16")))
COLORED = link(apply_palette, 0, U1, 3, palette=well_known_palette("HOT_IRON"))
CHAINS: dict[str, tuple[tuple[Link, ...], tuple[float, ...]]] = {
    "rescale": ((RESCALED,), (0.5, -7.25)),
    "padding, rescale": ((MASKED, RESCALED), (0.5, -7.25)),
    "padding, rescale, window": ((MASKED, RESCALED, SHOWN), (0.5, -7.25, 1.0, 0.0, 40.0, 400.0)),
    "padding, rescale, VOI LUT": ((MASKED, RESCALED, SHOWN_BY_TABLE), (0.5, -7.25, 1.0, 0.0, 0.0, 1.0)),
    "rescale twice": ((RESCALED, RESCALED), (0.37, 1.0, 3.3, 0.0)),
    "window, palette": ((SHOWN, COLORED), (0.3, -100.0, 40.0, 400.0)),
    "padding, rescale, window, palette": ((MASKED, RESCALED, SHOWN, COLORED), (0.5, -7.25, 1.0, 0.0, 40.0, 400.0)),
    "palette": ((COLORED,), ()),
    "palette, color": ((COLORED, link(to_rgb, 0, U1, photometric_interpretation="YBR_FULL")), ()),
}


def one_after_the_other(links: tuple[Link, ...], values: np.ndarray, parameters: tuple[Any, ...]) -> np.ndarray:
    for each in links:
        values = each(values, *parameters[: each.parameters])
        parameters = parameters[each.parameters :]
    return values


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">i2", "i4"])
def test_every_value_of_every_type_takes_the_same_way(name: str, dtype: str) -> None:
    links, parameters = CHAINS[name]
    values = all_values(np.dtype("i2")).astype(dtype).reshape(2, 128, 256)

    out = Chain(links)(values, *parameters)

    expected = one_after_the_other(links, values, parameters)
    assert (out.dtype, out.shape) == (expected.dtype, expected.shape)
    assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", CHAINS)
def test_parameters_that_vary_belong_to_their_frames(name: str) -> None:
    links, numbers = CHAINS[name]
    values = np.random.default_rng(5).integers(-3000, 3000, (3, 150, 200)).astype(np.int16)
    varied = tuple(np.array([number, number + 0.5, number + 3]).reshape(3, 1, 1) for number in numbers)

    out = Chain(links)(values, *varied)

    for i in range(3):
        assert out[i].tobytes() == Chain(links)(values[i], *(float(number[i, 0, 0]) for number in varied)).tobytes()


@pytest.mark.parametrize("shape", [(), (0, 5), (3,), (FEW,), (FEW + 1,), (70_000,)])
def test_few_values_and_many_take_the_same_way(shape: tuple[int, ...]) -> None:
    links, parameters = CHAINS["padding, rescale, window"]
    values = np.resize(np.arange(-3000, 3000, 7, dtype=np.int16), shape)

    out = Chain(links)(values, *parameters)

    assert isinstance(out, np.ndarray)
    assert out.shape == shape
    assert np.array_equal(out.reshape(-1), one_after_the_other(links, values.reshape(-1), parameters))


def test_colors_are_not_looked_up_sample_by_sample() -> None:
    samples = np.random.default_rng(6).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    chain = Chain((link(to_rgb, 0, U1, photometric_interpretation="YBR_FULL"),))

    assert np.array_equal(chain(samples), to_rgb(samples, "YBR_FULL"))


def test_a_chain_is_a_key_and_survives_pickling() -> None:
    links, parameters = CHAINS["padding, rescale, window, palette"]
    chain = pickle.loads(pickle.dumps(Chain(links)))

    assert chain == Chain(links)
    assert hash(chain) == hash(Chain(links))
    assert np.array_equal(chain(np.arange(5, dtype=np.int16), *parameters), Chain(links)(np.arange(5, dtype=np.int16), *parameters))


def test_parameters_behind_a_new_axis_are_refused() -> None:
    with pytest.raises(ValueError, match="have one more"):
        Chain((COLORED,)).then(RESCALED)


SUPPLEMENTAL = Palette(*(LookupTable(0, np.arange(256, dtype=np.uint8), 8) for _ in range(3)), is_supplemental=True)
NUMBERS = (0.5, 1.0, 40.0, 400.0)
COLORED_ABOVE = link(render_supplemental, 4, U1, 3, rendering=Rendering("float32", "float32"), palette=SUPPLEMENTAL)
LEAN: dict[str, tuple[tuple[Link, ...], tuple[float, ...]]] = {
    **CHAINS,
    "padding mask": ((link(is_padding, 0, np.dtype(bool), padding_value=-100, range_limit=100),), ()),
    "real world values": ((link(map_linear, 4, F4, dtype=F4),), (0.5, 1.0, -1000.0, 1000.0)),
    "supplemental palette": (
        (link(render_supplemental, 4, U1, 3, rendering=Rendering("float32", "float32"), palette=SUPPLEMENTAL),),
        NUMBERS,
    ),
}


@pytest.mark.parametrize("is_varied", [False, True], ids=["one parameter", "a parameter per frame"])
@pytest.mark.parametrize("name", LEAN)
def test_memory_is_that_of_input_and_output(name: str, is_varied: bool) -> None:
    links, numbers = LEAN[name]
    values = np.random.default_rng(0).integers(-1000, 3000, (16, 512, 512)).astype(np.int16)
    parameters = [np.full((16, 1, 1), number) for number in numbers] if is_varied else numbers
    chain = Chain(links)
    chain(values[:1], *(number[:1] if isinstance(number, np.ndarray) else number for number in parameters))
    peaks = []
    for _ in range(3):  # what other threads ask for meanwhile is counted too
        tracemalloc.start()
        try:
            out = chain(values, *parameters)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()

    assert min(peaks) + values.nbytes < 1.1 * (values.nbytes + out.nbytes)
