"""Series of tiny files as labelled arrays, for tests that look at labels."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import xarray as xr

from index.arranged import only_grid
from xdicom.labeled import origins
from xdicom.labeled.build import label
from xdicom.lazy.frames import frames_to_dask


def opened(*locations: Path) -> xr.DataArray:
    """The one array that a series makes."""
    grid = only_grid(*locations)
    array = label(frames_to_dask(grid), grid)
    origins.remember(grid.frames, array)
    return array


def elsewhere(array: xr.DataArray) -> xr.DataArray:
    """`array` as another process gets it, which has opened nothing; this one knows nothing more either."""
    origins._tables.clear()
    sent: xr.DataArray = pickle.loads(pickle.dumps(array))
    return sent


def labels(array: xr.DataArray, name: str) -> list[object]:
    """Values of a coordinate."""
    found: list[object] = np.asarray(array[name].values).tolist()
    return found
