"""Storage on this machine for tests: a web server that serves ranges and fails on command, an S3 server, an Azure server."""

from __future__ import annotations

import base64
import hmac
import logging
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

ORTHANC_PLUGINS = Path("/usr/share/orthanc/plugins")
SERVICES_VARIABLE = "XDICOM_SERVICES"
"""Environment variable: services that must be there, separated by spaces; a test that misses one of them fails and is not skipped."""

PATIENCE_S = 300
"""How long a test waits for what has to come, however busy the machine is [s]."""
KEY, SECRET = "AKIDEXAMPLE", "xyzzyplugh9"
"""Credentials for the S3 server."""


def require(service: str) -> None:
    """Skip the test where `service` (`s3`, `azure`, `google` or `dicomweb`) can't be started; fail it where the service must be there."""
    missing = _missing_for(service)
    if missing and service in os.environ.get(SERVICES_VARIABLE, "").split():
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def _missing_for(service: str) -> str:
    """What is not installed for `service`, and how to install it; empty where nothing is missing."""
    if service == "dicomweb":
        is_there = shutil.which("Orthanc") and list(ORTHANC_PLUGINS.glob("libOrthancDicomWeb*"))
        return "" if is_there else "Orthanc is not installed: apt-get install --no-install-recommends orthanc orthanc-dicomweb"
    if service == "azure":
        is_there = shutil.which("azurite-blob") and find_spec("obstore")
        return "" if is_there else "Azurite or obstore is not installed: npm install azurite, with its azurite-blob on the PATH"
    if service == "google":
        absent = [name for name in ("gcsfs", "gcp_storage_emulator") if find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""
    absent = [name for name in ("moto", "flask", "boto3", "s3fs", "obstore") if find_spec(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


@contextmanager
def patient_clusters() -> Iterator[None]:
    """Inside, a cluster may take its time to start."""
    import dask

    import distributed  # noqa: F401 - its settings are there before they are changed, and not taken for a change themselves

    names = ("distributed.comm.timeouts.connect", "distributed.comm.timeouts.tcp")
    with dask.config.set(dict.fromkeys(names, f"{PATIENCE_S}s")):
        yield


class QuietServer(ThreadingHTTPServer):
    """A server that says nothing when its clients break off."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Tests see what the client makes of it."""


class RangeServer:
    """Serves `files` by name on 127.0.0.1, and does to a request what `trouble` says.

    `trouble` is called with the method, the name and how often that name was asked for before, and returns None or one
    of `reset`, `truncated`, `short`, `hang`, `no range`, `wrong range`, or a status as text.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.trouble: Callable[[str, str, int], str | None] = lambda method, name, earlier: None
        self.latency_s = 0.0
        self.at_once = self.most_at_once = 0
        self.sends_etags = self.sends_times = True
        self._seen: Counter[str] = Counter()
        self._answered = self._company = 0.0
        self._lock = threading.Condition()
        self._ending = threading.Event()
        self.release()
        self._http = QuietServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def put(self, name: str, data: bytes) -> str:
        """Url of `data`, served under `name`."""
        self.files[name] = data
        self.etags[name] = f'"{len(data)}-{hash(data)}"'
        return f"{self.url}/{name}"

    def methods(self) -> dict[str, int]:
        """How many requests there were of each method."""
        return dict(Counter(method for method, _, _ in self.requests))

    def fail_first(self, trouble: str, times: int = 1) -> None:
        """Do `trouble` to the first `times` GET requests for each name."""
        self.trouble = lambda method, name, earlier: trouble if method == "GET" and earlier < times else None

    def fail_randomly(self, share: float, *troubles: str) -> None:
        """Do one of `troubles` to a share of all requests, the same ones in every run."""
        dice = random.Random(20)
        self.trouble = lambda method, name, earlier: dice.choice(troubles) if dice.random() < share else None

    def hold_after(self, count: float) -> None:
        """Answer the first `count` requests of all; let the others wait until more are answered."""
        with self._lock:
            self._answered = count
            self._lock.notify_all()

    def hold_until(self, count: int) -> None:
        """Answer no request before `count` of them have been there at the same time, however slow their client is."""
        with self._lock:
            self._company, self.most_at_once = count, self.at_once

    def waits_for_company(self, count: int) -> bool:
        """Whether `count` requests come to be there at the same time."""
        with self._lock:
            return self._lock.wait_for(lambda: self.at_once >= count, PATIENCE_S)

    def release(self) -> None:
        """Answer all requests, also those that wait."""
        with self._lock:
            self._answered, self._company = float("inf"), 0
            self._lock.notify_all()

    def stop(self) -> None:
        self.release()
        self._ending.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _begin(self, method: str, name: str, wanted: str, headers: dict[str, str]) -> str | None:
        with self._lock:
            self.requests.append((method, name, wanted))
            self.headers.append(headers)
            number = len(self.requests)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._lock.notify_all()
            earlier = self._seen[f"{method} {name}"]
            self._seen[f"{method} {name}"] += 1
            trouble = self.trouble(method, name, earlier)
            self._lock.wait_for(lambda: number <= self._answered and self.most_at_once >= self._company, PATIENCE_S)
            return trouble

    def _end(self) -> None:
        with self._lock:
            self.at_once -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            counted = False

            def log_message(self, *_: object) -> None:
                """No lines on the terminal."""

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def _answer(self, *, with_body: bool) -> None:
                name = self.path.partition("?")[0].lstrip("/")
                wanted = self.headers.get("Range", "")
                trouble = server._begin(self.command, name, wanted, {**self.headers, ":path": self.path})
                self.counted = True
                try:
                    time.sleep(server.latency_s)
                    self._answer_with(name, wanted, trouble, with_body=with_body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    self._ended()

            def _ended(self) -> None:
                if self.counted:
                    self.counted = False
                    server._end()

            def _answer_with(self, name: str, wanted: str, trouble: str | None, *, with_body: bool) -> None:
                data = server.files.get(name)
                if trouble == "hang":
                    server._ending.wait(PATIENCE_S)
                    self.close_connection = True
                    return
                if trouble == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                    return
                if trouble and trouble.isdecimal():
                    self._send(int(trouble), {}, b"in trouble", with_body=with_body)
                    return
                if name.endswith("/") and any(other.startswith(name) for other in server.files):
                    links = "".join(
                        f'<a href="{other[len(name) :]}">{other}</a>' for other in sorted(server.files) if other.startswith(name)
                    )
                    self._send(200, {"Content-Type": "text/html"}, f"<html>{links}</html>".encode(), with_body=with_body)
                    return
                if data is None:
                    self._send(404, {}, b"nothing", with_body=with_body)
                    return
                headers = {"Accept-Ranges": "bytes"}
                if server.sends_times:
                    headers["Last-Modified"] = formatdate(1_400_000_000, usegmt=True)
                if server.sends_etags:
                    headers["ETag"] = server.etags[name]
                    if self.headers.get("If-Match", server.etags[name]) != server.etags[name]:
                        self._send(412, headers, b"changed", with_body=with_body)
                        return
                found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
                if not found or trouble == "no range":
                    self._send(200, headers, data, trouble, with_body=with_body)
                    return
                first, last = int(found[1]), min(int(found[2] or len(data) - 1), len(data) - 1)
                if first >= len(data):
                    self._send(416, {**headers, "Content-Range": f"bytes */{len(data)}"}, b"", with_body=with_body)
                    return
                part = data[first : last + 1]
                if trouble == "wrong range":
                    first += 1
                if trouble == "short":
                    part = part[: len(part) // 2]
                self._send(206, {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}, part, trouble, with_body=with_body)

            def _send(self, status: int, headers: dict[str, str], body: bytes, trouble: str | None = None, *, with_body: bool) -> None:
                # A client that has its answer may ask again before this thread gets to say that it is done.
                self._ended()
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if not with_body:
                    return
                if trouble == "truncated":
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self.wfile.write(body)

        return Handler


@dataclass(frozen=True)
class S3Server:
    """An S3 server with one bucket, `bucket`."""

    endpoint: str
    """Its address."""
    client: Any
    """Of boto3, to fill it."""

    @property
    def options(self) -> dict[str, Any]:
        """Storage options for it, with credentials."""
        return {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": self.endpoint, "region_name": "us-east-1"}}

    def put(self, key: str, data: bytes, **settings: str) -> str:
        """Url of `data`, kept under `key`."""
        self.client.put_object(Bucket="bucket", Key=key, Body=data, **settings)
        return f"s3://bucket/{key}"


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """An S3 server on 127.0.0.1, which is moto."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1")
    client.create_bucket(Bucket="bucket")
    yield S3Server(endpoint, client)
    client.close()
    # What moto holds belongs to this process, not to its server: the next one would begin with it.
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    server.stop()


AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Account and key that every Azurite has; they are no secret."""


@dataclass(frozen=True)
class AzureServer:
    """An Azure blob server with one container, `container`."""

    endpoint: str
    """Its address, with the account."""
    store: Any
    """Of obstore, to fill it."""

    @property
    def connection(self) -> str:
        """Connection string for it, with the key."""
        return f"DefaultEndpointsProtocol=http;AccountName={AZURE_ACCOUNT};AccountKey={AZURE_KEY};BlobEndpoint={self.endpoint};"

    def put(self, key: str, data: bytes) -> str:
        """Url of `data`, kept under `key`."""
        self.store.put(key, data)
        return f"az://container/{key}"


@contextmanager
def azure_server(folder: Path) -> Iterator[AzureServer]:
    """An Azure blob server on 127.0.0.1, which is Azurite and keeps its files in `folder`."""
    from obstore.store import AzureStore

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    process = subprocess.Popen(
        [*command, "--silent", "--skipApiVersionCheck", "--disableTelemetry"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    store = AzureStore(
        "container", account_name=AZURE_ACCOUNT, account_key=AZURE_KEY, endpoint=endpoint, client_options={"allow_http": True}
    )
    try:
        _create_container(f"{endpoint}/container", process)
        yield AzureServer(endpoint, store)
    finally:
        process.terminate()
        process.wait(30)


def _create_container(url: str, process: subprocess.Popen[bytes]) -> None:
    """Make the container at `url`, as soon as the server answers; the request is signed with the account's key."""
    end = time.monotonic() + PATIENCE_S
    while True:
        date, version = formatdate(usegmt=True), "2023-11-03"
        path = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{url.rpartition('/')[2]}"
        words = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n{path}\nrestype:container"
        signature = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), words.encode(), "sha256")).decode()
        headers = {"x-ms-date": date, "x-ms-version": version, "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}"}
        try:
            urlopen(Request(f"{url}?restype=container", method="PUT", headers={**headers, "Content-Length": "0"})).close()
            return
        except HTTPError as error:
            raise AssertionError(f"Azurite says {error.code}") from error
        except URLError:
            assert process.poll() is None, "Azurite ended"
            assert time.monotonic() < end, "Azurite does not answer"
            time.sleep(0.1)


@contextmanager
def google_server() -> Iterator[str]:
    """Address of a Google storage server on 127.0.0.1, which speaks JSON as gcsfs does, with one bucket, `bucket`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys, threading; from gcp_storage_emulator.server import create_server; "
        "create_server('127.0.0.1', int(sys.argv[1]), in_memory=True, default_bucket='bucket').start(); threading.Event().wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    end = time.monotonic() + PATIENCE_S
    try:
        while True:
            try:
                urlopen(f"{endpoint}/storage/v1/b/bucket").close()
                break
            except URLError:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.1)
        yield endpoint
    finally:
        process.terminate()
        process.wait(30)
