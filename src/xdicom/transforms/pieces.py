"""Large arrays in pieces that stay in the processor's cache between the passes of a transform."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

PIECE_ELEMENTS = 1 << 16
"""Elements of a piece: 256 kB in single precision."""

Index = tuple[slice, ...]


def pieces(shape: tuple[int, ...], elements: int = PIECE_ELEMENTS) -> Iterator[Index]:
    """Indices that cut an array of `shape` into pieces of about `elements` elements.

    The pieces are contiguous in a C-contiguous array, and their order and size never change a result: a transform of
    one piece knows nothing of the others.

    Examples
    --------
    >>> [tuple((s.start, s.stop) for s in index) for index in pieces((3, 4), elements=8)]
    [((0, 2), (0, 4)), ((2, 3), (0, 4))]
    """
    if 0 in shape:
        return
    if math.prod(shape) <= elements:
        yield tuple(slice(0, n) for n in shape)
        return
    cut = 0
    while cut < len(shape) - 1 and math.prod(shape[cut + 1 :]) > elements:
        cut += 1
    whole = tuple(slice(0, n) for n in shape[cut + 1 :])
    step = max(1, elements // math.prod(shape[cut + 1 :]))
    for leading in np.ndindex(shape[:cut]):
        before = tuple(slice(i, i + 1) for i in leading)
        for start in range(0, shape[cut], step):
            yield (*before, slice(start, min(start + step, shape[cut])), *whole)


def part(parameter: np.ndarray, index: Index) -> np.ndarray:
    """What belongs to the piece `index` of a parameter that broadcasts against the whole array.

    Examples
    --------
    >>> slopes = np.array([1.0, 2.0, 3.0])[:, None]
    >>> part(slopes, (slice(1, 3), slice(0, 4))).ravel()
    array([2., 3.])
    """
    tail = index[len(index) - parameter.ndim :]
    return parameter[tuple(slice(0, 1) if n == 1 else s for n, s in zip(parameter.shape, tail, strict=True))]


class Scratch:
    """Memory for one piece, used again for each: fresh memory costs as much as a pass over it."""

    def __init__(self, dtype: np.dtype[np.generic]) -> None:
        self._memory = np.empty(0, dtype)

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of `shape` with undefined contents, in the memory of the one before it."""
        size = math.prod(shape)
        if size > len(self._memory):
            self._memory = np.empty(size, self._memory.dtype)
        return self._memory[:size].reshape(shape)

    def copy(self, values: np.ndarray) -> np.ndarray:
        """`values` in the scratch's own type."""
        out = self.empty(values.shape)
        out[...] = values
        return out
