"""Frames chosen by numbers, slices and lists: those of the array, each read once."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_cine, make_ct, make_enhanced_mr, phantoms
from doubles import counted_reads
from index.arranged import catalog_of, only_grid
from lazy.imagined import decode_block, frame_grid, imagined
from xdicom.lazy.frames import GridCells, frames_to_dask, read_block
from xdicom.model.columns import Column


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_frames_selected_in_any_way_are_those_of_the_array(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    cells = GridCells(imagined(int(np.prod(shape)), shape, rows=2, columns=2))
    eager = phantoms(int(np.prod(shape)), 2, 2, np.uint16).reshape(*shape, 2, 2)
    kinds: list[Callable[[int], Any]] = [
        lambda size: data.draw(st.integers(0, size - 1)),
        lambda size: data.draw(st.slices(size)),
        lambda size: np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=4))),
    ]
    key = tuple(data.draw(st.sampled_from(kinds))(size) for size in shape)

    block = cells.select(key)

    expected = eager
    for axis in reversed(range(len(key))):
        expected = expected[(slice(None),) * axis + (key[axis],)]
    assert block.shape == expected.shape
    if block.cell.size:
        np.testing.assert_array_equal(decode_block(block), expected)


def test_a_frame_asked_for_twice_is_read_once(tmp_path: Path) -> None:
    path = make_cine(tmp_path / "a.dcm", 4, photometric="MONOCHROME2")
    cells = GridCells(frame_grid(path))

    with counted_reads(tmp_path) as reads:
        out = read_block(cells.select((np.array([2, 0, 2]),)))

    np.testing.assert_array_equal(out, phantoms(4, dtype=np.uint8)[[2, 0, 2]])
    assert sum(length for _, length in reads.of(path)) == 2 * 48


def test_frames_of_a_large_enhanced_object_keep_their_order(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "a.dcm", (1.0, 2.0), (0.0, 2.0, 4.0), order=[5, 0, 3, 1, 4, 2])

    array = frames_to_dask(only_grid(tmp_path), {"z": 3}).compute()

    np.testing.assert_array_equal(array.reshape(6, 8, 6), phantoms(6, dtype=np.uint16))


def test_columns_are_no_part_of_what_workers_are_given(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0], SeriesDescription="not for workers")
    grid = only_grid(tmp_path)

    pickled = pickle.dumps(GridCells(grid).block((slice(0, 1),)))

    assert b"not for workers" not in pickled
    assert isinstance(grid.column("sop_instance_uid"), Column)
    assert catalog_of(tmp_path).frames.refs().urls
