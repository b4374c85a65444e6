"""The window of whole numbers as one compiled loop, where numba is installed (extra `fast`).

The loop does for one pixel after the other what `voi.WindowKernel` does for all of them in turn, in the same precision and
order: the bits are equal with it and without.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

ENOUGH = 2**30
"""Pixels that a process has to window before a loop is compiled, which takes it about as long as these take without."""

_single, _whole = np.float32, np.int64
_seen = 0


def window_loop(count: int) -> Callable[..., None] | None:
    """The compiled `write_levels`, for `count` pixels more; None without numba, and where a process has few pixels yet."""
    global _seen  # noqa: PLW0603 - it decides how fast a result is, never what it is
    _seen += count
    return _compiled() if _seen >= ENOUGH else None


@cache
def _compiled() -> Callable[..., None] | None:
    try:
        import numba  # noqa: PLC0415 - an optional library, in the one file that is its home
    except ImportError:
        return None
    try:
        compiled: Callable[..., None] = numba.njit(nogil=True, cache=True)(write_levels)
    except RuntimeError:  # there is no folder that numba may keep its work in
        compiled = numba.njit(nogil=True)(write_levels)
    return compiled


def write_levels(
    values: np.ndarray,
    out: np.ndarray,
    offset: int,
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
        Integers of up to 32 bits, and uint8; one dimension.
    offset
        What is added to whole modality values, 0 for others; int64.
    slope, intercept
        What other modality values are made by, 1 and 0 for whole ones; these and all further numbers float32.
    edge, scale, span, shift
        The level is `(modality value - edge) * scale / span + shift`.
    lowest, highest
        Ends of the levels, the upper one with its half.
    """
    for i in range(values.size):
        level = _single(_whole(values[i]) + offset) * slope + intercept
        level -= edge
        level *= scale
        level /= span
        level += shift
        out[i] = np.uint8(min(max(level, lowest), highest))
