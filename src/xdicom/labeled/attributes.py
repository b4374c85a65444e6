"""What a header says of the whole array, as plain attributes that survive Zarr; nothing that names a person."""

from __future__ import annotations

import numpy as np

from xdicom.headers.columns import seconds_of_day, seconds_since_1970
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue
from xdicom.labeled.coords import Coordinate, place_values
from xdicom.labeled.overlays import planes_of
from xdicom.labeled.regions import spacing_place
from xdicom.model.columns import Column
from xdicom.model.grid import FrameGrid
from xdicom.pixels.color import stored_photometric_interpretation

_TEXTS = (
    "modality", "sop_class_uid", "study_instance_uid", "series_instance_uid", "frame_of_reference_uid", "sop_instance_uid",
    "series_description",
    "manufacturer", "manufacturer_model_name", "patient_position", "rescale_type", "voi_lut_function", "presentation_lut_shape",
    "pixel_spacing_calibration_type", "series_type", "counts_source", "suv_type", "decay_correction", "dose_units", "dose_type",
    "dose_summation_type",
    "segmentation_type", "segmentation_fractional_type", "pixel_presentation", "burned_in_annotation", "complex_image_component",
    "data_type", "optical_path_identifier", "dimension_organization_type",
    "lossy_image_compression", "acquisition_contrast", "sequence_name",
    "convolution_kernel",
)  # fmt: skip
_NUMBERS = (
    "series_number", "slice_thickness", "repetition_time", "echo_time", "effective_echo_time", "inversion_time", "flip_angle", "kvp",
    "pixel_padding_value", "pixel_padding_range_limit", "float_pixel_padding_value", "float_pixel_padding_range_limit",
    "double_float_pixel_padding_value", "double_float_pixel_padding_range_limit", "maximum_fractional_value", "gantry_detector_tilt",
    "cine_rate", "recommended_display_frame_rate", "estimated_radiographic_magnification_factor", "total_pixel_matrix_columns",
    "total_pixel_matrix_rows",
    "philips_scale_slope", "philips_scale_intercept", "philips_suv_scale_factor", "philips_activity_concentration_scale_factor",
    "number_of_temporal_positions", "exposure_time", "x_ray_tube_current", "frame_time", "instance_number", "dose_calibration_factor",
)  # fmt: skip
_LISTS = (
    "pixel_spacing", "imager_pixel_spacing", "nominal_scanned_pixel_spacing", "pixel_aspect_ratio", "image_orientation_patient",
    "image_orientation_slide",
    "lossy_image_compression_ratio",
)  # fmt: skip
_MULTIPLE_TEXTS = ("image_type", "frame_type", "corrected_image", "lossy_image_compression_method", "window_center_width_explanation")
_PERSON_ON_PET = ("patient_weight", "patient_size")
SECONDS_PER_DAY = 86400


def header_attributes(grid: FrameGrid) -> dict[str, object]:
    """Attributes of the array: header values that are the same for all its frames, geometry, and pixel encoding."""
    attrs: dict[str, object] = {}
    for name in _TEXTS:
        value = _constant(grid, name)
        if isinstance(value, str) and value:
            attrs[name] = value
    for name in _NUMBERS:
        value = _constant(grid, name)
        if isinstance(value, tuple) and value and np.isfinite(value[0]):
            attrs[name] = _plain(value[0])
    for name in _LISTS:
        value = _constant(grid, name)
        if isinstance(value, tuple) and value and np.isfinite(value).all():
            attrs[name] = [_plain(number) for number in value]
    for name in _MULTIPLE_TEXTS:
        value = _constant(grid, name)
        if isinstance(value, str) and value:
            attrs[name] = value.split("\\")
    if "window_center_width_explanation" in attrs:
        attrs["window_explanation"] = attrs.pop("window_center_width_explanation")
    groups, _ = planes_of(grid.frames.instances)
    if groups:
        attrs["overlay_groups"] = groups
    attrs |= _encoding_attributes(grid) | _geometry_attributes(grid)
    attrs |= {name: value for name, value in grid.attrs.items() if name != "plane" or grid.plane is not None}
    if grid.plane is None and "pixel_spacing" in attrs and {"imager_pixel_spacing", "pixel_spacing_calibration_type"} & attrs.keys():
        attrs["pixel_spacing_place"] = spacing_place(
            attrs["pixel_spacing"], attrs.get("imager_pixel_spacing"), attrs.get("pixel_spacing_calibration_type")
        )
    if attrs.get("modality") == "PT":
        attrs |= _uptake_attributes(grid)
    if attrs.get("lossy_image_compression") == "01" or _is_lossy(grid):
        attrs["lossy_image_compression"] = "01"
    return attrs


