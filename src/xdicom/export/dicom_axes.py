"""Axes of frames that are none of the source's, as functional groups and dimension indices state them (PS3.3 C.7.6.17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xdicom.export.dicom_elements import Elements, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_frame_groups import Groups
from xdicom.export.dicom_plan import Plan, Times

_MOMENTS = ("FrameAcquisitionDateTime", "FrameReferenceDateTime", "FrameAcquisitionDuration")

AXES: dict[str, tuple[str, str]] = {
    "z": ("InStackPositionNumber", "FrameContentSequence"),
    "time": ("TemporalPositionIndex", "FrameContentSequence"),
    "echo_time": ("EffectiveEchoTime", "MREchoSequence"),
    "inversion_time": ("InversionTimes", "MRModifierSequence"),
    "flip_angle": ("FlipAngle", "MRTimingAndRelatedParametersSequence"),
    "trigger_time": ("NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"),
    "diffusion": ("DiffusionBValue", "MRDiffusionSequence"),
    "b_value": ("DiffusionBValue", "MRDiffusionSequence"),
}
"""Element and functional group of each axis by which frames may be indexed."""
_OFFSET = ("TemporalPositionTimeOffset", "TemporalPositionSequence")
_OTHERS = ("FrameAcquisitionNumber", "FrameContentSequence")
_STATED: dict[str, tuple[str, str, str]] = {
    "echo_time": ("EchoTime", "EffectiveEchoTime", "MREchoSequence"),
    "inversion_time": ("InversionTime", "InversionTimes", "MRModifierSequence"),
    "flip_angle": ("FlipAngle", "FlipAngle", "MRTimingAndRelatedParametersSequence"),
    "trigger_time": ("TriggerTime", "NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"),
}
"""Keyword of the label of each axis, and the element and group that state it."""


def set_new_index(header: Elements, groups: Groups, plan: Plan, axes: Mapping[str, np.ndarray], times: Times | None) -> None:
    """Dimensions for frames that are none of the source's: the axes of the array."""
    start = _moment(times.start if times is not None else "") or _moment(next(iter(texts_of(header, "AcquisitionDateTime")), ""))
    has_times = times is not None and "time" in axes and bool(np.isfinite(times.seconds).all())
    used: list[tuple[str, str, np.ndarray]] = []
    for name, steps in axes.items():
        element, group = AXES.get(name, _OTHERS)
        if name == "time" and has_times and start is None:
            element, group = _OFFSET
        if any(element == other for other, *_ in used):
            element, group = _OTHERS if _OTHERS[0] not in (other for other, *_ in used) else AXES["time"]
        used.append((element, group, steps))
    organization = plan.uids[0] + ".1"
    set_element(header, "DimensionOrganizationSequence", [{"DimensionOrganizationUID": organization}])
    pointers = [
        {"DimensionIndexPointer": tag_and_vr(element)[0], "FunctionalGroupPointer": tag_and_vr(group)[0]} for element, group, _ in used
    ]
    set_element(header, "DimensionIndexSequence", [{"DimensionOrganizationUID": organization, **each} for each in pointers])
    set_element(header, "DimensionOrganizationType", None)
    for i in range(len(groups.frames)):
        item = groups.get(i, "FrameContentSequence")
        for keyword in _MOMENTS:
            set_element(item, keyword, None)
        for element, group, steps in used:
            if group == "FrameContentSequence":
                set_element(item, element, int(steps[i]) + 1)
        if any(element == "InStackPositionNumber" for element, *_ in used) and not texts_of(item, "StackID"):
            set_element(item, "StackID", "1")
        set_element(item, "DimensionIndexValues", [int(steps[i]) + 1 for *_, steps in used])
        groups.put(i, "FrameContentSequence", item)
    _set_values(groups, plan, axes)
    if times is not None and has_times:
        _set_times(groups, times, start)


def _set_values(groups: Groups, plan: Plan, axes: Mapping[str, np.ndarray]) -> None:
    """State the values of the axes, in groups that the source may lack."""
    for axis in set(axes) & set(_STATED):
        keyword, element, group = _STATED[axis]
        for i, value in enumerate(plan.labels.get(keyword, ())):
            if np.isfinite(value):
                groups.settle(i, group, {element: float(value)})
    if not {"diffusion", "b_value"} & set(axes) or "DiffusionBValue" not in plan.labels:
        return
    directions = plan.labels.get("DiffusionGradientOrientation", np.full((len(plan.rows), 3), np.nan))
    for i, (weight, direction) in enumerate(zip(plan.labels["DiffusionBValue"].tolist(), directions, strict=True)):
        if not np.isfinite(weight):
            continue
        item: dict[str, Any] = {"DiffusionBValue": weight, "DiffusionDirectionality": "NONE" if weight == 0 else "ISOTROPIC"}
        if np.isfinite(direction).all() and np.abs(direction).max() > 0:
            item["DiffusionDirectionality"] = "DIRECTIONAL"
            item["DiffusionGradientDirectionSequence"] = [{"DiffusionGradientOrientation": direction.tolist()}]
        elements: Elements = {}
        for keyword, value in item.items():
            set_element(elements, keyword, value)
        groups.put(i, "MRDiffusionSequence", elements)


def _set_times(groups: Groups, times: Times, start: np.datetime64 | None) -> None:
    """State when each frame was acquired: its moment where a date is known, else its distance from the first."""
    for i, seconds in enumerate(times.seconds.tolist()):
        if start is not None:
            moment = start + np.timedelta64(round(seconds * 1e6), "us")
            item = groups.get(i, "FrameContentSequence")
            set_element(item, "FrameAcquisitionDateTime", "".join(c for c in str(moment) if c.isdigit() or c == "."))
            groups.put(i, "FrameContentSequence", item)
        else:
            groups.settle(i, _OFFSET[1], {_OFFSET[0]: seconds})


def _moment(text: str) -> np.datetime64 | None:
    """A moment of a label (ISO 8601) or a header (PS3.5 6.2, DT), in microseconds; None where it is none."""
    if text[:8].isdigit() and len(text) >= 14 and text[:14].isdigit():
        fraction = text[14:].partition("+")[0].partition("-")[0]
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}{fraction}"
    try:
        return np.datetime64(text, "us") if text else None
    except ValueError:
        return None
