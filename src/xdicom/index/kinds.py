"""Objects whose frames have rules of their own: cine, dose grids and segmentations."""

from __future__ import annotations

import numpy as np

from xdicom.headers.dictionary import TAGS
from xdicom.headers.segments import parse_segments
from xdicom.headers.values import RawValue
from xdicom.index.nuclear import vector_axes
from xdicom.index.records import Records
from xdicom.index.spacing import Stack, stack_planes
from xdicom.index.tiles import number_column
from xdicom.model.grid import Axis
from xdicom.model.plane import slice_normals

VOLUME_Z = {"units": "mm", "long_name": "position along the normal, in the coordinates of the volume"}

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
SEGMENTATION, LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"


def is_segmentation(records: Records) -> bool:
    """Whether the records are of a segmentation with segments as frames (PS3.3 C.8.20)."""
    is_class = bool((records.texts("sop_class_uid") == SEGMENTATION).all())
    return is_class and bool(np.isfinite(records.numbers("referenced_segment_number")).all())


def segment_axes(records: Records) -> list[tuple[Axis, np.ndarray]]:
    """The axis of the segments of a segmentation, with the step of each record on it.

    It has the segments that the header describes, those without a frame too: they are empty (PS3.3 C.8.20).
    """
    numbers = records.numbers("referenced_segment_number")
    described = records.column("segment_sequence")
    value = described.first() if described is not None and described.kind == "raw" else None
    declared = [segment.number for segment in parse_segments(value)] if isinstance(value, RawValue) else []
    values = np.union1d(numbers.astype(np.int64), np.array(declared, np.int64))
    return [(Axis("segment", values, {"source": "ReferencedSegmentNumber"}), np.searchsorted(values, numbers.astype(np.int64)))]


def dose_positions(records: Records, notes: list[str]) -> Records:
    """Records with the positions that Grid Frame Offset Vector gives the frames of dose objects (PS3.3 C.8.8.3.2)."""
    offsets = records.column("grid_frame_offset_vector")
    is_dose = records.texts("sop_class_uid") == RT_DOSE
    if offsets is None or offsets.kind != "number" or not is_dose.any():
        return records
    position, orientation = records.vectors("image_position_patient", 3), records.vectors("image_orientation_patient", 6)
    vectors, normal = offsets.numbers(), slice_normals(orientation)
    frame = records.frames.frame_number[records.row] - 1
    result = position.copy()
    counts = np.bincount(records.frames.instance[records.row])[records.frames.instance[records.row]]
    for i in np.flatnonzero(is_dose & np.isfinite(position).all(axis=1)):
        vector = vectors[i][np.isfinite(vectors[i])]
        if len(vector) != counts[i] and frame[i] == 0:
            what = "the first ones are used" if len(vector) > counts[i] else "planes have no position"
            notes.append(f"Grid Frame Offset Vector holds {len(vector)} offsets for {counts[i]} frames; {what}")
        if len(vector) < counts[i]:
            result[i] = np.nan
            continue
        if vector[0] == 0:
            result[i] = position[i] + vector[frame[i]] * normal[i]
        elif np.allclose(orientation[i], [1, 0, 0, 0, 1, 0], atol=1e-6) and abs(vector[0] - position[i, 2]) < 1e-3:
            result[i, 2] = vector[frame[i]]
        else:
            result[i] = np.nan
            if frame[i] == 0:
                notes.append(
                    "Grid Frame Offset Vector begins neither with 0 nor with the position of the first frame: planes have no position"
                )
    records.own["image_position_patient"] = number_column(result)
    return records


