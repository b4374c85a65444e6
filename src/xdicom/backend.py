"""xarray's own doors: `xr.open_dataset(..., engine="dicom")` and `xr.open_datatree`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from xdicom.api import choose_grid, scan
from xdicom.index.study import plan_study
from xdicom.labeled.build import STORED_VALUES, describe
from xdicom.labeled.origins import remember
from xdicom.labeled.slides import describe_slide
from xdicom.lazy.frames import GridCells, read_block
from xdicom.lazy.tiles import TileCells, read_tiles
from xdicom.model.grid import FrameGrid, TileGrid

_PREFIX_OFFSET = 128


class DicomBackendEntrypoint(BackendEntrypoint):
    """Opens DICOM files and folders as xarray datasets (engine `"dicom"`)."""

    description = "Open DICOM series (files, folders, object stores) as lazy labelled arrays"
    url = "https://pypi.org/project/xdicom"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "series_uid", "stack", "storage_options")
    supports_groups = True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        series_uid: str | None = None,
        stack: str | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> xr.Dataset:
        """One series as a Dataset with the variable `stored_values`; see `xdicom.open_series` for the parameters and errors."""
        grid = choose_grid(scan(filename_or_obj, storage_options=storage_options), series_uid, stack)
        return _drop(_to_dataset(grid), drop_variables)

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> dict[str, xr.Dataset]:
        """All series at a location, one group for each array; see `xdicom.open_study`."""
        study = plan_study(scan(filename_or_obj, storage_options=storage_options))
        groups = {"/": xr.Dataset(attrs=study.attrs)}
        for path, attrs, grid in study.nodes:
            dataset = _drop(_to_dataset(grid), drop_variables) if grid is not None else xr.Dataset()
            groups[path] = dataset.assign_attrs(attrs)
        return groups

    def open_datatree(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        storage_options: Mapping[str, object] | None = None,
    ) -> xr.DataTree:
        """All series at a location as a tree; see `xdicom.open_study`."""
        return xr.DataTree.from_dict(
            self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, storage_options=storage_options)
        )

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a local file has the prefix of DICOM files (PS3.10 7.1)."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = Path(filename_or_obj)
        if not path.is_file():
            return False
        with path.open("rb") as file:
            file.seek(_PREFIX_OFFSET)
            return file.read(4) == b"DICM"


class FrameBackendArray(BackendArray):
    """Stored values of a grid of frames that are read when they are indexed, and no others."""

    def __init__(self, grid: FrameGrid) -> None:
        self.cells = GridCells(grid)
        self.shape = grid.shape
        self.dtype = np.dtype(grid.encoding.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """Values at `key`, of any kind of indexer."""
        result: np.ndarray = indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)
        return result

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        """The same from an event loop, which goes on while a thread reads."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _read(self, key: tuple[int | slice | np.ndarray, ...]) -> np.ndarray:
        outer = self.cells.rows.ndim
        # Frames first, each whole; then the part of the planes that is wanted, one dimension after the other.
        values = read_block(self.cells.select(key[:outer]))
        kept = values.ndim - (len(self.shape) - outer)
        for axis, part in reversed(list(enumerate(key[outer:], start=kept))):
            values = values[(slice(None),) * axis + (part,)]
        return values


class TileBackendArray(FrameBackendArray):
    """Stored values of an image of a slide, of which the tiles under what is indexed are read."""

    def __init__(self, grid: TileGrid) -> None:
        self.tiles = TileCells(grid)
        self.shape = grid.shape
        self.dtype = np.dtype(grid.encoding.dtype)

    def _read(self, key: tuple[int | slice | np.ndarray, ...]) -> np.ndarray:
        steps = [np.atleast_1d(np.arange(size)[part]) for part, size in zip(key, self.shape, strict=True)]
        if not all(map(len, steps)):
            return np.empty(
                [len(step) for part, step in zip(key, steps, strict=True) if not isinstance(part, int | np.integer)], self.dtype
            )
        values = read_tiles(self.tiles.block(tuple(slice(int(step.min()), int(step.max()) + 1) for step in steps)))
        for axis, (part, step) in reversed(list(enumerate(zip(key, steps, strict=True)))):
            values = values[(slice(None),) * axis + (_from_first(part, step),)]
        return values


def _from_first(part: int | slice | np.ndarray, steps: np.ndarray) -> int | slice | np.ndarray:
    """`part`, which chooses `steps`, counted from the first of them; a slice stays one, which copies nothing."""
    wanted: np.ndarray = steps - steps.min()
    if isinstance(part, slice):
        return slice(int(wanted[0]), None, part.step)
    return int(wanted[0]) if isinstance(part, int | np.integer) else wanted


def _to_dataset(grid: FrameGrid | TileGrid) -> xr.Dataset:
    dataset = _described(grid)
    remember(grid.frames, dataset)
    return dataset


def _described(grid: FrameGrid | TileGrid) -> xr.Dataset:
    if isinstance(grid, TileGrid):
        coords, attrs = describe_slide(grid)
        sizes = dict.fromkeys(grid.dims[: grid.rows.ndim - 2], 1) | dict(zip(("y", "x"), grid.tile_shape, strict=True))
        chunks = sizes | dict(zip(("sample",), grid.samples, strict=False))
        tiles = xr.Variable(grid.dims, indexing.LazilyIndexedArray(TileBackendArray(grid)), attrs, encoding={"preferred_chunks": chunks})
        return xr.Dataset({STORED_VALUES: tiles}, coords=coords)
    coords, attrs = describe(grid)
    data = indexing.LazilyIndexedArray(FrameBackendArray(grid))
    outer = grid.rows.ndim
    chunks = dict.fromkeys(grid.dims[:outer], 1) | dict(zip(grid.dims[outer:], grid.frame_shape, strict=True))
    if grid.tiles is not None:
        chunks[grid.dims[outer - 1]] = grid.shape[outer - 1]
    variable = xr.Variable(grid.dims, data, attrs, encoding={"preferred_chunks": chunks})
    return xr.Dataset({STORED_VALUES: variable}, coords=coords)


def _drop(dataset: xr.Dataset, names: str | Iterable[str] | None) -> xr.Dataset:
    if names is None:
        return dataset
    return dataset.drop_vars([names] if isinstance(names, str) else list(names), errors="ignore")
