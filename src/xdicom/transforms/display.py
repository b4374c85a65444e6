"""Stored values to display values in one go: modality, VOI and presentation, with no array between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from xdicom.transforms.compiled import window_loop
from xdicom.transforms.lookup import LookupTable, is_small_integer, native
from xdicom.transforms.modality import in_type, rescale_into
from xdicom.transforms.palette import Palette, apply_supplemental
from xdicom.transforms.pieces import Scratch, part, pieces
from xdicom.transforms.presentation import Output
from xdicom.transforms.voi import LINEAR, SIGMOID, WindowKernel

Parameter = np.ndarray | float
"""A number, or one per frame: an array that broadcasts against the pixels, with axes of length 1 for rows and columns."""

FEW = 4096
"""So few pixels are not worth the call of a loop of their own."""

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
        if has_loop(rendering, values) and _write_by_loop(out, values, kernel, slopes, intercepts):
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


def has_loop(rendering: Rendering, values: np.ndarray) -> bool:
    """Whether a compiled loop renders `values`: integers of at most 16 bits through a window to uint8, and many in this process.

    Modality values have to be whole, or of the precision that the window is applied in.
    """
    is_window = rendering.function != SIGMOID and rendering.voi_table is None and rendering.modality_table is None
    is_plain = rendering.output.dtype == "uint8" and rendering.output.presentation is None
    modality, arithmetic = np.dtype(rendering.modality_dtype), np.dtype(rendering.arithmetic)
    is_exact = modality == arithmetic or (modality.kind in "iu" and modality.itemsize <= 4 and modality != np.uint32)
    if not (is_window and is_plain and is_exact and is_small_integer(values.dtype)):
        return False
    return window_loop(values.size, arithmetic) is not None


def _write_by_loop(out: np.ndarray, values: np.ndarray, kernel: WindowKernel, slopes: np.ndarray, intercepts: np.ndarray) -> bool:
    """Render `values` into `out`, one compiled loop for all pixels that share parameters; whether that was done."""
    is_whole = slopes.dtype.kind in "iu"
    numbers = (slopes, intercepts, kernel.edge, kernel.span)
    varied = [values.ndim - number.ndim + axis for number in numbers for axis, n in enumerate(number.shape) if n > 1]
    inner = max(varied, default=-1) + 1
    if is_whole and np.abs(intercepts.astype(np.int64)).max(initial=0) >= WHOLE:
        return False
    if math.prod(values.shape[inner:]) < FEW or (loop := window_loop(0, kernel.arithmetic)) is None:
        return False
    number, (low, high) = kernel.arithmetic.type, kernel.output
    ends = number(min(low, high)), number(max(low, high) + 0.5)
    spread = tuple(np.broadcast_to(each, (*values.shape[:inner], *(1,) * (values.ndim - inner))) for each in numbers)
    for place in np.ndindex(values.shape[:inner]):
        slope, intercept, edge, span = (each[place].reshape(-1)[0] for each in spread)
        pixels = np.ascontiguousarray(values[place], native(values.dtype)).reshape(-1)
        loop(pixels, out[place].reshape(-1), number(slope), number(intercept), edge, number(high - low), span, number(low + 0.5), *ends)
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
