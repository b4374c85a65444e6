"""What belongs together: records of one series that may share an array, by documented keys in a documented order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xdicom.headers.dictionary import TAGS
from xdicom.headers.luts import parse_real_world_maps
from xdicom.headers.segments import parse_segments
from xdicom.headers.values import RawValue
from xdicom.index.patients import PATIENT
from xdicom.index.records import Records
from xdicom.index.stations import describe_station, station_labels
from xdicom.model.columns import distinct_rows
from xdicom.model.plane import slice_normals, unit

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
"""SOP class of parametric maps (PS3.3 A.75)."""
ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of direction cosines within a stack: jitter of real scanners is below 1e-7, real turns are above 0.1."""
MOST_GROUPS = 64
"""Orientations or pixel spacings that a series has at most: frames of more, as of a probe held by hand, stay together without a place."""
_UNITS = ("rescale_type", "units")
SPACING_TOLERANCE_MM = 1e-4
"""Largest difference of pixel spacings within a stack [mm], and relative to the spacing itself."""


@dataclass(frozen=True, slots=True)
class Key:
    """One property that frames of an array must share."""

    name: str
    """What it is called in reasons."""
    labels: Callable[[Records], np.ndarray]
    """Number of the group of each record; equal numbers may share an array."""
    describe: Callable[[Records], str]
    """What the property is for records that share it."""


def split(records: Records) -> list[Records]:
    """Parts of a series that may each become an array, in order of first occurrence, with the reasons of the split.

    The keys, in this order: SOP Class, segments described, Series Number, patient (as a number within the series), study and
    patient position, pixel encoding, frame of reference, orientation, pixel spacing, image kind (values 3 and on of Image Type
    or Frame Type, complex component), units (Rescale Type, Units), quantity (of parametric maps), stack, station (planes side by
    side).
    """
    parts = [records]
    for key in KEYS:
        parts = [piece for part in parts for piece in _split_by(part, key)]
    return parts


def _split_by(records: Records, key: Key) -> list[Records]:
    labels = key.labels(records)
    if len(labels) == 0 or (labels == labels[0]).all():
        return [records]
    _, first = np.unique(labels, return_index=True)
    pieces = []
    for start in np.sort(first):
        piece = records.take(labels == labels[start])
        pieces.append(piece.take(np.arange(len(piece)), (f"{key.name}: {key.describe(piece)}",)))
    return pieces


def cluster(values: np.ndarray, tolerance: np.ndarray | float) -> np.ndarray:
    """Number of the group of each row: a row joins the first group whose first row is within `tolerance` in every value.

    Rows of NaN form a group of their own. Of more than `MOST_GROUPS` groups none is told apart: all rows are one. Shapes
    `(rows, values)` and `(rows,)`.
    """
    labels = np.full(len(values), -1, np.int64)
    number = 0
    while (labels < 0).any():
        if number == MOST_GROUPS:
            return np.zeros(len(values), np.int64)
        first = values[np.argmax(labels < 0)]
        if np.isnan(first).any():
            near = np.isnan(values).any(axis=1)
        else:
            with np.errstate(invalid="ignore"):
                near = (np.abs(values - first) <= tolerance).all(axis=1)
        labels[near & (labels < 0)] = number
        number += 1
    return labels


def _codes(*names: str) -> Callable[[Records], np.ndarray]:
    """Group numbers by equality of header values."""

    def labels(records: Records) -> np.ndarray:
        combined = np.zeros(len(records), np.int64)
        for name in names:
            column = records.column(name)
            if column is not None:
                combined = combined * (len(column.values) + 2) + column.codes + 1
        return combined

    return labels


def _unit_labels(records: Records) -> np.ndarray:
    """Group numbers by stated units: one array has one. Values without any are no other unit, unless several are stated."""
    combined = np.zeros(len(records), np.int64)
    for name in _UNITS:
        column = records.column(name)
        if column is not None and len(column.values) > 1:
            combined = combined * (len(column.values) + 2) + column.codes + 1
    return combined


def _describe(*names: str) -> Callable[[Records], str]:
    def text(records: Records) -> str:
        parts = []
        for name in names:
            column = records.column(name)
            value = column.first() if column is not None else None
            if isinstance(value, tuple):
                parts.append(" ".join(f"{number:g}" for number in value))
            else:
                parts.append(str(value) if value else "none")
        return ", ".join(parts)

    return text


def _describe_segments(records: Records) -> str:
    column = records.column("segment_sequence")
    value = column.first() if column is not None else None
    segments = parse_segments(value) if isinstance(value, RawValue) else []
    return ", ".join(segment.label or str(segment.number) for segment in segments) or "none"


def _encoding_labels(records: Records) -> np.ndarray:
    table = records.frames.instances
    forms: dict[tuple[object, ...], int] = {}
    numbers = np.array(
        [
            forms.setdefault((e.frame_shape, str(e.dtype), e.photometric_interpretation, e.bits_allocated), len(forms))
            for e in table.encodings
        ],
        np.int64,
    )
    return np.asarray(numbers[table.encoding[records.frames.instance[records.row]]])


