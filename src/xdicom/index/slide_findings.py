"""What there is to know of the images of a slide before any is made, as plain values and as sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from xdicom.model.grid import TileGrid
from xdicom.pixels.syntaxes import NAMES


@dataclass(frozen=True, slots=True)
class SlideImage:
    """One image of a slide: a level of its pyramid, a label, an overview or a thumbnail."""

    name: str
    """Its name in the tree that `open_slide` gives."""
    dims: dict[str, int]
    """Length of each dimension, in order."""
    dtype: str
    """Type of the stored values."""
    tile: tuple[int, int]
    """Rows and columns of a tile [pixels]."""
    tiles: int
    """Number of tiles that are there."""
    missing_tiles: int
    """Number of places without a tile."""
    spacing_um: tuple[float, float] | None
    """Distances of rows and columns [um], where they are known."""
    transfer_syntaxes: tuple[str, ...]
    """Names of the transfer syntaxes of its tiles."""
    photometric_interpretation: str
    """Color space of its header."""
    gigapixels: float
    """Pixels of all its planes, in thousands of millions."""

    def __str__(self) -> str:
        sizes = ", ".join(f"{dim} {size}" for dim, size in self.dims.items() if dim != "sample")
        spacing = "" if self.spacing_um is None else f"; {self.spacing_um[0]:.4g} x {self.spacing_um[1]:.4g} um"
        missing = f", {self.missing_tiles} missing" if self.missing_tiles else ""
        return (
            f"{sizes}; {self.gigapixels:.3g} gigapixels{spacing}; {self.tiles} tiles of {self.tile[0]} x {self.tile[1]}{missing}; "
            f"{', '.join(self.transfer_syntaxes)}; {self.photometric_interpretation}, {self.dtype}"
        )

    def to_dict(self) -> dict[str, object]:
        """The same for machines."""
        return asdict(self)


def describe_image(grid: TileGrid) -> SlideImage:
    """What there is to know of one image."""
    encodings = grid.frames.instances.encodings
    names = tuple(dict.fromkeys(NAMES.get(each.transfer_syntax_uid, each.transfer_syntax_uid) for each in encodings))
    planes = int(np.prod(grid.rows.shape[:-2]))
    spacing = None if grid.plane is None else (grid.plane.row_spacing_mm * 1000, grid.plane.column_spacing_mm * 1000)
    return SlideImage(
        name=grid.name,
        dims=dict(zip(grid.dims, grid.shape, strict=True)),
        dtype=str(grid.encoding.dtype),
        tile=grid.tile_shape,
        tiles=int(str(grid.attrs["tiles"])),
        missing_tiles=int(str(grid.attrs["missing_tiles"])),
        spacing_um=spacing,
        transfer_syntaxes=names,
        photometric_interpretation=grid.encoding.photometric_interpretation,
        gigapixels=grid.matrix[0] * grid.matrix[1] * planes / 1e9,
    )
