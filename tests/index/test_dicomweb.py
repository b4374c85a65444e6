"""Series of a DICOMweb server: a small one made for these tests, and Orthanc where it is installed."""

from __future__ import annotations

import json
import pickle
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import dask
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

import xdicom
from builders import make_cine, make_ct, make_enhanced_mr, make_file, make_palette, make_sr, phantoms, uid
from servers import ORTHANC_PLUGINS, PATIENCE_S, QuietServer, require
from xdicom.errors import SourceError
from xdicom.sources import counters, faults, options, remote, reset_statistics, statistics


class FakeServer:
    """Serves instances by WADO-RS: metadata, frames and bulk data, as PS3.18 10.4 has them."""

    names_syntax = True
    """Whether metadata name the transfer syntax (0008,3002)."""

    gives_frames = True
    """Whether frames may be had by number."""

    def __init__(self) -> None:
        self.instances: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.trouble: Callable[[int], int | None] = lambda number: None
        self._http = QuietServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/rs"

    def store(self, path: Path) -> None:
        dataset = dcmread(path)
        self.instances[dataset.SOPInstanceUID] = dataset
        self.files[dataset.SOPInstanceUID] = path.read_bytes()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _metadata(self, study: str, series: str | None, instance: str | None) -> list[dict[str, Any]]:
        found = []
        for dataset in self.instances.values():
            if study != dataset.StudyInstanceUID or (series or dataset.SeriesInstanceUID) != dataset.SeriesInstanceUID:
                continue
            if (instance or dataset.SOPInstanceUID) != dataset.SOPInstanceUID:
                continue
            content = dataset.to_json_dict(
                bulk_data_threshold=200, bulk_data_element_handler=lambda element: f"bulk/{int(element.tag):08X}"
            )
            if self.names_syntax:
                content["00083002"] = {"vr": "UI", "Value": [str(dataset.file_meta.TransferSyntaxUID)]}
            found.append(content)
        return found

    def _frames(self, dataset: Any, numbers: list[int]) -> list[bytes]:
        count = int(dataset.get("NumberOfFrames", 1))
        if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
        else:
            size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated // 8
            frames = [dataset.PixelData[i * size : (i + 1) * size] for i in range(count)]
        return [frames[number - 1] for number in numbers]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """No lines on the terminal."""

            def do_GET(self) -> None:
                server.requests.append(self.path)
                server.headers.append(dict(self.headers))
                status = server.trouble(len(server.requests))
                found = re.fullmatch(
                    r"/rs/studies/([\d.]+)(?:/series/([\d.]+))?(?:/instances/([\d.]+))?/(metadata|frames|bulk)(?:/([\w,]+))?", self.path
                )
                whole = re.fullmatch(r"/rs/studies/[\d.]+/series/[\d.]+/instances/([\d.]+)", self.path)
                if whole and not status:
                    self.parts([server.files[whole[1]]], "", "application/dicom")
                elif status or not found or (found[4] == "frames" and not server.gives_frames):
                    self.answer(status or 404, b"", "text/plain")
                elif found[4] == "metadata":
                    listed = server._metadata(found[1], found[2], found[3])
                    self.answer(200 if listed else 404, json.dumps(listed).encode(), "application/dicom+json")
                elif found[4] == "bulk":
                    self.parts([server.instances[found[3]][int(found[5], 16)].value], "")
                else:
                    dataset = server.instances[found[3]]
                    frames = server._frames(dataset, [int(number) for number in found[5].split(",")])
                    self.parts(frames, f"; transfer-syntax={dataset.file_meta.TransferSyntaxUID}")

            def parts(self, parts: list[bytes], syntax: str, kind: str = "application/octet-stream") -> None:
                body = b"".join(f"--a-b\r\nContent-Type: {kind}{syntax}\r\n\r\n".encode() + part + b"\r\n" for part in parts)
                self.answer(200, body + b"--a-b--", f'multipart/related; type="{kind}"; boundary="a-b"')

            def answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler


