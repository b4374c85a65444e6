"""In which form the values of an array are stored: type, bits, slope and intercept, and the elements that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import UnsupportedEncodingError
from xdicom.export.dicom_elements import Elements, texts_of
from xdicom.export.dicom_pixels import WORD, Form, Ranges, Rescale, choose_rescale, measure, ranges_of, with_sign
from xdicom.export.dicom_plan import Choices
from xdicom.export.dicom_planes import frame_sizes, label_of
from xdicom.headers.dictionary import TAGS
from xdicom.labeled.parameters import DISPLAY, RGB, STORED, SUV
from xdicom.lazy.blocks import Place as BlockPlace
from xdicom.lazy.blocks import over_blocks
from xdicom.model.encoding import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA, PixelEncoding
from xdicom.model.frames import FrameTable
from xdicom.pixels.encode import check_writable, transfer_syntax_of, written_encoding
from xdicom.transforms.modality import stored_range

CT = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"})
PET = frozenset({"1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130"})
DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
_SUV_UNITS = {"bw": "GML", "lbm": "GML", "lbmjames128": "GML", "lbmjanma": "GML", "bsa": "CM2ML", "ibw": "GML"}
_SUV_TYPES = {"bw": "BW", "lbm": "LBM", "lbmjames128": "LBMJAMES128", "lbmjanma": "LBMJANMA", "bsa": "BSA", "ibw": "IBW"}


@dataclass(frozen=True, slots=True, eq=False)
class ChosenForm:
    """How values are stored, and what the header has to say of it."""

    form: Form
    """Type, bits and transfer syntax."""
    rescale: Rescale | None = None
    """Slope and intercept that are written; None where the header's stay."""
    applies_rescale: bool = False
    """Whether values are stored through it; stored values are as they are."""
    is_rescaled: bool = False
    """Whether stored values are others than those of the source."""
    elements: Mapping[str, Any] = field(default_factory=dict)
    """Elements that follow."""
    is_attempt: bool = False
    """Whether it holds only if all values are what the source stored: nothing was measured."""


def choose_form(
    array: xr.DataArray, frames: FrameTable | None, rows: np.ndarray, header: Elements, sop_class: str, choices: Choices
) -> ChosenForm:
    """The form for an arranged array of whole blocks.

    Raises
    ------
    UnsupportedEncodingError
        If the object or the transfer syntax does not hold such values.
    ValueError
        If it is not told how they are to be stored.
    """
    name = str(array.name)
    syntax = transfer_syntax_of(choices.transfer_syntax)
    if name == STORED:
        chosen = _stored(array, frames, rows, header, syntax, choices)
    elif name in (DISPLAY, RGB):
        chosen = _picture(array, syntax, choices)
    else:
        chosen = _modality(array, frames, rows, header, sop_class, syntax, choices)
    encoding = chosen.form.encoding
    if name != STORED and choices.bits_stored is not None:
        raise ValueError("bits_stored= is for stored_values; other values fill their cells")
    check_writable(encoding, choices.loss)
    return chosen


def pixel_encoding(
    array: xr.DataArray, syntax: str, dtype: np.dtype[Any], bits_stored: int, photometric: str, keyword: str = PIXEL_DATA
) -> PixelEncoding:
    """How frames of an array are written in a transfer syntax."""
    bits = 8 * dtype.itemsize
    samples = array.sizes.get("sample", 1)
    return written_encoding(
        PixelEncoding(
            transfer_syntax_uid=syntax,
            rows=array.sizes["y"],
            columns=array.sizes["x"],
            samples_per_pixel=samples,
            bits_allocated=bits,
            bits_stored=bits_stored,
            high_bit=bits_stored - 1,
            is_signed=dtype.kind == "i",
            photometric_interpretation=photometric,
            pixel_keyword=keyword,
        )
    )


