"""Functional groups of a written multi-frame instance: those of the source's frames, settled on the array (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xdicom.export.dicom_axes import set_new_index
from xdicom.export.dicom_clocks import move_clock
from xdicom.export.dicom_elements import Elements, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_frame_groups import Groups
from xdicom.export.dicom_header import ORIENTATION_TOLERANCE
from xdicom.export.dicom_marks import source_item
from xdicom.export.dicom_plan import Plan, Times

FRAME_TYPES = (
    "MRImageFrameTypeSequence",
    "CTImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "XRay3DFrameTypeSequence",
    "PhotoacousticImageFrameTypeSequence",
    "ParametricMapFrameTypeSequence",
)
_DERIVATION = {"CodeValue": "ARRAY", "CodingSchemeDesignator": "99XDICOM", "CodeMeaning": "Operations on arrays of pixels"}

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


def settle_groups(
    header: Elements, plan: Plan, axes: Mapping[str, np.ndarray], source_frames: tuple[tuple[str, str, int], ...], times: Times | None
) -> None:
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
    times
        Time of each frame, where the labels tell.
    """
    count = len(plan.rows)
    has_own = bool(source_frames) and all(uid for _, uid, _ in source_frames)
    numbers = np.array([max(1, number) for *_, number in source_frames]) if has_own else np.ones(count, np.int64)
    groups = Groups(header, numbers)
    _set_place(groups, plan)
    _set_labels(groups, plan)
    if not has_own or plan.repeats or (set(plan.changed) & set(axes)) - ({"time"} if plan.shifts else set()):
        set_new_index(header, groups, plan, axes, times)
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
            if np.isfinite(value).all() and (tag in there or keyword in plan.restated):
                groups.settle(i, group, {element: value})
    for i in range(len(groups.frames)):
        for keyword in plan.shifts:
            item = groups.get(i, "FrameContentSequence")
            if keyword.startswith("Frame") and texts_of(item, keyword):
                move_clock(item, keyword, float(plan.shifts[keyword][i]))
                groups.put(i, "FrameContentSequence", item)
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
        sources = [source_item((sop_class, uid), number or None) for sop_class, uid, number in source_frames[i : i + 1] if uid]
        set_element(frame, "DerivationImageSequence", [{"SourceImageSequence": sources, "DerivationCodeSequence": [_DERIVATION]}])
