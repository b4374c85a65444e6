"""Instances that are there twice, and parts of instances that are not there at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xdicom.model.frames import FrameTable


class Copy(NamedTuple):
    """Two instances of one SOP Instance UID, by their numbers."""

    copy: int
    """The later one."""
    original: int
    """The first one."""
    is_same: bool
    """Whether headers and lengths of frames are equal; pixels are not looked at."""


def find_copies(frames: FrameTable) -> list[Copy]:
    """Instances that have the SOP Instance UID of an earlier one, with that one."""
    uids = frames.instances.columns.get("sop_instance_uid")
    if uids is None or len(uids.values) in (0, len(uids)):
        return []
    codes = uids.codes.astype(np.int64)
    _, first = np.unique(codes, return_index=True)
    is_copy = np.ones(len(codes), bool)
    is_copy[first] = False
    is_copy[codes < 0] = False
    original = np.empty(int(codes.max()) + 1, np.int64)
    original[codes[first]] = first
    copies = np.flatnonzero(is_copy)
    originals = original[codes[copies]]
    is_same = _have_equal_content(frames, copies, originals)
    return [Copy(*each) for each in zip(copies.tolist(), originals.tolist(), is_same.tolist(), strict=True)]


def occurrences(frames: FrameTable) -> np.ndarray:
    """Number of each instance among those of its SOP Instance UID, from 1 on, in the order of their headers; int64 `(instances,)`."""
    table = frames.instances
    result = np.ones(len(table), np.int64)
    uids = table.columns.get("sop_instance_uid")
    if uids is None or len(uids.values) in (0, len(uids)):
        return result
    numbers = [table.columns[name].first_numbers() for name in ("instance_number", "series_number") if name in table.columns]
    order = np.lexsort([*(np.nan_to_num(number, nan=np.inf) for number in numbers), uids.codes])
    codes = uids.codes[order].astype(np.int64)
    begins = np.flatnonzero(np.append(True, np.diff(codes) != 0))
    result[order] = np.arange(len(codes)) - np.repeat(begins, np.diff(np.append(begins, len(codes)))) + 1
    result[uids.codes < 0] = 1
    return result


def without_copies(frames: FrameTable) -> tuple[np.ndarray, list[str]]:
    """Rows of the frames, those of a second copy of an instance left out, and notes on copies."""
    found = find_copies(frames)
    # One UID is one content (PS3.5 9); where it is not, all of them stay.
    is_left_out = np.zeros(len(frames.instances), bool)
    is_left_out[[each.copy for each in found if each.is_same]] = True
    return np.flatnonzero(~is_left_out[frames.instance]), [describe_copy(frames, each) for each in found]


def describe_copy(frames: FrameTable, found: Copy, pixels: str = "") -> str:
    """A note on two instances of one UID; `pixels` says what a look at them showed."""
    urls = frames.instances.urls
    if found.is_same:
        text = f"{urls[found.copy]} is a copy of {urls[found.original]} (same SOP Instance UID, header and lengths; "
        return f"{text}{pixels or 'pixels were not compared'})"
    return f"{urls[found.copy]} has the SOP Instance UID of {urls[found.original]} and other content{f' ({pixels})' if pixels else ''}"


_OF_NO_CONTENT = frozenset({"window_center", "window_width", "window_center_width_explanation", "voi_lut_sequence"})
"""Values that are changed on the way without making another image."""


def _have_equal_content(frames: FrameTable, instances: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether instances have frames of the lengths of those of the `others`, and equal header values; pixels are not read."""
    table = frames.instances
    sizes, counts = np.zeros(len(table), np.int64), np.bincount(frames.instance, minlength=len(table))
    np.add.at(sizes, frames.instance, frames.length)
    equal = (sizes[instances] == sizes[others]) & (counts[instances] == counts[others])
    for name, column in table.columns.items():
        if name in _OF_NO_CONTENT:
            continue
        mine, theirs = column.codes[instances], column.codes[others]
        unequal = np.flatnonzero((mine != theirs) & equal)
        for i in unequal.tolist():
            # Raw values are not merged when they are equal: they are compared one by one.
            is_raw = column.kind == "raw" and mine[i] >= 0 and theirs[i] >= 0
            equal[i] = is_raw and column.values[mine[i]] == column.values[theirs[i]]
    return np.asarray(equal)


def missing_parts(frames: FrameTable) -> list[str]:
    """Parts of concatenations that are not there (PS3.3 C.7.6.16.1)."""
    uids = frames.texts("concatenation_uid")
    number, total = frames.numbers("in_concatenation_number"), frames.numbers("in_concatenation_total_number")
    notes = []
    for uid in dict.fromkeys(uids[uids != ""].tolist()):
        of_whole = uids == uid
        count = np.nanmax(total[of_whole]) if np.isfinite(total[of_whole]).any() else 0
        missing = sorted(set(range(1, int(count) + 1)) - set(number[of_whole].tolist()))
        if missing:
            notes.append(f"concatenation {uid}: parts {', '.join(map(str, missing[:20]))} of {int(count)} are missing")
    return notes
