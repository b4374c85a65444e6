"""Stretches of many sources, one after the other, of which memory holds one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xdicom.sources import files
from xdicom.sources.chain import is_local
from xdicom.sources.ranges import read_many, read_ranges

_LARGE = 64 << 10
"""Stretches of this length on average are not held in memory all at once [bytes]."""


def read_each(
    urls: Sequence[str], offsets: Sequence[int] | np.ndarray, lengths: Sequence[int] | np.ndarray, stamps: Sequence[str]
) -> Iterator[bytes | memoryview]:
    """The same as `read_many`, one stretch after the other; each is good until the next one is asked for.

    Large stretches of local files are read when they are asked for, all of them to one place in memory; others are read at once.

    Parameters
    ----------
    urls, offsets, lengths, stamps
        As for `read_many`.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if len(sizes) < 2 or int(sizes.sum()) < len(sizes) * _LARGE or not all(map(is_local, urls)):
        is_one_source = len(set(urls)) == len(set(stamps)) == 1
        yield from read_ranges(urls[0], offsets, sizes, stamp=stamps[0]) if is_one_source else read_many(urls, offsets, sizes, stamps)
        return
    room = memoryview(np.empty(int(sizes.max()), np.uint8).data)
    for url, offset, size, stamp in zip(urls, np.asarray(offsets, dtype=np.int64).tolist(), sizes.tolist(), stamps, strict=True):
        yield room[: files.read_into(url, offset, room[:size], stamp)]
