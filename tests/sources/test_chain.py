"""Chains, and content that is deflated."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from xdicom.errors import PixelDataError, SourceError
from xdicom.sources import inflate_of, inflated, locate, read_into, read_range, read_ranges, span_of, split_chain, statistics, whole
from xdicom.sources.chain import Inflate, Span

HEAD, TAIL = b"H" * 30, bytes(range(256)) * 40


def deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@pytest.fixture
def deflated(tmp_path: Path) -> Path:
    """A file with a head as it is, a deflated tail and the padding byte of PS3.5 A.5."""
    path = tmp_path / "deflated.dcm"
    path.write_bytes(HEAD + deflate(TAIL) + b"\0")
    return path


@pytest.mark.parametrize(
    ("url", "links", "outer"),
    [
        ("/a.dcm", (), "/a.dcm"),
        ("span@3+4::/a.dcm", (Span(3, 4),), "/a.dcm"),
        ("inflate@352::span@1024+5000::/x.tar", (Inflate(352), Span(1024, 5000)), "/x.tar"),
        ("span@1+2::simplecache::s3://bucket/a", (Span(1, 2),), "simplecache::s3://bucket/a"),
        ("/odd/span@3+4::/a.dcm", (), "/odd/span@3+4::/a.dcm"),
        ("span@x+4::/a.dcm", (), "span@x+4::/a.dcm"),
    ],
)
def test_a_chain_is_split_into_links_and_what_lies_outside(url: str, links: tuple[object, ...], outer: str) -> None:
    assert split_chain(url) == (links, outer)


def test_what_is_put_together_comes_apart() -> None:
    url = inflate_of(span_of("/x.tar", 1024, 5000), 352)

    assert split_chain(url) == ((Inflate(352), Span(1024, 5000)), "/x.tar")


def test_a_span_that_goes_beyond_its_span_stays_in_it(folder: Path) -> None:
    url = span_of(f"span@90+5::{folder / 'a.dcm'}", 3, 10)

    assert whole(url) == bytes([93, 94])


@pytest.mark.parametrize(("offset", "length"), [(0, 30), (10, 40), (30, 256), (0, 99999), (10_000, 999), (99_999, 5)])
def test_a_deflated_tail_reads_as_if_it_were_not(deflated: Path, offset: int, length: int) -> None:
    assert read_range(inflate_of(str(deflated), 30), offset, length) == (HEAD + TAIL)[offset : offset + length]


def test_every_way_to_read_knows_deflated_content(deflated: Path) -> None:
    url, content = inflate_of(str(deflated), 30), HEAD + TAIL
    out = np.zeros(100, dtype=np.uint8)

    assert whole(url) == content
    assert read_ranges(url, [5, 300], [50, 7]) == [content[5:55], content[300:307]]
    assert read_into(url, 20, out) == 100
    assert out.tobytes() == content[20:120]


def test_deflated_content_within_an_archive_is_reached_through_both(deflated: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.bin"
    outer.write_bytes(b"before" + deflated.read_bytes() + b"after")
    url = inflate_of(span_of(str(outer), 6, deflated.stat().st_size), 30)

    assert whole(url) == HEAD + TAIL
    assert read_ranges(span_of(url, 30, 256), [0, 250], [3, 100]) == [TAIL[:3], TAIL[250:256]]


def test_deflated_content_is_read_once(deflated: Path) -> None:
    for offset in range(0, 1000, 100):
        read_range(inflate_of(str(deflated), 30), offset, 50)

    assert statistics().requests == 1


def test_deflated_content_is_read_again_when_the_file_changed(deflated: Path) -> None:
    url = inflate_of(str(deflated), 30)
    read_range(url, 0, 10)
    deflated.write_bytes(HEAD + deflate(b"other" * 3))

    assert read_range(url, 30, 15) == b"otherotherother"


def test_a_change_of_deflated_content_since_the_scan_is_an_error(deflated: Path) -> None:
    (source,) = locate(deflated)
    deflated.write_bytes(HEAD + deflate(b"other" * 3))

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_range(inflate_of(source.url, 30), 0, 10, stamp=source.stamp)


def test_threads_that_want_the_same_content_inflate_it_once(deflated: Path) -> None:
    gate = threading.Barrier(8)
    results: list[bytes] = []

    def work() -> None:
        gate.wait()
        results.append(read_range(inflate_of(str(deflated), 30), 30, 100))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [TAIL[:100]] * 8
    assert statistics().requests == 1


def test_only_as_much_is_kept_as_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inflated.CACHE_VARIABLE, "25")
    for name in "abc":
        (tmp_path / name).write_bytes(deflate(name.encode() * 10))

    for name in "abcabc":
        read_range(inflate_of(str(tmp_path / name)), 0, 1)

    assert statistics().requests == 6
    assert sum(len(entry.data or b"") for entry in inflated._kept.entries.values()) == 20


def test_content_larger_than_the_room_is_kept_while_it_is_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inflated.CACHE_VARIABLE, "5")
    (tmp_path / "a").write_bytes(deflate(b"a" * 10))

    for offset in range(4):
        read_range(inflate_of(str(tmp_path / "a")), offset, 1)

    assert statistics().requests == 1


def test_content_that_inflates_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inflated.LIMIT_VARIABLE, "100000")
    (tmp_path / "bomb").write_bytes(deflate(bytes(1_000_000)))

    with pytest.raises(PixelDataError, match="XDICOM_INFLATE_LIMIT=100000"):
        whole(inflate_of(str(tmp_path / "bomb")))


def test_large_content_that_inflates_a_thousandfold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "_HARMLESS", 100_000)

    with pytest.raises(PixelDataError, match="which is not believed"):
        inflated.inflate(deflate(bytes(1_000_000)), 0, "bomb")


@pytest.mark.parametrize(
    ("data", "message"),
    [(deflate(TAIL)[:-20], "ends early"), (b"", "ends early"), (b"\xff" * 40, "damaged")],
    ids=["truncated", "empty", "damaged"],
)
def test_damaged_content_is_an_error_that_says_where(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(HEAD + data)

    with pytest.raises(PixelDataError, match=f"inflate@30::.*byte 30.*{message}"):
        whole(inflate_of(str(tmp_path / "a"), 30))


def test_content_in_several_steps_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "_STEP", 100)

    assert inflated.inflate(HEAD + deflate(TAIL), 30, "a") == HEAD + TAIL
