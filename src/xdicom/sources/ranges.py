"""Bytes from anywhere: a stretch of a url, several, the first of many, or all.

Every function opens, reads and closes; nothing is kept but what was inflated. All of them may be called from many
threads at once, and from any process that knows the url.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from xdicom.errors import SourceError, XDicomError
from xdicom.sources import files, remote
from xdicom.sources.chain import Inflate, Span, is_local, split_chain, split_link
from xdicom.sources.concurrency import IN_FLIGHT, at_once
from xdicom.sources.faults import retried
from xdicom.sources.inflated import inflate, kept
from xdicom.sources.source import Source

A = TypeVar("A")
B = TypeVar("B")

HEAD_LENGTH = 8192
"""Bytes that are read of a header at first [bytes]."""
REMOTE_HEAD_LENGTH = 32 << 10
"""The same for remote storage: of real series nine in ten need no second request then, with 8 kB it was one in two [bytes]."""


def read_range(url: str, offset: int, length: int, *, stamp: str = "") -> bytes:
    """`length` bytes from `offset` on; fewer only at the end of the source.

    Parameters
    ----------
    url
        `url` of a `Source`, or a chain built on one.
    offset, length
        First byte and number of bytes.
    stamp
        `stamp` of the `Source`: where it is given, content that changed since is an error.

    Raises
    ------
    SourceError
        Storage that did not answer, denied, holds nothing there or holds something else than when it was scanned;
        the message says whether another try can help.
    """
    if is_local(url):
        return files.read(url, offset, length, stamp)
    link, outer = split_link(url)
    if isinstance(link, Span):
        return read_range(outer, link.offset + offset, max(0, min(length, link.length - offset)), stamp=stamp)
    if isinstance(link, Inflate):
        return bytes(_inflated(url, link, outer, stamp)[offset : offset + length])
    return remote.read(remote.client_for(url), url, offset, length, stamp).data


def read_into(url: str, offset: int, out: memoryview | np.ndarray, *, stamp: str = "") -> int:
    """Fill `out` with the bytes from `offset` on.

    Local files are read straight into it.

    Parameters
    ----------
    out
        Writable C-contiguous array or buffer of any type; its length in bytes says how much is read.

    Returns
    -------
    int
        Bytes read: less than `out` holds only at the end of the source; what lies behind them is left as it was.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    buffer = _bytes_of(out)
    if not len(buffer):
        return 0
    link, outer = split_link(url)
    while isinstance(link, Span):
        buffer = buffer[: max(0, link.length - offset)]
        offset += link.offset
        url = outer
        link, outer = split_link(url)
    if is_local(url):
        return files.read_into(url, offset, buffer, stamp)
    if isinstance(link, Inflate):
        content = _inflated(url, link, outer, stamp)[offset : offset + len(buffer)]
        buffer[: len(content)] = content
        return len(content)
    data = read_range(url, offset, len(buffer), stamp=stamp)
    buffer[: len(data)] = data
    return len(data)


def read_ranges(url: str, offsets: Sequence[int] | np.ndarray, lengths: Sequence[int] | np.ndarray, *, stamp: str = "") -> list[bytes]:
    """Several stretches of one source, in the order asked for.

    A local file is opened once. Remote storage is asked once for stretches that touch or lie near each other, and for
    several at the same time where they do not.

    Parameters
    ----------
    offsets, lengths
        First byte and number of bytes of each stretch; they may overlap and come in any order.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    if len(offsets) == 1 and is_local(url):
        return [files.read(url, int(offsets[0]), int(lengths[0]), stamp)]
    starts, sizes = np.asarray(offsets, dtype=np.int64), np.asarray(lengths, dtype=np.int64)
    if not len(starts):
        return []
    links, outer = split_chain(url)
    for number, link in enumerate(links):
        if isinstance(link, Inflate):
            behind = "::".join(url.split("::")[number:])
            content = _inflated(behind, link, split_link(behind)[1], stamp)
            return [bytes(content[start : start + size]) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
        sizes = np.clip(link.length - starts, 0, sizes)
        starts = starts + link.offset
    if is_local(outer):
        return files.read_many(outer, starts.tolist(), sizes.tolist(), stamp)
    return remote.read_several(remote.client_for(outer), outer, starts, sizes, stamp)


def read_many(
    urls: Sequence[str], offsets: Sequence[int] | np.ndarray, lengths: Sequence[int] | np.ndarray, stamps: Sequence[str]
) -> list[bytes]:
    """One stretch of each of `urls`, which may name a source several times, in the order asked for.

    Each source is read as by `read_ranges`; remote ones are asked at the same time. Spans of one source, such as members of
    an archive, are stretches of it: those that lie near each other are one request.

    Parameters
    ----------
    urls, offsets, lengths
        Source, first byte and number of bytes of each stretch.
    stamps
        Stamp of each stretch's source, empty where it is not to be checked.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    urls, starts, sizes = _outside_spans(urls, np.asarray(offsets, dtype=np.int64), np.asarray(lengths, dtype=np.int64))
    members: dict[tuple[str, str], list[int]] = {}
    for number, place in enumerate(zip(urls, stamps, strict=True)):
        members.setdefault(place, []).append(number)

    def fetch(place: tuple[str, str]) -> list[bytes]:
        return read_ranges(place[0], starts[members[place]], sizes[members[place]], stamp=place[1])

    result = [b""] * len(urls)
    for place, parts in zip(members, _each(fetch, list(members), urls), strict=True):
        for number, part in zip(members[place], parts, strict=True):
            result[number] = part
    return result


