"""A slide of 200,000 tiles: what opening it takes, and what a region of it reads."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import xdicom
from builders.slides import make_vast_slide, picture_stream
from doubles import counted_reads
from xdicom.pixels.decode import decode_frame
from xdicom.sources.locate import locate

ACROSS, TILE = (400, 500), 256
FILLED = (slice(100, 106), slice(200, 206))
"""Tiles that are there; the others are holes of the file, as long as true ones."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stream() -> bytes:
    return picture_stream(TILE)


@pytest.fixture(scope="module", params=["full", "sparse"])
def slide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, stream: bytes) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "a.dcm"
    return make_vast_slide(path, ACROSS, stream, is_sparse=request.param == "sparse", filled=FILLED)


def test_opening_takes_no_more_memory_than_its_header_and_tables_twice_and_a_little(slide: Path) -> None:
    xdicom.open_slide(slide)
    tracemalloc.start()

    opened = xdicom.open_slide(slide)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened["level_0"]["stored_values"].attrs["tiles"] == 200_000
    assert peak < (100_000_000 if "sparse" in slide.parent.name else 50_000_000)


def test_opening_reads_the_header_and_the_offset_tables_and_no_tile(slide: Path) -> None:
    with counted_reads(slide.parent) as reads:
        xdicom.open_slide(slide)

    (source,) = locate(slide)
    assert reads.bytes < source.size / 20


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_region_reads_its_tiles_and_no_others(slide: Path, stream: bytes, is_direct: bool) -> None:
    level = xdicom.open_slide(slide)["level_0"]["stored_values"]
    y, x = slice(101 * TILE + 7, 105 * TILE - 9), slice(201 * TILE, 203 * TILE)

    with counted_reads(slide.parent) as reads:
        read = level.dicom.read_region(y=y, x=x) if is_direct else level.isel(y=y, x=x).compute(scheduler="synchronous")

    span = 8 + len(stream) + len(stream) % 2
    assert reads.bytes == 4 * 2 * span
    item = b"\xfe\xff\x00\xe0" + len(stream).to_bytes(4, "little") + stream
    tile = decode_frame(item, xdicom.scan(slide).frames.instances.encodings[0])
    assert np.array_equal(read, np.tile(tile, (4, 2, 1))[7:-9])


def test_a_region_travels_with_its_own_tiles(slide: Path) -> None:
    level = xdicom.open_slide(slide)["level_0"]["stored_values"]
    region = level[101 * TILE : 103 * TILE, 201 * TILE : 203 * TILE].data

    (tasks,) = [region.__dask_optimize__(region.dask, region.__dask_keys__())]

    assert len(tasks) <= 8
    assert max(len(pickle.dumps(task)) for task in dict(tasks).values()) < 5_000
