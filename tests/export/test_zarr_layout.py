"""How arrays are cut into chunks and shards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdicom.export.zarr_layout import MAX_CHUNK_BYTES, MAX_SHARD_BYTES, chunk_shape, shard_shape

INT16 = np.dtype(np.int16)
ZYX = ("z", "y", "x")


def test_a_frame_is_a_chunk_and_64_are_a_shard() -> None:
    chunk = chunk_shape(ZYX, (1000, 512, 512), INT16)

    assert chunk == (1, 512, 512)
    assert shard_shape(ZYX, (1000, 512, 512), INT16, chunk) == (64, 512, 512)


def test_an_array_of_few_frames_is_one_shard() -> None:
    assert shard_shape(ZYX, (24, 160, 192), INT16, (1, 160, 192)) == (24, 160, 192)


def test_a_single_frame_has_no_shard() -> None:
    assert shard_shape(("y", "x"), (64, 80), INT16, (64, 80)) is None


def test_shards_reach_over_the_next_dimension_where_one_has_few_frames() -> None:
    dims, shape = ("time", "echo", "z", "y", "x"), (100, 3, 8, 64, 64)

    assert shard_shape(dims, shape, INT16, (1, 1, 1, 64, 64)) == (2, 3, 8, 64, 64)


def test_colour_samples_stay_in_their_chunk() -> None:
    assert chunk_shape(("time", "y", "x", "sample"), (12, 96, 128, 3), np.dtype(np.uint8)) == (1, 96, 128, 3)


def test_large_frames_make_shards_of_fewer() -> None:
    shard = shard_shape(ZYX, (100, 4096, 3328), INT16, (1, 4096, 3328))

    assert shard == (9, 4096, 3328)


def test_a_frame_beyond_the_limit_is_cut() -> None:
    chunk = chunk_shape(("y", "x", "sample"), (40_000, 60_000, 3), np.dtype(np.uint8))

    assert np.prod(chunk) <= MAX_CHUNK_BYTES
    assert chunk[2] == 3


def test_the_volume_layout_has_blocks_for_cuts_across_the_slices() -> None:
    chunk = chunk_shape(("time", *ZYX), (3, 200, 512, 512), INT16, layout="volume")

    assert chunk == (1, 32, 128, 128)
    assert shard_shape(("time", *ZYX), (3, 200, 512, 512), INT16, chunk, layout="volume") == (1, 64, 512, 512)


def test_chunks_that_are_named_replace_those_of_the_layout() -> None:
    assert chunk_shape(ZYX, (100, 512, 512), INT16, {"z": 16, "y": -1, "x": 100}) == (16, 512, 100)


def test_shards_that_are_named_hold_whole_chunks() -> None:
    assert shard_shape(ZYX, (100, 512, 512), INT16, (8, 512, 512), {"z": 32}) == (32, 512, 512)
    with pytest.raises(ValueError, match="z 20 / 8"):
        shard_shape(ZYX, (100, 512, 512), INT16, (8, 512, 512), {"z": 20})


@pytest.mark.parametrize(("chunks", "message"), [({"t": 1}, "names 't'"), ({"z": 0}, "z: 0"), (7, "mapping")])
def test_chunks_that_mean_nothing_are_refused(chunks: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chunk_shape(ZYX, (100, 512, 512), INT16, chunks)


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 3000), st.integers(1, 9000), st.integers(1, 9000)),
    layout=st.sampled_from(["frames", "volume"]),
    dtype=st.sampled_from(["u1", "i2", "f8"]),
)
def test_shards_are_whole_chunks_and_no_larger_than_a_task_can_hold(shape: tuple[int, ...], layout: str, dtype: str) -> None:
    dims = ("time", *ZYX)
    chunk = chunk_shape(dims, shape, np.dtype(dtype), layout=layout)
    shard = shard_shape(dims, shape, np.dtype(dtype), chunk, layout=layout) or chunk

    assert all(whole % part == 0 for whole, part in zip(shard, chunk, strict=True))
    assert np.prod(shard) * np.dtype(dtype).itemsize <= MAX_SHARD_BYTES
