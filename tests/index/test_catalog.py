"""What a scan found: picked by series, printed as a table, and told without a name of a person."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from builders import make_cine, make_ct, make_not_dicom, make_pet, make_sr, uid
from index.arranged import catalog_of
from xdicom.errors import MultipleSeriesError, NotDicomError
from xdicom.index.catalog import Catalog, readable_size
from xdicom.index.scan import scan_sources


@pytest.fixture
def study(tmp_path: Path) -> Path:
    make_ct(tmp_path / "ct", [0, 1, 2], SeriesDescription="thorax", SeriesNumber=4, StudyInstanceUID=uid("one study"))
    make_pet(tmp_path / "pet", SeriesNumber=None)
    make_cine(tmp_path / "us.dcm", 5, SeriesInstanceUID=uid("cine"))
    make_sr(tmp_path / "report.dcm")
    return tmp_path


def test_each_series_is_one_line_in_order_of_occurrence(study: Path) -> None:
    catalog = catalog_of(study)

    assert len(catalog) == 3
    assert [(series.modality, series.instances, series.frames) for series in catalog.series] == [("CT", 3, 3), ("PT", 3, 3), ("US", 1, 5)]


def test_a_line_says_what_the_series_is(study: Path) -> None:
    ct = catalog_of(study).series[0]

    assert (ct.description, ct.number, ct.study_uid, ct.series_uid) == ("thorax", 4, uid("one study"), uid("series", "ct"))
    assert (ct.frame_shapes, ct.decoded_bytes) == (((8, 6),), 3 * 8 * 6 * 2)
    assert ct.transfer_syntaxes == ("1.2.840.10008.1.2.1",)


def test_a_series_without_a_number_has_none(study: Path) -> None:
    assert catalog_of(study).series[1].number is None


def test_shapes_of_a_series_are_told_most_frequent_first(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0], rows=16, series_uid=uid("one"))
    make_ct(tmp_path / "b", [1, 2], series_uid=uid("one"), varying={"SOPInstanceUID": ["1.1", "1.2"]})

    (series,) = catalog_of(tmp_path).series

    assert series.frame_shapes == ((8, 6), (16, 6))


def test_a_series_is_picked_by_its_uid(study: Path) -> None:
    frames = catalog_of(study).pick(uid("cine"))

    assert len(frames) == 5
    assert len(frames.instances) == 1
    assert frames.texts("modality").tolist() == ["US"] * 5


def test_the_only_series_needs_no_uid(tmp_path: Path) -> None:
    make_ct(tmp_path, [0, 1])

    assert len(catalog_of(tmp_path).pick()) == 2


def test_several_series_are_refused_with_their_list_and_the_way_out(study: Path) -> None:
    with pytest.raises(MultipleSeriesError, match="series_uid=") as caught:
        catalog_of(study).pick()

    assert all(word in str(caught.value) for word in ("3 series", "thorax", uid("cine"), "open_study"))


def test_an_unknown_series_is_refused_with_the_list_of_those_there_are(study: Path) -> None:
    with pytest.raises(NotDicomError, match=r"no series 1\.2\.3 found") as caught:
        catalog_of(study).pick("1.2.3")

    assert uid("cine") in str(caught.value)


def test_an_empty_catalog_says_what_it_looked_at(tmp_path: Path) -> None:
    make_not_dicom(tmp_path / "notes.dcm")
    make_sr(tmp_path / "report.dcm")

    with pytest.raises(NotDicomError, match="2 sources looked at") as caught:
        catalog_of(tmp_path).pick()

    assert "notes.dcm: no DICM prefix" in str(caught.value)
    assert "report.dcm: no pixel data" in str(caught.value)


def test_many_problems_are_told_in_few_words(tmp_path: Path) -> None:
    for i in range(20):
        make_not_dicom(tmp_path / f"{i}.txt")

    catalog = catalog_of(tmp_path)

    assert "and 17 more" in catalog.describe_problems()
    assert "... and 15 more" in repr(catalog)


def test_a_location_without_files_is_told() -> None:
    assert scan_sources([]).describe_problems() == "the location holds no files"


def test_frames_without_a_series_uid_are_a_series_without_a_name(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0, 1], SeriesInstanceUID=None)
    make_ct(tmp_path / "b", [0])

    catalog = catalog_of(tmp_path)

    assert [series.series_uid for series in catalog.series] == ["", uid("series", "b")]
    assert len(catalog.pick("")) == 2


def test_it_prints_as_a_table(study: Path) -> None:
    lines = repr(catalog_of(study)).splitlines()

    assert lines[0] == "<xdicom.Catalog: 3 series, 7 instances, 11 frames from 8 sources, 1 not read>"
    assert lines[1].split()[:4] == ["modality", "no.", "description", "instances"]
    assert lines[2].split()[:7] == ["CT", "4", "thorax", "3", "3", "8", "x"]
    assert any("report.dcm: no pixel data" in line for line in lines)


def test_its_html_is_escaped(tmp_path: Path) -> None:
    make_ct(tmp_path, [0], SeriesDescription="<b>&")

    page = catalog_of(tmp_path)._repr_html_()

    assert "&lt;b&gt;&amp;" in page
    assert "<b>&" not in page


def test_machines_get_plain_lists_and_numbers(study: Path) -> None:
    told = json.loads(json.dumps(catalog_of(study).to_dict()))

    assert told["sources"] == 8
    assert [series["frames"] for series in told["series"]] == [3, 3, 5]
    assert told["problems"][0]["url"].endswith("report.dcm")


def test_taking_frames_takes_only_their_instances(study: Path) -> None:
    frames = catalog_of(study).frames

    part = frames.take(np.array([1, 7, 8]))

    assert len(part.instances) == 2
    assert part.texts("modality").tolist() == ["CT", "US", "US"]
    assert part.frame_number.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (7e12, "7.0 TB")])
def test_sizes_are_told_in_words(size: float, text: str) -> None:
    assert readable_size(size) == text


def test_a_catalog_pickles(study: Path) -> None:
    import pickle

    again: Catalog = pickle.loads(pickle.dumps(catalog_of(study)))

    assert repr(again) == repr(catalog_of(study))
