"""Frames in their places: what an array is made of, before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xdicom.model.columns import Column
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable
from xdicom.model.plane import Plane

MISSING = -1
"""Row of a cell that no frame fills; it is zero by definition of the object (PS3.3 C.8.20)."""


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Frames that hold several planes as tiles (Siemens mosaics, UIH grids)."""

    tile: np.ndarray
    """Number of the tile that fills each cell, row by row from the top left; int32, shape of the grid."""
    columns: int
    """Tiles in a row of the frame."""
    rows: int
    """Tiles in a column of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A dimension across frames, with what is known of the steps along it."""

    name: str
    """Name of the dimension."""
    values: np.ndarray | None = None
    """Index coordinate, shape `(steps,)`; None where nothing numbers the steps."""
    attrs: Mapping[str, object] = field(default_factory=dict)
    """Units and meaning of the values."""


@dataclass(frozen=True, slots=True, eq=False)
class Diffusion:
    """Diffusion weights of planes."""

    b_value: np.ndarray
    """b [s/mm2], NaN where no element states it; shape `(planes,)`."""
    direction: np.ndarray
    """Unit gradient direction, NaN where there is none; shape `(planes, 3)`."""
    kind: np.ndarray
    """Further marks that tell volumes apart (directionality, vendor's numbers), as text; shape `(planes,)`."""
    source: str
    """Elements that the b-values are from."""
    is_patient_frame: bool = True
    """Whether directions are in patient coordinates (LPS), not in those of the gradients."""
    is_derived: bool = False
    """Whether some of the directions are main axes of b-matrices, whose sign nobody states."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameGrid:
    """Which frame goes where in one array, and where that lies in the patient."""

    name: str
    """Readable name, unique in its series."""
    axes: tuple[Axis, ...]
    """Dimensions across frames, slowest first; none for a single frame without geometry."""
    rows: np.ndarray
    """Row of `frames` that fills each cell, or MISSING; int64, one dimension for each axis."""
    frames: FrameTable
    """The frames and what their headers say."""
    plane: Plane | None = None
    """Orientation and spacing in the patient, where all frames share them."""
    affine: np.ndarray | None = None
    """Index (column, row, slice, 1) to LPS [mm], shape `(4, 4)`; None where planes form no regular stack."""
    origins: np.ndarray | None = None
    """Centre of the first voxel of each plane along `z` [mm]; shape `(z, 3)`."""
    tiles: Tiles | None = None
    """How frames are cut, where they hold several planes."""
    own: Mapping[str, Column] = field(default_factory=dict)
    """Values that cells have of their own, above those of their frames; one row for each cell, in C order."""
    diffusion: Diffusion | None = None
    """Diffusion weight of each cell in C order, where it varies."""
    attrs: Mapping[str, object] = field(default_factory=dict)
    """What the arrangement found: gaps, shear, reasons of the split."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of all dimensions, those of a frame last."""
        inner = ("y", "x") if len(self.frame_shape) == 2 else ("y", "x", "sample")
        return (*(axis.name for axis in self.axes), *inner)

    @property
    def encoding(self) -> PixelEncoding:
        """Encoding of the first frame: all have its dtype and shape."""
        used = self.rows[self.rows >= 0]
        table = self.frames.instances
        encoding: PixelEncoding = table.encodings[table.encoding[self.frames.instance[used.flat[0]]]]
        return encoding

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one plane: `(rows, columns[, samples])`."""
        rows, columns, *samples = self.encoding.frame_shape
        if self.tiles is not None:
            rows, columns = rows // self.tiles.rows, columns // self.tiles.columns
        return (rows, columns, *samples)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (*self.rows.shape, *self.frame_shape)

    def column(self, name: str) -> Column | None:
        """The value `name` of each cell in C order, none in missing cells; None where no cell has one."""
        own = self.own.get(name)
        if own is not None:
            return own
        column = self.frames.column(name)
        if column is None:
            return None
        cells = self.rows.reshape(-1)
        if (cells >= 0).all():
            return column.take(cells)
        codes = np.where(cells >= 0, column.codes[np.maximum(cells, 0)], -1)
        return Column(column.kind, column.values, codes.astype(column.codes.dtype))


@dataclass(frozen=True, slots=True, eq=False)
class TileGrid:
    """Frames that are tiles of one large image (a level of a whole slide), each in its place (PS3.3 C.7.6.17.3, C.8.12.4)."""

    name: str
    """Readable name: `level_0`, `label`, …"""
    axes: tuple[Axis, ...]
    """Dimensions across images: optical paths and focal planes, where there are several."""
    rows: np.ndarray
    """Row of `frames` for each tile, or MISSING; int64, one dimension for each axis, then tile rows and tile columns."""
    frames: FrameTable
    """The frames and what their headers say."""
    matrix: tuple[int, int]
    """Rows and columns of the whole image [pixels]; tiles at its edges reach beyond it."""
    plane: Plane | None = None
    """Directions of rows and columns in the slide's coordinates, and pixel spacing."""
    origin: np.ndarray | None = None
    """Centre of the first pixel in the slide's coordinates [mm]; shape `(3,)`."""
    background: tuple[int, ...] = (0,)
    """Stored value of each sample where no tile is."""
    attrs: Mapping[str, object] = field(default_factory=dict)
    """What the arrangement found: missing tiles, level, kind of image."""

    @property
    def encoding(self) -> PixelEncoding:
        """Encoding of the first frame: all have its dtype and shape."""
        first: PixelEncoding = self.frames.instances.encodings[self.frames.instances.encoding[self.frames.instance[0]]]
        return first

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Rows and columns of a tile [pixels]."""
        return self.encoding.rows, self.encoding.columns

    @property
    def samples(self) -> tuple[int, ...]:
        """`(samples,)` for colour, else empty."""
        return self.encoding.frame_shape[2:]

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of all dimensions."""
        return (*(axis.name for axis in self.axes), "y", "x", *(("sample",) if self.samples else ()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (*self.rows.shape[:-2], *self.matrix, *self.samples)