def _stored(
    array: xr.DataArray, frames: FrameTable | None, rows: np.ndarray, header: Elements, syntax: str, choices: Choices
) -> ChosenForm:
    if choices.rescale is not None:
        raise ValueError("rescale= is for modality values; stored_values are written as they are")
    allocated, is_float = _source_cells(frames, rows, header)
    dtype, nan_value = array.dtype, None
    is_color = array.sizes.get("sample", 1) > 1
    photometric = str(array.attrs.get("photometric_interpretation", "RGB" if is_color else "MONOCHROME2"))
    if not is_color and not photometric.startswith(("MONOCHROME", "PALETTE")):
        photometric = "MONOCHROME2"
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    if dtype.kind == "f":
        if is_float:
            keyword = FLOAT_PIXEL_DATA if dtype.itemsize == 4 else DOUBLE_FLOAT_PIXEL_DATA
            encoding = pixel_encoding(array, syntax, dtype, 8 * dtype.itemsize, photometric, keyword)
            return ChosenForm(Form(encoding, choices.loss), _labeled_rescale(array, len(rows)))
        if "stored_dtype" not in array.attrs:
            raise ValueError(
                f"stored_values are {dtype}, and stored values are integers: array.round().astype('int16') if that is what they mean, "
                "or array.rename('modality_values') to store them through a slope"
            )
        dtype = np.dtype(array.attrs["stored_dtype"])
        nan_value = _padding(header, dtype)
    if dtype.itemsize > 2 and allocated != 8 * dtype.itemsize:
        raise UnsupportedEncodingError(
            f"stored_values are {dtype}, and this kind of image holds 8 or 16 bits: array.astype('int16') where that is wide enough, "
            "or array.rename('modality_values') to store them through a slope"
        )
    bits = choices.bits_stored or _bits_stored(array, dtype)
    if not 1 <= bits <= 8 * dtype.itemsize:
        raise ValueError(f"bits_stored is {bits}, and the values are {dtype}")
    form = Form(pixel_encoding(array, syntax, dtype, bits, photometric), choices.loss, nan_value)
    return ChosenForm(form, _labeled_rescale(array, len(rows)))


def _source_cells(frames: FrameTable | None, rows: np.ndarray, header: Elements) -> tuple[int, bool]:
    """Bits Allocated of the source, and whether its values are floating-point numbers."""
    if frames is not None:
        source = frames.instances.encodings[frames.instances.encoding[frames.instance[rows.max()]]]
        return source.bits_allocated, source.pixel_keyword != PIXEL_DATA
    value = header.get(TAGS["BitsAllocated"])
    allocated = int(value.numbers()[0]) if value is not None and value.numbers() else 0
    return allocated, allocated >= 32 and TAGS["BitsStored"] not in header  # Bits Stored is left out of floats (PS3.3 C.7.6.24)


def _labeled_rescale(array: xr.DataArray, count: int) -> Rescale | None:
    """Slope and intercept that the labels state for stored values."""
    slope = label_of(array, "dose_grid_scaling" if "dose_grid_scaling" in array.coords else "rescale_slope")
    intercept = label_of(array, "rescale_intercept")
    if slope is None:
        return None
    return Rescale(slope.astype(np.float64), np.zeros(count) if intercept is None else intercept.astype(np.float64))


def _bits_stored(array: xr.DataArray, dtype: np.dtype[Any]) -> int:
    """Bits Stored that the labels state, where they were stated for this type; else all bits."""
    attrs = array.attrs
    has_sign = int(attrs.get("pixel_representation", 0)) == 1
    is_same = attrs.get("bits_allocated") in (8 * dtype.itemsize, 1) and has_sign == (dtype.kind == "i")
    return min(int(attrs["bits_stored"]), 8 * dtype.itemsize) if is_same and "bits_stored" in attrs else 8 * dtype.itemsize