def _constant(grid: FrameGrid, name: str) -> object:
    """The value `name`, where it is the same for all cells that hold a frame."""
    column = grid.column(name)
    if column is None:
        return None
    codes = column.codes[grid.rows.reshape(-1) >= 0]
    return column.first() if len(codes) and (codes == codes[0]).all() else None


def _plain(number: float) -> int | float:
    """A number without a needless fraction, as JSON has it."""
    return int(number) if float(number).is_integer() and abs(number) < 2**53 else float(number)


def _encoding_attributes(grid: FrameGrid) -> dict[str, object]:
    encoding = grid.encoding
    return {
        "photometric_interpretation": stored_photometric_interpretation(encoding),
        "samples_per_pixel": encoding.samples_per_pixel,
        "bits_allocated": encoding.bits_allocated,
        "bits_stored": max(e.bits_stored for e in grid.frames.instances.encodings),
        "high_bit": encoding.high_bit,
        "pixel_representation": int(encoding.is_signed),
        "transfer_syntax_uid": sorted({e.transfer_syntax_uid for e in grid.frames.instances.encodings}),
    }


def _geometry_attributes(grid: FrameGrid) -> dict[str, object]:
    if grid.plane is None:
        return {}
    cosines = [*grid.plane.row_direction.tolist(), *grid.plane.column_direction.tolist()]
    attrs: dict[str, object] = {
        "image_orientation_patient": cosines,
        "pixel_spacing": [grid.plane.row_spacing_mm, grid.plane.column_spacing_mm],
    }
    if grid.affine is not None:
        attrs["affine"] = grid.affine.tolist()
    return attrs


_LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 81))
"""Transfer syntaxes that always lose something (PS3.5 A.4)."""


def _is_lossy(grid: FrameGrid) -> bool:
    return any(encoding.transfer_syntax_uid in _LOSSY_SYNTAXES for encoding in grid.frames.instances.encodings)


def parameter_coordinates(grid: FrameGrid) -> dict[str, Coordinate]:
    """Parameters of the LUT pipeline as coordinates, without dimensions where they are the same for all frames."""
    dims = tuple(axis.name for axis in grid.axes)
    found: dict[str, Coordinate] = {}
    names = {"rescale_slope": 1.0, "rescale_intercept": 0.0, "dose_grid_scaling": None}
    present = [name for name in ("rescale_slope", "rescale_intercept") if grid.column(name) is not None]
    for name, default in names.items():
        column = grid.column(name)
        if column is None:
            if present and default is not None:
                found[name] = ((), np.float64(default), {"long_name": f"{name} (not stated: {default:g})"})  # type: ignore[assignment]
            continue
        found[name] = _parameter(column, 0, dims, grid)
    center, width = grid.column("window_center"), grid.column("window_width")
    if center is not None and width is not None and center.kind == width.kind == "number":
        count = min(center.values.shape[1], width.values.shape[1])
        for i in range(count):
            suffix = f"_{i + 1}" if i else ""
            found[f"window_center{suffix}"] = _parameter(center, i, dims, grid)
            found[f"window_width{suffix}"] = _parameter(width, i, dims, grid)
    return found


def _parameter(column: Column, part: int, dims: tuple[str, ...], grid: FrameGrid) -> Coordinate:
    values = np.append(column.values[:, part].astype(np.float64), np.nan)
    codes = column.codes.reshape(grid.rows.shape)
    empty = grid.rows < 0
    if empty.any() and not empty.all():
        codes = np.where(empty, codes[~empty].flat[0], codes)
    places, along = place_values(np.unique(values, return_inverse=True)[1].reshape(-1)[codes], dims)
    distinct = np.unique(values)
    return places, distinct[along], {}


