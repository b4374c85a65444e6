"""Shared and per-frame functional groups of enhanced objects as columns (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from xdicom.headers.columns import build_column, gather_column
from xdicom.headers.dictionary import NAMES, PRIVATE, PUBLIC, TAGS, to_snake_case
from xdicom.headers.elements import Syntax
from xdicom.headers.items import item_bounds
from xdicom.headers.layout import Alike, Path, walk_alike
from xdicom.headers.values import RawValue, parse_elements
from xdicom.model.columns import Column, concatenate

Key = TypeVar("Key")

_ENTERED = frozenset(
    TAGS[keyword]
    for keyword in (
        "PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence", "FrameContentSequence", "FrameAnatomySequence",
        "MREchoSequence", "MRTimingAndRelatedParametersSequence", "MRModifierSequence", "MRDiffusionSequence", "MRAveragesSequence",
        "DiffusionGradientDirectionSequence", "CardiacSynchronizationSequence", "PixelValueTransformationSequence", "FrameVOILUTSequence",
        "MRImageFrameTypeSequence", "CTImageFrameTypeSequence", "PETFrameTypeSequence", "SegmentIdentificationSequence",
        "PlanePositionSlideSequence", "OpticalPathIdentificationSequence", "CTExposureSequence", "CTXRayDetailsSequence",
        "CTReconstructionSequence", "CTPositionSequence", "TemporalPositionSequence", "MRVelocityEncodingSequence",
        "MRReceiveCoilSequence", "PlanePositionVolumeSequence", "PlaneOrientationVolumeSequence",
        "UnassignedPerFrameConvertedAttributesSequence", "UnassignedSharedConvertedAttributesSequence",
        "ConversionSourceAttributesSequence", "DerivationImageSequence", "SourceImageSequence", "XRay3DFrameTypeSequence",
        "FramePixelDataPropertiesSequence", "DiffusionBMatrixSequence", "MultienergyCTCharacteristicsSequence", "ImageDataTypeSequence",
    )
)  # fmt: skip
"""Sequences whose first item holds values of the frame itself."""
_RAW = frozenset({TAGS["RealWorldValueMappingSequence"], TAGS["PixelIntensityRelationshipLUTSequence"]})
"""Sequences that are kept whole."""
_PHILIPS_HEADER = 0x2005140F
_PHILIPS_ELEMENTS = {
    (group << 16 | 0x1000 | (0x400 if creator.endswith("005") else 0) | low): f"philips_{to_snake_case(name)}"
    for (group, creator, low), (_, name) in PRIVATE.items()
    if group in (0x2001, 0x2005) and name != "FrameHeader"
}
"""Vendor's elements within Philips' private header of a frame: its blocks keep their usual numbers."""
_OWN_CLOCK = {TAGS[keyword] for keyword in ("ContentTime", "AcquisitionTime", "InstanceNumber", "TemporalPositionIdentifier")}
_SOURCE_UID = (TAGS["DerivationImageSequence"], TAGS["SourceImageSequence"], TAGS["ReferencedSOPInstanceUID"])
_MAX_LAYOUTS = 16
"""Different layouts that are followed in step before items are walked one by one."""


@dataclass(slots=True)
class FrameColumns:
    """Values of the per-frame functional groups, one column for each name."""

    count: int
    """Number of items: that of the frames, where the header is right."""
    columns: dict[str, Column] = field(default_factory=dict)
    """Columns by name, each of `count` frames."""


def column_name(path: Path) -> str:
    """Name of the value at `path` in a functional group item, or the empty string where it is not read."""
    tag = path[-1]
    if path[0] == _PHILIPS_HEADER:
        if len(path) != 2:
            return ""
        return _PHILIPS_ELEMENTS.get(tag) or (f"philips_{NAMES[tag]}" if tag in _OWN_CLOCK else "")
    if tag in _RAW:
        return NAMES[tag] if len(path) == 1 else ""
    if tag not in NAMES or PUBLIC[tag][0] == "SQ" or any(entered not in _ENTERED for entered in path[:-1]):
        return ""
    if TAGS["DerivationImageSequence"] in path or TAGS["ConversionSourceAttributesSequence"] in path:
        is_source = path == _SOURCE_UID or path == (TAGS["ConversionSourceAttributesSequence"], TAGS["ReferencedSOPInstanceUID"])
        return "source_sop_instance_uid" if is_source else ""
    return NAMES[tag]


def _is_entered(path: Path) -> bool:
    return path[-1] in _ENTERED or path == (_PHILIPS_HEADER,)


def flatten(item: dict[int, RawValue], above: Path = ()) -> dict[str, RawValue]:
    """Values of one functional group item by name; the first of those with one name holds."""
    values: dict[str, RawValue] = {}
    for tag, value in item.items():
        path = (*above, tag)
        name = column_name(path)
        if name:
            values.setdefault(name, value)
        elif value.vr == "SQ" and _is_entered(path):
            for inner in value.items()[:1]:
                for inner_name, inner_value in flatten(inner, path).items():
                    values.setdefault(inner_name, inner_value)
    return values


def shared_values(value: RawValue, make: Callable[[str, bytes, bool, bool], Key]) -> dict[str, Key]:
    """Values of the shared functional groups by name."""
    items = value.items()
    flat = flatten(items[0]) if items else {}
    return {name: make(raw.vr, raw.data, raw.is_implicit, raw.is_big_endian) for name, raw in flat.items()}


def per_frame_columns(value: RawValue, bounds: tuple[np.ndarray, np.ndarray] | None = None) -> FrameColumns:
    """Columns of the per-frame functional groups, without an object for each frame where items are laid out alike.

    `bounds` are where the items begin and end in the value, where that is known.
    """
    syntax = Syntax(value.is_implicit, value.is_big_endian)
    data = np.frombuffer(value.data, np.uint8)
    starts, stops = bounds or item_bounds(value.data, syntax, is_trusting=not syntax.is_big_endian)[:2]
    parts, left = _parts_in_step(data, starts, stops, syntax)
    if len(left) and not syntax.is_big_endian:
        # Not every item ends where one like it did: the ends are found by walking through each.
        true_starts, true_stops, _ = item_bounds(value.data, syntax, is_trusting=False)
        if not (np.array_equal(true_starts, starts) and np.array_equal(true_stops, stops)):
            starts, stops = true_starts, true_stops
            parts, left = _parts_in_step(data, starts, stops, syntax)
    if len(left):
        parts.append((left, _columns_one_by_one(value.data, starts[left], stops[left], syntax)))
    columns = FrameColumns(len(starts))
    for name in dict.fromkeys(name for _, part in parts for name in part):
        columns.columns[name] = _join(name, parts, len(starts))
    return columns


def _parts_in_step(
    data: np.ndarray, starts: np.ndarray, stops: np.ndarray, syntax: Syntax
) -> tuple[list[tuple[np.ndarray, dict[str, Column]]], np.ndarray]:
    """Columns of the items that can be walked in step, by layout, and the numbers of the items that are left."""
    left = np.arange(len(starts))
    parts: list[tuple[np.ndarray, dict[str, Column]]] = []
    if not syntax.is_big_endian:
        padded = np.concatenate([data, np.zeros(16, np.uint8)])
        for _ in range(_MAX_LAYOUTS):
            if not len(left):
                break
            alike = walk_alike(
                padded, starts[left], stops[left], syntax, is_wanted=lambda path: bool(column_name(path)), is_entered=_is_entered
            )
            ended = alike.end == stops[left][alike.rows] if len(alike.rows) else np.empty(0, bool)
            rows = left[alike.rows[ended]]
            if not len(rows):
                break
            parts.append((rows, _columns_of(padded, alike, ended, syntax)))
            left = np.setdiff1d(left, rows, assume_unique=True)
    return parts, left


def _columns_of(data: np.ndarray, alike: Alike, ended: np.ndarray, syntax: Syntax) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for element in alike.elements:
        name = column_name(element.path)
        if name not in columns:
            offset, length = element.offset[ended], element.length[ended]
            columns[name] = gather_column(element.vr, data, offset, length, is_implicit=syntax.is_implicit)
    return columns


def _columns_one_by_one(data: bytes, starts: np.ndarray, stops: np.ndarray, syntax: Syntax) -> dict[str, Column]:
    frames = [flatten(parse_elements(data, start, stop, syntax)[0]) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    names = dict.fromkeys(name for frame in frames for name in frame)
    columns = {}
    for name in names:
        raws = [frame.get(name) for frame in frames]
        columns[name] = build_column([(raw.vr, raw.data, raw.is_implicit, raw.is_big_endian) if raw else None for raw in raws])
    return columns


def _join(name: str, parts: list[tuple[np.ndarray, dict[str, Column]]], count: int) -> Column:
    """One column from the columns of several layouts, in the order of the frames."""
    from_parts = [part.get(name) for _, part in parts]
    if len(parts) == 1 and from_parts[0] is not None:
        return from_parts[0]
    joined = concatenate(from_parts, [len(rows) for rows, _ in parts])
    codes = np.full(count, -1, joined.codes.dtype)
    codes[np.concatenate([rows for rows, _ in parts])] = joined.codes
    return Column(joined.kind, joined.values, codes)
