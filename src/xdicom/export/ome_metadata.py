"""What OME-Zarr 0.5 says of an image: axes, scales, translations, anatomical orientation, channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.geometry import affine_of, orientation_of
from xdicom.labeled.parameters import MODALITY, STORED, possible_range, rescale_parameters

VERSION = "0.5"
ALIGNED = 0.9999
"""Cosine from which on an axis counts as the patient's own: 0.8 degrees."""
_SPACE = ("z", "y", "x")
_DIRECTIONS = (
    ("right-to-left", "left-to-right"),
    ("anterior-to-posterior", "posterior-to-anterior"),
    ("inferior-to-superior", "superior-to-inferior"),
)
"""RFC-4's words for growing and falling LPS coordinates."""
_DIGITS = 9
"""Digits behind the point [mm]: more are noise of the arithmetic."""
_TIME_UNITS = {"s": "second", "ms": "millisecond", "us": "microsecond", "min": "minute", "h": "hour"}
_SPACE_UNITS = {"um": "micrometer"}
_COLORS = ("FF0000", "00FF00", "0000FF", "FFFFFF")


@dataclass(frozen=True, slots=True)
class AxisScale:
    """One axis of an image."""

    name: str
    """`t`, `c`, `z`, `y` or `x`."""
    entry: dict[str, Any]
    """What the list of axes has of it."""
    scale: float
    """Distance of steps [the entry's unit]."""
    translation: float
    """Place of the first step [the entry's unit]."""


def to_ome_dims(array: xr.DataArray) -> xr.DataArray:
    """`array` with the dimensions that OME-Zarr has, in its order: time, channel, z, y, x.

    Colour samples are channels; so is a further dimension (echo times, diffusion weights), if there is one.

    Raises
    ------
    ValueError
        If there are more dimensions, or no y and x, or colour samples are not red, green and blue.
    """
    photometric = str(array.attrs.get("photometric_interpretation", ""))
    if "sample" in array.dims and array.name == STORED and photometric.startswith("YBR"):
        raise ValueError(f"channels of OME-Zarr are colours, and these samples are {photometric}: write .dicom.to_rgb()")
    missing = [dim for dim in ("y", "x") if dim not in array.dims]
    if missing:
        raise ValueError(f"OME-Zarr holds images of y and x; the dimensions are {', '.join(map(str, array.dims))}")
    others = [dim for dim in array.dims if dim not in (*_SPACE, "time", "frame", "sample")]
    time = [dim for dim in array.dims if dim in ("time", "frame")]
    channel = [dim for dim in array.dims if dim == "sample"] + others
    if len(channel) > 1 or len(time) > 1:
        raise ValueError(
            f"OME-Zarr has one dimension of time, one of channels and z, y, x; {', '.join(map(str, array.dims))} are more: "
            "select along some with .isel(), or write each part by itself"
        )
    names = dict.fromkeys(time, "t") | dict.fromkeys(channel, "c")
    renamed = array.rename({old: new for old, new in names.items() if old != new})
    return renamed.transpose(*(dim for dim in ("t", "c", *_SPACE) if dim in renamed.dims))


def axis_scales(array: xr.DataArray) -> list[AxisScale]:
    """Axes of an array that `to_ome_dims` made.

    Raises
    ------
    InconsistentSeriesError
        If slices are unevenly spaced: one scale can't place them.
    """
    directions = _directions(array)
    axes = []
    for name in map(str, array.dims):
        if name == "t":
            axes.append(_time_axis(array))
        elif name == "c":
            axes.append(AxisScale("c", {"name": "c", "type": "channel"}, 1.0, 0.0))
        else:
            axes.append(_space_axis(array, name, directions))
    return axes


def coarser_axes(axes: Sequence[AxisScale], step: Mapping[str, int], method: str) -> list[AxisScale]:
    """Axes of the next level, of which a step is so many of this one's."""
    coarse = []
    for axis in axes:
        factor = step.get(axis.name, 1)
        shift = axis.scale * (factor - 1) / 2 if method == "mean" else 0.0
        coarse.append(replace(axis, scale=axis.scale * factor, translation=round(axis.translation + shift, _DIGITS)))
    return coarse


