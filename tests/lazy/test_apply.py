"""A numpy function over blocks: one result for any chunking, one task per chunk."""

from __future__ import annotations

import gc
import pickle
import tracemalloc
from functools import partial

import dask
import dask.array as da
import numpy as np
import pytest
from dask.highlevelgraph import HighLevelGraph
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.lazy.apply import _steps, apply, apply_together, step_behind
from xdicom.transforms.blending import DataPath, EnhancedPalette, Weight, blend
from xdicom.transforms.display import Rendering, render
from xdicom.transforms.modality import rescale
from xdicom.transforms.palette import apply_palette
from xdicom.transforms.well_known_palettes import well_known_palette

F4 = np.dtype("f4")
SINGLE = partial(rescale, dtype=F4)


def frame(block_id: tuple[int, ...] = (0,)) -> np.ndarray:
    return np.full((1, 4, 5), block_id[0], np.int16)


def decoded(frames: int) -> da.Array:
    """Frames as they come from a decoder: one task each."""
    return da.map_blocks(frame, chunks=((1,) * frames, (4,), (5,)), dtype=np.int16, meta=np.empty((0, 0, 0), np.int16))


def tasks(array: da.Array) -> int:
    (optimized,) = dask.optimize(array)
    graph = optimized.__dask_graph__()
    return len(graph.to_dict() if isinstance(graph, HighLevelGraph) else dict(graph))


def slopes(frames: int) -> np.ndarray:
    return np.linspace(0.5, 2, frames)[:, None, None]


def test_numpy_arrays_are_worked_on_at_once() -> None:
    values = np.arange(40, dtype=np.int16).reshape(2, 4, 5)

    out = apply(SINGLE, values, slopes(2), 1.0, dtype=F4)

    assert isinstance(out, np.ndarray)
    assert np.array_equal(out, rescale(values, slopes(2), 1.0, dtype=F4))


def test_decode_modality_and_display_are_one_task_per_frame() -> None:
    frames = 12
    modality = apply(SINGLE, decoded(frames), slopes(frames), slopes(frames) - 1, dtype=F4)
    centers, widths = np.full((frames, 1, 1), 4.0), np.full((frames, 1, 1), 8.0)
    display = apply(partial(render, rendering=Rendering("float32", "float32")), modality, 1.0, 0.0, centers, widths, dtype=np.dtype("u1"))

    assert tasks(display) == frames


def test_a_new_axis_is_one_task_per_frame_too() -> None:
    rgb = apply(partial(apply_palette, palette=well_known_palette("PET")), decoded(7), dtype=np.dtype("u1"), new_axis=3)

    assert rgb.shape == (7, 4, 5, 3)
    assert rgb.chunks[-1] == (3,)
    assert tasks(rgb) == 7
    assert rgb[5].compute()[0, 0].tolist() == well_known_palette("PET").colors()[5].tolist()


def test_a_slice_runs_only_its_own_frames() -> None:
    display = apply(SINGLE, decoded(100), slopes(100), 0.0, dtype=F4)

    assert tasks(display[40:43]) <= 6
    assert np.array_equal(display[40].compute(), np.full((4, 5), np.float32(slopes(100)[40, 0, 0]) * np.float32(40)))


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_chunking_leads_to_equal_bits(data: st.DataObject) -> None:
    shape = (6, 5, 7)
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) * 31 - 3000
    chunks = tuple(data.draw(st.integers(1, n)) for n in shape)
    axes = data.draw(st.sampled_from([(6, 1, 1), (1, 1, 1)]))
    slope = np.linspace(-1, 3, int(np.prod(axes))).reshape(axes)

    lazy = apply(SINGLE, da.from_array(values, chunks=chunks), slope, -7.5, dtype=F4)

    assert lazy.compute(scheduler="sync").tobytes() == rescale(values, slope, -7.5, dtype=F4).tobytes()


