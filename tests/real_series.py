"""Arrays of real series that are written as DICOM again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import xarray as xr

import xdicom
from xdicom.errors import XDicomError

SEGMENTATIONS = {"1.2.840.10008.5.1.4.1.1.66.4"}


def arrays_of(location: Path) -> Iterator[xr.DataArray]:
    """Every array at a location."""
    try:
        tree = xdicom.open_study(location)
    except XDicomError:  # headers without pixels
        return
    for node in tree.subtree:
        yield from node.data_vars.values()
