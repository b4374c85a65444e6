"""Series of the collection, served over the web and by an S3 server: what they give, and how often storage is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import xdicom
from servers import S3Server, require, s3_server
from xdicom.sources import locate, reset_statistics, statistics

pytestmark = [pytest.mark.corpus, pytest.mark.slow]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    require("s3")
    with s3_server() as server:
        yield server


def series_of(corpus: Path) -> Iterator[tuple[str, dict[str, Path]]]:
    """Name of each series, and its files by name, in the order of urls."""
    for folder in sorted((corpus / "series").iterdir()):
        files = {Path(source.url).relative_to(folder).as_posix(): Path(source.url) for source in locate(folder)}
        yield folder.name, files


def compare(corpus: Path, remote_of: Callable[[str, dict[str, Path]], Any], options: dict[str, Any] | None = None) -> None:
    """Open each series on this machine and where `remote_of` put it; count what the second asks for."""
    objects = asked_for_headers = 0
    for name, files in series_of(corpus):
        location = remote_of(name, files)
        reset_statistics()
        catalog = xdicom.scan(location, storage_options=options)
        asked_for_headers += statistics().requests
        objects += len(files)
        if not len(catalog.frames):
            assert not len(xdicom.scan(list(files.values())).frames), name
            continue

        here, there = xdicom.open_study(list(files.values())), xdicom.open_study(catalog)

        assert [node.path for node in there.subtree] == [node.path for node in here.subtree], name
        for mine, other in zip(here.subtree, there.subtree, strict=True):
            if "stored_values" not in mine:
                continue
            reset_statistics()
            loaded = other["stored_values"].compute()
            asked_for_pixels = statistics().requests
            assert asked_for_pixels <= other["stored_values"].data.npartitions, (name, other.path)
            xr.testing.assert_identical(loaded, mine["stored_values"].compute())
    assert asked_for_headers <= 1.2 * objects, asked_for_headers / objects


def test_series_on_the_web_are_as_they_are_here(corpus: Path, web: Any) -> None:
    def put(name: str, files: dict[str, Path]) -> list[str]:
        return [web.put(f"{name}/{key.replace(' ', '%20')}", path.read_bytes()) for key, path in files.items()]

    compare(corpus, put)


@pytest.mark.s3
def test_series_on_s3_are_as_they_are_here(corpus: Path, s3: S3Server) -> None:
    def put(name: str, files: dict[str, Path]) -> str:
        for key, path in files.items():
            s3.put(f"{name}/{key}", path.read_bytes())
        return f"s3://bucket/{name}/"

    compare(corpus, put, s3.options)


def test_a_tenth_of_all_requests_may_fail(corpus: Path, web: Any) -> None:
    for name in ("fmri_ge_tiny", "frag_jpeglossless_subset", "philips_casl_classic_and_enhanced"):
        files = dict(series_of(corpus))[name]
        urls = [web.put(f"{name}/{key}", path.read_bytes()) for key, path in files.items()]
        web.fail_randomly(0.1, "503", "reset", "truncated", "short", "429")

        here, there = xdicom.open_study(list(files.values())), xdicom.open_study(urls)

        assert not there.attrs["problems"] or len(there.attrs["problems"]) == len(here.attrs["problems"])
        for mine, other in zip(here.subtree, there.subtree, strict=True):
            if "stored_values" in mine:
                xr.testing.assert_identical(other["stored_values"].compute(), mine["stored_values"].compute())
    assert statistics().retries > 5
