"""One way to ask any remote storage: obstore where it can, fsspec where it can't, retried, counted and checked."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from xdicom.sources import filesystems, objectstores
from xdicom.sources.concurrency import at_once
from xdicom.sources.counters import count, scheme_of
from xdicom.sources.dicomweb import FRAMES_AT_ONCE, FRAMES_START, PREFIX, FrameService, address_of
from xdicom.sources.faults import ChangedError, retried
from xdicom.sources.inflated import kept
from xdicom.sources.options import Options, options_for, prefix_of
from xdicom.sources.source import Answer, Source, is_changed

T = TypeVar("T")

_CLIENTS_KEPT = 256
GAP_LIMIT = 64 << 10
"""Unwanted bytes between two stretches, up to which remote storage is asked for both at once."""
REQUEST_LIMIT = 256 << 20
"""Bytes up to which stretches are joined in one request."""


class Storage(Protocol):
    """A way to read the objects of one place; its methods raise whatever the library behind it raises."""

    def read(self, url: str, offset: int, length: int | None, stamp: str) -> Answer:
        """Bytes from `offset` on, all of them when `length` is None; checked against `stamp` where that costs nothing."""

    def describe(self, url: str) -> Source:
        """Size and stamp of one object."""

    def find(self, url: str) -> list[Source] | None:
        """All objects at or below `url`; empty when there is none, None when this library can't list them."""


@dataclass(frozen=True, slots=True)
class Client:
    """Storage of one place, with the options that it was opened with."""

    storage: Storage
    options: Options
    scheme: str


class _Clients:
    """Clients of this process, the longest unused first."""

    __slots__ = ("by_key", "lock")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.by_key: OrderedDict[tuple[object, ...], Client] = OrderedDict()


_clients = _Clients()


def client_for(url: str) -> Client:
    """Client of this process for `url`, which has no links; opened once for each place and set of options."""
    options = options_for(url)
    plain = objectstores.can_name(url)
    key = (prefix_of(url), plain, options.key())
    with _clients.lock:
        if key in _clients.by_key:
            _clients.by_key.move_to_end(key)
            return _clients.by_key[key]
    storage: Storage | None = FrameService(options) if url.startswith(PREFIX) else objectstores.connect(url, options) if plain else None
    client = Client(storage or filesystems.FileSystem(options), options, scheme_of(url))
    with _clients.lock:
        client = _clients.by_key.setdefault(key, client)
        while len(_clients.by_key) > _CLIENTS_KEPT:
            _clients.by_key.popitem(last=False)
    return client


def read(client: Client, url: str, offset: int, length: int | None, stamp: str) -> Answer:
    """`length` bytes from `offset` on, or all; fewer only at the end of the object."""
    if length is not None and length <= 0:
        return Answer(b"")
    if isinstance(client.storage, FrameService):
        if length is None:
            return Answer(bytes(_instance(client, url)))
        return Answer(_read_instance(client, url, np.array([offset]), np.array([length]))[0])

    def request() -> Answer:
        size = 0
        try:
            answer = client.storage.read(url, offset, length, stamp)
            size = len(answer.data)
        finally:
            count(client.scheme, size)
        if is_changed(stamp, answer.stamp):
            raise ChangedError(f"stamp was {stamp}, is {answer.stamp}")
        return answer

    answer = retried(request, url, client.options.redact)
    return Answer(b"") if answer is None else answer


def read_several(client: Client, url: str, starts: np.ndarray, sizes: np.ndarray, stamp: str) -> list[bytes]:
    """Stretches of one object in as few requests as is sensible, which are made at the same time."""
    if isinstance(client.storage, FrameService):
        return _read_instance(client, url, starts, sizes)
    groups = join_ranges(starts, sizes)

    def fetch(group: tuple[int, int, list[int]]) -> bytes:
        return read(client, url, group[0], group[1], stamp).data

    result = [b""] * len(starts)
    for group, data in zip(groups, at_once(fetch, groups), strict=True):
        first, _, members = group
        for member in members:
            begin, size = int(starts[member]) - first, int(sizes[member])
            result[member] = data if begin == 0 and size >= len(data) else data[begin : begin + size]
    return result


def _instance(client: Client, url: str) -> memoryview:
    """An instance of a DICOMweb server as a file, fetched once and kept while there is room."""
    service = client.storage
    assert isinstance(service, FrameService)
    instance = address_of(url)[0]

    def fetch() -> bytearray:
        data = ask(client, instance, lambda: service.instance(instance)) or b""
        count(client.scheme, len(data), 0)
        return bytearray(data)

    return kept((instance, ""), fetch)


