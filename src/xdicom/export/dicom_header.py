"""The header of a written instance: that of its source, with everything that follows from the array set from the array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xdicom.errors import InconsistentSeriesError
from xdicom.export.dicom_clocks import move_clock
from xdicom.export.dicom_elements import (
    SPECIFIC_CHARACTER_SET,
    Elements,
    is_near,
    make_value,
    set_element,
    tag_and_vr,
    texts_of,
    to_unicode,
)
from xdicom.export.dicom_marks import add_loss, mark_derived, time_text
from xdicom.export.dicom_plan import Plan
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue

ORIENTATION_TOLERANCE = 1e-3
"""Direction cosines that differ by no more are those of one stack: each instance keeps its own."""

MOVED_MM = 0.01
"""A plane that lies farther from its source than this was resampled [mm]."""

LABELS: dict[str, str] = {
    "slice_location": "SliceLocation", "slice_thickness": "SliceThickness", "trigger_time": "TriggerTime",
    "frame_reference_time": "FrameReferenceTime",
    "echo_time": "EchoTime", "echo_numbers": "EchoNumbers", "inversion_time": "InversionTime", "repetition_time": "RepetitionTime",
    "flip_angle": "FlipAngle", "number_of_averages": "NumberOfAverages", "kvp": "KVP", "x_ray_tube_current": "XRayTubeCurrent",
    "exposure": "Exposure", "exposure_time": "ExposureTime", "acquisition_number": "AcquisitionNumber", "acquisition": "AcquisitionNumber",
    "temporal_position_identifier": "TemporalPositionIdentifier", "decay_factor": "DecayFactor", "image_index": "ImageIndex",
    "actual_frame_duration": "ActualFrameDuration", "b_value": "DiffusionBValue", "gradient": "DiffusionGradientOrientation",
    "acquisition_time": "AcquisitionTime", "content_time": "ContentTime",
}  # fmt: skip
"""Element of a single-frame instance that states what a coordinate does."""
_TYPE_2 = frozenset({"EchoTime", "KVP", "AcquisitionNumber", "RepetitionTime"})
"""Elements that some kinds of image must have, if only empty."""
CLOCKS = frozenset({"AcquisitionTime", "ContentTime"})

_ICON, _PERSONAL_COPY = 0x00880200, 0x04000561
_SIGNATURES = (0x4FFE0001, 0xFFFAFFFA)
_OF_PIXELS = (
    "SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries", "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane", "PlanarConfiguration", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "NumberOfFrames",
)  # fmt: skip
_OF_SIZE = (
    "ReconstructionDiameter", "SequenceOfUltrasoundRegions", "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter", "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
)  # fmt: skip
"""Elements that hold for the size of the source's frames only."""
_OF_STORED_VALUES = (
    "ModalityLUTSequence", "RealWorldValueMappingSequence", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleType", "DoseGridScaling",
)  # fmt: skip
_PRIVATE_SCALES = ((0x2005, 0x0D), (0x2005, 0x0E), (0x2005, 0x09), (0x2005, 0x0A), (0x7053, 0x00), (0x7053, 0x09))
"""Vendors' elements that turn stored values into others (Philips)."""


def header_of(plan: Plan, i: int, limits: tuple[int, int] | None, loss_ratio: float = 1.0) -> Elements:
    """Header of the instance of plane `i` of a plan, with the smallest and largest of its stored values.

    Raises
    ------
    InconsistentSeriesError
        If the labels no longer say where the plane lies, but its header did for another size of it.
    """
    place = None if plan.headers is None else plan.headers[i]
    has_own = place is not None
    elements = dict(plan.template) if place is None else place.read()
    was = tuple(elements[TAGS[name]].numbers()[0] if TAGS[name] in elements else 0 for name in ("Rows", "Columns"))
    encoding = plan.form.encoding
    clean(elements, plan, is_resized=was != (encoding.rows, encoding.columns))
    if was != (encoding.rows, encoding.columns) and plan.positions_mm is None and TAGS["ImagePositionPatient"] in elements:
        raise InconsistentSeriesError(
            "the frame has another size than its source, and no labels say where it lies: keep the coordinates z, y and x, "
            "or take the place away with attributes={'ImagePositionPatient': None, 'ImageOrientationPatient': None}"
        )
    is_moved = has_own and _is_moved(elements, plan, i)
    _set_place(elements, plan, i)
    _set_labels(elements, plan, i, has_own=has_own)
    if is_moved:
        settle(elements, "SliceThickness", plan.step_mm, 0.01)
    _set_values(elements, plan, i, limits)
    put_in(elements, plan.shared)
    if plan.is_derived:
        set_element(elements, "SOPInstanceUID", plan.uids[i])
        if int(plan.instance_number[i]) >= 0:
            set_element(elements, "InstanceNumber", int(plan.instance_number[i]))
        mark_derived(elements, plan.sources[i], is_cut=plan.is_cut)
    if plan.lossy:
        add_loss(elements, plan.lossy, loss_ratio)
    set_attributes(elements, plan)
    return elements


def set_attributes(elements: Elements, plan: Plan) -> None:
    """Put in what the person wants, and take out what is not wanted."""
    put_in(elements, plan.attributes)
    for tag in plan.dropped:
        elements.pop(tag, None)


def put_in(elements: Elements, others: Elements) -> None:
    """Set `others`; where they are Unicode, all texts become that."""
    if SPECIFIC_CHARACTER_SET in others and texts_of(elements, "SpecificCharacterSet") != ("ISO_IR 192",):
        to_unicode(elements, texts_of(elements, "SpecificCharacterSet"))
    elements.update(others)


