"""Stored values to display values in one go: modality, VOI and presentation, with no array between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np

from xdicom.transforms.compiled import window_loops
from xdicom.transforms.lookup import LookupTable, is_small_integer, native
from xdicom.transforms.modality import in_type, rescale_into
from xdicom.transforms.palette import Palette, apply_supplemental
from xdicom.transforms.pieces import Scratch, part, pieces
from xdicom.transforms.presentation import Output
from xdicom.transforms.straight import Setting, straight_line
from xdicom.transforms.voi import LINEAR, SIGMOID, WindowKernel

Parameter = np.ndarray | float
"""A number, or one per frame: an array that broadcasts against the pixels, with axes of length 1 for rows and columns."""

FEW = 4096
"""So few pixels are not worth the call of a compiled loop of their own."""

ENOUGH = 2**16
"""So many pixels with the same parameters are worth a line of their own."""

WHOLE = 2**23
"""Single precision adds whole numbers of 16 bits and such below this exactly."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """How values become display values: all but the numbers that vary from frame to frame."""

    modality_dtype: str
    """Type of the modality values in between."""
    arithmetic: str = "float64"
    """Precision that the window is applied in, from `voi.window_arithmetic`."""
    function: str = LINEAR
    """VOI LUT Function: LINEAR, LINEAR_EXACT or SIGMOID."""
    output: Output = field(default_factory=Output)
    """Type, polarity and Presentation LUT of the display values."""
    modality_table: LookupTable | None = None
    """Modality LUT; it takes the place of slope and intercept."""
    voi_table: LookupTable | None = None
    """VOI LUT; it takes the place of a window."""


def render(
    values: np.ndarray, slope: Parameter, intercept: Parameter, center: Parameter, width: Parameter, *, rendering: Rendering
) -> np.ndarray:
    """Display values of stored values (PS3.3 C.11.1, C.11.2, C.11.6).

    Parameters
    ----------
    values
        Stored values of any shape; modality values with a slope of 1 and an intercept of 0.
    slope, intercept
        Rescale Slope and Intercept; not used where there is a Modality LUT.
    center, width
        The window [modality values]; not used where there is a VOI LUT.
    rendering
        Types, functions and tables.

    Returns
    -------
    numpy.ndarray
        Shape of `values`, of the type that `rendering.output` names.

    Examples
    --------
    >>> stored = np.array([0, 824, 1064, 1264, 4095], np.uint16)
    >>> render(stored, 1.0, -1024.0, 40.0, 400.0, rendering=Rendering("int16"))
    array([  0,   0, 128, 255, 255], dtype=uint8)
    """
    output, presentation = rendering.output, rendering.output.presentation
    out = np.empty(values.shape, output.dtype)
    dtype = np.dtype(rendering.modality_dtype)
    slopes, intercepts = in_type(slope, dtype), in_type(intercept, dtype)
    is_modality = dtype == values.dtype and bool(np.all(slopes == 1) and np.all(intercepts == 0))
    memory = Scratch(dtype)

    def modality_values(index: tuple[slice, ...]) -> np.ndarray:
        if rendering.modality_table is not None:
            return rendering.modality_table.apply(values[index], dtype)
        if is_modality:
            return values[index]
        modality = memory.empty(values[index].shape)
        rescale_into(modality, values[index], part(slopes, index), part(intercepts, index))
        return modality

    if rendering.voi_table is not None:
        table = rendering.voi_table
        entries = _entries(output, table)
        for index in pieces(values.shape):
            modality = modality_values(index)
            out[index] = _blacked(entries[table.positions(modality)], modality)
        return out

    arithmetic = np.dtype(rendering.arithmetic)
    scratch = Scratch(arithmetic)
    if presentation is None:
        kernel = WindowKernel.make(center, width, rendering.function, output.limits, np.dtype(output.dtype), arithmetic)
        if _is_plain_window(rendering, values) and _write_by_setting(out, values, kernel, slopes, intercepts, rendering):
            return out
        for index in pieces(values.shape):
            modality = modality_values(index)
            kernel.write(out[index], scratch.copy(modality), index, may_be_missing=modality.dtype.kind == "f")
        return out

    last = len(presentation) - 1
    entries = _entries(output, None)
    kernel = WindowKernel.make(center, width, rendering.function, (0, last), np.dtype(np.uint16), arithmetic)
    for index in pieces(values.shape):
        modality = modality_values(index)
        positions = np.empty(modality.shape, np.uint16)
        kernel.write(positions, scratch.copy(modality), index, may_be_missing=modality.dtype.kind == "f")
        out[index] = _blacked(entries[positions], modality)
    return out


def is_quick(values: np.ndarray, parameters: tuple[float, ...], rendering: Rendering) -> bool:
    """Whether `render` takes less time than to look results up: by a compiled loop, or by a straight line.

    Parameters
    ----------
    values
        Stored values.
    parameters
        Slope, intercept, center and width.
    rendering
        Types, functions and tables.
    """
    if not _is_plain_window(rendering, values):
        return False
    arithmetic = np.dtype(rendering.arithmetic)
    if window_loops(0, arithmetic) is not None:
        return True
    slope, intercept, center, width = parameters
    dtype = np.dtype(rendering.modality_dtype)
    kernel = WindowKernel.make(center, width, rendering.function, rendering.output.limits, np.dtype(np.uint8), arithmetic)
    numbers = (float(in_type(slope, dtype)), float(in_type(intercept, dtype)), float(kernel.edge), float(kernel.span))
    return values.size >= ENOUGH and straight_line(_setting(rendering, native(values.dtype).name, numbers)) is not None


def _is_plain_window(rendering: Rendering, values: np.ndarray) -> bool:
    """Whether integers of at most 16 bits go through a window to uint8.

    Modality values have to be whole, or of the precision that the window is applied in.
    """
    is_window = rendering.function != SIGMOID and rendering.voi_table is None and rendering.modality_table is None
    is_plain = rendering.output.dtype == "uint8" and rendering.output.presentation is None
    modality, arithmetic = np.dtype(rendering.modality_dtype), np.dtype(rendering.arithmetic)
    is_exact = modality == arithmetic or (modality.kind in "iu" and modality.itemsize <= 4 and modality != np.uint32)
    return is_window and is_plain and is_exact and is_small_integer(values.dtype)


def _row(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, native(values.dtype)).reshape(-1)


def _setting(rendering: Rendering, stored: str, numbers: tuple[float, float, float, float]) -> Setting:
    return Setting(stored, rendering.modality_dtype, rendering.arithmetic, *numbers, output=rendering.output.limits)


def _write_by_setting(
    out: np.ndarray, values: np.ndarray, kernel: WindowKernel, slopes: np.ndarray, intercepts: np.ndarray, rendering: Rendering
) -> bool:
    """Render `values` into `out`, all pixels that share parameters at once; whether that was worth it, and done."""
    numbers = (slopes, intercepts, kernel.edge, kernel.span)
    varied = [values.ndim - number.ndim + axis for number in numbers for axis, n in enumerate(number.shape) if n > 1]
    inner = max(varied, default=-1) + 1
    size = math.prod(values.shape[inner:])
    is_whole = slopes.dtype.kind in "iu" and np.abs(intercepts.astype(np.int64)).max(initial=0) >= WHOLE
    loops = window_loops(values.size, kernel.arithmetic) if size >= FEW and not is_whole else None
    if loops is None and size < ENOUGH:
        return False
    outer = values.shape[:inner]
    spread = zip(*(np.broadcast_to(each, (*outer, *(1,) * (values.ndim - inner))).reshape(-1).tolist() for each in numbers), strict=True)
    make = partial(_setting, rendering, native(values.dtype).name)
    for place, each in zip(np.ndindex(outer), spread, strict=True):
        frame, levels, setting = values[place], out[place], make(each)
        line = straight_line(setting)
        if loops is None:
            (line or setting).write(levels, frame)
        elif line is not None:
            loops.line(_row(frame), levels.reshape(-1), line.origin, line.factor, line.offset, *line.ends)
        else:
            loops.steps(_row(frame), levels.reshape(-1), *setting.steps)
    return True


@lru_cache(maxsize=16)
def _entries(output: Output, voi_table: LookupTable | None) -> np.ndarray:
    """Display value of each entry of a VOI LUT, or of each value that a Presentation LUT takes."""
    if voi_table is not None:
        return output.entries(voi_table.data, voi_table.full_scale)
    assert output.presentation is not None
    return output.entries(np.arange(len(output.presentation)), len(output.presentation) - 1)


def render_supplemental(
    values: np.ndarray,
    slope: Parameter,
    intercept: Parameter,
    center: Parameter,
    width: Parameter,
    *,
    rendering: Rendering,
    palette: Palette,
) -> np.ndarray:
    """Colours of the stored values that a supplemental palette maps, grays of those below it (PS3.3 C.7.6.19).

    Parameters
    ----------
    values, slope, intercept, center, width, rendering
        As `render` takes them.
    palette
        The supplemental palette; its colours and the display values are of one type.

    Returns
    -------
    numpy.ndarray
        Shape of `values` and a last axis of 3.
    """
    out = np.empty((*values.shape, 3), rendering.output.dtype)
    for index in pieces(values.shape):
        slope_here, intercept_here, center_here, width_here = (
            part(number, index) if isinstance(number, np.ndarray) else number for number in (slope, intercept, center, width)
        )
        gray = render(values[index], slope_here, intercept_here, center_here, width_here, rendering=rendering)
        out[index] = apply_supplemental(values[index], gray, palette, dtype=gray.dtype)
    return out


def _blacked(display: np.ndarray, modality: np.ndarray) -> np.ndarray:
    """`display` with 0 (for floating-point display values NaN) where there is no modality value."""
    if modality.dtype.kind == "f":
        display[np.isnan(modality)] = 0 if display.dtype.kind == "u" else np.nan
    return display
