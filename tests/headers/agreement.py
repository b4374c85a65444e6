"""Whether a value of ours is what pydicom reads, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from xdicom.headers.columns import days_since_1970, seconds_of_day, seconds_since_1970
from xdicom.headers.records import Header
from xdicom.headers.values import RawValue
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


def walked_values(header: Header, dataset: Dataset) -> dict[int, RawValue]:
    """What the walk found at the top level, by tag; `dataset` is the same file by pydicom."""
    is_implicit, is_little = dataset.original_encoding
    return {
        tag: RawValue("SQ", data, is_implicit=True)
        if vr == "SQ implicit"
        else RawValue(vr, data, bool(is_implicit), is_big_endian=not is_little)
        for tag, (vr, data) in header.walked.values.items()
    }


def differences(raw: RawValue, holder: Dataset, tag: int, above: str = "") -> list[str]:
    """Where a raw value is not what pydicom has, byte by byte."""
    where = f"{above}{tag:08X}"
    read = holder.get_item(tag)
    if isinstance(read, RawDataElement) and raw.vr != "SQ":
        return [] if raw.data == (read.value or b"") else [f"{where}: {raw.data[:40]!r} for {(read.value or b'')[:40]!r}"]
    element = holder[tag]
    if element.VR != "SQ" and raw.vr != "SQ":  # pydicom needed it already: to know character sets, and which numbers are signed
        ours = [str(part) for part in (raw.numbers() if raw.vr in ("US", "SS") else raw.texts())]
        theirs = [str(part) for part in parts_of(element) if str(part)]
        return [] if ours == theirs else [f"{where}: {ours} for {theirs}"]
    if element.VR != "SQ" or raw.vr != "SQ":
        return [f"{where}: {raw.vr} for {element.VR}"] if element.value else []
    items = raw.items()
    if len(items) != len(element.value):
        return [f"{where}: {len(items)} items for {len(element.value)}"]
    found: list[str] = []
    for ours, item in zip(items, element.value, strict=True):
        if set(ours) != {int(each) for each in item.keys()}:  # noqa: SIM118 - to go through a Dataset itself converts its elements
            found.append(f"{where}: other elements in an item")
        for inner, value in ours.items():
            if inner in item:
                found += differences(value, item, inner, f"{where}/")
    return found