def read_many_into(
    urls: Sequence[str], offsets: Sequence[int] | np.ndarray, outs: Sequence[memoryview | np.ndarray], stamps: Sequence[str]
) -> list[int]:
    """Fill each of `outs` from its url and offset, as `read_into` does; remote sources are asked at the same time.

    Parameters
    ----------
    urls, offsets
        Source and first byte of each stretch.
    outs
        Writable C-contiguous array or buffer for each stretch.
    stamps
        Stamp of each stretch's source, empty where it is not to be checked.

    Returns
    -------
    list of int
        Bytes read of each stretch.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    if all(map(is_local, urls)):
        places = zip(urls, np.asarray(offsets, dtype=np.int64).tolist(), outs, stamps, strict=True)
        return [read_into(url, start, out, stamp=stamp) for url, start, out, stamp in places]
    buffers = [_bytes_of(out) for out in outs]
    sizes = np.array([len(buffer) for buffer in buffers], np.int64)
    urls, starts, sizes = _outside_spans(urls, np.asarray(offsets, dtype=np.int64), sizes)
    if all(map(is_local, urls)) or len(set(urls)) == len(urls):

        def fetch(number: int) -> int:
            return read_into(urls[number], int(starts[number]), buffers[number][: sizes[number]], stamp=stamps[number])

        return list(_each(fetch, range(len(urls)), urls))
    parts = read_many(urls, starts, sizes, stamps)  # joins what lies near each other
    for buffer, part in zip(buffers, parts, strict=True):
        buffer[: len(part)] = part
    return [len(part) for part in parts]


def _outside_spans(urls: Sequence[str], starts: np.ndarray, sizes: np.ndarray) -> tuple[Sequence[str], np.ndarray, np.ndarray]:
    """The same stretches, as such of the sources that spans are cut from."""
    spans = [number for number, url in enumerate(urls) if url.startswith("span@")]
    if not spans:
        return urls, starts, sizes
    urls, starts, sizes = list(urls), starts.copy(), sizes.copy()
    for number in spans:
        link, outer = split_link(urls[number])
        while isinstance(link, Span):
            sizes[number] = max(0, min(sizes[number], link.length - starts[number]))
            starts[number] += link.offset
            urls[number] = outer
            link, outer = split_link(outer)
    return urls, starts, sizes


def _each(function: Callable[[A], B], arguments: Sequence[A], urls: Sequence[str]) -> Iterator[B]:
    """Results of `function`, one call after the other for local files, which gain nothing by threads."""
    return map(function, arguments) if all(map(is_local, urls)) else at_once(function, arguments)


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


def whole(url: str, *, stamp: str = "") -> bytes:
    """All bytes of a source.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    link, outer = split_link(url)
    if isinstance(link, Span):
        return read_range(outer, link.offset, link.length, stamp=stamp)
    if isinstance(link, Inflate):
        return bytes(_inflated(url, link, outer, stamp))
    if is_local(url):
        return read_range(url, 0, _local_state(url)[0], stamp=stamp)
    return remote.read(remote.client_for(url), url, 0, None, stamp).data


def inflated_length(url: str, *, stamp: str = "") -> int:
    """Bytes of a deflated content, once inflated; -1 where `url` is no such.

    Raises
    ------
    SourceError
        As for `read_range`.
    """
    link, outer = split_link(url)
    return len(_inflated(url, link, outer, stamp)) if isinstance(link, Inflate) else -1


def _inflated(url: str, link: Inflate, outer: str, stamp: str) -> memoryview:
    """Content of `url`, whose first link is `link`, kept as long as the storage holds the same."""
    mark = stamp or _mark_of(split_chain(url)[1])
    return kept((url, mark), lambda: inflate(whole(outer, stamp=stamp), link.start, url))


def _mark_of(url: str) -> str:
    """State of what lies at `url`, which has no links."""
    if is_local(url):
        return _local_state(url)[1]
    source = remote.describe(remote.client_for(url), url)
    return source.stamp or str(source.size)


def _local_state(path: str) -> tuple[int, str]:
    """Size and stamp of a local file."""
    state = retried(lambda: files.describe(path), path)
    if state is None:
        raise SourceError(f"{path}: nothing is known of its size. Another try will not help.")
    return state


def _bytes_of(out: memoryview | np.ndarray) -> memoryview:
    """The memory of `out` as bytes."""
    if isinstance(out, np.ndarray):
        if not out.flags.c_contiguous:
            raise ValueError("the array to read into is not C-contiguous")
        return memoryview(out.reshape(-1).view(np.uint8).data) if out.size else memoryview(b"")
    return out.cast("B") if out.nbytes else memoryview(b"")
