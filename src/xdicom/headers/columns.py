"""Raw values of many frames to columns: equal bytes are converted once."""

from __future__ import annotations

import calendar
import re
from typing import TYPE_CHECKING

import numpy as np

from xdicom.headers.values import RawValue, decode_text, number_or_nan
from xdicom.model.columns import Column, Kind, concatenate, merge_equal, smallest_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

_BINARY = {"US": "u2", "SS": "i2", "UL": "u4", "SL": "i4", "UV": "u8", "SV": "i8", "FL": "f4", "FD": "f8", "AT": "u2"}
_RAW_VRS = frozenset({"SQ", "SQ implicit", "OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_DATE_TIME = re.compile(r"(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\.\d{1,6})?([+-]\d{4})?$")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(\.\d+)?$")


def seconds_of_day(text: str) -> float:
    """A TM value as seconds since midnight, NaN where it is none (PS3.5 6.2).

    Examples
    --------
    >>> seconds_of_day("101530.25"), seconds_of_day("10:15")
    (36930.25, 36900.0)
    """
    match = _TIME.match(text.strip(" \0"))
    if match is None:
        return float("nan")
    hours, minutes, seconds, fraction = match.groups()
    return round(int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(fraction or 0), 9)


def days_since_1970(text: str) -> float:
    """A DA value as days since 1970-01-01, NaN where it is none (PS3.5 6.2)."""
    digits = text.strip(" \0").replace(".", "").replace("-", "")
    if len(digits) != 8 or not digits.isdecimal():
        return float("nan")
    return seconds_since_1970(digits) / 86400


def seconds_since_1970(text: str) -> float:
    """A DT value as seconds since 1970-01-01 by its own clock, NaN where it is none (PS3.5 6.2)."""
    match = _DATE_TIME.match(text.strip(" \0"))
    if match is None:
        return float("nan")
    year, month, day, hours, minutes, seconds, fraction, _offset = match.groups()
    if int(year) == 0 or not (1 <= int(month or 1) <= 12 and 1 <= int(day or 1) <= 31):
        return float("nan")
    whole = calendar.timegm((int(year), int(month or 1), int(day or 1), int(hours or 0), int(minutes or 0), int(seconds or 0)))
    return whole + float(fraction or 0)


_FEW = 16
"""Values up to this number are converted one by one."""
_BACKSLASH, _NEWLINE, _TIME_DIGITS, _DATE_TIME_DIGITS = 92, 10, 6, 14
_LARGEST_WHOLE = 2.0**53
_MANY, _WIDEST_WORDS = 4096, 32
"""So many values of so few bytes are told apart as machine words."""
_CLOCKS = {"TM": seconds_of_day, "DA": days_since_1970, "DT": seconds_since_1970}


def parse_values(
    vr: str, raws: Sequence[bytes], *, is_implicit: bool, is_big_endian: bool, character_sets: Sequence[str] = ()
) -> tuple[Kind, np.ndarray]:
    """Distinct raw values of one VR as the rows of a column.

    Dates, times and date-times become numbers: days since 1970, seconds of the day, seconds since 1970.
    """
    if vr in _RAW_VRS:
        return "raw", _raw_values(vr, raws, is_implicit, is_big_endian)
    if vr == "TM" and len(raws) > _FEW:
        return "number", _times(raws).reshape(len(raws), 1)
    if vr == "DT" and len(raws) > _FEW:
        return "number", _date_times(raws).reshape(len(raws), 1)
    if vr in _CLOCKS:
        parse = _CLOCKS[vr]
        return "number", np.array([parse(raw.decode("latin_1").split("\\")[0]) for raw in raws], np.float64).reshape(len(raws), 1)
    if vr in _BINARY:
        return "number", _binary_rows(vr, raws, is_big_endian)
    if vr == "IS" and (whole := _plain_integers(raws)) is not None:
        return "number", whole
    if vr in ("DS", "IS"):
        rows = _text_rows(vr, raws)
        is_whole = (
            vr == "IS" and bool(np.isfinite(rows).all()) and bool((np.abs(rows) < _LARGEST_WHOLE).all()) and bool((rows % 1 == 0).all())
        )
        return "number", rows.astype(np.int64) if is_whole else rows
    values = np.empty(len(raws), object)
    texts = _latin_texts(raws) if vr in ("CS", "UI", "AE", "AS", "UR") else [decode_text(raw, character_sets) for raw in raws]
    if vr in ("LT", "ST", "UT", "UR"):
        values[:] = [text.strip(" \0") for text in texts]
    else:
        values[:] = ["\\".join([part.strip(" \0") for part in text.split("\\")]) if "\\" in text else text.strip(" \0") for text in texts]
    return "text", values


def _latin_texts(raws: Sequence[bytes]) -> list[str]:
    texts = b"\n".join(raws).decode("latin_1").split("\n")
    return texts if len(texts) == len(raws) else [raw.decode("latin_1") for raw in raws]


def _raw_values(vr: str, raws: Sequence[bytes], is_implicit: bool, is_big_endian: bool) -> np.ndarray:
    values = np.empty(len(raws), object)
    kind, implicit = ("SQ", True) if vr == "SQ implicit" else (vr, is_implicit)
    values[:] = [RawValue(kind, raw, implicit, is_big_endian and vr != "SQ implicit") for raw in raws]
    return values


def _binary_rows(vr: str, raws: Sequence[bytes], is_big_endian: bool) -> np.ndarray:
    if len({len(raw) for raw in raws}) == 1 and vr != "AT":
        dtype = np.dtype(_BINARY[vr]).newbyteorder(">" if is_big_endian else "<")
        width = len(raws[0]) // dtype.itemsize
        if width and len(raws[0]) == width * dtype.itemsize:
            return np.frombuffer(b"".join(raws), dtype).reshape(-1, width).astype(dtype.newbyteorder("="))
    return _ragged([RawValue(vr, raw, is_big_endian=is_big_endian).numbers() for raw in raws])


def _text_rows(vr: str, raws: Sequence[bytes]) -> np.ndarray:
    if len(raws) <= _FEW:
        return _ragged([RawValue(vr, raw).numbers() for raw in raws])
    width = raws[0].count(b"\\") + 1
    joined = b"\n".join(raws)
    marks = np.frombuffer(joined + b"\n", np.uint8)
    marks = marks[(marks == _BACKSLASH) | (marks == _NEWLINE)]
    if len(marks) == len(raws) * width:
        marks = marks.reshape(-1, width)
        if (marks[:, -1] == _NEWLINE).all() and (marks[:, :-1] == _BACKSLASH).all():
            parts = joined.replace(b"\n", b"\\").replace(b"\0", b" ").split(b"\\")
            return np.stack([_decimals(parts[column::width]) for column in range(width)], axis=1)
    return _ragged([RawValue(vr, raw).numbers() for raw in raws])


def _plain_integers(raws: Sequence[bytes]) -> np.ndarray | None:
    """Integers of one value each, None where something else is among them."""
    try:
        values = np.fromiter(map(int, raws), np.int64, len(raws))
    except (ValueError, OverflowError):
        return None
    return values.reshape(-1, 1) if bool((np.abs(values) < _LARGEST_WHOLE).all()) else None


def _decimals(parts: list[bytes]) -> np.ndarray:
    """Numbers of decimal strings, NaN for what is none; each different one is converted once."""
    distinct = list(dict.fromkeys(parts))
    try:
        numbers = np.fromiter(map(float, distinct), np.float64, len(distinct))
    except ValueError:
        numbers = np.array([number_or_nan(part.strip(), float) for part in distinct], np.float64)
    if len(distinct) == len(parts):
        return numbers
    index = dict(zip(distinct, numbers.tolist(), strict=True))
    return np.fromiter(map(index.__getitem__, parts), np.float64, len(parts))


def _times(raws: Sequence[bytes]) -> np.ndarray:
    """Seconds of the day of many TM values at once, where all are written alike: HHMMSS and perhaps a fraction."""
    cells = np.array(raws, "S")
    width = cells.dtype.itemsize
    digits = cells.view(np.uint8).reshape(len(raws), width)
    is_digit = (digits >= 48) & (digits <= 57)
    is_plain = _TIME_DIGITS <= width <= _TIME_DIGITS + 10 and bool(is_digit[:, :_TIME_DIGITS].all())
    if is_plain and width > _TIME_DIGITS:
        fraction, dot = digits[:, _TIME_DIGITS:], digits[:, _TIME_DIGITS]
        ends = (fraction == 32) | (fraction == 0)
        is_plain = bool((ends[:, :1] | (dot == 46)[:, None]).all() and (is_digit[:, _TIME_DIGITS + 1 :] | ends[:, 1:]).all())
        # A digit behind an end, or behind no dot at all, is no fraction.
        is_plain = is_plain and not (ends[:, :-1] & is_digit[:, _TIME_DIGITS + 1 :]).any()
    if not is_plain:
        return np.array([seconds_of_day(raw.decode("latin_1").split("\\")[0]) for raw in raws], np.float64)
    numbers = np.where(is_digit, digits - 48, 0).astype(np.int64)
    hours, minutes, seconds = (10 * numbers[:, at] + numbers[:, at + 1] for at in (0, 2, 4))
    scale = 10 ** np.arange(width - _TIME_DIGITS - 2, -1, -1) if width > _TIME_DIGITS + 1 else np.empty(0, np.int64)
    one = int(10 * scale[0]) if len(scale) else 1
    return np.asarray(((hours * 60 + minutes) * 60 + seconds) * one + numbers[:, _TIME_DIGITS + 1 :] @ scale) / one


def _date_times(raws: Sequence[bytes]) -> np.ndarray:
    """Seconds since 1970 of many DT values at once, where all are written alike: YYYYMMDDHHMMSS and perhaps a fraction."""
    cells = np.array([raw.rstrip(b" \0") for raw in raws], "S")
    width = cells.dtype.itemsize
    digits = cells.view(np.uint8).reshape(len(raws), width)
    is_number = (digits >= 48) & (digits <= 57)
    is_plain = width == _DATE_TIME_DIGITS or _DATE_TIME_DIGITS + 1 < width <= _DATE_TIME_DIGITS + 7
    if is_plain and width > _DATE_TIME_DIGITS:
        is_number[:, _DATE_TIME_DIGITS] = digits[:, _DATE_TIME_DIGITS] == 46
    if not (is_plain and is_number.all()):
        return np.array([seconds_since_1970(raw.decode("latin_1").split("\\")[0]) for raw in raws], np.float64)
    pairs = (digits[:, :_DATE_TIME_DIGITS].reshape(len(raws), -1, 2) - 48) @ np.array([10, 1])
    year, (month, day, hours, minutes, seconds) = pairs[:, 0] * 100 + pairs[:, 1], pairs[:, 2:].T
    first = ((year - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    whole = ((first + day - 1) * 24 + hours) * 3600 + minutes * 60 + seconds
    scale = 10 ** np.arange(width - _DATE_TIME_DIGITS - 2, -1, -1)
    fractions = (digits[:, _DATE_TIME_DIGITS + 1 :] - 48) @ scale / (10 * scale[0]) if len(scale) else 0
    is_date = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return np.asarray(np.where(is_date, whole + fractions, np.nan))


def _ragged(rows: list[tuple[int | float, ...]]) -> np.ndarray:
    width = max([len(row) for row in rows] + [1])
    values = np.full((len(rows), width), np.nan)
    for row, numbers in zip(values, rows, strict=True):
        row[: len(numbers)] = numbers
    return values


def gather_column(
    vr: str,
    data: np.ndarray,
    offset: np.ndarray,
    length: np.ndarray,
    *,
    is_implicit: bool,
    character_sets: Sequence[str] = (),
    is_raw: bool = False,
) -> Column:
    """Column of values that lie at `offset` of `data` [bytes], little endian; a value of no length is missing.

    `data` must go on for the longest of the values behind the last one's start.
    """
    count = len(offset)
    width = int(length.max()) if count else 0
    if not width:
        return Column("text", np.empty(0, object), np.full(count, -1, np.int8))
    same_length = int(length.min()) == width
    window: np.ndarray = np.ndarray((max(0, len(data) - width + 1),), f"V{width}", data, 0, (1,))
    cells = window[offset] if int(offset[-1]) < len(window) and int(offset.max()) < len(window) else _gather_near_end(data, offset, width)
    if same_length and cells.tobytes() == cells[:1].tobytes() * count:
        kind, values = _parse_any(vr, [cells[0].tobytes()], is_implicit, character_sets, is_raw)
        return Column(kind, values, np.zeros(count, np.int8))
    if count >= _MANY and not is_raw and vr not in _RAW_VRS and width <= _WIDEST_WORDS and (same_length or vr not in _BINARY):
        first, codes = _distinct_words(cells.view(np.uint8).reshape(count, width), None if same_length else length)
        if vr in _BINARY and vr != "AT" and width % np.dtype(_BINARY[vr]).itemsize == 0:
            kind, values = "number", np.frombuffer(cells[first].tobytes(), f"<{_BINARY[vr]}").reshape(len(first), -1)
        else:
            raws = [cells[row].tobytes()[: int(length[row])] for row in first.tolist()]
            kind, values = _parse_any(vr, raws, is_implicit, character_sets, is_raw)
        return Column(kind, values, codes.astype(smallest_codes(len(values))))
    raws = cells.tolist() if same_length else [cell[:n] for cell, n in zip(cells.tolist(), length.tolist(), strict=True)]
    distinct = dict.fromkeys(raws)
    if len(distinct) == count and b"" not in distinct:
        kind, values = _parse_any(vr, raws, is_implicit, character_sets, is_raw)
        return Column(kind, values, np.arange(count, dtype=smallest_codes(len(values))))
    distinct.pop(b"", None)
    index: dict[bytes, int] = dict(zip(distinct, range(len(distinct)), strict=True)) | {b"": -1}
    kind, values = _parse_any(vr, list(distinct), is_implicit, character_sets, is_raw)
    codes = np.fromiter(map(index.__getitem__, raws), smallest_codes(len(values)), count)
    return Column(kind, values, codes)


def _distinct_words(cells: np.ndarray, length: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """A row of each distinct value of many short ones, and the number of each row's value; -1 for those of no length.

    No object is made for a row. `cells` has shape `(rows, bytes)`; what lies behind the `length` of a value is no part of it.
    """
    rows, width = cells.shape
    padded = np.zeros((rows, -(-width // 8) * 8), np.uint8)
    padded[:, :width] = cells
    if length is not None:
        padded[np.arange(padded.shape[1]) >= length[:, None]] = 0
    words = padded.view("<u8")
    heads = np.flatnonzero(np.concatenate([[True], (words[1:] != words[:-1]).any(axis=1)]))
    codes = np.zeros(len(heads), np.int64)
    for column in range(words.shape[1]):
        values, found = np.unique(words[heads, column], return_inverse=True)
        if len(values) > 1:
            codes = np.unique(codes * len(values) + found.reshape(-1), return_inverse=True)[1].reshape(-1)
    first = np.full(int(codes.max()) + 1, rows, np.int64)
    np.minimum.at(first, codes, heads)
    codes = np.repeat(codes, np.diff(heads, append=rows))
    empty = int(codes[int(np.argmin(length))]) if length is not None and not length.all() else -1
    if empty < 0:
        return first, codes
    # Values of zeros alone mean what those of no length do: nothing.
    return np.delete(first, empty), np.where(codes == empty, -1, codes - (codes > empty))


def _gather_near_end(data: np.ndarray, offset: np.ndarray, width: int) -> np.ndarray:
    padded = np.concatenate([data[int(offset.min()) :], np.zeros(width, np.uint8)])
    window: np.ndarray = np.ndarray((len(padded) - width + 1,), f"V{width}", padded, 0, (1,))
    return np.asarray(window[offset - int(offset.min())])


def _parse_any(vr: str, raws: Sequence[bytes], is_implicit: bool, character_sets: Sequence[str], is_raw: bool) -> tuple[Kind, np.ndarray]:
    if is_raw:
        return "raw", _raw_values(vr, raws, is_implicit, is_big_endian=False)
    return parse_values(vr, raws, is_implicit=is_implicit, is_big_endian=False, character_sets=character_sets)


def build_column(
    keys: Sequence[tuple[str, bytes, bool, bool] | None], character_sets: Sequence[str] = (), *, is_raw: bool = False
) -> Column:
    """Column of one raw value `(vr, bytes, is_implicit, is_big_endian)` a frame; None and empty values are missing.

    With `is_raw` values stay as they are, whatever their VR.
    """
    index: dict[tuple[str, bytes, bool, bool], int] = {}
    codes = np.array([index.setdefault(key, len(index)) if key is not None and key[1] else -1 for key in keys], np.int64)
    distinct = list(index)
    forms = sorted({(vr, implicit, big) for vr, _, implicit, big in distinct})
    number = {form: i for i, form in enumerate(forms)}
    form = np.array([number[vr, implicit, big] for vr, _, implicit, big in distinct] + [-1], np.int64)
    parts: list[Column] = []
    for i, (vr, implicit, big) in enumerate(forms):
        rows = np.flatnonzero(form == i)
        raws = [distinct[row][1] for row in rows.tolist()]
        kind: Kind
        if is_raw:
            kind, values = "raw", _raw_values(vr, raws, implicit, big)
        else:
            kind, values = parse_values(vr, raws, is_implicit=implicit, is_big_endian=big, character_sets=character_sets)
        place = np.zeros(len(form), smallest_codes(len(values)))
        place[rows] = np.arange(len(rows))
        parts.append(Column(kind, values, place[codes[form[codes] == i]]))
    if not parts:
        return Column("text", np.empty(0, object), codes.astype(np.int8))
    if len(parts) == 1 and len(parts[0]) == len(codes):
        return merge_equal(parts[0])
    joined = concatenate([*parts], [len(part) for part in parts])
    placed = np.full(len(codes), -1, joined.codes.dtype)
    placed[np.concatenate([np.flatnonzero(form[codes] == i) for i in range(len(forms))])] = joined.codes
    return Column(joined.kind, joined.values, placed)
