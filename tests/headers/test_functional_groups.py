"""Functional groups as columns: equal to what pydicom reads, item by item, however they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from builders import image_position, make_enhanced_mr, make_file, phantoms, uid
from headers.agreement import equals
from xdicom.headers.dictionary import NAMES, PUBLIC, TAGS, to_snake_case
from xdicom.headers.functional_groups import FrameColumns, column_name, flatten, per_frame_columns, shared_values
from xdicom.headers.records import Header, parse_header
from xdicom.headers.values import RawKey, RawValue
from xdicom.index.scan import scan_sources
from xdicom.model.columns import Column
from xdicom.sources.locate import locate

WRITTEN = pytest.mark.parametrize("undefined", [False, True], ids=["defined lengths", "undefined lengths"])
SYNTAXES = pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian"])


def header_of(path: Path) -> Header:
    data = path.read_bytes()
    return parse_header(data[:8192], lambda offset, length: data[offset : offset + length], len(data))


def frames_of(path: Path) -> FrameColumns:
    frames = header_of(path).frames
    assert frames is not None
    return frames


def enhanced(path: Path, groups: list[dict[Any, Any]], shared: dict[Any, Any] | None = None, syntax: str = "native", **named: Any) -> Path:
    """An Enhanced object with these functional groups, one frame of 2 x 2 for each item."""
    elements = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1",
        "Modality": "MR",
        "PerFrameFunctionalGroupsSequence": groups,
        "SharedFunctionalGroupsSequence": [shared or {}],
    }
    return make_file(path, elements, phantoms(len(groups), 2, 2), syntax, **named)


def plane(position: float) -> dict[str, Any]:
    return {"PlanePositionSequence": [{"ImagePositionPatient": image_position(position)}]}


def cells(column: Column) -> list[object]:
    return [
        None if code < 0 else column.values[code].tolist() if column.kind == "number" else column.values[code]
        for code in column.codes.tolist()
    ]


@WRITTEN
@SYNTAXES
def test_values_of_each_frame_are_rows_of_columns(tmp_path: Path, syntax: str, undefined: bool) -> None:
    frames = frames_of(
        make_enhanced_mr(tmp_path / "a.dcm", (3.5, 7.25), (0.0, 2.0, 4.5), transfer_syntax=syntax, undefined_length=undefined)
    )

    assert frames.count == 6
    assert frames.columns["effective_echo_time"].first_numbers().tolist() == [3.5] * 3 + [7.25] * 3
    assert frames.columns["in_stack_position_number"].first_numbers().tolist() == [1, 2, 3] * 2
    assert frames.columns["dimension_index_values"].numbers()[:, 1].tolist() == [1, 2, 3] * 2


@WRITTEN
@SYNTAXES
def test_values_of_shared_groups_stand_above_those_of_the_top_level(tmp_path: Path, syntax: str, undefined: bool) -> None:
    path = enhanced(
        tmp_path / "a.dcm",
        [plane(0), plane(1)],
        {"PixelMeasuresSequence": [{"PixelSpacing": [0.5, 0.25]}], "MREchoSequence": [{"EffectiveEchoTime": 9.0}]},
        syntax,
        undefined_length=undefined,
    )

    header = header_of(path)

    assert header.values["pixel_spacing"].value().numbers() == (0.5, 0.25)
    assert header.number("effective_echo_time") == 9


def test_equal_values_are_kept_once(tmp_path: Path) -> None:
    column = frames_of(make_enhanced_mr(tmp_path / "a.dcm", (1.0, 2.0, 3.0), tuple(range(10)))).columns["effective_echo_time"]

    assert len(column.values) == 3
    assert column.codes.dtype == np.int8


@WRITTEN
@SYNTAXES
def test_items_that_differ_keep_what_each_has(tmp_path: Path, syntax: str, undefined: bool) -> None:
    content = {"FrameContentSequence": [{"StackID": "A", "FrameComments": "first"}]}
    groups = [plane(0) | content, plane(1), content, plane(3) | {"MREchoSequence": [{"EffectiveEchoTime": 4.0}]}, plane(4)]

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups, syntax=syntax, undefined_length=undefined))

    assert cells(frames.columns["stack_id"]) == ["A", None, "A", None, None]
    assert cells(frames.columns["effective_echo_time"]) == [None, None, None, [4.0], None]
    assert [None if value is None else value[2] for value in cells(frames.columns["image_position_patient"])] == [0, 1, None, 3, 4]  # type: ignore[index]


def test_every_item_may_be_laid_out_in_its_own_way(tmp_path: Path) -> None:
    keywords = ["StackID", "FrameComments", "FrameLabel", "TemporalPositionIndex", "InStackPositionNumber"]
    groups = []
    for i in range(31):
        values = ["s", "c", "l", i, i]
        content = {keyword: value for bit, (keyword, value) in enumerate(zip(keywords, values, strict=True)) if (i + 1) >> bit & 1}
        groups.append(plane(i) | {"FrameContentSequence": [content]})

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups))

    assert cells(frames.columns["temporal_position_index"]) == [[i] if (i + 1) & 8 else None for i in range(31)]
    assert frames.columns["image_position_patient"].is_complete


@WRITTEN
def test_values_of_many_lengths_are_read_right(tmp_path: Path, undefined: bool) -> None:
    groups = [plane(0) | {"FrameContentSequence": [{"FrameComments": "x" * (7 * i % 50)}]} for i in range(40)]

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups, undefined_length=undefined))

    assert cells(frames.columns["frame_comments"]) == ["x" * (7 * i % 50) or None for i in range(40)]


def test_empty_items_have_no_values(tmp_path: Path) -> None:
    frames = frames_of(enhanced(tmp_path / "a.dcm", [{}, plane(1), {}]))

    assert frames.count == 3
    assert frames.columns["image_position_patient"].codes.tolist() == [-1, 0, -1]


def test_only_the_first_item_of_a_group_speaks_for_the_frame(tmp_path: Path) -> None:
    groups = [{"MREchoSequence": [{"EffectiveEchoTime": 4.0}, {"EffectiveEchoTime": 99.0}]}] * 2

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups))

    assert frames.columns["effective_echo_time"].first_numbers().tolist() == [4, 4]


@WRITTEN
def test_a_gradient_direction_lies_two_sequences_deep(tmp_path: Path, undefined: bool) -> None:
    groups = [
        {
            "MRDiffusionSequence": [
                {"DiffusionBValue": b, "DiffusionGradientDirectionSequence": [{"DiffusionGradientOrientation": [0.0, 0.6, 0.8]}]}
            ]
        }
        for b in (0.0, 1000.0)
    ]

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups, undefined_length=undefined))

    assert cells(frames.columns["diffusion_b_value"]) == [[0], [1000]]
    assert frames.columns["diffusion_gradient_orientation"].numbers().tolist() == [[0, 0.6, 0.8]] * 2


def test_the_source_of_a_frame_is_told_and_the_values_of_the_source_are_not_its_own(tmp_path: Path) -> None:
    source = {"ReferencedSOPClassUID": uid("class"), "ReferencedSOPInstanceUID": uid("source"), "ReferencedFrameNumber": 7}
    groups = [plane(0) | {"DerivationImageSequence": [{"SourceImageSequence": [source]}]}] * 2

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups))

    assert cells(frames.columns["source_sop_instance_uid"]) == [uid("source")] * 2
    assert "referenced_frame_number" not in frames.columns


def test_real_world_maps_of_frames_stay_whole(tmp_path: Path) -> None:
    groups = [
        {"RealWorldValueMappingSequence": [{"RealWorldValueSlope": slope, "RealWorldValueIntercept": 0.0}]} for slope in (1.0, 2.0, 1.0)
    ]

    column = frames_of(enhanced(tmp_path / "a.dcm", groups)).columns["real_world_value_mapping_sequence"]

    assert column.kind == "raw"
    assert column.codes.tolist() == [0, 1, 0]
    assert column.values[1].items()[0][TAGS["RealWorldValueSlope"]].numbers() == (2,)


def test_philips_own_header_of_a_frame_speaks_under_its_own_names(tmp_path: Path) -> None:
    inner = {0x20010010: ("LO", "Philips Imaging DD 001"), 0x20011003: ("FL", 800.0), "ContentTime": "101010", "EchoTime": 99.0}
    groups = [plane(i) | {0x20050014: ("LO", "Philips MR Imaging DD 005"), 0x2005140F: ("SQ", [_item(inner)])} for i in range(2)]

    frames = frames_of(enhanced(tmp_path / "a.dcm", groups))

    assert cells(frames.columns["philips_diffusion_b_value"]) == [[800]] * 2
    assert cells(frames.columns["philips_content_time"]) == [[36610]] * 2
    assert "echo_time" not in frames.columns


def _item(elements: dict[Any, Any]) -> Dataset:
    from builders import make_item

    return make_item(elements)


def test_no_groups_at_all_are_no_columns() -> None:
    assert per_frame_columns(RawValue("SQ", b"")).count == 0
    assert shared_values(RawValue("SQ", b""), RawKey) == {}


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        (["PlanePositionSequence", "ImagePositionPatient"], "image_position_patient"),
        (["MREchoSequence", "EffectiveEchoTime"], "effective_echo_time"),
        (["RealWorldValueMappingSequence"], "real_world_value_mapping_sequence"),
        (["RealWorldValueMappingSequence", "RealWorldValueSlope"], ""),
        (["PlanePositionSequence"], ""),
        (["ReferencedImageSequence", "ReferencedSOPInstanceUID"], ""),
        (["DerivationImageSequence", "SourceImageSequence", "ReferencedSOPInstanceUID"], "source_sop_instance_uid"),
        (["ConversionSourceAttributesSequence", "ReferencedSOPInstanceUID"], "source_sop_instance_uid"),
    ],
)
def test_values_are_named_by_where_they_lie(keywords: list[str], name: str) -> None:
    assert column_name(tuple(TAGS[keyword] for keyword in keywords)) == name


def test_the_first_value_of_a_name_holds() -> None:
    def nested(text: bytes) -> RawValue:
        return RawValue("SQ", b"\xfe\xff\0\xe0\x0a\0\0\0" + b"\x18\0\x82\x90FD\2\0" + text)

    values = flatten({TAGS["MREchoSequence"]: nested(b"ab"), TAGS["MRModifierSequence"]: nested(b"cd")})

    assert values["effective_echo_time"].data == b"ab"


def test_fewer_items_than_frames_leave_the_others_without_values(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    elements = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1", "Modality": "MR", "PerFrameFunctionalGroupsSequence": [plane(0), plane(1)]}
    make_file(path, elements, phantoms(4, 2, 2))

    catalog = scan_sources(locate(path))

    assert catalog.frames.numbers("image_position_patient").tolist()[:2] == [-10, -10]
    assert np.isnan(catalog.frames.numbers("image_position_patient")[2:]).all()
    assert "2 items of per-frame functional groups for 4 frames" in catalog.notes[0].reason


def test_files_with_and_without_functional_groups_are_one_table(tmp_path: Path) -> None:
    enhanced(tmp_path / "a.dcm", [plane(0), plane(1)])
    make_file(tmp_path / "b.dcm", {"ImagePositionPatient": [1, 2, 3]}, phantoms(1, 2, 2)[0])
    enhanced(tmp_path / "c.dcm", [plane(5)])

    frames = scan_sources(locate(tmp_path)).frames

    column = frames.column("image_position_patient")
    assert column is not None
    assert column.numbers()[:, 2].tolist() == [0, 1, 3, 5]


def reference(item: Dataset, path: tuple[int, ...] = ()) -> dict[str, Any]:
    """Values of one functional group item as pydicom has them, by our names."""
    values: dict[str, Any] = {}
    for each in item:
        here = (*path, int(each.tag))
        name = column_name(here)
        if name and name != "real_world_value_mapping_sequence":
            values.setdefault(name, each)
        elif each.VR == "SQ" and each.value and (int(each.tag) in PUBLIC or int(each.tag) == 0x2005140F):
            for inner, value in reference(each.value[0], here).items():
                values.setdefault(inner, value)
    return values


def corpus_files(corpus: Path) -> list[Path]:
    paths = sorted([*(corpus / "files").rglob("*"), *(corpus / "series").rglob("*")])
    return [path for path in paths if path.is_file() and b"\0\x52\x30\x92" in path.read_bytes()]


@pytest.mark.corpus
def test_functional_groups_of_real_files_equal_those_of_pydicom(corpus: Path) -> None:
    compared = 0
    for path in corpus_files(corpus):
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        if "PerFrameFunctionalGroupsSequence" not in dataset or not dataset.PerFrameFunctionalGroupsSequence:
            continue
        frames = frames_of(path)
        items = dataset.PerFrameFunctionalGroupsSequence
        assert frames.count == len(items), path
        for row, item in enumerate(items):
            expected = reference(item)
            for name, value in expected.items():
                assert equals(frames.columns[name], row, value), (path, row, name, value)
                compared += 1
            for name, column in frames.columns.items():
                if name not in expected and column.kind != "raw":
                    assert column.codes[row] < 0, (path, row, name, keyword_for_tag(TAGS.get(name, 0)))

    assert compared > 1000
    assert NAMES[TAGS["EffectiveEchoTime"]] == to_snake_case("EffectiveEchoTime")
