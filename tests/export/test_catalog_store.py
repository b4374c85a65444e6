"""A saved catalog stands for the location: nothing is read twice, and no person is named in it."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import xdicom
from builders import make_cine, make_ct, make_enhanced_mr, make_file, make_pet, phantom
from doubles import counted_reads
from fresh import imports
from xdicom.errors import NotDicomError, SourceError
from xdicom.export import catalog_packs, catalog_store
from xdicom.export.catalog_packs import Pack, Packs, Unpacker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Several kinds of objects, texts of two character sets, a problem and a note."""
    make_ct(tmp_path / "in" / "ct", [0.0, 2.0, 4.0, 6.0, 8.0], SpecificCharacterSet="ISO_IR 192", SeriesDescription="Schädel")
    make_pet(tmp_path / "in" / "pet", [0.0, 2.0])
    make_enhanced_mr(tmp_path / "in" / "mr.dcm", (3.0, 6.0))
    make_cine(tmp_path / "in" / "cine.dcm", 3)
    (tmp_path / "in" / "readme.txt").write_text("nothing to see " * 20)
    return tmp_path / "in"


def test_a_saved_catalog_is_the_one_that_was_saved(folder: Path, tmp_path: Path) -> None:
    catalog = xdicom.scan(folder)

    catalog.save(tmp_path / "a.catalog")
    again = xdicom.scan(tmp_path / "a.catalog")

    assert again.to_dict() == catalog.to_dict()
    assert (again.problems, again.notes, again.read_by_pydicom) == (catalog.problems, catalog.notes, catalog.read_by_pydicom)
    ours, theirs = again.frames, catalog.frames
    assert (ours.instances.urls, ours.instances.stamps) == (theirs.instances.urls, theirs.instances.stamps)
    assert ours.instances.encodings == theirs.instances.encodings
    for name in ("instance", "frame_number", "offset", "length"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    for mine, others in ((ours.instances.columns, theirs.instances.columns), (ours.columns, theirs.columns)):
        assert list(mine) == list(others)
        for name, column in mine.items():
            assert column.kind == others[name].kind
            np.testing.assert_array_equal(column.codes, others[name].codes)
            np.testing.assert_array_equal(column.values, others[name].values)


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["one"], ["a", "b"], ["two\nlines", "Größe 心"], ["\n"], ["odd \udc80 path", "x"]])
def test_any_texts_are_what_they_were(texts: list[str]) -> None:
    packs = Packs()
    packs.add_texts(texts)
    packs.add_texts(["behind"])

    unpacked = Unpacker({name: Pack(zarr.array(data)) for name, data in packs.joined().items()})

    assert (list(unpacked.texts()), list(unpacked.texts())) == (texts, ["behind"])


def test_no_column_is_made_before_it_is_asked_for(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_packs, "_KEPT", 0)
    xdicom.scan(folder / "ct").save(tmp_path / "a.catalog")
    taken: list[tuple[int, int]] = []
    part = Pack.part

    def counted(pack: Pack, start: int, stop: int) -> np.ndarray:
        taken.append((start, stop))
        return part(pack, start, stop)

    monkeypatch.setattr(Pack, "part", counted)

    catalog = xdicom.scan(tmp_path / "a.catalog")
    opened = len(taken)
    modality = catalog.frames.texts("modality").tolist()

    assert len(catalog.frames.instances.columns) > 20
    assert opened < 12
    assert modality == ["CT"] * 5
    assert len(taken) == opened + 3  # its codes, and the texts with their lengths


def test_an_opened_catalog_is_what_it_was_though_another_takes_its_place(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder / "ct").save(tmp_path / "a.catalog")
    expected = xdicom.scan(folder / "ct")

    catalog = xdicom.scan(tmp_path / "a.catalog")
    xdicom.scan(folder / "pet").save(tmp_path / "a.catalog")

    assert catalog.frames.texts("sop_instance_uid").tolist() == expected.frames.texts("sop_instance_uid").tolist()
    assert catalog.frames.instances.urls == expected.frames.instances.urls


def test_columns_of_many_values_lie_in_several_chunks(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_store, "_CHUNK", 64)
    monkeypatch.setattr(catalog_packs, "_KEPT", 64)
    catalog = xdicom.scan(folder)

    catalog.save(tmp_path / "a.catalog")
    again = xdicom.scan(tmp_path / "a.catalog")

    assert zarr.open_group(tmp_path / "a.catalog", mode="r").attrs["chunks"]["texts"] > 10  # type: ignore[index, operator]
    assert again.frames.instances.urls == catalog.frames.instances.urls
    for name, column in catalog.frames.instances.columns.items():
        np.testing.assert_array_equal(again.frames.instances.columns[name].values, column.values)