def _uptake_attributes(grid: FrameGrid) -> dict[str, object]:
    """What SUV needs (PS3.3 C.8.9): weights, doses, and clocks counted from the day of the series, which is not told."""
    attrs: dict[str, object] = {}
    units = _constant(grid, "units")
    if isinstance(units, str) and units:
        attrs["pet_units"] = units
    for name in _PERSON_ON_PET:
        value = _constant(grid, name)
        if isinstance(value, tuple) and value and np.isfinite(value[0]):
            attrs[name] = float(value[0])
    sex = _constant(grid, "patient_sex")
    if isinstance(sex, str) and sex:
        attrs["patient_sex"] = sex
    day = _first_number(grid, "series_date", "acquisition_date", "content_date")
    for name, date, time in (
        ("series_datetime", "series_date", "series_time"),
        ("acquisition_datetime", "acquisition_date", "acquisition_time"),
    ):
        days, seconds = grid.column(date), grid.column(time)
        if seconds is not None:
            clock = seconds.first_numbers() + SECONDS_PER_DAY * (
                (days.first_numbers() - (day or 0)) if days is not None and day is not None else 0
            )
            if np.isfinite(clock).any():
                attrs[name] = _on_first_day(float(np.nanmin(clock)))
                attrs |= _first_frame(grid, int(np.nanargmin(clock))) if name == "acquisition_datetime" else {}
    scan = grid.column("ge_scan_datetime")
    if scan is not None and day is not None and np.isfinite(scan.first_numbers()).any():
        attrs["ge_scan_datetime"] = _on_first_day(float(np.nanmin(scan.first_numbers())) - day * SECONDS_PER_DAY)
    sequence = grid.column("radiopharmaceutical_information_sequence")
    value = sequence.first() if sequence is not None and sequence.kind == "raw" else None
    if isinstance(value, RawValue):
        attrs |= _radiopharmaceutical(value, day)
    return attrs


def _first_frame(grid: FrameGrid, row: int) -> dict[str, object]:
    """When the earliest frame was, counted from the start of the scan, and how long it took [ms] (PS3.3 C.8.9.4)."""
    columns = {
        "first_frame_reference_time": grid.column("frame_reference_time"),
        "first_frame_duration": grid.column("actual_frame_duration"),
    }
    numbers = {name: float(column.first_numbers()[row]) for name, column in columns.items() if column is not None}
    return {name: number for name, number in numbers.items() if np.isfinite(number)}


def _radiopharmaceutical(sequence: RawValue, day: float | None) -> dict[str, object]:
    """Dose, half life and start of injection (PS3.3 C.8.9.2)."""
    items = sequence.readable_items()
    if not items:
        return {}
    attrs: dict[str, object] = {}
    for name, keyword in (("radionuclide_total_dose", "RadionuclideTotalDose"), ("radionuclide_half_life", "RadionuclideHalfLife")):
        value = items[0].get(TAGS[keyword])
        if value is not None and value.numbers():
            attrs[name] = float(value.numbers()[0])
    moment, time = items[0].get(TAGS["RadiopharmaceuticalStartDateTime"]), items[0].get(TAGS["RadiopharmaceuticalStartTime"])
    if moment is not None and day is not None and np.isfinite(seconds_since_1970(moment.text())):
        attrs["radiopharmaceutical_start_datetime"] = _on_first_day(seconds_since_1970(moment.text()) - day * SECONDS_PER_DAY)
    elif time is not None and np.isfinite(seconds_of_day(time.text())):
        attrs["radiopharmaceutical_start_time"] = _on_first_day(seconds_of_day(time.text()))
    return attrs


def _first_number(grid: FrameGrid, *names: str) -> float | None:
    for name in names:
        column = grid.column(name)
        if column is not None and np.isfinite(column.first_numbers()).any():
            return float(np.nanmin(column.first_numbers()))
    return None


def _on_first_day(seconds: float) -> str:
    """A clock time as text on 1970-01-01 (or a later day, where it runs past midnight): dates themselves are not told."""
    return str(np.datetime64(round(seconds * 1e6), "us"))
