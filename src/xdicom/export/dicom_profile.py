"""The Basic Application Level Confidentiality Profile (PS3.15 E) on what travels with an array: labels and names, not pixels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from xdicom.export.dicom_kept import OWN, WHOLE, change_headers
from xdicom.export.dicom_profile_headers import CODE, deidentify_elements
from xdicom.export.dicom_profile_table import EDITION, read_table
from xdicom.export.pseudonyms import Pseudonyms
from xdicom.headers.dictionary import NAMES, PUBLIC, to_snake_case
from xdicom.labeled.labels import LABELS

_OF_NO_ELEMENT = frozenset({
    "affine", "plane", "is_regular", "is_sheared", "shear_degrees", "incomplete", "missing_axis", "missing_cells", "missing_positions",
    "missing_slices", "missing_values", "odd_places", "filled_positions", "damaged_tables", "stored_dtype", "value_range", "color_space",
    "tile_rows", "tile_columns", "enhanced_palette", "overlay_groups", "modality_lut", "modality_luts", "modality_lut_index",
    "voi_luts",
    "presentation_lut", "palette", "real_world_value_maps", "real_world_value_map_index", "segments", "pet_units", "units", "long_name",
    "source", "standard_name", "time", "cardiac_phase", "slice", "slice_time", "frame", "repetition", "acquisition", "diffusion", "b_value",
    "b_value_actual", "diffusion_axis", "label_type", "gradient_x", "gradient_y", "gradient_z", "gradient_frequency", "gradient_phase",
    "gradient_slice", "segment", "segment_color", "segmented_property_category", "segmented_property_type", "coil", "optical_path",
    "energy_window", "detector", "velocity_encoding", "rr_interval", "stored_values", "x", "y", "z", "px", "py", "pz", "t", "c", "sample",
    "fill_value", "frame_number", "sop_instance_occurrence", "overlay", "overlays", "ultrasound_pixel_spacing", "ultrasound_regions",
    "image_position_patient_x", "image_position_patient_y", "image_position_patient_z", "window_explanation", "image_index",
    "assumed_private_creators", "deidentification_method_code_sequence", "velocity_encoding_direction_x", "velocity_encoding_direction_y",
    "velocity_encoding_direction_z", "phase_number", "temporal_position",
    "philips_scale_slope", "philips_scale_intercept", "philips_suv_scale_factor", "philips_activity_concentration_scale_factor",
})  # fmt: skip
"""Names of labels that are no element's: geometry, axes, tables, and numbers from private elements that values or axes need."""
_LEFT_OUT = frozenset({"split_by", "notes", "problems", "start", "start_time_of_day_s", WHOLE, OWN})
"""Names of labels that xdicom makes of dates, paths and texts of the header, or of all of it."""
_ELEMENTS = {
    "series_datetime": "series_date", "ge_scan_datetime": "acquisition_date_time", "acquisition_datetime": "acquisition_date_time",
    "radiopharmaceutical_start_datetime": "radiopharmaceutical_start_date_time", "source_sop_instance_uid": "referenced_sop_instance_uid",
    "first_frame_reference_time": "frame_reference_time", "first_frame_duration": "actual_frame_duration",
}  # fmt: skip
"""Elements that labels of other names are of."""
_COLUMNS = {label.name: label.column for label in LABELS}
"""And those that coordinates are of."""
_CLOCKS = frozenset({"acquisition_time", "content_time", "frame_reference_date_time"})
"""Coordinates that count seconds from the earliest frame: no time of day."""
_TELLING = frozenset({"PN", "DA", "DT", "TM", "LT", "ST", "UT"})
"""VRs of names, dates and prose: what the table does not list of them is removed, too."""
_OFTEN_BURNED_IN = frozenset({"US", "XC", "ES", "GM", "OT", "IVUS", "RF", "XA", "SC", "DOC"})
"""Modalities in whose pixels names are often written."""
_HEADER = "DICOM header (deflated elements in base 64), de-identified"
_NODES_OF_SLIDES = re.compile(r"level_\d+|label|overview|thumbnail")


def check_profile() -> None:
    """Nothing, where the profile can be applied.

    Raises
    ------
    MissingDependencyError
        Without the library that has the table.
    """
    _profile()


def deidentify_array(array: xr.DataArray, pseudonyms: Pseudonyms) -> xr.DataArray:
    """`array` with the labels that the profile leaves, and a warning where its pixels may tell more.

    Elements that the table removes, empties or replaces are gone, UIDs are new. Whole headers that were kept with the array are
    those that `dicom_profile_headers.deidentify_elements` leaves. Of labels that are no element's, those that
    xdicom makes stay, but for dates; all others are removed with a warning that names them.

    Raises
    ------
    MissingDependencyError
        Without the library that has the table.
    """
    unknown: set[str] = set()
    coords: dict[Hashable, xr.Variable] = {}
    if WHOLE in array.coords and OWN in array.coords:
        coords |= change_headers(array, lambda header: deidentify_elements(header, pseudonyms), _HEADER)
    for key, coordinate in array.coords.items():
        name, variable = str(key), coordinate.variable
        fate = "keep" if _is_clock(name, variable) or _is_axis(name, variable) else _fate(name)
        if fate == "unknown" and name in _COLUMNS and variable.dtype.kind in "iufb":
            fate = "keep"  # a number of a private element, or of several elements, without which values or axes mean less
        if fate == "unknown":
            unknown.add(name)
        if fate == "uid":
            variable = _renamed(variable, pseudonyms)
        elif fate == "keep" and variable.dtype.kind == "M":
            variable = _since_first(variable)
        if fate in ("keep", "uid"):
            coords[key] = xr.Variable(variable.dims, variable.values, deidentify_attrs(variable.attrs, pseudonyms, unknown))
    attrs = deidentify_attrs(array.attrs, pseudonyms, unknown)
    attrs |= {
        "patient_identity_removed": "YES",
        "deidentification_method": f"PS3.15 {EDITION} Basic Application Level Confidentiality Profile, on labels; pixels not looked at",
        "deidentification_method_code_sequence": [{to_snake_case(keyword): text for keyword, text in CODE.items()}],
        "longitudinal_temporal_information_modified": "REMOVED",
    }
    _warn(array, unknown)
    return xr.DataArray(array.data, dims=array.dims, coords=coords, attrs=attrs, name=array.name)


