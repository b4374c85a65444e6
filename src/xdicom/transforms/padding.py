"""Pixels that pad the image to its shape and mean nothing (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

import numpy as np

from xdicom.transforms.pieces import pieces


def is_padding(values: np.ndarray, padding_value: float, range_limit: float | None = None) -> np.ndarray:
    """Which stored values are padding.

    Parameters
    ----------
    values
        Stored values of any shape: padding is defined before anything else is done to them.
    padding_value
        Pixel Padding Value (0028,0120), or its float or double form (0028,0122), (0028,0123).
    range_limit
        Pixel Padding Range Limit (0028,0121), (0028,0124), (0028,0125): the other end of a range of padding values,
        inclusive, above or below the padding value.

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
    if range_limit is None or range_limit == padding_value:
        return np.asarray(values == padding_value)
    low, high = sorted((padding_value, range_limit))
    out = np.empty(values.shape, bool)
    for index in pieces(values.shape):
        piece = values[index]
        out[index] = (piece >= low) & (piece <= high)
    return out


def mask_padding(values: np.ndarray, padding_value: float, range_limit: float | None = None, *, dtype: np.dtype[np.generic]) -> np.ndarray:
    """`values` as floating-point numbers, with NaN for padding; shape of `values`, type `dtype`."""
    out = np.empty(values.shape, dtype)
    for index in pieces(values.shape):
        piece = out[index]
        piece[...] = values[index]
        piece[is_padding(values[index], padding_value, range_limit)] = np.nan
    return out
