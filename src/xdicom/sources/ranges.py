"""Bytes from anywhere: a stretch of a url, several, or all.

Every function opens, reads and closes; nothing is kept but what was inflated. All of them may be called from many
threads at once, and from any process that knows the url.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from xdicom.errors import SourceError
from xdicom.sources import files, remote
from xdicom.sources.chain import Inflate, Span, is_local, split_chain, split_link
from xdicom.sources.concurrency import at_once
from xdicom.sources.faults import retried
from xdicom.sources.inflated import inflate, kept

A = TypeVar("A")
B = TypeVar("B")


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
