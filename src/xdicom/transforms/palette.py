"""Palettes: one number a pixel to red, green, blue and maybe alpha (PS3.3 C.7.6.3.1.5, C.7.6.19, C.7.9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xdicom.transforms.lookup import LookupTable, all_values, is_small_integer, native
from xdicom.transforms.pieces import PIECE_ELEMENTS, Scratch, pieces


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
    samples = len(palette.tables)
    kind = native(values.dtype) if is_small_integer(values.dtype) else None
    words = _words(palette, wanted, kind)
    out = np.empty((*values.shape, samples), wanted)
    pixels = out.reshape(-1, samples)
    pairs = _pairs(palette, wanted, kind) if kind is not None and kind.itemsize == 1 and samples == 3 else None
    scratch = Scratch(words.dtype)
    pair_scratch = None if pairs is None else Scratch(pairs.dtype)
    start = 0
    for index in pieces(values.shape):
        piece = np.ascontiguousarray(values[index], kind).reshape(-1)
        positions = palette.red.positions(piece) if kind is None else piece.view(f"u{kind.itemsize}")
        first, stop = start, start + len(piece)
        if pairs is not None and pair_scratch is not None:
            two = positions[: len(piece) // 2 * 2].view(np.uint16)
            _store(pixels, first, np.take(pairs, two, out=pair_scratch.empty(two.shape), mode="wrap"), 2)
            first += 2 * len(two)
            positions = positions[2 * len(two) :]
        if first < stop:
            _store(pixels, first, np.take(words, positions, out=scratch.empty(positions.shape), mode="wrap"), 1)
        start = stop
    return out


@lru_cache(maxsize=8)
def _words(palette: Palette, dtype: np.dtype[np.generic], values: np.dtype[np.generic] | None) -> np.ndarray:
    """Colours packed in words of 4 samples, so that a pixel is one gather instead of 3.

    One for each value of the small integer type `values`, or without it one for each entry of the palette.
    """
    packed = _packed(palette, dtype, values)
    words: np.ndarray = packed.view(np.dtype(f"u{4 * dtype.itemsize}"))[:, 0]
    words.setflags(write=False)
    return words


@lru_cache(maxsize=8)
def _pairs(palette: Palette, dtype: np.dtype[np.generic], values: np.dtype[np.generic]) -> np.ndarray:
    """Colours of every two neighbours of the 8-bit type `values`, in words of 8 samples: two pixels are one gather."""
    colors = _packed(palette, dtype, values)[:, :3]
    both = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2)  # as they lie in memory
    packed = np.zeros((65536, 8), dtype)
    packed[:, 0:3], packed[:, 3:6] = colors[both[:, 0]], colors[both[:, 1]]
    words: np.ndarray = packed.view("u8" if dtype.itemsize == 1 else "c16")[:, 0]
    words.setflags(write=False)
    return words


def _packed(palette: Palette, dtype: np.dtype[np.generic], values: np.dtype[np.generic] | None) -> np.ndarray:
    colors = palette.colors(dtype)
    if values is not None:
        colors = colors[palette.red.positions(all_values(values))]
    packed = np.zeros((len(colors), 4), dtype)
    packed[:, : colors.shape[1]] = colors
    return packed


def _store(pixels: np.ndarray, first: int, words: np.ndarray, each: int) -> None:
    """Write `words`, of `each` pixels and maybe a spare sample or two, into `pixels` from number `first` on.

    `pixels` are C-contiguous, of 3 or 4 samples, and written in ascending order, piece by piece.
    """
    samples, itemsize = pixels.shape[-1], pixels.dtype.itemsize
    found = words.reshape(-1, 1).view(pixels.dtype)
    used = each * samples
    if found.shape[-1] == used:
        pixels[first : first + each * len(words)] = found.reshape(-1, samples)
        return
    # Words are written so that the spare samples of each fall on the next pixel, which is written after it.
    count = len(words) - (first + each * len(words) == len(pixels))
    spread: np.ndarray = np.ndarray((count,), words.dtype, pixels, first * samples * itemsize, (used * itemsize,))
    spread[...] = words[:count]
    if count < len(words):
        pixels[-each:] = found[-1, :used].reshape(each, samples)
    if not _writes_in_order():
        pixels[first : first + each * len(words)] = found[:, :used].reshape(-1, samples)


@lru_cache(maxsize=1)
def _writes_in_order() -> bool:
    """Whether this numpy writes places that overlap one after the other: it always did, and does not promise it."""
    words = np.arange(1, PIECE_ELEMENTS + 1, dtype=np.uint32)
    memory = np.zeros(3 * len(words) + 1, np.uint8)
    spread: np.ndarray = np.ndarray((len(words),), words.dtype, memory, 0, (3,))
    spread[...] = words
    return np.array_equal(memory[:-1].reshape(-1, 3), words.reshape(-1, 1).view(np.uint8)[:, :3])


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
        Shape of `values` and a last axis of 3; missing values are gray as `gray` has them.
    """
    color = apply_palette(values, palette, dtype=dtype)[..., :3]
    is_gray = ~(values >= palette.red.first_mapped)  # so that what is missing is gray
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
