"""Overlay planes: one bit a pixel, drawn over the image (PS3.3 C.9.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Overlay:
    """What the header says of an overlay plane of a repeating group 60xx."""

    group: int
    """Group number, 0x6000 to 0x601E."""
    rows: int
    """Overlay Rows (60xx,0010)."""
    columns: int
    """Overlay Columns (60xx,0011)."""
    origin: tuple[int, int] = (1, 1)
    """Row and column of the image that the first bit lies on, from 1; may lie outside (60xx,0050)."""
    kind: str = "G"
    """Overlay Type (60xx,0040): G for graphics, R for a region of interest."""
    frames: int | None = None
    """Number of Frames in Overlay (60xx,0015); None for one plane that lies on every frame of the image."""
    first_frame: int = 1
    """Image Frame Origin (60xx,0051): frame of the image that the first overlay frame belongs to, from 1."""
    is_embedded: bool = False
    """Whether the bits lie in the pixel cells, beside the bits stored; retired since 2004 (PS3.5 8.1.2)."""
    bit_position: int = 0
    """Overlay Bit Position (60xx,0102): which bit of a pixel cell the overlay is, where it is embedded."""
    label: str = ""
    """Overlay Label (60xx,1500)."""
    description: str = ""
    """Overlay Description (60xx,0022)."""

    def plane_on(self, frame_number: int) -> int | None:
        """Number of the overlay's own frame, from 0, that lies on frame `frame_number` of the image, from 1; or None.

        Examples
        --------
        >>> two = Overlay(0x6000, rows=1, columns=1, frames=2, first_frame=3)
        >>> [two.plane_on(frame) for frame in (2, 3, 4, 5)]
        [None, 0, 1, None]
        """
        if self.frames is None:
            return 0
        number = frame_number - self.first_frame
        return number if 0 <= number < self.frames else None

    def bits_of(self, plane: int) -> tuple[int, int]:
        """First bit of the overlay's frame `plane`, and number of its bits: frames follow each other without padding."""
        count = self.rows * self.columns
        return plane * count, count


def unpack_plane(packed: bytes, rows: int, columns: int, lead_bits: int = 0) -> np.ndarray:
    """Bits of one plane: the first is the lowest of the first byte (PS3.5 8.1.2).

    Parameters
    ----------
    packed
        Bytes with the bits of the plane, in little-endian order.
    rows, columns
        Size of the plane.
    lead_bits
        Bits before those of the plane.

    Returns
    -------
    numpy.ndarray
        bool, shape `(rows, columns)`.

    Raises
    ------
    ValueError
        When there are fewer bits than the plane needs.

    Examples
    --------
    >>> unpack_plane(bytes([0b101010, 0]), rows=1, columns=4, lead_bits=1).astype(int)
    array([[1, 0, 1, 0]])
    """
    needed = lead_bits + rows * columns
    if 8 * len(packed) < needed:
        raise ValueError(f"an overlay of {rows} x {columns} needs {needed} bits; {8 * len(packed)} are there")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=needed, bitorder="little")[lead_bits:]
    return bits.view(bool).reshape(rows, columns)


def embedded_plane(cells: np.ndarray, bit_position: int) -> np.ndarray:
    """Bits of an overlay that lies in the pixel cells themselves; bool, shape of `cells`, which are not yet masked."""
    return np.asarray(cells & cells.dtype.type(1 << bit_position)).astype(bool)


def place_plane(plane: np.ndarray, origin: tuple[int, int], out: np.ndarray) -> None:
    """Draw an overlay's `plane` on the pixels of the image `out`, which is all False, both `(rows, columns)`.

    What lies outside the image is cut off, what the overlay does not cover stays False.
    """
    top, left = origin[0] - 1, origin[1] - 1
    bottom, right = min(top + plane.shape[0], out.shape[0]), min(left + plane.shape[1], out.shape[1])
    first_row, first_column = max(top, 0), max(left, 0)
    if first_row < bottom and first_column < right:
        out[first_row:bottom, first_column:right] = plane[first_row - top : bottom - top, first_column - left : right - left]
