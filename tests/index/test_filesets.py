"""DICOMDIR: the files that it names, wherever it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet

import xdicom
from builders import make_ct, make_file
from servers import RangeServer
from xdicom.headers.directory import parse_directory
from xdicom.index.filesets import locate_instances


@pytest.fixture
def fileset(tmp_path: Path) -> Path:
    """A DICOMDIR of three planes, and a file beside it that it does not name."""
    files = FileSet()
    for path in make_ct(tmp_path / "loose", PatientID="1", StudyID="1"):
        files.add(dcmread(path))
    files.write(tmp_path / "disk")
    make_ct(tmp_path / "disk" / "other", [100.0])
    return tmp_path / "disk" / "DICOMDIR"


def test_a_directory_stands_for_the_files_that_it_names(fileset: Path, tmp_path: Path) -> None:
    expected = xdicom.open_series(tmp_path / "loose")

    opened = xdicom.open_series(fileset)

    assert opened.identical(expected)
    assert not xdicom.scan(fileset).problems


def test_a_folder_with_a_directory_is_what_lies_in_it(fileset: Path) -> None:
    catalog = xdicom.scan(fileset.parent)

    assert len(catalog.frames) == 4
    assert [problem.url for problem in catalog.problems] == [str(fileset)]


def test_a_directory_may_be_one_of_several_locations(fileset: Path) -> None:
    found = locate_instances([fileset.parent / "other", fileset, fileset])

    assert [Path(source.url).parent.name for source in found] == ["other", "SE000000", "SE000000", "SE000000"]


def test_a_directory_on_the_web_leads_to_files_there(fileset: Path) -> None:
    web = RangeServer()
    for path in fileset.parent.rglob("*"):
        if path.is_file():
            web.put(path.relative_to(fileset.parent).as_posix(), path.read_bytes())

    opened = xdicom.open_series(f"{web.url}/DICOMDIR")
    requests = len(web.requests)
    values = opened.values
    web.stop()

    assert (values == xdicom.open_series(fileset).values).all()
    assert requests == 1 + 1 + 3  # what it is, the directory, and one header each


def test_media_mounted_in_lower_case_are_read(fileset: Path, tmp_path: Path) -> None:
    for path in sorted((tmp_path / "disk").rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.lower()))

    assert xdicom.open_series(tmp_path / "disk" / "dicomdir").sizes["z"] == 3


def test_a_file_that_is_gone_is_a_problem_and_stops_no_other(fileset: Path) -> None:
    gone = next(fileset.parent.rglob("IM000001"))
    gone.unlink()

    catalog = xdicom.scan(fileset)

    assert len(catalog.frames) == 2
    assert [(problem.url, problem.kind) for problem in catalog.problems] == [(str(gone), "SourceError")]


def test_records_that_are_not_in_use_are_left_out(fileset: Path) -> None:
    directory = dcmread(fileset)
    record = next(record for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record)
    record.RecordInUseFlag = 0
    directory.save_as(fileset)

    assert len(locate_instances(fileset)) == 2


@pytest.mark.parametrize("identifier", [["..", "SECRET"], ["A/../../B"], [".", "A"]])
def test_a_directory_that_leads_out_of_its_folder_is_refused(fileset: Path, identifier: list[str]) -> None:
    directory = dcmread(fileset)
    record = next(record for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record)
    del record.ReferencedFileID
    with pytest.warns(UserWarning, match="Invalid value|invalid") if "/" in identifier[0] or identifier[0] in (".", "..") else _nothing():
        record.ReferencedFileID = identifier
    with pytest.warns(UserWarning, match="Invalid value|invalid") if "/" in identifier[0] or identifier[0] in (".", "..") else _nothing():
        directory.save_as(fileset)

    with pytest.raises(xdicom.NotDicomError, match="leads out of the file-set"):
        xdicom.scan(fileset)


def test_a_file_of_that_name_may_be_an_image(tmp_path: Path) -> None:
    make_file(tmp_path / "DICOMDIR")

    assert len(xdicom.scan(tmp_path / "DICOMDIR").frames) == 1


def test_a_damaged_directory_says_so(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"no DICOM at all")

    with pytest.raises(xdicom.NotDicomError, match=r"the directory can't be read .*open its folder"):
        xdicom.scan(tmp_path / "DICOMDIR")


@pytest.mark.corpus
def test_real_directories_name_their_files(corpus: Path, tmp_path: Path) -> None:
    folder = corpus / "series" / "dicomdir_fileset_tiny"
    named = {path.name: parse_directory(path.read_bytes()) for path in sorted(folder.glob("DICOMDIR*"))}

    catalog = xdicom.scan(folder / "DICOMDIR")

    assert {name: None if found is None else len(found) for name, found in named.items()} == {
        "DICOMDIR": 31,
        "DICOMDIR-bigEnd": 31,
        "DICOMDIR-empty.dcm": 0,
        "DICOMDIR-implicit": 31,
        "DICOMDIR-nooffset": 31,
        "DICOMDIR-nopatient": 31,
        "DICOMDIR-reordered": 31,
    }
    assert {problem.reason.split(" (")[0] for problem in catalog.problems} == {"no pixel data"}
    shutil.rmtree(tmp_path)
