"""Many files read side by side give what each of them gives when it is read alone, odd ones among them too."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import TRANSFER_SYNTAXES, encapsulate
from headers.written import BIG_ENDIAN, EXPLICIT, IMPLICIT, PIXELS, element, item, numbers, sequence
from index.test_scan import cell, scan
from xdicom.headers.abreast import FEW
from xdicom.headers.elements import Syntax
from xdicom.index.catalog import Catalog
from xdicom.model.columns import Column

WAYS: dict[str, tuple[str, Syntax]] = {
    "explicit": ("native", EXPLICIT),
    "implicit": ("implicit", IMPLICIT),
    "big endian": ("big_endian", BIG_ENDIAN),
    "run length": ("rle", EXPLICIT),
}

Elements = dict[int, tuple[str, bytes]]


def usual(number: int, syntax: Syntax) -> Elements:
    """What every file has: a plane of 2 x 2 pixels at a place of its own."""

    def us(value: int) -> tuple[str, bytes]:
        return ("US", numbers(value, syntax=syntax))

    return {
        0x00080005: ("CS", b"ISO_IR 100"),
        0x00080008: ("CS", b"ORIGINAL\\PRIMARY\\AXIAL "),
        0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        0x00080018: ("UI", _even(f"1.2.{number}".encode(), b"\0")),
        0x00080032: ("TM", b"101010.%02d" % (number % 100) + b" "),
        0x00080060: ("CS", b"CT"),
        0x0008103E: ("LO", b"series"),
        0x00180050: ("DS", b"2.5 "),
        0x0020000D: ("UI", b"1.2\0"),
        0x0020000E: ("UI", b"1.3\0"),
        0x00200011: ("IS", b"4 "),
        0x00200013: ("IS", _even(str(number).encode(), b" ")),
        0x00200032: ("DS", _even(f"-10\\-20\\{number * 1.25}".encode(), b" ")),
        0x00200037: ("DS", b"1\\0\\0\\0\\1\\0 "),
        0x00280002: us(1),
        0x00280004: ("CS", b"MONOCHROME2 "),
        0x00280010: us(2),
        0x00280011: us(2),
        0x00280030: ("DS", b"0.7\\0.5 "),
        0x00280100: us(16),
        0x00280101: us(12),
        0x00280102: us(11),
        0x00280103: us(0),
        0x00281052: ("DS", b"-1024 "),
        0x00281053: ("DS", b"1 "),
    }


def _even(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)


def odd(kind: str, values: Elements, syntax: Syntax, number: int) -> Elements:
    """The elements of one file, odd in one way."""
    inner = element(0x00081155, "UI", b"1.2.3\0", syntax)
    added: Elements = {
        "nothing": {},
        "a longer text": {0x0008103E: ("LO", b"x" * (2 + 2 * (number % 20)))},
        "no text": {0x0008103E: ("LO", b"")},
        "letters": {0x0008103E: ("LO", "Größe ".encode("latin_1"))},
        "other letters": {0x00080005: ("CS", b"ISO_IR 192"), 0x0008103E: ("LO", _even("Größe 心".encode(), b" "))},
        "padding of another kind": {0x00080060: ("CS", b"C "), 0x0008103E: ("LO", b" a\0")},
        "a number that is none": {0x00180050: ("DS", b"abc ")},
        "several numbers": {0x00281050: ("DS", b"40\\-600 "), 0x00281051: ("DS", b"400\\1500")},
        "one number of several": {0x00281050: ("DS", b"40"), 0x00281051: ("DS", b"400 ")},
        "a padding value": {0x00280120: ("US", numbers(63536, syntax=syntax))},
        "a signed padding value": {0x00280103: ("US", numbers(1, syntax=syntax)), 0x00280120: ("SS", numbers(63536, syntax=syntax))},
        "a private block": {0x00190010: ("LO", b"SIEMENS MR HEADER "), 0x0019100C: ("IS", b"50")},
        "a private block elsewhere": {0x00190042: ("LO", b"SIEMENS MR HEADER "), 0x0019420C: ("IS", b"70")},
        "a block of someone else": {0x00190010: ("LO", b"SOMEONE ELSE"), 0x0019100C: ("IS", b"90")},
        "an unknown group": {0x00091001: ("OB", b"\1" * (number % 7 * 2))},
        "a sequence": {0x00081140: ("SQ", item(inner, syntax=syntax) * (1 + number % 3))},
        "an empty sequence": {0x00081140: ("SQ", b"")},
        "a long header": {0x00204000: ("LT", b"c" * 9000)},
        "a very long header": {0x00091002: ("OB", b"\0" * 70000)},
        "another size": {0x00280010: ("US", numbers(1, syntax=syntax)), 0x00280011: ("US", numbers(4, syntax=syntax))},
        "no spacing": {0x00280030: ("", b"")},
        "two frames": {0x00280008: ("IS", b"2 ")},
        "a group length": {0x00080000: ("UL", numbers(7, code="I", syntax=syntax))},
        "numbers as UN": {0x00280030: ("UN" if not syntax.is_implicit else "DS", b"0.7\\0.5 ")},
        "a lookup table": {
            0x00283010: ("SQ", item(element(0x00283002, "US", numbers(4, 0, 16, syntax=syntax), syntax), syntax=syntax)),
        },
        "an icon": {
            0x00880200: (
                "SQ",
                item(element(0x00280010, "US", numbers(9, syntax=syntax), syntax), element(PIXELS, "OW", b"\7" * 8, syntax), syntax=syntax),
            ),
        },
        "an overlay": {0x60000010: ("US", numbers(2, syntax=syntax)), 0x60003000: ("OW", b"\1\0")},
        "a mosaic": {0x00080008: ("CS", b"ORIGINAL\\PRIMARY\\M\\MOSAIC ")},
        "a reference": {0x00280120: ("US", b"\0\0"), 0x00189087: ("FD", struct.pack(">d" if syntax.is_big_endian else "<d", 1000.0))},
    }[kind]  # fmt: skip
    return dict(sorted((values | added).items()))


KINDS = [
    "nothing", "a longer text", "no text", "letters", "other letters", "padding of another kind", "a number that is none",
    "several numbers",
    "one number of several", "a padding value", "a signed padding value", "a private block", "a private block elsewhere",
    "a block of someone else",
    "an unknown group", "a sequence", "an empty sequence", "a long header", "a very long header", "another size", "no spacing",
    "two frames",
    "a group length", "numbers as UN", "a lookup table", "an icon", "an overlay", "a mosaic", "a reference",
]  # fmt: skip
ENDS = ["whole", "whole", "whole", "cut in the pixels", "cut in the header", "cut in the meta", "more behind", "no meta"]
UNDEFINED = [False, True]


def write(path: Path, number: int, kind: str, way: str, end: str, *, undefined: bool) -> None:
    """One file."""
    name, syntax = WAYS[way]
    body = b""
    for tag, (vr, value) in odd(kind, usual(number, syntax), syntax, number).items():
        if not vr:
            continue
        if vr == "SQ" and undefined:
            body += sequence(tag, [value] if value else [], undefined=True, syntax=syntax)
        else:
            body += element(tag, vr, value, syntax)
    pixels = struct.pack(">4H" if syntax.is_big_endian else "<4H", *(number + i for i in range(4)))
    if name == "rle":
        body += element(PIXELS, "OB", encapsulate([pixels]) + b"\xfe\xff\xdd\xe0\0\0\0\0", length=0xFFFFFFFF)
    else:
        body += element(PIXELS, "OW", pixels * (2 if kind == "two frames" else 1), syntax)
    uid = TRANSFER_SYNTAXES[name].encode()
    meta = element(0x00020003, "UI", _even(f"1.2.{number}".encode(), b"\0")) + element(0x00020010, "UI", _even(uid, b"\0"))
    meta = element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta
    data = (b"" if end == "no meta" else bytes(128) + b"DICM" + meta) + body
    if end == "cut in the pixels":
        data = data[:-3]
    elif end == "cut in the header":
        data = data[: len(data) - len(body) + 97]
    elif end == "cut in the meta":
        data = data[:150]
    elif end == "more behind":
        data += element(0xFFFCFFFC, "OB", b"\0" * 40, syntax)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def has_value(column: Column | None, row: int) -> bool:
    return column is not None and bool(column.codes[row] >= 0)


def assert_equal(together: Catalog, folder: Path) -> None:
    """Hold what was read together against each file read alone."""
    read = {url: i for i, url in enumerate(together.frames.instances.urls)}
    problems = {problem.url: problem for problem in together.problems}
    notes: dict[str, list[str]] = {}
    for note in together.notes:
        notes.setdefault(note.url, []).append(note.reason)
    for path in sorted(folder.iterdir()):
        alone = scan(path)
        url = str(path)
        if not len(alone.frames):
            assert (problems[url].reason, problems[url].kind) == (alone.problems[0].reason, alone.problems[0].kind)
            continue
        assert notes.get(url, []) == [note.reason for note in alone.notes], url
        assert_row_equals(together, read[url], alone)


def assert_row_equals(together: Catalog, row: int, alone: Catalog) -> None:
    """Hold one instance of several against what it gives alone."""
    table, mine = together.frames.instances, alone.frames.instances
    url = table.urls[row]
    frames = np.flatnonzero(together.frames.instance == row)
    np.testing.assert_array_equal(together.frames.offset[frames], alone.frames.offset, err_msg=url)
    np.testing.assert_array_equal(together.frames.length[frames], alone.frames.length, err_msg=url)
    assert table.encodings[table.encoding[row]] == mine.encodings[0], url
    for name in {*table.columns, *mine.columns}:
        many, one = table.columns.get(name), mine.columns.get(name)
        if not has_value(one, 0):
            assert not has_value(many, row), (url, name)
            continue
        assert many is not None, (url, name)
        assert one is not None
        if one.kind == many.kind == "number":
            mine_numbers, theirs = one.numbers()[0], many.numbers()[row]
            np.testing.assert_array_equal(mine_numbers[~np.isnan(mine_numbers)], theirs[~np.isnan(theirs)], err_msg=f"{url} {name}")
        elif (one.kind, many.kind) == ("text", "number"):  # most files have numbers here
            assert [str(number) for number in many.numbers()[row]] == [str(float(part)) for part in str(cell(one, 0)).split("\\")]
        else:
            assert cell(many, row) == cell(one, 0), (url, name)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    st.sampled_from(sorted(WAYS)),
    st.booleans(),
)
def test_any_heap_of_files_is_read_like_each_of_them(tmp_path: Path, random: Any, kinds: list[str], way: str, undefined: bool) -> None:
    folder = tmp_path / "heap"
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(2 * FEW + 10):
        is_odd = random.random() < 0.2
        kind = random.choice(kinds) if random.random() < 0.5 else "nothing"
        write(
            folder / f"{number:03d}", number, kind, random.choice(sorted(WAYS)) if is_odd else way,
            random.choice(ENDS) if is_odd else "whole", undefined=undefined,
        )  # fmt: skip

    assert_equal(scan(folder), folder)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_one_odd_kind_among_many_usual_files_is_read_right(tmp_path: Path, kind: str, way: str) -> None:
    for number in range(2 * FEW):
        write(tmp_path / f"{number:03d}", number, kind if number % 3 == 1 else "nothing", way, "whole", undefined=number % 2 == 0)

    together = scan(tmp_path)

    assert len(together.frames.instances) == 2 * FEW
    assert_equal(together, tmp_path)


@pytest.mark.parametrize("end", sorted(set(ENDS)))
def test_files_that_end_too_early_are_noted_as_when_they_are_alone(tmp_path: Path, end: str) -> None:
    for number in range(2 * FEW):
        write(tmp_path / f"{number:03d}", number, "nothing", "explicit", end if number % 4 == 2 else "whole", undefined=False)

    assert_equal(scan(tmp_path), tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), min_size=1, max_size=6), st.sampled_from(["explicit", "implicit"]))
def test_damaged_bytes_end_in_a_problem_or_a_value_and_never_in_an_exception(
    tmp_path: Path, damage: list[tuple[int, int]], way: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(FEW + 4):
        write(folder / f"{number:03d}", number, "several numbers", way, "whole", undefined=True)
    damaged = folder / "001"
    data = bytearray(damaged.read_bytes())
    for place, byte in damage:
        data[place % len(data)] = byte
    damaged.write_bytes(data)

    catalog = scan(folder)

    # Every file is either read or a problem, and the whole ones are read.
    assert len(catalog.frames.instances) + len(catalog.problems) == FEW + 4
    assert len(catalog.frames.instances) >= FEW + 3