def test_parameters_of_two_axes_are_cut_along_both() -> None:
    values = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    slope = np.arange(6.0).reshape(2, 3, 1, 1)

    lazy = apply(SINGLE, da.from_array(values, chunks=(1, 2, 4, 2)), slope, 0.0, dtype=F4)

    assert np.array_equal(lazy.compute(), values * slope)


def test_the_lazy_array_pickles_and_computes_elsewhere() -> None:
    lazy = apply(SINGLE, decoded(3), slopes(3), 0.0, dtype=F4)

    assert np.array_equal(pickle.loads(pickle.dumps(lazy)).compute(), lazy.compute())


def test_equal_inputs_have_equal_names() -> None:
    first, second = (apply(SINGLE, decoded(3), slopes(3), 0.0, dtype=F4) for _ in range(2))

    assert first.name == second.name
    assert first.name != apply(SINGLE, decoded(3), slopes(3), 1.0, dtype=F4).name


def test_promised_type_and_shape_are_kept() -> None:
    lazy = apply(SINGLE, decoded(3), slopes(3), 0.0, dtype=F4)
    computed = lazy.compute()

    assert (lazy.dtype, lazy.shape) == (computed.dtype, computed.shape)
    assert lazy._meta.dtype == F4


@pytest.mark.parametrize("shape", [(3,), (2, 1, 1), (3, 4, 4)])
def test_a_parameter_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"does not belong to an array of shape \(3, 4, 5\)"):
        apply(SINGLE, decoded(3), np.ones(shape), 0.0, dtype=F4)


def test_the_step_behind_an_array_is_known_as_long_as_it_is_that_array() -> None:
    values = decoded(3)

    out = apply(SINGLE, values, 2.0, 1.0, dtype=F4)

    step = step_behind(out)
    assert step is not None
    assert ([link.function for link in step.chain.links], step.array, step.parameters) == ([rescale], values, (2.0, 1.0))
    assert step_behind(out[:2]) is None
    assert step_behind(out.persist()) is None
    assert step_behind(values) is None
    assert step_behind(np.zeros(3)) is None


def test_steps_are_forgotten_with_their_arrays() -> None:
    gc.collect()  # of arrays of other tests
    before = len(_steps)

    apply(SINGLE, decoded(3), 2.0, 1.0, dtype=F4)
    gc.collect()

    assert len(_steps) == before


def test_arrays_that_belong_together_are_one_task_for_each_place() -> None:
    paths = EnhancedPalette(16, (DataPath((8,)), DataPath((8,))), (Weight("CONSTANT", 0.5), Weight("ONE_MINUS")))
    function = partial(blend, palette=paths)
    one, two = np.random.default_rng(0).integers(0, 65536, (2, 6, 4, 4)).astype(np.uint16)
    expected = function(one, two)

    halves = [da.from_array(one, chunks=(4, 4, 4)), da.from_array(two, chunks=(3, 2, 4))]

    together = apply_together(function, [da.from_array(one, chunks=(2, 4, 4)), two], dtype=paths.dtype, new_axis=3)
    uneven = apply_together(function, halves, dtype=paths.dtype, new_axis=3)

    assert together.numblocks == (3, 1, 1, 1)
    assert np.array_equal(together.compute(), expected)
    assert np.array_equal(pickle.loads(pickle.dumps(uneven)).compute(), expected)
    assert apply_together(function, [one, two], dtype=paths.dtype, new_axis=3).tobytes() == expected.tobytes()
    assert together._meta.dtype == expected.dtype


def test_a_task_takes_the_memory_of_its_input_and_output() -> None:
    values = np.zeros((8, 512, 512), np.int16)
    out = apply(partial(rescale, dtype=F4), da.from_array(values, chunks=values.shape), 0.5, 1.0, dtype=F4)
    (key,) = dask.core.flatten(out.__dask_keys__())
    dask.get(out.__dask_graph__(), key)

    tracemalloc.start()
    block = dask.get(out.__dask_graph__(), key)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak + values.nbytes < 1.1 * (values.nbytes + block.nbytes)
