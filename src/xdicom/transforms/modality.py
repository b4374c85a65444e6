"""Stored values to modality values: rescale and Modality LUT (PS3.3 C.11.1, C.7.6.16.2.9)."""

from __future__ import annotations

import numpy as np

from xdicom.transforms.pieces import part, pieces

SINGLE_PRECISION_BITS = 24
"""Bits of an integer that single precision holds exactly."""

INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
"""Integer types from the smallest on."""


def stored_range(dtype: np.dtype[np.generic], bits_stored: int | None = None) -> tuple[int, int]:
    """Smallest and largest stored value possible; `bits_stored` of `dtype`, or all of its bits.

    Examples
    --------
    >>> stored_range(np.dtype(np.int16), 12)
    (-2048, 2047)
    >>> stored_range(np.dtype(np.uint16), 12)
    (0, 4095)
    """
    bits = min(bits_stored or 8 * dtype.itemsize, 8 * dtype.itemsize)
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "i":
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def modality_dtype(
    stored_dtype: np.dtype[np.generic],
    slope: np.ndarray | float = 1.0,
    intercept: np.ndarray | float = 0.0,
    *,
    bits_stored: int | None = None,
    dtype: np.dtype[np.generic] | None = None,
) -> np.dtype[np.generic]:
    """Type of the modality values, known without looking at a pixel.

    - Integers stay integers where every slope is 1 and every intercept an integer: in the stored type where the
      shifted range fits it, else in the smallest type that holds it (12 bits unsigned and -1024 give int16).
    - Else single precision, which holds stored values of up to 24 bits exactly; the slope is rounded to it, a relative
      error of 6e-8.
    - Double precision where stored values have more than 24 bits, or are doubles themselves.

    Parameters
    ----------
    stored_dtype
        Type of the stored values.
    slope, intercept
        Rescale Slope (0028,1053) and Rescale Intercept (0028,1052): numbers, or one per frame.
    bits_stored
        Bits Stored (0028,0101); without it all bits of `stored_dtype` count.
    dtype
        A type asked for: float32, float64, or an integer type that holds the result exactly.

    Raises
    ------
    ValueError
        When the type asked for is neither a float of 4 or 8 bytes nor an integer type that holds every result.
    """
    whole = exact_integer_range(stored_dtype, slope, intercept, bits_stored)
    if dtype is not None:
        return _checked(np.dtype(dtype), whole)
    if whole is not None:
        candidates = (stored_dtype, *map(np.dtype, INTEGERS)) if stored_dtype.kind in "iu" else map(np.dtype, INTEGERS)
        for candidate in candidates:
            if _fits(whole, candidate):
                return candidate.newbyteorder("=")
    if stored_dtype.kind == "f":
        return np.dtype(np.float64 if stored_dtype.itemsize > 4 else np.float32)
    low, high = stored_range(stored_dtype, bits_stored)
    is_wide = max(-low, high) > 2**SINGLE_PRECISION_BITS
    return np.dtype(np.float64 if is_wide else np.float32)


def exact_integer_range(
    stored_dtype: np.dtype[np.generic],
    slope: np.ndarray | float,
    intercept: np.ndarray | float,
    bits_stored: int | None = None,
) -> tuple[int, int] | None:
    """Smallest and largest modality value possible where all are whole numbers; None where there are fractions to expect."""
    if stored_dtype.kind not in "iub":
        return None
    intercepts = np.asarray(intercept, np.float64)
    if not np.all(np.asarray(slope) == 1) or not np.all(intercepts == np.rint(intercepts)):
        return None
    low, high = stored_range(stored_dtype, bits_stored)
    if not intercepts.size:
        return low, high
    return low + int(intercepts.min()), high + int(intercepts.max())


def modality_range(
    stored_dtype: np.dtype[np.generic],
    slope: np.ndarray | float,
    intercept: np.ndarray | float,
    bits_stored: int | None = None,
) -> tuple[float, float]:
    """Smallest and largest modality value possible over all slopes and intercepts."""
    ends = np.array(stored_range(stored_dtype, bits_stored), np.float64)
    slopes, intercepts = np.asarray(slope, np.float64), np.asarray(intercept, np.float64)
    values = np.stack([end * slopes + intercepts for end in ends])
    if not values.size:
        return float(ends[0]), float(ends[1])
    return float(values.min()), float(values.max())


def rescale(values: np.ndarray, slope: np.ndarray | float, intercept: np.ndarray | float, *, dtype: np.dtype[np.generic]) -> np.ndarray:
    """`values * slope + intercept` in `dtype` (PS3.3 C.11.1.1.2).

    Parameters
    ----------
    values
        Stored values of any shape.
    slope, intercept
        Numbers, or arrays that broadcast against `values` (per frame: axes of length 1 for rows and columns).
    dtype
        Type of the result, from `modality_dtype`. The arithmetic is done in it.

    Returns
    -------
    numpy.ndarray
        Shape of `values`.

    Examples
    --------
    >>> rescale(np.array([0, 1000], np.uint16), 1.0, -1024.0, dtype=np.dtype(np.int16))
    array([-1024,   -24], dtype=int16)
    """
    out = np.empty(values.shape, dtype)
    slopes, intercepts = in_type(slope, dtype), in_type(intercept, dtype)
    for index in pieces(values.shape):
        rescale_into(out[index], values[index], part(slopes, index), part(intercepts, index))
    return out


def in_type(numbers: np.ndarray | float, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Slopes or intercepts in the type of the result, for `rescale_into`.

    Whole numbers wrap into an integer type: the sum wraps back, since the range of the result fits by contract.
    """
    exact = np.asarray(numbers, np.float64)
    return exact.astype(np.int64).astype(dtype) if dtype.kind in "iu" else exact.astype(dtype)


def rescale_into(out: np.ndarray, values: np.ndarray, slope: np.ndarray, intercept: np.ndarray) -> None:
    """`values * slope + intercept` into `out`, of the type of `slope` and `intercept`; for integers the slope is 1."""
    if out.dtype.kind in "iu":
        np.add(values, intercept, out=out, dtype=out.dtype, casting="unsafe")
        return
    out[...] = values
    out *= slope
    out += intercept


def _checked(dtype: np.dtype[np.generic], whole: tuple[int, int] | None) -> np.dtype[np.generic]:
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return dtype.newbyteorder("=")
    if dtype.kind not in "iu":
        raise ValueError(f"modality values can't be of dtype {dtype}: ask for float32, float64 or a wide enough integer type")
    if whole is None:
        raise ValueError(f"{dtype} can't hold modality values with fractions: ask for float32 or float64, or for no dtype")
    if not _fits(whole, dtype):
        raise ValueError(f"{dtype} is too narrow: modality values here can be {whole[0]} to {whole[1]}")
    return dtype.newbyteorder("=")


def _fits(whole: tuple[int, int], dtype: np.dtype[np.generic]) -> bool:
    limits = np.iinfo(dtype.str)
    return bool(limits.min <= whole[0] and whole[1] <= limits.max)
