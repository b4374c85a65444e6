"""Whole slides: instances to levels, frames to tiles in their places (PS3.3 C.7.6.17.3, C.8.12)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xdicom.errors import InconsistentSeriesError, NotDicomError
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable
from xdicom.model.grid import MISSING, Axis, TileGrid
from xdicom.model.plane import Plane, unit

KINDS = ("VOLUME", "THUMBNAIL", "LABEL", "OVERVIEW")
"""Values that Image Type 3 has for slides (PS3.3 C.8.12.4.1.1)."""
MILLIMETERS_TO_MICROMETERS = 1000.0


def arrange_slide(frames: FrameTable) -> list[TileGrid]:
    """Images of one slide: its levels from the finest to the coarsest, then thumbnail, label and overview.

    Raises
    ------
    NotDicomError
        If no instance is an image of a slide.
    InconsistentSeriesError
        If tiles lie outside the image, off the grid, or two in one place.
    """
    kinds = _kind_of_instances(frames)
    grids: list[TileGrid] = []
    for kind in KINDS:
        of_kind = np.flatnonzero(kinds == kind)
        images = (frames.take(np.flatnonzero(np.isin(frames.instance, members))) for members in _images(frames, of_kind))
        grids.extend(_tile_grid(image, kind) for image in images)
    if not grids:
        raise NotDicomError("no image of a slide found: no instance has a total pixel matrix or is a label, overview or thumbnail")
    levels = sorted((grid for grid in grids if grid.attrs["kind"] == "VOLUME"), key=lambda grid: -grid.matrix[1])
    named = [replace(grid, name=f"level_{number}", attrs={**grid.attrs, "level": number}) for number, grid in enumerate(levels)]
    counts: dict[str, int] = {}
    for grid in grids:
        kind = str(grid.attrs["kind"]).lower()
        if kind != "volume":
            counts[kind] = counts.get(kind, 0) + 1
            named.append(replace(grid, name=kind if counts[kind] == 1 else f"{kind}_{counts[kind]}"))
    return named


def is_slide(frames: FrameTable) -> bool:
    """Whether the frames are of a slide."""
    return bool((_kind_of_instances(frames) != "").any()) and "total_pixel_matrix_columns" in frames.instances.columns


def _kind_of_instances(frames: FrameTable) -> np.ndarray:
    """What each instance shows, empty where it is no image of a slide."""
    table = frames.instances
    types = table.columns.get("image_type")
    texts = types.texts() if types is not None and types.kind == "text" else np.full(len(table), "", object)
    tokens = [set(str(text).split("\\")[2:]) for text in texts]
    has_matrix = _numbers(frames, "total_pixel_matrix_columns") > 0
    kinds = [
        next((kind for kind in KINDS if kind in found), "VOLUME" if tiled else "") for found, tiled in zip(tokens, has_matrix, strict=True)
    ]
    return np.array(kinds, object)


def _numbers(frames: FrameTable, name: str) -> np.ndarray:
    column = frames.instances.columns.get(name)
    return column.first_numbers() if column is not None and column.kind == "number" else np.full(len(frames.instances), np.nan)


def _images(frames: FrameTable, instances: np.ndarray) -> list[np.ndarray]:
    """Instances that are parts of one image: of equal matrix, tiles and encoding."""
    table = frames.instances
    groups: dict[tuple[object, ...], list[int]] = {}
    rows, columns = _numbers(frames, "total_pixel_matrix_rows"), _numbers(frames, "total_pixel_matrix_columns")
    for i in instances.tolist():
        encoding = table.encodings[table.encoding[i]]
        key = (_whole(rows[i], encoding.rows), _whole(columns[i], encoding.columns), encoding.frame_shape, str(encoding.dtype))
        groups.setdefault(key, []).append(i)
    return [np.array(members) for members in groups.values()]


def _whole(value: float, otherwise: int) -> int:
    return int(value) if value > 0 else otherwise


def _tile_grid(frames: FrameTable, kind: str) -> TileGrid:
    encoding = frames.instances.encodings[frames.instances.encoding[0]]
    matrix = (
        _whole(_numbers(frames, "total_pixel_matrix_rows")[0], encoding.rows),
        _whole(_numbers(frames, "total_pixel_matrix_columns")[0], encoding.columns),
    )
    shape = (-(-matrix[0] // encoding.rows), -(-matrix[1] // encoding.columns))
    column = frames.column("column_position_in_total_image_pixel_matrix")
    place = _sparse_places(frames, shape, encoding.rows, encoding.columns) if column is not None else None
    if place is None:
        place = _full_places(frames, shape)
    tile_row, tile_column, path, plane = place
    axes = []
    path_labels, path_names = path
    plane_labels, plane_values = plane
    outer: list[np.ndarray] = []
    if len(path_names) > 1:
        axes.append(Axis("optical_path", path_names, {"source": "OpticalPathIdentifier"}))
        outer.append(path_labels)
    if len(plane_values) > 1:
        axes.append(Axis("z", plane_values, {"units": "um", "long_name": "focal plane above the slide"}))
        outer.append(plane_labels)
    where = (*outer, tile_row, tile_column)
    cells = np.full((*(len(axis.values) for axis in axes if axis.values is not None), *shape), MISSING, np.int64)
    flat = np.ravel_multi_index(where, cells.shape)
    if len(np.unique(flat)) != len(flat):
        raise InconsistentSeriesError(
            f"{len(flat) - len(np.unique(flat))} tiles of the {kind.lower()} image of {matrix[0]} x {matrix[1]} pixels lie where others do"
        )
    cells.reshape(-1)[flat] = np.arange(len(flat))
    attrs: dict[str, object] = {"kind": kind, "tiles": len(flat), "missing_tiles": int((cells == MISSING).sum())}
    geometry = _geometry(frames)
    return TileGrid(kind.lower(), tuple(axes), cells, frames, matrix, *geometry, attrs)


Labels = tuple[np.ndarray, np.ndarray]
"""Number of each frame's value, and the values."""
Places = tuple[np.ndarray, np.ndarray, Labels, Labels]
"""Tile row, tile column, optical path and focal plane of each frame."""


