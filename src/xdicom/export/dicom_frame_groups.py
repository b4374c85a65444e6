"""Functional groups of the frames of one multi-frame instance, shared or each frame's own (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xdicom.export.dicom_elements import Elements, is_near, set_element, tag_and_vr
from xdicom.headers.values import RawValue

SHARED, PER_FRAME = 0x52009229, 0x52009230
"""Shared and Per-frame Functional Groups Sequence."""


class Groups:
    """Functional groups of the frames of one instance; a group is either shared or every frame has its own."""

    def __init__(self, header: Elements, frame_numbers: np.ndarray) -> None:
        shared = header[SHARED].items() if SHARED in header else []
        per_frame = header[PER_FRAME].items() if PER_FRAME in header else []
        self.shared: Elements = dict(shared[0]) if shared else {}
        self.frames: list[Elements] = [dict(per_frame[number - 1]) if number <= len(per_frame) else {} for number in frame_numbers.tolist()]

    def get(self, i: int, group: str) -> Elements:
        """Elements of a group of frame `i`; none where there is no such group."""
        tag, _ = tag_and_vr(group)
        value = self.frames[i].get(tag) or self.shared.get(tag)
        items = value.items() if value is not None else []
        return dict(items[0]) if items else {}

    def put(self, i: int, group: str, item: Mapping[int, RawValue]) -> None:
        """Give frame `i` its own group; where that was shared, all other frames get theirs."""
        tag, _ = tag_and_vr(group)
        if tag in self.shared:
            common = self.shared.pop(tag)
            for frame in self.frames:
                frame.setdefault(tag, common)
        set_element(self.frames[i], group, [item])

    def settle(self, i: int, group: str, values: Mapping[str, Any], tolerance: float = 1e-6) -> None:
        """Set numbers in a group of frame `i`, unless they are there already."""
        item = self.get(i, group)
        if all(is_near(item, keyword, value, tolerance) for keyword, value in values.items()):
            return
        for keyword, value in values.items():
            set_element(item, keyword, value)
        self.put(i, group, item)

    def settle_all(self, group: str, values: Mapping[str, Any], tolerance: float = 1e-6) -> None:
        """Set the same numbers for all frames: in the shared group, where it is one or no frame has it."""
        tag, _ = tag_and_vr(group)
        if any(tag in frame for frame in self.frames):
            for i in range(len(self.frames)):
                self.settle(i, group, values, tolerance)
            return
        item = self.get(0, group)
        if not all(is_near(item, keyword, value, tolerance) for keyword, value in values.items()):
            for keyword, value in values.items():
                set_element(item, keyword, value)
            set_element(self.shared, group, [item])

    def into(self, header: Elements) -> None:
        """Put the groups into a header."""
        header[SHARED] = _sequence([self.shared])
        header[PER_FRAME] = _sequence(self.frames)


def _sequence(items: list[Elements]) -> RawValue:
    probe: Elements = {}
    set_element(probe, "SourceImageSequence", items)
    (value,) = probe.values()
    return value
