"""Sources in Google's and Microsoft's object stores, on servers of this machine that speak as theirs do."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import xdicom
from builders import make_ct
from servers import AZURE_KEY, AzureServer, S3Server, azure_server, require, s3_server
from xdicom.errors import SourceError
from xdicom.sources import locate, read_range, reset_statistics, statistics


@pytest.fixture(scope="module")
def google() -> Iterator[S3Server]:
    """A server that speaks S3, which Google's XML interface is made after; requests without a key may read what is public."""
    require("s3")
    with s3_server() as server:
        yield server


@pytest.mark.s3
@pytest.mark.parametrize("scheme", ["gs", "gcs"])
def test_a_series_in_google_storage_is_as_it_is_here(google: S3Server, tmp_path: Path, scheme: str) -> None:
    paths = make_ct(tmp_path / "ct", transfer_syntax="rle")
    for path in paths:
        google.put(f"{scheme} ct/{path.name}", path.read_bytes(), ACL="public-read")
    reset_statistics()

    opened = xdicom.open_series(f"{scheme}://bucket/{scheme} ct/", storage_options={"token": "anon", "endpoint_url": google.endpoint})
    values = opened.values

    assert (values == xdicom.open_series(paths).values).all()
    assert statistics().by_scheme[scheme].requests == 1 + 2 * len(paths)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    require("azure")
    with azure_server(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.mark.azure
@pytest.mark.parametrize("form", ["connection string", "key"])
def test_a_series_in_azure_is_as_it_is_here(azure: AzureServer, tmp_path: Path, form: str) -> None:
    paths = make_ct(tmp_path / "ct", transfer_syntax="rle")
    for path in paths:
        azure.put(f"{form}/ct/{path.name}", path.read_bytes())
    key = {"account_name": "devstoreaccount1", "account_key": AZURE_KEY, "endpoint": azure.endpoint}
    reset_statistics()

    opened = xdicom.open_series(
        f"az://container/{form}/ct/*.dcm", storage_options={"connection_string": azure.connection} if form == "connection string" else key
    )
    values = opened.values

    assert (values == xdicom.open_series(paths).values).all()
    assert statistics().by_scheme["az"].requests == 1 + 2 * len(paths)
    assert AZURE_KEY.encode() not in pickle.dumps(opened) + repr(opened.data.dask).encode()


@pytest.mark.azure
def test_an_object_in_azure_that_changed_is_an_error(azure: AzureServer) -> None:
    azure.put("changing/a.dcm", b"before")
    (source,) = locate("az://container/changing/", {"connection_string": azure.connection})
    assert read_range(source.url, 0, 3, stamp=source.stamp) == b"bef"
    azure.put("changing/a.dcm", b"behind")

    with pytest.raises(SourceError, match="changed since it was scanned"):
        read_range(source.url, 0, 3, stamp=source.stamp)


@pytest.mark.azure
def test_what_is_not_in_azure_is_final_and_named_without_the_key(azure: AzureServer) -> None:
    with pytest.raises(SourceError, match="Another try will not help") as caught:
        locate("az://container/gone.dcm", {"connection_string": azure.connection})

    assert AZURE_KEY not in str(caught.value)
