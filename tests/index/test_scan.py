"""Many headers as one catalog: each read once, none further than its pixels, none stopped by another."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import make_cine, make_ct, make_enhanced_mr, make_file, make_not_dicom, make_pet, make_seg, make_sr, phantom, phantoms, uid
from doubles import counted_reads, pixel_data_offset
from xdicom.headers.records import HEAD_LENGTH
from xdicom.index.catalog import Catalog
from xdicom.index.scan import scan_sources
from xdicom.model.columns import Column
from xdicom.sources.locate import locate


def scan(*locations: Path) -> Catalog:
    return scan_sources(locate(list(locations)))


def texts(catalog: Catalog, name: str) -> list[str]:
    return catalog.frames.texts(name).tolist()


def test_every_frame_of_every_file_is_a_row_in_file_order(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0, 1, 2])
    make_cine(tmp_path / "b.dcm", 4)

    frames = scan(tmp_path).frames

    assert len(frames) == 7
    assert frames.instance.tolist() == [0, 1, 2, 3, 3, 3, 3]
    assert frames.frame_number.tolist() == [1, 1, 1, 1, 2, 3, 4]


def test_spans_are_where_the_pixels_are(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [0, 1])

    frames = scan(tmp_path).frames

    assert frames.offset.tolist() == [pixel_data_offset(path) for path in paths]
    assert frames.length.tolist() == [96, 96]


def test_no_pixel_byte_is_read(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [0, 1, 2], rows=128, columns=128)

    with counted_reads(tmp_path) as reads:
        scan(tmp_path)

    # The one read of a file's first bytes may end behind the header; nothing else is asked for.
    assert all(reads.of(path) == [(0, HEAD_LENGTH)] for path in paths)
    assert reads.bytes == 3 * HEAD_LENGTH


def test_each_file_is_opened_once_and_closed(tmp_path: Path) -> None:
    make_ct(tmp_path, [0, 1, 2], rows=128, columns=128)

    with counted_reads(tmp_path) as reads:
        scan(tmp_path)

    assert len(reads.opened) == len(set(reads.opened)) == 3
    assert reads.left_open == 0


def test_a_longer_header_is_read_on_from_where_the_first_read_ended(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0], rows=256, columns=256, varying={"ImageComments": ["x" * 10000]})

    with counted_reads(tmp_path) as reads:
        catalog = scan(tmp_path)

    assert catalog.frames.numbers("rows").tolist() == [256]
    assert reads.pixel_bytes(path) < 20000


@pytest.mark.parametrize("table", ["basic", "extended"])
def test_a_table_of_offsets_spares_a_walk_over_the_fragments(tmp_path: Path, table: str) -> None:
    path = make_enhanced_mr(tmp_path / "a.dcm", (1.0, 2.0), tuple(range(20)), rows=64, columns=64, transfer_syntax="jpegls", table=table)

    with counted_reads(tmp_path) as reads:
        catalog = scan(path)

    assert len(catalog.frames) == 40
    assert reads.requests <= 12


def bad_files(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Files that hold no frames, with the kind of error and words of its message."""
    yield make_not_dicom(folder / "notes.dcm"), "NotDicomError", "not a DICOM file"
    yield make_sr(folder / "report.dcm"), "NotDicomError", "no pixel data"
    (folder / "empty.dcm").write_bytes(b"")
    yield folder / "empty.dcm", "NotDicomError", "empty"
    whole = make_ct(folder / "cut", [0])[0]
    data = whole.read_bytes()
    whole.write_bytes(data[:400])
    yield whole, "NotDicomError", ""
    yield make_file(folder / "rows.dcm", {"Rows": None}, phantom(0)), "PixelDataError", "rows"
    yield make_file(folder / "bits.dcm", {"BitsAllocated": 12}, phantom(0)), "UnsupportedEncodingError", "Bits Allocated"
    yield make_file(folder / "many.dcm", {"NumberOfFrames": 10**9}, phantom(0)), "PixelDataError", "can't be trusted"


@pytest.mark.parametrize("number", range(7))
def test_what_can_not_be_read_is_a_problem_with_its_reason_and_stops_no_other(tmp_path: Path, number: int) -> None:
    path, kind, words = list(bad_files(tmp_path / "bad"))[number]
    make_ct(tmp_path / "good", [0, 1])

    catalog = scan(path, tmp_path / "good")

    assert len(catalog.frames) == 2
    (problem,) = catalog.problems
    assert (problem.url, problem.kind) == (str(path), kind)
    assert words in problem.reason


def test_a_dicomdir_is_no_image(tmp_path: Path) -> None:
    make_file(tmp_path / "DICOMDIR", {"SOPClassUID": None, "SOPInstanceUID": None, "FileSetID": "DISK"})
    make_ct(tmp_path / "ct", [0])

    catalog = scan(tmp_path)

    assert len(catalog.frames) == 1
    assert "no pixel data" in catalog.problems[0].reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0])
    path.chmod(0)

    assert scan(tmp_path).problems[0].kind == "SourceError"


