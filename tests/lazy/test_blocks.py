"""Functions over chosen blocks."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest

from xdicom.lazy.blocks import BATCH, over_blocks, places_of


def test_a_block_comes_with_its_place() -> None:
    array = da.from_array(np.arange(35).reshape(5, 7), chunks=((2, 3), (4, 3)))

    results = over_blocks(lambda block, place: (place, block.tolist()), array, [(1, 0)])

    assert results == [((slice(2, 5), slice(0, 4)), np.arange(35).reshape(5, 7)[2:5, :4].tolist())]


def test_blocks_that_are_not_chosen_are_not_computed() -> None:
    seen: list[int] = []
    array = da.arange(10, chunks=2).map_blocks(lambda block: seen.append(int(block[0])) or block, dtype=int, meta=np.empty(0, int))

    over_blocks(lambda block, place: None, array, [(1,), (4,)])

    assert sorted(seen) == [2, 8]


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_every_block_is_reported(scheduler: str) -> None:
    steps: list[tuple[int, int]] = []

    with dask.config.set(scheduler=scheduler):
        over_blocks(lambda block, place: None, da.zeros(6, chunks=2), [(0,), (1,), (2,)], lambda *step: steps.append(step))

    assert set(steps) == {(1, 3), (2, 3), (3, 3)}


def test_many_blocks_are_done_in_batches_and_in_order() -> None:
    array = da.arange(BATCH + 3, chunks=1)

    results = over_blocks(lambda block, place: int(block[0]), array, [(i,) for i in range(BATCH + 3)])

    assert results == list(range(BATCH + 3))


def test_places_are_those_of_all_blocks_in_order() -> None:
    assert places_of(da.zeros((3, 2), chunks=(2, 2))) == [(slice(0, 2), slice(0, 2)), (slice(2, 3), slice(0, 2))]


def test_an_array_without_dimensions_has_one_block() -> None:
    assert places_of(da.zeros((), chunks=())) == [()]
    assert over_blocks(lambda block, place: (float(block), place), da.ones((), chunks=()), [()]) == [(1.0, ())]
