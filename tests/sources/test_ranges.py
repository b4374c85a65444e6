"""Stretches of local sources."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from xdicom.errors import SourceError, XDicomError
from xdicom.sources import (
    Source,
    files,
    heads_block,
    locate,
    read_heads,
    read_heads_into,
    read_into,
    read_many,
    read_many_into,
    read_range,
    read_ranges,
    remote,
    statistics,
    successive,
    whole,
)
from xdicom.sources.remote import join_ranges
from xdicom.sources.successive import read_each

CONTENT = bytes(range(100))
WAYS: dict[str, Callable[[str, str], object]] = {
    "read_range": lambda url, stamp: read_range(url, 0, 1, stamp=stamp),
    "read_into": lambda url, stamp: read_into(url, 0, np.zeros(1), stamp=stamp),
    "read_ranges": lambda url, stamp: read_ranges(url, [0], [1], stamp=stamp),
    "whole": lambda url, stamp: whole(url, stamp=stamp),
}


@pytest.fixture(params=["", "span@20+60::"], ids=["file", "span"])
def url(request: pytest.FixtureRequest, folder: Path) -> str:
    """A source whose bytes are `content`, and the same within a larger one."""
    return f"{request.param}{folder / 'a.dcm'}"


@pytest.fixture
def content(url: str) -> bytes:
    return CONTENT[20:80] if url.startswith("span") else CONTENT


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (7, 13), (0, 1000), (50, 50), (59, 1), (60, 5), (99, 10), (100, 10), (500, 10), (5, 0)]
)
def test_a_range_is_short_only_at_the_end(url: str, content: bytes, offset: int, length: int) -> None:
    assert read_range(url, offset, length) == content[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(0, 10), (7, 13), (0, 1000), (50, 50), (60, 5), (500, 10), (5, 0)])
def test_read_into_fills_what_there_is_and_leaves_the_rest(url: str, content: bytes, offset: int, length: int) -> None:
    out = np.full(length, 255, dtype=np.uint8)

    count = read_into(url, offset, out)

    expected = content[offset : offset + length]
    assert count == len(expected)
    assert out.tobytes() == expected + b"\xff" * (length - count)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<f8", "u1"])
def test_read_into_takes_arrays_of_any_type(folder: Path, dtype: str) -> None:
    out = np.zeros((2, 4), dtype=dtype)

    read_into(str(folder / "a.dcm"), 16, out)

    assert out.tobytes() == CONTENT[16 : 16 + out.nbytes]


def test_read_into_takes_a_memoryview(folder: Path) -> None:
    out = bytearray(8)

    assert read_into(str(folder / "a.dcm"), 4, memoryview(out)) == 8
    assert out == CONTENT[4:12]


def test_read_into_refuses_an_array_with_gaps(folder: Path) -> None:
    with pytest.raises(ValueError, match="not C-contiguous"):
        read_into(str(folder / "a.dcm"), 0, np.zeros((4, 4), dtype=np.uint8)[:, ::2])


def test_ranges_come_in_the_order_asked_for_and_may_overlap(url: str, content: bytes) -> None:
    offsets, lengths = np.array([30, 0, 31, 55, 90]), np.array([5, 3, 10, 50, 0])

    parts = read_ranges(url, offsets, lengths)

    assert parts == [content[offset : offset + length] for offset, length in zip(offsets, lengths, strict=True)]


def test_no_ranges_are_no_request(folder: Path) -> None:
    assert read_ranges(str(folder / "gone"), [], []) == []


def test_the_whole_is_all_bytes(url: str, content: bytes) -> None:
    assert whole(url) == content


def test_spans_nest(folder: Path) -> None:
    url = f"span@5+10::span@20+60::{folder / 'a.dcm'}"

    assert whole(url) == CONTENT[25:35]
    assert read_range(url, 8, 10) == CONTENT[33:35]
    assert read_ranges(url, [8, 0], [10, 2]) == [CONTENT[33:35], CONTENT[25:27]]
    out = np.zeros(10, dtype=np.uint8)
    assert read_into(url, 8, out) == 2


def test_a_length_that_no_memory_holds_is_cut_to_the_file(folder: Path) -> None:
    assert read_range(str(folder / "a.dcm"), 90, 1 << 60) == CONTENT[90:]


@pytest.mark.parametrize("read", WAYS)
def test_a_missing_file_is_final(folder: Path, read: str) -> None:
    with pytest.raises(SourceError, match=r"gone\.dcm: does not exist .* Another try will not help") as caught:
        WAYS[read](str(folder / "gone.dcm"), "")

    assert isinstance(caught.value, OSError)
    assert caught.value.__cause__ is None


def test_a_folder_is_not_read(folder: Path) -> None:
    with pytest.raises(SourceError, match="Another try will not help"):
        read_range(str(folder), 0, 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_final(folder: Path) -> None:
    (folder / "a.dcm").chmod(0)

    with pytest.raises(SourceError, match="access was denied"):
        read_range(str(folder / "a.dcm"), 0, 10)


def test_errors_pickle_as_themselves(folder: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read_range(str(folder / "gone.dcm"), 0, 1)

    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is SourceError
    assert str(again) == str(caught.value)


def test_a_failure_that_may_pass_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [TimeoutError("stale"), InterruptedError("again")]
    real = os.open

    def fail_twice(*arguments: object) -> int:
        if failures:
            raise failures.pop()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("xdicom.sources.files.os.open", fail_twice)

    data = read_range(str(folder / "a.dcm"), 0, 3)

    assert data == CONTENT[:3]
    assert statistics().retries == 1


@pytest.mark.parametrize("read", WAYS)
def test_a_file_that_changed_since_it_was_found_is_an_error(folder: Path, read: str) -> None:
    (source,) = locate(folder / "a.dcm")
    WAYS[read](source.url, source.stamp)
    os.utime(source.url, ns=(1, 1))

    with pytest.raises(SourceError, match="changed since it was scanned"):
        WAYS[read](source.url, source.stamp)


def test_a_local_range_costs_one_request_of_its_length(folder: Path) -> None:
    read_range(str(folder / "a.dcm"), 10, 30)

    assert (statistics().requests, statistics().bytes) == (1, 30)


def test_reads_the_system_cuts_short_are_continued(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pread, preadv = os.pread, os.preadv
    monkeypatch.setattr(files, "_pread", lambda fd, length, offset: pread(fd, min(length, 7), offset))
    monkeypatch.setattr(files, "_preadv", lambda fd, buffers, offset: preadv(fd, [buffers[0][:7]], offset))
    out = np.zeros(40, dtype=np.uint8)

    data = read_range(str(folder / "a.dcm"), 10, 40)
    count = read_into(str(folder / "a.dcm"), 10, out)

    assert data == out.tobytes() == CONTENT[10:50]
    assert count == 40


def test_systems_without_pread_read_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_pread", files._pread_by_seek)
    monkeypatch.setattr(files, "_preadv", files._preadv_by_seek)
    out = np.zeros(1000, dtype=np.uint8)

    count = read_into(str(folder / "a.dcm"), 10, out)

    assert out[:count].tobytes() == CONTENT[10:]
    assert read_range(str(folder / "a.dcm"), 10, 1000) == CONTENT[10:]


def test_many_threads_read_one_file_at_once(folder: Path) -> None:
    wrong: list[int] = []

    def work(offset: int) -> None:
        wrong.extend(offset for _ in range(200) if read_range(str(folder / "a.dcm"), offset, 10) != CONTENT[offset : offset + 10])

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert statistics().requests == 8 * 200
    assert statistics().bytes == 8 * 200 * 10


def test_stretches_of_many_sources_come_in_the_order_asked_for(folder: Path) -> None:
    a, c = str(folder / "a.dcm"), str(folder / "b" / "c.dcm")

    parts = read_many([a, c, a, f"span@5+10::{a}"], [10, 0, 50, 8], [5, 3, 2, 5], ["", "", "", ""])

    assert parts == [CONTENT[10:15], b"ccc", CONTENT[50:52], CONTENT[13:15]]
    assert read_many([], [], [], []) == []


def test_stretches_of_many_sources_come_one_after_the_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, c = str(folder / "a.dcm"), str(folder / "b" / "c.dcm")
    arguments = [a, c, a, a], [10, 0, 50, 95], [5, 3, 2, 50], [""] * 4
    expected = [CONTENT[10:15], b"ccc", CONTENT[50:52], CONTENT[95:]]

    assert [bytes(part) for part in read_each(*arguments)] == expected
    monkeypatch.setattr(successive, "_LARGE", 1)
    assert [bytes(part) for part in read_each(*arguments)] == expected
    assert list(read_each([], [], [], [])) == []


def test_of_large_stretches_one_is_read_when_it_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successive, "_LARGE", 1)
    parts = read_each([str(folder / "a.dcm")] * 3, [0, 10, 20], [10, 10, 10], [""] * 3)
    before = statistics().bytes

    first = next(parts)

    assert bytes(first) == CONTENT[:10]
    assert statistics().bytes - before == 10


def test_many_arrays_are_filled(folder: Path) -> None:
    out = np.zeros((3, 4), dtype=np.uint8)

    counts = read_many_into([str(folder / "a.dcm")] * 3, [0, 98, 50], list(out), [""] * 3)

    assert counts == [4, 2, 4]
    assert out.tolist() == [[0, 1, 2, 3], [98, 99, 0, 0], [50, 51, 52, 53]]


def test_a_stamp_is_checked_for_each_of_many_sources(folder: Path) -> None:
    urls = [str(folder / "a.dcm"), str(folder / "b" / "c.dcm")]

    with pytest.raises(SourceError, match=r"c\.dcm: changed"):
        read_many(urls, [0, 0], [1, 1], ["", "1"])
    with pytest.raises(SourceError, match=r"c\.dcm: changed"):
        read_many_into(urls, [0, 0], list(np.zeros((2, 1))), ["", "1"])
    with pytest.raises(SourceError, match=r"c\.dcm: changed"):
        list(read_each(urls, [0, 0], [1 << 17, 1 << 17], ["", "1"]))


def test_heads_come_in_order_with_their_number(folder: Path) -> None:
    seen: list[tuple[int, int]] = []

    heads = list(read_heads(locate(folder), 60, on_progress=lambda done, total: seen.append((done, total))))

    assert heads == [(0, CONTENT[:60]), (1, b""), (2, b"c" * 50)]
    assert seen == [(3, 3)]


def test_the_first_head_that_fails_is_raised_unless_errors_are_collected(folder: Path) -> None:
    sources = [Source(str(folder / "gone"), 5, ""), *locate(folder / "a.dcm")]
    errors: dict[int, XDicomError] = {}

    heads = list(read_heads(sources, 2, errors=errors))

    assert heads == [(1, b"\0\1")]
    assert list(errors) == [0]
    with pytest.raises(SourceError, match="gone"):
        list(read_heads(sources, 2))


def test_heads_are_read_into_rows(folder: Path) -> None:
    block = heads_block(4, 60)
    block[:] = 255
    urls = [str(folder / "a.dcm"), str(folder / "gone"), str(folder / "b" / "a.dcm"), str(folder / "b" / "c.dcm")]

    lengths = read_heads_into(urls, block)

    assert lengths.tolist() == [60, -1, 0, 50]
    assert lengths.dtype == np.int64
    assert block[0].tobytes() == CONTENT[:60]
    assert block[3].tobytes() == b"c" * 50 + b"\xff" * 10
    assert statistics().requests == 4
    assert statistics().bytes == 110


def test_heads_of_chains_are_read_into_rows_too(folder: Path) -> None:
    block = heads_block(3, 8)

    lengths = read_heads_into([f"span@20+4::{folder / 'a.dcm'}", str(folder), str(folder / "a.dcm")], block)

    assert lengths.tolist() == [4, -1, 8]
    assert block[0, :4].tobytes() == CONTENT[20:24]
    assert block[2].tobytes() == CONTENT[:8]


def test_no_heads_are_no_rows() -> None:
    assert read_heads_into([], heads_block(0)).tolist() == []


def test_room_for_heads_is_contiguous_and_does_not_begin_16_bytes_behind_a_page() -> None:
    block = heads_block(1000)

    assert block.flags.c_contiguous
    assert block.shape == (1000, 8192)
    assert block.ctypes.data % 64 == 0


@pytest.mark.parametrize(
    ("offsets", "lengths", "expected"),
    [
        ([0, 10, 20], [10, 10, 10], [(0, 30, [0, 1, 2])]),
        ([20, 0, 10], [10, 10, 10], [(0, 30, [1, 2, 0])]),
        ([0, 5, 2], [10, 3, 30], [(0, 32, [0, 2, 1])]),
        ([0, 12], [10, 10], [(0, 22, [0, 1])]),
        ([0, 30], [10, 10], [(0, 10, [0]), (30, 10, [1])]),
        ([0, 10_000_000], [9_000_000, 9_000_000], [(0, 9_000_000, [0]), (10_000_000, 9_000_000, [1])]),
        ([0, 50, 60], [10, 0, 10], [(0, 10, [0]), (60, 10, [2])]),
        ([5], [0], []),
    ],
    ids=["touching", "unsorted", "overlapping", "small gap", "mostly gap", "long gap", "empty one", "nothing"],
)
def test_near_ranges_are_one_request(offsets: list[int], lengths: list[int], expected: list[tuple[int, int, list[int]]]) -> None:
    assert join_ranges(np.array(offsets), np.array(lengths)) == expected


def test_a_request_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "REQUEST_LIMIT", 25)

    assert [length for _, length, _ in join_ranges(np.arange(0, 50, 10), np.full(5, 10))] == [20, 20, 10]
