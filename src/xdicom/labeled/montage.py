"""A picture of evenly spaced frames of a labelled array, in true proportions.

Frames lie in rows from left to right. Where an array has extra axes, a row has the positions of one step along them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from xdicom.labeled.color import SAMPLE, to_rgb
from xdicom.labeled.display import WindowChoice, to_display
from xdicom.labeled.lettering import write_letters
from xdicom.labeled.parameters import STORED, possible_range, stored_dtype, windows
from xdicom.labeled.values import mask_padding, to_modality
from xdicom.transforms.voi import LINEAR, LINEAR_EXACT

MOST_TILES = 16
"""A montage has no more tiles than this, and at least twelve where there are that many frames, unless columns are asked for."""
_FEW_TILES = 12
_GOOD_ASPECT = 1.6
"""Width by height that fits screens and pages."""
_GAP = 2
"""Width of the lines between tiles [px]."""
_GRAY = 56
"""Their color."""
_MEASURED_PERCENT = (0.5, 99.5)
_MEASURED_PIXELS = 100_000
"""A window is measured on about so many pixels of each frame."""
_SPACINGS = ("pixel_spacing", "imager_pixel_spacing", "nominal_scanned_pixel_spacing", "pixel_aspect_ratio")
"""Attributes that tell the height and width of a pixel, best first (PS3.3 C.7.6.3.1.7, 10.7.1.3)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, and what it shows."""

    pixels: np.ndarray
    """uint8, shape `(height, width)`, or `(height, width, 3)` in RGB."""
    shown: int
    """Number of frames in it."""
    frames: int
    """Number of frames in the array."""
    measured_window: tuple[float, float] | None = None
    """Lowest and highest modality value, where they were measured on the frames shown because the file has no window."""


def draw_montage(array: xr.DataArray, window: WindowChoice = None, *, columns: int | None = None, size: int = 1024) -> Picture:
    """Evenly spaced frames side by side, with their place on each axis.

    Color becomes RGB by `to_rgb`; grayscale goes through `to_display`. Where neither `window` nor the file names a window
    and values have more than 8 bits, the window is measured on the frames shown, and the result says so.

    Parameters
    ----------
    array
        `stored_values` or `modality_values`, numpy- or dask-backed; only frames that are shown are computed, one after the other.
    window
        As for `to_display`; not for color.
    columns
        Tiles in a row; by default as many as make a picture that is a little wider than high.
    size
        Longer side of the picture [px].

    Raises
    ------
    ValueError
        When `window` is not one that there is, or the array is color.
    """
    lengths = [array.sizes[dim] for dim in _frame_dims(array)]
    height, width = _tile_extent(array)
    cells, columns = _choose_tiles(lengths, width / height, columns)
    rows = math.ceil(len(cells) / columns)
    scale = min((size - _GAP * (columns - 1)) / (columns * width), (size - _GAP * (rows - 1)) / (rows * height))
    tile = max(1, int(height * scale + 1e-6)), max(1, int(width * scale + 1e-6))
    chosen = _take(array, cells)
    ready, measured = _ready_to_show(chosen, window)
    canvas = np.full((rows * (tile[0] + _GAP) - _GAP, columns * (tile[1] + _GAP) - _GAP, 3 if SAMPLE in ready.dims else 1), _GRAY, np.uint8)
    for number, pixels in enumerate(_drawn(ready, tile)):
        row, column = divmod(number, columns)
        top, left = row * (tile[0] + _GAP), column * (tile[1] + _GAP)
        target = canvas[top : top + tile[0], left : left + tile[1]]
        target[...] = pixels
        write_letters(target, [_place(array, dim, int(i)) for dim, i in zip(_frame_dims(array), cells[number], strict=True)])
    return Picture(canvas if SAMPLE in ready.dims else canvas[..., 0], len(cells), math.prod(lengths), measured)


def draw_frame(array: xr.DataArray, frame: int, window: WindowChoice = None, *, size: int | None = None) -> Picture:
    """One frame without letters, counted from 0 along all axes of frames, the last one fastest.

    As `draw_montage`; without a `size` [px] no pixel is shrunk.

    Raises
    ------
    ValueError
        When there is no such frame, or as for `draw_montage`.
    """
    lengths = [array.sizes[dim] for dim in _frame_dims(array)]
    if not 0 <= frame < math.prod(lengths):
        raise ValueError(f"there is no frame {frame}: the array has {math.prod(lengths)}, from 0")
    height, width = _tile_extent(array)
    scale = max(array.sizes["y"] / height, array.sizes["x"] / width) if size is None else size / max(height, width)
    ready, measured = _ready_to_show(_take(array, np.array([np.unravel_index(frame, lengths)], np.int64).reshape(1, -1)), window)
    pixels = next(_drawn(ready, (max(1, round(height * scale)), max(1, round(width * scale)))))
    return Picture(pixels if SAMPLE in ready.dims else pixels[..., 0], 1, math.prod(lengths), measured)


def _frame_dims(array: xr.DataArray) -> list[str]:
    return [str(dim) for dim in array.dims if dim not in ("y", "x", SAMPLE)]


def _tile_extent(array: xr.DataArray) -> tuple[float, float]:
    """Height and width of a frame, in units of which only the ratio matters."""
    sides = [1.0, 1.0]
    given = next((array.attrs[name] for name in _SPACINGS if name in array.attrs), (1.0, 1.0))
    if len(given) == 2 and min(given) > 0:
        sides = [float(side) for side in given]
    for i, name in enumerate(("y", "x")):
        if name in array.coords and array.sizes[name] > 1:
            sides[i] = abs(float(array[name][-1] - array[name][0])) / (array.sizes[name] - 1)
    return sides[0] * array.sizes["y"], sides[1] * array.sizes["x"]


def _choose_tiles(lengths: list[int], aspect: float, columns: int | None) -> tuple[np.ndarray, int]:
    """Indices of the frames to show, shape `(tiles, axes)`, and tiles in a row; `aspect` is the width by height of a tile."""
    along = max((axis for axis, length in enumerate(lengths) if length > 1), default=0)
    inner, outer = math.prod(lengths[along:]), math.prod(lengths[:along])

    def misfit(rows: int, across: int) -> float:
        return abs(math.log(aspect * across / rows / _GOOD_ASPECT))

    if outer > 1:
        most = min(inner, columns or MOST_TILES)
        fewest = most if columns else 1
        wanted = min(_FEW_TILES, inner * outer)
        across, rows = min(
            ((c, r) for c in range(fewest, most + 1) for r in range(1, outer + 1) if r * c <= max(MOST_TILES, c)),
            key=lambda grid: misfit(grid[1], grid[0]) + 2 * max(0, 1 - grid[0] * grid[1] / wanted) + (grid[1] < min(outer, 4)),
        )
        numbers = (_spread(outer, rows)[:, None] * inner + _spread(inner, across)).reshape(-1)
    elif columns:
        across = min(columns, inner)
        numbers = _spread(inner, inner if inner <= MOST_TILES else min(inner, across * max(1, round(14 / across))))
    else:
        counts = [inner] if inner <= MOST_TILES else range(_FEW_TILES, MOST_TILES + 1)
        count, across = min(
            ((n, c) for n in counts for c in range(1, n + 1)),
            key=lambda grid: misfit(-(-grid[0] // grid[1]), grid[1]) + 3 * (-grid[0] % grid[1]) / grid[0],
        )
        numbers = _spread(inner, count)
    return np.stack(np.unravel_index(numbers, lengths), axis=-1) if lengths else np.zeros((1, 0), np.int64), across


def _spread(length: int, count: int) -> np.ndarray:
    """`count` of `length` numbers from 0, as evenly as can be."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.int64)


