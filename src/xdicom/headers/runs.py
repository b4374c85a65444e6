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
LONG_HEADER = 12
"""Bytes of a header with a length of four bytes, and a VR."""
_LOW16, _LOW32 = 0xFFFF, 0xFFFFFFFF
_AT_ONCE = 1 << 19
"""Bytes that are compared at once: so much stays in the caches [bytes]."""


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


def shared_by_all(data: np.ndarray, positions: np.ndarray, steps: list[Step]) -> tuple[int, np.ndarray]:
    """How many of the first `steps` all data sets have, which stand at `positions` of `data`, and which bytes are not the same in all.

    Each has the bytes of all steps at hand. Bytes that are not the same are marked from the start of the run on.
    """
    last = steps[-1]
    differs = bytes_that_differ(data, positions, last.begin + last.header_length + last.length)
    for number, step in enumerate(steps):
        behind = step.begin + step.header_length
        # Of the twelve bytes of a long header two are reserved.
        if (
            differs[step.begin : step.begin + (6 if step.header_length == LONG_HEADER else 8)].any()
            or differs[step.begin + 8 : behind].any()
        ):
            return number, differs
    return len(steps), differs


def bytes_that_differ(data: np.ndarray, positions: np.ndarray, length: int) -> np.ndarray:
    """Which of the `length` bytes from each of the `positions` on are not the same for all, as bits that differ; uint8."""
    window: np.ndarray = np.ndarray((len(data) - length + 1,), f"V{length}", data, 0, (1,))
    first = data[positions[0] : positions[0] + length]
    differs = np.zeros(length, np.uint8)
    at_once = max(1, _AT_ONCE // length)
    for begin in range(0, len(positions), at_once):
        some = positions[begin : begin + at_once]
        differs |= np.bitwise_or.reduce(window[some].view(np.uint8).reshape(len(some), length) ^ first, axis=0)
    return differs
