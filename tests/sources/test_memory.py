"""Sources on a file system of fsspec that is neither local nor remote."""

from __future__ import annotations

from collections.abc import Iterator

import fsspec
import pytest

from xdicom.errors import MissingDependencyError, SourceError
from xdicom.sources import locate, read_range, statistics, whole
from xdicom.sources.filesystems import renamed


@pytest.fixture
def place() -> Iterator[str]:
    """A folder in fsspec's memory with three files."""
    memory = fsspec.filesystem("memory")
    memory.pipe({"/place/a.dcm": b"aaaa", "/place/b/c.dcm": b"cccccc", "/place/b/.hidden": b"no"})
    yield "memory://place"
    memory.rm("/place", recursive=True)


def test_a_folder_gives_all_objects_below_it(place: str) -> None:
    assert [(source.url, source.size) for source in locate(place)] == [(f"{place}/a.dcm", 4), (f"{place}/b/c.dcm", 6)]


@pytest.mark.parametrize(("pattern", "count"), [("*.dcm", 1), ("**/*.dcm", 2), ("*", 2), ("b", 1), ("?.dcm", 1)])
def test_a_pattern_gives_what_matches_and_what_lies_below(place: str, pattern: str, count: int) -> None:
    assert len(locate(f"{place}/{pattern}")) == count


def test_objects_are_read_and_counted(place: str) -> None:
    url = locate(place)[1].url

    assert whole(url) == b"cccccc"
    assert read_range(url, 4, 10) == b"cc"
    assert read_range(url, 10, 10) == b""
    assert statistics().by_scheme["memory"].bytes == 8


def test_an_object_that_changed_is_an_error(place: str) -> None:
    source = locate(place)[0]
    assert read_range(source.url, 0, 2, stamp=source.stamp) == b"aa"
    fsspec.filesystem("memory").pipe("/place/a.dcm", b"bbbb")

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_range(source.url, 0, 2, stamp=source.stamp)


def test_nothing_there_is_an_error(place: str) -> None:
    with pytest.raises(SourceError, match="gone"):
        locate(f"{place}/gone")
    with pytest.raises(SourceError, match="nothing is there"):
        locate(f"{place}/gone*")


def test_a_protocol_whose_library_is_missing_says_what_to_install() -> None:
    pytest.importorskip("fsspec")
    try:
        import smbprotocol  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match="pip install"):
            locate("smb://host/share/a.dcm")


@pytest.mark.parametrize(
    ("url", "name", "expected"),
    [
        ("gs://bucket/a", "bucket/a/b.dcm", "gs://bucket/a/b.dcm"),
        ("abfs://box@acc.dfs.core.windows.net/a", "box/a/b.dcm", "abfs://box@acc.dfs.core.windows.net/a/b.dcm"),
        ("sftp://host/a", "/a/b.dcm", "sftp://host/a/b.dcm"),
        ("https://host/a/", "https://host/a/b.dcm", "https://host/a/b.dcm"),
        ("filecache::gs://bucket/a", "bucket/a/b.dcm", "filecache::gs://bucket/a/b.dcm"),
        ("libarchive://::s3://bucket/a.7z", "b.dcm", "libarchive://b.dcm::s3://bucket/a.7z"),
    ],
)
def test_names_in_a_listing_become_urls(url: str, name: str, expected: str) -> None:
    assert renamed(url, name) == expected
