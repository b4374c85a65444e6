"""Modality values to display values: windows, VOI LUTs and presets (PS3.3 C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.transforms.pieces import Index, Scratch, part, pieces

LINEAR = "LINEAR"
LINEAR_EXACT = "LINEAR_EXACT"
SIGMOID = "SIGMOID"
FUNCTIONS = (LINEAR, LINEAR_EXACT, SIGMOID)
"""Values of VOI LUT Function (0028,1056)."""

SINGLE_PRECISION_WIDTH = 4096
"""Widest window for which single precision puts every whole number on the right one of 256 levels.

Levels change at multiples of `1 / (2 * (width - 1))` of a level; the three roundings err by at most 5e-5 of a level.
"""

SINGLE_PRECISION_REACH = 2**21
"""Farthest end of a window near which single precision holds whole and half numbers exactly."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window in modality values (PS3.3 C.11.2.1.2)."""

    center: float
    """Window Center (0028,1050) [modality values]."""
    width: float
    """Window Width (0028,1051) [modality values]."""
    function: str = LINEAR
    """VOI LUT Function (0028,1056): LINEAR, LINEAR_EXACT or SIGMOID."""
    explanation: str = ""
    """Window Center & Width Explanation (0028,1055)."""


CT_PRESETS: dict[str, Window] = {
    "ABDOMEN": Window(50, 400),
    "ANGIO": Window(300, 600),
    "BONE": Window(400, 1800),
    "BRAIN": Window(40, 80),
    "HEAD": Window(40, 80),
    "LIVER": Window(60, 160),
    "LUNG": Window(-600, 1500),
    "MEDIASTINUM": Window(50, 350),
    "PELVIS": Window(40, 400),
    "SOFT_TISSUE": Window(50, 400),
    "SPINE": Window(50, 250),
    "STROKE": Window(40, 40),
    "SUBDURAL": Window(75, 215),
    "TEMPORAL_BONE": Window(600, 2800),
}
"""Windows of common use in CT, in HU, by name; conventions of reading rooms, not of the standard."""


def window_edges(center: np.ndarray | float, width: np.ndarray | float, function: str = LINEAR) -> tuple[np.ndarray, np.ndarray]:
    """Lower edge and span of windows: a value at the edge gives the lowest, one at edge + span the highest output.

    LINEAR and LINEAR_EXACT have the same lower edge, `center - width / 2`, and differ in the span: `width - 1` and
    `width` (PS3.3 C.11.2.1.2.1, C.11.2.1.3.2). For SIGMOID the "edge" is the center and the span the width.

    A LINEAR window narrower than 1, which the standard does not allow but files with tiny slopes have, is taken as
    LINEAR_EXACT. A span of 0 (LINEAR of width 1, any function of width 0) is a threshold: what lies above the edge
    is white.

    Returns
    -------
    tuple of numpy.ndarray
        Edge and span, float64, of the shape that `center` and `width` have together.

    Raises
    ------
    ValueError
        For a function that does not exist, a negative width, or a number that is not finite.
    """
    centers, widths = np.broadcast_arrays(np.asarray(center, np.float64), np.asarray(width, np.float64))
    if function not in FUNCTIONS:
        raise ValueError(f"there is no VOI LUT function {function!r}: it is one of {', '.join(FUNCTIONS)}")
    if not (np.isfinite(centers).all() and np.isfinite(widths).all()):
        raise ValueError("a window has a center or width that is not a finite number; give window=(center, width)")
    if (widths < 0).any():
        raise ValueError(f"a window has the negative width {widths.min():g}; give window=(center, width) with a width of 0 or more")
    if function == SIGMOID:
        return centers, widths
    spans = np.where(widths >= 1, widths - 1, widths) if function == LINEAR else widths
    return centers - widths / 2, spans


def window_arithmetic(
    values: np.dtype[np.generic], center: np.ndarray | float, width: np.ndarray | float, function: str, levels: int
) -> np.dtype[np.generic]:
    """Precision to window in: single where that can't change a level, else double.

    Single precision serves up to 256 levels of whole numbers under a window of whole center and width that is not
    wider than 4096, and modality values that are single precision themselves, which are no sharper than that. The
    choice knows the type and the parameters of the whole array, never a pixel or a block.

    Parameters
    ----------
    values
        Type of the modality values.
    center, width, function
        Windows of all frames.
    levels
        Levels of the output: 256, 65536, or 0 for floating-point output.
    """
    double, single = np.dtype(np.float64), np.dtype(np.float32)
    if function == SIGMOID or levels > 256 or values == double:
        return double
    centers, widths = np.asarray(center, np.float64), np.asarray(width, np.float64)
    reach = np.abs(centers) + widths
    if not reach.size or float(reach.max()) > SINGLE_PRECISION_REACH:
        return double
    if values == single:
        return single
    is_whole = bool(np.all(centers == np.rint(centers)) and np.all(widths == np.rint(widths)))
    return single if is_whole and float(widths.max()) <= SINGLE_PRECISION_WIDTH else double


