"""Two files of one SOP Instance UID: the same, or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import xdicom
from builders import make_cine, make_ct, phantom
from doubles import counted_reads
from xdicom.cli import app

SERIES, ONE = "1.2.3", {"SOPInstanceUID": "1.2.3.4"}


def notes_of(folder: Path, *, compare_pixels: bool = True) -> tuple[str, ...]:
    (series,) = xdicom.scan(folder).report(compare_pixels=compare_pixels).series
    return series.notes


def other_pixels(i: int) -> np.ndarray:
    values = phantom(i, 8, 6, np.int16)
    values[5, 3] += 1
    return values


def test_pixels_of_copies_are_not_read_unless_asked_for(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0], series_uid=SERIES, **ONE)
    make_ct(tmp_path / "b", [0.0], series_uid=SERIES, values=other_pixels, **ONE)
    catalog = xdicom.scan(tmp_path)

    with counted_reads(tmp_path) as reads:
        (series,) = catalog.report().series

    assert reads.requests == 0
    assert "(same SOP Instance UID, header and lengths; pixels were not compared)" in series.notes[0]


@pytest.mark.parametrize("syntax", ["native", "rle", "jpegls"])
def test_copies_with_the_same_pixels_are_told(tmp_path: Path, syntax: str) -> None:
    for name in "ab":
        make_ct(tmp_path / name, [0.0, 1.0], series_uid=SERIES, transfer_syntax=syntax)

    notes = notes_of(tmp_path)

    assert len(notes) == 2
    assert all("(same SOP Instance UID, header and lengths; the same pixels)" in note for note in notes)


def test_copies_with_other_pixels_are_told(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0], series_uid=SERIES, **ONE)
    make_ct(tmp_path / "b", [0.0], series_uid=SERIES, values=other_pixels, **ONE)

    assert "header and lengths; other pixels, from frame 1 on)" in notes_of(tmp_path)[0]


def test_only_copies_are_read(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0, 1.0, 2.0], series_uid=SERIES)
    make_ct(
        tmp_path / "b",
        [1.0],
        ["again.dcm"],
        series_uid=SERIES,
        SOPInstanceUID=xdicom.scan(tmp_path / "a").frames.texts("sop_instance_uid")[1],
    )
    catalog = xdicom.scan(tmp_path)

    with counted_reads(tmp_path) as reads:
        catalog.report(compare_pixels=True)

    assert {Path(path).name for path in reads.opened} == {"001.dcm", "again.dcm"}


def test_another_encoding_of_the_same_pixels_is_other_content_with_the_same_pixels_and_nothing_is_dropped(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0, 1.0], series_uid=SERIES)
    make_ct(tmp_path / "b", [0.0, 1.0], series_uid=SERIES, transfer_syntax="rle")

    (series,) = xdicom.scan(tmp_path).report(compare_pixels=True).series

    assert all("and other content (the same pixels)" in note for note in series.notes)
    assert sum(stack.frames for stack in series.stacks) == series.frames == 4


def test_other_pixels_of_another_length_are_other_content_and_nothing_is_dropped(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0], series_uid=SERIES, **ONE)
    make_ct(tmp_path / "b", [0.0], series_uid=SERIES, rows=16, **ONE)

    (series,) = xdicom.scan(tmp_path).report(compare_pixels=True).series

    assert "and other content (other pixels)" in series.notes[0]
    assert sum(stack.frames for stack in series.stacks) == series.frames == 2


def test_copies_of_many_frames_are_told_apart_by_the_frame_that_differs(tmp_path: Path) -> None:
    one, other = make_cine(tmp_path / "a.dcm", 80), tmp_path / "b.dcm"
    data = bytearray(one.read_bytes())
    span = xdicom.scan(one).frames
    data[int(span.offset[70])] ^= 1
    other.write_bytes(data)

    assert "other pixels, from frame 71 on" in notes_of(tmp_path)[0]


def test_pixels_that_are_damaged_are_said_to_be_so(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0], series_uid=SERIES, transfer_syntax="jpegls", **ONE)
    (path,) = make_ct(tmp_path / "b", [0.0], series_uid=SERIES, transfer_syntax="jpegls", **ONE)
    data = bytearray(path.read_bytes())
    start = int(xdicom.scan(path).frames.offset[0])
    data[start + 8 : start + 12] = bytes(4)
    path.write_bytes(data)

    assert "pixels can't be compared: frame 1" in notes_of(tmp_path)[0]


def test_the_command_compares_them_too(tmp_path: Path) -> None:
    for name in "ab":
        make_ct(tmp_path / name, [0.0], series_uid=SERIES)

    said = CliRunner().invoke(app, ["info", str(tmp_path), "--json", "--report", "--compare"])
    refused = CliRunner().invoke(app, ["info", str(tmp_path), "--compare"])

    assert "the same pixels" in said.stdout
    assert refused.exit_code == 2
