"""DICOMDIR: the files that it names, wherever it lies."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import xdicom
from builders import make_ct, make_file
from servers import RangeServer
from xdicom.headers.directory import MEDIA_STORAGE_DIRECTORY, parse_directory
from xdicom.index.filesets import locate_instances


def write_directory(path: Path, identifiers: list[list[str]], **elements: int) -> None:
    """Write a DICOMDIR that names files, behind a record that names none."""
    patient = {"DirectoryRecordType": "PATIENT"}
    images = [{"DirectoryRecordType": "IMAGE", "RecordInUseFlag": 0xFFFF, "ReferencedFileID": parts, **elements} for parts in identifiers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Invalid value for VR CS")  # which is what some tests want
        make_file(path, {"SOPClassUID": MEDIA_STORAGE_DIRECTORY, "FileSetID": "DISK", "DirectoryRecordSequence": [patient, *images]})


@pytest.fixture
def fileset(tmp_path: Path) -> Path:
    """A DICOMDIR of three planes, and a file beside it that it does not name."""
    make_ct(tmp_path / "disk" / "CT", names=["IM1", "IM2", "IM3"])
    make_ct(tmp_path / "disk" / "other", [100.0])
    write_directory(tmp_path / "disk" / "DICOMDIR", [["CT", f"IM{i}"] for i in (1, 2, 3)])
    return tmp_path / "disk" / "DICOMDIR"


def test_a_directory_stands_for_the_files_that_it_names(fileset: Path) -> None:
    expected = xdicom.open_series(fileset.parent / "CT")

    opened = xdicom.open_series(fileset)

    assert opened.identical(expected)
    assert not xdicom.scan(fileset).problems


def test_a_folder_with_a_directory_is_what_lies_in_it(fileset: Path) -> None:
    catalog = xdicom.scan(fileset.parent)

    assert len(catalog.frames) == 4
    assert [problem.url for problem in catalog.problems] == [str(fileset)]


def test_a_directory_may_be_one_of_several_locations(fileset: Path) -> None:
    found = locate_instances([fileset.parent / "other", fileset, fileset])

    assert [Path(source.url).parent.name for source in found] == ["other", "CT", "CT", "CT"]


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
    gone = fileset.parent / "CT" / "IM2"
    gone.unlink()

    catalog = xdicom.scan(fileset)

    assert len(catalog.frames) == 2
    assert [(problem.url, problem.kind) for problem in catalog.problems] == [(str(gone), "SourceError")]


def test_records_that_are_not_in_use_are_left_out(fileset: Path) -> None:
    write_directory(fileset, [["CT", "IM1"]], RecordInUseFlag=0)

    assert locate_instances(fileset) == []


@pytest.mark.parametrize("identifier", [["..", "SECRET"], ["A/../../B"], [".", "A"], ["A", "span@0+1::B"]])
def test_a_directory_that_leads_out_of_its_folder_is_refused(fileset: Path, identifier: list[str]) -> None:
    write_directory(fileset, [identifier])

    with pytest.raises(xdicom.NotDicomError, match="leads out of the file-set"):
        xdicom.scan(fileset)


def test_a_file_of_that_name_may_be_an_image(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0], names=["DICOMDIR"])

    assert len(xdicom.scan(tmp_path / "DICOMDIR").frames) == 1


def test_a_damaged_directory_says_so(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(b"no DICOM at all")

    with pytest.raises(xdicom.NotDicomError, match=r"the directory can't be read .*open its folder"):
        xdicom.scan(tmp_path / "DICOMDIR")


@pytest.mark.corpus
def test_real_directories_name_their_files(corpus: Path) -> None:
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
    assert len(catalog.frames.instances) + len(catalog.problems) == 31
    assert not [problem for problem in catalog.problems if "not exist" in problem.reason]
