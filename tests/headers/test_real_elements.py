"""Elements of real files, byte by byte as pydicom reads them: at the top level, in sequences, of vendors and of every frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from headers.agreement import differences, equals, walked_values
from index.test_read_together import assert_row_equals
from xdicom.errors import XDicomError
from xdicom.headers.abreast import FEW
from xdicom.headers.dictionary import TAGS
from xdicom.headers.elements import Syntax
from xdicom.headers.functional_groups import column_name
from xdicom.headers.names import named_values
from xdicom.headers.records import Header, parse_header
from xdicom.index.scan import scan_sources
from xdicom.sources.locate import locate

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pydicom warns of values that it reads all the same
]
_GROUPS = {TAGS["SharedFunctionalGroupsSequence"], TAGS["PerFrameFunctionalGroupsSequence"]}
_SUBSAMPLE = 5
"""Of series every fifth file is compared."""


def header_of(path: Path) -> Header:
    data = path.read_bytes()
    return parse_header(data[:8192], lambda offset, length: data[offset : offset + length], len(data))


def dataset_of(path: Path) -> Dataset:
    return pydicom.dcmread(path, force=True, stop_before_pixels=True)


def files_of(corpus: Path) -> list[Path]:
    series = sorted(path for path in (corpus / "series").rglob("*") if path.is_file())
    return sorted(path for path in (corpus / "files").rglob("*") if path.is_file()) + series[::_SUBSAMPLE]


def test_every_wanted_value_is_what_pydicom_reads_byte_by_byte(corpus: Path) -> None:
    compared, wrong = 0, []
    for path in files_of(corpus):
        try:
            header = header_of(path)
        except XDicomError:
            continue
        if header.inflate_from >= 0 or header.parser != "walk":
            continue
        dataset = dataset_of(path)
        for tag, raw in walked_values(header, dataset).items():
            if tag not in dataset:
                wrong.append(f"{path.name} {tag:08X}: not there")
                continue
            wrong += [f"{path.name} {text}" for text in differences(raw, dataset, tag)]
            compared += 1

    assert not wrong, "\n".join(wrong)
    assert compared > 10_000


def test_every_vendors_value_has_the_creator_that_pydicom_finds(corpus: Path) -> None:
    compared = 0
    for path in files_of(corpus):
        try:
            header = header_of(path)
        except XDicomError:
            continue
        dataset = dataset_of(path)
        if header.inflate_from >= 0:
            continue
        implicit, little = dataset.original_encoding
        for name, (tag, _) in named_values(header.walked.values, Syntax(bool(implicit), not little)).items():
            if not tag >> 16 & 1 or f"{tag >> 16:04X}00{tag >> 8 & 0xFF:02X}" not in {f"{int(each):08X}" for each in dataset.keys()}:  # noqa: SIM118
                continue
            creator = str(dataset[tag >> 16 << 16 | tag >> 8 & 0xFF].value)
            element = dataset.private_block(tag >> 16, creator)[tag & 0xFF]
            assert int(element.tag) == tag, (path.name, name)
            compared += 1

    assert compared > 300


def groups_of(item: Dataset, above: tuple[int, ...] = ()) -> dict[str, Any]:
    """Elements of one functional group item that make columns, by name; the first of those with one name."""
    found: dict[str, Any] = {}
    for key in sorted(int(each) for each in item.keys()):  # noqa: SIM118
        path = (*above, key)
        name = column_name(path)
        element = item[key]
        if name:
            found.setdefault(name, element)
        elif element.VR == "SQ" and element.value:
            for inner, value in groups_of(element.value[0], path).items():
                found.setdefault(inner, value)
    return found


def test_every_frames_functional_groups_are_what_pydicom_reads(corpus: Path) -> None:
    frames = 0
    for path in files_of(corpus):
        dataset = dataset_of(path)
        if "PerFrameFunctionalGroupsSequence" not in dataset:
            continue
        try:
            header = header_of(path)
        except XDicomError:
            continue
        if header.frames is None:
            continue
        items = dataset.PerFrameFunctionalGroupsSequence
        assert header.frames.count == len(items), path.name
        step = max(1, len(items) // 50)
        for row in range(0, len(items), step):
            theirs = groups_of(items[row])
            for name in {*theirs, *header.frames.columns}:
                column = header.frames.columns.get(name)
                if name not in theirs:
                    assert column is None or column.codes[row] < 0, (path.name, row, name)
                    continue
                if column is None:
                    assert not str(theirs[name].value or "").strip(), (path.name, row, name)
                    continue
                assert equals(column, row, theirs[name]), (path.name, row, name, theirs[name].value)
            frames += 1

    assert frames > 250


@pytest.mark.parametrize("folder", ["files", "malformed"])
def test_every_file_is_read_among_files_like_it_as_it_is_alone(corpus: Path, folder: str) -> None:
    for path in sorted(path for path in (corpus / folder).rglob("*") if path.is_file()):
        for source in locate(str(path))[:1]:
            many, alone = scan_sources([source] * (FEW + 1)), scan_sources([source])
            assert len(many.frames) == (FEW + 1) * len(alone.frames), path.name
            for row in range(len(many.frames.instances)):
                assert_row_equals(many, row, alone)


@pytest.mark.parametrize("folder", ["files", "malformed"])
def test_a_heap_of_real_files_is_read_as_each_of_them_is(corpus: Path, folder: str) -> None:
    sources = locate(str(corpus / folder))
    together = scan_sources(sources)
    rows = {url: row for row, url in enumerate(together.frames.instances.urls)}
    compared = 0
    for source in sources:
        alone = scan_sources([source])
        if len(alone.frames):
            (url,) = alone.frames.instances.urls
            assert_row_equals(together, rows[url], alone)
            compared += 1

    assert compared > 30
