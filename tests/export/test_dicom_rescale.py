"""Values with a meaning are stored through a slope and an intercept with the smallest error, which is told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pydicom
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xdicom
from builders import make_ct, make_pet, make_rtdose
from xdicom.export.dicom_files import write_dicom
from xdicom.export.dicom_pixels import choose_rescale, measure, ranges_of
from xdicom.sources.folders import Folder


@pytest.fixture
def hu(tmp_path: Path) -> xr.DataArray:
    """CT in HU, 12 bits unsigned in the file."""
    make_ct(tmp_path / "ct", dtype=np.uint16, bits_stored=12)
    return xdicom.open_series(tmp_path / "ct").dicom.to_modality()


def read_back(array: xr.DataArray, folder: Path, **options: Any) -> tuple[xr.DataArray, float]:
    """What `array` gives as modality values when it was written and read, and the error that was told."""
    report = write_dicom(array, folder, progress=False, **options)
    return xdicom.open_series(folder).dicom.to_modality(), report.max_error


def test_whole_numbers_come_back_exactly(hu: xr.DataArray, tmp_path: Path) -> None:
    again, error = read_back(hu, tmp_path / "out")

    np.testing.assert_array_equal(again.values, hu.values)
    assert (error, again.attrs["units"]) == (0, "HU")


def test_values_of_the_source_are_stored_as_they_were(tmp_path: Path) -> None:
    make_pet(tmp_path / "pet", [0.37, 1.25, 2.7])
    pet = xdicom.open_series(tmp_path / "pet")

    write_dicom(pet.dicom.to_modality(), tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out")
    np.testing.assert_array_equal(again.values, pet.values)
    np.testing.assert_array_equal(again["rescale_slope"].values, pet["rescale_slope"].values)


def test_fractions_are_stored_with_an_error_below_that_which_is_told(hu: xr.DataArray, tmp_path: Path) -> None:
    smooth = hu.astype(np.float32) * np.float32(0.937) + np.float32(0.3)

    again, error = read_back(smooth, tmp_path / "out")

    worst = np.abs(again.values.astype(np.float64) - smooth.values).max()
    assert worst <= error + 1e-4
    assert 0 < error <= (float(smooth.max()) - float(smooth.min())) / 65000 / 2


def test_a_slope_that_is_given_is_used(hu: xr.DataArray, tmp_path: Path) -> None:
    again, error = read_back(hu.astype(np.float32) + np.float32(0.25), tmp_path / "out", rescale=(0.5, -1024))

    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (header.RescaleSlope, header.RescaleIntercept, error) == (0.5, -1024, 0.25)
    assert np.abs(again.values - (hu.values + 0.25)).max() == 0.25


def test_slopes_of_the_source_are_used_where_they_are_asked_for(hu: xr.DataArray, tmp_path: Path) -> None:
    read_back(hu.astype(np.float32) + np.float32(0.25), tmp_path / "out", rescale="source")

    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (header.RescaleSlope, header.RescaleIntercept, header.BitsStored, header.PixelRepresentation) == (1, -1024, 12, 0)


def test_values_beyond_the_stored_range_are_refused(hu: xr.DataArray, tmp_path: Path) -> None:
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=r"stored values from .* can be written: give another rescale="),
    ):
        read_back(hu - np.int16(5), tmp_path / "out", rescale="source")


def test_what_is_no_number_is_stored_as_padding(hu: xr.DataArray, tmp_path: Path) -> None:
    holes = hu.where(hu > -900).astype(np.float32)

    write_dicom(holes, tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out").dicom.mask_padding().dicom.to_modality()
    np.testing.assert_array_equal(np.isnan(again.values), np.isnan(holes.values))
    np.testing.assert_allclose(again.values, holes.values, atol=0.01)


def test_an_attempt_that_fails_is_taken_away_when_no_task_writes_any_more(
    hu: xr.DataArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended, at_work = [], [], []
    put, remove = Folder.put, Folder.remove

    def slow_put(folder: Folder, name: str, *parts: bytes) -> int:
        begun.append(name)
        time.sleep(0.2)
        size = put(folder, name, *parts)
        ended.append(name)
        return size

    monkeypatch.setattr(Folder, "put", slow_put)
    monkeypatch.setattr(Folder, "remove", lambda folder, names: (at_work.append(len(begun) - len(ended)), remove(folder, names))[1])
    values = hu.astype(np.float64)
    values[0] += 0.5  # the first plane is none of those that the source stored, and the others are written meanwhile

    with dask.config.set(scheduler="threads", num_workers=len(hu)):
        again, _ = read_back(values, tmp_path / "out")

    np.testing.assert_allclose(again.values, values.values, atol=0.05)
    assert (at_work, len(begun)) == ([0], 2 * len(hu) - 1)


def test_masked_padding_goes_back_to_where_it_was(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", PixelPaddingValue=3, PixelPaddingRangeLimit=None)
    ct = xdicom.open_series(tmp_path / "ct")

    write_dicom(ct.dicom.mask_padding(), tmp_path / "out", progress=False)

    np.testing.assert_array_equal(xdicom.open_series(tmp_path / "out").values, ct.values)


def test_pet_is_stored_without_intercept(tmp_path: Path) -> None:
    make_pet(tmp_path / "pet")
    lower = xdicom.open_series(tmp_path / "pet").dicom.to_modality() * np.float32(0.9) - np.float32(3)

    again, error = read_back(lower, tmp_path / "out")

    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (header.RescaleIntercept, header.Units) == (0, "BQML")
    assert np.abs(again.values - lower.values).max() <= error + 1e-3


def test_dose_is_stored_through_its_scaling(tmp_path: Path) -> None:
    make_rtdose(tmp_path / "in" / "dose.dcm")
    dose = xdicom.open_series(tmp_path / "in").dicom.to_modality() * 0.77

    again, error = read_back(dose, tmp_path / "out")

    assert np.abs(again.values - dose.values).max() <= error + 1e-6
    assert again.attrs["units"] == dose.attrs["units"]


def test_windows_stay_in_the_units_of_the_values(hu: xr.DataArray, tmp_path: Path) -> None:
    write_dicom(hu.assign_coords(window_center=55.0), tmp_path / "out", progress=False)

    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (header.WindowCenter, header.WindowWidth) == (55, 400)


@pytest.mark.parametrize(
    ("rescale", "message"),
    [((0, 1), r"a slope, which is not 0"), ((np.nan, 0), r"a slope, which is not 0"), ("best", r"\(slope, intercept\), 'source' or None")],
)
def test_a_rescale_that_is_none_is_refused(rescale: Any, message: str, hu: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write_dicom(hu.astype(np.float32), tmp_path / "out", rescale=rescale, progress=False)


@settings(deadline=None)
@given(
    values=hnp.arrays(np.float64, (2, 3, 3), elements=st.floats(-1e6, 1e6, width=32)),
    from_zero=st.booleans(),
    holes=st.booleans(),
)
def test_the_chosen_slope_holds_every_value_within_half_a_step(values: np.ndarray, from_zero: bool, holes: bool) -> None:
    values[0, 0, 0] = np.nan if holes else values[0, 0, 0]

    rescale, _, is_signed = choose_rescale(ranges_of(measure(values, None)), None, (0, 0), from_zero=from_zero)

    stored = np.rint((values - rescale.intercept[:, None, None]) / rescale.slope[:, None, None])
    low, high = (-32768, 32767) if is_signed else (0, 65535)
    assert np.nanmin(stored) >= low + (holes and is_signed)
    assert np.nanmax(stored) <= high - (holes and not is_signed)
    back = stored * rescale.slope[:, None, None] + rescale.intercept[:, None, None]
    assert np.nanmax(np.abs(back - values)) <= rescale.slope[0] / 2 * (1 + 1e-6) + 1e-9


def test_values_of_the_source_are_computed_once(tmp_path: Path) -> None:
    make_pet(tmp_path / "pet", [0.5, 1.25, 2.0])
    pet = xdicom.open_series(tmp_path / "pet").dicom.to_modality()
    told: list[tuple[int, int]] = []
    counted = pet.copy(data=pet.data.map_blocks(lambda block: told.append((0, 0)) or block, dtype=pet.dtype, meta=pet.data._meta))

    write_dicom(counted, tmp_path / "out", progress=False)

    assert len(told) == 3


def test_other_values_are_measured_and_leave_nothing_of_the_first_attempt(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", bits_stored=12, dtype=np.uint16)
    ct = xdicom.open_series(tmp_path / "ct")
    hu = ct.dicom.to_modality()
    beyond = xr.where(hu["z"] > 4, hu + 30_000, hu).assign_attrs(hu.attrs).rename("modality_values")

    written = write_dicom(beyond, tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out").dicom.to_modality()
    np.testing.assert_array_equal(again.values, beyond.values)
    assert (written.max_error, len(list((tmp_path / "out").iterdir()))) == (0, 3)