def _read_instance(client: Client, url: str, starts: np.ndarray, sizes: np.ndarray) -> list[bytes]:
    """Stretches of an instance of a DICOMweb server: of the file that it is, or of its frames."""
    stride = address_of(url)[1]
    of_file = (starts < FRAMES_START) | (stride == 0)
    content = _instance(client, url) if (of_file & (sizes > 0)).any() else memoryview(b"")
    step = max(stride, 1)
    begin = starts - FRAMES_START
    first, last = begin // step, -(-(begin + sizes) // step)
    wanted = [np.arange(low, high) for low, high, is_file in zip(first, last, of_file, strict=True) if not is_file]
    numbers = np.unique(np.concatenate(wanted)) if wanted else np.empty(0, np.int64)
    frames = dict(zip(numbers.tolist(), _read_frames(client, url, numbers + 1), strict=True))
    result = []
    for i, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        if of_file[i]:
            result.append(bytes(content[start : start + size]))
            continue
        data = b"".join(frames[number] for number in range(int(first[i]), int(last[i])))
        skipped = int(begin[i]) - int(first[i]) * step
        result.append(data if not skipped and len(data) <= size else data[skipped : skipped + size])
    return result


def _read_frames(client: Client, url: str, numbers: np.ndarray) -> list[bytes]:
    """Frames of an instance of a DICOMweb server, several in one request."""
    service = client.storage
    assert isinstance(service, FrameService)
    groups = [numbers[first : first + FRAMES_AT_ONCE].tolist() for first in range(0, len(numbers), FRAMES_AT_ONCE)]

    def fetch(group: list[int]) -> list[bytes]:
        frames = ask(client, url, lambda: service.frames(url, group)) or [b""] * len(group)
        count(client.scheme, sum(map(len, frames)), 0)
        return frames

    return [frame for frames in at_once(fetch, groups) for frame in frames]


def ask(client: Client, url: str, request: Callable[[], T]) -> T | None:
    """Result of `request`, which asks storage once, counted and retried; None when what is asked for lies beyond the end."""

    def counted() -> T:
        count(client.scheme, 0)
        return request()

    return retried(counted, url, client.options.redact)


def join_ranges(starts: np.ndarray, sizes: np.ndarray) -> list[tuple[int, int, list[int]]]:
    """Requests `(offset, length, members)` that together fetch all stretches which are not empty.

    Stretches are joined over a gap of up to `GAP_LIMIT` bytes, as long as a request fetches no more than a quarter in
    vain and no more than `REQUEST_LIMIT` bytes.

    Examples
    --------
    >>> join_ranges(np.array([0, 4000, 900000]), np.array([4000, 4000, 10]))
    [(0, 8000, [0, 1]), (900000, 10, [2])]
    """
    requests: list[tuple[int, int, list[int]]] = []
    members: list[int] = []
    first = end = wanted = 0
    for member in np.argsort(starts, kind="stable").tolist():
        start, size = int(starts[member]), int(sizes[member])
        if size <= 0:
            continue
        joined_end = max(end, start + size)
        joined_wanted = wanted + max(0, start + size - max(end, start))
        joined = joined_end - first
        if members and start - end <= GAP_LIMIT and joined <= REQUEST_LIMIT and 4 * (joined - joined_wanted) <= joined:
            members.append(member)
            end, wanted = joined_end, joined_wanted
            continue
        if members:
            requests.append((first, end - first, members))
        members, first, end, wanted = [member], start, start + size, size
    if members:
        requests.append((first, end - first, members))
    return requests


def describe(client: Client, url: str) -> Source:
    """Size and stamp of one object."""

    def request() -> Source:
        count(client.scheme, 0)
        return client.storage.describe(url)

    return retried(request, url, client.options.redact) or Source(url, 0, "")


def find(client: Client, url: str) -> list[Source]:
    """All objects at or below `url`."""

    def request() -> list[Source]:
        count(client.scheme, 0)
        found = client.storage.find(url)
        return filesystems.FileSystem(client.options).find(url) if found is None else found

    return retried(request, url, client.options.redact) or []


if hasattr(os, "register_at_fork"):
    # A client must not outlive a fork: its threads and sockets belong to the parent.
    os.register_at_fork(after_in_child=_clients.begin)
