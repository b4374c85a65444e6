"""Numbers and clocks of many values at once, from their characters: no object is made for a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_DOT, _MINUS, _PLUS, _SPACE, _ZERO, _BACKSLASH = 46, 45, 43, 32, 48, 92
_TIME_DIGITS, _DATE_TIME_DIGITS = 6, 14
_LARGEST_EXACT, _MOST_DIGITS = 1 << 53, 17
_POWERS = 10.0 ** np.arange(_MOST_DIGITS + 1)


def cells_of(raws: Sequence[bytes]) -> np.ndarray:
    """Values as the rows of one array, zeros behind the shorter ones; uint8, shape `(values, bytes)`."""
    cells = np.array(raws, "S")
    return cells.view(np.uint8).reshape(len(raws), -1)


def decimals(cells: np.ndarray, convert: Callable[[bytes], float]) -> np.ndarray | None:
    """Decimal strings as numbers (PS3.5 6.2 DS and IS), each to the last bit what `float` makes of it.

    Parameters
    ----------
    cells
        Values with their padding; uint8, shape `(values, bytes)`.
    convert
        Reads a part that is not written in plain digits: with an exponent, with very many digits, or no number at all.

    Returns
    -------
    numpy.ndarray or None
        float64, shape `(values, parts)`; None where values have different numbers of parts.
    """
    count, width = cells.shape
    flat = np.empty((count, width + 1), np.uint8)
    flat[:, :width] = cells
    flat[:, width] = _BACKSLASH
    flat = flat.reshape(-1)
    ends = np.flatnonzero(flat == _BACKSLASH)
    parts = len(ends) // count
    if len(ends) != count * parts or (ends[parts - 1 :: parts] != np.arange(1, count + 1) * (width + 1) - 1).any():
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    starts, ends = _without_padding(flat, starts, ends)
    sign = flat[starts]
    is_negative = sign == _MINUS
    first = starts + (is_negative | (sign == _PLUS))
    length = ends - first
    longest = int(min(max(1, length.max()), _MOST_DIGITS))
    # Right-aligned, so that digits of one place lie in one row.
    before = np.concatenate([np.zeros(longest, np.uint8), flat])
    window: np.ndarray = np.ndarray((len(before) - longest + 1,), f"V{longest}", before, 0, (1,))
    places = np.ascontiguousarray(window[ends].view(np.uint8).reshape(-1, longest).T)
    mantissa, behind = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64)
    is_behind = np.zeros(len(ends), bool)
    is_odd = (length <= 0) | (length > longest)
    is_odd |= (length == 1) & (places[-1] == _DOT)
    for row, characters in enumerate(places):
        digit = characters - np.uint8(_ZERO)
        is_inside = length >= longest - row
        is_digit = (digit <= 9) & is_inside
        mantissa = np.where(is_digit, mantissa * 10 + digit, mantissa)
        behind += is_digit & is_behind
        is_dot = (characters == _DOT) & is_inside
        is_odd |= is_inside & ~is_digit & ~(is_dot & ~is_behind)
        is_behind |= is_dot
    is_odd |= mantissa >= _LARGEST_EXACT
    # Both are whole numbers that floats hold exactly: the quotient is the nearest float.
    numbers = mantissa / _POWERS[behind]
    np.negative(numbers, out=numbers, where=is_negative)
    if is_odd.any():
        _convert_odd(numbers, flat, starts, ends, np.flatnonzero(is_odd), convert)
    return numbers.reshape(count, parts)


def _convert_odd(
    numbers: np.ndarray, flat: np.ndarray, starts: np.ndarray, ends: np.ndarray, odd: np.ndarray, convert: Callable[[bytes], float]
) -> None:
    """Fill in the numbers `odd`."""
    text = flat.tobytes()
    parts = [text[start:end] for start, end in zip(starts[odd].tolist(), ends[odd].tolist(), strict=True)]
    try:
        numbers[odd] = list(map(float, parts))
    except ValueError:
        numbers[odd] = [convert(part.replace(b"\0", b" ").strip()) for part in parts]


def _without_padding(flat: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where texts begin and end without the spaces and zeros around them."""
    while True:
        is_padded = (ends > starts) & _is_padding(flat[ends - 1])
        if not is_padded.any():
            break
        ends = ends - is_padded
    while True:
        is_padded = (ends > starts) & _is_padding(flat[starts])
        if not is_padded.any():
            return starts, ends
        starts = starts + is_padded


