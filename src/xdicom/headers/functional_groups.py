"""Shared and per-frame functional groups of enhanced objects as columns (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from xdicom.headers.columns import build_column, gather_column
from xdicom.headers.dictionary import NAMES, PRIVATE, PUBLIC, TAGS, to_snake_case
from xdicom.headers.elements import LongSequence, Syntax
from xdicom.headers.items import item_bounds
from xdicom.headers.layout import PADDING, Path, walk_alike
from xdicom.headers.rigid import find_rigid
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


def per_frame_columns(value: RawValue) -> FrameColumns:
    """Columns of the per-frame functional groups in the value of their sequence, as `columns_of_items` gives them."""
    syntax = Syntax(value.is_implicit, value.is_big_endian)
    return columns_of_items(LongSequence(value.data, 0, len(value.data), syntax))


def columns_of_items(sequence: LongSequence) -> FrameColumns:
    """Columns of the per-frame functional groups, without an object for each frame where items are laid out alike."""
    syntax = sequence.syntax
    is_trusting = not syntax.is_big_endian
    starts, stops = sequence.bounds or item_bounds(sequence.data, syntax, sequence.start, sequence.stop, is_trusting=is_trusting)[:2]
    places, left = _Places(len(starts)), np.arange(len(starts))
    data = np.frombuffer(sequence.data, np.uint8)
    if not syntax.is_big_endian and len(starts):
        if len(data) < int(stops[-1]) + PADDING:
            data = np.concatenate([data, np.zeros(PADDING, np.uint8)])
        left = _walk_in_step(data, starts, stops, syntax, places)
        if len(left):
            # Not every item ends where one like it did: the ends are found by walking through each.
            true_starts, true_stops, _ = item_bounds(sequence.data, syntax, sequence.start, sequence.stop, is_trusting=False)
            if not (np.array_equal(true_starts, starts) and np.array_equal(true_stops, stops)):
                starts, stops, places = true_starts, true_stops, _Places(len(true_starts))
                left = _walk_in_step(data, starts, stops, syntax, places)
    columns = places.columns(data, is_implicit=syntax.is_implicit)
    if len(left):
        rest = _columns_one_by_one(sequence.data, starts[left], stops[left], syntax)
        in_step = np.setdiff1d(np.arange(len(starts)), left, assume_unique=True)
        names = dict.fromkeys((*columns, *rest))
        columns = {name: _join(columns.get(name), in_step, rest.get(name), left) for name in names}
    return FrameColumns(len(starts), columns)


class _Places:
    """Where the values of each name lie in each item, as far as items were walked in step."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.found: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        """By name and VR: first byte and length of each item's value; length 0 where it has none."""
        self.constant: dict[str, tuple[str, int, int]] = {}
        """VR, first byte and length of the values that are the same in all items."""

    def add(self, name: str, vr: str, rows: np.ndarray, offset: np.ndarray, length: np.ndarray | int) -> None:
        """Remember where the values of the items `rows` lie."""
        by_vr = self.found.setdefault(name, {})
        if vr not in by_vr:
            by_vr[vr] = np.zeros(self.count, np.int64), np.zeros(self.count, np.int64)
        by_vr[vr][0][rows], by_vr[vr][1][rows] = offset, length

    def columns(self, data: np.ndarray, *, is_implicit: bool) -> dict[str, Column]:
        """Columns of as many rows as there are items."""
        columns: dict[str, Column] = {}
        for name, (vr, begin, size) in self.constant.items():
            offset, length = np.full(self.count, begin), np.full(self.count, size)
            columns[name] = gather_column(vr, data, offset, length, is_implicit=is_implicit, is_constant=True)
        for name, by_vr in self.found.items():
            parts = [gather_column(vr, data, offset, length, is_implicit=is_implicit) for vr, (offset, length) in by_vr.items()]
            rows = [np.flatnonzero(part.codes >= 0) for part in parts]
            columns[name] = parts[0]
            if len(parts) > 1:
                joined = concatenate([part.take(own) for part, own in zip(parts, rows, strict=True)], [len(own) for own in rows])
                columns[name] = _spread(joined, np.concatenate(rows), self.count)
        return columns


def _walk_in_step(data: np.ndarray, starts: np.ndarray, stops: np.ndarray, syntax: Syntax, places: _Places) -> np.ndarray:
    """Find the places of values in the items that can be walked in step; the numbers of the items that are left."""
    is_left = np.ones(len(starts), bool)
    asked: dict[Path, str] = {}

    def name_of(path: Path) -> str:
        if path not in asked:
            asked[path] = column_name(path)
        return asked[path]

    def is_wanted(path: Path) -> bool:
        return bool(name_of(path))

    for rigid in find_rigid(data, starts, stops, syntax, is_wanted=is_wanted, is_entered=_is_entered):
        is_left[rigid.rows] = False
        seen: set[str] = set()
        for element in rigid.elements:
            name = name_of(element.path)
            if name in seen:
                continue
            seen.add(name)
            if element.is_constant and len(rigid.rows) == len(starts):
                places.constant[name] = element.vr, int(starts[0]) + element.begin, element.length
            else:
                places.add(name, element.vr, rigid.rows, starts[rigid.rows] + element.begin, element.length)
    left = np.flatnonzero(is_left)
    for _ in range(_MAX_LAYOUTS):
        if not len(left):
            break
        alike = walk_alike(data, starts[left], stops[left], syntax, is_wanted=is_wanted, is_entered=_is_entered)
        ended = alike.end == stops[left][alike.rows] if len(alike.rows) else np.empty(0, bool)
        rows = left[alike.rows[ended]]
        if not len(rows):
            break
        seen = set()
        for found in alike.elements:
            if (name := name_of(found.path)) not in seen:
                seen.add(name)
                places.add(name, found.vr, rows, found.offset[ended], found.length[ended])
        left = np.setdiff1d(left, rows, assume_unique=True)
    return left


def _columns_one_by_one(data: bytes, starts: np.ndarray, stops: np.ndarray, syntax: Syntax) -> dict[str, Column]:
    frames = [flatten(parse_elements(data, start, stop, syntax)[0]) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    names = dict.fromkeys(name for frame in frames for name in frame)
    columns = {}
    for name in names:
        raws = [frame.get(name) for frame in frames]
        columns[name] = build_column([(raw.vr, raw.data, raw.is_implicit, raw.is_big_endian) if raw else None for raw in raws])
    return columns


def _join(in_step: Column | None, rows: np.ndarray, rest: Column | None, left: np.ndarray) -> Column:
    """One column from that of the items walked in step, `rows`, and from that of those walked one by one, `left`."""
    joined = concatenate([in_step.take(rows) if in_step is not None else None, rest], [len(rows), len(left)])
    return _spread(joined, np.concatenate([rows, left]), len(rows) + len(left))


def _spread(column: Column, rows: np.ndarray, count: int) -> Column:
    """The column for `count` frames, of which it holds the values of the frames `rows`; the others have none."""
    codes = np.full(count, -1, column.codes.dtype)
    codes[rows] = column.codes
    return Column(column.kind, column.values, codes)
