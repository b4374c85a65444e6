"""Frames as a dask array: lazy equals eager, one task a chunk, and no byte more than the frames that are asked for."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import make_ct, make_file, make_seg, phantom, phantoms, uid
from doubles import counted_reads
from index.arranged import only_grid
from index.test_tiles import mosaic
from lazy.imagined import decode_block, frame_grid, imagined
from xdicom.lazy import frames as lazy_frames
from xdicom.lazy.frames import GridCells, frames_to_dask


def tasks(array: da.Array) -> dict[object, object]:
    (optimized,) = dask.optimize(array)
    return dict(optimized.__dask_graph__())


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose answer is known."""
    monkeypatch.setattr(lazy_frames, "read_block", decode_block)


SYNTAXES = ["native", "implicit", "big_endian", "deflated", "rle", "jpegls", "jpeg_lossless", "j2k", "htj2k", "jpegxl", "deflated_frame"]


@pytest.mark.parametrize("chunks", [None, 1, 3, -1, "auto", {"frame": 2}, {"frame": (1, 3, 1)}])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_lazy_values_are_the_values_of_the_file(tmp_path: Path, syntax: str, chunks: Any) -> None:
    values = phantoms(5, 16, 12, np.uint16, bits_stored=12)
    make_file(tmp_path / "a.dcm", {}, values, syntax, bits_stored=12)

    array = frames_to_dask(frame_grid(tmp_path), chunks)

    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array.compute(), values)


@pytest.mark.parametrize(
    ("dtype", "elements"),
    [
        ("u1", {}),
        ("i1", {}),
        ("i2", {}),
        ("u4", {}),
        ("i4", {}),
        ("f4", {}),
        ("f8", {}),
        ("?", {}),
        ("u1", {"PhotometricInterpretation": "RGB"}),
    ],
)
@pytest.mark.parametrize("syntax", ["native", "big_endian"])
def test_type_and_shape_are_known_before_and_equal_to_what_compute_gives(
    tmp_path: Path, dtype: str, elements: dict[str, Any], syntax: str
) -> None:
    values = phantoms(3, 5, 7, dtype, samples=3 if elements else 1)
    make_file(tmp_path / "a.dcm", elements, values, syntax)

    array = frames_to_dask(frame_grid(tmp_path))

    out = array.compute()
    assert (array.dtype, array.shape) == (out.dtype, out.shape)
    assert array.dtype.isnative
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("table", ["basic", "extended", "none", [0, 5, 9]])
@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("has_delimiter", [True, False])
def test_frames_of_any_encapsulation_come_out_right(tmp_path: Path, table: Any, fragments: int, has_delimiter: bool) -> None:
    values = phantoms(3, 32, 32, np.uint16)
    make_file(tmp_path / "a.dcm", {}, values, "jpegls", fragments_per_frame=fragments, table=table, has_delimiter=has_delimiter)

    np.testing.assert_array_equal(frames_to_dask(frame_grid(tmp_path)).compute(), values)


def test_planes_are_where_the_grid_puts_them(tmp_path: Path) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0])

    array = frames_to_dask(only_grid(tmp_path)).compute()

    np.testing.assert_array_equal(array, np.stack([phantom(1), phantom(2), phantom(0)]))


def test_files_of_several_syntaxes_make_one_array(tmp_path: Path) -> None:
    for i, syntax in enumerate(["native", "rle", "big_endian", "jpegls", "deflated"]):
        make_ct(
            tmp_path / syntax, [float(i)], transfer_syntax=syntax, series_uid=uid("one"), varying={"SOPInstanceUID": [uid(syntax)]},
            values=lambda _, i=i: phantom(i, dtype=np.uint16), dtype=np.uint16,
        )  # fmt: skip

    array = frames_to_dask(only_grid(tmp_path), {"z": 5})

    np.testing.assert_array_equal(array.compute(), phantoms(5, dtype=np.uint16))


