"""Credentials stay where they were given."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import pytest

import xdicom
from builders import make_file, phantoms
from servers import KEY, PATIENCE_S, SECRET, S3Server
from xdicom.sources import options, remote, set_storage_options

WRONG = "not-the-secret-of-this-server"


@pytest.fixture
def url(s3: S3Server, tmp_path: Path) -> str:
    """An object of its own for each test: a task that failed is known to the cluster for as long as someone holds its error."""
    return s3.put(f"{tmp_path.name}.dcm", make_file(tmp_path / "a.dcm", {"Modality": "OT"}, phantoms(6, 8, 6)).read_bytes())


def everything_about(array: Any) -> list[bytes]:
    """All forms in which an array of a series leaves this process or is shown."""
    graph = array.data.__dask_graph__()
    (optimized,) = dask.optimize(array.data)
    return [
        cloudpickle.dumps(graph),
        cloudpickle.dumps(dict(optimized.__dask_graph__())),
        pickle.dumps(array),
        dask.base.tokenize(array).encode(),
        array.data.name.encode(),
        repr(array).encode(),
        array._repr_html_().encode(),
        repr(array.attrs).encode(),
        repr(dict(graph)).encode(),
    ]


def test_nothing_that_leaves_the_process_holds_a_secret(url: str, s3: S3Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "xdicom")
    catalog = xdicom.scan(url, storage_options=s3.options)

    forms = everything_about(xdicom.open_series(catalog))
    forms += [pickle.dumps(catalog), repr(catalog).encode(), caplog.text.encode()]

    assert not [form for form in forms if SECRET.encode() in form or KEY.encode() in form]


def test_the_endpoint_travels_and_the_worker_brings_the_credentials(client: Any, url: str, s3: S3Server) -> None:
    array = xdicom.open_frames(url, storage_options=s3.options)

    values = client.compute(array).result(PATIENCE_S)

    assert (values == phantoms(6, 8, 6)).all()


def test_the_cluster_logs_no_secret(client: Any, url: str, s3: S3Server) -> None:
    array = xdicom.open_frames(url, storage_options={**s3.options, "secret": WRONG})
    s3.client.delete_object(Bucket="bucket", Key=url.rpartition("/")[2])

    with pytest.raises(xdicom.SourceError) as caught:
        client.compute(array).result(PATIENCE_S)

    told = repr([client.get_worker_logs(), client.get_scheduler_logs(), client.get_events(), str(caught.value)])
    assert "does not exist" in str(caught.value)
    assert SECRET not in told
    assert WRONG not in told


def test_a_plugin_gives_workers_credentials_and_those_that_start_again_too(client: Any, url: str, s3: S3Server) -> None:
    from distributed import WorkerPlugin

    class Credentials(WorkerPlugin):
        name = "credentials"

        def setup(self, worker: Any) -> None:
            set_storage_options("s3://bucket", s3_options)

    s3_options = s3.options
    array = xdicom.open_frames(url, storage_options=s3.options)
    client.run(hide)
    client.register_plugin(Credentials())
    try:
        values = client.compute(array).result(PATIENCE_S)
    finally:
        client.unregister_worker_plugin("credentials")
        client.run(show)

    assert (np.asarray(values) == phantoms(6, 8, 6)).all()


def hide() -> None:
    """Take the credentials out of the environment of a worker, and forget clients that had them."""
    os.environ["HIDDEN"] = os.environ.pop("AWS_SECRET_ACCESS_KEY")
    remote._clients.begin()


def show() -> None:
    """Give them back; a worker that began since has them."""
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", os.environ.pop("HIDDEN", SECRET))
    options._known.clear()
    remote._clients.begin()
