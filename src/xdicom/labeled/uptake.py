"""Standardized uptake values of a labelled PET series (PS3.3 C.8.9.1)."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import numpy as np
import xarray as xr

from xdicom.labeled.parameters import MODALITY, STORED, SUV, Parameter, parameter, relabeled, stage
from xdicom.labeled.values import to_modality
from xdicom.lazy.apply import apply
from xdicom.transforms.modality import rescale
from xdicom.transforms.suv import SUV_UNITS, Uptake, suv_factor

SUV_ATTRS = (
    "decay_correction", "radionuclide_total_dose", "radionuclide_half_life", "radiopharmaceutical_start_datetime",
    "radiopharmaceutical_start_time", "series_datetime", "acquisition_datetime", "first_frame_reference_time", "first_frame_duration",
    "ge_scan_datetime", "patient_weight", "patient_size", "patient_sex", "philips_suv_scale_factor",
    "philips_activity_concentration_scale_factor", "suv_type", "value_range", "units",
)  # fmt: skip
"""What SUV are worked out from, and what is not true of them any more."""


def to_suv(array: xr.DataArray, kind: str = "bw") -> xr.DataArray:
    """Standardized uptake values of a PET series, by the rules of QIBA.

    Parameters
    ----------
    array
        `stored_values` or `modality_values` of a PET series, numpy- or dask-backed.
    kind
        "bw" by body weight, "lbm", "lbm_james128" and "lbm_janma" by lean body mass, "bsa" by body surface, "ibw" by ideal
        body weight.

    Returns
    -------
    xarray.DataArray
        `suv`, float32 or the wider type of the modality values; `units` in attrs: g/ml{SUVbw} and the like.

    Raises
    ------
    ValueError
        When `array` is no PET series, or something that SUV needs is missing; the message names it.
    """
    name = stage(array, (STORED, MODALITY), "to_suv")
    if array.attrs.get("modality") != "PT":
        raise ValueError(f"SUV are defined for PET; this series is of modality {array.attrs.get('modality', 'unknown')}")
    modality = to_modality(array, dtype=None) if name == STORED else array
    uptake = uptake_of(array)
    factor = suv_factor(
        uptake,
        kind,
        str(modality.attrs.get("units", "")),
        suv_type=str(array.attrs.get("suv_type") or "BW"),
        suv_scale=_number(array, "philips_suv_scale_factor"),
        activity_scale=_number(array, "philips_activity_concentration_scale_factor"),
    )
    result = np.dtype(np.float64 if modality.dtype.itemsize > 4 else np.float32)
    by_frame = factor * _later_factor(array, uptake) if modality.attrs.get("units") in ("BQML", "CNTS") else factor
    data = apply(partial(rescale, dtype=result), modality.data, by_frame, 0.0, dtype=result)
    attrs = {"units": SUV_UNITS[kind], "long_name": f"standardized uptake value ({kind})"}
    return relabeled(modality, data, SUV, without=SUV_ATTRS, attrs=attrs)


def uptake_of(array: xr.DataArray) -> Uptake:
    """Patient and tracer, as far as the array knows them."""
    attrs = array.attrs
    return Uptake(
        weight_kg=_number(array, "patient_weight"),
        size_m=_number(array, "patient_size"),
        sex=attrs.get("patient_sex"),
        dose_bq=_number(array, "radionuclide_total_dose"),
        half_life_s=_number(array, "radionuclide_half_life"),
        injection=_moment(attrs.get("radiopharmaceutical_start_datetime") or attrs.get("radiopharmaceutical_start_time")),
        series=_moment(attrs.get("series_datetime")),
        acquisition=_moment(attrs.get("acquisition_datetime")),
        frame_reference_s=_seconds(array, "first_frame_reference_time"),
        frame_duration_s=_seconds(array, "first_frame_duration"),
        decay_correction=attrs.get("decay_correction"),
        private_scan_start=_moment(attrs.get("ge_scan_datetime")),
        corrections=tuple(map(str, attrs["corrected_image"])) if "corrected_image" in attrs else None,
    )


def _number(array: xr.DataArray, name: str) -> float | None:
    if name in array.attrs:
        return float(array.attrs[name])
    found = parameter(array, name)
    if found is None or isinstance(found, float):
        return found
    raise ValueError(f"{name} differs between the frames: select those that have one value")


def _seconds(array: xr.DataArray, name: str) -> float | None:
    number = _number(array, name)
    return None if number is None else number / 1000


def _later_factor(array: xr.DataArray, uptake: Uptake) -> Parameter:
    """What counts that are not corrected for decay are multiplied with, frame by frame, by how much later they were acquired."""
    seconds = parameter(array, "acquisition_time")
    if uptake.decay_correction != "NONE" or seconds is None or not uptake.half_life_s:
        return 1.0
    if not np.isfinite(seconds).all():
        raise ValueError(
            "counts are not corrected for decay, and some frames have no Acquisition Time (0008,0032): select those that have it"
        )
    return 2 ** (seconds / uptake.half_life_s)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
