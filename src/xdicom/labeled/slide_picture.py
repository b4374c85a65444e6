"""A picture of a slide: the whole of it, and beside it a field of its finest level."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from xdicom.errors import NotDicomError
from xdicom.labeled.build import STORED_VALUES
from xdicom.labeled.display import WindowChoice
from xdicom.labeled.montage import Picture, draw_frame, draw_montage
from xdicom.transforms.voi import LINEAR_EXACT

_GAP = 2
_GRAY = 56
_MARK = (255, 0, 0)
_MOST_PIXELS = 1 << 24
"""A level of up to so many pixels is drawn as a whole; a larger one from single pixels of tiles that lie evenly over it."""
_CELLS = 48
"""Tiles along the longer side that such a picture is made of."""


def draw_slide(tree: xr.DataTree, window: WindowChoice = None, *, size: int = 1024) -> Picture:
    """The coarsest level of a slide as a whole, and a square of its finest one in true pixels, where the tissue is.

    A red frame in the picture of the whole shows where the square lies. A segmentation is drawn segment by segment. Of several
    optical paths or focal planes the first one is drawn.

    Parameters
    ----------
    tree
        A slide as `open_slide` gives it.
    window
        As for `to_display`; not for color.
    size
        Width of the picture [px]; its halves are squares.

    Raises
    ------
    NotDicomError
        If the tree has no level.
    ValueError
        If `window` is not one that there is, or the images are color.
    """
    levels = [name for name in tree.children if name.startswith("level_")]
    if not levels:
        raise NotDicomError("there is no level of a slide to draw")
    finest, coarsest = (_first_plane(tree.children[name].to_dataset()[STORED_VALUES]) for name in (levels[0], levels[-1]))
    if "segment" in tree.children[levels[-1]].to_dataset()[STORED_VALUES].dims:
        return draw_montage(_thinned(tree.children[levels[-1]].to_dataset()[STORED_VALUES]), window, size=size)
    side = (size - _GAP) // 2
    whole = _thinned(coarsest)
    rough = np.asarray(draw_frame(whole, 0, window, size=min(side, max(whole.sizes["y"], whole.sizes["x"]))).pixels, np.float32)
    row, column = _busiest(rough)
    span = {dim: min(side, finest.sizes[dim]) for dim in ("y", "x")}
    first = {
        dim: int(np.clip(place * finest.sizes[dim] - span[dim] / 2, 0, finest.sizes[dim] - span[dim]))
        for dim, place in (("y", row), ("x", column))
    }
    field = finest.isel({dim: slice(start, start + span[dim]) for dim, start in first.items()})
    drawn = draw_frame(field, 0, window)
    if drawn.measured_window is not None:
        low, high = drawn.measured_window
        window = ((low + high) / 2, high - low, LINEAR_EXACT)
    overview = _in_color(draw_frame(whole, 0, window, size=side).pixels)
    _mark(overview, [(first[dim] / finest.sizes[dim], (first[dim] + span[dim]) / finest.sizes[dim]) for dim in ("y", "x")])
    canvas = np.full((side, 2 * side + _GAP, 3), _GRAY, np.uint8)
    for left, part in ((0, overview), (side + _GAP, _in_color(drawn.pixels))):
        part = part[:side, :side]
        top, before = (side - part.shape[0]) // 2, left + (side - part.shape[1]) // 2
        canvas[top : top + part.shape[0], before : before + part.shape[1]] = part
    return Picture(canvas, 2, len(tree.children), drawn.measured_window)


def _first_plane(level: xr.DataArray) -> xr.DataArray:
    return level.isel({dim: 0 for dim in level.dims if dim not in ("y", "x", "sample")})


def _thinned(level: xr.DataArray) -> xr.DataArray:
    """A level itself, or where it is large single pixels of tiles that lie evenly over it."""
    if level.sizes["y"] * level.sizes["x"] <= _MOST_PIXELS:
        return level
    across = {"y": math.ceil(level.sizes["y"] / level.attrs["tile_rows"]), "x": math.ceil(level.sizes["x"] / level.attrs["tile_columns"])}
    step = max(1, math.ceil(max(across.values()) / _CELLS))
    lengths = {"y": int(level.attrs["tile_rows"]) * step, "x": int(level.attrs["tile_columns"]) * step}
    return level.isel({dim: np.arange(length // 2, level.sizes[dim], length) for dim, length in lengths.items()})


def _busiest(picture: np.ndarray) -> tuple[float, float]:
    """Where a picture varies most from pixel to pixel, as shares of its height and width."""
    gray = picture.reshape(*picture.shape[:2], -1).mean(axis=-1)
    variation = np.zeros_like(gray)
    variation[:-1] += np.abs(np.diff(gray, axis=0))
    variation[:, :-1] += np.abs(np.diff(gray, axis=1))
    cell = max(1, min(gray.shape) // 8)
    shape = (gray.shape[0] // cell, gray.shape[1] // cell)
    sums = variation[: shape[0] * cell, : shape[1] * cell].reshape(shape[0], cell, shape[1], cell).sum(axis=(1, 3))
    row, column = np.unravel_index(int(np.argmax(sums)), shape)
    return (float(row) + 0.5) * cell / gray.shape[0], (float(column) + 0.5) * cell / gray.shape[1]


def _in_color(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels[..., :3].copy()


def _mark(picture: np.ndarray, shares: list[tuple[float, float]]) -> None:
    """Draw a red frame from and to shares of the height and width."""
    (top, bottom), (left, right) = (
        (int(low * length), min(length - 1, max(int(low * length) + 3, math.ceil(high * length) - 1)))
        for (low, high), length in zip(shares, picture.shape[:2], strict=True)
    )
    picture[[top, bottom], left : right + 1] = _MARK
    picture[top : bottom + 1, [left, right]] = _MARK
