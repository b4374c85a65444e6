"""What a process says that it read."""

from __future__ import annotations

import threading

import pytest

from xdicom.sources import Statistics, Traffic, counters, reset_statistics, statistics
from xdicom.sources.counters import count, count_local, count_retry


def test_counts_are_kept_by_kind_of_storage() -> None:
    count("s3", 100)
    count("file", 5, requests=3)
    count("s3", 11)
    count_retry()

    assert statistics() == Statistics({"file": Traffic(3, 5), "s3": Traffic(2, 111)}, retries=1)
    assert (statistics().requests, statistics().bytes) == (5, 116)


def test_counting_begins_anew_after_a_reset() -> None:
    count("s3", 100)
    count_retry()

    reset_statistics()

    assert statistics() == Statistics()


def test_no_count_is_lost_between_threads() -> None:
    threads = [threading.Thread(target=lambda: [(count("s3", 2), count_local(2)) for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statistics().by_scheme == {"file": Traffic(20_000, 40_000), "s3": Traffic(20_000, 40_000)}


def test_statistics_are_read_by_people() -> None:
    assert repr(Statistics()) == "<0 requests, 0 B>"
    assert repr(Statistics({"https": Traffic(1234, 5_600_000)}, 2)) == "<1,234 requests, 5.6 MB, 2 retries (https: 1,234 requests, 5.6 MB)>"


def test_local_reads_are_added_up_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_UNFOLDED", 10)

    for _ in range(25):
        counters.count_local(3)

    assert len(counters._counts.local) <= 10
    assert statistics().by_scheme["file"] == Traffic(25, 75)