@pytest.mark.usefixtures("known")
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_part_under_any_chunks_is_that_of_the_eager_array(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    grid = imagined(int(np.prod(shape)), shape, rows=3, columns=4)
    chunks = {f"a{i}": data.draw(st.integers(1, size)) for i, size in enumerate(shape)}
    key = tuple(data.draw(st.one_of(st.integers(0, size - 1), st.slices(size))) for size in (*shape, 3, 4))

    part = frames_to_dask(grid, chunks)[key]

    eager = phantoms(grid.rows.size, 3, 4, np.uint16).reshape(*shape, 3, 4)
    np.testing.assert_array_equal(part.compute(scheduler="sync"), eager[key])


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_part_of_a_real_file_is_that_of_its_pixels(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(["native", "rle", "jpegls", "big_endian"]))
    values = phantoms(6, 8, 9, np.int16)
    path = make_file(tmp_path_factory.mktemp("part") / "a.dcm", {}, values, syntax)
    chunks = data.draw(st.integers(1, 6))
    key = tuple(data.draw(st.one_of(st.integers(0, size - 1), st.slices(size))) for size in values.shape)

    part = frames_to_dask(frame_grid(path), chunks)[key]

    np.testing.assert_array_equal(part.compute(scheduler="sync"), values[key])


@pytest.mark.parametrize("scheduler", ["sync", "threads", "processes"])
def test_any_scheduler_gives_the_same(tmp_path: Path, scheduler: str) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0], transfer_syntax="jpegls")

    np.testing.assert_array_equal(frames_to_dask(only_grid(tmp_path)).compute(scheduler=scheduler), phantoms(3))


def test_an_array_pickles_and_computes_in_another_process(tmp_path: Path) -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    make_ct(tmp_path, [0.0, 1.0, 2.0])
    array = frames_to_dask(only_grid(tmp_path))

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        out = pool.submit(_compute, pickle.dumps(array)).result()

    np.testing.assert_array_equal(out, phantoms(3))


def _compute(pickled: bytes) -> np.ndarray:
    return np.asarray(pickle.loads(pickled).compute(scheduler="sync"))


# --- tasks -----------------------------------------------------------------------------------------------------------------


def add_one(block: np.ndarray) -> np.ndarray:
    return block + 1


@pytest.mark.parametrize(("chunks", "count"), [(None, 24), ({"a1": 6}, 4), ({"a0": 2, "a1": 3}, 4), (-1, 1), (3, 4)])
def test_there_is_one_task_for_each_chunk_of_frames(chunks: Any, count: int) -> None:
    assert len(tasks(frames_to_dask(imagined(24, (4, 6)), chunks))) == count


def test_what_is_done_with_a_chunk_is_part_of_its_one_task() -> None:
    array = frames_to_dask(imagined(20), {"a0": 5})

    out = da.map_blocks(add_one, da.map_blocks(add_one, array, dtype=array.dtype), dtype=array.dtype) * 2

    assert len(tasks(out)) == 4


def test_one_frame_of_very_many_is_one_task_that_pickles_small() -> None:
    array = frames_to_dask(imagined(20_000))

    (part,) = dask.optimize(da.map_blocks(add_one, array, dtype=array.dtype)[12_345])

    # The frame's task and the slice of its first axis.
    graph = dict(part.__dask_graph__())
    assert len(graph) <= 2
    assert len(pickle.dumps(graph)) < 10_000


def test_a_task_of_many_frames_carries_its_own_frames_alone() -> None:
    cells = GridCells(imagined(20_000))

    block = cells.block((slice(100, 116), slice(0, 8), slice(0, 6)))

    assert len(block.refs) == 16
    assert len(pickle.dumps(block)) < 4000


def test_a_graph_of_twenty_thousand_frames_holds_no_object_for_each() -> None:
    grid = imagined(20_000)
    frames_to_dask(grid)

    tracemalloc.start()
    array = frames_to_dask(grid)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert array.numblocks[0] == 20_000
    assert peak < 20_000 * 200  # bytes: the chunks and numbers that dask itself keeps


def test_names_depend_on_frames_and_places(tmp_path: Path) -> None:
    first, second = imagined(4), imagined(4, (2, 2))
    names = {frames_to_dask(grid).name for grid in (first, second, imagined(5))}

    assert len(names) == 3
    assert frames_to_dask(first).name == frames_to_dask(imagined(4)).name


def test_the_name_changes_with_the_file(tmp_path: Path) -> None:
    import os

    (path,) = make_ct(tmp_path, [0.0])
    before = frames_to_dask(only_grid(tmp_path)).name
    os.utime(path, ns=(1, 1))

    assert frames_to_dask(only_grid(tmp_path)).name != before


def test_no_secret_of_a_source_is_in_names_or_repr() -> None:
    grid = imagined(2)

    array = frames_to_dask(grid)

    assert "nowhere" not in array.name
    assert "nowhere" not in repr(array)


# --- bytes -----------------------------------------------------------------------------------------------------------------


def test_making_the_array_reads_nothing(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0])
    grid = only_grid(tmp_path)

    with counted_reads(tmp_path) as reads:
        frames_to_dask(grid)

    assert reads.opened == []


