"""One image of a slide: its frames to tiles in their places (PS3.3 C.7.6.17.3, C.8.12.4, C.8.12.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.errors import InconsistentSeriesError
from xdicom.headers.dictionary import TAGS
from xdicom.headers.segments import parse_segments
from xdicom.headers.values import RawValue
from xdicom.index.copies import missing_parts
from xdicom.index.kinds import SEGMENTATION
from xdicom.model.columns import Column
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable
from xdicom.model.grid import MISSING, Axis, TileGrid
from xdicom.model.plane import Plane, unit
from xdicom.pixels.color import convert_color, stored_photometric_interpretation
from xdicom.transforms.cielab import cielab_to_srgb

MILLIMETERS_TO_MICROMETERS = 1000.0
_MOST_CELLS = 20_000_000
"""So many places of tiles are believed; more only where a hundredth of them are filled."""
_Z_DECIMALS = 3
"""Heights of focal planes are told apart to the nanometre."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Instances that are parts of one image."""

    frames: FrameTable
    """Their frames."""
    kind: str
    """VOLUME, THUMBNAIL, LABEL or OVERVIEW."""
    matrix: tuple[int, int]
    """Rows and columns of the total pixel matrix [pixels]."""
    spacing_mm: np.ndarray
    """Distances of rows and columns [mm], NaN where they are not stated."""
    orientation: np.ndarray
    """Six cosines of Image Orientation (Slide), NaN where they are not stated."""
    origins: np.ndarray
    """Place of the first pixel of each instance on the slide [mm, mm, um], NaN where it is not stated; `(instances, 3)`."""


@dataclass(slots=True)
class _Places:
    """Where each frame belongs; arrays of shape `(frames,)`."""

    tile_row: np.ndarray
    tile_column: np.ndarray
    channel: np.ndarray
    """Number of its optical path or segment among `names`."""
    height: np.ndarray
    """Height of its focal plane [um]; an ordinal where no distance of planes is stated."""
    names: list[str]
    is_height_known: bool = True


