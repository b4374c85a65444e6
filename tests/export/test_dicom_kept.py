"""Headers that were kept with the labels make DICOM from a store alone, in a process that knows no source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import make_ct, make_enhanced_mr, make_pet, make_rtdose
from labeled.opened import elsewhere
from xdicom.errors import NotDicomError, SourceError
from xdicom.export.dicom_files import write_dicom
from xdicom.export.dicom_kept import OWN, WHOLE, keep_headers, kept_headers
from xdicom.labeled import origins

OF_SOURCES = {"sop_instance_uid", "source_sop_instance_uid", "instance_number", "frame_number"}


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Slices whose headers differ in a number and in what there is."""
    make_ct(tmp_path / "ct", [0, 2.5, 5], StudyDescription="Thörax", varying={"ImageComments": ["first", None, "third"]})
    return xdicom.open_series(tmp_path / "ct")


def stored(array: xr.DataArray, store: Path) -> xr.DataArray:
    """`array` in a store and out of it, in what might be another process."""
    keep_headers(array).dicom.to_zarr(store, progress=False)
    origins._tables.clear()
    return xr.open_zarr(store)["stored_values"]


def test_a_store_with_headers_becomes_the_series_that_it_was(ct: xr.DataArray, tmp_path: Path) -> None:
    write_dicom(stored(ct, tmp_path / "ct.zarr"), tmp_path / "out", progress=False)

    found = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").iterdir())]
    assert {(str(header.PatientName), header.StudyDescription) for header in found} == {("Phantom", "Thörax")}
    assert [header.get("ImageComments") for header in found] == ["first", None, "third"]
    assert [header.SourceImageSequence[0].ReferencedSOPInstanceUID for header in found] == ct["sop_instance_uid"].values.tolist()
    again = xdicom.open_series(tmp_path / "out")
    np.testing.assert_array_equal(again.values, ct.values)
    np.testing.assert_array_equal(again.dicom.affine, ct.dicom.affine)


def test_the_header_of_a_frame_is_read_from_a_store(ct: xr.DataArray, tmp_path: Path) -> None:
    part = stored(ct, tmp_path / "ct.zarr").isel(z=[2, 1])

    header = part.dicom.header(0)

    assert (header.StudyDescription, header.ImageComments, header.get("PixelData")) == ("Thörax", "third", None)
    assert header.SOPInstanceUID == ct["sop_instance_uid"].values[2]
    assert "ImageComments" not in part.dicom.header({"z": 1})


def test_slopes_of_the_source_are_known_from_a_store(tmp_path: Path) -> None:
    make_pet(tmp_path / "pet", [0.5, 1.25, 2.0])
    pet = xdicom.open_series(tmp_path / "pet")
    values = stored(pet, tmp_path / "pet.zarr").dicom.to_modality()

    written = write_dicom(values, tmp_path / "out", rescale="source", progress=False)

    found = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [float(header.RescaleSlope) for header in found] == [0.5, 1.25, 2.0]
    assert written.max_error == 0
    np.testing.assert_array_equal([header.pixel_array for header in found], pet.values)


def test_identities_are_not_kept_of_what_only_headers_are_known_of(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="opened"):
        write_dicom(stored(ct, tmp_path / "ct.zarr"), tmp_path / "out", keep_uids=True, progress=False)


def test_parts_of_a_store_keep_their_own_headers(ct: xr.DataArray, tmp_path: Path) -> None:
    part = stored(ct, tmp_path / "ct.zarr").isel(z=slice(None, None, -2), x=slice(1, 4))

    write_dicom(part, tmp_path / "out", progress=False)

    found = [pydicom.dcmread(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [header.ImageComments for header in found] == ["third", "first"]
    np.testing.assert_array_equal(xdicom.open_series(tmp_path / "out")["x"].values, part["x"].values)


@pytest.mark.parametrize("make", [make_enhanced_mr, make_rtdose, make_pet])
def test_other_kinds_come_back_as_what_they_were(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "in" if make is make_pet else tmp_path / "in" / "one.dcm")
    array = xdicom.open_series(tmp_path / "in")

    write_dicom(stored(array, tmp_path / "a.zarr"), tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out")
    assert (again.dims, again.attrs["sop_class_uid"]) == (array.dims, array.attrs["sop_class_uid"])
    np.testing.assert_array_equal(again.values, array.values)
    np.testing.assert_array_equal(again.dicom.to_modality().values, array.dicom.to_modality().values)
    for name in set(array.coords) - OF_SOURCES:
        np.testing.assert_array_equal(again[name].values, array[name].values)


def test_what_is_made_of_a_deidentified_store_says_so(ct: xr.DataArray, tmp_path: Path) -> None:
    pytest.importorskip("dicomanonymizer")
    ct.dicom.to_zarr(tmp_path / "ct.zarr", deidentify=True, progress=False)
    array = xr.open_zarr(tmp_path / "ct.zarr")["stored_values"]

    write_dicom(array, tmp_path / "out", progress=False, attributes={"FrameOfReferenceUID": "1.2.3"})

    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (header.PatientIdentityRemoved, header.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert max(map(len, header.DeidentificationMethod)) <= 64
    assert " ".join(header.DeidentificationMethod) == array.attrs["deidentification_method"]
    assert str(header.PatientName) == ""


def test_headers_take_little_room(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [2.5 * i for i in range(40)], ImageComments="a long remark that all slices share " * 40)

    kept = keep_headers(xdicom.open_series(tmp_path / "ct"))

    assert sum(map(len, kept[OWN].values.tolist())) < 40 * 300
    assert kept[WHOLE].ndim == 0


def test_a_text_of_a_person_is_never_shown(ct: xr.DataArray) -> None:
    kept = keep_headers(ct)

    assert "Phantom" not in repr(kept)
    assert "Phantom" not in kept._repr_html_()


def test_headers_are_not_kept_unasked(ct: xr.DataArray) -> None:
    assert not {WHOLE, OWN} & set(ct.coords)
    assert kept_headers(ct) is None


def test_headers_of_what_this_process_has_not_opened_are_asked_for(ct: xr.DataArray) -> None:
    with pytest.raises(SourceError, match=r"not opened in this process.*open_series"):
        keep_headers(elsewhere(ct))


def test_labels_that_hold_no_header_are_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    kept = elsewhere(keep_headers(ct))

    with pytest.raises(NotDicomError, match=r"hold no header"):
        write_dicom(kept.assign_coords({WHOLE: "nonsense"}), tmp_path / "out", progress=False)
