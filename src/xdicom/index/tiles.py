"""Frames that hold a volume as tiles: Siemens mosaics and UIH grids, each tile a plane with its own position."""

from __future__ import annotations

import math

import numpy as np

from xdicom.headers.columns import seconds_since_1970
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.index.records import Records
from xdicom.model.columns import Column, distinct_rows, smallest_codes
from xdicom.model.plane import slice_normals


def cut_tiles(records: Records) -> tuple[list[Records], list[str]]:
    """Records with mosaics and grids cut into planes, one part for each way of cutting, and notes on those left whole."""
    kinds = records.column("image_type")
    if kinds is None or kinds.kind != "text" or not any(_tile_kind(kind) for kind in kinds.values):
        return [records], []
    tokens = np.array([*map(_tile_kind, kinds.values), ""], object)[kinds.codes]
    parts: list[Records] = []
    notes: list[str] = []
    whole = tokens == ""
    for kind, grid, cut in (("mosaic", _mosaic_grid, _cut_mosaics), ("grid", _uih_grid, _cut_uih)):
        of_kind = tokens == kind
        counts = records.numbers("siemens_mosaic_images" if kind == "mosaic" else "uih_grid_slices")
        for count in np.unique(counts[of_kind & np.isfinite(counts)]):
            chosen = np.flatnonzero(of_kind & (counts == count))
            shapes = [_frame_shape(records, row) for row in chosen.tolist()]
            for shape in dict.fromkeys(shapes):
                rows = chosen[[each == shape for each in shapes]]
                tile_rows, tile_columns = grid(int(count))
                piece = records.take(rows)
                reason = _can_cut(piece, int(count), shape, tile_rows, tile_columns, kind)
                if reason:
                    notes.append(f"{len(rows)} frames marked as {kind} are left whole: {reason}")
                    whole[rows] = True
                    continue
                parts.append(cut(piece, int(count), shape, (tile_rows, tile_columns)))
        unknown = of_kind & ~np.isfinite(counts)
        if unknown.any():
            notes.append(f"{int(unknown.sum())} frames marked as {kind} are left whole: no element states their number of images")
            whole |= unknown
    if whole.any():
        parts.insert(0, records.take(whole))
    return parts, notes


def _tile_kind(image_type: str) -> str:
    tokens = image_type.split("\\")
    return "mosaic" if "MOSAIC" in tokens else "grid" if "VFRAME" in tokens else ""


def _frame_shape(records: Records, row: int) -> tuple[int, int]:
    table = records.frames.instances
    encoding = table.encodings[table.encoding[records.frames.instance[records.row[row]]]]
    return encoding.rows, encoding.columns


def _mosaic_grid(count: int) -> tuple[int, int]:
    side = math.isqrt(max(count, 1) - 1) + 1
    return side, side


def _uih_grid(count: int) -> tuple[int, int]:
    columns = math.isqrt(max(count, 1) - 1) + 1
    return -(-count // columns), columns


def _can_cut(records: Records, count: int, shape: tuple[int, int], tile_rows: int, tile_columns: int, kind: str) -> str:
    if shape[0] % tile_rows or shape[1] % tile_columns:
        return f"{shape[0]} x {shape[1]} pixels are not a whole number of {tile_rows} x {tile_columns} tiles"
    if kind == "mosaic":
        for name, size in (("image_position_patient", 3), ("image_orientation_patient", 6), ("pixel_spacing", 2)):
            if np.isnan(records.vectors(name, size)).any():
                return f"{name} is not stated"
        if np.isnan(records.numbers("spacing_between_slices")).any():
            return "Spacing Between Slices is not stated"
    elif any(_raw_items(records, i, count) is None for i in range(len(records))):
        return "no element states the positions of the tiles"
    return ""


def _repeat(records: Records, count: int, grid: tuple[int, int]) -> Records:
    """Every frame as `count` planes, one for each tile."""
    rows = np.repeat(np.arange(len(records)), count)
    piece = records.take(rows)
    piece.tile, piece.tile_grid = np.tile(np.arange(count, dtype=np.int32), len(records)), grid
    return piece


def number_column(values: np.ndarray) -> Column:
    """Column of one row of `values` for each plane."""
    distinct, codes = distinct_rows(values)
    return Column("number", distinct, codes.astype(smallest_codes(len(distinct))))


def _cut_mosaics(records: Records, count: int, shape: tuple[int, int], grid: tuple[int, int]) -> Records:
    """Mosaics as planes: the header's position is that of a plane of the mosaic's size around the first one's centre."""
    position, orientation = records.vectors("image_position_patient", 3), records.vectors("image_orientation_patient", 6)
    spacing = records.vectors("pixel_spacing", 2)
    lost = np.array([shape[0] - shape[0] // grid[0], shape[1] - shape[1] // grid[1]])
    first = position + orientation[:, :3] * (spacing[:, 1:] * lost[1] / 2) + orientation[:, 3:] * (spacing[:, :1] * lost[0] / 2)
    normal = slice_normals(orientation)
    stated = records.vectors("siemens_slice_normal", 3)
    with np.errstate(invalid="ignore"):
        turned = np.einsum("ij,ij->i", normal, stated) < 0
    normal[turned] *= -1
    step = normal * records.numbers("spacing_between_slices")[:, None]
    planes = _repeat(records, count, grid)
    positions = (first[:, None, :] + np.arange(count)[None, :, None] * step[:, None, :]).reshape(-1, 3)
    planes.own["image_position_patient"] = number_column(positions)
    times = records.column("siemens_mosaic_slice_times")
    if times is not None and times.kind == "number" and times.values.shape[1] == count and times.is_complete:
        planes.own["slice_time"] = number_column(np.round(times.numbers().reshape(-1, 1), 3))
    planes.own["slice_location"] = Column("number", np.empty((0, 1)), np.full(len(planes), -1, np.int8))
    return planes


def _raw_items(records: Records, row: int, count: int) -> list[dict[int, RawValue]] | None:
    """Items of the first `count` tiles, or None where not all of them state a position."""
    column = records.column("uih_grid_slice_sequence")
    if column is None or column.kind != "raw" or column.codes[row] < 0:
        return None
    items = column.values[column.codes[row]].readable_items()[:count]
    needed = TAGS["ImagePositionPatient"]
    return items if len(items) == count and all(needed in item and len(item[needed].numbers()) == 3 for item in items) else None


def _cut_uih(records: Records, count: int, _shape: tuple[int, int], grid: tuple[int, int]) -> Records:
    """UIH grids as planes: each tile's position is stated (the stated normal may point the other way)."""
    positions: list[tuple[int | float, ...]] = []
    times: list[str] = []
    for row in range(len(records)):
        items = _raw_items(records, row, count) or []
        positions.extend(item[TAGS["ImagePositionPatient"]].numbers() for item in items)
        times.extend(item[TAGS["AcquisitionDateTime"]].text() if TAGS["AcquisitionDateTime"] in item else "" for item in items)
    planes = _repeat(records, count, grid)
    planes.own["image_position_patient"] = number_column(np.array(positions, np.float64))
    if "" not in times:
        seconds = np.array([[seconds_since_1970(text)] for text in times])
        if np.isfinite(seconds).all():
            planes.own["frame_acquisition_date_time"] = number_column(seconds)
    return planes
