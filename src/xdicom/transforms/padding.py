"""Pixels that pad the image to its shape and mean nothing (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

import math

import numpy as np

from xdicom.transforms.pieces import Scratch, part, pieces

Parameter = np.ndarray | float


def is_padding(values: np.ndarray, padding_value: Parameter, range_limit: Parameter = np.nan) -> np.ndarray:
    """Which stored values are padding.

    Parameters
    ----------
    values
        Stored values of any shape: padding is defined before anything else is done to them.
    padding_value
        Pixel Padding Value (0028,0120), or its float or double form (0028,0122), (0028,0123); NaN for none. A number, or an
        array that broadcasts against `values` (per frame: axes of length 1 for rows and columns).
    range_limit
        Pixel Padding Range Limit (0028,0121), (0028,0124), (0028,0125): the other end of a range of padding values,
        inclusive, above or below the padding value; NaN for none. As `padding_value`.

    Returns
    -------
    numpy.ndarray
        bool, shape of `values`.

    Examples
    --------
    >>> is_padding(np.array([-2000, -1999, 0], np.int16), -2000)
    array([ True, False, False])
    >>> is_padding(np.array([0, 5, 10, 11], np.uint16), 10, 1)
    array([False,  True,  True, False])
    """
    low, high = _range(padding_value, range_limit)
    out = np.empty(values.shape, bool)
    for index in pieces(values.shape):
        _find(out[index], values[index], part(low, index), part(high, index))
    return out


def mask_padding(
    values: np.ndarray, padding_value: Parameter, range_limit: Parameter = np.nan, *, dtype: np.dtype[np.generic]
) -> np.ndarray:
    """`values` as floating-point numbers, with NaN for padding; shape of `values`, type `dtype`.

    The other parameters are those of `is_padding`.
    """
    low, high = _range(padding_value, range_limit)
    out = np.empty(values.shape, dtype)
    found = Scratch(np.dtype(bool))
    for index in pieces(values.shape):
        piece, here = out[index], found.empty(values[index].shape)
        piece[...] = values[index]
        _find(here, values[index], part(low, index), part(high, index))
        piece[here] = np.nan
    return out


def _range(padding_value: Parameter, range_limit: Parameter) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of the range, float64; NaN for none."""
    one, other = np.asarray(padding_value, np.float64), np.asarray(range_limit, np.float64)
    other = np.where(np.isnan(other), one, other)
    return np.minimum(one, other), np.maximum(one, other)


def _find(out: np.ndarray, values: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Which of one piece lie between `low` and `high`, into `out`."""
    if low.size == 1 and values.dtype.kind in "iu":  # compared as integers, which is several times as fast
        least, most = float(low.reshape(-1)[0]), float(high.reshape(-1)[0])
        limits = np.iinfo(values.dtype.str)
        if not (most >= limits.min and least <= limits.max):
            out[...] = False
            return
        first, last = math.ceil(max(least, limits.min)), math.floor(min(most, limits.max))
        np.greater_equal(values, first, out=out)
        np.logical_and(out, values <= last, out=out)
        return
    np.greater_equal(values, low, out=out)
    np.logical_and(out, values <= high, out=out)
