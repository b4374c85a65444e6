"""Archives on a web server are listed in few round trips."""

from __future__ import annotations

import io
import random
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from xdicom.errors import SourceError
from xdicom.sources import Source, locate, read_many, reset_statistics, statistics
from xdicom.sources.concurrency import IN_FLIGHT

DICE = random.Random(5)


def archive_of(sizes: list[int], format: int = tarfile.PAX_FORMAT, *, name: str = "{}.dcm", time: float = 0) -> bytes:  # noqa: A002
    """A tar file of members of `sizes`, each of which begins with its number."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=format) as file:
        for i, size in enumerate(sizes):
            info = tarfile.TarInfo(name.format(f"{i:04d}"))
            info.size, info.mtime = size, time  # type: ignore[assignment] - a broken time needs a header of its own
            file.addfile(info, io.BytesIO(i.to_bytes(2, "little") + bytes(size - 2)))
    return memory.getvalue()


FORMS = {
    "equal and large": ([300_000] * 100, {}),
    "equal and small": ([5_000] * 200, {}),
    "unequal and large": ([DICE.randrange(300_000, 400_000) for _ in range(12)], {}),
    "unequal and small": ([DICE.randrange(2_000, 90_000) for _ in range(150)], {}),
    "changing": ([300_000] * 10 + [3_000] * 30 + [400_000, 2, 700_000] * 3 + [70_000] * 20, {}),
    "with long names": ([100_000] * 30, {"name": "a" * 150 + "/{}.dcm"}),
    "with long names of GNU": ([100_000] * 30, {"name": "a" * 150 + "/{}.dcm", "format": tarfile.GNU_FORMAT}),
    "with broken times": ([100_000] * 30, {"time": 1.5}),
    "of one": ([1_000], {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_members_of_a_remote_tar_are_those_of_the_same_file_here(web: Any, tmp_path: Path, form: str) -> None:
    sizes, settings = FORMS[form]
    data = archive_of(sizes, **settings)
    (tmp_path / "a.tar").write_bytes(data)
    here = locate(tmp_path / "a.tar")

    there = locate(web.put("a.tar", data))

    assert [(source.url.partition("::")[0], source.size) for source in there] == [
        (source.url.partition("::")[0], source.size) for source in here
    ]
    heads = read_many([source.url for source in there], [0] * len(there), [2] * len(there), [source.stamp for source in there])
    assert [int.from_bytes(head, "little") for head in heads] == list(range(len(sizes)))


def test_headers_of_equal_large_members_are_asked_for_at_once_and_nothing_else(web: Any) -> None:
    url = web.put("a.tar", archive_of([300_000] * 150))
    reset_statistics()

    found = locate(url)

    assert len(found) == 150
    assert statistics().requests <= 150 + 10
    assert statistics().bytes < 150 * 2048 + 300_000
    assert web.most_at_once <= IN_FLIGHT


def test_headers_of_equal_large_members_come_in_a_few_round_trips(web: Any) -> None:
    url = web.put("a.tar", archive_of([300_000] * 150))
    found: list[Source] = []
    before = 3 + 2 + (2 + 4 + 8 + 16 + 32)  # what it is, the first members, and rounds of ever more looks at once
    web.hold_after(before)
    listing = threading.Thread(target=lambda: found.extend(locate(url)))

    listing.start()
    are_there = web.waits_for_company(IN_FLIGHT)
    asked = len(web.requests)
    web.release()
    listing.join()

    assert are_there
    assert asked == before + IN_FLIGHT  # and none twice, for want of an answer
    assert len(found) == 150


@pytest.mark.parametrize("form", ["equal and small", "unequal and small"])
def test_small_members_are_read_over_in_a_few_requests(web: Any, form: str) -> None:
    data = archive_of(FORMS[form][0])
    url = web.put("a.tar", data)
    reset_statistics()

    locate(url)

    assert statistics().requests <= 12
    assert statistics().bytes <= 1.5 * len(data) + 10_000


def test_a_remote_tar_that_is_cut_short_is_an_error(web: Any) -> None:
    url = web.put("a.tar", archive_of([300_000] * 20)[:2_000_000])

    with pytest.raises(SourceError, match="the archive is damaged"):
        locate(url)
