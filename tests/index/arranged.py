"""From files to arrays in one step, for tests that look at the arrangement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from builders import AXIAL, image_position, make_slices, phantom
from xdicom.index.arrange import Arrangement, arrange
from xdicom.index.catalog import Catalog
from xdicom.index.records import Records
from xdicom.index.scan import scan_sources
from xdicom.model.grid import FrameGrid
from xdicom.sources.locate import locate


def catalog_of(*locations: Path) -> Catalog:
    return scan_sources(locate(list(locations)))


def arranged(*locations: Path, series_uid: str | None = None) -> Arrangement:
    return arrange(catalog_of(*locations).pick(series_uid))


def grids_of(*locations: Path) -> list[FrameGrid]:
    return arranged(*locations).grids


def only_grid(*locations: Path) -> FrameGrid:
    """The one array that a series makes."""
    (grid,) = grids_of(*locations)
    return grid


def records_of(*locations: Path) -> Records:
    frames = catalog_of(*locations).frames
    return Records(frames, np.arange(len(frames)))


def form(grid: FrameGrid) -> dict[str, int]:
    """Sizes of the dimensions across frames."""
    return {axis.name: size for axis, size in zip(grid.axes, grid.rows.shape, strict=True)}


def values(grid: FrameGrid, axis: str) -> list[Any]:
    """Index values of an axis."""
    (found,) = [each for each in grid.axes if each.name == axis]
    return [] if found.values is None else found.values.tolist()


def cells(grid: FrameGrid, name: str) -> np.ndarray:
    """First number of a header value in every cell."""
    column = grid.column(name)
    assert column is not None
    return column.first_numbers().reshape(grid.rows.shape)


def make_planes(
    folder: Path, positions_mm: Sequence[float], varying: Mapping[str, Sequence[Any]] | None = None, **elements: Any
) -> list[Path]:
    """Write MR planes of 2 x 3 pixels at positions along the normal, in this order, each with its own values of the varying elements."""
    orientation = elements.pop("ImageOrientationPatient", AXIAL)
    return make_slices(
        folder,
        [image_position(position, orientation) for position in positions_mm],
        values=lambda i: phantom(i, 2, 3),
        varying=varying,
        **{
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
            "Modality": "MR",
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
            "ImageOrientationPatient": list(orientation),
            "PixelSpacing": [0.7, 0.5],
            **elements,
        },
    )


def repeated(positions_mm: Sequence[float], times: int) -> list[float]:
    """All positions, one volume behind the other."""
    return [position for _ in range(times) for position in positions_mm]
