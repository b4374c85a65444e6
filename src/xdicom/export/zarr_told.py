"""What an export may tell of an array: all of its labels, or what the confidentiality profile leaves of them."""

from __future__ import annotations

import xarray as xr

from xdicom.export.dicom_profile import check_profile, deidentify_array
from xdicom.export.fingerprint import fingerprint_of
from xdicom.export.pseudonyms import Pseudonyms, pseudonyms_of
from xdicom.export.zarr_labels import portable


def pseudonyms_for(secret: str | bytes | None, *, needs_lasting: bool) -> Pseudonyms:
    """Pseudonyms for an export that is de-identified.

    Raises
    ------
    MissingDependencyError
        Without the library that has the table of the profile.
    ValueError
        If the secret is short, or missing where an earlier run has made UIDs.
    """
    if needs_lasting and secret is None:
        raise ValueError("to go on with a de-identified store, or to add to one, takes the uid_secret that it was begun with")
    check_profile()
    return pseudonyms_of(secret)


def told_of(array: xr.DataArray, pseudonyms: Pseudonyms | None) -> tuple[xr.DataArray, str]:
    """The portable array with the labels that may be told, and the fingerprint it is known by (empty: its own)."""
    whole = portable(array)
    if pseudonyms is None:
        return whole, ""
    return portable(deidentify_array(whole, pseudonyms)), pseudonyms.digest(fingerprint_of(whole))
