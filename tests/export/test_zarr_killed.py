"""Writers that are killed, at random moments and in the middle of a shard, and what is taken up after them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_ct
from xdicom.export.zarr_pipelines import OWN, ZARRS
from xdicom.export.zarr_verify import verify_zarr

Contents = Callable[[Path], dict[str, bytes]]
SLICES, SHARD = 24, 2
MOMENTS = 10

WRITER = """
import os, signal, sys
import dask, zarr
import xdicom

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # at once: others write, too

zarr.config.set({"codec_pipeline.path": sys.argv[2]})
with dask.config.set(scheduler="sync"):  # all that is imported late is there before the first writer
    xdicom.open_series(sys.argv[1]).dicom.to_zarr(zarr.storage.MemoryStore(), progress=False)
for line in sys.stdin:
    store, half = line.rstrip().rsplit(" ", 1)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        say("code", os.waitstatus_to_exitcode(status))
        continue
    if int(half):
        import zarr.storage._local as local

        atomic, written = local._atomic_write, 0

        class Half:
            def __init__(self, file):
                self.file = file

            def write(self, data):
                global written
                written += len(data) > 50_000
                if written == int(half):
                    self.file.write(memoryview(data)[: len(data) // 2])
                    self.file.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
                return self.file.write(data)

        class Halving:
            def __init__(self, *args, **kwargs):
                self.inner = atomic(*args, **kwargs)

            def __enter__(self):
                return Half(self.inner.__enter__())

            def __exit__(self, *error):
                return self.inner.__exit__(*error)

        local._atomic_write = Halving
    array = xdicom.open_series(sys.argv[1])
    say("begins", os.getpid())
    array.dicom.to_zarr(store, shards={"z": 2}, progress=lambda done, of: say("done", done))
    os._exit(0)
"""
"""Imports once, and forks a writer for each line: of which store, and in which shard of it the writer kills itself."""


def noise(number: int) -> np.ndarray:
    """A slice that can't be compressed."""
    return np.random.default_rng(number).integers(-1000, 30_000, (192, 256)).astype(np.int16)


class Writers:
    """Processes that write the series, one after the other."""

    def __init__(self, series: Path, pipeline: str) -> None:
        self.series = series
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(series), pipeline],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    def run(self, store: Path, *, after_shards: int = -1, after_s: float = 0.0, in_shard: int = 0) -> tuple[int, float]:
        """Exit code of a writer and how long it wrote [s].

        It is killed some time after it had written so many shards, or in the middle of a shard.
        """
        word, child = self._ask(f"{store} {in_shard}\n").split()
        assert word == "begins"
        start, code = time.perf_counter(), None
        while after_shards > 0 and code is None:
            line = self._read()
            code = int(line[5:]) if line.startswith("code ") else None
            after_shards -= 1
        if after_shards == 0 and code is None:
            time.sleep(after_s)
            with suppress(ProcessLookupError):  # it was through before
                os.kill(int(child), signal.SIGKILL)
        while code is None:
            line = self._read()
            code = int(line[5:]) if line.startswith("code ") else None
        return code, time.perf_counter() - start

    def _ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(
    scope="module", params=[OWN, pytest.param(ZARRS, marks=pytest.mark.skipif(find_spec("zarrs") is None, reason="zarrs is not installed"))]
)
def writers(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Writers]:
    """Writers of a series of noise, whose person has set one of Zarr's pipelines."""
    series = tmp_path_factory.mktemp("killed") / "ct"
    make_ct(series, [2.5 * i for i in range(SLICES)], rows=192, columns=256, values=noise)
    found = Writers(series, request.param)
    yield found
    found.stop()


def complete(store: Path, ct: xr.DataArray, whole: dict[str, bytes], contents: Contents) -> tuple[int, int]:
    """Shards that were there and files that were half there, in a store that is completed and looked at afterwards."""
    files = [path for path in store.rglob("*") if path.is_file()] if store.exists() else []
    shards = [path for path in files if path.parent.parent.parent.parent.name == "stored_values"]
    halves = [path for path in shards if path.suffix == ".partial"]
    shards = [path for path in shards if path not in halves]
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in shards}

    written = ct.dicom.to_zarr(store, shards={"z": SHARD}, resume=True, progress=False)

    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in shards} == before
    assert (written.blocks, written.kept) == (SLICES // SHARD - len(shards), len(shards))
    assert contents(store) == whole
    assert verify_zarr(ct, store, progress=False).is_equal
    return len(shards), len(halves)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_writer_killed_at_any_time_is_taken_up_where_it_was(tmp_path: Path, writers: Writers, contents: Contents) -> None:
    ct = xdicom.open_series(writers.series)
    _, seconds = writers.run(tmp_path / "whole.zarr")
    whole, chance, found = contents(tmp_path / "whole.zarr"), random.Random(11), list[tuple[int, int]]()
    for attempt in range(5 * MOMENTS):
        store, shards = tmp_path / f"{attempt}.zarr", chance.randrange(SLICES // SHARD)
        code, _ = writers.run(store, after_shards=shards, after_s=chance.uniform(0, seconds / 2 if shards == 0 else seconds / 20))
        if code == -signal.SIGKILL:
            found.append(complete(store, ct, whole, contents))
        if len(found) == MOMENTS:
            break

    print(f"{seconds:.2f} s, killed with (shards, halves): {sorted(found)}")  # noqa: T201 - shown with -s
    assert len(found) == MOMENTS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("shard", [1, 8])
def test_half_a_shard_does_not_pass_for_a_whole_one(tmp_path: Path, writers: Writers, contents: Contents, shard: int) -> None:
    ct = xdicom.open_series(writers.series)
    writers.run(tmp_path / "whole.zarr")

    code, _ = writers.run(tmp_path / "half.zarr", in_shard=shard)

    assert code == -signal.SIGKILL
    shards, halves = complete(tmp_path / "half.zarr", ct, contents(tmp_path / "whole.zarr"), contents)
    assert halves >= 1
    assert shards < SLICES // SHARD
