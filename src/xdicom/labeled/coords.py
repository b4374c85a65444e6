"""Header values that vary inside an array, as coordinates on the dimensions of which they are functions."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from xdicom.headers.private import VENDOR_SOURCES
from xdicom.labeled.labels import LABELS, Label
from xdicom.labeled.segments import segment_coordinates
from xdicom.model.columns import Column
from xdicom.model.grid import FrameGrid

Coordinate = tuple[tuple[str, ...], np.ndarray, dict[str, object]]
"""Dimensions, values and attributes, as xarray takes them."""


def function_of(codes: np.ndarray, is_missing: np.ndarray | None = None) -> tuple[int, ...]:
    """Smallest set of axes of which `codes` is a function; a cell without a value has one too, unless it `is_missing`."""
    for size in range(codes.ndim + 1):
        for axes in combinations(range(codes.ndim), size):
            equal = codes == _along(codes, axes, is_missing)
            if (equal if is_missing is None else equal | is_missing).all():
                return axes
    return tuple(range(codes.ndim))


def _along(codes: np.ndarray, axes: tuple[int, ...], is_missing: np.ndarray | None) -> np.ndarray:
    """Codes along `axes`, of length 1 along all others: the first, or any that is not missing."""
    if is_missing is None:
        return codes[tuple(slice(None) if axis in axes else slice(0, 1) for axis in range(codes.ndim))]
    others = tuple(axis for axis in range(codes.ndim) if axis not in axes)
    lowest = int(codes.min()) - 1
    known = np.where(is_missing, lowest, codes).max(axis=others, keepdims=True)
    return np.where(known == lowest, -1, known).astype(codes.dtype)


def place_values(codes: np.ndarray, dims: tuple[str, ...], is_missing: np.ndarray | None = None) -> tuple[tuple[str, ...], np.ndarray]:
    """Dimensions of which `codes` is a function, and the codes along them; cells that are missing have whatever fits."""
    axes = function_of(codes, is_missing)
    along = _along(codes, axes, is_missing)
    return tuple(dims[axis] for axis in axes), along[tuple(slice(None) if axis in axes else 0 for axis in range(codes.ndim))]


def header_coordinates(grid: FrameGrid) -> dict[str, Coordinate]:
    """Coordinates of all header values that vary inside the array."""
    dims = tuple(axis.name for axis in grid.axes)
    missing = grid.rows < 0
    is_missing = missing if missing.any() else None
    found: dict[str, Coordinate] = {}
    for label in LABELS:
        if (label.name == "referenced_segment_number" and "segment" in dims) or (
            label.name == "image_orientation_patient" and grid.plane is not None
        ):
            continue
        column = grid.column(label.column)
        if column is None or label.name in dims or (column.is_constant and label.name != "z"):
            continue
        places, codes = place_values(column.codes.reshape(grid.rows.shape), dims, is_missing)
        if places or label.name == "z":
            found.update(_coordinate(label, column, places, codes))
    found |= (
        _frame_coordinates(grid, dims) | _clock_coordinates(grid, dims) | _diffusion_coordinates(grid, dims) | segment_coordinates(grid)
    )
    return {name: coordinate for name, coordinate in found.items() if name not in dims}


def _coordinate(label: Label, column: Column, dims: tuple[str, ...], codes: np.ndarray) -> dict[str, Coordinate]:
    attrs: dict[str, object] = {"units": label.units} if label.units else {}
    if label.column in VENDOR_SOURCES:
        attrs["source"] = VENDOR_SOURCES[label.column]
    if column.kind == "text":
        texts = np.array([*column.values, ""], object)[codes]
        return {label.name: (dims, texts.astype(str) if texts.size else texts, attrs)}
    if column.kind != "number":
        return {}
    if label.parts and column.values.shape[1] >= len(label.parts):
        return {label.name + part: (dims, number_values(column, codes, i), attrs) for i, part in enumerate(label.parts)}
    return {label.name: (dims, number_values(column, codes), attrs)}


def number_values(column: Column, codes: np.ndarray, part: int = 0) -> np.ndarray:
    """Number `part` of the values with `codes`: integers where all are there and whole, else float64 with NaN."""
    values = column.values[:, part]
    if values.dtype.kind in "iu" and (codes >= 0).all():
        return np.asarray(values[codes].astype(np.int64))
    return np.asarray(np.append(values.astype(np.float64), np.nan)[codes])


def _frame_coordinates(grid: FrameGrid, dims: tuple[str, ...]) -> dict[str, Coordinate]:
    """Number of each frame in its instance, where it is not 1 for all of them."""
    cells = grid.rows.reshape(-1)
    numbers = np.where(cells >= 0, grid.frames.frame_number[np.maximum(cells, 0)], 0)
    if (numbers[cells >= 0] == 1).all():
        return {}
    places, values = place_values(numbers.reshape(grid.rows.shape), dims)
    return {"frame_number": (places, values.astype(np.int64), {"long_name": "number of the frame in its instance, 0 where there is none"})}


_CLOCKS = (
    ("acquisition_time", ("frame_acquisition_date_time", "acquisition_date_time"), ("acquisition_date", "acquisition_time")),
    ("content_time", (), ("content_date", "content_time")),
    ("frame_reference_date_time", ("frame_reference_date_time",), ("", "")),
)


def _clock_coordinates(grid: FrameGrid, dims: tuple[str, ...]) -> dict[str, Coordinate]:
    """Times that vary, as seconds from the earliest; no date is told."""
    found: dict[str, Coordinate] = {}
    for name, absolutes, (date, time) in _CLOCKS:
        seconds = next(
            (
                column.first_numbers()
                for column in map(grid.column, absolutes)
                if column is not None and np.isfinite(column.first_numbers()).any()
            ),
            None,
        )
        if seconds is None:
            column, days = grid.column(time), grid.column(date)
            if column is None:
                continue
            seconds = column.first_numbers()
            if days is not None and np.isfinite(days.first_numbers()[np.isfinite(seconds)]).all():
                seconds = seconds + days.first_numbers() * 86400
        if not np.isfinite(seconds).any():
            continue
        earliest = float(np.nanmin(seconds))
        relative = np.round(seconds - earliest, 6)
        codes = np.unique(relative, return_inverse=True)[1].reshape(grid.rows.shape)
        places, _ = place_values(codes, dims)
        if places:
            axes = tuple(slice(None) if dim in places else 0 for dim in dims)
            attrs: dict[str, object] = {
                "units": "s",
                "long_name": "time since the earliest frame",
                "start_time_of_day_s": round(earliest % 86400, 6),
            }
            found[name] = (places, relative.reshape(grid.rows.shape)[axes], attrs)
    return found


def _diffusion_coordinates(grid: FrameGrid, dims: tuple[str, ...]) -> dict[str, Coordinate]:
    """Diffusion weights, as the arrangement found them."""
    if grid.diffusion is None:
        return {}
    weights = grid.diffusion
    rows = np.column_stack([weights.b_value, weights.direction])
    codes = np.unique(np.nan_to_num(rows, nan=-1e9), axis=0, return_inverse=True)[1].reshape(grid.rows.shape)
    places, _ = place_values(codes, dims)
    if not places:
        return {}
    axes = tuple(slice(None) if dim in places else 0 for dim in dims)
    source = {"source": weights.source}
    found: dict[str, Coordinate] = {"b_value": (places, weights.b_value.reshape(grid.rows.shape)[axes], {"units": "s/mm2", **source})}
    if np.isfinite(weights.direction).any():
        names = (
            ("gradient_x", "gradient_y", "gradient_z")
            if weights.is_patient_frame
            else ("gradient_frequency", "gradient_phase", "gradient_slice")
        )
        frame = {"long_name": "gradient direction" + (" (patient LPS)" if weights.is_patient_frame else " (gradient frame of the scanner)")}
        if weights.is_derived:
            frame["derived"] = "main axis of the b-matrix where no element states a direction; the sign is arbitrary"
        for i, name in enumerate(names):
            found[name] = (places, weights.direction[:, i].reshape(grid.rows.shape)[axes], {**frame, **source})
    return found
