"""Raw values of many frames to columns: equal bytes are converted once."""

from __future__ import annotations

import calendar
import re
from typing import TYPE_CHECKING

import numpy as np

from xdicom.headers.digits import cells_of, date_times, decimals, times
from xdicom.headers.values import RawValue, decode_text, number_or_nan
from xdicom.model.columns import Column, Kind, concatenate, distinct_cells, merge_equal, smallest_codes

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
_LARGEST_WHOLE = 2.0**53
_WIDEST_WORDS = 64
"""Values of so few bytes are told apart as machine words."""
_CLOCKS = {"TM": seconds_of_day, "DA": days_since_1970, "DT": seconds_since_1970}


def parse_values(
    vr: str, raws: Sequence[bytes], *, is_implicit: bool, is_big_endian: bool, character_sets: Sequence[str] = ()
) -> tuple[Kind, np.ndarray]:
    """Distinct raw values of one VR as the rows of a column.

    Dates, times and date-times become numbers: days since 1970, seconds of the day, seconds since 1970.
    """
    if vr in _RAW_VRS:
        return "raw", _raw_values(vr, raws, is_implicit, is_big_endian)
    if len(raws) > _FEW and (numbers := _parse_cells(vr, cells_of(raws))) is not None:
        return "number", numbers
    if vr in _CLOCKS:
        parse = _CLOCKS[vr]
        return "number", np.array([parse(raw.decode("latin_1").split("\\")[0]) for raw in raws], np.float64).reshape(len(raws), 1)
    if vr in _BINARY:
        return "number", _binary_rows(vr, raws, is_big_endian)
    if vr in ("DS", "IS"):
        return "number", _whole_if_integers(vr, _ragged([RawValue(vr, raw).numbers() for raw in raws]))
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


def _parse_cells(vr: str, cells: np.ndarray) -> np.ndarray | None:
    """Numbers of many values in the rows of `cells`, one row each; None where they have to be read one by one."""
    if vr in ("TM", "DT"):
        seconds = times(cells) if vr == "TM" else date_times(cells)
        return None if seconds is None else seconds.reshape(-1, 1)
    if vr not in ("DS", "IS"):
        return None
    numbers = decimals(cells, lambda text: number_or_nan(text, float))
    return None if numbers is None else _whole_if_integers(vr, numbers)


def _whole_if_integers(vr: str, rows: np.ndarray) -> np.ndarray:
    """The same numbers as integers, where they are integer strings that spell nothing else."""
    if vr != "IS" or not np.isfinite(rows).all() or (np.abs(rows) >= _LARGEST_WHOLE).any() or (rows % 1).any():
        return rows
    return rows.astype(np.int64)


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
    is_constant: bool = False,
) -> Column:
    """Column of values that lie at `offset` of `data` [bytes], little endian; a value of no length is missing.

    `data` must go on for the longest of the values behind the last one's start. Of values that are known to be constant, the first
    one alone is read.
    """
    if is_constant and len(offset):
        raw = data[offset[0] : offset[0] + length[0]].tobytes()
        if not raw:
            return Column("text", np.empty(0, object), np.full(len(offset), -1, np.int8))
        kind, values = _parse_any(vr, [raw], is_implicit, character_sets, is_raw)
        return Column(kind, values, np.zeros(len(offset), np.int8))
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
    if count > _FEW and not is_raw and vr not in _RAW_VRS and width <= _WIDEST_WORDS and (same_length or vr not in _BINARY):
        table = cells.view(np.uint8).reshape(count, width)
        if not same_length:
            table[np.arange(width) >= length[:, None]] = 0
        first, codes = distinct_cells(table)
        if not same_length and len(empty := np.flatnonzero(~table[first].any(axis=1))):
            # Values of zeros alone mean what those of no length do: nothing.
            first, codes = np.delete(first, empty), np.where(codes == empty[0], -1, codes - (codes > empty[0]))
        kind, values = _parse_table(vr, table[first], length[first], is_implicit, character_sets)
        return Column(kind, values, codes.astype(smallest_codes(len(values))))
    raws = cells.tolist() if same_length else [cell[:n] for cell, n in zip(cells.tolist(), length.tolist(), strict=True)]
    distinct = dict.fromkeys(raws)
    distinct.pop(b"", None)
    index: dict[bytes, int] = dict(zip(distinct, range(len(distinct)), strict=True)) | {b"": -1}
    kind, values = _parse_any(vr, list(distinct), is_implicit, character_sets, is_raw)
    codes = np.fromiter(map(index.__getitem__, raws), smallest_codes(len(values)), count)
    return Column(kind, values, codes)


def _parse_table(
    vr: str, table: np.ndarray, length: np.ndarray, is_implicit: bool, character_sets: Sequence[str]
) -> tuple[Kind, np.ndarray]:
    """Distinct values in the rows of `table`, little endian; zeros lie behind the `length` of each."""
    count, width = table.shape
    if vr in _BINARY and vr != "AT" and width % np.dtype(_BINARY[vr]).itemsize == 0:
        return "number", table.view(f"<{_BINARY[vr]}").reshape(count, -1)
    if count > _FEW and (numbers := _parse_cells(vr, table)) is not None:
        return "number", numbers
    raws = table.view(f"V{width}").reshape(-1).tolist()
    if int(length.min()) < width:
        raws = [raw[:n] for raw, n in zip(raws, length.tolist(), strict=True)]
    return _parse_any(vr, raws, is_implicit, character_sets, is_raw=False)


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
