"""Attributes that may tell apart planes at one place, in the order in which they are tried."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from xdicom.headers.dictionary import NAMES, TAGS
from xdicom.headers.values import RawValue
from xdicom.index.clocks import acquisition_clock, content_clock
from xdicom.index.records import Records
from xdicom.model.columns import distinct_rows
from xdicom.model.grid import Diffusion

TIME_TOLERANCE_S = 1e-3
"""Times nearer than this are one [s]."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """An attribute that may divide planes at one place."""

    kind: str
    """Name of the axis that it makes, unless its meaning is another."""
    labels: np.ndarray
    """Number of the value of each plane, ascending with the value; int64, shape `(planes,)`."""
    values: np.ndarray | None
    """The values, by number."""
    attrs: dict[str, object] = field(default_factory=dict)
    """Units and source of the values."""


def number_labels(values: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Distinct numbers (equal within about `tolerance`) in ascending order, and the number of each; NaN comes last."""
    rounded = np.round(values / tolerance)
    _, first, labels = np.unique(rounded, return_index=True, return_inverse=True)
    return values[first], labels.reshape(-1)


def _text_labels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct texts in alphabetical order, and the number of each."""
    distinct = sorted(set(values.tolist()))
    number = {text: i for i, text in enumerate(distinct)}
    return np.array(distinct, str), np.fromiter((number[text] for text in values.tolist()), np.int64, len(values))


def _velocities(records: Records) -> list[Candidate]:
    """Directions of velocity encoding, where there are several."""
    velocity = records.vectors("velocity_encoding_direction", 3)
    if not np.isfinite(velocity).any():
        return []
    _, labels = distinct_rows(np.where(np.isnan(velocity), np.nan, np.round(velocity, 4)))
    if not labels.max():
        return []
    return [Candidate("velocity_encoding", by_first_occurrence(records, labels), None, {"source": "VelocityEncodingDirection"})]


def candidates_of(records: Records, diffusion: Diffusion | None, weights: np.ndarray | None) -> list[Candidate]:
    """Attributes that vary, in the order in which they are tried."""
    found: list[Candidate] = []

    def number(kind: str, values: np.ndarray, tolerance: float, units: str, source: str, scale: float = 1.0) -> None:
        if np.isfinite(values).any():
            distinct, labels = number_labels(values, tolerance)
            if len(distinct) > 1:
                found.append(Candidate(kind, labels, distinct * scale, {"source": source, **({"units": units} if units else {})}))

    def text(kind: str, name: str, source: str) -> None:
        column = records.column(name)
        if column is not None and column.kind == "text" and not column.is_constant:
            distinct, labels = _text_labels(column.texts())
            found.append(Candidate(kind, labels, distinct.astype(object), {"source": source}))

    number("segment", records.numbers("referenced_segment_number"), 1, "", "ReferencedSegmentNumber")
    text("data_type", "data_type", "DataType")
    text("optical_path", "optical_path_identifier", "OpticalPathIdentifier")
    number("energy", records.numbers("monoenergetic_energy_equivalent"), 0.1, "keV", "MonoenergeticEnergyEquivalent")
    number("kvp", records.numbers("kvp"), 0.1, "kV", "KVP")
    effective = records.numbers("effective_echo_time")
    echo = np.where(np.isfinite(effective), effective, records.numbers("echo_time"))
    number("echo_time", echo, 1e-3, "ms", "EffectiveEchoTime" if np.isfinite(effective).any() else "EchoTime")
    text("coil", "receive_coil_name", "ReceiveCoilName")
    if diffusion is not None and weights is not None and weights.max() > 0:
        found.append(Candidate("diffusion", weights, None, {"source": diffusion.source}))
    inversion = records.numbers("inversion_times")
    inversion = np.where(np.isfinite(inversion), inversion, records.numbers("inversion_time"))
    number("inversion_time", inversion, 1e-3, "ms", "InversionTime")
    number("flip_angle", records.numbers("flip_angle"), 1e-3, "deg", "FlipAngle")
    found.extend(_velocities(records))
    text("label_type", "philips_label_type", "(2005,xx29) Philips MR Imaging DD 005")
    number("trigger_time", records.numbers("nominal_cardiac_trigger_delay_time"), 1e-3, "ms", "NominalCardiacTriggerDelayTime")
    number("cardiac_phase", records.numbers("nominal_percentage_of_cardiac_phase"), 1e-3, "percent", "NominalPercentageOfCardiacPhase")
    index = records.numbers("temporal_position_index")
    index = np.where(np.isfinite(index), index, records.numbers("temporal_position_identifier"))
    number(
        "temporal_position",
        index,
        1,
        "",
        "TemporalPositionIndex" if records.has("temporal_position_index") else "TemporalPositionIdentifier",
    )
    number("phase_number", records.numbers("philips_phase_number"), 1, "", "(2001,xx08) Philips Imaging DD 001")
    is_gated = any("GATED" in str(kind).split("\\") for kind in set(records.texts("series_type").tolist()))
    if is_gated:  # gates of PET are told by their time in the cycle, whenever they were measured (PS3.3 C.8.9.1.1.1)
        number("trigger_time", records.numbers("trigger_time"), 1e-3, "ms", "TriggerTime")
    number("time", records.numbers("frame_reference_time"), TIME_TOLERANCE_S, "s", "FrameReferenceTime", 1e-3)
    number("time", records.numbers("temporal_position_time_offset"), 1e-6, "s", "TemporalPositionTimeOffset")
    if not is_gated:
        number("trigger_time", records.numbers("trigger_time"), 1e-3, "ms", "TriggerTime")
    number("rr_interval", records.numbers("low_rr_value"), 1, "ms", "LowRRValue")
    for clock in (acquisition_clock(records), content_clock(records)):
        number("clock", clock.seconds, TIME_TOLERANCE_S, "s", clock.source)
    number("acquisition", records.numbers("acquisition_number"), 1, "", "AcquisitionNumber")
    names = _dimension_names(records)
    for name, values in zip(names, records.vectors("dimension_index_values", max(1, len(names))).T, strict=False):
        number(name, values, 1, "", f"DimensionIndexValues ({name})")
    return found


def _dimension_names(records: Records) -> list[str]:
    """Names of the dimensions that an enhanced object declares (PS3.3 C.7.6.17): what they point at may be read by no other name."""
    column = records.column("dimension_index_sequence")
    value = column.first() if column is not None and column.kind == "raw" and len(column.values) == 1 else None
    items = value.readable_items() if isinstance(value, RawValue) else []
    pointers = [item[TAGS["DimensionIndexPointer"]].numbers() if TAGS["DimensionIndexPointer"] in item else () for item in items]
    return [NAMES.get(int(pointer[0]), f"dimension_{i}") if pointer else f"dimension_{i}" for i, pointer in enumerate(pointers, start=1)]


def diffusion_labels(records: Records, diffusion: Diffusion) -> np.ndarray:
    """Number of each plane's diffusion weight, in order of first occurrence in time."""
    _, mark = _text_labels(diffusion.kind)
    rows = np.column_stack([np.round(diffusion.b_value, 1), np.round(diffusion.direction, 4), mark])
    _, labels = distinct_rows(np.where(np.isnan(rows), np.nan, rows))  # one NaN for all: rows are compared by their bytes
    return by_first_occurrence(records, labels)


def _order_of(records: Records) -> np.ndarray:
    """Order of the planes in time: by clock, Instance Number, and frame number."""
    clock = np.nan_to_num(acquisition_clock(records).seconds, nan=np.inf)
    instance = np.nan_to_num(records.numbers("instance_number"), nan=np.inf)
    return np.lexsort((records.frames.frame_number[records.row], instance, clock))


def by_first_occurrence(records: Records, labels: np.ndarray) -> np.ndarray:
    """The labels numbered anew, in the order in which they first occur in time."""
    order = _order_of(records)
    _, first = np.unique(labels[order], return_index=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[labels])
