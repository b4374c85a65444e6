"""Many frames of one object are columns: a few bytes for each, and no Python object."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

import xdicom
from benchmarks import inputs

FRAMES, FEWER = 6_000, 1_000
MOST_BYTES = 100
"""Memory that a frame of a catalog may take [bytes]."""


@pytest.fixture(scope="module", params=[False, True], ids=["defined lengths", "undefined lengths"])
def paths(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """One enhanced CT of many frames, one of fewer."""
    folder = tmp_path_factory.mktemp("enhanced")
    return {count: inputs.enhanced_ct(folder / f"{count}.dcm", count, is_undefined=request.param) for count in (FRAMES, FEWER)}


def objects_of(path: str, *, opens: bool) -> int:
    """Objects that are left of a scan, or of an opened series: the median, for threads of other tests make and drop some too."""
    counts = []
    gc.collect()
    gc.freeze()  # what other tests left is not looked at, which takes long
    try:
        for _ in range(5):
            gc.collect()
            before = len(gc.get_objects())
            kept = xdicom.open_series(path) if opens else xdicom.scan(path)
            gc.collect()
            counts.append(len(gc.get_objects()) - before)
            del kept
    finally:
        gc.unfreeze()
    return sorted(counts)[2]


def test_a_frame_takes_less_than_100_bytes_of_memory(paths: dict[int, str]) -> None:
    xdicom.scan(paths[FEWER])
    tracemalloc.start()
    try:
        small = xdicom.scan(paths[FEWER])
        middle = tracemalloc.get_traced_memory()[0]
        large = xdicom.scan(paths[FRAMES])
        end = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert (len(small.frames), len(large.frames)) == (FEWER, FRAMES)
    assert (end - middle) / FRAMES < MOST_BYTES


@pytest.mark.parametrize("opens", [False, True], ids=["scanned", "opened"])
def test_no_object_is_made_for_a_frame(paths: dict[int, str], opens: bool) -> None:
    for path in paths.values():  # what the first time leaves is no frame's
        xdicom.open_series(path)

    more = objects_of(paths[FRAMES], opens=opens) - objects_of(paths[FEWER], opens=opens)

    assert more < (FRAMES - FEWER) / 10
