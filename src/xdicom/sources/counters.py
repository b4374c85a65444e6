"""How much was read from where, counted in this process."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

LOCAL = "file"
"""Name under which reads of local files are counted."""

_UNFOLDED = 100_000
"""Reads of local files that wait to be added up, at most."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=://|::)")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Reads from one kind of storage."""

    requests: int = 0
    """Times that the storage was asked, answered or not."""
    bytes: int = 0
    """Bytes that it gave."""


@dataclass(frozen=True, slots=True, repr=False)
class Statistics:
    """What this process read since it began, or since `reset_statistics`.

    Examples
    --------
    >>> Statistics(by_scheme={"file": Traffic(12, 98304), "s3": Traffic(3, 2500)}, retries=1)
    <15 requests, 100.8 kB, 1 retry (file: 12 requests, 98.3 kB; s3: 3 requests, 2.5 kB)>
    """

    by_scheme: Mapping[str, Traffic] = field(default_factory=dict)
    """Traffic of each kind of storage: `file`, `s3`, `https`, …"""
    retries: int = 0
    """Requests that were made again after a failure."""

    @property
    def requests(self) -> int:
        """Requests of all kinds of storage."""
        return sum(traffic.requests for traffic in self.by_scheme.values())

    @property
    def bytes(self) -> int:
        """Bytes from all kinds of storage."""
        return sum(traffic.bytes for traffic in self.by_scheme.values())

    def __repr__(self) -> str:
        parts = "; ".join(f"{name}: {_amount(part.requests, part.bytes)}" for name, part in self.by_scheme.items())
        retries = f", {self.retries} {'retry' if self.retries == 1 else 'retries'}" if self.retries else ""
        return f"<{_amount(self.requests, self.bytes)}{retries}{f' ({parts})' if parts else ''}>"


def _amount(requests: int, size: int) -> str:
    """Requests and bytes in words."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    number = f"{value:.0f}" if unit == "B" else f"{value:.1f}"
    return f"{requests:,} {'request' if requests == 1 else 'requests'}, {number} {unit}"


class _Counts:
    """Counts of this process."""

    __slots__ = ("by_scheme", "local", "lock", "retries")

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.by_scheme: dict[str, list[int]] = {}
        self.local: deque[int] = deque()
        self.retries = 0

    def fold(self) -> None:
        """Add the reads of local files up; the lock must be held."""
        requests = size = 0
        while self.local:
            size += self.local.popleft()
            requests += 1
        if requests:
            self.add(LOCAL, size, requests)

    def add(self, scheme: str, size: int, requests: int) -> None:
        """Add `requests`; the lock must be held."""
        counts = self.by_scheme.setdefault(scheme, [0, 0])
        counts[0] += requests
        counts[1] += size


_counts = _Counts()


def count(scheme: str, size: int, requests: int = 1) -> None:
    """Add `requests` that gave `size` bytes together."""
    with _counts.lock:
        _counts.add(scheme, size, requests)


def count_local(size: int) -> None:
    """Add one read of a local file: without a lock, since it costs a good part of what the read does."""
    _counts.local.append(size)
    if len(_counts.local) > _UNFOLDED:
        with _counts.lock:
            _counts.fold()


def count_retry() -> None:
    """Add one request that is made again."""
    with _counts.lock:
        _counts.retries += 1


def scheme_of(url: str) -> str:
    """Name under which reads of `url` (without links) are counted: its scheme, or the chain's last one.

    Examples
    --------
    >>> scheme_of("/data/a.dcm"), scheme_of("s3://bucket/a.dcm"), scheme_of("simplecache::s3://bucket/a.dcm")
    ('file', 's3', 's3')
    """
    found = _SCHEME.findall(url)
    return found[-1] if found else LOCAL


def statistics() -> Statistics:
    """What this process read since it began, or since `reset_statistics`."""
    with _counts.lock:
        _counts.fold()
        return Statistics({name: Traffic(*counts) for name, counts in sorted(_counts.by_scheme.items())}, _counts.retries)


def reset_statistics() -> None:
    """Begin to count from zero."""
    with _counts.lock:
        _counts.local.clear()
        _counts.by_scheme.clear()
        _counts.retries = 0


if hasattr(os, "register_at_fork"):
    # A forked process counts for itself, behind a lock that nobody holds.
    os.register_at_fork(after_in_child=_counts.begin)
