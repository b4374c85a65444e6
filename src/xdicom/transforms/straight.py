"""Windows as a straight line from stored values to levels: one product and one sum instead of six steps, where the levels are the same.

Whether they are is not argued but tried, with every stored value that lies within the window. Rescaling and windowing never
turn back, and neither does the line: what lies beyond the values tried is black or white by both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np

from xdicom.transforms.lookup import native
from xdicom.transforms.modality import in_type, rescale_into
from xdicom.transforms.pieces import Scratch, pieces
from xdicom.transforms.voi import LINEAR, WindowKernel

NUDGES = (2.0**-15, 2.0**-18)
"""What the line lies higher, in levels, so that no value on the border of two falls short by a rounding; less in wide windows."""

ORIGINS = (0.0, 1.0, 0.5, 0.25, 0.75)
"""Where in the window stored values are counted from: roundings grow with the distance, and lie elsewhere for another origin."""

REACH = 2**22
"""Single precision takes whole numbers of 16 bits from whole numbers below this exactly."""

SINGLE = float(np.finfo(np.float32).max)
"""Greatest number of single precision."""

LEVELS = (0, 255)
"""Black and white of the levels, which are of type uint8."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Numbers that make levels from stored values, in the precision that they are used in."""

    stored: str
    """Type of the stored values: integers of at most 16 bits."""
    modality: str
    """Type of the modality values."""
    arithmetic: str
    """Precision of the window."""
    slope: float
    intercept: float
    edge: float
    """Modality value of the lowest output."""
    span: float
    """Modality values from there to the highest output, above 0."""
    output: tuple[float, float]
    """(0, 255), or (255, 0) where the lowest values are white."""

    def write(self, out: np.ndarray, values: np.ndarray) -> None:
        """Levels of stored `values`, step by step, into `out`, of the same shape."""
        arithmetic, modality_dtype = np.dtype(self.arithmetic), np.dtype(self.modality)
        slope, intercept = in_type(self.slope, modality_dtype), in_type(self.intercept, modality_dtype)
        edge, span = np.asarray(self.edge, arithmetic), np.asarray(self.span, arithmetic)
        kernel = WindowKernel(edge, span, LINEAR, self.output, out.dtype, arithmetic)
        memory, scratch = Scratch(modality_dtype), Scratch(arithmetic)
        for index in pieces(values.shape):
            modality = memory.empty(values[index].shape)
            rescale_into(modality, values[index], slope, intercept)
            kernel.write(out[index], scratch.copy(modality), index, may_be_missing=False)

    @property
    def steps(self) -> tuple[np.generic, ...]:
        """Numbers of the compiled loop that takes the same steps, in the precision of the window."""
        low, high = self.output
        numbers = (self.slope, self.intercept, self.edge, high - low, self.span, low + 0.5, min(low, high), max(low, high) + 0.5)
        return tuple(np.dtype(self.arithmetic).type(number) for number in numbers)


@dataclass(frozen=True, slots=True)
class Line:
    """The level of a stored value is `(value - origin) * factor + offset`, without its fraction and not beyond black and white."""

    first: int
    """Stored value that is black or white, as are all below it; or the least of its type."""
    last: int
    """Stored value that is black or white, as are all above it; or the greatest of its type."""
    origin: np.float32
    factor: np.float32
    offset: np.float32
    is_clipped: bool = True
    """Whether the formula goes beyond black or white between the first and the last value."""

    @property
    def ends(self) -> tuple[np.float32, np.float32]:
        """Least and greatest result before the fraction is dropped."""
        return np.float32(LEVELS[0]), np.float32(LEVELS[1] + 0.5)

    def write(self, out: np.ndarray, values: np.ndarray) -> None:
        """Levels of `values` into `out`, of the same shape."""
        dtype = native(values.dtype)
        within, scratch = Scratch(dtype), Scratch(np.dtype(np.float32))
        first, last = dtype.type(self.first), dtype.type(self.last)
        for index in pieces(values.shape):
            out[index] = self.level(scratch.copy(np.clip(values[index], first, last, out=within.empty(values[index].shape))))

    def level(self, values: np.ndarray) -> np.ndarray:
        """Levels with their fractions of `values` from the first to the last, in their memory, which is of single precision."""
        values -= self.origin
        values *= self.factor
        values += self.offset
        return np.clip(values, *self.ends, out=values) if self.is_clipped else values


@lru_cache(maxsize=1024)
def straight_line(setting: Setting) -> Line | None:
    """The line that gives the levels of `setting` for all stored values; None where there is none.

    Examples
    --------
    >>> line = straight_line(Setting("int16", "int16", "float32", 1.0, -1024.0, -160.0, 399.0, (0, 255)))
    >>> levels = np.empty(3, np.uint8)
    >>> line.write(levels, np.array([864, 1064, 1263], np.int16))
    >>> levels
    array([  0, 128, 255], dtype=uint8)
    """
    limits, (low, high) = np.iinfo(setting.stored), setting.output
    if not setting.slope:
        return None
    black, white = ((setting.edge + part - setting.intercept) / setting.slope for part in (0.0, setting.span))
    if not (math.isfinite(black) and math.isfinite(white)):
        return None
    per_value = setting.slope * (high - low) / setting.span
    if not math.isfinite(per_value) or abs(per_value) > SINGLE:
        return None
    first = min(max(math.floor(min(black, white)) - 2, limits.min), limits.max)
    last = max(min(math.ceil(max(black, white)) + 2, limits.max), limits.min)
    tried = np.arange(first, last + 1, dtype=setting.stored)
    exact = np.empty(len(tried), np.uint8)
    setting.write(exact, tried)
    before, after = LEVELS if per_value > 0 else LEVELS[::-1]
    start, stop = int(np.count_nonzero(exact == before)) - 1, len(tried) - int(np.count_nonzero(exact == after))
    start, stop = max(start, 0), min(stop, len(tried) - 1)
    if not (exact[0] == before or first == limits.min) or not (exact[-1] == after or last == limits.max) or start > stop:
        return None
    for share, nudge in product(ORIGINS, NUDGES):
        origin = round(min(max(black + share * (white - black), -REACH), REACH))
        offset = (origin - black) * per_value + low + 0.5 + nudge
        if not math.isfinite(offset) or abs(offset) > SINGLE:
            continue
        line = Line(first + start, first + stop, np.float32(origin), np.float32(per_value), np.float32(offset), is_clipped=False)
        levels = line.level(tried[start : stop + 1].astype(np.float32))
        line = replace(line, is_clipped=bool(levels.min() <= -1 or levels.max() >= LEVELS[1] + 1))
        np.clip(levels, *line.ends, out=levels)
        if np.array_equal(levels.astype(np.uint8), exact[start : stop + 1]):
            return line
    return None