@pytest.mark.parametrize("syntax", ["native", "rle"])
def test_a_frame_reads_its_own_bytes_and_no_others(tmp_path: Path, syntax: str) -> None:
    path = make_file(tmp_path / "a.dcm", {}, phantoms(10, 64, 64, np.uint16), syntax)
    grid = frame_grid(path)
    array = frames_to_dask(grid)

    with counted_reads(tmp_path) as reads:
        array[4].compute()

    assert reads.of(path) == [(int(grid.frames.offset[4]), int(grid.frames.length[4]))]


def test_native_frames_that_follow_each_other_are_one_read(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.dcm", {}, phantoms(10, 16, 16, np.uint16))
    grid = frame_grid(path)

    with counted_reads(tmp_path) as reads:
        frames_to_dask(grid, 5).compute(scheduler="sync")

    assert [length for _, length in reads.of(path)] == [5 * 512, 5 * 512]


def test_every_file_is_closed_again(tmp_path: Path) -> None:
    make_ct(tmp_path, [float(i) for i in range(6)])
    grid = only_grid(tmp_path)

    with counted_reads(tmp_path) as reads:
        frames_to_dask(grid, {"z": 3}).compute()

    assert len(reads.opened) == 6
    assert reads.left_open == 0


# --- places without frames, tiles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [None, -1, {"segment": 2}])
def test_cells_without_a_frame_are_zero(tmp_path: Path, chunks: Any) -> None:
    make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (1, 2.5), (2, 2.5)))

    array = frames_to_dask(only_grid(tmp_path), chunks).compute()

    expected = np.stack([phantom(0, dtype=bool), phantom(1, dtype=bool), np.zeros((8, 6), bool), phantom(2, dtype=bool)])
    np.testing.assert_array_equal(array, expected.reshape(2, 2, 8, 6))


def test_a_block_without_any_frame_reads_nothing(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (2, 2.5)))
    array = frames_to_dask(only_grid(tmp_path))

    with counted_reads(tmp_path) as reads:
        out = array[0, 1].compute()

    assert not out.any()
    assert reads.opened == []


@pytest.mark.parametrize("chunks", [None, {"z": 2}, {"z": 1, "time": 2}, -1])
def test_tiles_are_cut_out_of_their_mosaic(tmp_path: Path, chunks: Any) -> None:
    for number in range(2):
        mosaic(tmp_path / f"{number}.dcm", 5, number=number)

    array = frames_to_dask(only_grid(tmp_path), chunks).compute()

    assert array.shape == (2, 5, 4, 6)
    np.testing.assert_array_equal(
        array, np.broadcast_to(np.array([[k + 100 * n for k in range(5)] for n in range(2)])[..., None, None], array.shape)
    )


def test_a_mosaic_is_one_task_unless_asked(tmp_path: Path) -> None:
    for number in range(3):
        mosaic(tmp_path / f"{number}.dcm", 5, number=number)

    assert frames_to_dask(only_grid(tmp_path)).chunks[:2] == ((1, 1, 1), (5,))


def test_a_mosaic_is_read_once_for_all_its_tiles(tmp_path: Path) -> None:
    path = mosaic(tmp_path / "a.dcm", 5)
    grid = only_grid(tmp_path)

    with counted_reads(tmp_path) as reads:
        frames_to_dask(grid).compute()

    assert len(reads.of(path)) == 1


# --- what chunks may be ----------------------------------------------------------------------------------------------------


def test_chunks_by_dimension_are_frames_in_one_task() -> None:
    array = frames_to_dask(imagined(40, (4, 10)), {"a1": 4})

    assert array.chunks[:2] == ((1,) * 4, (4, 4, 2))


def test_automatic_chunks_are_as_large_as_dask_is_told(tmp_path: Path) -> None:
    with dask.config.set({"array.chunk-size": "1kB"}):
        array = frames_to_dask(imagined(40), "auto")

    assert max(array.chunks[0]) == 10  # frames of 96 bytes


@pytest.mark.parametrize("chunks", [{"z": 4}, {"a0": 2, "nothing": 1}])
def test_an_unknown_dimension_is_refused_with_those_there_are(chunks: Any) -> None:
    with pytest.raises(ValueError, match="the dimensions are a0, y, x"):
        frames_to_dask(imagined(4), chunks)


def test_dividing_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match=r"divides y, but a frame is decoded as a whole"):
        frames_to_dask(imagined(4), {"y": 2})


@pytest.mark.parametrize("whole", [-1, 8, (8,), None, "auto"])
def test_the_whole_of_a_frame_may_be_named(whole: Any) -> None:
    assert frames_to_dask(imagined(4), {"y": whole, "a0": 2}).chunks == ((2, 2), (8,), (6,))


def test_chunks_that_are_nothing_of_that_are_refused() -> None:
    with pytest.raises(ValueError, match="must be a mapping"):
        frames_to_dask(imagined(4), 1.5)  # type: ignore[arg-type]
