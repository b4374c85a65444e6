"""Frames of one series as arrays: split, ordered along the normal, divided by extra axes; nothing lost, nothing invented."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from xdicom.index.axes import MOST_CELLS, Division, divide
from xdicom.index.clocks import diffusion_of
from xdicom.index.copies import missing_parts, occurrences, without_copies
from xdicom.index.kinds import (
    VOLUME_Z,
    dose_positions,
    energies_of_planes,
    frame_axes,
    is_segmentation,
    positions_of_frames,
    segment_axes,
    volume_planes,
)
from xdicom.index.names import stack_name
from xdicom.index.nuclear import nuclear_axes, nuclear_labels, nuclear_positions
from xdicom.index.patients import several_patients
from xdicom.index.records import Records
from xdicom.index.spacing import Stack, stack_planes
from xdicom.index.split import plane_name, split
from xdicom.index.tiles import cut_tiles, number_column
from xdicom.index.twins import describe_twins
from xdicom.model.frames import FrameTable
from xdicom.model.grid import MISSING, Axis, Diffusion, FrameGrid, Tiles

Z_ATTRS = {"units": "mm", "long_name": "position along the slice normal"}


@dataclass(slots=True)
class Arrangement:
    """A series in its places."""

    grids: list[FrameGrid] = field(default_factory=list)
    """Arrays that the series makes."""
    notes: list[str] = field(default_factory=list)
    """Frames that are in no array, or were not treated as marked, and why."""


def arrange(frames: FrameTable) -> Arrangement:
    """Arrays that the frames of one series make.

    Every frame is in exactly one of them, but for copies of one SOP Instance, which are noted.
    """
    arrangement = Arrangement()
    rows, notes = without_copies(frames)
    arrangement.notes.extend([*notes, *missing_parts(frames), *several_patients(frames)])
    records = Records(frames, rows[_order_of_headers(frames, rows)])
    number = occurrences(frames)[frames.instance[records.row]]
    if (number != 1).any():
        records.own["sop_instance_occurrence"] = number_column(number[:, None])
    records = energies_of_planes(positions_of_frames(nuclear_positions(dose_positions(records, arrangement.notes))))
    parts, notes = cut_tiles(records)
    arrangement.notes.extend(notes)
    pieces = [piece for part in parts for piece in split(part)]
    for piece in pieces:
        for grid in _grids(piece, len(arrangement.grids)):
            arrangement.grids.append(grid)
    _make_names_unique(arrangement.grids)
    arrangement.notes.extend(text for _, _, text in describe_twins([(grid.name, grid) for grid in arrangement.grids], of_one_series=True))
    return arrangement


def _order_of_headers(frames: FrameTable, rows: np.ndarray) -> np.ndarray:
    """Order of the frames `rows` that their headers alone give, wherever files lie: the first of a group is always the same."""
    keys = [frames.frame_number[rows]]
    for name in ("instance_number", "series_number"):
        column = frames.column(name)
        if column is not None and not column.is_constant:
            keys.append(np.nan_to_num(column.first_numbers()[rows], nan=np.inf))
    order = np.lexsort(keys)
    is_tie = np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys]) if len(order) > 1 else np.zeros(0, bool)
    uids = frames.column("sop_instance_uid")
    if is_tie.any() and uids is not None and uids.kind == "text":
        rank = np.argsort(np.argsort(np.array([str(uid).encode() for uid in uids.values])))
        order = np.lexsort([keys[0], np.append(rank, -1)[uids.codes[rows]], *keys[1:]])
    return order


def _grids(records: Records, number: int) -> list[FrameGrid]:
    stack = stack_planes(
        records.vectors("image_position_patient", 3), records.vectors("image_orientation_patient", 6), records.vectors("pixel_spacing", 2)
    )
    name = stack_name(records, number)
    volume = volume_planes(records) if stack is None else None
    if volume is not None:
        division = divide(records, volume.place)
        placed = _place(records, [*division.axes, (Axis("z", volume.distance_mm, VOLUME_Z), volume.place)])
        if placed is not None:
            return [_grid(records, name, placed, volume.attrs, None)]
    if stack is None:
        return [_without_geometry(piece, f"{name}_{i}" if i else name) for i, piece in enumerate(_clips(records))]
    attrs: dict[str, object] = {"plane": plane_name(stack.plane.normal), **stack.attrs}
    z = Axis("z", stack.distance_mm, Z_ATTRS)
    if is_segmentation(records):
        axes = segment_axes(records)
        grid = _place(records, [*axes, (z, stack.place)], may_miss=True)
        if grid is not None:
            return [_grid(records, name, grid, attrs, stack)]
        apart = _by_instance(records)
        if len(apart) > 1:
            return [grid for piece in apart for grid in _grids(piece, number)]
    numbered = nuclear_axes(records)
    grid = _place(records, [*numbered, (z, stack.place)]) if numbered else None
    if grid is not None:
        records.own |= nuclear_labels(records)
        return [_grid(records, name, grid, attrs, stack)]
    division = divide(records, stack.place)
    if division.is_complete:
        grid = _place(records, [*division.axes, (z, stack.place)])
        if grid is not None:
            return [_grid(records, name, grid, attrs, stack)]
        division = Division(is_complete=False, attrs={"incomplete": "cells of the grid hold several planes"})
    attrs |= division.attrs
    records.own |= {name: number_column(steps[:, None]) for name, steps in division.steps.items()}
    return [_grid(records, name, _flat(records), attrs | {"incomplete_z": True}, stack)]


Placed = tuple[list[Axis], np.ndarray]
"""Axes, and the record that fills each cell."""


def _place(records: Records, axes: list[tuple[Axis, np.ndarray]], *, may_miss: bool = False) -> Placed | None:
    """Which record fills each cell, or None where a cell has several or (unless `may_miss`) none."""
    shape = tuple(int(labels.max()) + 1 if axis.values is None else len(axis.values) for axis, labels in axes)
    size = math.prod(shape)
    if size > MOST_CELLS or (not may_miss and size != len(records)):
        return None
    cells = np.full(shape, MISSING, np.int64)
    where = tuple(labels for _, labels in axes)
    flat = np.ravel_multi_index(where, shape)
    if np.bincount(flat, minlength=1).max() > 1:
        return None
    cells[where] = np.arange(len(records))
    return [axis for axis, _ in axes], cells


def _by_instance(records: Records) -> list[Records]:
    """Records of each instance by themselves: segmentations that overlap number their segments each on its own."""
    instance = records.frames.instance[records.row]
    numbers = list(dict.fromkeys(instance.tolist()))
    return [records.take(instance == number, (f"instance: {i} of {len(numbers)}",)) for i, number in enumerate(numbers, start=1)]


def natural_order(records: Records) -> np.ndarray:
    """Order in which frames were numbered: series of concatenated parts, Instance Number, frame number."""
    offset = np.nan_to_num(records.numbers("concatenation_frame_offset_number"), nan=0)
    instance = np.nan_to_num(records.numbers("instance_number"), nan=np.inf)
    tile = records.tile if records.tile is not None else np.zeros(len(records))
    source = records.frames.instance[records.row]
    return np.lexsort((tile, records.frames.frame_number[records.row], source, offset, instance))


def _flat(records: Records) -> Placed:
    return [Axis("frame", np.arange(len(records)), {"long_name": "frame (ordinal)"})], natural_order(records)


def _clips(records: Records) -> list[Records]:
    """Records without geometry: each multi-frame instance is a clip of its own, single frames stay together."""
    instance = records.frames.instance[records.row]
    _, inverse, counts = np.unique(instance, return_inverse=True, return_counts=True)
    if records.has("concatenation_uid"):
        return [records]
    is_clip = counts[inverse] > 1
    parts = [records.take(~is_clip)] if (~is_clip).any() else []
    parts.extend(records.take(instance == number) for number in dict.fromkeys(instance[is_clip].tolist()))
    return parts


def _without_geometry(records: Records, name: str) -> FrameGrid:
    if len(records) == 1:
        return _grid(records, name, ([], np.zeros((), np.int64)), {}, None)
    order = natural_order(records)
    ordered = records.take(order)
    ordered.own |= nuclear_labels(ordered)
    axes, attrs = frame_axes(ordered)
    grid = _place(ordered, axes) if axes else None
    if grid is None:
        axis, _ = _flat(ordered)
        grid = (axis, np.arange(len(ordered)))
    return _grid(ordered, name, grid, attrs, None)


def _grid(records: Records, name: str, placed: Placed, attrs: dict[str, object], stack: Stack | None) -> FrameGrid:
    axes, cells = placed
    flat = cells.reshape(-1)
    rows = np.where(cells >= 0, records.row[np.maximum(cells, 0)], MISSING)
    tiles = None
    if records.tile is not None:
        tiles = Tiles(records.tile[np.maximum(cells, 0)].astype(np.int32), records.tile_grid[1], records.tile_grid[0])
    own = {key: column.take(np.maximum(flat, 0)) for key, column in records.own.items()}
    is_flat = bool(attrs.pop("incomplete_z", False))
    if stack is not None and is_flat:
        own["z"] = number_column(stack.distance_mm[stack.place[flat]].reshape(-1, 1))
    reasons = {"split_by": list(records.reasons)} if records.reasons else {}
    frames = records.frames
    is_used = np.zeros(len(frames), bool)
    is_used[rows[rows >= 0]] = True
    used = np.flatnonzero(is_used)
    if len(used) != len(frames):
        frames = frames.take(used)
        rows = np.where(rows >= 0, np.searchsorted(used, rows), MISSING)
    return FrameGrid(
        name=name,
        axes=tuple(axes),
        rows=rows,
        frames=frames,
        plane=stack.plane if stack else None,
        affine=stack.affine if stack and not is_flat else None,
        origins=stack.origin_mm if stack else None,
        tiles=tiles,
        own=own,
        diffusion=_diffusion(records, flat),
        attrs={**attrs, **reasons},
    )


def _diffusion(records: Records, cells: np.ndarray) -> Diffusion | None:
    """Diffusion weights of the cells, where they vary."""
    if (cells < 0).any():
        return None
    weights = diffusion_of(records.take(cells))
    if weights is None:
        return None
    rows = np.nan_to_num(np.column_stack([weights.b_value, weights.direction]), nan=-1)
    return None if (rows == rows[0]).all() else weights


def _make_names_unique(grids: list[FrameGrid]) -> None:
    seen: dict[str, int] = {}
    for i, grid in enumerate(grids):
        count = seen.get(grid.name, 0)
        seen[grid.name] = count + 1
        if count:
            grids[i] = replace(grid, name=f"{grid.name}_{count + 1}")