def test_an_opened_catalog_travels(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder).save(tmp_path / "a.catalog")

    catalog = pickle.loads(pickle.dumps(xdicom.scan(tmp_path / "a.catalog")))

    assert catalog.to_dict() == xdicom.scan(folder).to_dict()
    assert catalog.frames.instances.urls == xdicom.scan(folder).frames.instances.urls


def test_a_series_opens_from_it_without_a_look_at_its_files(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder / "ct").save(tmp_path / "a.catalog")
    expected = xdicom.open_series(folder / "ct")

    with counted_reads(folder) as reads:
        series = xdicom.open_series(tmp_path / "a.catalog")

    assert reads.requests == 0
    assert series.compute().identical(expected.compute())


def test_the_whole_header_of_a_frame_is_read_from_its_source(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder / "ct").save(tmp_path / "a.catalog")
    series = xdicom.open_series(tmp_path / "a.catalog")

    headers = [series.dicom.header(i) for i in range(5)]

    assert [float(header.ImagePositionPatient[2]) for header in headers] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert [header.SOPInstanceUID for header in headers] == series["sop_instance_uid"].values.tolist()


def test_headers_are_at_hand_behind_a_round_trip_through_zarr(folder: Path, tmp_path: Path) -> None:
    series = xdicom.open_series(folder / "ct")
    series.dicom.to_zarr(tmp_path / "a.zarr", progress=False)

    with xr.open_zarr(tmp_path / "a.zarr") as again:
        header = again["stored_values"].dicom.header(2)

    assert float(header.ImagePositionPatient[2]) == 4.0


def test_nothing_of_a_person_is_in_it(tmp_path: Path) -> None:
    person = {"PatientName": "Someone^Known", "PatientID": "ID-4711", "PatientBirthDate": "19700203", "OperatorsName": "Other^One"}
    make_ct(tmp_path / "in", [0.0, 2.0, 4.0, 6.0], **person, ReferringPhysicianName="Third^One", AccessionNumber="ACC-99")
    make_file(tmp_path / "in" / "odd.dcm", {"Modality": "OT", **person}, phantom(0))

    xdicom.scan(tmp_path / "in").save(tmp_path / "a.catalog")

    group = zarr.open_group(tmp_path / "a.catalog", mode="r")
    stored = json.dumps(dict(group.attrs)).encode() + b"".join(np.asarray(array[:]).tobytes() for _, array in group.arrays())
    for told in (b"Someone", b"ID-4711", b"19700203", b"Other^One", b"Third^One", b"ACC-99"):
        assert told not in stored
    assert np.float64(32.0 + 1).tobytes() not in stored  # 1970-02-03 as a number of days


def test_a_file_that_changed_since_is_not_read_with_the_old_places(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder / "ct").save(tmp_path / "a.catalog")
    series = xdicom.open_series(tmp_path / "a.catalog")
    changed = sorted((folder / "ct").iterdir())[2]
    state = changed.stat()
    os.utime(changed, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000_000))

    with pytest.raises(SourceError, match="change"):
        series.compute()


def test_a_saved_catalog_is_brought_up_to_date(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder).save(tmp_path / "a.catalog")
    make_ct(folder / "ct", [10.0], names=["new.dcm"])

    with counted_reads(folder) as reads:
        newer = xdicom.scan(folder, known=xdicom.scan(tmp_path / "a.catalog"))

    # One of the series that was there tells whether the patient is the same.
    assert {Path(path).name for path in reads.opened} == {"new.dcm", "000.dcm"}
    assert newer.to_dict() == xdicom.scan(folder).to_dict()


def test_it_is_replaced_by_the_next_one_and_nothing_else_is(folder: Path, tmp_path: Path) -> None:
    catalog = xdicom.scan(folder)
    catalog.save(tmp_path / "a.catalog")
    xdicom.scan(folder / "ct").save(tmp_path / "a.catalog")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")

    assert len(xdicom.scan(tmp_path / "a.catalog").series) == 1
    with pytest.raises(SourceError, match="choose another target"):
        catalog.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_catalog_of_another_version_is_refused(folder: Path, tmp_path: Path) -> None:
    xdicom.scan(folder).save(tmp_path / "a.catalog")
    zarr.open_group(tmp_path / "a.catalog", mode="r+").attrs["version"] = 99

    with pytest.raises(NotDicomError, match="scan the location again"):
        xdicom.scan(tmp_path / "a.catalog")


def test_a_scan_and_a_saved_catalog_need_no_pydicom(folder: Path, tmp_path: Path) -> None:
    code = f"import xdicom; xdicom.scan({str(folder)!r}).save({str(tmp_path / 'a')!r}); xdicom.open_series({str(tmp_path / 'a')!r}, "

    assert not imports(f"{code}series_uid=xdicom.scan({str(tmp_path / 'a')!r}).series[0].series_uid)", "pydicom")
