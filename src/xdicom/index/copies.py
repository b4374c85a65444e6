"""Instances that are there twice, and parts of instances that are not there at all."""

from __future__ import annotations

import numpy as np

from xdicom.model.frames import FrameTable


def without_copies(frames: FrameTable) -> tuple[np.ndarray, list[str]]:
    """Rows of the frames, those of a second copy of an instance left out, and notes on copies."""
    uids = frames.instances.columns.get("sop_instance_uid")
    if uids is None or len(uids.values) in (0, len(uids)):
        return np.arange(len(frames)), []
    codes = uids.codes.astype(np.int64)
    _, first = np.unique(codes, return_index=True)
    is_copy = np.ones(len(codes), bool)
    is_copy[first] = False
    is_copy[codes < 0] = False
    original = np.empty(int(codes.max()) + 1, np.int64)
    original[codes[first]] = first
    copies = np.flatnonzero(is_copy)
    originals = original[codes[copies]]
    urls, is_same = frames.instances.urls, _have_equal_content(frames, copies, originals)
    # One UID is one content (PS3.5 9); where it is not, all of them stay.
    is_copy[copies[~is_same]] = False
    notes = []
    for copy, of, same in zip(copies.tolist(), originals.tolist(), is_same.tolist(), strict=True):
        text = (
            "{} is a copy of {} (same SOP Instance UID, header and lengths; pixels were not compared)"
            if same
            else "{} has the SOP Instance UID of {} and other content"
        )
        notes.append(text.format(urls[copy], urls[of]))
    return np.flatnonzero(~is_copy[frames.instance]), notes


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