def _sparse_places(frames: FrameTable, shape: tuple[int, int], tile_rows: int, tile_columns: int) -> Places | None:
    """Places that each frame states (TILED_SPARSE): positions of its first pixel, counted from 1."""
    row = frames.numbers("row_position_in_total_image_pixel_matrix") - 1
    column = frames.numbers("column_position_in_total_image_pixel_matrix") - 1
    if np.isnan(row).all() or np.isnan(column).all():
        return None
    if np.isnan(row).any() or np.isnan(column).any():
        raise InconsistentSeriesError(
            f"{int((np.isnan(row) | np.isnan(column)).sum())} tiles do not state their place in the total pixel matrix"
        )
    outside = (row < 0) | (column < 0) | (row >= shape[0] * tile_rows) | (column >= shape[1] * tile_columns)
    if outside.any():
        first = int(np.argmax(outside))
        raise InconsistentSeriesError(
            f"{int(outside.sum())} tiles lie outside the total pixel matrix; frame {frames.frame_number[first]} begins "
            f"at row {row[first] + 1:g}, column {column[first] + 1:g}"
        )
    if (row % tile_rows).any() or (column % tile_columns).any():
        raise InconsistentSeriesError(
            f"tiles do not lie on a grid of {tile_rows} x {tile_columns} pixels: they can't form one array without resampling"
        )
    paths = frames.texts("optical_path_identifier").astype(str)
    names, path = np.unique(paths, return_inverse=True)
    heights = np.nan_to_num(np.round(frames.numbers("z_offset_in_slide_coordinate_system"), 3))
    values, plane = np.unique(heights, return_inverse=True)
    return (
        (row // tile_rows).astype(np.int64),
        (column // tile_columns).astype(np.int64),
        (path.reshape(-1), names.astype(object)),
        (plane.reshape(-1), values),
    )


def _full_places(frames: FrameTable, shape: tuple[int, int]) -> Places:
    """Places by the order of the frames (TILED_FULL): columns, rows, focal planes, optical paths; parts of a concatenation joined."""
    per_image = shape[0] * shape[1]
    offset = np.nan_to_num(frames.numbers("concatenation_frame_offset_number"), nan=0).astype(np.int64)
    number = frames.frame_number.astype(np.int64) - 1 + offset
    is_joined = frames.column("concatenation_uid") is not None
    instance = frames.instance if not is_joined else np.zeros(len(frames), np.int32)
    planes = max(1, int(np.nan_to_num(_numbers(frames, "total_pixel_matrix_focal_planes"), nan=1)[0]))
    identifiers = _optical_paths(frames)
    image = number // per_image
    path, plane = image // planes, image % planes
    names: list[str] = []
    labels = np.zeros(len(frames), np.int64)
    for part in np.unique(instance):
        own = identifiers[0 if is_joined else int(part)]
        count = int(path[instance == part].max()) + 1
        found = [own[i] if i < len(own) else f"{part}.{i + 1}" for i in range(count)]
        labels[instance == part] = len(names) + path[instance == part]
        names.extend(found)
    if len(set(names)) < len(names):
        names = [f"{name} ({i + 1})" for i, name in enumerate(names)]
    spacing = float(np.nan_to_num(frames.numbers("spacing_between_slices")[0])) * MILLIMETERS_TO_MICROMETERS
    heights = np.arange(planes) * spacing if spacing else np.arange(planes, dtype=np.float64)
    position = number % per_image
    return position // shape[1], position % shape[1], (labels, np.array(names, object)), (plane, heights)


def _optical_paths(frames: FrameTable) -> list[list[str]]:
    """Identifiers of the optical paths of each instance, in the order of its sequence."""
    column: Column | None = frames.instances.columns.get("optical_path_sequence")
    result: list[list[str]] = []
    for i in range(len(frames.instances)):
        value = column.values[column.codes[i]] if column is not None and column.kind == "raw" and column.codes[i] >= 0 else None
        items = value.readable_items() if isinstance(value, RawValue) else []
        tag = TAGS["OpticalPathIdentifier"]
        result.append([item[tag].text() for item in items if tag in item])
    return result


def _geometry(frames: FrameTable) -> tuple[Plane | None, np.ndarray | None]:
    """Directions and origin in the slide's coordinates, None where they are not stated."""
    orientation = frames.instances.columns.get("image_orientation_slide")
    spacing = frames.column("pixel_spacing")
    origin = frames.instances.columns.get("total_pixel_matrix_origin_sequence")
    first = origin.first() if origin is not None and origin.kind == "raw" else None
    items = first.readable_items() if isinstance(first, RawValue) else []
    if orientation is None or spacing is None or not items:
        return None, None
    cosines, distances = orientation.numbers()[0], spacing.numbers()[0]
    tags = [TAGS[f"{axis}OffsetInSlideCoordinateSystem"] for axis in "XY"]
    if len(cosines) != 6 or np.isnan(cosines).any() or np.isnan(distances).any() or any(tag not in items[0] for tag in tags):
        return None, None
    plane = Plane(unit(cosines[:3]), unit(cosines[3:]), float(distances[0]), float(distances[1]))
    return plane, np.array([float(items[0][tag].numbers()[0]) for tag in tags] + [0.0])