class Orthanc:
    """Orthanc with its DICOMweb plugin on a free port of this machine, closed to all others."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {
            "HttpPort": port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomServerEnabled": False,
            "StorageDirectory": str(folder),
            "IndexDirectory": str(folder),
            "Plugins": [str(ORTHANC_PLUGINS)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.top = f"http://127.0.0.1:{port}"
        self.url = f"{self.top}/dicom-web"
        self.process = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                urlopen(f"{self.top}/system").close()
                return
            except URLError:
                assert self.process.poll() is None, "Orthanc ended"
                assert time.monotonic() < end, "Orthanc does not answer"
                time.sleep(0.1)

    def store(self, path: Path) -> None:
        urlopen(Request(f"{self.top}/instances", data=path.read_bytes(), method="POST")).close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    require("dicomweb")
    server = Orthanc(tmp_path_factory.mktemp("orthanc"))
    yield server
    server.stop()


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture(params=["fake", pytest.param("orthanc", marks=pytest.mark.dicomweb)])
def server(request: pytest.FixtureRequest) -> Any:
    """Each server."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pytest.importorskip("urllib3")
    monkeypatch.setattr(faults, "FIRST_WAIT_S", 0.001)
    yield
    counters.reset_statistics()
    options._known.clear()
    remote._clients.begin()


def series_at(server: Any, paths: list[Path]) -> str:
    """Location of the series of `paths`, which are stored."""
    for path in paths:
        server.store(path)
    first = dcmread(paths[0], stop_before_pixels=True)
    return f"dicomweb+{server.url}/studies/{first.StudyInstanceUID}/series/{first.SeriesInstanceUID}"


@pytest.mark.parametrize("syntax", ["native", "implicit", "rle", "jpegls", "j2k", "jpeg_lossless"])
def test_a_series_is_as_its_files_are(server: Any, tmp_path: Path, syntax: str) -> None:
    paths = make_ct(tmp_path, [2.0, 0.0, 4.0], transfer_syntax=syntax, series_uid=uid(f"web {syntax}"), StudyInstanceUID=uid("web study"))
    here = xdicom.open_series(paths)

    there = xdicom.open_series(series_at(server, paths))

    assert (there.values == here.values).all()
    assert set(there.coords) == set(here.coords)
    for name in here.coords:
        assert (there[name].values == here[name].values).all(), name
    assert (there.dicom.to_modality().values == here.dicom.to_modality().values).all()


def test_frames_of_one_task_are_one_request(server: Any, tmp_path: Path) -> None:
    path = make_cine(tmp_path / "cine.dcm", 30, photometric="MONOCHROME2", transfer_syntax="rle", SeriesInstanceUID=uid("web cine"))
    location = series_at(server, [path])
    expected = xdicom.open_series(path).values
    reset_statistics()

    opened = xdicom.open_series(location, chunks=10)
    asked_for_headers = statistics().requests
    values = opened.values

    assert (values == expected).all()
    assert asked_for_headers <= 2
    assert statistics().requests - asked_for_headers == 3


def test_functional_groups_come_through(server: Any, tmp_path: Path) -> None:
    path = make_enhanced_mr(tmp_path / "mr.dcm")
    here = xdicom.open_study(path)

    there = xdicom.open_study(series_at(server, [path]))

    for mine, other in zip(here.subtree, there.subtree, strict=True):
        if "stored_values" in mine:
            assert other["stored_values"].compute().identical(mine["stored_values"].compute())


def test_a_palette_is_fetched_where_it_is_left_out_of_the_metadata(server: Any, tmp_path: Path) -> None:
    path = make_palette(tmp_path / "palette.dcm")
    here = xdicom.open_series(path)

    there = xdicom.open_series(series_at(server, [path]))

    assert (there.dicom.to_rgb().values == here.dicom.to_rgb().values).all()


