"""What a process says that it read."""

from __future__ import annotations

import threading

from xdicom.sources import Statistics, Traffic, reset_statistics, statistics
from xdicom.sources.counters import count, count_retry


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
    threads = [threading.Thread(target=lambda: [count("file", 2) for _ in range(5000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statistics().by_scheme["file"] == Traffic(20_000, 40_000)


def test_statistics_are_read_by_people() -> None:
    assert repr(Statistics()) == "<0 requests, 0 B>"
    assert repr(Statistics({"https": Traffic(1234, 5_600_000)}, 2)) == "<1,234 requests, 5.6 MB, 2 retries (https: 1,234 requests, 5.6 MB)>"
