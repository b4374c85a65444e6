"""What storage holds and what it answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple


class Source(NamedTuple):
    """A file, an object or a member of an archive, and the state in which it was found.

    It holds no credentials and no open thing, and pickles small. It is a named tuple since a folder has many files: a frozen
    dataclass takes as long to make as its file to look up.
    """

    url: str
    """Absolute local path, or URL; a chain (`span@0+10::/x.tar`) for what lies within another source."""
    size: int
    """Length [bytes], -1 where it is not known."""
    stamp: str
    """Mark that changes with the content: nanoseconds of the last change for local files, else etag or last change; empty when unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What remote storage gave."""

    data: bytes
    """The bytes asked for, or as many as there are."""
    size: int = -1
    """Length of the whole object [bytes], -1 where it was not told."""
    stamp: str = ""
    """Stamp of the object, empty where it was not told."""


def stamp_of(description: Mapping[str, Any]) -> str:
    """Stamp from what storage says of an object, whichever names it uses; empty when it says nothing of use.

    Examples
    --------
    >>> stamp_of({"ETag": '"abc"', "size": 3}), stamp_of({"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    ('"abc"', '2015-10-21T07:28:00+00:00')
    """
    for name in ("ETag", "etag", "e_tag"):
        if value := description.get(name):
            return str(value)
    for name in ("LastModified", "last_modified", "Last-Modified", "mtime", "updated", "modified", "created"):
        value = description.get(name)
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat()
        if isinstance(value, int | float) and value:
            return datetime.fromtimestamp(value, UTC).isoformat()
        if name == "Last-Modified" and value:
            return parsedate_to_datetime(str(value)).astimezone(UTC).isoformat()
        if value:
            return str(value)
    return ""