def _padding(header: Elements, dtype: np.dtype[Any]) -> int | None:
    """Stored value of padding."""
    value = header.get(TAGS["PixelPaddingValue"])
    if value is None or not value.numbers():
        return None
    bits = 8 * dtype.itemsize
    number = int(value.numbers()[0]) % (1 << bits)
    return number - (1 << bits) if dtype.kind == "i" and number >= 1 << (bits - 1) else number


def _picture(array: xr.DataArray, syntax: str, choices: Choices) -> ChosenForm:
    if choices.rescale is not None:
        raise ValueError("rescale= is for modality values; colors and grays are written as they are")
    if array.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ValueError(
            f"{array.name} are {array.dtype}; a Secondary Capture holds uint8 and uint16: to_display(dtype='uint8') makes them"
        )
    samples = array.sizes.get("sample", 1)
    if samples not in (1, 3):
        raise UnsupportedEncodingError(f"{samples} samples a pixel are not written: leave opacity out with array.isel(sample=slice(3))")
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    encoding = pixel_encoding(array, syntax, array.dtype, 8 * array.dtype.itemsize, photometric)
    return ChosenForm(Form(encoding, choices.loss), is_rescaled=True)


def _modality(
    array: xr.DataArray, frames: FrameTable | None, rows: np.ndarray, header: Elements, sop_class: str, syntax: str, choices: Choices
) -> ChosenForm:
    if "sample" in array.dims:
        raise ValueError(f"{array.name} have a dimension sample: colors are written as rgb or stored_values")
    if array.dtype.kind == "b":
        raise ValueError(f"{array.name} are true and false: a mask is written by to_segmentation(), with the series that it belongs to")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{array.name} are {array.dtype}, and not numbers: array.astype('float32')")
    photometric = str(array.attrs.get("photometric_interpretation", "MONOCHROME2"))
    photometric = photometric if photometric.startswith("MONOCHROME") else "MONOCHROME2"
    encoding = pixel_encoding(array, syntax, np.dtype(np.uint16), WORD, photometric)
    count, from_zero = len(rows), sop_class in PET or sop_class == DOSE
    source = _source_rescale(array, frames, rows) if frames is not None else None
    is_source, is_attempt = False, False
    nan_value: int | None = None
    if isinstance(choices.rescale, tuple | list):
        slope, intercept = map(float, choices.rescale)
        if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
            raise ValueError(f"rescale is a slope, which is not 0, and an intercept; not {choices.rescale}")
        if from_zero and intercept != 0:
            raise ValueError("PET and dose are stored with an intercept of 0 (PS3.3 C.8.9.4, C.8.8.3)")
        rescale, encoding = Rescale(np.full(count, slope), np.full(count, intercept)), with_sign(encoding, is_signed=True)
    elif choices.rescale == "source":
        if source is None or frames is None:
            raise ValueError(
                "rescale='source' needs the frames that the array was made of, opened in this process or with headers kept, "
                "and one slope for each"
            )
        rescale, is_source, encoding = source, True, _source_form(frames, rows, encoding)
    elif choices.rescale is not None:
        raise ValueError(f"rescale is (slope, intercept), 'source' or None, not {choices.rescale!r}")
    elif array.dtype.kind in "iu" and array.dtype.itemsize <= 2:
        rescale = Rescale(np.ones(count), np.zeros(count))
        encoding = with_sign(encoding, is_signed=array.dtype.kind == "i", bits=8 * array.dtype.itemsize)
    elif source is not None and frames is not None and not choices.is_measured and _source_limits(frames, rows) != (0, 0):
        rescale, is_source, is_attempt, encoding = source, True, True, _source_form(frames, rows, encoding)
    else:
        ranges = measure_all(array, source)
        limits = _source_limits(frames, rows) if frames is not None else (0, 0)
        rescale, is_source, is_signed = choose_rescale(ranges, source, limits, from_zero=from_zero)
        encoding = with_sign(encoding, is_signed=is_signed)
        if is_source and frames is not None:
            encoding = _source_form(frames, rows, encoding)
        if ranges.has_nan.any():
            nan_value = -(2 ** (WORD - 1)) if is_signed else 2**WORD - 1
    elements = _meaning(array, header, sop_class, rescale)
    if nan_value is not None:
        elements["PixelPaddingValue"] = nan_value
    is_identity = bool(np.all(rescale.slope == 1) and np.all(rescale.intercept == 0))
    writes = sop_class in CT | PET or TAGS["RescaleSlope"] in header or not is_identity
    form = Form(encoding, choices.loss, nan_value)
    is_stated = writes or sop_class == DOSE
    return ChosenForm(form, rescale if is_stated else None, is_stated, not is_source, elements, is_attempt)


