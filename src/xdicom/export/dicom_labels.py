"""Coordinates of a labelled array as values of elements, plane by plane."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdicom.export.dicom_header import LABELS
from xdicom.export.dicom_planes import Planes, frame_sizes, label_of

_CONSTANT = (
    "slice_thickness",
    "repetition_time",
    "echo_time",
    "inversion_time",
    "flip_angle",
    "kvp",
    "exposure_time",
    "x_ray_tube_current",
)
"""Labels that are attributes where they do not vary."""
CLOCK_TOLERANCE_S, CLOCK_SHARE = 1e-3, 0.01
"""Clocks that differ by this, and this share of a step, are one."""
_OF_PLANES = ("slice_location", "trigger_time", "frame_reference_time", "image_index", "temporal_position_identifier")
"""Labels that would be wrong for planes that none of the source's is."""


def plane_labels(array: xr.DataArray, planes: Planes, *, has_own: bool) -> dict[str, np.ndarray]:
    """Values of each plane by keyword, NaN where it has none.

    For planes without a header of their own (`has_own` is false) this says all that varies from plane to plane: what no
    label says is NaN.
    """
    count = int(np.prod(list(frame_sizes(array).values()), dtype=np.int64))
    found: dict[str, np.ndarray] = {}
    for name, keyword in LABELS.items():
        values = None if name == "acquisition_time" and _is_outdated(array) else label_of(array, name)
        if name in ("acquisition_time", "content_time") and values is not None:
            values = values + float(array.coords[name].attrs.get("start_time_of_day_s", 0.0))
        if values is None and name in _CONSTANT and name in array.attrs:
            values = np.full(count, float(array.attrs[name]))
        if values is None and not has_own and name in (*_CONSTANT, *_OF_PLANES):
            values = np.full(count, np.nan)
        if values is not None and values.dtype.kind in "iuf" and keyword not in found:
            found[keyword] = values.astype(np.float64)
    gradient = [label_of(array, f"gradient_{axis}") for axis in "xyz"]
    if all(part is not None for part in gradient):
        found["DiffusionGradientOrientation"] = np.stack([np.asarray(part, float) for part in gradient], axis=-1)
    if not has_own:
        found |= _times(array, count)
        opened = array.attrs.get("spacing_between_slices")
        if planes.step_mm is not None and (opened is None or abs(abs(float(opened)) - planes.step_mm) > 0.01 * planes.step_mm):
            found["SliceThickness"] = np.full(count, planes.step_mm)
    return found


def _is_outdated(array: xr.DataArray) -> bool:
    """Whether `time` is counted from acquisition, and the coordinate `acquisition_time` says otherwise: the axis stands above it."""
    if "time" not in array.dims or not {"time", "acquisition_time"} <= set(array.coords) or array.sizes["time"] < 2:
        return False
    attrs, clock = array.coords["time"].attrs, array.coords["acquisition_time"]
    if not str(attrs.get("source", "")).startswith("Acquisition") or "time" not in clock.dims or clock.dtype.kind not in "iuf":
        return False
    starts = clock.min([dim for dim in clock.dims if dim != "time"]).values.astype(float)
    times = array.coords["time"].values.astype(float)
    differences = (times - times[0]) - (starts - starts[0])
    return bool(np.abs(differences).max() > CLOCK_SHARE * np.abs(np.diff(times)).min() + CLOCK_TOLERANCE_S)


def _times(array: xr.DataArray, count: int) -> dict[str, np.ndarray]:
    """Elements that state the step along a `time` axis, for planes that none of the source's is."""
    found: dict[str, np.ndarray] = {}
    if "time" not in array.dims:
        return found
    axis = array.dims.index("time")
    sizes = list(frame_sizes(array).values())
    step = np.broadcast_to(np.arange(sizes[axis]).reshape([-1 if i == axis else 1 for i in range(len(sizes))]), sizes).reshape(-1)
    found["TemporalPositionIdentifier"] = step + 1.0
    found["NumberOfTemporalPositions"] = np.full(count, float(sizes[axis]))
    seconds = label_of(array, "time")
    if seconds is None or seconds.dtype.kind not in "iuf" or array.coords["time"].attrs.get("units") != "s":
        return found
    attrs = array.coords["time"].attrs
    if attrs.get("source") == "FrameReferenceTime":
        found["FrameReferenceTime"] = seconds.astype(float) * 1000
    elif "acquisition_time" not in array.coords or _is_outdated(array):
        found["AcquisitionTime"] = seconds.astype(float) + float(attrs.get("start_time_of_day_s", 0.0))
    return found


def instance_numbers(array: xr.DataArray, count: int) -> np.ndarray:
    """Instance Number of each plane: its source's where these are all different, else counted from 1."""
    stated = label_of(array, "instance_number")
    is_whole = stated is not None and stated.dtype.kind in "iuf" and bool((stated == np.rint(stated)).all())
    if stated is not None and is_whole and len(np.unique(stated)) == count:
        return stated.astype(np.int64)
    return np.arange(1, count + 1)


def window_labels(array: xr.DataArray, count: int) -> np.ndarray | None:
    """Centers and widths of each plane, NaN where it has none; float64, shape `(planes, 2, windows)`."""
    pairs = []
    for number in range(len(array.coords)):
        suffix = "" if number == 0 else f"_{number + 1}"
        center, width = label_of(array, f"window_center{suffix}"), label_of(array, f"window_width{suffix}")
        if center is None or width is None:
            break
        pairs.append(np.stack([center.astype(float), width.astype(float)], axis=-1))
    return np.stack(pairs, axis=-1).reshape(count, 2, len(pairs)) if pairs else None
