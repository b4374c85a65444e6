"""What a segmentation says of its segments, as coordinates on `segment`; and a segmentation on the grid of what it segments."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.headers.segments import Segment, parse_segments
from xdicom.headers.values import RawValue
from xdicom.labeled.regular import take_or_fill
from xdicom.model.grid import FrameGrid
from xdicom.model.plane import unit
from xdicom.transforms.cielab import cielab_to_srgb

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
"""SOP class of segmentations whose pixels hold segment numbers (PS3.3 A.51)."""
SAME_PLACE_MM = 0.01
"""Planes of a segmentation lie within this of those of its source [mm]."""
SAME_PLACE_SHARE = 0.01
"""Or within this share of a slice or pixel step."""
SAME_DIRECTION = 1e-3
"""Direction cosines of a segmentation and its source differ by no more than this."""


def segments_of(grid: FrameGrid) -> list[Segment]:
    """Segments that the header of a segmentation describes; none for other objects."""
    column = grid.frames.column("segment_sequence")
    value = column.first() if column is not None and column.kind == "raw" else None
    sets = grid.frames.column("specific_character_set")
    names = str(sets.first() or "").split("\\") if sets is not None and sets.kind == "text" else ()
    return parse_segments(value, names) if isinstance(value, RawValue) else []


def segment_coordinates(grid: FrameGrid) -> dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, object]]]:
    """Labels, meanings, algorithm types and recommended colors along `segment`; empty for other objects.

    For fractions, `rescale_slope` is 1 / Maximum Fractional Value, so that modality values lie between 0 and 1.
    """
    found: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, object]]] = {}
    if _text(grid, "segmentation_type") == "FRACTIONAL":
        largest = grid.frames.column("maximum_fractional_value")
        value = largest.first() if largest is not None else None
        if isinstance(value, tuple) and value and value[0] > 0:
            attrs: dict[str, object] = {"long_name": "1 / Maximum Fractional Value", "source": "MaximumFractionalValue"}
            found["rescale_slope"] = ((), np.array(1.0 / value[0]), attrs)
    axis = next((axis for axis in grid.axes if axis.name == "segment"), None)
    if axis is None or axis.values is None:
        return found
    known = {segment.number: segment for segment in segments_of(grid)}
    segments = [known.get(int(number), Segment(int(number))) for number in axis.values]
    for name, texts, source in (
        ("segment_label", [segment.label for segment in segments], "SegmentLabel"),
        ("segmented_property_category", [segment.category for segment in segments], "SegmentedPropertyCategoryCodeSequence"),
        ("segmented_property_type", [segment.property_type for segment in segments], "SegmentedPropertyTypeCodeSequence"),
        ("segment_algorithm_type", [segment.algorithm_type for segment in segments], "SegmentAlgorithmType"),
        ("segment_color", [color_text(segment) for segment in segments], "RecommendedDisplayCIELabValue, as sRGB"),
    ):
        if any(texts):
            found[name] = (("segment",), np.array(texts, str), {"source": source})
    return found


def color_text(segment: Segment) -> str:
    """Recommended color of a segment as `#rrggbb`, empty where none is recommended."""
    if segment.cielab is None:
        return ""
    return "#" + "".join(f"{level:02x}" for level in cielab_to_srgb(np.array(segment.cielab)).tolist())


def segment_attributes(grid: FrameGrid) -> dict[str, object]:
    """`segments` of a label map: a mapping for each, whose `number` is the value of its pixels; empty for other objects."""
    if _text(grid, "sop_class_uid") != LABEL_MAP:
        return {}
    names = ("number", "label", "category", "property_type", "algorithm_type")
    return {
        "segments": [{name: getattr(segment, name) for name in names} | {"color": color_text(segment)} for segment in segments_of(grid)]
    }


def _text(grid: FrameGrid, name: str) -> str:
    column = grid.frames.column(name)
    return str(column.first() or "") if column is not None and column.kind == "text" else ""


def on_grid_of(segmentation: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    """The segmentation on the planes, rows and columns of `source`, zero where it has none; lazy where it is, and of its type.

    Frames without a pixel of a segment may be left out of a segmentation, and the frames that are there may cover a part of
    the source's rows and columns: both mean zero (PS3.3 C.8.20). The result has the `z`, `y` and `x` of `source`, so that the two
    can be used together, as in `source.where(mask)`. Nothing is resampled.

    Parameters
    ----------
    segmentation
        Segments, or a label map, with `z`, `y` and `x`.
    source
        The series that was segmented, or any other on the same grid.

    Raises
    ------
    InconsistentSeriesError
        If the two do not share a frame of reference, orientation and pixel spacing, or a plane, row or column of the
        segmentation is none of the source's.
    """
    _check_same_space(segmentation, source)
    z = _nearest(_positions(segmentation, "z"), _positions(source, "z"), "planes")
    shifts = [_shift_in_plane(segmentation, source, z, dim) for dim in ("y", "x")]
    result = segmentation
    for dim, place in (
        ("z", z),
        ("y", np.arange(segmentation.sizes["y"]) + shifts[0]),
        ("x", np.arange(segmentation.sizes["x"]) + shifts[1]),
    ):
        size = source.sizes[dim]
        if place.min() < 0 or place.max() >= size:
            raise InconsistentSeriesError(
                f"the segmentation reaches beyond the source along {dim}: {place.min()} to {place.max()} of {size}"
            )
        if not np.array_equal(place, np.arange(size)):
            result = take_or_fill(result, dim, _sources(place, size), 0)
        result = result.assign_coords({dim: source[dim].variable})
    attrs = dict(result.attrs)
    for name in ("affine", "is_regular", "spacing_between_slices", "missing_slices", "missing_positions", "is_sheared", "shear_degrees"):
        attrs.pop(name, None)
        if name in source.attrs:
            attrs[name] = source.attrs[name]
    result.attrs = attrs
    return result


def _sources(place: np.ndarray, size: int) -> np.ndarray:
    """Which of the planes fills each of `size` places; the number behind the last one where none does."""
    source = np.full(size, len(place), np.int64)
    source[place] = np.arange(len(place))
    return source


def _check_same_space(segmentation: xr.DataArray, source: xr.DataArray) -> None:
    for name, array in (("segmentation", segmentation), ("source", source)):
        missing = [dim for dim in ("z", "y", "x") if dim not in array.dims or dim not in array.coords]
        if missing or "image_orientation_patient" not in array.attrs:
            raise InconsistentSeriesError(f"the {name} has no grid in the patient: it lacks {', '.join(missing) or 'an orientation'}")
    frames = [array.attrs.get("frame_of_reference_uid") for array in (segmentation, source)]
    if frames[0] != frames[1]:
        raise InconsistentSeriesError(f"frames of reference differ: {frames[0]} for the segmentation, {frames[1]} for the source")
    cosines = [np.array(array.attrs["image_orientation_patient"], float) for array in (segmentation, source)]
    if np.abs(cosines[0] - cosines[1]).max() > SAME_DIRECTION:
        raise InconsistentSeriesError(
            f"orientations differ: {cosines[0].round(4).tolist()} and {cosines[1].round(4).tolist()}; resample one of them first"
        )
    spacings = [np.array(array.attrs["pixel_spacing"], float) for array in (segmentation, source)]
    if not np.allclose(spacings[0], spacings[1], rtol=1e-3):
        raise InconsistentSeriesError(
            f"pixel spacings differ: {spacings[0].tolist()} and {spacings[1].tolist()} mm; resample one of them first"
        )


def _positions(array: xr.DataArray, dim: str) -> np.ndarray:
    return np.asarray(array[dim].values, np.float64)


def _nearest(wanted: np.ndarray, there: np.ndarray, what: str) -> np.ndarray:
    """Number of the position among `there` that each of `wanted` is."""
    order = np.argsort(there, kind="stable")
    ordered = there[order]
    right = np.clip(np.searchsorted(ordered, wanted), 0, len(ordered) - 1)
    left = np.maximum(right - 1, 0)
    chosen = np.where(np.abs(ordered[left] - wanted) <= np.abs(ordered[right] - wanted), left, right)
    steps = np.diff(ordered)
    tolerance = max(SAME_PLACE_MM, SAME_PLACE_SHARE * float(np.median(steps)) if len(steps) else 0.0)
    off = np.abs(ordered[chosen] - wanted) > tolerance
    if off.any():
        listed = ", ".join(f"{place:.6g}" for place in wanted[off][:5])
        raise InconsistentSeriesError(
            f"{int(off.sum())} of {len(wanted)} {what} of the segmentation are none of the source's: z = {listed} mm"
        )
    return np.asarray(order[chosen])


def _shift_in_plane(segmentation: xr.DataArray, source: xr.DataArray, z: np.ndarray, dim: str) -> int:
    """Rows (or columns) of the source before the first one of the segmentation, the same on every plane."""
    cosines = np.array(source.attrs["image_orientation_patient"], float)
    direction = unit(cosines[3:6] if dim == "y" else cosines[:3])
    there = _positions(source, dim)
    step = (there[-1] - there[0]) / (len(there) - 1) if len(there) > 1 else float(source.attrs["pixel_spacing"][0 if dim == "y" else 1])
    shift = (_starts(segmentation, dim, direction) - _starts(source, dim, direction)[z]) / step
    whole = np.rint(shift)
    if np.abs(shift - whole).max() > SAME_PLACE_SHARE or (whole != whole[0]).any():
        raise InconsistentSeriesError(
            f"{dim} of the segmentation lies between that of the source (by {shift.min():.3g} to {shift.max():.3g} pixels)"
        )
    return int(whole[0])


def _starts(array: xr.DataArray, dim: str, direction: np.ndarray) -> np.ndarray:
    """Position of the first row (or column) of every plane [mm]; it varies in sheared stacks (gantry tilt)."""
    first = _positions(array, dim)[0]
    names = [f"image_position_patient_{axis}" for axis in "xyz"]
    if not array.attrs.get("is_sheared") or not all(name in array.coords and array[name].dims == ("z",) for name in names):
        return np.full(array.sizes["z"], first)
    along = np.stack([np.asarray(array[name].values, np.float64) for name in names], axis=1) @ direction
    # Selection along y or x moves the first one of every plane alike.
    return np.asarray(along + (first - along[0]))
