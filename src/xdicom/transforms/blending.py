"""Enhanced palettes: frames of several data types, each with a palette of its own, blended to one color (PS3.3 C.7.6.23)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette
from xdicom.transforms.pieces import pieces

CONSTANT, ALPHA_1, ALPHA_2, TABLE, ONE_MINUS = "CONSTANT", "ALPHA_1", "ALPHA_2", "TABLE", "ONE_MINUS"
IDENTITY = "IDENTITY"


@dataclass(frozen=True, slots=True)
class Weight:
    """How much of one path goes into the color (PS3.3 C.7.6.23.4)."""

    function: str
    """CONSTANT, ALPHA_1, ALPHA_2 or TABLE; for the second path also ONE_MINUS, what the first leaves."""
    constant: float = 0.0
    """Blending Weight Constant (0028,1406), 0 to 1."""
    table: LookupTable | None = None
    """Blending LUT, of the bits of both alphas, those of the first path above those of the second."""

    @property
    def uses(self) -> frozenset[int]:
        """Numbers of the paths whose alpha it needs, 0 and 1."""
        return frozenset({ALPHA_1: (0,), ALPHA_2: (1,), TABLE: (0, 1)}.get(self.function, ()))


@dataclass(frozen=True, slots=True)
class DataPath:
    """What makes color and alpha of the frames of one path."""

    bits: tuple[int, ...]
    """Bits that each kind of frame gives to the input, from its most significant on: one number, or those of high and low part."""
    colors: Palette | None = None
    """The palette; None for EQUAL_RGB, gray by the input itself."""
    alpha: LookupTable | None = None
    """Alpha by input."""
    alpha_function: str = "NONE"
    """Alpha LUT Transfer Function (0028,1410): NONE, IDENTITY (the input) or TABLE."""

    @property
    def alpha_bits(self) -> int:
        """Bits of an alpha value."""
        return sum(self.bits) if self.alpha is None else self.alpha.bits

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type that holds all that the colors say: uint8 or uint16."""
        return np.dtype(np.uint8 if sum(self.bits) <= 8 else np.uint16) if self.colors is None else self.colors.dtype

    def index(self, frames: tuple[np.ndarray, ...], bits_stored: int) -> np.ndarray:
        """Input of the tables: the most significant bits of each kind of frame, those of the first above those of the second."""
        index = np.zeros(frames[0].shape, np.int64)
        for values, bits in zip(frames, self.bits, strict=True):
            index <<= bits
            index |= values.astype(np.int64) >> (bits_stored - bits)
        return index

    def rgb(self, index: np.ndarray) -> np.ndarray:
        """Red, green and blue from 0 to 1; float64, shape of `index` and a last axis of 3."""
        if self.colors is None:
            gray = index / (2 ** sum(self.bits) - 1)
            return np.broadcast_to(gray[..., np.newaxis], (*index.shape, 3))
        entries = self.colors.colors()[..., :3]
        return np.asarray(entries[self.colors.red.positions(index)] / np.iinfo(entries.dtype.str).max)

    def alpha_values(self, index: np.ndarray) -> np.ndarray:
        """Alpha of `alpha_bits` bits, whole numbers."""
        return index if self.alpha is None else np.minimum(self.alpha.apply(index).astype(np.int64), self.alpha.full_scale)


