"""Overlay planes: one bit a pixel, drawn over the image (PS3.3 C.9.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Overlay:
    """An overlay plane of a repeating group 60xx."""

    group: int
    """Group number, 0x6000 to 0x60FE."""
    rows: int
    """Overlay Rows (60xx,0010)."""
    columns: int
    """Overlay Columns (60xx,0011)."""
    bits: bytes
    """Overlay Data (60xx,3000), little endian; empty where it was not read, or lies within the pixel data."""
    origin: tuple[int, int] = (1, 1)
    """Row and column of the image that the first bit lies on, from 1; may lie outside (60xx,0050)."""
    kind: str = "G"
    """Overlay Type (60xx,0040): G for graphics, R for a region of interest."""
    frames: int = 1
    """Number of Frames in Overlay (60xx,0015)."""
    first_frame: int = 1
    """Image Frame Origin (60xx,0051): frame of the image that the first overlay frame belongs to, from 1."""
    is_embedded: bool = False
    """Whether the bits lie in the pixel cells, above the bits stored; retired since 2004 (PS3.3 C.9.2)."""
    bit_position: int = 0
    """Overlay Bit Position (60xx,0102): which bit of a pixel cell the overlay is, where it is embedded."""
    label: str = ""
    """Overlay Label (60xx,1500)."""
    description: str = ""
    """Overlay Description (60xx,0022)."""


def unpack_overlay(overlay: Overlay) -> np.ndarray:
    """Bits of an overlay: the first is the lowest of the first byte, frames follow each other without padding.

    Returns
    -------
    numpy.ndarray
        bool, shape `(frames, rows, columns)`.

    Raises
    ------
    ValueError
        When there are fewer bits than the overlay's size needs.

    Examples
    --------
    >>> unpack_overlay(Overlay(0x6000, rows=1, columns=4, bits=bytes([0b0101, 0]))).astype(int)
    array([[[1, 0, 1, 0]]])
    """
    shape = (overlay.frames, overlay.rows, overlay.columns)
    needed = overlay.frames * overlay.rows * overlay.columns
    if 8 * len(overlay.bits) < needed:
        raise ValueError(f"overlay {overlay.group:04X} has {8 * len(overlay.bits)} bits; its size {shape} needs {needed}")
    packed = np.frombuffer(overlay.bits, np.uint8)
    return np.unpackbits(packed, count=needed, bitorder="little").astype(bool).reshape(shape)


def embedded_overlay(cells: np.ndarray, bit_position: int) -> np.ndarray:
    """Bits of an overlay that lies in the pixel cells themselves; bool, shape of `cells`, which are not yet masked."""
    return np.asarray((cells >> bit_position) & 1).astype(bool)


def place_overlay(overlay: Overlay, rows: int, columns: int) -> np.ndarray:
    """The overlay on the pixels of an image of `rows` x `columns`; bool, shape `(frames, rows, columns)`.

    What lies outside the image is cut off, what the overlay does not cover is False.
    """
    planes = unpack_overlay(overlay)
    out = np.zeros((overlay.frames, rows, columns), bool)
    top, left = overlay.origin[0] - 1, overlay.origin[1] - 1
    bottom, right = min(top + overlay.rows, rows), min(left + overlay.columns, columns)
    first_row, first_column = max(top, 0), max(left, 0)
    if first_row < bottom and first_column < right:
        out[:, first_row:bottom, first_column:right] = planes[:, first_row - top : bottom - top, first_column - left : right - left]
    return out
