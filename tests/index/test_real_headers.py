"""Headers of real files hold what pydicom reads in them, element by element."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from headers.agreement import equals, parts_of
from index.test_scan import cell, scan
from xdicom.headers.dictionary import NAMES, TAGS
from xdicom.headers.records import WANTED

NOT_KEPT = {TAGS["ExtendedOffsetTable"], TAGS["ExtendedOffsetTableLengths"], TAGS["PatientID"]}
"""Elements that are read and not kept as columns: frames have their spans, and patients numbers within a series."""


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of values that it reads all the same
@pytest.mark.parametrize("folder", ["files", "series"])
def test_values_of_real_headers_equal_those_of_pydicom_element_by_element(corpus: Path, folder: str) -> None:
    catalog = scan(corpus / folder)
    table = catalog.frames.instances
    wanted = {tag: name for tag, name in NAMES.items() if tag in WANTED and tag >> 16 not in (0x0002, 0x5200)}
    compared = 0
    for i, url in enumerate(table.urls):
        if "::" in url:
            continue
        dataset = pydicom.dcmread(url, force=True, stop_before_pixels=True)
        # What the shared groups say stands above the top level: test_functional_groups compares it.
        shared = {int(each.tag) for item in dataset.get("SharedFunctionalGroupsSequence", []) for each in item.iterall()}
        for tag, name in wanted.items():
            column = table.columns.get(name)
            if tag in shared or tag in NOT_KEPT:
                continue
            if tag not in dataset:
                assert column is None or column.codes[i] < 0, (url, name)
                continue
            if column is None:  # a value that no file has, though some have the element
                assert not any(str(part).strip() for part in parts_of(dataset[tag])), (url, name)
                continue
            assert equals(column, i, dataset[tag]), (url, name, cell(column, i), dataset[tag].value)
            compared += 1

    assert compared > 3000
    assert "patient_id" not in table.columns


@pytest.mark.corpus
def test_no_real_file_is_lost_between_frames_and_problems(corpus: Path) -> None:
    catalog = scan(corpus / "files", corpus / "series", corpus / "malformed")

    read = {url.split("::")[-1] for url in catalog.frames.instances.urls}
    not_read = {problem.url.split("::")[-1] for problem in catalog.problems}
    assert len(read) + len(not_read - read) == catalog.source_count
    assert len(catalog.frames.instances.urls) > 1200


@pytest.mark.corpus
def test_real_series_need_no_help_of_pydicom(corpus: Path) -> None:
    assert scan(corpus / "series").read_by_pydicom == 0


@pytest.mark.corpus
def test_real_files_find_as_many_frames_as_pydicom(corpus: Path) -> None:
    frames = scan(corpus / "series").frames
    counts = np.bincount(frames.instance)

    for url, count in zip(frames.instances.urls, counts.tolist(), strict=True):
        assert count == int(pydicom.dcmread(url, stop_before_pixels=True).get("NumberOfFrames") or 1), url
