"""Storage for tests on this machine: a web server that serves ranges and fails on command, and an S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from servers import RangeServer
from xdicom.sources import counters, faults, inflated, options, remote


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "s3: needs an S3 server, which moto is; skipped without it")


@pytest.fixture
def web() -> Iterator[RangeServer]:
    """A web server that serves ranges and fails on command."""
    if find_spec("aiohttp") is None:
        pytest.skip("aiohttp is not installed")
    server = RangeServer()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a process remembers is as in a new one, and tries follow each other at once."""
    monkeypatch.setattr(faults, "FIRST_WAIT_S", 0.001)
    yield
    counters.reset_statistics()
    inflated.forget()
    options._known.clear()
    remote._clients.begin()


@pytest.fixture(params=["obstore", "fsspec"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each library that can read from the web server."""
    name = str(request.param)
    if name == "obstore" and find_spec("obstore") is None:
        pytest.skip("obstore is not installed")
    if name == "fsspec":
        monkeypatch.setattr("xdicom.sources.objectstores._is_installed", lambda: False)
    return name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three files in two levels, and a hidden one."""
    (tmp_path / "a.dcm").write_bytes(bytes(range(100)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.dcm").write_bytes(b"c" * 50)
    (tmp_path / "b" / "a.dcm").write_bytes(b"")
    (tmp_path / "b" / ".hidden").write_bytes(b"no")
    return tmp_path
