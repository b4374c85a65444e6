"""Adding slices and time points to a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

from xdicom import InconsistentSeriesError, SourceError
from xdicom.export.zarr_marks import MARK


def stored(store: object) -> xr.DataArray:
    return xr.open_zarr(store)["stored_values"]


@pytest.mark.parametrize("shards", [{"z": 4}, {"z": 5}, None])
def test_slices_are_added_behind_those_that_are_there(ct: xr.DataArray, shards: dict[str, int] | None) -> None:
    store = MemoryStore()
    ct[:7].dicom.to_zarr(store, shards=shards, progress=False)
    ct[7:9].dicom.to_zarr(store, append_dim="z", progress=False)
    ct[9:].dicom.to_zarr(store, append_dim="z", progress=False)

    assert stored(store).identical(ct)


def test_time_points_are_added(volume: xr.DataArray) -> None:
    store = MemoryStore()
    volume[:1].dicom.to_zarr(store, progress=False)
    volume[1:].dicom.to_zarr(store, append_dim="time", progress=False)

    assert stored(store).identical(volume)


def test_a_parameter_that_is_one_number_here_is_one_for_each_slice_there(ct: xr.DataArray) -> None:
    store = MemoryStore()
    slopes = ct.assign_coords(rescale_slope=("z", np.where(np.arange(12) < 6, np.arange(12.0), 9.0)))
    slopes[:6].dicom.to_zarr(store, progress=False)
    slopes[6:].assign_coords(rescale_slope=9.0).dicom.to_zarr(store, append_dim="z", progress=False)

    assert stored(store).identical(slopes)


def test_readers_see_the_store_as_it_was_until_the_part_is_whole(ct: xr.DataArray, tmp_path: Path) -> None:
    store, seen = tmp_path / "store.zarr", []
    ct[:8].dicom.to_zarr(store, shards={"z": 2}, progress=False)

    ct[8:].dicom.to_zarr(store, append_dim="z", progress=lambda *_: seen.append(stored(store).sizes["z"]))

    assert set(seen) == {8}
    assert stored(store).sizes["z"] == 12


def test_an_interrupted_addition_is_completed(ct: xr.DataArray, tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    ct[:5].dicom.to_zarr(store, shards={"z": 2}, progress=False)

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ct[5:].dicom.to_zarr(store, append_dim="z", progress=stop)
    with pytest.raises(SourceError, match="repeat that one with resume=True"):
        ct[6:].dicom.to_zarr(store, append_dim="z", progress=False)
    written = ct[5:].dicom.to_zarr(store, append_dim="z", resume=True, progress=False)

    assert written.kept < 4
    assert zarr.open_group(store).attrs[MARK]["stored_values"]["state"] == "complete"
    assert stored(store).identical(ct)


def test_the_same_slices_are_not_added_twice(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct[:8].dicom.to_zarr(store, progress=False)

    with pytest.raises(InconsistentSeriesError, match=r"in the store already: z = 17\.5"):
        ct[7:].dicom.to_zarr(store, append_dim="z", progress=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part.astype(np.float32), "values are float32, in the store int16"),
        (lambda part: part.isel(x=slice(0, 3)), "x has 3 steps, in the store 6"),
        (lambda part: part.assign_coords(rescale_slope=2.0), "the coordinate rescale_slope differs"),
        (lambda part: part.drop_vars("instance_number"), "the coordinate instance_number is only in the store"),
        (lambda part: part.assign_attrs(rescale_type="US"), "the attribute rescale_type differs"),
        (lambda part: part.transpose("y", "x", "z"), "dimensions are y, x, z, in the store z, y, x"),
    ],
)
def test_what_does_not_go_together_is_not_put_together(ct: xr.DataArray, change: object, message: str) -> None:
    store = MemoryStore()
    ct[:8].dicom.to_zarr(store, progress=False)

    with pytest.raises(InconsistentSeriesError, match=message):
        change(ct[8:]).dicom.to_zarr(store, append_dim="z", progress=False)

    assert stored(store).identical(ct[:8])


def test_nothing_is_added_to_a_store_that_is_not_whole(ct: xr.DataArray) -> None:
    store = MemoryStore()
    ct[:8].dicom.to_zarr(store, shards={"z": 2}, region={"z": slice(0, 2)}, progress=False)

    with pytest.raises(SourceError, match="no whole array 'stored_values' to add to"):
        ct[8:].dicom.to_zarr(store, append_dim="z", progress=False)


def test_nothing_is_added_where_no_store_is(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no Zarr store"):
        ct.dicom.to_zarr(tmp_path / "store.zarr", append_dim="z", progress=False)