def _describe_encoding(records: Records) -> str:
    table = records.frames.instances
    encoding = table.encodings[table.encoding[records.frames.instance[records.row[0]]]]
    return f"{' x '.join(map(str, encoding.frame_shape))} {encoding.dtype} {encoding.photometric_interpretation}"


def _orientation_labels(records: Records) -> np.ndarray:
    return cluster(records.vectors("image_orientation_patient", 6), ORIENTATION_TOLERANCE)


def plane_name(normal: np.ndarray) -> str:
    """Name of planes across `normal`: axial, coronal or sagittal where it is near an axis, else oblique.

    Examples
    --------
    >>> plane_name(np.array([0.05, -0.999, 0.02]))
    'coronal'
    """
    axis = int(np.argmax(np.abs(normal)))
    name = ("sagittal", "coronal", "axial")[axis]
    return name if abs(normal[axis]) > 0.9 else f"oblique_{name}"


def _describe_orientation(records: Records) -> str:
    orientation = records.vectors("image_orientation_patient", 6)[:1]
    if np.isnan(orientation).any():
        return "none"
    cosines = " ".join(f"{value:.4g}" for value in orientation[0])
    return f"{plane_name(unit(slice_normals(orientation)[0]))} ({cosines})"


def _spacing_labels(records: Records) -> np.ndarray:
    spacing = records.vectors("pixel_spacing", 2)
    with np.errstate(invalid="ignore"):
        smallest = np.nanmin(np.abs(spacing)) if np.isfinite(spacing).any() else 1.0
    return cluster(spacing, min(SPACING_TOLERANCE_MM, SPACING_TOLERANCE_MM * max(smallest, 1e-6) * 10))


def image_kinds(records: Records) -> tuple[list[str], np.ndarray]:
    """What records are images of: the tokens behind the second of Frame Type or Image Type, and the complex part; and the kind of each."""
    names = ("frame_type", "image_type", "complex_image_component", "philips_complex_image_kind")
    columns = [column if (column := records.column(name)) is not None and column.kind == "text" else None for name in names]
    ge = np.nan_to_num(records.numbers("ge_complex_image_kind"), nan=-1)
    codes = [column.codes if column is not None else np.full(len(records), -1) for column in columns]
    rows, place = distinct_rows(np.column_stack([*codes, ge]).astype(np.float64))
    kinds: list[str] = []
    for row in rows.tolist():
        texts = [
            str(column.values[int(code)]) if column is not None and code >= 0 else "" for column, code in zip(columns, row, strict=False)
        ]
        own, stated, component, philips = texts
        kinds.append("\\".join([*(own or stated).split("\\")[2:], *(extra for extra in (component, philips) if extra), *_ge_part(row[-1])]))
    return kinds, place


def _ge_part(code: float) -> list[str]:
    return ["MPRI"[int(code)]] if code in (0, 1, 2, 3) else []


def _kind_labels(records: Records) -> np.ndarray:
    kinds, place = image_kinds(records)
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return np.asarray(np.array([numbers[kind] for kind in kinds], np.int64)[place])


def _quantities(records: Records) -> list[str] | None:
    """What parametric maps show and its units, of each distinct mapping; None for other objects (PS3.3 C.7.6.16.2.11)."""
    column = records.column("real_world_value_mapping_sequence")
    if column is None or column.kind != "raw" or not (records.texts("sop_class_uid") == PARAMETRIC_MAP).all():
        return None
    sets = [parse_real_world_maps({TAGS["RealWorldValueMappingSequence"]: value}) for value in column.values]
    return [", ".join(f"{each.quantity or each.label} [{each.unit}]" for each in maps) for maps in sets]


def _quantity_labels(records: Records) -> np.ndarray:
    names, column = _quantities(records), records.column("real_world_value_mapping_sequence")
    if names is None or column is None:
        return np.zeros(len(records), np.int64)
    distinct = list(dict.fromkeys(names))
    labels = np.array([*(distinct.index(name) for name in names), -1], np.int64)
    return np.asarray(labels[column.codes])


def _describe_quantity(records: Records) -> str:
    names = _quantities(records)
    return names[0] if names else "none"


KEYS: tuple[Key, ...] = (
    Key("SOP class", _codes("sop_class_uid"), _describe("sop_class_uid")),
    Key("segments", _codes("segment_sequence"), _describe_segments),
    Key("series number", _codes("series_number"), _describe("series_number")),
    Key("patient", _codes(PATIENT), _describe(PATIENT)),
    Key("study", _codes("study_instance_uid", "patient_position"), _describe("study_instance_uid", "patient_position")),
    Key("pixel encoding", _encoding_labels, _describe_encoding),
    Key("frame of reference", _codes("frame_of_reference_uid"), _describe("frame_of_reference_uid")),
    Key("orientation", _orientation_labels, _describe_orientation),
    Key("pixel spacing", _spacing_labels, _describe("pixel_spacing")),
    Key("image kind", _kind_labels, lambda records: image_kinds(records)[0][0] or "none"),
    Key("units", _unit_labels, _describe(*_UNITS)),
    Key("quantity", _quantity_labels, _describe_quantity),
    Key("stack", _codes("stack_id"), _describe("stack_id")),
    Key("station", station_labels, describe_station),
)
"""Properties that frames of one array share, in the order in which a series is split by them."""
