"""Sources in Google's and Microsoft's object stores, on servers of this machine that speak as theirs do."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

import xdicom
from builders import make_ct
from servers import AZURE_KEY, AzureServer, S3Server, azure_server, google_server, require, s3_server
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


WITHOUT_OBSTORE = """
import json, pickle, sys
import xdicom
from xdicom.sources import locate, objectstores, read_range, statistics, whole

objectstores._is_installed = lambda: False
location, options, stamps = json.loads(sys.argv[1])
values = xdicom.open_series(location, storage_options=options).values
asked = statistics().by_scheme[location.partition(":")[0]].requests
sources = locate(location, options)
told = []
for url, stamp in [*stamps, (sources[0].url, '"another"'), (f"{location}gone.dcm", "")]:
    try:
        told.append(read_range(url, 10, 3, stamp=stamp).hex())
    except xdicom.SourceError as error:
        told.append(str(error))
end = [read_range(sources[0].url, sources[0].size + more, 10).hex() for more in (-2, 2)]
print(json.dumps([values.tolist(), asked, [source.stamp for source in sources], told, end, len(whole(sources[0].url))]))
"""


def read_without_obstore(location: str, options: dict[str, Any], stamps: list[tuple[str, str]]) -> list[Any]:
    """What a process says of a series that it reads by fsspec: these libraries leave much behind in the one that they run in."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
    given = [sys.executable, "-c", WITHOUT_OBSTORE, json.dumps([location, options, stamps])]
    done = subprocess.run(given, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: list[Any] = json.loads(done.stdout)
    return said


@pytest.mark.azure
def test_azure_is_read_without_obstore_too(azure: AzureServer, tmp_path: Path) -> None:
    if find_spec("adlfs") is None:
        pytest.skip("adlfs is not installed")
    paths = make_ct(tmp_path / "ct", transfer_syntax="rle")
    for path in paths:
        azure.put(f"by adlfs/{path.name}", path.read_bytes())
    options = {"connection_string": azure.connection}
    by_obstore = locate("az://container/by adlfs/", options)

    values, asked, stamps, told, end, size = read_without_obstore(
        "az://container/by adlfs/", options, [(source.url, source.stamp) for source in by_obstore]
    )

    assert values == xdicom.open_series(paths).values.tolist()
    assert asked <= 1 + 3 * len(paths)  # a stamp is asked for by itself
    assert stamps == [source.stamp for source in by_obstore]
    assert told[:3] == [path.read_bytes()[10:13].hex() for path in paths]
    assert "changed since it was scanned" in told[3]
    assert "does not exist" in told[4]
    assert (end, size) == ([paths[0].read_bytes()[-2:].hex(), ""], paths[0].stat().st_size)


@pytest.mark.google
def test_google_storage_is_read_without_obstore_too(tmp_path: Path) -> None:
    require("google")
    paths = make_ct(tmp_path / "ct", transfer_syntax="rle")
    with google_server() as endpoint:
        for path in paths:
            name = quote(f"a ct/{path.name}", safe="")
            address = f"{endpoint}/upload/storage/v1/b/bucket/o?uploadType=media&name={name}"
            urlopen(Request(address, data=path.read_bytes(), method="POST", headers={"Content-Type": "application/dicom"})).close()

        values, asked, stamps, told, end, size = read_without_obstore("gs://bucket/a ct/", {"token": "anon", "endpoint_url": endpoint}, [])

    assert values == xdicom.open_series(paths).values.tolist()
    assert asked <= 1 + 3 * len(paths)
    assert stamps == [f'"{hashlib.md5(path.read_bytes()).hexdigest()}"' for path in paths]  # as the etags that obstore is told
    assert "changed since it was scanned" in told[0]
    assert "does not exist" in told[1]
    assert (end, size) == ([paths[0].read_bytes()[-2:].hex(), ""], paths[0].stat().st_size)