def tile_grid(image: Image) -> TileGrid:
    """The tiles of an image in their places.

    Raises
    ------
    InconsistentSeriesError
        If tiles lie outside the image, off its grid, two in one place, or frames are more or fewer than the header says.
    """
    frames = image.frames
    encoding = frames.instances.encodings[frames.instances.encoding[0]]
    notes: list[str] = []
    matrix = image.matrix
    if image.kind != "VOLUME" and len(frames) == 1 and (matrix[0] > encoding.rows or matrix[1] > encoding.columns):
        notes.append(f"its total pixel matrix of {matrix[0]} x {matrix[1]} pixels has one frame: its size is taken to be that of the frame")
        matrix = (encoding.rows, encoding.columns)
    shape = (-(-matrix[0] // encoding.rows), -(-matrix[1] // encoding.columns))
    is_segmentation = _first_text(frames, "sop_class_uid") == SEGMENTATION
    places = _places(image, shape, _segments(frames) if is_segmentation else _optical_paths(frames), is_segmentation)
    axes, where = _axes(places, is_segmentation)
    counts = (*(len(axis.values) for axis in axes if axis.values is not None), *shape)
    if np.prod(counts, dtype=np.float64) > max(_MOST_CELLS, 100 * len(frames)):
        raise InconsistentSeriesError(
            f"{len(frames)} tiles of {encoding.rows} x {encoding.columns} pixels are there for {' x '.join(map(str, counts))} places: "
            "the header can't be trusted"
        )
    flat = np.ravel_multi_index((*where, places.tile_row, places.tile_column), counts)
    filled = np.bincount(flat, minlength=int(np.prod(counts)))
    if (filled > 1).any():
        _refuse_twice(frames, flat, filled, counts)
    cells = np.full(counts, MISSING, np.int64)
    cells.reshape(-1)[flat] = np.arange(len(flat))
    notes += missing_parts(frames) if frames.instances.columns.get("concatenation_uid") is not None else []
    plane, origin = _geometry(image)
    attrs: dict[str, object] = {"kind": image.kind, "tiles": len(flat), "missing_tiles": int((filled == 0).sum())}
    for name in ("pyramid_uid", "frame_of_reference_uid", "extended_depth_of_field"):
        if text := _first_text(frames, name):
            attrs[name] = text
    if notes:
        attrs["notes"] = notes
    return TileGrid(image.kind.lower(), axes, cells, frames, matrix, plane, origin, _background(frames, is_segmentation), attrs)


def _axes(places: _Places, is_segmentation: bool) -> tuple[tuple[Axis, ...], list[np.ndarray]]:
    """Dimensions across images, and the step of each frame along them."""
    axes: list[Axis] = []
    where: list[np.ndarray] = []
    if is_segmentation:
        axes.append(Axis("segment", np.array(list(map(int, places.names)), np.int64), {"source": "ReferencedSegmentNumber"}))
        where.append(places.channel)
    elif len(places.names) > 1:
        axes.append(Axis("optical_path", np.array(places.names, object), {"source": "OpticalPathIdentifier"}))
        where.append(places.channel)
    heights = np.unique(places.height)
    if len(heights) > 1:
        known = {"units": "um", "long_name": "focal plane above the slide"}
        attrs = known if places.is_height_known else {"long_name": "number of the focal plane, whose height is not stated"}
        axes.append(Axis("z", heights, attrs))
        where.append(np.searchsorted(heights, places.height))
    return tuple(axes), where


def _places(image: Image, shape: tuple[int, int], names: list[list[str]], is_segmentation: bool) -> _Places:
    """Places of all frames, one concatenation or instance after the other."""
    frames = image.frames
    known = list(dict.fromkeys(name for own in names for name in own))
    unit_of_instance = _units(frames)
    units = unit_of_instance[frames.instance]
    zeros = np.zeros((3, len(frames)), np.int64)
    found = _Places(zeros[0], zeros[1], zeros[2], np.zeros(len(frames)), known)
    for number in np.unique(unit_of_instance).tolist():
        instance = int(np.flatnonzero(unit_of_instance == number)[0])
        rows = slice(None) if len(unit_of_instance) == 1 or (unit_of_instance == number).all() else np.flatnonzero(units == number)
        part = frames if isinstance(rows, slice) else frames.take(rows)
        base_um = _base_height(image, instance)
        own = names[instance]
        is_counted = _is_full(part) and _count(part, shape, own) == len(part)
        places = None if is_counted else _stated_places(part, shape, base_um, known, is_segmentation)
        if places is None:
            places = _counted_places(part, shape, base_um, own, known)
        found.tile_row[rows], found.tile_column[rows] = places.tile_row, places.tile_column
        found.channel[rows], found.height[rows] = places.channel, places.height
        found.is_height_known &= places.is_height_known
    return found


def _units(frames: FrameTable) -> np.ndarray:
    """Number of the concatenation that each instance is a part of, or of the instance itself."""
    column: Column | None = frames.instances.columns.get("concatenation_uid")
    texts = column.texts() if column is not None and column.kind == "text" else np.full(len(frames.instances), "", object)
    seen: dict[str, int] = {}
    return np.array([seen.setdefault(text or f"instance {i}", len(seen)) for i, text in enumerate(texts.tolist())], np.int64)


def _is_full(frames: FrameTable) -> bool:
    return _first_text(frames, "dimension_organization_type") == "TILED_FULL"


def _count(frames: FrameTable, shape: tuple[int, int], own: list[str]) -> int:
    """Frames that a full image of this shape has."""
    return shape[0] * shape[1] * _focal_planes(frames) * max(1, len(own))


def _focal_planes(frames: FrameTable) -> int:
    return max(1, int(np.nan_to_num(_first_number(frames, "total_pixel_matrix_focal_planes"), nan=1)))


def _stated_places(frames: FrameTable, shape: tuple[int, int], base_um: float, known: list[str], is_segmentation: bool) -> _Places | None:
    """Places that each frame states (TILED_SPARSE), positions of its first pixel counted from 1; None where none does."""
    encoding = frames.instances.encodings[frames.instances.encoding[0]]
    row = frames.numbers("row_position_in_total_image_pixel_matrix") - 1
    column = frames.numbers("column_position_in_total_image_pixel_matrix") - 1
    lacking = np.isnan(row) | np.isnan(column)
    if lacking.all():
        return None
    if lacking.any():
        raise InconsistentSeriesError(f"{int(lacking.sum())} tiles do not state their place in the total pixel matrix")
    outside = (row < 0) | (column < 0) | (row >= shape[0] * encoding.rows) | (column >= shape[1] * encoding.columns)
    if outside.any():
        first = int(np.argmax(outside))
        raise InconsistentSeriesError(
            f"{int(outside.sum())} tiles lie outside the total pixel matrix; frame {frames.frame_number[first]} begins "
            f"at row {row[first] + 1:g}, column {column[first] + 1:g}"
        )
    tile_row, row_rest = np.divmod(row.astype(np.int64), encoding.rows)
    tile_column, column_rest = np.divmod(column.astype(np.int64), encoding.columns)
    if row_rest.any() or column_rest.any():
        first = int(np.argmax((row_rest > 0) | (column_rest > 0)))
        raise InconsistentSeriesError(
            f"tiles do not lie on a grid of {encoding.rows} x {encoding.columns} pixels (frame {frames.frame_number[first]} begins at row "
            f"{row[first] + 1:g}, column {column[first] + 1:g}): open_frames() gives them one by one"
        )
    channel = _channels(frames, known, is_segmentation)
    heights = frames.column("z_offset_in_slide_coordinate_system")
    if heights is None or heights.kind != "number" or not len(heights.values):
        return _Places(tile_row, tile_column, channel, np.full(len(frames), base_um), known)
    distinct = np.append(np.round(heights.values[:, 0].astype(np.float64), _Z_DECIMALS), base_um)
    return _Places(tile_row, tile_column, channel, np.nan_to_num(distinct, nan=base_um)[heights.codes] + 0.0, known)


def _channels(frames: FrameTable, known: list[str], is_segmentation: bool) -> np.ndarray:
    """Number of each frame's optical path or segment among the known ones, to which those that no sequence lists are added."""
    column = frames.column("referenced_segment_number" if is_segmentation else "optical_path_identifier")
    if column is None or not len(column.values):
        if not known:
            known.append("1")
        return np.zeros(len(frames), np.int64)
    names = [str(int(value[0])) for value in column.values] if column.kind == "number" else [str(value) for value in column.values]
    known.extend(name for name in dict.fromkeys(names) if name not in known)
    return np.asarray(np.array([*map(known.index, names), 0], np.int64)[column.codes])


def _counted_places(frames: FrameTable, shape: tuple[int, int], base_um: float, own: list[str], known: list[str]) -> _Places:
    """Places by the order of frames (TILED_FULL): columns, rows, focal planes, optical paths or segments."""
    per_image, planes = shape[0] * shape[1], _focal_planes(frames)
    is_part = frames.instances.columns.get("concatenation_uid") is not None and bool((frames.texts("concatenation_uid") != "").all())
    offset = frames.numbers("concatenation_frame_offset_number") if is_part else np.zeros(len(frames))
    if np.isnan(offset).any():
        raise InconsistentSeriesError("parts of a concatenation do not state the number of their first frame (0020,9228)")
    number = frames.frame_number.astype(np.int64) - 1 + offset.astype(np.int64)
    expected = _count(frames, shape, own)
    if number.max(initial=0) >= expected or (not is_part and len(frames) != expected):
        raise InconsistentSeriesError(
            f"{len(frames) if not is_part else int(number.max()) + 1} frames are there, and {expected} should be: {per_image} tiles "
            f"({shape[0]} x {shape[1]}) of {planes} focal planes and {max(1, len(own))} optical paths or segments"
        )
    picture, position = np.divmod(number, per_image)
    path, plane = np.divmod(picture, planes)
    if not own:
        own = ["1"]
        if not known:
            known.append("1")
    channel = np.array([known.index(name) if name in known else 0 for name in own], np.int64)[path]
    step_um = float(np.nan_to_num(_first_number(frames, "spacing_between_slices"))) * MILLIMETERS_TO_MICROMETERS
    heights = base_um + plane * step_um if step_um else base_um + plane.astype(np.float64)
    return _Places(
        position // shape[1], position % shape[1], channel, np.round(heights, _Z_DECIMALS), known, bool(step_um) or planes == 1
    )  # fmt: skip


def _base_height(image: Image, instance: int) -> float:
    """Height of the first focal plane of an instance [um]."""
    stated = float(image.origins[instance, 2])
    if np.isnan(stated):
        column: Column | None = image.frames.instances.columns.get("z_offset_in_slide_coordinate_system")
        if column is not None and column.kind == "number" and column.codes[instance] >= 0:
            stated = float(column.values[column.codes[instance], 0])
    return 0.0 if np.isnan(stated) else round(stated, _Z_DECIMALS)


def _refuse_twice(frames: FrameTable, flat: np.ndarray, filled: np.ndarray, counts: tuple[int, ...]) -> None:
    first = int(np.argmax(filled > 1))
    tiles = np.flatnonzero(flat == first)[:2]
    numbers = " and ".join(f"frame {frames.frame_number[i]} of instance {frames.instance[i] + 1}" for i in tiles.tolist())
    row, column = np.unravel_index(first, counts)[-2:]
    raise InconsistentSeriesError(
        f"{int((filled - 1).clip(0).sum())} tiles lie where others do: {numbers} are both at tile row {row}, tile column {column}"
    )


def _optical_paths(frames: FrameTable) -> list[list[str]]:
    """Identifiers of the optical paths of each instance, in the order of its sequence."""
    column: Column | None = frames.instances.columns.get("optical_path_sequence")
    tag = TAGS["OpticalPathIdentifier"]
    result: list[list[str]] = []
    for i in range(len(frames.instances)):
        value = column.values[column.codes[i]] if column is not None and column.kind == "raw" and column.codes[i] >= 0 else None
        items = value.readable_items() if isinstance(value, RawValue) else []
        result.append([item[tag].text() if tag in item else str(number + 1) for number, item in enumerate(items)])
    return result


def _segments(frames: FrameTable) -> list[list[str]]:
    """Numbers of the segments that the header of each instance describes."""
    column: Column | None = frames.instances.columns.get("segment_sequence")
    result: list[list[str]] = []
    for i in range(len(frames.instances)):
        value = column.values[column.codes[i]] if column is not None and column.kind == "raw" and column.codes[i] >= 0 else None
        result.append([str(segment.number) for segment in parse_segments(value)] if isinstance(value, RawValue) else [])
    return result


def _first_text(frames: FrameTable, name: str) -> str:
    column: Column | None = frames.instances.columns.get(name)
    return str(column.first() or "") if column is not None and column.kind == "text" else ""


def _first_number(frames: FrameTable, name: str) -> float:
    column: Column | None = frames.instances.columns.get(name)
    value = column.first() if column is not None and column.kind == "number" else None
    return float(value[0]) if isinstance(value, tuple) and value else float("nan")


def _geometry(image: Image) -> tuple[Plane | None, np.ndarray | None]:
    """Directions and origin in the slide's coordinates, None where they are not stated."""
    cosines, spacing, origin = image.orientation, image.spacing_mm, image.origins[0]
    if np.isnan(cosines).any() or np.isnan(spacing).any() or np.isnan(origin[:2]).any() or (spacing <= 0).any():
        return None, None
    if not (cosines[:3].any() and cosines[3:].any()):
        return None, None
    return Plane(unit(cosines[:3]), unit(cosines[3:]), float(spacing[0]), float(spacing[1])), np.array([origin[0], origin[1], 0.0])


def _background(frames: FrameTable, is_segmentation: bool) -> tuple[int, ...]:
    """Stored value of each sample where a sparse image has no tile.

    The color that the header recommends; else padding of grayscale, white of colors and MONOCHROME1, black of the rest. No
    segment and no measurement is zero.
    """
    encoding: PixelEncoding = frames.instances.encodings[frames.instances.encoding[0]]
    samples, white = encoding.samples_per_pixel, (1 << encoding.bits_stored) - 1
    photometric = stored_photometric_interpretation(encoding)
    if is_segmentation or encoding.dtype.kind != "u" or (samples == 1 and photometric not in ("MONOCHROME1", "MONOCHROME2")):
        return (0,) * samples
    column: Column | None = frames.instances.columns.get("recommended_absent_pixel_cie_lab_value")
    encoded = column.first() if column is not None and column.kind == "number" else None
    if isinstance(encoded, tuple) and len(encoded) == 3:
        color = np.rint(cielab_to_srgb(np.array(encoded)).astype(np.float64) * white / 255).astype(np.uint16)
        if samples == 1:
            gray = int(np.rint(color.astype(np.float64) @ [0.2126, 0.7152, 0.0722]))
            return (white - gray if photometric == "MONOCHROME1" else gray,)
        stored = convert_color(color.reshape(1, 1, 3), encoding.bits_stored).reshape(3) if photometric.startswith("YBR") else color
        return (int(stored[0]), int(stored[1]), int(stored[2]))
    padding = _first_number(frames, "pixel_padding_value")
    if samples == 1 and 0 <= padding <= white:
        return (int(padding),)
    if photometric.startswith("YBR_FULL"):
        return (white, (white + 1) // 2, (white + 1) // 2)
    return (white,) * samples if samples > 1 or photometric == "MONOCHROME1" else (0,)
