"""Palettes: one number a pixel to red, green, blue and maybe alpha (PS3.3 C.7.6.3.1.5, C.7.6.19, C.7.9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xdicom.transforms.lookup import LookupTable, all_values, is_small_integer, native
from xdicom.transforms.pieces import Scratch, pieces


@dataclass(frozen=True, slots=True)
class Palette:
    """The lookup tables of a palette, which share their first value mapped and their length."""

    red: LookupTable
    green: LookupTable
    blue: LookupTable
    alpha: LookupTable | None = None
    """Opacity (0028,1204), from 0 for none."""
    is_supplemental: bool = False
    """Whether only values from the first mapped on are colour, and those below are grayscale (PS3.3 C.7.6.19)."""

    def __post_init__(self) -> None:
        shapes = {(len(table), table.first_mapped) for table in self.tables}
        if len(shapes) > 1:
            raise ValueError(
                "the tables of a palette differ in (entries, first value mapped): "
                + ", ".join(f"({length}, {first})" for length, first in sorted(shapes))
                + "; PS3.3 C.7.6.3.1.5 demands equal ones"
            )

    @property
    def tables(self) -> tuple[LookupTable, ...]:
        """Red, green, blue and, where there is one, alpha."""
        color = (self.red, self.green, self.blue)
        return color if self.alpha is None else (*color, self.alpha)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the colours: uint8 where 8 bits hold all that the entries say, else uint16.

        They do for entries of up to 8 bits, for 16-bit ones that repeat one byte twice or leave the low byte empty, and
        for the non-conforming 16-bit ones that never exceed 255 (PS3.3 C.7.6.3.1.6).
        """
        return np.dtype(np.uint16 if _eight_bit_shift(self) is None else np.uint8)

    def colors(self, dtype: np.dtype[np.generic] | None = None) -> np.ndarray:
        """Entries as full-range colours.

        Parameters
        ----------
        dtype
            uint8 or uint16, what `self.dtype` says by default.

        Returns
        -------
        numpy.ndarray
            Shape `(entries, 3)`, or `(entries, 4)` with alpha.

        Raises
        ------
        ValueError
            For another type.
        """
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if wanted not in (np.dtype(np.uint8), np.dtype(np.uint16)):
            raise ValueError(f"colours can't be of dtype {wanted}: ask for uint8 or uint16")
        shift = _eight_bit_shift(self)
        if shift is None:
            wide = [_stretched(table.data, table.bits, 16) for table in self.tables]
            return np.stack(wide if wanted == np.uint16 else [entries >> 8 for entries in wide], axis=-1).astype(wanted)
        narrow = [_stretched(table.data >> shift, min(table.bits, 8), 8) for table in self.tables]
        colors: np.ndarray = np.stack(narrow, axis=-1).astype(wanted)
        return colors if wanted == np.uint8 else colors * wanted.type(257)


def apply_palette(values: np.ndarray, palette: Palette, *, dtype: np.dtype[np.generic] | None = None) -> np.ndarray:
    """Colours of `values`; what lies beyond the palette takes its first or last colour.

    Parameters
    ----------
    values
        Numbers of any shape; whole ones in a file with PALETTE COLOR.
    palette
        The palette.
    dtype
        uint8 or uint16; by default uint8 where 8 bits hold all that the palette says.

    Returns
    -------
    numpy.ndarray
        Shape of `values` and a last axis of 3, or 4 with alpha; C-contiguous.
    """
    wanted = palette.dtype if dtype is None else np.dtype(dtype)
    is_small = is_small_integer(values.dtype)
    words = _words(palette, wanted, native(values.dtype) if is_small else None)
    if is_small:
        values = np.asarray(values, native(values.dtype)).view(np.dtype(f"u{values.dtype.itemsize}"))
    out = np.empty((*values.shape, len(palette.tables)), wanted)
    scratch = Scratch(words.dtype)
    for index in pieces(values.shape):
        piece = values[index] if is_small else palette.red.positions(values[index])
        gathered = scratch.empty(piece.shape)
        np.take(words, piece, out=gathered, mode="wrap")
        _store(out[index], gathered)
    return out


@lru_cache(maxsize=8)
def _words(palette: Palette, dtype: np.dtype[np.generic], values: np.dtype[np.generic] | None) -> np.ndarray:
    """Colours packed in words of 4 samples, so that a pixel is one gather instead of 3.

    One for each value of the small integer type `values`, or without it one for each entry of the palette.
    """
    colors = palette.colors(dtype)
    if values is not None:
        colors = colors[palette.red.positions(all_values(values))]
    packed = np.zeros((len(colors), 4), dtype)
    packed[:, : colors.shape[1]] = colors
    words: np.ndarray = packed.view(np.dtype(f"u{4 * dtype.itemsize}"))[:, 0]
    words.setflags(write=False)
    return words


def _store(pixels: np.ndarray, words: np.ndarray) -> None:
    """Write `words` of 4 samples each into `pixels`, C-contiguous, of 3 or 4 samples."""
    samples, itemsize = pixels.shape[-1], pixels.dtype.itemsize
    found = words.reshape(-1, 1).view(pixels.dtype)
    flat = pixels.reshape(-1, samples)
    if samples == 4:
        flat[...] = found
        return
    # words are written 3 samples apart: the fourth of each falls on the red of the next pixel, so red is written again
    spread: np.ndarray = np.ndarray((words.size - 1,), words.dtype, buffer=flat, strides=(3 * itemsize,))
    spread[...] = words.reshape(-1)[:-1]
    flat[:, 0] = found[:, 0]
    flat[-1] = found[-1, :3]


def apply_supplemental(values: np.ndarray, gray: np.ndarray, palette: Palette, *, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Colours of the stored `values` that a supplemental palette maps, and `gray` for those below (PS3.3 C.7.6.19).

    Parameters
    ----------
    values
        Stored values of any shape.
    gray
        Display values of them; shape of `values`, of `dtype`.
    palette
        The supplemental palette.
    dtype
        uint8 or uint16.

    Returns
    -------
    numpy.ndarray
        Shape of `values` and a last axis of 3.
    """
    color = apply_palette(values, palette, dtype=dtype)[..., :3]
    is_gray = values < palette.red.first_mapped
    color[is_gray] = gray[is_gray][:, np.newaxis]
    return np.ascontiguousarray(color)


@lru_cache(maxsize=32)
def _eight_bit_shift(palette: Palette) -> int | None:
    """Where in the entries 8 bits hold all that they say; None when they do not."""
    if all(table.bits <= 8 for table in palette.tables):
        return 0
    if any(table.bits != 16 for table in palette.tables):
        return None
    if all(table.data.max() <= 255 for table in palette.tables):
        return 0
    halves = [(table.data >> 8, table.data & 255) for table in palette.tables]
    return 8 if all(np.array_equal(high, low) or not low.any() for high, low in halves) else None


def _stretched(entries: np.ndarray, bits: int, wanted: int) -> np.ndarray:
    """Entries of `bits` bits so that full scale stays full scale in `wanted` bits."""
    scale, full = 2**wanted - 1, 2**bits - 1
    clipped = np.minimum(entries.astype(np.int64), full)
    return clipped if bits == wanted else np.asarray((clipped * (2 * scale) + full) // (2 * full))
