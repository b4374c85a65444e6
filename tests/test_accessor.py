"""`.dicom`: every method gives what its function gives, however the values are held."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_cine, make_ct, make_palette, make_pet
from xdicom.labeled.geometry import affine_of, orientation_of
from xdicom.labeled.origins import read_header


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    make_ct(tmp_path, [0.0, 2.0, 4.0], slope=2.0, intercept=-1000.0, windows=[(40, 400)])
    return xdicom.open_series(tmp_path)


HELD: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "lazy": lambda array: array,
    "loaded": lambda array: array.load(),
    "in other chunks": lambda array: array.chunk({"z": 2, "y": 3}),
}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_values_are_the_same_however_they_are_held(ct: xr.DataArray, held: Callable[[xr.DataArray], xr.DataArray]) -> None:
    expected = ct.values * 2.0 - 1000

    array = held(ct).dicom.to_modality()

    np.testing.assert_array_equal(array, expected)
    assert array.attrs["units"] == "HU"
    assert held(ct).dicom.to_modality().dicom.to_display(window=0).dtype == np.uint8


def test_where_an_array_lies_is_told_by_the_array(ct: xr.DataArray) -> None:
    np.testing.assert_array_equal(ct.dicom.affine, affine_of(ct))
    np.testing.assert_array_equal(ct.dicom.to_affine("RAS"), affine_of(ct, "RAS"))
    assert ct.dicom.orientation == orientation_of(ct) == "LPS"


def test_the_header_of_a_frame_is_told_by_the_array(ct: xr.DataArray) -> None:
    assert ct.dicom.header(1).SOPInstanceUID == read_header(ct, 1).SOPInstanceUID == ct["sop_instance_uid"].values[1]


def test_colors_come_of_palettes(tmp_path: Path) -> None:
    rgb = xdicom.open_series(make_palette(tmp_path / "a.dcm")).dicom.to_rgb()

    assert rgb.dims == ("y", "x", "sample")


@pytest.mark.parametrize("name", ["mask_padding", "padding_mask"])
def test_padding_is_told_by_the_array(tmp_path: Path, name: str) -> None:
    make_ct(tmp_path, [0.0], PixelPaddingValue=5)
    array = xdicom.open_series(tmp_path)

    result: Any = getattr(array.dicom, name)()

    assert result.shape == array.shape
    assert bool((result.isnull() if name == "mask_padding" else result).any())


def test_uptake_needs_what_the_header_states(tmp_path: Path) -> None:
    dose = [{"RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2, "RadiopharmaceuticalStartTime": "090000"}]
    make_pet(
        tmp_path, PatientWeight=70.0, SeriesDate="20230405", SeriesTime="100000", AcquisitionDate="20230405", AcquisitionTime="100000",
        RadiopharmaceuticalInformationSequence=dose,
    )  # fmt: skip

    suv = xdicom.open_series(tmp_path).dicom.to_suv()

    assert suv.dims == ("z", "y", "x")
    assert np.isfinite(suv.values).all()


def test_an_array_without_a_place_says_so(tmp_path: Path) -> None:
    with pytest.raises(xdicom.InconsistentSeriesError, match="no place in the patient"):
        _ = xdicom.open_series(make_cine(tmp_path / "a.dcm")).dicom.affine
