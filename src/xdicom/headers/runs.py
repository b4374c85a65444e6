"""Runs of elements of the same lengths: what one data set has is compared with what all others have there, all headers at once.

Most elements of a series are as long in one file as in the next. The headers of one data set tell where the next ones of
all must lie; that they lie there, each with the same tag, VR and length, is then seen in one comparison. What differs
ends the run.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

import numpy as np

from xdicom.headers.dictionary import PUBLIC
from xdicom.headers.elements import LONG_VRS, PIXEL_REPRESENTATION, SHORT_VRS, UNDEFINED_LENGTH, Syntax, vr_in_implicit

PADDING = 16
"""Bytes that must be at hand of a data set for a step, and that its row must have behind them."""
VRS = {int.from_bytes(vr, "little"): (vr.decode(), vr in LONG_VRS) for vr in SHORT_VRS | LONG_VRS}
"""VRs by their two letters as a number, and whether their lengths take four bytes."""
_LOW16, _LOW32, _LOW48 = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFF
_WHOLE = -1


class Step(NamedTuple):
    """One element of a run."""

    tag: int
    """Its tag."""
    vr: str
    """Its value representation."""
    begin: int
    """Where its header begins, counted from the start of the run [bytes]."""
    header_length: int
    """Bytes of its header."""
    length: int
    """Bytes of its value."""


def follow(words: np.ndarray, start: int, room: int, syntax: Syntax, until: int, alone: Container[int], most: int) -> list[Step]:
    """Elements of one data set from byte `start` on, up to one that has to be looked at by itself.

    Parameters
    ----------
    words
        The eight bytes from each byte on, as one number.
    start, room
        Where the first header begins, and the bytes at hand from there on.
    syntax
        How the data set is written.
    until
        Tag that is not passed.
    alone
        Tags that are looked at by themselves.
    most
        Elements at most.
    """
    steps: list[Step] = []
    at, before = 0, -1
    while len(steps) < most and at + PADDING <= room:
        word = int(words[start + at])
        tag = (word & _LOW16) << 16 | word >> 16 & _LOW16
        entry = PUBLIC.get(tag)
        if tag >= until or tag <= before or tag == PIXEL_REPRESENTATION or tag in alone:
            break
        header_length, length = 8, word >> 48 & _LOW16
        if syntax.is_implicit:
            if entry is not None and entry[0] == "US|SS":
                break
            vr, length = vr_in_implicit(tag, is_signed=False), word >> 32 & _LOW32
        else:
            vr, is_long = VRS.get(word >> 32 & _LOW16, ("", False))
            if not vr or (vr == "UN" and entry is not None):
                break
            if is_long:
                header_length, length = 12, int(words[start + at + 8]) & _LOW32
        end = at + header_length + length
        if length == UNDEFINED_LENGTH or end + PADDING > room:
            break
        steps.append(Step(tag, vr, at, header_length, length))
        at, before = end, tag
    return steps


def shared_by_all(words: np.ndarray, positions: np.ndarray, steps: list[Step], syntax: Syntax) -> int:
    """How many of the first `steps` all data sets have, which stand at `positions`; each has the bytes of all steps at hand."""
    places = [(number, step.begin, _WHOLE if step.header_length == 8 else _LOW48) for number, step in enumerate(steps)]
    if not syntax.is_implicit:
        places += [(number, step.begin + 8, _LOW32) for number, step in enumerate(steps) if step.header_length != 8]
    numbers, begins, masks = np.array(places, np.int64).T
    found = words[positions + begins[:, None]]
    differs = np.bitwise_or.reduce(found ^ found[:, :1], axis=1) & masks
    return int(numbers[differs != 0].min(initial=len(steps)))
