"""A catalog is brought up to date by reading what is new or changed, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from builders import make_cine, make_ct, make_enhanced_mr, make_file, phantom
from doubles import counted_reads
from index.test_read_together import assert_row_equals
from index.test_scan import scan
from xdicom.index.catalog import Catalog
from xdicom.index.scan import rescan
from xdicom.sources.locate import locate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six slices, two objects of several frames, a deflated one, and a file that is no DICOM."""
    make_ct(tmp_path / "in" / "ct", [float(i) for i in range(6)])
    make_cine(tmp_path / "in" / "cine.dcm", 3)
    make_enhanced_mr(tmp_path / "in" / "mr.dcm")
    make_file(tmp_path / "in" / "deflated.dcm", {"Modality": "OT"}, phantom(0), "deflated")
    (tmp_path / "in" / "readme.txt").write_text("nothing to see " * 20)
    return tmp_path / "in"


def update(known: Catalog, folder: Path) -> tuple[Catalog, set[str]]:
    """The catalog brought up to date, and the names of the files that were opened for it."""
    with counted_reads(folder) as reads:
        newer = rescan(known, locate(str(folder)))
    return newer, {Path(path).name for path in reads.opened}


def assert_like_a_fresh_scan(catalog: Catalog, folder: Path) -> None:
    fresh = scan(folder)
    assert catalog.frames.instances.urls == fresh.frames.instances.urls
    assert [problem.url for problem in catalog.problems] == [problem.url for problem in fresh.problems]
    assert catalog.source_count == fresh.source_count
    np.testing.assert_array_equal(catalog.frames.frame_number, fresh.frames.frame_number)
    for row, url in enumerate(fresh.frames.instances.urls):
        if "::" not in url:
            assert_row_equals(catalog, row, scan(Path(url)))
    for name in ("image_position_patient", "effective_echo_time", "in_stack_position_number"):
        np.testing.assert_array_equal(catalog.frames.numbers(name), fresh.frames.numbers(name))


def test_nothing_is_read_where_nothing_changed(folder: Path) -> None:
    newer, opened = update(scan(folder), folder)

    assert opened == set()
    assert_like_a_fresh_scan(newer, folder)


def test_only_new_files_are_read(folder: Path) -> None:
    known = scan(folder)
    make_ct(folder / "ct", [2.5], names=["0000a.dcm"])
    make_cine(folder / "another.dcm", 2)

    newer, opened = update(known, folder)

    assert opened == {"0000a.dcm", "another.dcm", "000.dcm"}  # one of the series before, for whose patient the new one is
    assert_like_a_fresh_scan(newer, folder)


def test_a_file_that_changed_is_read_again(folder: Path) -> None:
    known = scan(folder)
    changed = sorted((folder / "ct").iterdir())[3]
    make_ct(folder / "ct", [99.0], names=[changed.name])

    newer, opened = update(known, folder)

    assert opened == {changed.name, "000.dcm"}
    assert 99.0 in newer.frames.column("image_position_patient").numbers()[:, 2]  # type: ignore[union-attr]
    assert_like_a_fresh_scan(newer, folder)


def test_a_file_of_another_length_is_read_again_though_its_time_is_the_same(folder: Path) -> None:
    known = scan(folder)
    changed = folder / "cine.dcm"
    times = changed.stat()
    make_cine(changed, 5)
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))

    newer, opened = update(known, folder)

    assert opened == {"cine.dcm"}
    assert_like_a_fresh_scan(newer, folder)


def test_files_that_went_away_are_dropped(folder: Path) -> None:
    known = scan(folder)
    (folder / "mr.dcm").unlink()
    (folder / "readme.txt").unlink()
    min((folder / "ct").iterdir()).unlink()

    newer, opened = update(known, folder)

    assert opened == set()
    assert newer.problems == ()
    assert_like_a_fresh_scan(newer, folder)


def test_a_file_that_became_readable_is_no_problem_any_more(folder: Path) -> None:
    known = scan(folder)
    make_cine(folder / "readme.txt", 2)

    newer, opened = update(known, folder)

    assert opened == {"readme.txt"}
    assert newer.problems == ()
    assert_like_a_fresh_scan(newer, folder)
