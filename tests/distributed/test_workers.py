"""Workers that die, start again, or have no credentials."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xdicom
from builders import make_ct, make_file, phantoms
from servers import PATIENCE_S


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def test_a_worker_killed_twice_in_a_run_loses_nothing(client: Any, tmp_path: Path, web: Any) -> None:
    files = make_ct(tmp_path / "ct", [1.0 * i for i in range(80)], transfer_syntax="rle")
    expected = xdicom.open_series(files).compute(scheduler="synchronous")
    urls = [web.put(path.name, path.read_bytes()) for path in files]
    array = xdicom.open_series(urls)
    web.requests.clear()
    web.hold_after(15)

    future = client.compute(array.data)
    killed = []
    for share in (15, 40):
        web.hold_after(share)
        # Someone waits for an answer that does not come before a worker is dead.
        wait_until(lambda share=share: len(web.requests) > share)
        pid = next(iter(client.run(os.getpid).values()))
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
        wait_until(lambda pid=pid: pid not in client.run(os.getpid, on_error="ignore").values())
        assert not future.done()
    web.release()
    result = future.result(PATIENCE_S)
    client.wait_for_workers(2, timeout=PATIENCE_S)

    assert len(set(killed)) == 2
    assert (result == expected.values).all()
    assert len(web.requests) < 2 * len(files)


def test_a_task_of_many_frames_of_one_object_is_one_request(client: Any, tmp_path: Path, web: Any) -> None:
    path = make_file(tmp_path / "many.dcm", {"Modality": "OT"}, phantoms(40, 8, 6))
    array = xdicom.open_frames(web.put("many.dcm", path.read_bytes()), chunks=8)
    web.requests.clear()

    values = client.compute(array).result(PATIENCE_S)

    assert len(web.requests) == 5
    assert (values == phantoms(40, 8, 6)).all()


def test_frames_of_a_chunk_in_any_order_are_one_request(client: Any, tmp_path: Path, web: Any) -> None:
    path = make_file(tmp_path / "many.dcm", {"Modality": "OT"}, phantoms(40, 8, 6))
    from xdicom.api import Catalog, scan
    from xdicom.lazy.frames import frames_to_dask
    from xdicom.model.grid import Axis, FrameGrid

    catalog: Catalog = scan(web.put("many.dcm", path.read_bytes()))
    backwards = np.arange(40)[::-1].copy()
    array = frames_to_dask(FrameGrid("frames", (Axis("frame"),), backwards, catalog.frames), 10)
    web.requests.clear()

    values = client.compute(array).result(PATIENCE_S)

    assert len(web.requests) == 4
    assert (values == phantoms(40, 8, 6)[::-1]).all()


def test_clients_are_kept_by_workers(client: Any, tmp_path: Path, web: Any) -> None:
    path = make_file(tmp_path / "many.dcm", {"Modality": "OT"}, phantoms(20, 8, 6))
    array = xdicom.open_frames(web.put("many.dcm", path.read_bytes()))

    client.compute(array).result(PATIENCE_S)

    def clients(place: str) -> int:
        from xdicom.sources import remote

        return sum(key[0] == place for key in remote._clients.by_key)

    assert set(client.run(clients, web.url).values()) <= {0, 1}


def test_many_small_tasks_and_few_large_ones_give_the_same(client: Any, tmp_path: Path) -> None:
    path = make_file(tmp_path / "many.dcm", {"Modality": "OT"}, phantoms(40, 8, 6))

    one, auto = (xdicom.open_frames(path, chunks=chunks) for chunks in (None, "auto"))

    assert (one.npartitions, auto.npartitions) == (40, 1)
    assert client.compute(one.mean()).result(PATIENCE_S) == client.compute(auto.mean()).result(PATIENCE_S)


def test_automatic_chunks_hold_tens_of_megabytes(tmp_path: Path) -> None:
    path = make_file(tmp_path / "large.dcm", {"Modality": "OT"}, np.zeros((200, 512, 512), np.uint16))

    array = xdicom.open_frames(path, chunks="auto")

    assert 16 << 20 <= array.chunks[0][0] * 512 * 512 * 2 <= 64 << 20


@pytest.mark.parametrize("limit", ["1MiB"])
def test_automatic_chunks_are_no_larger_than_dask_is_told(tmp_path: Path, limit: str) -> None:
    import dask

    path = make_file(tmp_path / "large.dcm", {"Modality": "OT"}, np.zeros((20, 256, 256), np.uint16))

    with dask.config.set({"array.chunk-size": limit}):
        array = xdicom.open_frames(path, chunks="auto")

    assert array.chunks[0][0] == 8
