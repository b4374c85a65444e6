"""Values of a labelled array back to stored values, and those to the bytes of a file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xdicom.errors import UnsupportedEncodingError
from xdicom.export.dicom_elements import decimal_string
from xdicom.model.encoding import FLOAT_PIXEL_DATA, PIXEL_DATA, PixelEncoding
from xdicom.pixels.encode import encode_frame
from xdicom.transforms.modality import stored_range

WORD = 16
"""Bits that stored values get where values are rescaled."""


@dataclass(frozen=True, slots=True)
class Form:
    """How values of an array become stored values."""

    encoding: PixelEncoding
    """How they are written."""
    loss: float | None = None
    """How much a lossy transfer syntax may lose."""
    nan_value: int | None = None
    """Stored value of what is no number; None where that can't be stored."""

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest stored value."""
        return stored_range(self.encoding.dtype, self.encoding.bits_stored)


@dataclass(frozen=True, slots=True, eq=False)
class Rescale:
    """Slope and intercept of planes, by which values are stored."""

    slope: np.ndarray
    """Slope of each plane; float64, shape `(planes,)`."""
    intercept: np.ndarray
    """Intercept of each plane; float64, shape `(planes,)`."""

    def take(self, rows: np.ndarray) -> Rescale:
        """Those of some planes."""
        return Rescale(self.slope[rows], self.intercept[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """What the values of planes are like."""

    low: np.ndarray
    """Smallest value of each plane, inf where it has none; shape `(planes,)`."""
    high: np.ndarray
    """Largest value of each plane, -inf where it has none."""
    is_whole: np.ndarray
    """Whether all its values are whole numbers."""
    has_nan: np.ndarray
    """Whether something in it is no number."""
    source_error: np.ndarray
    """Largest error when it is stored by the slope and intercept that it was read with; NaN where there are none."""
    source_low: np.ndarray
    """Smallest stored value by these."""
    source_high: np.ndarray
    """Largest stored value by these."""


def measure(planes: np.ndarray, source: Rescale | None) -> np.ndarray:
    """The numbers of `Ranges` for some planes; float64, shape `(planes, 7)`."""
    found = np.full((len(planes), 7), np.nan)
    for i, plane in enumerate(planes):
        finite = plane if plane.dtype.kind in "iu" else plane[np.isfinite(plane)]
        if not finite.size:
            found[i] = (np.inf, -np.inf, 1, plane.size > 0, 0, np.inf, -np.inf)
            continue
        low, high = float(finite.min()), float(finite.max())
        is_whole = plane.dtype.kind in "iu" or bool((finite == np.rint(finite)).all())
        found[i, :4] = low, high, is_whole, finite.size < plane.size
        if source is not None and plane.dtype.kind in "iu" and _is_shift(source.slope[i], source.intercept[i]):
            found[i, 4:] = 0.0, low - source.intercept[i], high - source.intercept[i]
        elif source is not None and np.isfinite(source.slope[i]) and source.slope[i] != 0:
            stored = np.rint((finite.astype(np.float64) - source.intercept[i]) / source.slope[i])
            back = stored * source.slope[i] + source.intercept[i]
            found[i, 4:] = np.abs(back - finite).max(), stored.min(), stored.max()
    return found


def _is_shift(slope: float, intercept: float) -> bool:
    """Whether whole numbers stay whole, with nothing to round."""
    return bool(slope == 1) and float(intercept).is_integer() and abs(intercept) < 2**31


def ranges_of(measured: np.ndarray) -> Ranges:
    """`Ranges` of what `measure` found in all planes."""
    low, high, is_whole, has_nan, *by_source = measured.T
    return Ranges(low, high, is_whole.astype(bool), has_nan.astype(bool), *by_source)


def choose_rescale(
    ranges: Ranges, source: Rescale | None, source_limits: tuple[int, int], *, from_zero: bool
) -> tuple[Rescale, bool, bool]:
    """Slopes and intercepts with the smallest error, whether they are the source's, and whether stored values have a sign.

    Where something is no number, one stored value is left free for it.

    Parameters
    ----------
    ranges
        What the values are like.
    source
        Slopes and intercepts that the values were read with.
    source_limits
        Smallest and largest stored value of the source.
    from_zero
        Whether the intercept must be 0 (PET, dose).
    """
    low, high = float(ranges.low.min(initial=np.inf)), float(ranges.high.max(initial=-np.inf))
    if low > high:
        low = high = 0.0
    slope, intercept, is_signed = _shared_rescale(low, high, bool(ranges.is_whole.all()), bool(ranges.has_nan.any()), from_zero)
    error = 0.0 if slope == 1 and ranges.is_whole.all() and intercept.is_integer() else slope / 2
    if source is not None and np.isfinite(ranges.source_error).all() and not ranges.has_nan.any():
        fits = source_limits[0] <= ranges.source_low.min(initial=np.inf) and ranges.source_high.max(initial=-np.inf) <= source_limits[1]
        if fits and ranges.source_error.max(initial=0.0) <= error:
            return source, True, source_limits[0] < 0
    planes = len(ranges.low)
    return Rescale(np.full(planes, slope), np.full(planes, intercept)), False, is_signed


def _shared_rescale(low: float, high: float, is_whole: bool, has_nan: bool, from_zero: bool) -> tuple[float, float, bool]:
    """One slope and intercept for all planes, as decimal strings hold them, and whether stored values have a sign."""
    half, whole = 2 ** (WORD - 1) - 1 - has_nan, 2**WORD - 1 - has_nan
    if is_whole and -half <= low and high <= (half if low < 0 else whole):
        return 1.0, 0.0, low < 0
    if from_zero:
        most = half if low < 0 else whole
        return _stated(max(abs(low), abs(high)) / (most - 1)), 0.0, low < 0
    if is_whole and high - low <= whole:
        return 1.0, low, False
    return _stated((high - low) / (whole - 1)) or 1.0, _stated(low), False


def _stated(number: float) -> float:
    return float(decimal_string(number))


def to_stored(values: np.ndarray, form: Form, rescale: tuple[float, float] | None, what: str) -> tuple[np.ndarray, float]:
    """Stored values of one plane, and the largest difference between `values` and what they give back.

    Parameters
    ----------
    values
        One plane, shape `form.encoding.frame_shape`.
    form
        How values are stored.
    rescale
        Slope and intercept, where values are modality values.
    what
        What the plane is called in errors.

    Raises
    ------
    ValueError
        If a value can't be stored.
    """
    dtype = form.encoding.dtype
    if form.encoding.pixel_keyword != PIXEL_DATA:
        return np.ascontiguousarray(values, dtype), 0.0
    is_missing = np.isnan(values) if values.dtype.kind == "f" else None
    if is_missing is not None and is_missing.any():
        if form.nan_value is None:
            raise ValueError(
                f"{what} has values that are no numbers, and nothing says how they are stored: fill them first, as with array.fillna(0)"
            )
        values = np.where(is_missing, 0 if rescale is None else rescale[1], values)
    error = 0.0
    if rescale is not None and values.dtype.kind in "iu" and values.dtype.itemsize <= 4 and _is_shift(*rescale):
        return _shifted(values, int(rescale[1]), form, what), error
    if rescale is not None:
        exact = values.astype(np.float64)
        stored = (exact - rescale[1]) / rescale[0]
        np.rint(stored, out=stored)
        error = float(np.abs(stored * rescale[0] + rescale[1] - exact).max(initial=0.0))
        values = stored
    elif values.dtype.kind == "f":
        if not (values == np.rint(values)).all():
            raise ValueError(
                f"{what} has fractions, which stored values of {dtype} can't hold: "
                "say what they mean with array.rename('modality_values'), "
                "so that they are stored through a slope, or round them"
            )
    elif values.dtype.kind == "b":
        values = values.astype(np.uint8)
    low, high = form.limits
    # what fills its type can't be out of range
    if values.dtype != dtype or form.encoding.bits_stored < 8 * dtype.itemsize:
        hint = "give another rescale="
        if rescale is None:
            hint = f"give bits_stored= (now {form.encoding.bits_stored}), or change the type of the array"
        _check_limits(values.min(initial=high), values.max(initial=low), form, what, hint)
    result = np.ascontiguousarray(values, dtype)
    if is_missing is not None and is_missing.any() and form.nan_value is not None:
        if result is values:
            result = result.copy()
        result[is_missing] = form.nan_value
    return result, error


def _shifted(values: np.ndarray, intercept: int, form: Form, what: str) -> np.ndarray:
    """Stored values of whole numbers with a slope of 1; sums wrap around, and those that are in range are right."""
    dtype = form.encoding.dtype
    if values.size:
        _check_limits(int(values.min()) - intercept, int(values.max()) - intercept, form, what, "give another rescale=")
    return np.ascontiguousarray(values.astype(dtype) - np.array(intercept).astype(dtype))


def _check_limits(smallest: float, largest: float, form: Form, what: str, hint: str) -> None:
    low, high = form.limits
    if smallest < low or largest > high:
        raise ValueError(f"{what} has stored values from {smallest:g} to {largest:g}, and {low} to {high} can be written: {hint}")


def precision_of(values: np.ndarray) -> float:
    """Distance of the largest of some numbers from its neighbor: what is nearer can't be told apart; 0 for integers."""
    return float(np.spacing(np.abs(values).max(initial=0))) if values.dtype.kind == "f" else 0.0


