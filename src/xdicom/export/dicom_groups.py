"""Functional groups of a written multi-frame instance: those of the source's frames, settled on the array (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from xdicom.export.dicom_elements import Elements, is_near, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_header import ORIENTATION_TOLERANCE, Plan
from xdicom.export.dicom_marks import source_item
from xdicom.headers.values import RawValue

SHARED, PER_FRAME = 0x52009229, 0x52009230
"""Shared and Per-frame Functional Groups Sequence."""
FRAME_TYPES = (
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "XRay3DFrameTypeSequence",
    "PhotoacousticImageFrameTypeSequence",
)
_DERIVATION = {"CodeValue": "ARRAY", "CodingSchemeDesignator": "99XDICOM", "CodeMeaning": "Operations on arrays of pixels"}
_MOMENTS = ("FrameAcquisitionDateTime", "FrameReferenceDateTime", "FrameAcquisitionDuration")

AXES: dict[str, tuple[str, str]] = {
    "z": ("InStackPositionNumber", "FrameContentSequence"),
    "time": ("TemporalPositionIndex", "FrameContentSequence"),
    "echo_time": ("EffectiveEchoTime", "MREchoSequence"),
    "inversion_time": ("InversionTimes", "MRModifierSequence"),
    "flip_angle": ("FlipAngle", "MRTimingAndRelatedParametersSequence"),
    "trigger_time": ("NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"),
    "diffusion": ("DiffusionBValue", "MRDiffusionSequence"),
}
"""Element and functional group of each axis by which frames may be indexed."""
_LABELED = {
    "EchoTime": ("EffectiveEchoTime", "MREchoSequence"),
    "InversionTime": ("InversionTimes", "MRModifierSequence"),
    "FlipAngle": ("FlipAngle", "MRTimingAndRelatedParametersSequence"),
    "RepetitionTime": ("RepetitionTime", "MRTimingAndRelatedParametersSequence"),
    "TriggerTime": ("NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"),
    "DiffusionBValue": ("DiffusionBValue", "MRDiffusionSequence"),
    "SliceThickness": ("SliceThickness", "PixelMeasuresSequence"),
}
"""Element and functional group of what a single-frame instance states by the keyword."""


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


def settle_groups(header: Elements, plan: Plan, axes: Mapping[str, np.ndarray], source_frames: tuple[tuple[str, str, int], ...]) -> None:
    """Settle the functional groups of an instance on the planes of `plan`.

    Parameters
    ----------
    header
        Header of the source, changed in place.
    plan
        Of the frames of this instance.
    axes
        Step of each frame along the dimensions that count planes.
    source_frames
        SOP Class and Instance UID and frame number of each frame's source; empty where frames have none of their own.
    """
    count = len(plan.rows)
    has_own = bool(source_frames) and all(uid for _, uid, _ in source_frames)
    numbers = np.array([number for *_, number in source_frames]) if has_own else np.ones(count, np.int64)
    groups = Groups(header, numbers)
    _set_place(groups, plan)
    _set_labels(groups, plan)
    if not has_own:
        _set_new_index(header, groups, plan, axes)
    else:
        _rank_index(groups)
    if plan.is_derived:
        _mark_derived(groups, source_frames)
    groups.into(header)


def _set_place(groups: Groups, plan: Plan) -> None:
    if plan.positions_mm is not None and plan.orientation is not None:
        for i, position in enumerate(plan.positions_mm.tolist()):
            groups.settle(i, "PlanePositionSequence", {"ImagePositionPatient": position})
        groups.settle_all("PlaneOrientationSequence", {"ImageOrientationPatient": list(plan.orientation)}, ORIENTATION_TOLERANCE)
    if plan.spacing_mm is not None:
        groups.settle_all("PixelMeasuresSequence", {"PixelSpacing": list(plan.spacing_mm)})
    step = groups.get(0, "PixelMeasuresSequence")
    if plan.step_mm is not None and tag_and_vr("SpacingBetweenSlices")[0] in step:
        groups.settle_all("PixelMeasuresSequence", {"SpacingBetweenSlices": plan.step_mm}, 0.01)


def _set_labels(groups: Groups, plan: Plan) -> None:
    for keyword, values in plan.labels.items():
        if keyword not in _LABELED:
            continue
        element, group = _LABELED[keyword]
        for i, value in enumerate(values):
            there = groups.get(i, group)
            tag, _ = tag_and_vr(element)
            if np.isfinite(value).all() and tag in there:
                groups.settle(i, group, {element: value})
    for i in range(len(groups.frames)):
        if plan.windows is not None:
            center, width = plan.windows[i]
            known = np.isfinite(center) & np.isfinite(width)
            if known.any():
                groups.settle(i, "FrameVOILUTSequence", {"WindowCenter": center[known], "WindowWidth": width[known]})
        if plan.rescale is not None and np.isfinite(plan.rescale.slope[i]):
            stated = {"RescaleIntercept": plan.rescale.intercept[i], "RescaleSlope": plan.rescale.slope[i]}
            groups.settle(i, "PixelValueTransformationSequence", stated, 1e-14)
            item = groups.get(i, "PixelValueTransformationSequence")
            if not texts_of(item, "RescaleType"):
                set_element(item, "RescaleType", "US")
                groups.put(i, "PixelValueTransformationSequence", item)


def _rank_index(groups: Groups) -> None:
    """Count the Dimension Index Values of the frames that are left from 1, without gaps (PS3.3 C.7.6.17)."""
    tag, _ = tag_and_vr("DimensionIndexValues")
    items = [groups.get(i, "FrameContentSequence") for i in range(len(groups.frames))]
    rows = [item[tag].numbers() if tag in item else () for item in items]
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        return
    values = np.array(rows, np.int64)
    ranked = np.stack([np.unique(column, return_inverse=True)[1].reshape(-1) + 1 for column in values.T], axis=-1)
    for i in np.flatnonzero((ranked != values).any(axis=1)).tolist():
        set_element(items[i], "DimensionIndexValues", ranked[i].tolist())
        groups.put(i, "FrameContentSequence", items[i])


def _set_new_index(header: Elements, groups: Groups, plan: Plan, axes: Mapping[str, np.ndarray]) -> None:
    """Dimensions for frames that are none of the source's: the axes of the array."""
    used: list[tuple[str, str, np.ndarray]] = []
    for name, steps in axes.items():
        element, group = AXES.get(name, AXES["time"])
        if any(element == other for other, *_ in used):
            element, group = "FrameAcquisitionNumber", "FrameContentSequence"
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


def _mark_derived(groups: Groups, source_frames: tuple[tuple[str, str, int], ...]) -> None:
    """Say of each frame that it is derived, and of which (PS3.3 C.7.6.16.2.6)."""
    for keyword in FRAME_TYPES:
        tag, _ = tag_and_vr(keyword)
        for holder in (groups.shared, *groups.frames):
            if tag in holder:
                (item, *_) = holder[tag].items() or [{}]
                kinds = texts_of(item, "FrameType")
                set_element(item, "FrameType", ["DERIVED", *(kinds[1:] or ("PRIMARY",))])
                set_element(holder, keyword, [item])
    for i, frame in enumerate(groups.frames):
        sources = [source_item((sop_class, uid), number) for sop_class, uid, number in source_frames[i : i + 1] if uid]
        set_element(frame, "DerivationImageSequence", [{"SourceImageSequence": sources, "DerivationCodeSequence": [_DERIVATION]}])
