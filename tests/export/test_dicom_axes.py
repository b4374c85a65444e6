"""Axes that an array was given are written so that they come back: single frames and enhanced objects alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_ct, make_enhanced_mr, make_pet, make_slices
from xdicom.export.dicom_files import write_dicom

NAN = float("nan")
AXES: dict[str, dict[str, Any]] = {
    "time": {"time": ("time", [0.0, 1.5, 4.0], {"units": "s"})},
    "echo_time": {"echo_time": ("echo_time", [5.0, 10.0, 15.0], {"units": "ms"})},
    "trigger_time": {"trigger_time": ("trigger_time", [0.0, 100.0, 250.0], {"units": "ms"})},
    "inversion_time": {"inversion_time": ("inversion_time", [5.0, 10.0, 15.0], {"units": "ms"})},
    "flip_angle": {"flip_angle": ("flip_angle", [5.0, 10.0, 15.0], {"units": "deg"})},
    "diffusion": {
        "b_value": ("diffusion", [0.0, 1000.0, 1000.0]),
        "gradient_x": ("diffusion", [NAN, 1.0, 0.0]),
        "gradient_y": ("diffusion", [NAN, 0.0, 0.6]),
        "gradient_z": ("diffusion", [NAN, 0.0, 0.8]),
    },
}
CLOCK = {"AcquisitionDate": "20200101", "AcquisitionTime": "101010", "ContentDate": "20200101", "ContentTime": "101010"}


@pytest.fixture(params=["ct", "mr", "pet", "enhanced"])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> xr.DataArray:
    """One volume of three slices."""
    folder = tmp_path / "in"
    if request.param == "ct":
        make_ct(folder)
    elif request.param == "pet":
        make_pet(folder, [1.0, 1.0, 1.0])
    elif request.param == "mr":
        make_slices(
            folder, [(0, 0, 0.0), (0, 0, 1.0), (0, 0, 2.0)], SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR", PixelSpacing=[1, 1],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], EchoTime=5, RepetitionTime=100, **CLOCK,
        )  # fmt: skip
    else:
        make_enhanced_mr(folder / "mr.dcm", echoes_ms=(4.0,))
    return xdicom.open_series(folder)


@pytest.mark.parametrize("keeps_source", [True, False])
@pytest.mark.parametrize("axis", AXES)
def test_axes_come_back_with_their_values(axis: str, keeps_source: bool, volume: xr.DataArray, tmp_path: Path) -> None:
    """Each step is made of the same frames (`keeps_source`), or of none that the labels name."""
    steps = [volume + volume.dtype.type(3 * i) for i in range(3)]
    grown = xr.concat(steps, dim=axis, coords="minimal", compat="override", join="override")
    grown = grown.assign_coords(AXES[axis]).assign_attrs(volume.attrs).rename("stored_values")
    if not keeps_source:
        grown = grown.drop_vars(["sop_instance_uid", "instance_number", "frame_number"], errors="ignore")

    write_dicom(grown, tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out")
    assert again.dims == grown.dims
    np.testing.assert_array_equal(again.values, grown.values)
    for name in (*AXES[axis], "z"):
        np.testing.assert_allclose(again[name].values, grown[name].values, atol=1e-6)


def test_repetitions_of_single_frames_are_counted(tmp_path: Path) -> None:
    make_ct(tmp_path / "in")
    ct = xdicom.open_series(tmp_path / "in")
    twice = xr.concat([ct, ct + np.int16(1)], dim="repetition", coords="minimal", compat="override").assign_attrs(ct.attrs)

    write_dicom(twice, tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out")
    assert again.dims == ("repetition", "z", "y", "x")
    np.testing.assert_array_equal(again.values, twice.values)