def test_a_file_that_went_away_since_it_was_listed_is_a_problem(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [0, 1])
    sources = locate(tmp_path)
    paths[0].unlink()

    catalog = scan_sources(sources)

    assert len(catalog.frames) == 1
    assert (catalog.problems[0].url, catalog.problems[0].kind) == (str(paths[0]), "SourceError")


def test_every_source_is_counted(tmp_path: Path) -> None:
    make_ct(tmp_path, [0, 1])
    make_not_dicom(tmp_path / "readme.txt")

    assert scan(tmp_path).source_count == 3


def test_progress_is_told_up_to_the_last_source(tmp_path: Path) -> None:
    make_ct(tmp_path, range(5))  # type: ignore[arg-type]
    told: list[tuple[int, int, int]] = []

    scan_sources(locate(tmp_path), lambda *now: told.append(now))

    assert told[-1] == (5, 5, 5)
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)


def test_no_sources_are_an_empty_catalog() -> None:
    catalog = scan_sources([])

    assert (len(catalog), len(catalog.frames), catalog.source_count) == (0, 0, 0)


def test_what_is_odd_in_all_of_many_files_is_noted_for_each(tmp_path: Path) -> None:
    make_ct(tmp_path, [float(i) for i in range(12)], HighBit=7, BitsStored=12)

    catalog = scan(tmp_path)

    assert len([note for note in catalog.notes if "High Bit 7" in note.reason]) == 12


def test_what_was_odd_is_noted_with_its_file(tmp_path: Path) -> None:
    path = make_cine(tmp_path / "a.dcm", 3, NumberOfFrames=2)

    (note,) = scan(path).notes

    assert note.url == str(path)
    assert "holds 3 frames, the header declares 2" in note.reason


def test_headers_that_went_to_pydicom_are_counted(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0], ImageComments="plain")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x20\0\0\x40LT", b"\x20\0\0\x40ZZ"))
    make_ct(tmp_path / "more", [1])

    catalog = scan(tmp_path)

    assert catalog.read_by_pydicom == 1
    assert len(catalog.frames) == 2


def test_a_deflated_file_is_read_and_its_frames_lie_in_the_inflated_source(tmp_path: Path) -> None:
    make_ct(tmp_path, [0, 1], transfer_syntax="deflated")

    frames = scan(tmp_path).frames

    assert texts(scan(tmp_path), "modality") == ["CT", "CT"]
    assert all(url.startswith("inflate@") for url in frames.instances.urls)


def test_a_zip_file_is_scanned_like_a_folder(tmp_path: Path) -> None:
    paths = make_ct(tmp_path / "ct", [0, 1, 2])
    with zipfile.ZipFile(tmp_path / "ct.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)

    catalog = scan(tmp_path / "ct.zip")

    assert texts(catalog, "sop_instance_uid") == texts(scan(tmp_path / "ct"), "sop_instance_uid")


def test_objects_in_storage_are_scanned_like_files(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [0, 1, 2])
    make_enhanced_mr(tmp_path / "mr.dcm", transfer_syntax="rle", table="none")
    storage = fsspec.filesystem("memory")
    storage.put(str(tmp_path), "/scanned", recursive=True)
    try:
        remote, local = scan_sources(locate("memory://scanned")), scan(tmp_path)
    finally:
        storage.rm("/scanned", recursive=True)

    assert [(series.modality, series.frames) for series in remote.series] == [("CT", 3), ("MR", 6)]
    assert texts(remote, "sop_instance_uid") == texts(local, "sop_instance_uid")
    np.testing.assert_array_equal(remote.frames.offset, local.frames.offset)
    np.testing.assert_array_equal(remote.frames.length, local.frames.length)


def test_a_gzipped_file_is_a_problem_or_read_but_never_an_exception(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path / "ct", [0])
    (tmp_path / "a.dcm.gz").write_bytes(gzip.compress(path.read_bytes()))

    catalog = scan(tmp_path / "a.dcm.gz")

    assert len(catalog.frames) + len(catalog.problems) == 1


def test_files_of_different_syntaxes_are_one_series(tmp_path: Path) -> None:
    for i, syntax in enumerate(["native", "implicit", "big_endian", "rle", "jpegls", "deflated", "j2k"]):
        make_ct(tmp_path / str(i), [float(i)], transfer_syntax=syntax, series_uid=uid("one"), varying={"SOPInstanceUID": [uid(syntax)]})

    catalog = scan(tmp_path)

    assert [series.frames for series in catalog.series] == [7]
    assert catalog.frames.numbers("kvp").tolist() == [120] * 7
    assert catalog.frames.column("rescale_type").is_constant  # type: ignore[union-attr]


def test_texts_of_different_character_sets_are_one_column(tmp_path: Path) -> None:
    for i, (name, text) in enumerate([("ISO_IR 144", "Сердце"), ("ISO_IR 192", "Сердце"), ("ISO_IR 100", "Grüße"), (None, "heart")]):
        make_ct(tmp_path / str(i), [0], SpecificCharacterSet=name, SeriesDescription=text)

    column = scan(tmp_path).frames.column("series_description")

    assert column is not None
    assert column.texts().tolist() == ["Сердце", "Сердце", "Grüße", "heart"]
    assert column.codes.tolist() == [0, 0, 1, 2]


def test_no_name_or_number_of_a_person_is_kept(tmp_path: Path) -> None:
    make_ct(tmp_path, [0, 1], PatientName="Someone^Known", PatientID="4711-0815", PatientBirthDate="19470815", AccessionNumber="A99")

    catalog = scan(tmp_path)

    told = (
        repr(catalog)
        + catalog._repr_html_()
        + str(catalog.to_dict())
        + "".join(str(column.values) for column in catalog.frames.instances.columns.values())
    )
    assert not any(word in told for word in ("Someone", "4711", "19470815", "A99"))


def cell(column: Column, row: int) -> Any:
    return None if column.codes[row] < 0 else column.values[column.codes[row]]


KINDS: dict[str, dict[str, Any]] = {
    "usual": {},
    "a longer comment": {"ImageComments": "x" * 77},
    "another order of lengths": {"SeriesDescription": "a longer description", "ProtocolName": "p"},
    "a sequence": {"ReferencedImageSequence": [{"ReferencedSOPInstanceUID": "1.2.3"}]},
    "one element less": {"SliceThickness": None},
    "a text of many lines": {"AdditionalPatientHistory": "a\r\nb" * 30},
    "signed": {"PixelPaddingValue": -2000},
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(["native", "implicit", "big_endian", "rle"])), min_size=2, max_size=12
    )
)
def test_files_read_together_give_what_each_gives_alone(tmp_path: Path, kinds: list[tuple[str, str]]) -> None:
    folder = tmp_path / "heap"
    shutil.rmtree(folder, ignore_errors=True)
    paths = []
    for i, (kind, syntax) in enumerate(kinds):
        paths += make_ct(
            folder / f"{i:03d}", [float(i)], transfer_syntax=syntax, varying={"SOPInstanceUID": [uid("heap", i)]}, **KINDS[kind]
        )

    together = scan(folder)

    for i, path in enumerate(paths):
        alone = scan(path)
        assert together.frames.offset[i] == alone.frames.offset[0]
        for name, column in alone.frames.instances.columns.items():
            whole = together.frames.column(name)
            if not (column.codes >= 0).any():
                continue
            assert whole is not None, name
            if column.kind == "number":
                width = column.values.shape[1]
                np.testing.assert_array_equal(whole.numbers()[i, :width], column.numbers()[0], err_msg=name)
            else:
                assert cell(whole, i) == cell(column, 0), name


