"""Frames in other chunks than they were opened in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_ct
from xdicom.lazy.frames import recut_frames


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Seven uncompressed slices."""
    make_ct(tmp_path / "ct", [2.5 * i for i in range(7)])
    return xdicom.open_series(tmp_path / "ct")


def test_frames_of_a_new_chunk_are_one_task(ct: xr.DataArray) -> None:
    recut = recut_frames(ct.data, ((3, 3, 1), *ct.data.chunks[1:]))

    assert recut is not None
    assert len(dict(recut.dask)) == 3
    assert recut.chunks[0] == (3, 3, 1)
    np.testing.assert_array_equal(recut.compute(), ct)


def test_what_was_done_to_frames_is_never_lost(ct: xr.DataArray) -> None:
    for array in (ct.data + 1, ct.data[::-1], ct.data.rechunk((7, 4, 6)), ct.data.map_blocks(np.negative)):
        assert recut_frames(array, ((7,), *((size,) for size in array.shape[1:]))) is None


def test_planes_are_not_divided(ct: xr.DataArray) -> None:
    assert recut_frames(ct.data, ((7,), (4, 4), (6,))) is None


def test_compressed_frames_stay_tasks_of_their_own(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", transfer_syntax="jpegls")
    ct = xdicom.open_series(tmp_path / "ct")

    assert recut_frames(ct.data, ((3,), *ct.data.chunks[1:])) is None
