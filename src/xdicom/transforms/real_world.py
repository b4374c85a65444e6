"""Stored values to real-world values, a branch beside the grayscale pipeline (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.pieces import part, pieces


@dataclass(frozen=True, slots=True)
class RealWorldMap:
    """One item of the Real World Value Mapping Sequence (0040,9096)."""

    first_mapped: float = -math.inf
    """First stored value mapped (0040,9216), or its double form (0040,9214); -inf where the file sets no limit."""
    last_mapped: float = math.inf
    """Last stored value mapped (0040,9211), or its double form (0040,9213), inclusive; inf where the file sets no limit."""
    slope: float | None = None
    """Real World Value Slope (0040,9225) [unit per stored value]; None where there is a table."""
    intercept: float | None = None
    """Real World Value Intercept (0040,9224) [unit]."""
    table: LookupTable | None = None
    """Real World Value LUT Data (0040,9212): float64 entries from the first value mapped on."""
    unit: str = ""
    """Measurement Units Code (0040,08EA), as UCUM has it: `ml/min/g`, `{ratio}`, `1`."""
    label: str = ""
    """LUT Label (0040,9210)."""
    explanation: str = ""
    """LUT Explanation (0028,3003)."""
    quantity: str = ""
    """What is measured, from the Quantity Definition Sequence (0040,9220)."""


def map_linear(
    values: np.ndarray,
    slope: np.ndarray | float,
    intercept: np.ndarray | float,
    first_mapped: np.ndarray | float,
    last_mapped: np.ndarray | float,
    *,
    dtype: np.dtype[np.generic],
) -> np.ndarray:
    """`values * slope + intercept`, and NaN for stored values that are not mapped.

    Parameters
    ----------
    values
        Stored values of any shape.
    slope, intercept, first_mapped, last_mapped
        Numbers, or arrays that broadcast against `values`. The ends of the range may come in either order.
    dtype
        float32 or float64.

    Returns
    -------
    numpy.ndarray
        Shape of `values`.

    Examples
    --------
    >>> map_linear(np.array([0, 10, 20], np.uint16), 0.5, 1.0, 0, 10, dtype=np.dtype(np.float32))
    array([ 1.,  6., nan], dtype=float32)
    """
    slopes, intercepts = np.asarray(slope, dtype), np.asarray(intercept, dtype)
    lows = np.minimum(np.asarray(first_mapped, np.float64), last_mapped)
    highs = np.maximum(np.asarray(first_mapped, np.float64), last_mapped)
    out = np.empty(values.shape, dtype)
    for index in pieces(values.shape):
        piece, stored = out[index], values[index]
        piece[...] = stored
        piece *= part(slopes, index)
        piece += part(intercepts, index)
        piece[(stored < part(lows, index)) | (stored > part(highs, index))] = np.nan
    return out


def map_table(values: np.ndarray, table: LookupTable, *, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Entries of `table` for stored `values`, and NaN for those beyond it; shape of `values`, type `dtype`."""
    entries = table.data.astype(dtype)
    out = np.empty(values.shape, dtype)
    for index in pieces(values.shape):
        stored = values[index]
        piece = entries[table.positions(stored)]
        piece[~((stored >= table.first_mapped) & (stored <= table.last_mapped))] = np.nan
        out[index] = piece
    return out
