"""The confidentiality profile on what is exported."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import xdicom
from builders import make_cine, make_ct, make_pet
from export.conftest import open_ct
from xdicom import MissingDependencyError, SourceError
from xdicom.export.zarr_verify import verify_zarr, verify_zarr_tree

pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
SECRET = "twenty letters and two"


def exported(array: xr.DataArray, **options: Any) -> xr.DataArray:
    """What comes back of a de-identified store."""
    store = MemoryStore()
    array.dicom.to_zarr(store, deidentify=True, progress=False, **options)
    return xr.open_zarr(store)[array.name]


def test_values_and_geometry_stay_and_texts_and_uids_go(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3, SeriesDescription="for DOE^JANE")

    again = exported(ct)

    np.testing.assert_array_equal(again, ct)
    xr.testing.assert_equal(*(each.dicom.to_modality().drop_vars("sop_instance_uid") for each in (again, ct)))
    assert again["z"].variable.identical(ct["z"].variable)
    assert "series_description" not in again.attrs
    for name in ("study_instance_uid", "series_instance_uid", "frame_of_reference_uid"):
        assert again.attrs[name].startswith("2.25.")
        assert len(again.attrs[name]) <= 64
    assert not set(again["sop_instance_uid"].values) & set(ct["sop_instance_uid"].values)
    assert again.attrs["sop_class_uid"] == ct.attrs["sop_class_uid"]
    assert again.attrs["patient_identity_removed"] == "YES"


def test_nothing_of_the_header_is_in_the_bytes_of_the_store(tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    told = {
        "PatientName": "DOE^JANE", "PatientID": "77-88-99", "PatientBirthDate": "19700102", "SeriesDescription": "THORAX OF JANE",
        "StudyDate": "20250304", "AcquisitionDate": "20250305", "InstitutionName": "SOME HOSPITAL", "AccessionNumber": "A4711",
        "OperatorsName": "SMITH^JOHN", "ProtocolName": "SECRET PROTOCOL", "PatientWeight": "77.25",
    }  # fmt: skip
    make_ct(tmp_path / "DOE" / "ct", **told)
    make_pet(tmp_path / "DOE" / "pet", **told)
    make_ct(tmp_path / "DOE" / "copy", names=["x1", "x2", "x3"], series_uid="1.2.3", **told)
    study = xdicom.open_study(tmp_path / "DOE")

    study.dicom.to_zarr(tmp_path / "study.zarr", codecs=None, deidentify=True, progress=False)

    files = contents(tmp_path / "study.zarr")
    everything = b"".join(files.values()).lower() + "".join(files).lower().encode()
    uids = [str(uid) for node in study.children.values() for uid in node.dataset["stored_values"]["sop_instance_uid"].values]
    assert b"stored_values" in everything
    assert [text for text in [*told.values(), "thorax", "jane", *uids, '1.2.3"'] if text.lower().encode() in everything] == []
    assert sorted(xr.open_datatree(tmp_path / "study.zarr", engine="zarr").children) == ["ct_1", "ct_2", "pt_1"]


def test_one_secret_makes_the_same_uids_and_none_makes_others(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3)
    first, second, other, none = (
        exported(ct, **options) for options in ({"uid_secret": SECRET}, {"uid_secret": SECRET}, {"uid_secret": SECRET[::-1]}, {})
    )

    assert first.identical(second)
    assert len({array.attrs["series_instance_uid"] for array in (first, other, none)}) == 3
    assert len({uid for array in (first, other, none) for uid in array["sop_instance_uid"].values.tolist()}) == 9


def test_a_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whoever guesses it"):
        exported(open_ct(tmp_path / "ct", 2), uid_secret="secret")


def test_series_of_one_study_keep_what_ties_them(tmp_path: Path) -> None:
    for name, uid in (("a", "1.2.3.1"), ("b", "1.2.3.2")):
        make_ct(tmp_path / name, series_uid=uid, StudyInstanceUID="1.2.3", FrameOfReferenceUID="1.2.4")
    study = xdicom.open_study(tmp_path)
    study.dicom.to_zarr(tmp_path / "study.zarr", deidentify=True, progress=False)

    nodes = xr.open_datatree(tmp_path / "study.zarr", engine="zarr")
    arrays = [nodes[name].dataset["stored_values"] for name in ("ct_1", "ct_2")]
    assert arrays[0].attrs["frame_of_reference_uid"] == arrays[1].attrs["frame_of_reference_uid"] != "1.2.4"
    assert nodes["ct_1"].attrs["series_instance_uid"] == arrays[0].attrs["series_instance_uid"]
    assert arrays[0].attrs["series_instance_uid"] != arrays[1].attrs["series_instance_uid"]


def test_an_interrupted_export_goes_on_with_its_secret(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 6)
    store = tmp_path / "store.zarr"
    ct.dicom.to_zarr(store, shards={"z": 2}, deidentify=True, uid_secret=SECRET, progress=False)
    (store / "stored_values" / "c" / "1" / "0" / "0").unlink()

    with pytest.raises(ValueError, match="takes the uid_secret"):
        ct.dicom.to_zarr(store, resume=True, deidentify=True, progress=False)
    with pytest.raises(SourceError, match="another array"):
        ct.dicom.to_zarr(store, resume=True, deidentify=True, uid_secret=SECRET[::-1], progress=False)
    assert ct.dicom.to_zarr(store, resume=True, deidentify=True, uid_secret=SECRET, progress=False).blocks == 1


def test_a_deidentified_store_grows_and_is_compared(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 6)
    options: dict[str, Any] = {"deidentify": True, "uid_secret": SECRET, "progress": False}
    ct[:4].dicom.to_zarr(tmp_path / "store.zarr", **options)
    ct[4:].dicom.to_zarr(tmp_path / "store.zarr", append_dim="z", **options)

    assert verify_zarr(ct, tmp_path / "store.zarr", uid_secret=SECRET, progress=False).is_equal
    assert not verify_zarr(ct, tmp_path / "store.zarr", progress=False).is_equal


def test_a_deidentified_study_is_compared(tmp_path: Path) -> None:
    make_ct(tmp_path / "study" / "ct")
    make_pet(tmp_path / "study" / "pet")
    study = xdicom.open_study(tmp_path / "study")
    study.dicom.to_zarr(tmp_path / "study.zarr", deidentify=True, uid_secret=SECRET, progress=False)

    found = verify_zarr_tree(study, tmp_path / "study.zarr", uid_secret=SECRET, progress=False)

    assert sorted(found) == ["ct_1/stored_values", "pt_1/stored_values"]
    assert all(each.is_equal for each in found.values())


def test_the_digest_of_the_source_can_not_be_made_without_the_secret(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 2)
    plain, hidden = MemoryStore(), MemoryStore()
    ct.dicom.to_zarr(plain, progress=False)
    ct.dicom.to_zarr(hidden, deidentify=True, progress=False)

    marks = [zarr.open_group(store).attrs["xdicom_export"]["stored_values"]["fingerprint"] for store in (plain, hidden)]
    assert marks[0] != marks[1]


def test_times_count_from_the_first(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3)
    moments = np.array(["2025-03-04T10:00:00", "2025-03-04T10:00:02", "2025-03-04T10:00:05"], "datetime64[ns]")
    series = ct.expand_dims(time=moments[:1]).assign_coords(moment=("z", moments)).drop_vars("moment")
    series["time"].attrs["start"] = "2025-03-04"

    again = exported(series)

    assert again["time"].values.tolist() == [0.0]
    assert again["time"].attrs == {"units": "s"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"BurnedInAnnotation": "YES"}, "Burned In Annotation is YES"),
        ({"Modality": "US"}, "does not say whether the pixels of this US image"),
        ({"OverlayRows": 8}, "overlay planes"),
    ],
)
def test_what_pixels_may_tell_is_warned_of(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    ct = open_ct(tmp_path / "ct", 2, **{name: value for name, value in options.items() if name != "OverlayRows"})
    if "OverlayRows" in options:
        ct = ct.assign_attrs(overlay_groups=[0x6000])

    with pytest.warns(UserWarning, match=says):
        exported(ct)


def test_a_label_that_no_one_knows_is_left_out_with_a_warning(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 2).assign_attrs(mrn="77-88").assign_coords(reader=("z", ["SMITH", "JONES"]))

    with pytest.warns(UserWarning, match="left out: mrn, reader"):
        again = exported(ct)

    assert "mrn" not in again.attrs
    assert "reader" not in again.coords


@pytest.mark.filterwarnings("ignore:the header does not say")
def test_ome_zarr_is_deidentified(tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    ct = open_ct(tmp_path / "ct", 3, SeriesDescription="for DOE^JANE")
    ct.dicom.to_ome_zarr(tmp_path / "ct.zarr", deidentify=True, codecs=None, progress=False)

    everything = b"".join(contents(tmp_path / "ct.zarr").values())
    assert b"JANE" not in everything
    assert ct.attrs["series_instance_uid"].encode() not in everything
    assert b"millimeter" in everything


def test_frames_as_they_are_can_not_be_deidentified(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="comments in code streams"):
        exported(open_ct(tmp_path / "ct", 2), codecs="original")


def test_the_table_comes_from_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xdicom.export.dicom_profile import _profile
    from xdicom.export.dicom_profile_table import read_table

    ct = open_ct(tmp_path / "ct", 2)
    _profile.cache_clear()
    read_table.cache_clear()
    monkeypatch.setitem(sys.modules, "dicomanonymizer.dicom_anonymization_databases", None)

    with pytest.raises(MissingDependencyError, match=r"pip install 'xdicom\[deidentify\]'"):
        ct.dicom.to_zarr(tmp_path / "store.zarr", deidentify=True, progress=False)
    assert not (tmp_path / "store.zarr").exists()


def test_every_label_that_is_made_here_is_known(testdata: Path) -> None:
    for name in ("ct", "pet", "mr_enhanced.dcm", "us_cine.dcm", "palette.dcm"):
        check_labels(xdicom.open_series(testdata / name))


def check_labels(array: xr.DataArray) -> None:
    """Whether no label of an array, or of what it is transformed to, is left out as unknown."""
    from xdicom.export.dicom_profile import deidentify_array
    from xdicom.export.pseudonyms import pseudonyms_of
    from xdicom.export.zarr_labels import portable

    made = [array]
    for transform in ("to_modality", "to_display", "to_rgb", "to_suv", "to_real_world", "overlays", "patient_coords"):
        try:
            made.append(getattr(array.dicom, transform)())
        except (ValueError, NotImplementedError, xdicom.XDicomError):
            continue
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for each in made:
            deidentify_array(portable(each), pseudonyms_of(SECRET))

    assert [str(warning.message) for warning in found if "left out" in str(warning.message)] == []


def test_numbers_of_frames_stay(tmp_path: Path) -> None:
    make_cine(tmp_path / "cine.dcm", BurnedInAnnotation="NO")

    assert "frame_number" in exported(xdicom.open_series(tmp_path / "cine.dcm")).coords