def frame_bytes(stored: np.ndarray, form: Form) -> bytes | memoryview:
    """One frame as it lies in a file: native little endian, or the item of its stream (PS3.5 8.1.1, A.4)."""
    if not form.encoding.is_encapsulated:
        little = np.ascontiguousarray(stored, stored.dtype.newbyteorder("<"))
        return little.reshape(-1).view(np.uint8).data
    stream = encode_frame(stored, form.encoding, form.loss)
    stream += b"\0" * (len(stream) % 2)
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(stream)) + stream


def pixel_element_head(encoding: PixelEncoding, frame_lengths: Sequence[int]) -> bytes:
    """Tag, VR and length of the pixel data, with the offset table where it is encapsulated (PS3.5 A.4).

    Parameters
    ----------
    encoding
        How frames are written.
    frame_lengths
        Bytes of each frame as `frame_bytes` gives it.
    """
    tag = {FLOAT_PIXEL_DATA: 0x0008, PIXEL_DATA: 0x0010}.get(encoding.pixel_keyword, 0x0009)
    if not encoding.is_encapsulated:
        vr = {0x0008: b"OF", 0x0009: b"OD"}.get(tag, b"OB" if encoding.bits_allocated <= 8 else b"OW")
        total = sum(frame_lengths)
        if total + total % 2 > 0xFFFFFFFE:
            raise UnsupportedEncodingError(
                f"uncompressed pixel data of {total} bytes does not fit one instance (2**32 - 2 do, PS3.5 8.1.1): "
                "give a compressing transfer_syntax="
            )
        return struct.pack("<HH2sHI", 0x7FE0, tag, vr, 0, total + total % 2)
    offsets = np.cumsum([0, *frame_lengths[:-1]])
    table = offsets.astype("<u4").tobytes() if offsets[-1] <= 0xFFFFFFFF else b""
    return struct.pack("<HH2sHI", 0x7FE0, tag, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table


def pixel_element_tail(encoding: PixelEncoding, total: int) -> bytes:
    """What follows the last frame."""
    return struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if encoding.is_encapsulated else b"\0" * (total % 2)


def with_sign(encoding: PixelEncoding, *, is_signed: bool, bits: int = WORD) -> PixelEncoding:
    """`encoding` for grayscale integers that fill their cells."""
    return replace(encoding, samples_per_pixel=1, bits_allocated=bits, bits_stored=bits, high_bit=bits - 1, is_signed=is_signed)
