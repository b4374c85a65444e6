"""Whether a value of ours is what pydicom reads, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue

from xdicom.headers.columns import days_since_1970, seconds_of_day, seconds_since_1970
from xdicom.model.columns import Column

CLOCKS = {"TM": seconds_of_day, "DA": days_since_1970, "DT": seconds_since_1970}


def equals(column: Column, row: int, expected: DataElement) -> bool:
    """Whether row `row` of `column` holds what pydicom's element holds."""
    code = int(column.codes[row])
    if column.kind == "raw":
        return True
    parts = parts_of(expected)
    if code < 0:
        return not any(str(part).strip(" \0") for part in parts)
    if column.kind == "text":
        return [part.strip(" \0") for part in str(column.values[code]).split("\\")] == [
            part.strip(" \0") for part in "\\".join(str(part) for part in parts).split("\\")
        ]
    numbers = column.values[code]
    numbers = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
    wanted = [number for number in (number_of(expected.VR, part) for part in parts) if not math.isnan(number)]
    if expected.VR in CLOCKS:
        wanted = wanted[:1]
    return len(numbers) == len(wanted) and all(float(a) == b for a, b in zip(numbers.tolist(), wanted, strict=True))


def parts_of(element: DataElement) -> list[Any]:
    """The values of an element, however many."""
    value = element.value
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def number_of(vr: str, part: Any) -> float:
    """A value as the number that a column holds."""
    if vr in CLOCKS:
        return CLOCKS[vr](str(getattr(part, "original_string", part)))
    if isinstance(part, str) and not part.strip():
        return math.nan
    return float(int(part)) if vr == "AT" else float(part)
