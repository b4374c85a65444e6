"""Whether instances of one SOP Instance UID have the same pixels: their frames are read, and decoded where their bytes differ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xdicom.errors import XDicomError
from xdicom.index.copies import Copy, describe_copy, find_copies
from xdicom.model.frames import FrameTable
from xdicom.pixels.color import stored_photometric_interpretation
from xdicom.pixels.decode import decode_frame
from xdicom.sources.successive import read_each

SAME, OTHER = "the same pixels", "other pixels"
_AT_ONCE = 64
"""Frames that are asked for at once."""


def compare_copies(frames: FrameTable) -> dict[str, str]:
    """The note on each two instances of one UID, and the note that says what became of a look at their pixels."""
    return {describe_copy(frames, each): describe_copy(frames, each, _verdict(frames, each)) for each in find_copies(frames)}


def _verdict(frames: FrameTable, found: Copy) -> str:
    """Whether two instances have the same pixels, in words."""
    one, other = (np.flatnonzero(frames.instance == number) for number in (found.copy, found.original))
    encodings = [frames.instances.encodings[frames.instances.encoding[number]] for number in (found.copy, found.original)]
    forms = [(each.frame_shape, each.dtype, stored_photometric_interpretation(each)) for each in encodings]
    if len(one) != len(other) or forms[0] != forms[1]:
        return OTHER
    try:
        for i, (mine, theirs) in enumerate(zip(_data(frames, one), _data(frames, other), strict=True)):
            if encodings[0] == encodings[1] and mine == theirs:
                continue
            values = [
                decode_frame(data, encoding, int(frames.frame_number[rows[i]]))
                for data, encoding, rows in zip((mine, theirs), encodings, (one, other), strict=True)
            ]
            if values[0].tobytes() != values[1].tobytes():
                return f"{OTHER}, from frame {frames.frame_number[one[i]]} on"
    except XDicomError as error:
        return f"pixels can't be compared: {error}"
    return SAME


def _data(frames: FrameTable, rows: np.ndarray) -> Iterator[bytes]:
    """Bytes of the frames `rows`, of which memory holds a few at a time."""
    table = frames.instances
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        urls, stamps = ([texts[i] for i in frames.instance[part]] for texts in (table.urls, table.stamps))
        yield from map(bytes, read_each(urls, frames.offset[part], frames.length[part], stamps))
