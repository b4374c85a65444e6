"""What a labelled array says about its own values: stage, parameters, ranges, units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, PixelDataError
from xdicom.labeled.tables import table_from_attrs
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.modality import modality_range
from xdicom.transforms.voi import LINEAR, Window

STORED, MODALITY, DISPLAY, RGB = "stored_values", "modality_values", "display_values", "rgb"
REAL_WORLD, SUV = "real_world_values", "suv"
STAGES = (STORED, MODALITY, DISPLAY, RGB, REAL_WORLD, SUV)
"""Names of arrays, by what their values mean."""

PADDING_PAIRS = (
    ("pixel_padding_value", "pixel_padding_range_limit"),
    ("float_pixel_padding_value", "float_pixel_padding_range_limit"),
    ("double_float_pixel_padding_value", "double_float_pixel_padding_range_limit"),
)
"""What says which stored values are padding: a value, and the other end of its range; coordinates where they vary, else attributes."""
PADDING = tuple(name for pair in PADDING_PAIRS for name in pair)
RESCALE_COORDS = (
    "rescale_slope", "rescale_intercept", "dose_grid_scaling", "modality_lut_index", "real_world_value_map_index",
    "philips_scale_slope", "philips_scale_intercept",
)  # fmt: skip
STORED_ATTRS = (
    "stored_dtype", "bits_allocated", "bits_stored", "high_bit", "pixel_representation", "rescale_type", "modality_lut", "modality_luts",
    *PADDING,
    "real_world_value_maps", "palette", "enhanced_palette", "pet_units", "dose_units",
    "philips_scale_slope", "philips_scale_intercept",
)  # fmt: skip
"""Attributes that are true of stored values only."""
VOI_ATTRS = ("voi_lut_function", "window_explanation", "voi_luts", "presentation_lut", "presentation_lut_shape", "value_range", "units")
"""Attributes that are true up to the window."""

CT_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
"""SOP classes whose modality values are Hounsfield units unless Rescale Type says otherwise (PS3.3 C.8.2.1.1.2)."""

Parameter = np.ndarray | float


def stage(array: xr.DataArray, wanted: Iterable[str], what: str) -> str:
    """Name of `array`, which has to be one of `wanted`.

    Raises
    ------
    ValueError
        When `what` can't be done to these values.
    """
    wanted = tuple(wanted)
    name = str(array.name)
    if name in wanted:
        return name
    if name in STAGES:
        raise ValueError(f"{what} takes {' or '.join(wanted)}; this array holds {name} already")
    raise ValueError(
        f"{what} takes an array named {' or '.join(wanted)}; this one is named {array.name!r}. "
        f"If its values are still {wanted[0]}, say array.rename({wanted[0]!r})"
    )


def parameter(array: xr.DataArray, name: str, default: float | None = None) -> Parameter | None:
    """A parameter from the coordinate `name`: a number, or an array that broadcasts against the values.

    Without the coordinate `default`.
    """
    if name not in array.coords:
        return default
    coordinate = array.coords[name]
    if coordinate.ndim == 0:
        return float(coordinate.values)
    ordered = coordinate.transpose(*(dim for dim in array.dims if dim in coordinate.dims))
    lengths = [array.sizes[dim] if dim in coordinate.dims else 1 for dim in array.dims]
    return np.asarray(ordered.values).reshape(lengths)


def texts(array: xr.DataArray, name: str) -> set[str]:
    """What the header says by `name`: one text, or several where a coordinate holds one for each frame; empty ones for nothing."""
    if name in array.coords:
        return {str(text).strip() for text in np.asarray(array.coords[name].values).reshape(-1).tolist()}
    return {str(array.attrs.get(name, "")).strip()}


def modality_table(array: xr.DataArray) -> LookupTable | None:
    """The one Modality LUT of all frames; None where there is none, or several."""
    refuse_damaged(array, "modality_lut")
    if "modality_lut" in array.attrs:
        return table_from_attrs(array.attrs["modality_lut"])
    return None


def rescale_parameters(array: xr.DataArray) -> tuple[Parameter, Parameter]:
    """Slope and intercept; the dose grid scaling is a slope too (PS3.3 C.8.8.3).

    Raises
    ------
    InconsistentSeriesError
        When some frames have none.
    """
    dose = parameter(array, "dose_grid_scaling")
    slope = parameter(array, "rescale_slope", 1.0) if dose is None else dose
    intercept = parameter(array, "rescale_intercept", 0.0)
    assert slope is not None
    assert intercept is not None
    if not (np.isfinite(slope).all() and np.isfinite(intercept).all()):
        raise InconsistentSeriesError(
            "some frames have a rescale slope or intercept and others have none; look at the coordinates rescale_slope and "
            "rescale_intercept, and select the frames that belong together"
        )
    return slope, intercept


def refuse_damaged(array: xr.DataArray, *names: str) -> None:
    """Raise where the header has one of the tables `names` but it can't be read.

    Raises
    ------
    PixelDataError
        With what is wrong with it.
    """
    for damage in array.attrs.get("damaged_tables", ()):
        if str(damage).split(":", maxsplit=1)[0] in names:
            raise PixelDataError(f"the header's table can't be used: {damage}")


def stored_dtype(array: xr.DataArray) -> np.dtype[np.generic] | None:
    """Integer type of the stored values, even where padding was masked; None where they are floats in the file."""
    if array.dtype.kind in "iub":
        return array.dtype
    return np.dtype(array.attrs["stored_dtype"]) if "stored_dtype" in array.attrs else None


def bits_stored(array: xr.DataArray) -> int | None:
    """Bits Stored, where the array still knows."""
    return int(array.attrs["bits_stored"]) if "bits_stored" in array.attrs else None


def possible_range(array: xr.DataArray) -> tuple[float, float] | None:
    """Smallest and largest modality value possible, whether or not it occurs; None for floats, which have no bounds.

    Those of a segmentation are its fractions, 0 to 1, or the numbers of its segments.
    """
    if "value_range" in array.attrs:
        low, high = array.attrs["value_range"]
        return float(low), float(high)
    if array.name != STORED:
        return None
    tables = [*array.attrs.get("modality_luts", ()), *([array.attrs["modality_lut"]] if "modality_lut" in array.attrs else ())]
    if tables:
        return 0.0, float(max(table_from_attrs(table).full_scale for table in tables))
    kind = array.attrs.get("segmentation_type")
    if kind == "FRACTIONAL" and "rescale_slope" in array.coords:
        return 0.0, 1.0
    if kind == "LABELMAP" and array.attrs.get("segments"):
        return 0.0, float(max(1, *(int(segment["number"]) for segment in array.attrs["segments"])))
    dtype = stored_dtype(array)
    return None if dtype is None else modality_range(dtype, *rescale_parameters(array), bits_stored(array))


def modality_units(array: xr.DataArray) -> str | None:
    """Units of the modality values, or None where the header does not tell (PS3.3 C.11.1.1.2).

    The Rescale Type says it, unless it is US, unspecified; else Units of PET, Dose Units of a dose; CT is in HU.
    """
    attrs = array.attrs
    rescale_type = str(attrs.get("rescale_type", "")).strip()
    if rescale_type and rescale_type != "US":
        return rescale_type
    for name in ("pet_units", "dose_units"):
        if attrs.get(name):
            return str(attrs[name])
    is_rescaled = "rescale_slope" in array.coords or "rescale_intercept" in array.coords or "modality_lut" in attrs
    is_ct = attrs.get("sop_class_uid") in CT_CLASSES or ("sop_class_uid" not in attrs and attrs.get("modality") == "CT")
    return "HU" if is_ct and is_rescaled else None


def windows(array: xr.DataArray) -> list[tuple[Parameter, Parameter, Window]]:
    """Center, width, and what is said of them, for each alternative that the file offers.

    Only function and explanation of the `Window` are meant: centers and widths may differ from frame to frame. Functions
    that do are named all, as in "LINEAR or SIGMOID".
    """
    explanations = array.attrs.get("window_explanation", [])
    function = " or ".join(sorted({text or LINEAR for text in texts(array, "voi_lut_function")}))
    found = []
    for number in range(len(array.coords)):
        suffix = "" if number == 0 else f"_{number + 1}"
        center, width = parameter(array, f"window_center{suffix}"), parameter(array, f"window_width{suffix}")
        if center is None or width is None:
            break
        explanation = str(explanations[number]) if number < len(explanations) else ""
        found.append((center, width, Window(np.nan, np.nan, function, explanation)))
    return found


def relabeled(
    array: xr.DataArray,
    data: Any,
    name: str,
    *,
    without: Iterable[str] = (),
    attrs: Mapping[str, Any] | None = None,
    new_dim: str | None = None,
) -> xr.DataArray:
    """`data` with the labels of `array`, less the coordinates and attributes `without`, plus `attrs`."""
    gone = set(without)
    coords = {key: value for key, value in array.coords.items() if key not in gone}
    kept = {key: value for key, value in array.attrs.items() if key not in gone}
    dims = array.dims if new_dim is None else (*array.dims, new_dim)
    return xr.DataArray(data, coords=coords, dims=dims, name=name, attrs={**kept, **(attrs or {})})


def window_coords(array: xr.DataArray) -> list[str]:
    """Names of the coordinates that hold windows."""
    return [str(name) for name in array.coords if str(name).startswith(("window_center", "window_width"))]