def positions_of_frames(records: Records) -> Records:
    """Records without the positions that are those of a whole object: many frames, of which no functional group says anything.

    One Image Position (Patient) can't be that of every frame, and of which it is nobody says.
    """
    table = records.frames
    if len(table) == len(table.instances) or not records.has("image_position_patient"):
        return records
    says_something = np.zeros(len(table), bool)
    for column in table.columns.values():
        says_something |= column.codes >= 0
    instance = table.instance[records.row]
    is_silent = np.ones(len(table.instances), bool)
    is_silent[table.instance[says_something]] = False
    is_silent &= np.bincount(table.instance, minlength=len(table.instances)) > 1
    position = records.vectors("image_position_patient", 3)
    first = np.zeros((len(table.instances), 3))
    first[instance[::-1]] = position[::-1]
    differs = np.zeros(len(table.instances), bool)
    differs[instance[(position != first[instance]).any(axis=1)]] = True
    is_whole = (is_silent & ~differs)[instance]
    if is_whole.any():
        records.own["image_position_patient"] = number_column(np.where(is_whole[:, None], np.nan, position))
    return records


def energies_of_planes(records: Records) -> Records:
    """Records with the energies of virtual monoenergetic images [keV], which single-frame objects state in an item (PS3.3 C.8.15.3.12)."""
    column = records.column("multienergy_ct_characteristics_sequence")
    if column is None or column.kind != "raw" or records.has("monoenergetic_energy_equivalent"):
        return records
    tag = TAGS["MonoenergeticEnergyEquivalent"]
    energies = []
    for value in column.values:
        items = value.readable_items()
        numbers = items[0][tag].numbers() if len(items) == 1 and tag in items[0] else ()
        energies.append(numbers[0] if numbers else np.nan)
    records.own["monoenergetic_energy_equivalent"] = number_column(np.array([*energies, np.nan])[column.codes][:, None])
    return records


def volume_planes(records: Records) -> Stack | None:
    """Places of planes of a volume with coordinates of its own, as ultrasound has (PS3.3 C.8.24.3); None for other objects."""
    if not records.has("image_position_volume") or records.has("image_position_patient"):
        return None
    position, orientation = records.vectors("image_position_volume", 3), records.vectors("image_orientation_volume", 6)
    return stack_planes(position, orientation, records.vectors("pixel_spacing", 2))


def frame_axes(records: Records) -> tuple[list[tuple[Axis, np.ndarray]], dict[str, object]]:
    """Axes of frames without a geometry: vectors of nuclear medicine, or the times of a cine run; none where nothing numbers them."""
    vectors = vector_axes(records)
    if vectors:
        return vectors, {}
    seconds, attrs = _frame_times(records)
    if seconds is None:
        return [], attrs
    return [(Axis("time", seconds, attrs), np.arange(len(records)))], {}


def _frame_times(records: Records) -> tuple[np.ndarray | None, dict[str, object]]:
    """Seconds of each frame from the first one, by Frame Time Vector or Frame Time (PS3.3 C.7.6.5)."""
    if not records.is_one_instance:
        return None, {}
    frame = records.frames.frame_number[records.row] - 1
    vector = records.column("frame_time_vector")
    if vector is not None and vector.kind == "number":
        increments = vector.numbers()[0]
        increments = increments[np.isfinite(increments)]
        if len(increments) > frame.max():
            times = np.cumsum(increments)
            # The first increment should be 0 and is not always: time counts from the first frame.
            return (times[frame] - times[0]) / 1000, {"units": "s", "source": "FrameTimeVector", "long_name": "time since the first frame"}
    step = records.numbers("frame_time")
    if np.isfinite(step).all() and (step > 0).all():
        return frame * step / 1000, {"units": "s", "source": "FrameTime", "long_name": "time since the first frame"}
    for name, source in (
        ("temporal_position_time_offset", "TemporalPositionTimeOffset"),
        ("frame_acquisition_date_time", "FrameAcquisitionDateTime"),
    ):
        seconds = records.numbers(name)
        if len(seconds) > 1 and (np.diff(seconds) > 0).all():
            return np.round(seconds - seconds[0], 6), {"units": "s", "source": source, "long_name": "time since the first frame"}
    return None, {}
