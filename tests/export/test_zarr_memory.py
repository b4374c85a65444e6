"""Exports of more than the memory holds, with the system's own limit on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from builders import make_cine

MIB = 2**20
GIVEN, FRAMES, ROWS = 48 * MIB, 3840, 256
"""Memory that an export gets beside what the process has before it, and a series of ten times as much."""

LIMITED = """
import resource, sys
import dask, numpy as np
import xdicom

def memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))

def write(array, name):
    match sys.argv[2]:
        case "ome":
            array.dicom.to_ome_zarr(f"{sys.argv[3]}/{name}", levels=1, progress=False)
        case codecs:
            array.dicom.to_zarr(f"{sys.argv[3]}/{name}", codecs=codecs, progress=False)

series = xdicom.open_series(sys.argv[1])
print(series.nbytes)
with dask.config.set(scheduler="threads", num_workers=2):
    write(series[:512], "small.zarr")  # all threads are there, and all that is imported late
    given = memory() + int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_DATA, (given, given))
    try:
        np.empty(series.nbytes, np.uint8)
    except MemoryError:
        print("does not fit")
    write(series, "large.zarr")
print("written")
"""


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cine whose frames are a hole in its file."""
    path = tmp_path_factory.mktemp("sparse") / "cine.dcm"
    make_cine(path, 1, photometric="MONOCHROME2", values=np.zeros((1, ROWS, ROWS), np.int16), NumberOfFrames=FRAMES)
    data = path.read_bytes()
    length = ROWS * ROWS * 2
    start = data.rindex(length.to_bytes(4, "little"))
    with path.open("r+b") as file:
        file.seek(start)
        file.write((FRAMES * length).to_bytes(4, "little"))
        file.truncate(start + 4 + FRAMES * length)
    return path


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited as Linux does it")
@pytest.mark.parametrize("codecs", ["auto", "original", "ome"])
def test_a_series_of_ten_times_the_memory_is_written(sparse: Path, tmp_path: Path, codecs: str) -> None:
    given = [sys.executable, "-c", LIMITED, str(sparse), codecs, str(tmp_path), str(GIVEN)]
    done = subprocess.run(given, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[:3] == [str(10 * GIVEN), "does not fit", "written"]
