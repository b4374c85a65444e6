"""Sources in an S3 bucket, on a server of this machine."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages import run_page
from servers import KEY, SECRET, require, s3_server
from xdicom.errors import SourceError
from xdicom.sources import locate, public_options, read_heads, read_range, read_ranges, reset_statistics, statistics, using_options, whole

pytestmark = pytest.mark.s3

DATA = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Address of an S3 server with one bucket."""
    require("s3")
    with s3_server() as server:
        for name in ("a.dcm", "deep/b c.dcm", "deep/x%20y#?ü.dcm", "deep/.hidden"):
            server.put(f"study/{name}", DATA)
        server.put("study/empty/", b"")
        server.client.put_object(Bucket="bucket", Key="other/one.dcm", Body=b"one", ACL="public-read")
        server.client.create_bucket(Bucket="odd")
        server.client.put_object(Bucket="odd", Key="study//a.dcm", Body=DATA)
        yield server.endpoint


@pytest.fixture
def options(endpoint: str, library: str) -> dict[str, object]:
    """Options for the server, with credentials."""
    return {"key": "AKIDEXAMPLE", "secret": SECRET, "client_kwargs": {"endpoint_url": endpoint, "region_name": "us-east-1"}}


def keys(location: str, options: dict[str, object]) -> list[str]:
    return [source.url.removeprefix("s3://bucket/") for source in locate(location, options)]


STUDY = ["study/a.dcm", "study/deep/b c.dcm", "study/deep/x%20y#?ü.dcm"]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("s3://bucket", ["other/one.dcm", *STUDY]),
        ("s3://bucket/study", STUDY),
        ("s3://bucket/study/", STUDY),
        ("s3://bucket/study/*", STUDY),
        ("s3://bucket/*/*.dcm", ["other/one.dcm", "study/a.dcm"]),
        ("s3://bucket/study/**/*.dcm", STUDY),
        ("s3://bucket/other/one.dcm", ["other/one.dcm"]),
    ],
)
def test_buckets_prefixes_and_patterns_are_listed(options: dict[str, object], location: str, expected: list[str]) -> None:
    assert keys(location, options) == expected


def test_a_listing_takes_one_request(options: dict[str, object]) -> None:
    locate("s3://bucket/study/", options)

    assert statistics().requests == 1


def test_objects_of_any_name_are_read(options: dict[str, object]) -> None:
    for source in locate("s3://bucket/study/", options):
        assert source.size == len(DATA)
        assert read_range(source.url, 1000, 10, stamp=source.stamp) == DATA[1000:1010]
        assert read_range(source.url, len(DATA) - 5, 10) == DATA[-5:]
        assert read_range(source.url, len(DATA) + 5, 10) == b""
        assert whole(source.url) == DATA


def test_names_with_empty_steps_are_read_too(options: dict[str, object]) -> None:
    (source,) = locate("s3://odd", options)

    assert source.url == "s3://odd/study//a.dcm"
    assert whole(source.url) == DATA


def test_listings_by_both_libraries_agree_on_stamps(options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    first = locate("s3://bucket/study/", options)
    monkeypatch.setattr("xdicom.sources.objectstores._is_installed", lambda: False)

    assert locate("s3://bucket/study/", options) == first


def test_heads_and_chunks_take_one_request_each(options: dict[str, object]) -> None:
    sources = locate("s3://bucket/study/", options)
    reset_statistics()

    heads = [head for _, head in read_heads(sources)]
    parts = read_ranges(sources[0].url, np.arange(20) * 512, np.full(20, 512))

    assert heads == [DATA[:8192]] * 3
    assert b"".join(parts) == DATA[: 20 * 512]
    assert statistics().requests == 3 + 1


@pytest.mark.parametrize("location", ["s3://bucket/gone.dcm", "s3://bucket/gone/", "s3://bucket/gone/*", "s3://nobucket/a.dcm"])
def test_nothing_there_is_final(options: dict[str, object], location: str) -> None:
    with pytest.raises(SourceError, match="Another try will not help"):
        locate(location, options)


def test_an_object_that_changed_is_an_error(options: dict[str, object]) -> None:
    locate("s3://bucket/study/", options)

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_range("s3://bucket/study/a.dcm", 0, 10, stamp='"another"')


def test_nothing_that_travels_holds_a_secret(options: dict[str, object]) -> None:
    sources = locate("s3://bucket/study/", options)
    travels: Any = (sources, public_options([source.url for source in sources]))
    with pytest.raises(SourceError) as caught:
        read_range("s3://bucket/gone.dcm", 0, 10)

    assert SECRET.encode() not in pickle.dumps(travels)
    assert SECRET not in repr(travels)
    assert SECRET not in str(caught.value)
    assert "endpoint_url" in repr(travels)


WORKER = """
import pickle, sys
import xdicom.sources as sources

if __name__ == "__main__":
    url, public = pickle.loads(bytes.fromhex(sys.argv[1]))
    with sources.using_options(public):
        sys.stdout.write(sources.read_range(url, 5, 3).hex())
"""


def test_a_worker_reads_with_its_own_credentials_and_the_options_that_travelled(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    (source, *_) = locate("s3://bucket/study/", options)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    task = pickle.dumps((source.url, public_options(source.url))).hex()

    done = subprocess.run([sys.executable, "-c", WORKER, task], capture_output=True, text=True, check=False)

    assert done.stdout == DATA[5:8].hex(), done.stderr


def test_a_process_without_options_of_its_own_reads_anonymously_with_what_travelled(options: dict[str, object], endpoint: str) -> None:
    public = (("s3://bucket", (("anon", True), ("client_kwargs.endpoint_url", endpoint))),)

    with using_options(public):
        assert read_range("s3://bucket/other/one.dcm", 0, 10) == b"one"


def test_the_page_that_teaches_it_holds_in_a_bucket(endpoint: str, testdata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "ENDPOINT_URL": endpoint, "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    text = (testdata.parent / "docs" / "howto" / "cloud.md").read_text(encoding="utf-8")
    page = tmp_path / "cloud.md"
    page.write_text(
        text.replace("memory://bucket", "s3://bucket").replace('"memory"', '"s3"').replace('"/bucket/', '"bucket/'), encoding="utf-8"
    )
    (tmp_path / "testdata").symlink_to(testdata)
    monkeypatch.chdir(tmp_path)

    assert run_page(page) > 0
