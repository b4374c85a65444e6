"""Which header values are carried along as coordinates, under which names and in which units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """One header value that may become a coordinate."""

    name: str
    """Name of the coordinate."""
    column: str
    """Name of the column that it comes from."""
    units: str = ""
    """Units, empty where it has none."""
    parts: tuple[str, ...] = ()
    """Names of its numbers, where it holds several that are coordinates of their own."""


PADDINGS = ("", "float_", "double_float_")
"""How names of Pixel Padding Value and Range Limit begin."""

B_MATRIX = ("xx", "xy", "xz", "yy", "yz", "zz")
"""Parts of a b-matrix, along the patient's axes (PS3.3 C.8.13.5.9)."""

LABELS: tuple[Label, ...] = (
    Label("image_position_patient", "image_position_patient", "mm", ("_x", "_y", "_z")),
    Label(
        "image_orientation_patient", "image_orientation_patient", "", ("_row_x", "_row_y", "_row_z", "_column_x", "_column_y", "_column_z")
    ),
    Label("image_position_volume", "image_position_volume", "mm", ("_x", "_y", "_z")),
    Label("instance_number", "instance_number"),
    Label("sop_instance_uid", "sop_instance_uid"),
    Label("sop_instance_occurrence", "sop_instance_occurrence"),
    Label("slice_location", "slice_location", "mm"),
    Label("slice_thickness", "slice_thickness", "mm"),
    Label("frame_acquisition_duration", "frame_acquisition_duration", "ms"),
    Label("actual_frame_duration", "actual_frame_duration", "ms"),
    Label("slice_time", "slice_time", "ms"),
    Label("temporal_position_identifier", "temporal_position_identifier"),
    Label("temporal_position_index", "temporal_position_index"),
    Label("trigger_time", "trigger_time", "ms"),
    Label("nominal_cardiac_trigger_delay_time", "nominal_cardiac_trigger_delay_time", "ms"),
    Label("nominal_percentage_of_cardiac_phase", "nominal_percentage_of_cardiac_phase", "percent"),
    Label("actual_cardiac_trigger_delay_time", "actual_cardiac_trigger_delay_time", "ms"),
    Label("frame_reference_time", "frame_reference_time", "ms"),
    Label("dynamic_time", "philips_dynamic_time", "s"),
    Label("echo_time", "echo_time", "ms"),
    Label("effective_echo_time", "effective_echo_time", "ms"),
    Label("echo_numbers", "echo_numbers"),
    Label("inversion_time", "inversion_time", "ms"),
    Label("inversion_times", "inversion_times", "ms"),
    Label("repetition_time", "repetition_time", "ms"),
    Label("flip_angle", "flip_angle", "deg"),
    Label("low_rr_value", "low_rr_value", "ms"),
    Label("high_rr_value", "high_rr_value", "ms"),
    Label("diffusion_directionality", "diffusion_directionality"),
    Label("diffusion_axis", "philips_diffusion_direction"),
    Label("b_matrix", "siemens_b_matrix", "s/mm2", tuple(f"_{part}" for part in B_MATRIX)),
    *(Label(f"b_matrix_{part}", f"diffusion_b_value_{part}", "s/mm2") for part in B_MATRIX),
    Label("b_value_actual", "uih_diffusion_b_value_actual", "s/mm2"),
    Label("velocity_encoding_direction", "velocity_encoding_direction", "", ("_x", "_y", "_z")),
    Label("label_type", "philips_label_type"),
    Label("number_of_averages", "number_of_averages"),
    Label("energy", "monoenergetic_energy_equivalent", "keV"),
    Label("kvp", "kvp", "kV"),
    Label("x_ray_tube_current", "x_ray_tube_current", "mA"),
    Label("exposure", "exposure", "mAs"),
    Label("exposure_time", "exposure_time", "ms"),
    Label("x_ray_tube_current_in_ma", "x_ray_tube_current_inm_a", "mA"),
    Label("exposure_in_mas", "exposure_inm_as", "mAs"),
    Label("exposure_time_in_ms", "exposure_time_inms", "ms"),
    Label("ctdi_vol", "ctd_ivol", "mGy"),
    Label("table_position", "table_position", "mm"),
    Label("acquisition_number", "acquisition_number"),
    Label("stack_id", "stack_id"),
    Label("in_stack_position_number", "in_stack_position_number"),
    Label("decay_factor", "decay_factor"),
    Label("image_index", "image_index"),
    Label("image_type", "image_type"),
    Label("frame_type", "frame_type"),
    Label("complex_image_component", "complex_image_component"),
    Label("receive_coil_name", "receive_coil_name"),
    Label("laterality", "laterality"),
    Label("frame_laterality", "frame_laterality"),
    Label("source_sop_instance_uid", "source_sop_instance_uid"),
    Label("referenced_segment_number", "referenced_segment_number"),
    Label("optical_path_identifier", "optical_path_identifier"),
    Label("column_position_in_total_image_pixel_matrix", "column_position_in_total_image_pixel_matrix", "px"),
    Label("row_position_in_total_image_pixel_matrix", "row_position_in_total_image_pixel_matrix", "px"),
    Label("z_offset_in_slide_coordinate_system", "z_offset_in_slide_coordinate_system", "um"),
    Label("philips_scale_slope", "philips_scale_slope"),
    Label("philips_scale_intercept", "philips_scale_intercept"),
    Label("voi_lut_function", "voi_lut_function"),
    Label("presentation_lut_shape", "presentation_lut_shape"),
    *(Label(f"{kind}pixel_padding_{end}", f"{kind}pixel_padding_{end}") for kind in PADDINGS for end in ("value", "range_limit")),
    Label("energy_window", "energy_window"),
    Label("energy_window_name", "energy_window_name"),
    Label("energy_window_lower_limit", "energy_window_lower_limit", "keV"),
    Label("energy_window_upper_limit", "energy_window_upper_limit", "keV"),
    Label("detector", "detector"),
    Label("phase", "phase"),
    Label("rotation", "rotation"),
    Label("rr_interval", "rr_interval"),
    Label("time_slot", "time_slot"),
    Label("time_slice", "time_slice"),
    Label("slice", "slice"),
    Label("angular_view", "angular_view"),
    Label("angle", "angle", "deg"),
    Label("phase_time", "phase_time", "s"),
    Label("repetition", "repetition"),
    Label("diffusion", "diffusion"),
    Label("phase_number", "philips_phase_number"),
    Label("z", "z", "mm"),
)
"""Header values that are carried along, when they vary inside the array."""
