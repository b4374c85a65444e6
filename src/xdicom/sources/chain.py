"""Addresses of bytes that lie within another source, as text.

A url may begin with links, each followed by `::` and by the url of what it takes its bytes from:

- `span@{offset}+{length}::` is a stretch of the outer source, for example a member of a tar file.
- `inflate@{start}::` is the outer source with everything behind its byte `start` inflated (raw deflate): a DICOM file
  in the deflated transfer syntax (PS3.5 A.5), or with `start` 0 a deflated member of a zip file.

Links nest: `inflate@352::span@1024+5000::/x.tar`. What follows the last of them is a local path or any fsspec URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_LINK = re.compile(r"(?:span@(?P<offset>\d+)\+(?P<length>\d+)|inflate@(?P<start>\d+))::")
_LOCAL = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the outer source."""

    offset: int
    """First byte, counted from the start of the outer source."""
    length: int
    """Number of bytes."""


@dataclass(frozen=True, slots=True)
class Inflate:
    """The outer source with its tail inflated."""

    start: int
    """Bytes at the front that are not deflated."""


Link = Span | Inflate


def is_local(url: str) -> bool:
    """Whether `url` is an absolute local path.

    Examples
    --------
    >>> is_local("/data/a.dcm"), is_local("s3://bucket/a.dcm"), is_local("span@0+8::/x.tar")
    (True, False, False)
    """
    return url.startswith("/") or _LOCAL.match(url) is not None


@lru_cache(maxsize=8192)
def split_chain(url: str) -> tuple[tuple[Link, ...], str]:
    """Links of `url`, first one first, and the url that they take their bytes from.

    Examples
    --------
    >>> split_chain("inflate@352::span@1024+5000::/x.tar")
    ((Inflate(start=352), Span(offset=1024, length=5000)), '/x.tar')
    >>> split_chain("s3://bucket/a.dcm")
    ((), 's3://bucket/a.dcm')
    """
    links: list[Link] = []
    position = 0
    while found := _LINK.match(url, position):
        if found["start"] is None:
            links.append(Span(int(found["offset"]), int(found["length"])))
        else:
            links.append(Inflate(int(found["start"])))
        position = found.end()
    return tuple(links), url[position:]


def split_link(url: str) -> tuple[Link | None, str]:
    """First link of `url` and the url behind it; None and `url` itself where it has none."""
    found = _LINK.match(url)
    if found is None:
        return None, url
    return split_chain(url)[0][0], url[found.end() :]


def span_of(url: str, offset: int, length: int) -> str:
    """Url of the `length` bytes from `offset` on of what lies at `url`; a span of a span becomes one.

    Examples
    --------
    >>> span_of("/x.tar", 512, 100)
    'span@512+100::/x.tar'
    >>> span_of("span@512+100::/x.tar", 10, 20)
    'span@522+20::/x.tar'
    """
    link, outer = split_link(url)
    if isinstance(link, Span) and offset + length <= link.length:
        return f"span@{link.offset + offset}+{length}::{outer}"
    return f"span@{offset}+{length}::{url}"


def inflate_of(url: str, start: int = 0) -> str:
    """Url of what lies at `url` with everything behind byte `start` inflated (PS3.5 A.5).

    Examples
    --------
    >>> inflate_of("/deflated.dcm", 352)
    'inflate@352::/deflated.dcm'
    """
    return f"inflate@{start}::{url}"


def strip_inflate(url: str) -> str:
    """Url of the source that a deflated instance lies in.

    Examples
    --------
    >>> strip_inflate("inflate@352::/deflated.dcm"), strip_inflate("/plain.dcm")
    ('/deflated.dcm', '/plain.dcm')
    """
    link, outer = split_link(url)
    return outer if isinstance(link, Inflate) else url