def deidentify_attrs(attrs: Mapping[Any, Any], pseudonyms: Pseudonyms, unknown: set[str] | None = None) -> dict[str, Any]:
    """What the profile leaves of attributes; names of those that are no element's are added to `unknown`."""
    kept: dict[str, Any] = {}
    for key, value in attrs.items():
        fate = _fate(str(key))
        if fate == "unknown" and unknown is not None:
            unknown.add(str(key))
        if fate == "uid":
            kept[str(key)] = [pseudonyms.uid(str(uid)) for uid in value] if isinstance(value, list | tuple) else pseudonyms.uid(str(value))
        elif fate == "keep":
            kept[str(key)] = value
    return kept


def node_paths(tree: xr.DataTree, pseudonyms: Pseudonyms | None) -> dict[str, str]:
    """Path of each node's group, by its path below `tree`; where the profile holds, none that a description is part of."""
    paths, counts = {".": "."}, dict[tuple[str, str], int]()
    for node in tree.subtree:
        path = node.relative_to(tree)
        if path == ".":
            continue
        above, _, name = path.rpartition("/")
        above = above or "."
        if pseudonyms is not None and not _NODES_OF_SLIDES.fullmatch(name):
            kind = re.sub(r"\W", "", str(node.attrs.get("modality", ""))).lower() or "array"
            counts[above, kind] = counts.get((above, kind), 0) + 1
            name = f"{kind}_{counts[above, kind]}"
        paths[path] = name if above == "." else f"{paths[above]}/{name}"
    return paths


def _is_clock(name: str, variable: xr.Variable) -> bool:
    return name in _CLOCKS and variable.dtype.kind == "f"


def _is_axis(name: str, variable: xr.Variable) -> bool:
    return variable.dims == (name,) and variable.dtype.kind in "iufM" and _fate(name) in ("keep", "unknown")


def _since_first(variable: xr.Variable) -> xr.Variable:
    """Times as seconds since the first of them."""
    seconds = (variable.values - variable.values.min()) / np.timedelta64(1, "s") if variable.size else variable.values.astype(float)
    return xr.Variable(variable.dims, seconds, {**variable.attrs, "units": "s"})


def _renamed(variable: xr.Variable, pseudonyms: Pseudonyms) -> xr.Variable:
    uids, codes = np.unique(variable.values.astype(str), return_inverse=True)
    new = np.array([pseudonyms.uid(uid) for uid in uids.tolist()], object)
    return xr.Variable(variable.dims, new[codes.reshape(variable.shape)], variable.attrs)


def _fate(name: str) -> str:
    """What becomes of a label: `keep`, `drop`, `uid` or `unknown`."""
    removed, vrs = _profile()
    bare = re.sub(r"(?<=[a-z])_\d+$", "", name)
    if name in _LEFT_OUT:
        return "drop"
    if bare in _OF_NO_ELEMENT or name in _OF_NO_ELEMENT:
        return "keep"
    element = _ELEMENTS.get(bare) or _COLUMNS.get(bare, bare)
    vr = vrs.get(element)
    if vr is None:
        return "unknown"
    if vr == "UI":
        return "uid"
    return "drop" if element in removed or vr in _TELLING else "keep"


@lru_cache(maxsize=1)
def _profile() -> tuple[frozenset[str], dict[str, str]]:
    """Names of the elements that do not stay as they are, and the VR of every element by name.

    Raises
    ------
    MissingDependencyError
        Without the library that has the table.
    """
    actions, vrs = read_table()
    from pydicom.datadict import keyword_for_tag  # noqa: PLC0415 - slow to import

    names = {tag: to_snake_case(keyword_for_tag(tag)) for tag in vrs}
    removed = frozenset(name for tag in actions for name in (NAMES.get(tag, ""), names.get(tag, "")) if name)
    return removed, {names[tag]: vr for tag, vr in vrs.items() if names[tag]} | {name: PUBLIC[tag][0] for tag, name in NAMES.items()}


def _warn(array: xr.DataArray, unknown: set[str]) -> None:
    """Warn of what a person should look at."""
    burned_in, modality = array.attrs.get("burned_in_annotation"), str(array.attrs.get("modality", ""))
    found = []
    if burned_in == "YES":
        found.append("Burned In Annotation is YES: the pixels hold text that may name a person")
    elif burned_in != "NO" and (modality in _OFTEN_BURNED_IN or not modality):
        found.append(f"the header does not say whether the pixels of this {modality or 'unnamed'} image hold burned-in text: look at them")
    if array.attrs.get("overlay_groups"):
        groups = ", ".join(f"{group:04X}" for group in array.attrs["overlay_groups"])
        found.append(f"there are overlay planes (groups {groups}), which stay behind; what they show may be in the pixels, too")
    if unknown:
        found.append(f"labels that are neither elements of DICOM nor made by xdicom are left out: {', '.join(sorted(unknown))}")
    for text in found:
        warnings.warn(text, UserWarning, stacklevel=7)  # of the accessor's caller
