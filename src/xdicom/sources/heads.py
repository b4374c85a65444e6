"""The first bytes of many sources, which a scan begins with: local files one by one, remote objects many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from xdicom.errors import XDicomError
from xdicom.sources import files, remote
from xdicom.sources.chain import is_local, split_chain
from xdicom.sources.concurrency import IN_FLIGHT, at_once
from xdicom.sources.ranges import read_range
from xdicom.sources.source import Source

HEAD_LENGTH = 8192
"""Bytes that are read of a header at first [bytes]."""
REMOTE_HEAD_LENGTH = 32 << 10
"""The same for remote storage: of real series nine in ten need no second request then, with 8 kB it was one in two [bytes]."""


def read_heads(
    sources: Sequence[Source],
    length: int = HEAD_LENGTH,
    *,
    remote_length: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    errors: dict[int, XDicomError] | None = None,
    found: dict[int, Source] | None = None,
) -> Iterator[tuple[int, bytes]]:
    """Number and first bytes of each source, in order.

    Local files are opened, read and closed one by one; of remote storage, one range of each object is asked for, 64 at
    the same time.

    Parameters
    ----------
    length
        Bytes of each source.
    remote_length
        Bytes of each source that is not local, where that differs: there a second request costs more than bytes do.
    on_progress
        Called with the number of sources done and the number of all, now and then and at the end.
    errors
        Filled with the error of each source that could not be read, which is then left out; without it, the first error is raised.
    found
        Filled with what the storage said of the size and the stamp of sources that were listed without them.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    for done, (number, head) in enumerate(_heads(sources, length, remote_length or length, found), start=1):
        if isinstance(head, XDicomError):
            if errors is None:
                raise head
            errors[number] = head
        else:
            yield number, head
        if on_progress is not None and (done % IN_FLIGHT == 0 or done == len(sources)):
            on_progress(done, len(sources))


def _heads(
    sources: Sequence[Source], length: int, remote_length: int, found: dict[int, Source] | None
) -> Iterator[tuple[int, bytes | XDicomError]]:
    """Runs of local and of remote sources, each in its own way."""

    def fetch(number: int) -> bytes | XDicomError:
        source = sources[number]
        try:
            if found is None or split_chain(source.url)[0]:
                return read_range(source.url, 0, remote_length)
            answer = remote.read(remote.client_for(source.url), source.url, 0, remote_length, "")
            if answer.stamp or answer.size >= 0:
                found[number] = Source(source.url, answer.size, answer.stamp)
            return answer.data
        except XDicomError as error:
            return error

    run: list[int] = []
    for number, source in enumerate(sources):
        if not is_local(split_chain(source.url)[1]):
            run.append(number)
            continue
        yield from zip(run, at_once(fetch, run), strict=True)
        run = []
        try:
            yield number, read_range(source.url, 0, length)
        except XDicomError as error:
            yield number, error
    yield from zip(run, at_once(fetch, run), strict=True)


def heads_block(count: int, length: int = HEAD_LENGTH) -> np.ndarray:
    """Room for the first bytes of `count` files: uint8 `(count, length)`, placed in memory where the system copies fastest.

    An ordinary large numpy array begins 16 bytes behind a page boundary, and copies from the start of a page to there
    run into 4K aliasing: a head of 8 kB takes 8 µs instead of 6.
    """
    block = np.empty(count * length + 64, dtype=np.uint8)
    first = -block.ctypes.data % 64
    return block[first : first + count * length].reshape(count, length)


def read_heads_into(urls: Sequence[str], block: np.ndarray) -> np.ndarray:
    """Read the first bytes of each source into its row of `block`.

    Parameters
    ----------
    urls
        Local files, as a rule; others are read too, by way of `read_heads`.
    block
        Writable array, uint8 `(sources, length)`, C-contiguous; `heads_block` makes one.

    Returns
    -------
    numpy.ndarray
        Bytes read from each source, int64 `(sources,)`; -1 where one could not be read (`read_range` then tells why).
        What lies behind them in a row is left as it was.
    """
    if all(map(is_local, urls)):
        return files.read_heads_into(urls, block)
    result = np.full(len(urls), -1, dtype=np.int64)
    errors: dict[int, XDicomError] = {}
    for number, head in read_heads([Source(url, -1, "") for url in urls], block.shape[1], errors=errors):
        block[number, : len(head)] = np.frombuffer(head, dtype=np.uint8)
        result[number] = len(head)
    return result