def _is_padding(characters: np.ndarray) -> np.ndarray:
    return np.asarray((characters == _SPACE) | (characters == 0))


def times(cells: np.ndarray) -> np.ndarray | None:
    """Seconds of the day of TM values, None where not all are written alike: HHMMSS and perhaps a fraction."""
    width = cells.shape[1]
    is_digit = _is_digit(cells)
    if not (_TIME_DIGITS <= width <= _TIME_DIGITS + 10 and bool(is_digit[:, :_TIME_DIGITS].all())):
        return None
    if width > _TIME_DIGITS:
        fraction, dot = cells[:, _TIME_DIGITS:], cells[:, _TIME_DIGITS]
        ends = _is_padding(fraction)
        is_plain = bool((ends[:, :1] | (dot == _DOT)[:, None]).all() and (is_digit[:, _TIME_DIGITS + 1 :] | ends[:, 1:]).all())
        # A digit behind an end, or behind no dot at all, is no fraction.
        if not is_plain or (ends[:, :-1] & is_digit[:, _TIME_DIGITS + 1 :]).any():
            return None
    numbers = np.where(is_digit, cells - _ZERO, 0).astype(np.int64)
    hours, minutes, seconds = (10 * numbers[:, at] + numbers[:, at + 1] for at in (0, 2, 4))
    scale = 10 ** np.arange(width - _TIME_DIGITS - 2, -1, -1) if width > _TIME_DIGITS + 1 else np.empty(0, np.int64)
    one = int(10 * scale[0]) if len(scale) else 1
    return np.asarray(((hours * 60 + minutes) * 60 + seconds) * one + numbers[:, _TIME_DIGITS + 1 :] @ scale) / np.float64(one)


def date_times(cells: np.ndarray) -> np.ndarray | None:
    """Seconds since 1970 of DT values, None where not all are written alike: YYYYMMDDHHMMSS and perhaps a fraction."""
    is_used = ~_is_padding(cells).all(axis=0)
    width = int(np.flatnonzero(is_used)[-1]) + 1 if is_used.any() else 0
    if not (width == _DATE_TIME_DIGITS or _DATE_TIME_DIGITS + 1 < width <= _DATE_TIME_DIGITS + 7):
        return None
    cells = cells[:, :width]
    is_number = _is_digit(cells)
    if width > _DATE_TIME_DIGITS:
        is_number[:, _DATE_TIME_DIGITS] = cells[:, _DATE_TIME_DIGITS] == _DOT
    if not is_number.all():
        return None
    pairs = (cells[:, :_DATE_TIME_DIGITS].reshape(len(cells), -1, 2) - _ZERO) @ np.array([10, 1])
    year, (month, day, hours, minutes, seconds) = pairs[:, 0] * 100 + pairs[:, 1], pairs[:, 2:].T
    first = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    whole = ((first + day - 1) * 24 + hours) * 3600 + minutes * 60 + seconds
    scale = 10 ** np.arange(width - _DATE_TIME_DIGITS - 2, -1, -1)
    fractions = (cells[:, _DATE_TIME_DIGITS + 1 :] - _ZERO) @ scale / (10 * scale[0]) if len(scale) else 0
    is_date = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return np.asarray(np.where(is_date, whole + fractions, np.nan))


def _is_digit(cells: np.ndarray) -> np.ndarray:
    return (cells >= _ZERO) & (cells <= _ZERO + 9)
