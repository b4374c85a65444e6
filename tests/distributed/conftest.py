"""A cluster on this machine, and storage that its workers reach."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers import KEY, SECRET, RangeServer, S3Server, patient_clusters, require, s3_server
from xdicom.sources import counters, options, remote


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("distributed")
            if "s3" in getattr(item, "fixturenames", ()):
                item.add_marker("s3")


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """Client of two worker processes, each with a nanny that starts it again; they have credentials in their environment."""
    distributed = pytest.importorskip("distributed")
    environment = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with (
        patient_clusters(),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", env=environment
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def cluster_is_up(client: Any) -> None:
    """The files that a cluster holds open are no test's."""


@pytest.fixture
def web() -> Iterator[RangeServer]:
    """A web server that serves ranges and fails on command."""
    server = RangeServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    """An S3 server with one bucket."""
    require("s3")
    with s3_server() as server:
        yield server


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """What this process remembers of storage is forgotten after each test."""
    yield
    counters.reset_statistics()
    options._known.clear()
    remote._clients.begin()
