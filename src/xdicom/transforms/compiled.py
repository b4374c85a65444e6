"""The window of whole numbers as compiled loops, where numba is installed (extra `fast`).

The loops do for one pixel after the other what `voi.WindowKernel` and `straight.Line` do for all of them in turn, in the
same precision and order: the bits are equal with them and without.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

ENOUGH = 2**30
"""Pixels that a process has to window before a loop is compiled, which takes it about as long as these take without."""

_seen = 0


class Loops(NamedTuple):
    """Compiled loops that write levels."""

    steps: Callable[..., None]
    """As `steps_in` makes it."""
    line: Callable[..., None]
    """`write_line`."""


def window_loops(count: int, arithmetic: np.dtype[np.generic]) -> Loops | None:
    """The compiled loops of that precision, for `count` pixels more; None without numba, and while a process has seen few pixels."""
    global _seen  # noqa: PLW0603 - it decides how fast a result is, never what it is
    _seen += count
    return _compiled(arithmetic) if _seen >= ENOUGH else None


@cache
def _compiled(arithmetic: np.dtype[np.generic]) -> Loops | None:
    try:
        import numba  # noqa: PLC0415 - an optional library, in the one file that is its home
    except ImportError:
        return None
    loops = steps_in(arithmetic.type), write_line
    try:
        return Loops(*(numba.njit(nogil=True, cache=True)(loop) for loop in loops))
    except RuntimeError:  # there is no folder that numba may keep its work in
        return Loops(*(numba.njit(nogil=True)(loop) for loop in loops))


def write_line(
    values: np.ndarray, out: np.ndarray, origin: np.float32, factor: np.float32, offset: np.float32, lowest: np.float32, highest: np.float32
) -> None:
    """Levels of integers into `out`: `(value - origin) * factor + offset`, between `lowest` and `highest`.

    Parameters
    ----------
    values, out
        Integers of up to 16 bits, and uint8; one dimension.
    origin, factor, offset, lowest, highest
        The line, as `straight.Line` has it.
    """
    for i in range(values.size):
        level = (np.float32(values[i]) - origin) * factor + offset
        out[i] = np.uint8(min(max(level, lowest), highest))


def steps_in(number: type[np.generic]) -> Callable[..., None]:
    """The loop, with `number` (float32 or float64) for its arithmetic."""

    def write_levels(
        values: np.ndarray,
        out: np.ndarray,
        slope: Any,
        intercept: Any,
        edge: Any,
        scale: Any,
        span: Any,
        shift: Any,
        lowest: Any,
        highest: Any,
    ) -> None:
        """Levels of integers into `out`.

        Parameters
        ----------
        values, out
            Integers of up to 16 bits, and uint8; one dimension.
        slope, intercept
            What modality values are made by; these and all further ones are of type `number`.
        edge, scale, span, shift
            The level is `(modality value - edge) * scale / span + shift`.
        lowest, highest
            Ends of the levels, the upper one with its half.
        """
        for i in range(values.size):
            level = number(values[i]) * slope + intercept
            level -= edge
            level *= scale
            level /= span
            level += shift
            out[i] = np.uint8(min(max(level, lowest), highest))

    return write_levels
