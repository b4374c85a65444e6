"""Planes of a series, each with its own merged header: a frame is one, a tile of a mosaic is one too."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable


@dataclass(slots=True, eq=False)
class Records:
    """Planes that may share an array."""

    frames: FrameTable
    """Frames that the planes lie in."""
    row: np.ndarray
    """Row of `frames` for each plane; int64, shape `(planes,)`."""
    tile: np.ndarray | None = None
    """Tile of the frame for each plane, where frames hold several; int32, shape `(planes,)`."""
    tile_grid: tuple[int, int] = (1, 1)
    """Tiles in a column and in a row of a frame."""
    own: dict[str, Column] = field(default_factory=dict)
    """Values that the planes have of their own, by name."""
    reasons: tuple[str, ...] = ()
    """What set these planes apart from others of their series."""

    def __len__(self) -> int:
        return len(self.row)

    @property
    def is_one_instance(self) -> bool:
        """Whether all planes lie in one instance."""
        instance = self.frames.instance[self.row]
        return len(instance) > 0 and bool((instance == instance[0]).all())

    def take(self, where: np.ndarray, reasons: tuple[str, ...] = ()) -> Records:
        """The planes numbered `where` (or marked by it)."""
        rows = np.flatnonzero(where) if where.dtype == bool else where
        return Records(
            self.frames,
            self.row[rows],
            None if self.tile is None else self.tile[rows],
            self.tile_grid,
            {name: column.take(rows) for name, column in self.own.items()},
            (*self.reasons, *reasons),
        )

    def column(self, name: str) -> Column | None:
        """The value `name` of each plane, or None where none has one."""
        if name in self.own:
            return self.own[name]
        column = self.frames.column(name)
        if column is None:
            return None
        taken = column.take(self.row)
        return taken if (taken.codes >= 0).any() else None

    def numbers(self, name: str) -> np.ndarray:
        """First number of the value `name`, NaN where there is none; shape `(planes,)`."""
        column = self.column(name)
        return np.full(len(self), np.nan) if column is None or column.kind != "number" else column.first_numbers()

    def vectors(self, name: str, size: int) -> np.ndarray:
        """Numbers of the value `name`, NaN where there are not `size` of them; shape `(planes, size)`."""
        column = self.column(name)
        if column is None or column.kind != "number" or column.values.shape[1] < size:
            return np.full((len(self), size), np.nan)
        return column.numbers()[:, :size]

    def texts(self, name: str) -> np.ndarray:
        """Text `name`, empty where there is none; object array, shape `(planes,)`."""
        column = self.column(name)
        return np.full(len(self), "", object) if column is None or column.kind != "text" else column.texts()

    def has(self, name: str) -> bool:
        """Whether any plane has the value `name`."""
        return self.column(name) is not None
