"""Sources on a web server that is slow, breaks off, or says no."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from typing import Any

import numpy as np
import pytest

from xdicom.errors import SourceError, XDicomError
from xdicom.sources import (
    Source,
    concurrency,
    faults,
    inflate_of,
    locate,
    read_heads,
    read_heads_into,
    read_into,
    read_many,
    read_many_into,
    read_range,
    read_ranges,
    reset_statistics,
    statistics,
    translations,
    whole,
)

DATA = bytes(range(256)) * 400
pytestmark = pytest.mark.usefixtures("library")


@pytest.fixture
def url(web: Any) -> str:
    """An object on the server."""
    return str(web.put("folder/a.dcm", DATA))


def test_an_object_is_described_by_size_and_etag(web: Any, url: str) -> None:
    assert locate(url) == [Source(url, len(DATA), web.etags["folder/a.dcm"])]
    assert web.methods() == {"HEAD": 1}


def test_an_object_without_etag_is_stamped_by_its_time(web: Any, url: str) -> None:
    web.sends_etags = False

    assert locate(url)[0].stamp == "2014-05-13T16:53:20+00:00"


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (1000, 5000), (len(DATA) - 5, 10), (len(DATA), 10), (len(DATA) + 5, 10), (0, 1 << 20), (7, 0)]
)
def test_a_range_is_short_only_at_the_end(url: str, offset: int, length: int) -> None:
    out = np.zeros(length, dtype=np.uint8)

    assert read_range(url, offset, length) == DATA[offset : offset + length]
    assert read_into(url, offset, out) == len(DATA[offset : offset + length])
    assert out.tobytes().startswith(DATA[offset : offset + length])


def test_the_whole_is_one_request(web: Any, url: str) -> None:
    assert whole(url) == DATA
    assert len(web.requests) == 1


def test_names_are_encoded_for_the_request_only(web: Any) -> None:
    web.put("a%20b%23.dcm", b"content")

    (found,) = locate(f"{web.url}/a%20b%23.dcm")

    assert found.url == f"{web.url}/a%20b%23.dcm"
    assert whole(found.url) == b"content"


def test_addresses_in_a_list_are_not_asked_for_before_they_are_read(web: Any) -> None:
    urls = [web.put(f"{i}.dcm", bytes([i]) * 20) for i in range(5)]

    found = locate(urls)

    assert found == [Source(url, -1, "") for url in urls]
    assert web.requests == []


def test_a_page_of_links_is_a_folder(web: Any) -> None:
    for name in ("b.dcm", "a.dcm", "c.txt"):
        web.put(f"page/{name}", name.encode())

    assert [whole(source.url) for source in locate(f"{web.url}/page/")] == [b"a.dcm", b"b.dcm", b"c.txt"]
    assert [whole(source.url) for source in locate(f"{web.url}/page/*.dcm")] == [b"a.dcm", b"b.dcm"]


def test_heads_take_one_request_each_with_many_at_once(web: Any) -> None:
    urls = [web.put(f"{i}.dcm", bytes([i]) * 20_000) for i in range(100)]
    web.hold_until(9)
    found: dict[int, Source] = {}

    heads = list(read_heads(locate(urls), found=found))

    assert heads == [(i, bytes([i]) * 8192) for i in range(100)]
    assert web.methods() == {"GET": 100}
    assert 9 <= web.most_at_once <= concurrency.IN_FLIGHT
    assert statistics().bytes == 100 * 8192


def test_reading_heads_tells_size_and_stamp_for_nothing(web: Any) -> None:
    urls = [web.put(f"{i}.dcm", bytes([i]) * 20_000) for i in range(3)]
    found: dict[int, Source] = {}

    list(read_heads(locate(urls), found=found))

    assert found == {i: Source(url, 20_000, web.etags[f"{i}.dcm"]) for i, url in enumerate(urls)}


def test_heads_of_remote_and_local_sources_mix(web: Any, folder: Any) -> None:
    sources = locate([web.put("a", b"A" * 9), folder / "a.dcm", web.put("b", b"B" * 9), f"{web.url}/gone", f"span@2+3::{folder / 'a.dcm'}"])
    errors: dict[int, XDicomError] = {}
    block = np.zeros((5, 4), dtype=np.uint8)

    heads = list(read_heads(sources, 4, errors=errors))
    lengths = read_heads_into([source.url for source in sources], block)

    assert heads == [(0, b"AAAA"), (1, bytes(range(4))), (2, b"BBBB"), (4, bytes([2, 3, 4]))]
    assert list(errors) == [3]
    assert lengths.tolist() == [4, 4, 4, -1, 3]
    assert block[2].tobytes() == b"BBBB"


def test_heads_that_nobody_waits_for_are_not_fetched(web: Any) -> None:
    sources = locate([web.put(f"{i}.dcm", b"x") for i in range(400)])

    heads = read_heads(sources)
    next(heads)
    heads.close()  # type: ignore[attr-defined]

    assert len(web.requests) <= 4 * concurrency.IN_FLIGHT


def test_many_objects_are_asked_at_the_same_time_and_each_once(web: Any) -> None:
    urls = [web.put(f"{i}.dcm", bytes(range(100))) for i in range(30)]
    web.hold_until(9)
    out = np.zeros((30, 10), dtype=np.uint8)

    parts = read_many([*urls, *urls], [10] * 30 + [15] * 30, [5] * 60, [""] * 60)
    requests, at_once = len(web.requests), web.most_at_once
    web.release()
    counts = read_many_into(urls, [10] * 30, list(out), [""] * 30)

    assert parts == [bytes(range(10, 15))] * 30 + [bytes(range(15, 20))] * 30
    assert requests == 30
    assert at_once >= 9
    assert counts == [10] * 30
    assert (out == np.arange(10, 20)).all()


def test_neighbouring_ranges_are_one_request(web: Any, url: str) -> None:
    offsets = np.arange(50) * 1000

    parts = read_ranges(url, offsets, np.full(50, 1000))

    assert parts == [DATA[offset : offset + 1000] for offset in offsets]
    assert web.requests == [("GET", "folder/a.dcm", "bytes=0-49999")]


def test_scattered_ranges_move_little_more_than_their_bytes(web: Any, url: str) -> None:
    offsets = np.random.default_rng(1).permutation(np.arange(0, len(DATA), 5000))

    parts = read_ranges(url, offsets, np.full(len(offsets), 1000))

    assert parts == [DATA[offset : offset + 1000] for offset in offsets]
    assert statistics().bytes <= 1.5 * 1000 * len(offsets)


def tries_of(library: str, trouble: str) -> int:
    """Requests that one try makes: aiohttp itself repeats one whose connection broke before any answer."""
    return 2 if (library, trouble) == ("fsspec", "reset") else 1


@pytest.mark.parametrize("trouble", ["503", "500", "429", "408", "reset", "truncated", "short"])
def test_a_failure_that_may_pass_is_tried_again(web: Any, url: str, library: str, trouble: str) -> None:
    web.fail_first(trouble, times=2)

    data = read_range(url, 10, 5000)

    assert data == DATA[10:5010]
    assert len(web.requests) == 3
    assert statistics().retries == 2 // tries_of(library, trouble)


def test_a_server_that_hangs_is_asked_again(web: Any, url: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library == "obstore":
        monkeypatch.setitem(translations.CLIENT, "read_timeout", "1s")
        options: dict[str, object] = {}
    else:
        import aiohttp

        options = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=1)}}
    locate(url, options)
    web.fail_first("hang")

    assert read_range(url, 10, 50) == DATA[10:60]
    assert statistics().retries >= 1


@pytest.mark.parametrize("trouble", ["503", "reset", "truncated"])
def test_tries_are_limited_and_the_error_says_that_another_may_help(web: Any, url: str, library: str, trouble: str) -> None:
    web.trouble = lambda method, name, earlier: trouble

    with pytest.raises(SourceError, match=f"did not answer in {faults.TRIES} tries .* Another try later may help"):
        read_range(url, 10, 5000)

    assert len(web.requests) == faults.TRIES * tries_of(library, trouble)


@pytest.mark.parametrize(
    ("trouble", "words"), [("403", "access was denied"), ("401", "access was denied"), ("404", "does not exist"), ("400", "was refused")]
)
def test_a_final_answer_is_not_asked_for_again(web: Any, url: str, trouble: str, words: str) -> None:
    web.trouble = lambda method, name, earlier: trouble

    with pytest.raises(SourceError, match=f"{words} .* Another try will not help"):
        read_range(url, 10, 5000)

    assert len(web.requests) == 1


def test_an_error_names_the_url_and_pickles_as_itself(web: Any) -> None:
    with pytest.raises(SourceError) as caught:
        read_range(f"{web.url}/gone.dcm", 0, 10)

    again = pickle.loads(pickle.dumps(caught.value))
    assert str(caught.value).startswith(f"{web.url}/gone.dcm: does not exist")
    assert "\n" not in str(caught.value)
    assert (type(again), str(again)) == (SourceError, str(caught.value))
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_missing_object_is_not_located(web: Any) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        locate(f"{web.url}/gone.dcm")


def test_an_object_that_changed_since_the_scan_is_an_error(web: Any, url: str) -> None:
    (source,) = locate(url)
    assert read_range(url, 0, 10, stamp=source.stamp) == DATA[:10]
    web.put("folder/a.dcm", DATA[::-1])

    with pytest.raises(SourceError, match=r"changed since it was scanned .* scan it again"):
        read_range(url, 0, 10, stamp=source.stamp)

    assert web.methods()["GET"] == 2


def test_a_change_is_seen_by_the_time_where_there_are_no_etags(web: Any, url: str) -> None:
    web.sends_etags = False

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_ranges(url, [0], [10], stamp="2013-01-01T00:00:00+00:00")


def test_where_nothing_else_is_told_another_size_is_a_change(web: Any, url: str) -> None:
    web.sends_etags = web.sends_times = False
    (source,) = locate(url)
    assert source.stamp == f"{len(DATA)} bytes"
    assert read_range(url, 0, 10, stamp=source.stamp) == DATA[:10]
    web.put("folder/a.dcm", DATA + b"more")

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_range(url, 0, 10, stamp=source.stamp)


def test_a_server_that_serves_no_ranges_gives_an_error_rather_than_wrong_bytes(web: Any, url: str) -> None:
    web.trouble = lambda method, name, earlier: "no range"

    with pytest.raises(SourceError, match="Another try will not help"):
        read_range(url, 1000, 10)


def test_a_server_that_serves_another_range_gives_an_error_rather_than_wrong_bytes(web: Any, url: str) -> None:
    web.trouble = lambda method, name, earlier: "wrong range"

    with pytest.raises(SourceError):
        read_range(url, 1000, 10)


def test_a_tenth_of_all_requests_may_fail(web: Any) -> None:
    urls = [web.put(f"{i}.dcm", bytes([i]) * 20_000) for i in range(100)]
    web.fail_randomly(0.1, "503", "reset", "truncated", "short", "429")

    heads = list(read_heads(locate(urls)))
    wholes = [whole(url) for url in urls]

    assert heads == [(i, bytes([i]) * 8192) for i in range(100)]
    assert wholes == [bytes([i]) * 20_000 for i in range(100)]
    assert statistics().retries > 5


def test_deflated_content_is_fetched_once(web: Any) -> None:
    import zlib

    compressor = zlib.compressobj(wbits=-15)
    url = web.put("deflated.dcm", b"head" + compressor.compress(DATA) + compressor.flush())
    (source,) = locate(url)

    parts = [read_range(inflate_of(url, 4), offset, 100, stamp=source.stamp) for offset in range(0, 1000, 100)]

    assert b"".join(parts) == (b"head" + DATA)[:1000]
    assert web.methods() == {"HEAD": 1, "GET": 1}


def test_members_of_a_remote_archive_are_spans_of_it(web: Any) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for i in range(5):
            file.writestr(f"{i}.dcm", bytes([i]) * 1000)
    url = web.put("a.zip", memory.getvalue())

    found = locate(f"zip://*::{url}")
    reset_statistics()

    assert found == locate(url)
    assert [read_range(source.url, 10, 5) for source in found] == [bytes([i]) * 5 for i in range(5)]


def test_neighbouring_members_of_a_remote_archive_are_one_request(web: Any) -> None:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as file:
        for i in range(5):
            info = tarfile.TarInfo(f"{i}.dcm")
            info.size = 4000
            file.addfile(info, io.BytesIO(bytes([i]) * 4000))
    found = locate(web.put("a.tar", memory.getvalue()))
    urls, stamps = [source.url for source in found], [source.stamp for source in found]
    outs = [np.zeros(3800, np.uint8) for _ in urls]
    web.requests.clear()

    parts = read_many(urls, [100] * 5, [5000] * 5, stamps)
    got = read_many_into(urls, [100] * 5, outs, stamps)

    assert parts == [bytes([i]) * 3900 for i in range(5)]
    assert got == [3800] * 5
    assert [out.tobytes() for out in outs] == [bytes([i]) * 3800 for i in range(5)]
    assert len(web.requests) == 2


def test_a_chain_of_fsspec_is_read_through_it(web: Any, url: str, library: str) -> None:
    if library == "obstore":
        pytest.skip("chains are fsspec's")
    (found,) = locate(f"simplecache::{url}")

    assert found.url == f"simplecache::{url}"
    assert read_range(found.url, 100, 10) == DATA[100:110]
    asked = len(web.requests)
    assert read_range(found.url, 200, 10) == DATA[200:210]
    assert len(web.requests) == asked
