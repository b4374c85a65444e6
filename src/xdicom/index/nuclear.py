"""Nuclear medicine: frames numbered by vectors, with what the header says of windows, detectors, rotations and phases (PS3.3 C.8.4)."""

from __future__ import annotations

import numpy as np

from xdicom.headers.dictionary import NAMES, TAGS
from xdicom.headers.values import RawValue
from xdicom.index.candidates import number_labels
from xdicom.index.records import Records
from xdicom.index.tiles import number_column
from xdicom.model.columns import Column
from xdicom.model.grid import Axis
from xdicom.model.plane import slice_normals

NUCLEAR_MEDICINE = "1.2.840.10008.5.1.4.1.1.20"

_VECTORS = {
    "energy_window_vector": "energy_window", "detector_vector": "detector", "phase_vector": "phase", "rotation_vector": "rotation",
    "rr_interval_vector": "rr_interval", "time_slot_vector": "time_slot", "slice_vector": "slice", "angular_view_vector": "angular_view",
    "time_slice_vector": "time_slice",
}  # fmt: skip
"""Name of the axis that each vector of nuclear medicine numbers (PS3.3 C.8.4.8)."""


def nuclear_positions(records: Records) -> Records:
    """Records with the positions of reconstructed slices of nuclear medicine (PS3.3 C.8.4.8, C.8.4.11, C.8.4.15).

    The detector's position and orientation are those of the first slice; the others lie Spacing Between Slices apart along its
    normal, or against it where that is negative.
    """
    if (
        not (records.texts("sop_class_uid") == NUCLEAR_MEDICINE).all()
        or not records.has("slice_vector")
        or records.has("image_position_patient")
    ):
        return records
    first = _detector(records)
    spacing = records.numbers("spacing_between_slices")
    vectors = dict(_vectors(records))
    if first is None or "slice" not in vectors or not (np.isfinite(spacing).all() and (spacing != 0).all()):
        return records
    position, orientation = first
    steps = (vectors["slice"][1] - 1)[:, None] * spacing[:, None] * slice_normals(orientation[None])
    records.own["image_position_patient"] = number_column(position + steps)
    records.own["image_orientation_patient"] = number_column(np.tile(orientation, (len(records), 1)))
    return records


def _detector(records: Records) -> tuple[np.ndarray, np.ndarray] | None:
    """Position and orientation of the only detector, which stands for the reconstruction; None where they are not stated."""
    items = _items(records, "detector_information_sequence")
    if len(items) != 1:
        return None
    numbers = [
        items[0][TAGS[keyword]].numbers() if TAGS[keyword] in items[0] else ()
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient")
    ]
    return (np.array(numbers[0], float), np.array(numbers[1], float)) if [len(each) for each in numbers] == [3, 6] else None


def nuclear_axes(records: Records) -> list[tuple[Axis, np.ndarray]]:
    """Axes beside the slices that the vectors of nuclear medicine number; none for other objects."""
    if not records.has("slice_vector"):
        return []
    axes = []
    for name, (source, numbers) in _vectors(records):
        values, labels = number_labels(numbers, 1)
        if name != "slice" and len(values) > 1:
            axes.append((Axis(name, values.astype(np.int64), {"source": source}), labels))
    return axes


def vector_axes(records: Records) -> list[tuple[Axis, np.ndarray]]:
    """Axes that the vectors number, without a gap; none where they leave cells empty."""
    axes = []
    for name, (source, numbers) in _vectors(records):
        values, labels = number_labels(numbers, 1)
        axes.append((Axis(name, values.astype(np.int64), {"source": source}), labels))
    sizes = [len(axis.values) for axis, _ in axes if axis.values is not None]
    return axes if axes and int(np.prod(sizes)) == len(records) else []


def _vectors(records: Records) -> list[tuple[str, tuple[str, np.ndarray]]]:
    """Numbers of each record by the vectors that Frame Increment Pointer names; none where one of them is too short."""
    pointers = records.column("frame_increment_pointer")
    if pointers is None or not records.is_one_instance:
        return []
    frame = records.frames.frame_number[records.row] - 1
    found = []
    for tag in pointers.numbers()[0]:
        name = NAMES.get(int(tag), "") if np.isfinite(tag) else ""
        vector = records.column(name) if name in _VECTORS else None
        if vector is None:
            continue
        numbers = vector.numbers()[0]
        if len(numbers) <= frame.max() or np.isnan(numbers[frame]).any():
            return []
        found.append((_VECTORS[name], (name, numbers[frame])))
    return found


def nuclear_labels(records: Records) -> dict[str, Column]:
    """What the numbers of the vectors stand for, for each record: names of windows, angles of views, times of phases.

    The numbers themselves are among it: where phases differ in length they make no axes.
    """
    vectors = {name: numbers.astype(np.int64) for name, (_, numbers) in _vectors(records)}
    found = {name: number_column(numbers[:, None]) for name, numbers in vectors.items()}
    if "energy_window" in vectors:
        found |= _windows(records, vectors["energy_window"])
    if "angular_view" in vectors:
        found |= _angles(records, vectors)
    if "phase" in vectors and "time_slice" in vectors:
        found |= _times(records, vectors["phase"], vectors["time_slice"])
    return found


