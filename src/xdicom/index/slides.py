"""Whole slides: instances to images, images to levels of a pyramid (PS3.3 C.8.12, A.32.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xdicom.errors import InconsistentSeriesError, NotDicomError
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.index.arrange import Arrangement, arrange
from xdicom.index.copies import without_copies
from xdicom.index.slide_images import Image, tile_grid
from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable
from xdicom.model.grid import TileGrid
from xdicom.pixels.color import stored_photometric_interpretation

KINDS = ("VOLUME", "THUMBNAIL", "LABEL", "OVERVIEW")
"""Values that Image Type 3 has for slides (PS3.3 C.8.12.4.1.1)."""
SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of images of whole slides."""
_SAME_ORIGIN_PIXELS = 1.5
"""Parts of one image begin within so many pixels, and levels within so many of the coarser one."""
_SAME_EXTENT = 0.15
"""Levels of one pyramid cover the same tissue, up to this share of it."""


@dataclass(frozen=True, slots=True, eq=False)
class SlidePlan:
    """What a series of a slide makes."""

    grids: list[TileGrid]
    """Levels from the finest to the coarsest, then other images; further pyramids have `pyramid_2/` and so on before their names."""
    others: np.ndarray
    """Rows of frames that are of no image of a slide; int64."""
    problems: list[str]
    """Images that could not be arranged, and why."""


def is_slide(frames: FrameTable) -> bool:
    """Whether frames are tiles of larger images, or any image of a slide."""
    return bool((_kinds(frames) != "").any())


def arrange_slide(frames: FrameTable) -> SlidePlan:
    """Images of one slide; one that can't be arranged is left out and named, and the others are there.

    Raises
    ------
    NotDicomError
        If no instance is an image of a slide.
    InconsistentSeriesError
        If none of its images can be arranged.
    """
    rows, _ = without_copies(frames)
    whole = frames if len(rows) == len(frames) else frames.take(rows)
    kinds = _kinds(whole)
    grids: list[TileGrid] = []
    problems: list[str] = []
    for image in _images(whole, kinds):
        try:
            grids.append(tile_grid(image))
        except InconsistentSeriesError as error:
            problems.append(f"{image.kind.lower()} image of {image.matrix[0]} x {image.matrix[1]} pixels left out: {error}")
    if not grids and problems:
        raise InconsistentSeriesError("; ".join(problems))
    if not grids:
        raise NotDicomError("no image of a slide found: no instance has a total pixel matrix or is a label, overview or thumbnail")
    others = rows[np.flatnonzero((kinds == "")[whole.instance])]
    return SlidePlan([*_levels([grid for grid in grids if grid.attrs["kind"] == "VOLUME"]), *_others(grids)], others, problems)


def arrange_with_slides(frames: FrameTable) -> tuple[Arrangement, list[TileGrid]]:
    """Arrays of a series, and images of slides in it; where no image can be arranged, its frames stay in a row and that is noted."""
    if not is_slide(frames):
        return arrange(frames), []
    try:
        plan = arrange_slide(frames)
    except InconsistentSeriesError as error:
        arrangement = arrange(frames)
        return Arrangement(arrangement.grids, [*arrangement.notes, str(error)]), []
    arrangement = arrange(frames.take(plan.others)) if len(plan.others) else Arrangement()
    return Arrangement(arrangement.grids, [*arrangement.notes, *plan.problems]), plan.grids


def _kinds(frames: FrameTable) -> np.ndarray:
    """What each instance shows, empty where it is no image of a slide."""
    facts = _Facts(frames)
    has_matrix = facts.numbers("total_pixel_matrix_columns")[:, 0] > 0
    is_of_slide = has_matrix | (facts.texts("sop_class_uid") == SLIDE)
    tokens = [set(str(text).split("\\")[2:]) for text in facts.texts("image_type")]
    return np.array(
        [
            next((kind for kind in KINDS if kind in found), "VOLUME") if is_one else ""
            for found, is_one in zip(tokens, is_of_slide, strict=True)
        ],
        object,
    )


class _Facts:
    """Header values of instances, in forms that are always there."""

    def __init__(self, frames: FrameTable) -> None:
        self.frames = frames
        self.table = frames.instances

    def numbers(self, name: str, width: int = 1) -> np.ndarray:
        """Numbers of each instance, NaN where there is none; shape `(instances, width)`."""
        column: Column | None = self.table.columns.get(name)
        values = np.full((len(self.table), width), np.nan)
        if column is not None and column.kind == "number":
            found = column.numbers()[:, :width]
            values[:, : found.shape[1]] = found
        return values

    def texts(self, name: str) -> np.ndarray:
        """Text of each instance, empty where there is none."""
        column: Column | None = self.table.columns.get(name)
        return column.texts() if column is not None and column.kind == "text" else np.full(len(self.table), "", object)

    def origins(self) -> np.ndarray:
        """Place of the first pixel on the slide [mm], and its height above it [um], NaN where they are not stated; `(instances, 3)`."""
        column: Column | None = self.table.columns.get("total_pixel_matrix_origin_sequence")
        places = np.full((len(self.table), 3), np.nan)
        for i in range(len(self.table)):
            value = column.values[column.codes[i]] if column is not None and column.kind == "raw" and column.codes[i] >= 0 else None
            items = value.readable_items() if isinstance(value, RawValue) else []
            for axis, letter in enumerate("XYZ"):
                tag = TAGS[f"{letter}OffsetInSlideCoordinateSystem"]
                numbers = items[0][tag].numbers() if items and tag in items[0] else ()
                places[i, axis] = numbers[0] if numbers else np.nan
        return places


