"""Labelled arrays as the doors make them, in each way that values can be held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

CT = {
    "modality": "CT",
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
    "photometric_interpretation": "MONOCHROME2",
    "samples_per_pixel": 1,
    "bits_allocated": 16,
    "bits_stored": 12,
    "high_bit": 11,
    "pixel_representation": 0,
}


@pytest.fixture(params=["numpy", "dask", "zarr"])
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[xr.DataArray], xr.DataArray]:
    """A function that holds an array in memory, in dask blocks, or in a Zarr store that is opened again."""

    def hold(array: xr.DataArray) -> xr.DataArray:
        if request.param == "numpy":
            return array
        blocks = array.chunk({dim: 1 if dim in ("z", "time") else -1 for dim in array.dims})
        if request.param == "dask":
            return blocks
        blocks.to_zarr(tmp_path / "array.zarr", consolidated=False)
        return xr.open_zarr(tmp_path / "array.zarr", consolidated=False)[array.name]

    return hold


@pytest.fixture
def ct() -> xr.DataArray:
    """Four slices of CT: 12 bits unsigned, one slope, two windows."""
    values = (np.arange(4 * 6 * 5, dtype=np.uint16).reshape(4, 6, 5) * 37) % 4096
    return xr.DataArray(
        values,
        dims=("z", "y", "x"),
        coords={
            "z": [0.0, 2.5, 5.0, 7.5],
            "rescale_slope": 1.0,
            "rescale_intercept": -1024.0,
            "window_center": 40.0,
            "window_width": 400.0,
            "window_center_2": -600.0,
            "window_width_2": 1500.0,
        },
        attrs={**CT, "window_explanation": ["SOFT", "Lungs"]},
        name="stored_values",
    )


@pytest.fixture
def pet() -> xr.DataArray:
    """Three slices of PET with a slope each."""
    values = np.arange(3 * 4 * 4, dtype=np.int16).reshape(3, 4, 4) * 100
    return xr.DataArray(
        values,
        dims=("z", "y", "x"),
        coords={"z": [0.0, 1.0, 2.0], "rescale_slope": ("z", [0.5, 1.5, 2.25]), "rescale_intercept": 0.0},
        attrs={
            **CT,
            "modality": "PT",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.128",
            "bits_stored": 16,
            "pixel_representation": 1,
            "pet_units": "BQML",
            "decay_correction": "START",
            "corrected_image": ["DECY", "ATTN", "SCAT"],
            "radionuclide_total_dose": 370e6,
            "radionuclide_half_life": 6586.2,
            "radiopharmaceutical_start_time": "1970-01-01T09:00:00.000000",
            "series_datetime": "1970-01-01T10:00:00.000000",
            "acquisition_datetime": "1970-01-01T10:05:00.000000",
            "patient_weight": 70.0,
            "patient_size": 1.75,
            "patient_sex": "M",
        },
        name="stored_values",
    )