def _time_axis(array: xr.DataArray) -> AxisScale:
    entry: dict[str, Any] = {"name": "t", "type": "time"}
    coordinate = array.coords.get("t")
    if coordinate is None or coordinate.dtype.kind not in "iufM":
        return AxisScale("t", entry, 1.0, 0.0)
    if coordinate.dtype.kind == "M":
        values, unit = (coordinate.values - coordinate.values[0]) / np.timedelta64(1, "s"), "second"
    else:
        values, unit = coordinate.values.astype(float), _TIME_UNITS.get(str(coordinate.attrs.get("units", "")), "")
    step = float(np.median(np.diff(values))) if len(values) > 1 else 1.0
    return AxisScale("t", {**entry, "unit": unit} if unit else entry, step if step > 0 else 1.0, float(values[0]))


def _space_axis(array: xr.DataArray, name: str, directions: dict[str, np.ndarray]) -> AxisScale:
    entry: dict[str, Any] = {"name": name, "type": "space"}
    spacing = array.attrs.get("pixel_spacing")
    if name not in array.coords:
        if spacing is None or name == "z":
            return AxisScale(name, entry, 1.0, 0.0)
        return AxisScale(name, {**entry, "unit": "millimeter"}, float(spacing[0 if name == "y" else 1]), 0.0)
    values = array.coords[name].values.astype(float)
    step = float((values[-1] - values[0]) / (len(values) - 1)) if len(values) > 1 else _single_step(array, name)
    entry["unit"] = _SPACE_UNITS.get(str(array.coords[name].attrs.get("units", "")), "millimeter")
    if name in directions and (word := _anatomical(directions[name])):
        entry["orientation"] = {"type": "anatomical", "value": word}
    return AxisScale(name, entry, round(abs(step), _DIGITS), round(float(values[0]) * (-1.0 if step < 0 else 1.0), _DIGITS))


def _single_step(array: xr.DataArray, name: str) -> float:
    """Distance of steps along an axis that has one."""
    if name != "z":
        return float(array.attrs.get("pixel_spacing", [1.0, 1.0])[0 if name == "y" else 1])
    for key in ("spacing_between_slices", "slice_thickness"):
        if array.attrs.get(key):
            return float(array.attrs[key])
    return 1.0


def _directions(array: xr.DataArray) -> dict[str, np.ndarray]:
    """Way in the patient of one step along each spatial axis [mm]; none where the array has no place in the patient.

    Raises
    ------
    InconsistentSeriesError
        If slices are unevenly spaced.
    """
    if "image_orientation_patient" not in array.attrs or not {"z", "y", "x"} <= set(array.coords):
        return {}
    if array["z"].ndim and array["z"].dims != ("z",):
        return {}
    affine = affine_of(array)
    return {axis: affine[:3, column] for axis, column in (("x", 0), ("y", 1), ("z", 2)) if affine[:3, column].any()}


def _anatomical(step: np.ndarray) -> str:
    """RFC-4's word for a direction; empty where it is oblique."""
    direction = step / np.linalg.norm(step)
    axis = int(np.argmax(np.abs(direction)))
    return _DIRECTIONS[axis][int(direction[axis] < 0)] if abs(direction[axis]) >= ALIGNED else ""


def multiscales(name: str, paths: Sequence[str], levels: Sequence[Sequence[AxisScale]], method: str) -> list[dict[str, Any]]:
    """The list `multiscales`: scale, then translation, of each level."""
    datasets = [
        {
            "path": path,
            "coordinateTransformations": [
                {"type": "scale", "scale": [axis.scale for axis in axes]},
                {"type": "translation", "translation": [axis.translation for axis in axes]},
            ],
        }
        for path, axes in zip(paths, levels, strict=True)
    ]
    entry: dict[str, Any] = {"name": name, "axes": [axis.entry for axis in levels[0]], "datasets": datasets}
    return [{**entry, "type": method}] if len(paths) > 1 else [entry]


