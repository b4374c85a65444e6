"""SUV of a labelled PET series."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from builders import make_pet
from labeled.opened import opened
from xdicom.labeled.uptake import to_suv
from xdicom.labeled.values import to_modality

Hold = Callable[[xr.DataArray], xr.DataArray]
DECAYED = 370e6 * 2 ** (-3600 / 6586.2)


def test_suv_by_body_weight(held: Hold, pet: xr.DataArray) -> None:
    array = held(pet)

    suv = to_suv(array)

    assert (suv.name, suv.attrs["units"]) == ("suv", "g/ml{SUVbw}")
    assert suv.dtype == np.float32
    assert np.allclose(suv.values, to_modality(pet).values.astype(float) * 70_000 / DECAYED, rtol=3e-7)
    assert np.array_equal(to_suv(to_modality(array)).values, suv.values)


def test_other_kinds_and_their_units(pet: xr.DataArray) -> None:
    bsa = to_suv(pet, "bsa")

    assert bsa.attrs["units"] == "cm2/ml{SUVbsa}"
    assert np.allclose(bsa.values, to_suv(pet).values / 70_000 * 18_481, rtol=1e-4)


def test_philips_counts(pet: xr.DataArray) -> None:
    counts = pet.assign_attrs(pet_units="CNTS", philips_suv_scale_factor=0.25)

    assert np.allclose(to_suv(counts).values, to_modality(pet).values * 0.25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modality": "CT"}, "of modality CT"),
        ({"patient_weight": None}, "Weight"),
        ({"radionuclide_half_life": None}, "Half Life"),
        ({"pet_units": "PROPCPS"}, "PROPCPS"),
        ({"decay_correction": None}, "Decay Correction"),
        ({"corrected_image": None}, r"needs Corrected Image \(0028,0051\) to name ATTN and DECY; it is missing"),
        ({"corrected_image": ["DECY", "SCAT"]}, "corrected for ATTN; .* names DECY, SCAT"),
        ({"corrected_image": []}, "corrected for ATTN and DECY; .* names nothing"),
    ],
)
def test_what_is_missing_is_named(pet: xr.DataArray, change: dict[str, object], message: str) -> None:
    array = pet.copy()
    for name, value in change.items():
        if value is None:
            del array.attrs[name]
        else:
            array.attrs[name] = value

    with pytest.raises(ValueError, match=message):
        to_suv(array)


def test_suv_of_suv_is_refused(pet: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="holds suv already"):
        to_suv(to_suv(pet))


FDG = {
    "SeriesDate": "20200102", "AcquisitionDate": "20200101", "SeriesTime": "120000", "AcquisitionTime": "100500", "PatientWeight": 70,
    "RadiopharmaceuticalInformationSequence": [
        {"RadiopharmaceuticalStartDateTime": "20200101090000", "RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2}
    ],
}  # fmt: skip


def decayed(seconds: float) -> float:
    return float(370e6 * 2 ** (-seconds / 6586.2))


def test_a_series_of_files_has_all_that_suv_need(tmp_path: Path) -> None:
    make_pet(tmp_path, (0.5, 1.25), **{**FDG, "SeriesDate": "20200101", "SeriesTime": "100000"})
    array = opened(tmp_path)

    suv = to_suv(array)

    assert array.attrs["corrected_image"] == ["ATTN", "DECY"]
    assert np.allclose(suv.values, to_modality(array).values * (70_000 / decayed(3600)), rtol=1e-6)


def test_ge_states_when_the_scan_began_in_a_series_made_later(tmp_path: Path) -> None:
    ge: dict[Any, Any] = {0x00090010: [("LO", "GEMS_PETD_01")] * 2, 0x0009100D: [("DT", "20200101093000.00")] * 2}
    make_pet(tmp_path / "ge", (0.5, 1.25), varying=ge, **FDG)
    make_pet(tmp_path / "other", (0.5, 1.25), **FDG)

    array, other = opened(tmp_path / "ge"), opened(tmp_path / "other")

    assert array.attrs["ge_scan_datetime"] == "1969-12-31T09:30:00.000000"
    assert np.allclose(to_suv(array).values, to_modality(array).values * (70_000 / decayed(1800)), rtol=1e-6)
    assert np.allclose(to_suv(other).values, to_modality(other).values * (70_000 / decayed(3900)), rtol=1e-6)


def test_philips_states_factors_from_counts(tmp_path: Path) -> None:
    counts = {**FDG, "Units": "CNTS", "SeriesDate": "20200101", "SeriesTime": "100000"}
    creator: dict[Any, Any] = {0x70530010: [("LO", "Philips PET Private Group")] * 2}
    factors = {0x70531000: [("DS", "0.000551")] * 2, 0x70531009: [("DS", "2")] * 2}
    make_pet(tmp_path / "suv", (0.5, 1.25), varying={**creator, **factors}, **counts)
    make_pet(tmp_path / "activity", (0.5, 1.25), varying={**creator, 0x70531009: [("DS", "1.602563")] * 2}, **counts)
    make_pet(tmp_path / "none", (0.5, 1.25), varying=creator, **counts)

    by_suv, by_activity = opened(tmp_path / "suv"), opened(tmp_path / "activity")

    assert np.allclose(to_suv(by_suv).values, to_modality(by_suv).values * 0.000551, rtol=1e-6)
    assert np.allclose(to_suv(by_activity).values, to_modality(by_activity).values * 1.602563 * 70_000 / decayed(3600), rtol=1e-6)
    with pytest.raises(ValueError, match=r"counts need the Philips factor \(7053,1000\) or \(7053,1009\)"):
        to_suv(opened(tmp_path / "none"))


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name", ["files/fo-dicom/GH184.dcm", "files/orthanc-tests/2020-11-16-SalimKanounAnonymization.dcm", "series/pet_ge_crop"]
)
def test_real_series_have_plausible_suv(corpus: Path, name: str) -> None:
    suv = to_suv(opened(corpus / name))

    assert 0.5 < float(suv.max()) < 200
    assert float(suv.min()) >= 0


def test_counts_without_decay_correction_are_those_of_each_frames_own_time(held: Hold, pet: xr.DataArray) -> None:
    array = pet.assign_attrs(decay_correction="NONE").assign_coords(acquisition_time=("z", [0.0, 300.0, 600.0]))
    lazy = held(array)

    suv = to_suv(lazy)

    expected = [to_modality(pet).values[i] * (70_000 / decayed(3900 + 300 * i)) for i in range(3)]
    assert np.allclose(suv.values, expected, rtol=1e-6)
    assert np.array_equal(to_suv(lazy.isel(z=2)).values, suv.values[2])
    with pytest.raises(ValueError, match=r"some frames have no Acquisition Time \(0008,0032\)"):
        to_suv(array.assign_coords(acquisition_time=("z", [0.0, np.nan, 600.0])))


def test_a_part_of_a_series_made_later_knows_the_start_of_the_scan(tmp_path: Path) -> None:
    frames = {"FrameReferenceTime": [629858, 629858], "ActualFrameDuration": [180000, 180000]}
    make_pet(tmp_path, (0.5, 1.25), varying=frames, **{**FDG, "AcquisitionTime": "100900"})
    array = opened(tmp_path)

    assert array.attrs["first_frame_duration"] == 180_000
    assert np.allclose(to_suv(array).values, to_modality(array).values * (70_000 / decayed(3600)), rtol=1e-6)