def test_two_hundred_alike_files_with_one_odd_among_them_are_read_right(tmp_path: Path) -> None:
    make_ct(
        tmp_path,
        [float(i) for i in range(200)],
        varying={"ImageComments": [("y" * 40 if i == 77 else None) for i in range(200)]},
        rows=2,
        columns=2,
    )

    frames = scan(tmp_path).frames

    assert frames.numbers("instance_number").tolist() == list(range(1, 201))
    assert frames.texts("image_comments")[77] == "y" * 40
    assert frames.column("image_position_patient").numbers()[:, 2].tolist() == list(range(200))  # type: ignore[union-attr]


def test_bytes_that_look_like_those_of_the_file_before_are_not_believed_unverified(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0, 1, 2, 3], SeriesDescription="same length 16ch")
    (path,) = make_ct(tmp_path / "b", [4], SeriesDescription=None, StudyDescription="same length 16ch", series_uid=uid("series", "a"))

    frames = scan(tmp_path).frames

    assert frames.texts("series_description").tolist() == ["same length 16ch"] * 4 + [""]
    assert path.is_file()


def test_values_of_one_series_are_kept_once(tmp_path: Path) -> None:
    make_ct(tmp_path, [float(i) for i in range(50)], rows=2, columns=2)

    columns = scan(tmp_path).frames.instances.columns

    assert len(columns["modality"].values) == 1
    assert columns["modality"].codes.dtype == np.int8
    assert len(columns["image_position_patient"].values) == 50


def test_encodings_are_shared_by_the_files_that_have_them(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0, 1, 2])
    make_pet(tmp_path / "b")
    make_ct(tmp_path / "c", [0], transfer_syntax="rle")

    table = scan(tmp_path).frames.instances

    assert len(table.encodings) == 2
    assert table.encoding.tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_kinds_of_objects_lie_side_by_side(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm")
    make_enhanced_mr(tmp_path / "mr.dcm")
    make_pet(tmp_path / "pet")
    make_cine(tmp_path / "us.dcm")

    catalog = scan(tmp_path)

    assert {series.modality: series.frames for series in catalog.series} == {"SEG": 3, "MR": 6, "PT": 3, "US": 4}


def test_many_small_frames_are_one_table(tmp_path: Path) -> None:
    make_file(tmp_path / "a.dcm", {"Modality": "OT"}, phantoms(300, 2, 2, np.uint8))

    frames = scan(tmp_path).frames

    assert (np.diff(frames.offset) == 4).all()
    assert len(frames.instances) == 1