def omero(array: xr.DataArray, smallest: np.ndarray) -> dict[str, Any]:
    """Channels with the window of the header, in the array's own values; without one, what all but 1 % of `smallest` span.

    Parameters
    ----------
    array
        As `to_ome_dims` made it.
    smallest
        Values of the coarsest level.
    """
    count = array.sizes.get("c", 1)
    is_color = array.name == "rgb" or int(array.attrs.get("samples_per_pixel", 1)) > 1
    low, high = _range(array, smallest)
    start, end = (low, high) if is_color else _window(array) or _span(smallest, low, high)
    labels = ("red", "green", "blue", "alpha")[:count] if is_color else _channel_labels(array, count)
    channels = [
        {
            "active": True,
            "color": _COLORS[i % 4] if is_color else "FFFFFF",
            "label": label,
            "coefficient": 1,
            "family": "linear",
            "inverted": array.attrs.get("photometric_interpretation") == "MONOCHROME1" and array.name != "display_values",
            "window": {"min": min(low, start), "max": max(high, end), "start": start, "end": end},
        }
        for i, label in enumerate(labels)
    ]
    return {
        "channels": channels,
        "rdefs": {"defaultT": 0, "defaultZ": array.sizes.get("z", 1) // 2, "model": "color" if is_color else "greyscale"},
    }


def _channel_labels(array: xr.DataArray, count: int) -> list[str]:
    first = str(array.attrs.get("modality") or array.name)
    steps = array.coords.get("c")
    if count == 1 or steps is None:
        return [first if count == 1 else f"{first} {i + 1}" for i in range(count)]
    unit = str(steps.attrs.get("units", ""))
    return [f"{value:g} {unit}".strip() if isinstance(value, float) else f"{value} {unit}".strip() for value in steps.values.tolist()]


def _range(array: xr.DataArray, smallest: np.ndarray) -> tuple[float, float]:
    """Smallest and largest value possible, of floats those that are there."""
    if array.name == MODALITY and (known := possible_range(array)) is not None:
        return float(known[0]), float(known[1])
    if array.dtype.kind in "iu":
        info = np.iinfo(array.dtype)
        bits = int(array.attrs.get("bits_stored", info.bits)) if array.name == STORED else info.bits
        return (float(-(2 ** (bits - 1))), float(2 ** (bits - 1) - 1)) if info.min < 0 else (0.0, float(2**bits - 1))
    finite = smallest[np.isfinite(smallest)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _span(smallest: np.ndarray, low: float, high: float) -> tuple[float, float]:
    finite = smallest[np.isfinite(smallest)]
    if not finite.size:
        return low, high
    start, end = np.percentile(finite, (0.5, 99.5)).tolist()
    return (float(start), float(end)) if end > start else (low, high)


def _window(array: xr.DataArray) -> tuple[float, float] | None:
    """First and last value of the header's first window (of the middle one, where it varies), in the array's values."""
    if array.name not in (STORED, MODALITY) or not {"window_center", "window_width"} <= set(array.coords):
        return None
    center, width = (float(np.nanmedian(array.coords[name].values)) for name in ("window_center", "window_width"))
    if not (np.isfinite(center) and width > 0):
        return None
    edges = np.array([center - width / 2, center + width / 2])
    if array.name == STORED:
        if "modality_lut" in array.attrs or "modality_luts" in array.attrs:
            return None
        slope, intercept = (float(np.median(values)) for values in rescale_parameters(array))
        edges = np.sort((edges - intercept) / slope) if slope else edges
    return float(edges[0]), float(edges[1])


def patient_place(array: xr.DataArray) -> dict[str, Any]:
    """Affine and orientation for the attributes: OME-Zarr 0.5 has no words for what is oblique."""
    try:
        return {"affine_lps_mm": affine_of(array).tolist(), "orientation": orientation_of(array)}
    except InconsistentSeriesError:
        return {}