def clean(elements: Elements, plan: Plan, *, is_resized: bool) -> None:
    """Take out what is true of the source's pixels only."""
    for tag in (_ICON, _PERSONAL_COPY, *_SIGNATURES):
        elements.pop(tag, None)
    for keyword in (*_OF_PIXELS, *(_OF_SIZE if is_resized else ())):
        set_element(elements, keyword, None)
    if plan.is_rescaled:
        for keyword in _OF_STORED_VALUES:
            set_element(elements, keyword, None)
    for tag in list(elements):
        group = tag >> 16
        is_overlay = group & 0xFF01 == 0x6000
        gone = is_overlay and (is_resized or plan.is_cut or _is_embedded(elements, group))
        if gone or (group & 1 and (plan.is_cut or (plan.is_rescaled and _is_scale(tag)))):
            del elements[tag]


def _is_scale(tag: int) -> bool:
    """Whether a vendor's element turns stored values into others."""
    return (tag >> 16, tag & 0xFF) in _PRIVATE_SCALES and tag & 0xFFFF > 0xFF


def _is_embedded(elements: Elements, group: int) -> bool:
    """Whether an overlay lies in unused bits of the pixels, which are not written."""
    return group << 16 | 0x3000 not in elements


def _set_place(elements: Elements, plan: Plan, i: int) -> None:
    if plan.spacing_mm is not None and (plan.positions_mm is not None or TAGS["PixelSpacing"] in elements):
        settle(elements, "PixelSpacing", list(plan.spacing_mm))
    if plan.positions_mm is None or plan.orientation is None:
        return
    settle(elements, "ImagePositionPatient", plan.positions_mm[i].tolist())
    settle(elements, "ImageOrientationPatient", list(plan.orientation), ORIENTATION_TOLERANCE)
    if TAGS["SpacingBetweenSlices"] in elements:
        if plan.step_mm is None:
            if plan.headers is None:
                set_element(elements, "SpacingBetweenSlices", None)
        elif not any(is_near(elements, "SpacingBetweenSlices", step, 0.01) for step in (plan.step_mm, -plan.step_mm)):
            set_element(elements, "SpacingBetweenSlices", plan.step_mm)


def _is_moved(elements: Elements, plan: Plan, i: int) -> bool:
    """Whether a plane lies in front of or behind that of its source: it was resampled, and is as thick as the new step."""
    there = elements[TAGS["ImagePositionPatient"]].numbers() if TAGS["ImagePositionPatient"] in elements else ()
    if plan.positions_mm is None or plan.orientation is None or plan.step_mm is None or plan.is_cut or len(there) != 3:
        return False
    normal = np.cross(plan.orientation[:3], plan.orientation[3:6])
    return TAGS["SliceThickness"] in elements and bool(abs((plan.positions_mm[i] - np.array(there)) @ normal) > MOVED_MM)


def settle(elements: Elements, keyword: str, value: Any, tolerance: float = 1e-6) -> None:
    """Set numbers, unless they are there already within `tolerance`: then they stay as their writer wrote them."""
    if not is_near(elements, keyword, value, tolerance):
        set_element(elements, keyword, value)


def _set_labels(elements: Elements, plan: Plan, i: int, *, has_own: bool) -> None:
    """What labels say of the plane. A plane with a header of its own keeps what its header does not state in these elements."""
    for keyword, values in plan.labels.items():
        value = values[i]
        tag, _ = tag_and_vr(keyword)
        is_known = bool(np.isfinite(value).all())
        if keyword in CLOCKS:
            if (not has_own or plan.is_cut) and is_known:
                set_element(elements, keyword, time_text(float(value)))
        elif not has_own or plan.is_cut:
            set_element(elements, keyword, value if is_known else "" if keyword in _TYPE_2 else None)
        elif is_known and (keyword in plan.restated or (tag in elements and len(elements[tag].numbers()) == np.size(value))):
            settle(elements, keyword, value)
    for keyword, seconds in plan.shifts.items():
        move_clock(elements, keyword, float(seconds[i]))


def _set_values(elements: Elements, plan: Plan, i: int, limits: tuple[int, int] | None) -> None:
    encoding = plan.form.encoding
    if plan.windows is not None:
        for part, keyword in enumerate(("WindowCenter", "WindowWidth")):
            wanted = plan.windows[i, part]
            wanted = wanted[np.isfinite(wanted)]
            if len(wanted) and not is_near(elements, keyword, wanted):
                set_element(elements, keyword, wanted)
    if plan.rescale is not None and math.isfinite(slope := float(plan.rescale.slope[i])):
        intercept = float(plan.rescale.intercept[i])
        stated = {"RescaleSlope": (slope, 1.0), "RescaleIntercept": (intercept, 0.0)}
        if TAGS["DoseGridScaling"] in elements or TAGS["DoseGridScaling"] in plan.shared:
            stated = {"DoseGridScaling": (slope, 0.0)}
        for keyword, (number, default) in stated.items():
            if plan.applies_rescale or plan.headers is None or TAGS[keyword] in elements or number != default:
                settle(elements, keyword, number, 1e-14)
    vr = "SS" if encoding.is_signed else "US"
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        tag = TAGS[keyword]
        if tag in elements and elements[tag].vr != vr and not elements[tag].is_implicit:
            elements[tag] = RawValue(vr, elements[tag].data)
    if limits is not None and encoding.samples_per_pixel == 1 and encoding.bits_allocated <= 16:
        elements[TAGS["SmallestImagePixelValue"]] = make_value(vr, limits[0])
        elements[TAGS["LargestImagePixelValue"]] = make_value(vr, limits[1])


def set_multiframe_values(elements: Elements, plan: Plan) -> None:
    """Window and rescale of a multi-frame instance without functional groups: one for all its frames."""
    alone = plan.take(np.array([0]))
    _set_values(elements, alone, 0, None)
