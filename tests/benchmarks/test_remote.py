"""Headers and frames of remote storage against what one would write without this library, on servers of this machine."""

from __future__ import annotations

import io
import multiprocessing
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import xdicom
from builders import make_ct, make_file
from servers import RangeServer, S3Server, s3_server
from xdicom.pixels.decode import decode_frame
from xdicom.sources import Source, archives, reset_statistics, statistics
from xdicom.sources.lookahead import LookAhead

OBJECTS, IN_LOOP = 2_000, 40
LATENCY_S = 0.02

pytestmark = pytest.mark.benchmark


def serve(folder: str, names: list[str], pipe: Connection) -> None:
    server = RangeServer()
    data = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    for i, name in enumerate(names):
        server.put(name, data[i % len(data)])
    server.latency_s = LATENCY_S
    pipe.send(server.url)
    pipe.recv()


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    """Objects on a web server in another process, which takes 20 ms for each answer."""
    make_ct(tmp_path / "ct", [1.0 * i for i in range(100)], rows=128, columns=128)
    names = [f"{i:05d}.dcm" for i in range(OBJECTS)]
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(str(tmp_path / "ct"), names, theirs))
    process.start()
    place = ours.recv()
    yield [f"{place}/{name}" for name in names]
    ours.send("end")
    process.join()


def test_a_scan_is_forty_times_as_fast_as_a_loop_of_pydicom(urls: list[str]) -> None:
    import fsspec
    import pydicom

    system = fsspec.filesystem("http")
    xdicom.scan(urls[:2])

    def loop() -> None:
        for url in urls[:IN_LOOP]:
            with system.open(url) as file:
                pydicom.dcmread(file, stop_before_pixels=True)

    loop_s, scan_s = seconds(loop) / IN_LOOP, seconds(lambda: xdicom.scan(urls)) / OBJECTS

    print(f"\nper object: pydicom {1e3 * loop_s:.1f} ms, xdicom {1e3 * scan_s:.2f} ms: {loop_s / scan_s:.0f} times as fast")  # noqa: T201
    assert loop_s / scan_s >= 40


def test_a_remote_tar_is_listed_in_a_quarter_of_the_time_of_one_header_after_the_other() -> None:
    """A quarter of a megabyte each time, as a buffered file of fsspec or the archive module itself reads."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as file:
        for i in range(300):
            info = tarfile.TarInfo(f"{i:04d}.dcm")
            info.size = 500_000
            file.addfile(info, io.BytesIO(bytes(info.size)))
    server = RangeServer()
    source = Source(server.put("a.tar", memory.getvalue()), len(memory.getvalue()), "")
    server.latency_s = LATENCY_S

    def listed(stream: Any) -> None:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            assert len(archive.getmembers()) == 300

    told = []
    for make in (archives._SeekableSource, LookAhead):
        reset_statistics()
        spent = seconds(lambda make=make: listed(make(source)))
        told.append((spent, statistics()))
    server.stop()

    print("".join(f"\n{spent:.2f} s: {counted}" for spent, counted in told))  # noqa: T201
    assert told[0][0] >= 4 * told[1][0]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server with 20,000 frames in one object."""
    pytest.importorskip("moto")
    with s3_server() as server:
        server.put("many.dcm", make_file(tmp_path_factory.mktemp("many") / "a.dcm", {"Modality": "OT"}, pixels(), "jpegls").read_bytes())
        yield server


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4096, (20_000, 64, 64), np.uint16)


def test_a_mean_of_20000_frames_takes_no_longer_than_reading_and_decoding(s3: S3Server) -> None:
    obstore = pytest.importorskip("obstore")
    url = "s3://bucket/many.dcm"
    store = obstore.store.S3Store(
        "bucket",
        endpoint=s3.endpoint,
        region="us-east-1",
        access_key_id=s3.options["key"],
        secret_access_key=s3.options["secret"],
        client_options={"allow_http": True},
    )
    array = xdicom.open_frames(url, chunks="auto", storage_options=s3.options)
    frames = xdicom.scan(url).frames
    (encoding,) = frames.instances.encodings
    length = array.chunks[0][0]

    def part(first: int) -> float:
        here = slice(first, first + length)
        parts = obstore.get_ranges(store, "many.dcm", starts=frames.offset[here].tolist(), lengths=frames.length[here].tolist())
        block = np.stack([decode_frame(bytes(data), encoding) for data in parts])
        return float(block.sum(dtype=np.float64))

    def alone() -> float:
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(part, range(0, 20_000, length))) / (20_000 * 64 * 64)

    def ours() -> float:
        with dask.config.set(scheduler="threads", num_workers=2):
            return float(array.mean().compute())

    assert ours() == pytest.approx(alone()) == pytest.approx(pixels().mean())
    pairs = [(seconds(ours), seconds(alone)) for _ in range(3)]
    ratio = min(mine / theirs for mine, theirs in pairs)
    print(f"\nxdicom, alone [s]: {[tuple(round(part, 2) for part in pair) for pair in pairs]}")  # noqa: T201
    assert ratio <= 1.5


def test_a_frame_costs_a_cluster_a_tenth_in_chunks_of_16(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    path = make_file(tmp_path / "a.dcm", {"Modality": "OT"}, pixels()[:500])
    means = {chunks: xdicom.open_frames(path, chunks=chunks).mean() for chunks in (None, 16)}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.compute(means[16]).result()
        costs = {
            str(chunks): 1e3 * min(seconds(lambda mean=mean: client.compute(mean).result()) for _ in range(2)) / 500
            for chunks, mean in means.items()
        }

    print(f"\nper frame [ms]: {', '.join(f'chunks={chunks} {cost:.2f}' for chunks, cost in costs.items())}")  # noqa: T201
    assert costs["16"] <= costs["None"] / 5


def seconds(work: Any) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
