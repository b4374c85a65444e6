"""SUV of a labelled PET series."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

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