def measure_all(array: xr.DataArray, source: Rescale | None) -> Ranges:
    """What the values of all planes are like; computes the array once, block by block."""
    shape = tuple(frame_sizes(array).values())
    measured = np.empty((int(np.prod(shape, dtype=np.int64)), 7))
    function = partial(_measure_block, shape=shape, source=source)
    for rows, found in over_blocks(function, array.data, list(np.ndindex(array.data.numblocks))):
        measured[rows] = found
    return ranges_of(measured)


def _measure_block(
    block: np.ndarray, place: BlockPlace, *, shape: tuple[int, ...], source: Rescale | None
) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.zeros((), np.int64)
    for where, size in zip(place, shape, strict=False):
        numbers = numbers[..., None] * size + np.arange(where.start, where.stop)
    rows = numbers.reshape(-1)
    return rows, measure(block.reshape(len(rows), *block.shape[len(shape) :]), None if source is None else source.take(rows))


def _source_rescale(array: xr.DataArray, frames: FrameTable, rows: np.ndarray) -> Rescale | None:
    """Slope and intercept that the frames were stored with; None where they have none, or a table."""
    if (rows < 0).any() or frames.column("modality_lut_sequence") is not None or str(array.name) == SUV:
        return None
    dose = frames.numbers("dose_grid_scaling")[rows]
    slope, intercept = frames.numbers("rescale_slope")[rows], frames.numbers("rescale_intercept")[rows]
    slope = np.where(np.isfinite(dose), dose, slope)
    if not np.isfinite(slope).all():
        return None
    return Rescale(slope, np.nan_to_num(intercept, nan=0.0))


def _source_form(frames: FrameTable, rows: np.ndarray, encoding: PixelEncoding) -> PixelEncoding:
    """`encoding` with the bits and the sign of the source."""
    used = frames.instances.encodings[frames.instances.encoding[frames.instance[rows.max()]]]
    whole = with_sign(encoding, is_signed=used.is_signed, bits=max(8, used.bits_allocated))
    low_bits = used.bits_stored if used.bits_allocated > 1 else 8
    return replace(whole, bits_stored=low_bits, high_bit=low_bits - 1)


def _source_limits(frames: FrameTable, rows: np.ndarray) -> tuple[int, int]:
    used = frames.instances.encodings[frames.instances.encoding[frames.instance[rows.max()]]]
    return stored_range(used.dtype, used.bits_stored) if used.dtype.kind in "iu" else (0, 0)


def _meaning(array: xr.DataArray, header: Elements, sop_class: str, rescale: Rescale) -> dict[str, Any]:
    """Elements that say what the values are once they are rescaled."""
    elements: dict[str, Any] = {}
    units = str(array.attrs.get("units", ""))
    if sop_class == DOSE:
        elements["DoseGridScaling"] = float(rescale.slope[0])
        return elements
    if sop_class in PET:
        kind = units.partition("{SUV")[2].rstrip("}").lower()
        if str(array.name) == SUV:
            elements |= {"Units": _SUV_UNITS.get(kind, "GML"), "SUVType": _SUV_TYPES.get(kind, "BW")}
        return elements
    if TAGS["RescaleType"] in header or sop_class in CT or units:
        elements["RescaleType"] = units or next(iter(texts_of(header, "RescaleType")), "US")
    return elements
