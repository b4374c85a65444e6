"""Graphs of many frames, and Zarr stores."""

from __future__ import annotations

import os
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pydicom
import pydicom.datadict
import pydicom.pixels
import pytest

import xdicom
from benchmarks import inputs
from benchmarks.conftest import Race


@pytest.mark.parametrize("frames", [20_000, 200_000])
def test_building_an_array(race: Race, tmp_path: Path, frames: int) -> None:
    path = inputs.cine(tmp_path / "cine.dcm", frames, 2)

    def delayed() -> da.Array:
        read = dask.delayed(pydicom.pixels.pixel_array)
        return da.stack([da.from_delayed(read(path, index=i), (2, 2), np.int16) for i in range(frames // 10)])

    race(
        f"Scan of {frames:,} frames and one dask array of them",
        lambda: xdicom.open_frames(path),
        peers={f"delayed + stack of {frames // 10:,} frames": delayed},
        limits={"pydicom.dcmread": lambda: pydicom.dcmread(path, stop_before_pixels=True)},
        unit="ms",
        rounds=3,
    )

    array = xdicom.open_frames(path)
    assert array.shape == (frames, 2, 2)


@pytest.mark.parametrize("frames", [20_000, 200_000])
def test_one_frame_of_a_large_array(race: Race, tmp_path: Path, frames: int) -> None:
    path = inputs.cine(tmp_path / "cine.dcm", frames, 2)
    array = xdicom.open_frames(path)

    def bare() -> None:
        descriptor = os.open(path, os.O_RDONLY)
        os.pread(descriptor, 8, 1000)
        os.close(descriptor)

    race(
        f"One 2x2 frame of {frames:,} through dask",
        lambda: array[frames // 2].compute(scheduler="synchronous"),
        peers={"pydicom": lambda: pydicom.pixels.pixel_array(path, index=frames // 2)},
        limits={"open, pread, close": bare},
        unit="ms",
    )