@pytest.mark.parametrize("syntax", ["big_endian", "deflated", "htj2k", "jpeg_lossless"])
def test_what_a_server_gives_no_frames_of_is_fetched_as_files(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    monkeypatch.setattr(FakeServer, "gives_frames", syntax in ("big_endian", "deflated"))
    monkeypatch.setattr(FakeServer, "names_syntax", syntax in ("big_endian", "deflated"))
    paths = make_ct(tmp_path, transfer_syntax=syntax, series_uid=uid(f"whole {syntax}"), StudyInstanceUID=uid("web whole"))
    here = xdicom.open_series(paths)

    there = xdicom.open_series(series_at(server, paths))

    assert there.compute().identical(here.compute())


@pytest.mark.parametrize("dtype", ["bool", "float32"])
def test_bits_and_floats_are_fetched_as_files(server: Any, tmp_path: Path, dtype: str) -> None:
    pixels = np.arange(3 * 7 * 5).reshape(3, 7, 5) % 3 == 0 if dtype == "bool" else phantoms(3, 7, 5).astype(np.float32) / 3
    elements = {"Modality": "OT", "SeriesInstanceUID": uid("web", dtype), "SOPInstanceUID": uid("web one", dtype)}
    path = make_file(tmp_path / "a.dcm", elements, pixels)
    location = series_at(server, [path])
    expected = xdicom.open_frames(path).compute()
    reset_statistics()

    values = xdicom.open_frames(location).compute()

    assert (values == expected).all()
    assert statistics().by_scheme[f"dicomweb+{server.url.partition(':')[0]}"].requests <= 3


def test_a_header_is_that_of_the_file(server: Any, tmp_path: Path) -> None:
    paths = make_ct(tmp_path / "ct", transfer_syntax="jpegls", series_uid=uid("web header"), ConvolutionKernel="B30")
    opened = xdicom.open_series(series_at(server, paths))

    header = opened.dicom.header(1)
    opened.dicom.to_dicom(tmp_path / "again", progress=False)

    assert header == dcmread(paths[1], stop_before_pixels=True)
    assert xdicom.open_series(tmp_path / "again").dicom.header().ConvolutionKernel == "B30"


def test_frames_of_a_server_are_nothing_to_refer_to(fake: FakeServer, tmp_path: Path) -> None:
    opened = xdicom.open_series(series_at(fake, make_ct(tmp_path)))

    with pytest.raises(xdicom.UnsupportedEncodingError, match=r"no byte ranges to refer to: copy the frames with \.dicom\.to_zarr"):
        opened.dicom.to_kerchunk()


def test_values_that_a_server_could_not_say_are_read_from_the_file(
    fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make_ct(tmp_path)
    plain = FakeServer._metadata

    def without(server: FakeServer, *place: Any) -> list[dict[str, Any]]:
        return [{**content, "00280030": {"vr": "DS", "Value": []}} for content in plain(server, *place)]

    monkeypatch.setattr(FakeServer, "_metadata", without)

    there = xdicom.open_series(series_at(fake, paths))

    assert there.compute().identical(xdicom.open_series(paths).compute())


def test_values_of_vendors_are_fetched_where_they_are_kept_apart(fake: FakeServer, tmp_path: Path) -> None:
    image_type = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    private = {0x00290010: ("LO", "SIEMENS CSA HEADER"), 0x00291010: ("OB", b"SV10" + bytes(600)), 0x00291020: ("OB", bytes(600))}
    paths = make_ct(tmp_path, [0.0], ImageType=image_type)
    dataset = dcmread(paths[0])
    for tag, (vr, value) in private.items():
        dataset.add_new(tag, vr, value)
    dataset.save_as(paths[0])

    xdicom.scan(series_at(fake, paths))

    assert [path.rpartition("/")[2] for path in fake.requests if "/bulk/" in path] == ["00291010"]


def test_any_frames_of_an_instance_are_one_request(server: Any, tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.dcm", {"Modality": "OT", "SeriesInstanceUID": uid("web any")}, phantoms(12, 8, 6))
    opened = xdicom.open_frames(series_at(server, [path]), chunks=12)
    expected = xdicom.open_frames(path).compute()
    reset_statistics()

    chosen = opened[np.array([9, 0, 1, 2, 5, 6])].compute()

    assert (chosen == expected[[9, 0, 1, 2, 5, 6]]).all()
    assert statistics().requests == 1


def test_a_study_has_all_its_series_and_says_what_has_no_pixels(server: Any, tmp_path: Path) -> None:
    study = uid("web whole study")
    for path in [
        *make_ct(tmp_path / "a", series_uid=uid("web a"), StudyInstanceUID=study),
        *make_ct(tmp_path / "b", series_uid=uid("web b"), StudyInstanceUID=study, transfer_syntax="rle", SeriesNumber=9),
        make_sr(tmp_path / "sr.dcm", StudyInstanceUID=study, SeriesInstanceUID=uid("web sr")),
    ]:
        server.store(path)

    catalog = xdicom.scan(f"dicomweb+{server.url}/studies/{study}")

    assert sorted(series.frames for series in catalog.series) == [3, 3]
    assert ["no pixel data" in problem.reason for problem in catalog.problems] == [True]


def test_an_instance_is_a_location_too(server: Any, tmp_path: Path) -> None:
    path = make_cine(tmp_path / "cine.dcm", 3, SeriesInstanceUID=uid("web one"), SOPInstanceUID=uid("web one of it"))
    location = series_at(server, [path])

    opened = xdicom.open_frames(f"{location}/instances/{dcmread(path).SOPInstanceUID}")

    assert (opened.compute() == xdicom.open_frames(path).compute()).all()


def test_nothing_there_is_final(server: Any) -> None:
    with pytest.raises(SourceError, match=r"Another try will not help|nothing to open"):
        xdicom.open_series(f"dicomweb+{server.url}/studies/{uid('none')}/series/{uid('none')}")


def test_a_transfer_syntax_that_is_not_named_is_asked_for_once_an_instance(fake: FakeServer, tmp_path: Path) -> None:
    fake.names_syntax = False
    paths = make_ct(tmp_path, transfer_syntax="rle")
    location = series_at(fake, paths)

    opened = xdicom.open_series(location)

    assert len(fake.requests) == 1 + len(paths)
    assert (opened.values == xdicom.open_series(paths).values).all()


def test_a_transfer_syntax_is_found_without_reading_the_frame(fake: FakeServer, tmp_path: Path) -> None:
    fake.names_syntax = False
    path = make_file(tmp_path / "large.dcm", {"Modality": "OT"}, np.zeros((2, 1500, 1000), np.uint16))
    location = series_at(fake, [path])
    reset_statistics()

    catalog = xdicom.scan(location)

    assert len(catalog.frames) == 2
    assert statistics().bytes < 10_000


@pytest.mark.parametrize("names_syntax", [True, False])
def test_a_series_of_several_transfer_syntaxes_is_as_its_files_are(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names_syntax: bool
) -> None:
    monkeypatch.setattr(FakeServer, "names_syntax", names_syntax)
    paths = [
        make_ct(tmp_path / syntax, [1.0 * i], transfer_syntax=syntax, series_uid=uid("mixed"), SOPInstanceUID=uid("mixed", syntax))[0]
        for i, syntax in enumerate(["rle", "native", "jpegls", "implicit", "j2k"])
    ]
    here = xdicom.open_series(paths)

    there = xdicom.open_series(series_at(server, paths))

    assert (there.values == here.values).all()
    assert there["z"].values.tolist() == here["z"].values.tolist()


def test_another_transfer_syntax_than_when_it_was_scanned_is_an_error(fake: FakeServer, tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path / "a", [0.0], transfer_syntax="rle", series_uid=uid("mixed"), SOPInstanceUID=uid("one"))
    opened = xdicom.open_series(series_at(fake, [path]))
    fake.store(make_ct(tmp_path / "b", [0.0], transfer_syntax="jpegls", series_uid=uid("mixed"), SOPInstanceUID=uid("one"))[0])

    with pytest.raises(xdicom.UnsupportedEncodingError, match=r"came in transfer syntax 1\.2\.840\.10008\.1\.2\.4\.80.*scan it again"):
        opened.compute()


def test_failures_that_pass_are_tried_again(fake: FakeServer, tmp_path: Path) -> None:
    paths = make_ct(tmp_path)
    location = series_at(fake, paths)
    fake.trouble = lambda number: 503 if number % 3 else None

    opened = xdicom.open_series(location)

    assert (opened.values == xdicom.open_series(paths).values).all()
    assert statistics().retries >= 4


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_final(fake: FakeServer, tmp_path: Path, status: int) -> None:
    location = series_at(fake, make_ct(tmp_path))
    fake.trouble = lambda number: status

    with pytest.raises(SourceError, match=r"access was denied .* Another try will not help"):
        xdicom.scan(location)

    assert len(fake.requests) == 1


def test_credentials_go_to_the_server_and_nowhere_else(fake: FakeServer, tmp_path: Path) -> None:
    location = series_at(fake, make_ct(tmp_path))

    opened = xdicom.open_series(location, storage_options={"headers": {"Authorization": "Bearer xyzzyplugh9"}})
    opened.compute()

    assert {headers["Authorization"] for headers in fake.headers} == {"Bearer xyzzyplugh9"}
    assert b"xyzzyplugh9" not in pickle.dumps(opened)
    assert "xyzzyplugh9" not in repr(opened) + repr(opened.data.dask)


def test_other_processes_read_the_same(fake: FakeServer, tmp_path: Path) -> None:
    paths = make_ct(tmp_path, transfer_syntax="rle")
    opened = xdicom.open_series(series_at(fake, paths))

    with dask.config.set({"scheduler": "processes", "multiprocessing.context": "spawn", "num_workers": 1}):
        values = opened.data.compute()

    assert (values == np.asarray(xdicom.open_series(paths).values)).all()


def test_options_that_mean_nothing_are_refused(fake: FakeServer) -> None:
    with pytest.raises(SourceError, match="anon are not known"):
        xdicom.scan(f"dicomweb+{fake.url}/studies/1", storage_options={"anon": True})


def test_a_location_names_a_study(fake: FakeServer) -> None:
    with pytest.raises(SourceError, match="names a study"):
        xdicom.scan(f"dicomweb+{fake.url}")