def _take(array: xr.DataArray, cells: np.ndarray) -> xr.DataArray:
    """Frames at `cells` along a new first dimension `tile`."""
    dims = _frame_dims(array)
    if not dims:
        return array.expand_dims("tile")
    chosen = array.isel({dim: xr.DataArray(cells[:, i], dims="tile") for i, dim in enumerate(dims)})
    return chosen.transpose("tile", "y", "x", ...)


def _ready_to_show(array: xr.DataArray, window: WindowChoice) -> tuple[xr.DataArray, tuple[float, float] | None]:
    """RGB or display values, and the window where it had to be measured."""
    is_color = int(array.attrs.get("samples_per_pixel", 1)) > 1 or array.attrs.get("photometric_interpretation") == "PALETTE COLOR"
    if is_color and window is not None:
        raise ValueError(f"a window is for grayscale; these are {array.attrs.get('photometric_interpretation')} pixels")
    if is_color or (window is None and array.name == STORED and "palette" in array.attrs):
        return to_rgb(array), None
    if window is not None or _has_range(array):
        return to_display(array, window), None
    steps = {dim: max(1, math.ceil(math.sqrt(array.sizes[dim] ** 2 / _MEASURED_PIXELS))) for dim in ("y", "x")}
    sample = array.isel({dim: slice(None, None, step) for dim, step in steps.items()})
    modality = to_modality(mask_padding(sample)) if array.name == STORED else sample
    values = np.asarray(modality.values, np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return to_display(array, (0.0, 1.0, LINEAR_EXACT)), None
    low, high = np.percentile(finite, _MEASURED_PERCENT)
    if low == high:
        low, high = finite.min(), finite.max()
    low, high = float(low), float(high) if high > low else float(low) + 1
    return to_display(array, ((low + high) / 2, high - low, LINEAR_EXACT)), (low, high)


def _has_range(array: xr.DataArray) -> bool:
    """Whether the file tells how its values are to be shown: by a window for all frames, a VOI LUT, or no more than 8 bits.

    A window that is a threshold (LINEAR of width 1) shows no more than two levels of floating-point values: that tells nothing.
    """
    if array.attrs.get("voi_luts") or array.attrs.get("segmentation_type"):
        return True
    for center, width, said in windows(array):
        is_threshold = said.function == LINEAR and bool(np.all(np.asarray(width) == 1)) and stored_dtype(array) is None
        if np.isfinite(center).all() and np.all(np.asarray(width) > 0) and not is_threshold:
            return True
    limits = possible_range(array) if array.dtype.kind in "iub" else None
    return limits is not None and int(array.attrs.get("bits_stored", 16)) <= 8


def _drawn(ready: xr.DataArray, tile: tuple[int, int]) -> Iterator[np.ndarray]:
    """Each frame in the size of a tile; uint8, shape `(height, width, 1 or 3)`."""
    down, across = _weights(ready.sizes["y"], tile[0]), _weights(ready.sizes["x"], tile[1])
    bits = int(ready.attrs.get("bits_stored", 8 * ready.dtype.itemsize)) if SAMPLE in ready.dims else 8
    for number in range(ready.sizes["tile"]):
        values = np.asarray(ready[number].values, np.float32)
        values = values[..., None] if values.ndim == 2 else values
        if values.shape[-1] == 4:  # what is transparent is black
            values = values[..., :3] * (values[..., 3:] / (2**bits - 1))
        small = np.stack([down @ values[..., i] @ across.T for i in range(values.shape[-1])], axis=-1)
        yield np.clip(np.rint(small * (255 / (2**bits - 1))), 0, 255).astype(np.uint8)


def _weights(count: int, wanted: int) -> np.ndarray:
    """Weights that make `wanted` pixels of `count`: linear between neighbors, and a mean where they shrink; float32 `(wanted, count)`."""
    scale = count / wanted
    centers = (np.arange(wanted) + 0.5) * scale - 0.5
    weights = np.clip(1 - np.abs(centers.clip(0, count - 1)[:, None] - np.arange(count)) / max(scale, 1), 0, None)
    return np.asarray((weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def _place(array: xr.DataArray, dim: str, index: int) -> str:
    """Where a frame is on one axis, such as `z -120 mm`; nothing on an axis of one step without a coordinate."""
    names = (dim, "b_value") if dim == "diffusion" else (dim,)
    name = next((name for name in names if name in array.coords and array[name].dims == (dim,)), None)
    if name is None:
        return f"{dim} {index}" if array.sizes[dim] > 1 else ""
    value = array[name].values[index]
    text = f"{float(value):.4g}" if array[name].dtype.kind in "iuf" else str(value)
    return f"{name} {text} {array[name].attrs.get('units', '')}".strip()