def _items(records: Records, name: str) -> list[dict[int, RawValue]]:
    """Items of a sequence that all records share, none where they do not."""
    column = records.column(name)
    value = column.first() if column is not None and column.kind == "raw" and len(column.values) == 1 else None
    return value.readable_items() if isinstance(value, RawValue) else []


def _number(item: dict[int, RawValue], keyword: str) -> float:
    numbers = item[TAGS[keyword]].numbers() if TAGS[keyword] in item else ()
    return float(numbers[0]) if numbers else float("nan")


def _of_number(values: list[float], numbers: np.ndarray) -> np.ndarray:
    """The value for each number, which counts from 1; NaN beyond the last one."""
    known = np.array([*values, np.nan])
    return np.asarray(known[np.where((numbers >= 1) & (numbers <= len(values)), numbers - 1, len(values))])


def _windows(records: Records, window: np.ndarray) -> dict[str, Column]:
    """Name of each energy window, and its limits [keV] where it has one range (PS3.3 C.8.4.10)."""
    items = _items(records, "energy_window_information_sequence")
    names = [item[TAGS["EnergyWindowName"]].text() if TAGS["EnergyWindowName"] in item else "" for item in items]
    ranges = [item[tag].readable_items() if (tag := TAGS["EnergyWindowRangeSequence"]) in item else [] for item in items]
    found: dict[str, Column] = {}
    if any(names):
        texts = np.array([*names, ""], object)
        codes = np.where((window >= 1) & (window <= len(names)), window - 1, len(names))
        found["energy_window_name"] = Column("text", texts, codes.astype(np.int32))
    for name, keyword in (("energy_window_lower_limit", "EnergyWindowLowerLimit"), ("energy_window_upper_limit", "EnergyWindowUpperLimit")):
        limits = _of_number([_number(each[0], keyword) if len(each) == 1 else float("nan") for each in ranges], window)
        if np.isfinite(limits).any():
            found[name] = number_column(limits[:, None])
    return found


def _angles(records: Records, vectors: dict[str, np.ndarray]) -> dict[str, Column]:
    """Angle of the detector about the patient in each view [degrees]: 0 at the back, rising to the left side (PS3.3 C.8.4.12)."""
    rotations, detectors = _items(records, "rotation_information_sequence"), _items(records, "detector_information_sequence")
    one = np.ones(len(records), np.int64)
    rotation, detector = vectors.get("rotation", one), vectors.get("detector", one)
    step = _of_number([_turn(item) * _number(item, "AngularStep") for item in rotations], rotation)
    start = np.full(len(records), np.nan)
    if (detector == detector[0]).all():
        start = _of_number([_number(item, "StartAngle") for item in rotations], rotation)
    if np.isnan(start).all() and (rotation == rotation[0]).all():
        start = _of_number([_number(item, "StartAngle") for item in detectors], detector)
    angle = (start + step * (vectors["angular_view"] - 1)) % 360
    return {"angle": number_column(angle[:, None])} if np.isfinite(angle).any() else {}


def _turn(rotation: dict[int, RawValue]) -> float:
    """1 for counter-clockwise rotations, -1 for clockwise ones, NaN where no direction is stated."""
    tag = TAGS["RotationDirection"]
    return {"CC": 1.0, "CW": -1.0}.get(rotation[tag].text() if tag in rotation else "", np.nan)


def _times(records: Records, phase: np.ndarray, time_slice: np.ndarray) -> dict[str, Column]:
    """When each frame began [s]: the sum of the delays, durations and pauses that are stated; none where one is not (PS3.3 C.8.4.14)."""
    end, starts, steps = 0.0, [], []
    for i, item in enumerate(_items(records, "phase_information_sequence")):
        delay, pause = (_number(item, keyword) for keyword in ("PhaseDelay", "PauseBetweenFrames"))
        count, duration = _number(item, "NumberOfFramesInPhase"), _number(item, "ActualFrameDuration")
        # Nothing lies in front of the first phase, and no pause between the frames of a phase that has one.
        starts.append(end + (0.0 if i == 0 and np.isnan(delay) else delay))
        steps.append(duration + (0.0 if count == 1 and np.isnan(pause) else pause))
        # Each frame but the last one is followed by a pause.
        end = starts[-1] + count * duration + (0.0 if count == 1 else (count - 1) * pause)
    seconds = (_of_number(starts, phase) + (time_slice - 1) * _of_number(steps, phase)) / 1000
    return {"phase_time": number_column(np.round(seconds, 6)[:, None])} if np.isfinite(seconds).all() else {}
