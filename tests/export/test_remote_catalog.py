"""Saved catalogs on remote storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import xdicom
from builders import make_ct
from servers import RangeServer, S3Server, require, s3_server
from xdicom.sources import counters, options, remote, reset_statistics, statistics


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    require("s3")
    with s3_server() as server:
        yield server


@pytest.fixture
def web() -> Iterator[RangeServer]:
    server = RangeServer()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    yield
    counters.reset_statistics()
    options._known.clear()
    remote._clients.begin()


@pytest.fixture
def prefix(s3: S3Server, tmp_path: Path) -> str:
    """A series on S3."""
    for path in make_ct(tmp_path / "ct"):
        s3.put(f"{tmp_path.name}/ct/{path.name}", path.read_bytes())
    return f"s3://bucket/{tmp_path.name}"


@pytest.mark.parametrize("name", ["ct.catalog", "anything"])
@pytest.mark.s3
def test_a_catalog_on_s3_stands_for_the_location(s3: S3Server, prefix: str, name: str) -> None:
    catalog = xdicom.scan(f"{prefix}/ct/", storage_options=s3.options)
    expected = xdicom.open_series(catalog).compute()

    catalog.save(f"{prefix}/{name}", storage_options=s3.options)
    options._known.clear()
    again = xdicom.open_series(f"{prefix}/{name}", storage_options=s3.options)

    assert again.compute().identical(expected)


@pytest.mark.s3
def test_reading_it_takes_few_requests_and_no_header(s3: S3Server, prefix: str) -> None:
    xdicom.scan(f"{prefix}/ct/", storage_options=s3.options).save(f"{prefix}/ct.catalog")
    urls = {entry["Key"] for entry in s3.client.list_objects_v2(Bucket="bucket", Prefix=prefix.removeprefix("s3://bucket/"))["Contents"]}
    reset_statistics()

    xdicom.scan(f"{prefix}/ct.catalog")

    assert statistics().requests == 1 + len([url for url in urls if "ct.catalog/" in url])


@pytest.mark.s3
def test_an_object_whose_etag_is_another_is_read_again_and_no_other(s3: S3Server, prefix: str) -> None:
    xdicom.scan(f"{prefix}/ct/", storage_options=s3.options).save(f"{prefix}/ct.catalog")
    known = xdicom.scan(f"{prefix}/ct.catalog")
    url, stamp = known.frames.instances.urls[1], known.frames.instances.stamps[1]
    key = url.removeprefix("s3://bucket/")
    data = s3.client.get_object(Bucket="bucket", Key=key)["Body"].read()
    s3.put(key, data.replace(b"CT", b"MR"))

    reset_statistics()
    newer = xdicom.scan(f"{prefix}/ct/", known=known)
    requests = statistics().requests

    assert newer.frames.instances.stamps[1] != stamp
    assert newer.frames.instances.stamps[2] == known.frames.instances.stamps[2]
    assert newer.frames.texts("modality").tolist().count("MR") == 1
    assert requests <= 3  # the listing, one head, and one of the same series, whose patient it has to be of


@pytest.mark.s3
def test_a_catalog_is_replaced(s3: S3Server, prefix: str) -> None:
    catalog = xdicom.scan(f"{prefix}/ct/", storage_options=s3.options)
    catalog.save(f"{prefix}/ct.catalog")

    catalog.save(f"{prefix}/ct.catalog")

    assert len(xdicom.scan(f"{prefix}/ct.catalog").frames) == 3


@pytest.mark.s3
def test_nothing_else_is_replaced(s3: S3Server, prefix: str) -> None:
    catalog = xdicom.scan(f"{prefix}/ct/", storage_options=s3.options)

    with pytest.raises(xdicom.SourceError, match="is no saved catalog"):
        catalog.save(f"{prefix}/ct")

    assert len(xdicom.scan(f"{prefix}/ct/").frames) == 3


@pytest.mark.s3
def test_another_zarr_store_is_no_catalog(s3: S3Server, prefix: str) -> None:
    s3.put(f"{prefix.removeprefix('s3://bucket/')}/ct/zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {}}')

    with pytest.raises(xdicom.NotDicomError, match="is no saved catalog of version"):
        xdicom.scan(f"{prefix}/ct", storage_options=s3.options)


def test_a_catalog_on_the_web_is_known_by_its_name(web: Any, tmp_path: Path) -> None:
    make_ct(tmp_path / "ct")
    catalog = xdicom.scan(tmp_path / "ct")
    catalog.save(tmp_path / "ct.catalog")
    for path in (tmp_path / "ct.catalog").rglob("*"):
        if path.is_file():
            web.put(path.relative_to(tmp_path).as_posix(), path.read_bytes())

    opened = xdicom.open_series(f"{web.url}/ct.catalog")

    assert opened.identical(xdicom.open_series(catalog))


def test_a_catalog_that_is_not_there_is_missing(web: Any) -> None:
    with pytest.raises(xdicom.SourceError, match="does not exist"):
        xdicom.scan(f"{web.url}/gone.catalog")