def _images(frames: FrameTable, kinds: np.ndarray) -> list[Image]:
    """Instances that are parts of one image: of equal kind, matrix, tiles, encoding and place."""
    facts, table = _Facts(frames), frames.instances
    size = np.stack([facts.numbers(f"total_pixel_matrix_{name}")[:, 0] for name in ("rows", "columns")], axis=1)
    spacing, orientation, origins = facts.numbers("pixel_spacing", 2), facts.numbers("image_orientation_slide", 6), facts.origins()
    words = [facts.texts(name) for name in ("sop_class_uid", "pyramid_uid", "frame_of_reference_uid", "extended_depth_of_field")]
    groups: dict[tuple[object, ...], list[list[int]]] = {}
    for i in np.flatnonzero(kinds != "").tolist():
        encoding = table.encodings[table.encoding[i]]
        key = (
            kinds[i], *(word[i] for word in words), *np.nan_to_num(size[i]).tolist(), encoding.frame_shape, str(encoding.dtype),
            stored_photometric_interpretation(encoding), *(f"{value:.4g}" for value in spacing[i]), *np.round(orientation[i], 3).tolist(),
        )  # fmt: skip
        near = _SAME_ORIGIN_PIXELS * np.nanmax(spacing[i]) if np.isfinite(spacing[i]).any() else np.inf
        parts = groups.setdefault(key, [])
        part = next((part for part in parts if not (np.abs(origins[part[0], :2] - origins[i, :2]) > near).any()), None)
        if part is None:
            parts.append([i])
        else:
            part.append(i)
    images = []
    for members in (part for parts in groups.values() for part in parts):
        first, encoding = members[0], table.encodings[table.encoding[members[0]]]
        matrix = tuple(int(n) if n > 0 else tile for n, tile in zip(size[first], (encoding.rows, encoding.columns), strict=True))
        own = frames if len(members) == len(table) else frames.take(np.flatnonzero(np.isin(frames.instance, members)))
        images.append(Image(own, str(kinds[first]), (matrix[0], matrix[1]), spacing[first], orientation[first], origins[members]))
    return images


def _levels(images: Sequence[TileGrid]) -> list[TileGrid]:
    """Levels with their numbers, pyramid by pyramid."""
    pyramids: list[list[TileGrid]] = []
    for image in sorted(images, key=lambda grid: -grid.matrix[0] * grid.matrix[1]):
        home = next((pyramid for pyramid in pyramids if _is_level_of(image, pyramid)), None)
        if home is None:
            pyramids.append([image])
        else:
            home.append(image)
    named = []
    for number, pyramid in enumerate(pyramids):
        prefix, finest = f"pyramid_{number + 1}/" if number else "", pyramid[0]
        for level, grid in enumerate(pyramid):
            attrs = {**grid.attrs, "level": level, "downsample": _downsample(finest, grid)}
            named.append(replace(grid, name=f"{prefix}level_{level}", attrs=attrs))
    return named


def _is_level_of(image: TileGrid, pyramid: Sequence[TileGrid]) -> bool:
    """Whether an image shows what the finest level of a pyramid does, coarser than all that it has."""
    finest = pyramid[0]
    names = ("pyramid_uid", "frame_of_reference_uid", "extended_depth_of_field")
    if any(image.attrs.get(name) != finest.attrs.get(name) for name in names) or image.matrix == pyramid[-1].matrix:
        return False
    if image.attrs.get("pyramid_uid"):
        return True
    if image.plane is None or finest.plane is None or image.origin is None or finest.origin is None:
        ratios = [one / other for one, other in zip(finest.matrix, image.matrix, strict=True)]
        return max(ratios) / min(ratios) < 1 + _SAME_EXTENT or min(image.matrix) < 1 / _SAME_EXTENT
    sides = [
        (np.array(grid.matrix) * (grid.plane.row_spacing_mm, grid.plane.column_spacing_mm) if grid.plane else np.zeros(2))
        for grid in (finest, image)
    ]
    pixel = max(image.plane.row_spacing_mm, image.plane.column_spacing_mm)
    is_turned = abs(finest.plane.row_direction @ image.plane.row_direction - 1) > 1e-3
    is_shifted = np.abs(image.origin - finest.origin)[:2].max() > _SAME_ORIGIN_PIXELS * pixel
    return not (is_turned or is_shifted) and bool((np.abs(sides[0] - sides[1]) <= np.maximum(_SAME_EXTENT * sides[0], 2 * pixel)).all())


def _downsample(finest: TileGrid, grid: TileGrid) -> float:
    """How many pixels of the finest level one of a level is as long as: by their spacing, or by their numbers."""
    if finest.plane is not None and grid.plane is not None:
        return float(np.round(grid.plane.column_spacing_mm / finest.plane.column_spacing_mm, 9))
    return finest.matrix[1] / grid.matrix[1]


def _others(grids: Sequence[TileGrid]) -> list[TileGrid]:
    """Labels, overviews and thumbnails with names of their own."""
    counts: dict[str, int] = {}
    named = []
    for grid in sorted((grid for grid in grids if grid.attrs["kind"] != "VOLUME"), key=lambda grid: KINDS.index(str(grid.attrs["kind"]))):
        kind = str(grid.attrs["kind"]).lower()
        counts[kind] = counts.get(kind, 0) + 1
        named.append(replace(grid, name=kind if counts[kind] == 1 else f"{kind}_{counts[kind]}"))
    return named