def apply_window(
    values: np.ndarray,
    center: np.ndarray | float,
    width: np.ndarray | float,
    *,
    function: str = LINEAR,
    output: tuple[float, float] = (0, 255),
    dtype: np.dtype[np.generic] | None = None,
) -> np.ndarray:
    """Window `values` onto the range `output` (PS3.3 C.11.2.1.2.1, C.11.2.1.3).

    Parameters
    ----------
    values
        Modality values of any shape.
    center, width
        Numbers, or arrays that broadcast against `values` (per frame: axes of length 1 for rows and columns).
    function
        LINEAR, LINEAR_EXACT or SIGMOID.
    output
        `(ymin, ymax)` of the formulas: what the lowest and the highest value become. `ymin > ymax` shows the lowest
        values white.
    dtype
        Type of the result, uint8 by default. For an integer type the formula's result is rounded to the nearest level,
        halves upwards, and what is not a number becomes 0.

    Returns
    -------
    numpy.ndarray
        Shape of `values`.

    Raises
    ------
    ValueError
        For a function that does not exist, a negative width, or a number that is not finite.

    Examples
    --------
    >>> apply_window(np.array([-1024, 40, 3071], np.int16), 40, 400)
    array([  0, 128, 255], dtype=uint8)
    """
    out_dtype = np.dtype(np.uint8) if dtype is None else np.dtype(dtype)
    levels = 2 ** (8 * out_dtype.itemsize) if out_dtype.kind == "u" else 0
    kernel = WindowKernel.make(center, width, function, output, out_dtype, window_arithmetic(values.dtype, center, width, function, levels))
    out = np.empty(values.shape, out_dtype)
    scratch = Scratch(kernel.arithmetic)
    for index in pieces(values.shape):
        kernel.write(out[index], scratch.copy(values[index]), index, may_be_missing=values.dtype.kind == "f")
    return out


@dataclass(frozen=True, slots=True)
class WindowKernel:
    """A window, ready to be applied to one piece after another."""

    edge: np.ndarray
    """Lower edge, or the center of a sigmoid."""
    span: np.ndarray
    """Modality values from the lowest to the highest output; never 0, for a threshold very small."""
    function: str
    """LINEAR, LINEAR_EXACT or SIGMOID."""
    output: tuple[float, float]
    """What the lowest and the highest value become."""
    dtype: np.dtype[np.generic]
    """Type of the result."""
    arithmetic: np.dtype[np.generic]
    """Precision of the arithmetic."""

    @classmethod
    def make(
        cls,
        center: np.ndarray | float,
        width: np.ndarray | float,
        function: str,
        output: tuple[float, float],
        dtype: np.dtype[np.generic],
        arithmetic: np.dtype[np.generic],
    ) -> WindowKernel:
        """Edges and spans of windows, in the precision of `arithmetic`."""
        edge, span = window_edges(center, width, function)
        almost_nothing = 1e-30 if arithmetic.itemsize == 4 else 1e-200
        span = np.where(span > 0, span, almost_nothing)
        return cls(edge.astype(arithmetic), span.astype(arithmetic), function, output, dtype, arithmetic)

    def write(self, out: np.ndarray, scratch: np.ndarray, index: Index, *, may_be_missing: bool) -> None:
        """Window the modality values in `scratch`, which is used up, into `out`: the piece `index` of the array."""
        low, high = self.output
        is_integer = self.dtype.kind == "u"
        half = 0.5 if is_integer else 0.0
        scratch -= part(self.edge, index)
        scratch *= self.arithmetic.type(-4.0 if self.function == SIGMOID else high - low)
        with np.errstate(over="ignore"):
            scratch /= part(self.span, index)  # after the product, which is exact, so that halves are halves
        if self.function == SIGMOID:
            np.clip(scratch, -700.0, 700.0, out=scratch)  # exp stays finite; beyond it nothing changes
            np.exp(scratch, out=scratch)
            scratch += 1.0
            np.divide(high - low, scratch, out=scratch)
        scratch += self.arithmetic.type(low + half)
        np.clip(scratch, self.arithmetic.type(min(low, high)), self.arithmetic.type(max(low, high) + half), out=scratch)
        if is_integer and may_be_missing:
            is_missing = np.isnan(scratch)
            if is_missing.any():
                scratch[is_missing] = 0.0
        out[...] = scratch