@dataclass(frozen=True, slots=True)
class EnhancedPalette:
    """Paths and weights of an enhanced palette."""

    bits_stored: int
    """Bits of the stored values, which are unsigned."""
    paths: tuple[DataPath, ...]
    """The primary path and, where there is one, the secondary one."""
    weights: tuple[Weight, ...]
    """The weight of each path."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.paths) <= 2 or len(self.weights) != len(self.paths):
            raise ValueError(f"{len(self.paths)} data paths and {len(self.weights)} weights: there are one or two, and one weight for each")
        for path in self.paths:
            if not all(1 <= bits <= self.bits_stored for bits in path.bits) or sum(path.bits) > 16:
                raise ValueError(
                    f"Bits Mapped to Color Lookup Table (0028,1403) of {' and '.join(map(str, path.bits))}: each has to be 1 to "
                    f"{self.bits_stored}, the bits stored, and not more than 16 together"
                )
        for number, weight in enumerate(self.weights, start=1):
            self._check(number, weight)

    def _check(self, number: int, weight: Weight) -> None:
        what = f"Blending LUT {number} Transfer Function {weight.function}"
        if weight.function not in (CONSTANT, ALPHA_1, ALPHA_2, TABLE, *((ONE_MINUS,) if number == 2 else ())):
            raise ValueError(f"{what} is none of those that PS3.3 C.7.6.23.4 knows")
        if weight.function == CONSTANT and not 0 <= weight.constant <= 1:
            raise ValueError(f"Blending Weight Constant (0028,1406) of {weight.constant:g}: it lies from 0 to 1")
        if weight.function == TABLE and weight.table is None:
            raise ValueError(f"{what} without Blending Lookup Table Data (0028,1408)")
        for used in weight.uses:
            if used >= len(self.paths):
                raise ValueError(f"{what} needs the alpha of a secondary data path, and there is none")
            path = self.paths[used]
            if path.alpha_function != IDENTITY and path.alpha is None:
                raise ValueError(f"{what} needs alpha values of the {('primary', 'secondary')[used]} data path, which has none")
        if weight.function == TABLE and sum(path.alpha_bits for path in self.paths) > 16:
            raise ValueError(f"{what} has an index of more than 16 bits")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the colors: uint8 where 8 bits hold all that the palettes say, else uint16."""
        return max((path.dtype for path in self.paths), key=lambda dtype: dtype.itemsize)

    def colors(self, frames: tuple[np.ndarray, ...]) -> np.ndarray:
        """Blended colors from 0 to 1; float64, shape of one of `frames` and a last axis of 3."""
        inputs, rest = [], frames
        for path in self.paths:
            inputs.append(path.index(rest[: len(path.bits)], self.bits_stored))
            rest = rest[len(path.bits) :]
        needed = frozenset().union(*(weight.uses for weight in self.weights))
        alphas = {number: self.paths[number].alpha_values(inputs[number]) for number in needed}
        color, before = np.zeros((*frames[0].shape, 3)), np.zeros(())
        for path, weight, index in zip(self.paths, self.weights, inputs, strict=True):
            before = self._part(weight, alphas, before)
            color += before[..., np.newaxis] * path.rgb(index)
        return np.minimum(color, 1.0, out=color)

    def _part(self, weight: Weight, alphas: dict[int, np.ndarray], first: np.ndarray) -> np.ndarray:
        """The weight of each pixel, 0 to 1; `first` is that of the first path."""
        if weight.function == CONSTANT:
            return np.asarray(weight.constant)
        if weight.function == ONE_MINUS:
            return np.asarray(1.0 - first)
        if weight.table is not None:
            index = (alphas[0] << self.paths[1].alpha_bits) | alphas[1]
            return np.asarray(weight.table.apply(index) / weight.table.full_scale)
        (number,) = weight.uses
        return np.asarray(alphas[number] / (2 ** self.paths[number].alpha_bits - 1))


def blend(*frames: np.ndarray, palette: EnhancedPalette) -> np.ndarray:
    """Colors of the stored values of each kind of frame (PS3.3 C.7.6.23.1).

    Parameters
    ----------
    frames
        Stored values of the primary path and, where there is one, of the secondary one (of its high part and its low part,
        where it has both); unsigned integers of one shape.
    palette
        Paths and weights.

    Returns
    -------
    numpy.ndarray
        Shape of one of `frames` and a last axis of 3; of type `palette.dtype`. The weighted sum is not higher than full
        scale, and rounded to the nearest level, halves upwards.

    Examples
    --------
    >>> half = EnhancedPalette(8, (DataPath((8,)), DataPath((8,))), (Weight("CONSTANT", 0.5), Weight("ONE_MINUS")))
    >>> blend(np.array([[0, 100]], np.uint8), np.array([[51, 200]], np.uint8), palette=half)[..., 0]
    array([[ 26, 150]], dtype=uint8)
    """
    out = np.empty((*frames[0].shape, 3), palette.dtype)
    full = np.iinfo(palette.dtype.str).max
    for index in pieces(frames[0].shape):
        colors = palette.colors(tuple(values[index] for values in frames))
        colors *= full
        colors += 0.5 + 2.0**-24  # what is a half but for the rounding of weights is a half
        out[index] = np.minimum(colors, full, out=colors)
    return out
