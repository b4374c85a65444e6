"""The primitive: one task for each block, each with its own values alone."""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xdicom.lazy.cells import Chunks, from_cells, values_to_dask


class Numbers:
    """Cells that are numbers; a block is asked for by its place."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        self.asked: list[tuple[slice, ...]] = []

    def block(self, place: tuple[slice, ...]) -> np.ndarray:
        self.asked.append(place)
        return self.values[place[: self.values.ndim]]


def spread(numbers: np.ndarray) -> np.ndarray:
    """Each number as a plane of 2 x 3."""
    return np.broadcast_to(numbers[..., None, None], (*numbers.shape, 2, 3)).astype(np.int64)


def lazy(shape: tuple[int, ...], chunks: Chunks, token: str = "token") -> tuple[da.Array, Numbers]:
    cells = Numbers(shape)
    return from_cells(spread, cells, chunks, (2, 3), np.dtype(np.int64), name="planes", token=token), cells


def tasks(array: da.Array) -> dict[object, object]:
    (optimized,) = dask.optimize(array)
    return dict(optimized.__dask_graph__())


def test_blocks_lie_where_their_cells_do() -> None:
    array, cells = lazy((4, 5), ((1, 3), (2, 2, 1)))

    np.testing.assert_array_equal(array.compute(), spread(cells.values))


def test_shape_chunks_and_type_are_known_before_anything_is_made() -> None:
    array, cells = lazy((4, 5), ((1, 3), (2, 2, 1)))

    assert array.chunks == ((1, 3), (2, 2, 1), (2,), (3,))
    assert array.dtype == np.int64
    assert cells.asked == []


def test_there_is_one_task_for_each_block() -> None:
    array, _ = lazy((4, 5), ((1, 3), (2, 2, 1)))

    assert len(tasks(array)) == 6


def test_a_part_of_the_array_asks_for_its_blocks_alone() -> None:
    array, cells = lazy((100,), ((1,) * 100,))

    array[42].compute()

    assert [place[0] for place in cells.asked] == [slice(42, 43)]


def test_names_depend_on_what_the_cells_are_and_how_they_are_cut() -> None:
    first, again = lazy((4,), ((2, 2),))[0], lazy((4,), ((2, 2),))[0]

    assert first.name == again.name
    assert first.name.startswith("planes-")
    assert len({first.name, lazy((4,), ((1, 3),))[0].name, lazy((4,), ((2, 2),), "other")[0].name}) == 3


def test_an_array_without_axes_across_cells_is_one_task() -> None:
    array = from_cells(spread, Numbers(()), (), (2, 3), np.dtype(np.int64), name="plane", token=1)

    assert array.compute().shape == (2, 3)


def test_the_task_of_one_block_pickles_small_whatever_the_size_of_the_array() -> None:
    array, _ = lazy((50_000,), ((1,) * 50_000,))

    (part,) = dask.optimize(array[7])

    assert len(pickle.dumps(dict(part.__dask_graph__()))) < 10_000


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 1, 1), (4, 2, 3), (1, 2, 3)])
def test_values_are_cut_like_the_array_they_belong_to(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    array = da.ones((4, 2, 3), chunks=((1, 3), (2,), (3,)))

    out = array * values_to_dask(values, array.chunks)

    np.testing.assert_array_equal(out.compute(), np.broadcast_to(values, (4, 2, 3)))


def test_values_fuse_with_what_they_are_combined_with() -> None:
    array, _ = lazy((4,), ((1,) * 4,))

    out = da.map_blocks(np.multiply, array, values_to_dask(np.arange(4.0)[:, None, None], array.chunks), dtype=float)

    assert len(tasks(out)) == 4


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_any_part_under_any_chunks_is_that_of_the_whole(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    chunks = tuple(_cut(size, data.draw(st.lists(st.integers(1, 6), min_size=6, max_size=6))) for size in shape)
    key = tuple(data.draw(st.one_of(st.integers(0, size - 1), st.slices(size))) for size in shape)
    array, cells = lazy(shape, chunks)

    np.testing.assert_array_equal(array[key].compute(scheduler="sync"), spread(cells.values)[key])


def _cut(size: int, lengths: list[int]) -> tuple[int, ...]:
    """`size` cut into pieces of at most these lengths."""
    pieces: list[int] = []
    for length in lengths:
        if sum(pieces) < size:
            pieces.append(min(length, size - sum(pieces)))
    return (*pieces, size - sum(pieces)) if sum(pieces) < size else tuple(pieces)
