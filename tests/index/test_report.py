"""The report of a catalog: what was found, how it was split and why, before a pixel is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import CORONAL, make_ct, make_enhanced_mr, make_not_dicom, make_seg
from doubles import counted_reads
from index.arranged import catalog_of, make_planes, repeated
from xdicom.index.report import Report, StackReport

CONVERTED_CT = "1.2.840.10008.5.1.4.1.1.2.2"


def report_of(*locations: Path) -> Report:
    return catalog_of(*locations).report()


def only_stack(*locations: Path) -> StackReport:
    """The report of the one array of the one series."""
    (series,) = report_of(*locations).series
    (stack,) = series.stacks
    return stack


def test_plain_series_is_one_array(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 5.0))

    stack = only_stack(tmp_path)

    assert stack.dims == {"z": 3, "y": 8, "x": 6}
    assert (stack.dtype, stack.frames, stack.decoded_bytes) == ("int16", 3, 3 * 8 * 6 * 2)
    assert stack.spacing_mm == {"z": 2.5, "y": 0.7, "x": 0.5}
    assert (stack.plane, stack.is_regular, stack.gaps_mm) == ("axial", True, (2.5, 2.5))
    assert stack.findings == ("axial, slices 2.5 mm apart",)


def test_no_pixel_is_read(tmp_path: Path) -> None:
    paths = make_ct(tmp_path)
    catalog = catalog_of(tmp_path)

    with counted_reads(tmp_path) as reads:
        catalog.report()

    assert len(paths) == 3
    assert reads.requests == 0


def test_missing_slices_are_told_with_their_positions(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 5.0, 12.5))

    stack = only_stack(tmp_path)

    assert stack.missing_positions_mm == (7.5, 10.0)
    assert stack.spacing_mm["z"] == 2.5
    assert "slices missing: 2, at z = 7.5, 10 mm" in stack.findings


def test_uneven_spacing_has_no_step_but_a_range(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 5.0, 8.3))

    stack = only_stack(tmp_path)

    assert "z" not in stack.spacing_mm
    assert stack.gaps_mm == pytest.approx((2.5, 3.3))
    assert "slices are unevenly spaced: 2.5 to 3.3 mm" in stack.findings


def test_shear_is_told(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0,) * 3, varying={"ImagePositionPatient": [[0, 1.0 * i, 5.0 * i] for i in range(3)]})

    stack = only_stack(tmp_path)

    assert stack.shear_degrees == pytest.approx(np.degrees(np.arctan2(1, 5)))
    assert "sheared by 11.3 degrees (gantry tilt)" in stack.findings


def test_reasons_of_the_split_are_told(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", (0.0, 2.5), series_uid="1.2.3")
    make_ct(tmp_path / "b", (0.0, 2.5), ["3.dcm", "4.dcm"], series_uid="1.2.3", orientation=CORONAL)

    (series,) = report_of(tmp_path).series

    assert [stack.name for stack in series.stacks] == ["axial", "coronal"]
    assert [stack.split_by[0].split(" (")[0] for stack in series.stacks] == ["orientation: axial", "orientation: coronal"]


def test_copies_are_notes_of_the_series(tmp_path: Path) -> None:
    first, *_ = make_ct(tmp_path, (0.0, 2.5))
    (tmp_path / "zzz.dcm").write_bytes(first.read_bytes())

    (series,) = report_of(tmp_path).series

    assert series.frames == 3
    assert series.stacks[0].frames == 2
    assert len(series.notes) == 1
    assert "is a copy of" in series.notes[0]


def test_incomplete_grid_tells_the_cells_that_are_missing(tmp_path: Path) -> None:
    places = repeated((0.0, 2.0, 4.0), 3)
    echoes = [echo for echo in (10.0, 20.0, 30.0) for _ in range(3)]
    make_planes(tmp_path, places[:-1], varying={"EchoTime": echoes[:-1]})

    stack = only_stack(tmp_path)

    assert stack.missing_cells == ((2, 2),)
    assert stack.incomplete.startswith("8 of 9 cells of echo_time x place are filled")
    assert any("echo_time 30 at z = 4" in finding for finding in stack.findings)


def test_frames_in_lossy_syntaxes_are_counted(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 5.0), varying={"LossyImageCompression": ["00", "01", "01"]})

    stack = only_stack(tmp_path)

    assert stack.lossy_frames == 2
    assert "2 of 3 frames compressed with loss" in stack.findings


def test_transfer_syntaxes_are_counted_by_frame(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", (0.0, 2.5), series_uid="1.2.3")
    make_ct(tmp_path / "b", (5.0,), series_uid="1.2.3", transfer_syntax="rle", InstanceNumber=3)

    stack = only_stack(tmp_path)

    assert stack.transfer_syntaxes == {"1.2.840.10008.1.2.1": 2, "1.2.840.10008.1.2.5": 1}


def test_cells_of_a_segmentation_without_a_frame_are_counted(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=[(1, 0.0), (1, 2.5), (2, 2.5)])

    assert only_stack(tmp_path).empty_cells == 1


def test_planes_that_a_segmentation_leaves_out_are_not_called_missing(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=[(1, 0.0), (1, 2.5), (1, 7.5)])

    assert "planes left out as empty: 1, at z = 5 mm" in only_stack(tmp_path).findings


def test_classic_and_converted_series_of_one_scan_are_twins(tmp_path: Path) -> None:
    make_ct(tmp_path / "classic", (0.0, 2.5), series_uid="1.2.3")
    make_ct(tmp_path / "converted", (0.0, 2.5), series_uid="1.2.4", SOPClassUID=CONVERTED_CT)

    report = report_of(tmp_path)

    assert report.twins == ("1.2.3 (classic CT) and 1.2.4 (legacy converted CT) lie at the same places: two forms of one scan",)
    assert [series.frames for series in report.series] == [2, 2]


def test_twins_in_one_series_are_kept_and_noted(tmp_path: Path) -> None:
    make_ct(tmp_path / "classic", (0.0, 2.5), series_uid="1.2.3")
    make_ct(tmp_path / "converted", (0.0, 2.5), ["3.dcm", "4.dcm"], series_uid="1.2.3", SOPClassUID=CONVERTED_CT)

    (series,) = report_of(tmp_path).series

    assert len(series.stacks) == 2
    assert any("two forms of one scan" in note for note in series.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"positions_mm": (0.0, 2.6)},
        {"orientation": CORONAL},
        {"FrameOfReferenceUID": "1.2.9"},
        {"rows": 4},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_series_that_lie_elsewhere_are_no_twins(tmp_path: Path, changes: dict[str, Any]) -> None:
    make_ct(tmp_path / "classic", (0.0, 2.5), series_uid="1.2.3")
    make_ct(tmp_path / "converted", **{"positions_mm": (0.0, 2.5), "series_uid": "1.2.4", "SOPClassUID": CONVERTED_CT, **changes})

    assert report_of(tmp_path).twins == ()


def test_series_without_a_frame_of_reference_are_no_twins(tmp_path: Path) -> None:
    make_ct(tmp_path / "classic", (0.0, 2.5), series_uid="1.2.3", FrameOfReferenceUID=None)
    make_ct(tmp_path / "converted", (0.0, 2.5), series_uid="1.2.4", SOPClassUID=CONVERTED_CT, FrameOfReferenceUID=None)

    assert report_of(tmp_path).twins == ()


def test_sources_that_were_not_read_are_listed(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0,))
    make_not_dicom(tmp_path / "notes.txt")

    report = report_of(tmp_path)

    assert [Path(url).name for url, _ in report.problems] == ["notes.txt"]
    assert report.source_count == 2


def test_text_has_series_arrays_findings_and_problems(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 7.5), SeriesDescription="chest", series_uid="1.2.3")
    make_not_dicom(tmp_path / "notes.txt")

    lines = repr(report_of(tmp_path)).splitlines()

    assert lines[0] == "<xdicom.Report: 1 series, 1 arrays, 3 frames from 4 sources, 288 B decoded>"
    assert lines[1] == "CT 1 chest (1.2.3): 3 instances, 3 frames"
    assert lines[2] == "  stack_0: z 3, y 8, x 6; int16, 288 B"
    assert "    slices missing: 1, at z = 5 mm" in lines
    assert any(line.startswith("not read: ") and "notes.txt" in line for line in lines)


def test_html_says_the_same_and_escapes_what_headers_say(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5, 7.5), SeriesDescription="<b>chest</b>")

    text = report_of(tmp_path)._repr_html_()

    assert "&lt;b&gt;chest&lt;/b&gt;" in text
    assert "slices missing: 1, at z = 5 mm" in text


def test_dictionary_is_json(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", (0.0, 2.5, 7.5))
    make_enhanced_mr(tmp_path / "mr.dcm")

    report = report_of(tmp_path)
    told = json.loads(json.dumps(report.to_dict()))

    assert told == report.to_dict()
    assert told["series"][0]["stacks"][0]["missing_positions_mm"] == [5.0]
    assert {stack["name"]: list(stack["dims"]) for series in told["series"] for stack in series["stacks"]}


def test_report_of_nothing_is_empty(tmp_path: Path) -> None:
    make_not_dicom(tmp_path / "notes.txt")

    report = report_of(tmp_path)

    assert report.series == ()
    assert "0 series" in repr(report)


@pytest.mark.corpus
def test_every_frame_of_every_series_is_reported(corpus: Path) -> None:
    for folder in sorted((corpus / "series").iterdir()):
        catalog = catalog_of(folder)
        report = catalog.report()
        copies = sum("copy of" in note for series in report.series for note in series.notes)

        assert sum(stack.frames for series in report.series for stack in series.stacks) + copies == len(catalog.frames), folder.name
        assert sum(series.decoded_bytes for series in report.series) == sum(
            stack.decoded_bytes for series in report.series for stack in series.stacks
        )
        assert json.dumps(report.to_dict())


@pytest.mark.corpus
def test_real_twins_are_reported(corpus: Path) -> None:
    casl = report_of(corpus / "series" / "philips_casl_classic_and_enhanced")
    tiny = report_of(corpus / "series" / "ct_tiny_23x38")

    assert any("classic MR" in note and "enhanced MR" in note for note in casl.series[0].notes)
    assert len(tiny.twins) == 1
    assert "legacy converted CT" in tiny.twins[0]


def test_one_uid_at_two_places_is_no_copy(tmp_path: Path) -> None:
    make_ct(tmp_path, (0.0, 2.5), varying={"SOPInstanceUID": ["1.2.5", "1.2.5"]})

    (series,) = report_of(tmp_path).series

    assert series.stacks[0].dims["z"] == 2
    assert "other content" in series.notes[0]


def test_a_copy_with_another_window_is_a_copy(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", (0.0, 2.5), series_uid="1.2.3")
    make_ct(tmp_path / "b", (0.0, 2.5), series_uid="1.2.3", windows=[(300, 1500)])

    (series,) = report_of(tmp_path).series

    assert series.stacks[0].frames == 2
    assert len(series.notes) == 2


def test_places_that_hold_more_planes_than_others_are_told(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0, 4.0, 6.0], SOPClassUID="1.2.840.10008.5.1.4.1.1.4")

    stack = only_stack(tmp_path)

    assert stack.dims["frame"] == 5
    assert "unlike most places: 2 at z = 4" in stack.findings
