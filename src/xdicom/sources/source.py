"""What storage holds and what it answers, as values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

_BYTES = " bytes"
"""End of a stamp that is but a size."""


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
    """Mark that changes with the content: time of the last change [ns] for local files, else etag, time or size; empty when unknown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What remote storage gave."""

    data: bytes
    """The bytes asked for, or as many as there are."""
    size: int = -1
    """Length of the whole object [bytes], -1 where it was not told."""
    stamp: str = ""
    """Stamp of the object, empty where it was not told."""


def stamp_of(description: Mapping[str, Any], size: int = -1) -> str:
    """Stamp from what storage says of an object, whichever names it uses; empty when it says nothing of use.

    An etag comes before a time, and where there is neither the size [bytes] is better than nothing. An etag is put in
    quotes: Azure gives it without them in listings and with them in answers. Google has two ways to ask, each with etags of its
    own: what the one calls etag is the checksum that the other tells, where it has one.

    Examples
    --------
    >>> stamp_of({"ETag": '"abc"', "size": 3}), stamp_of({"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"})
    ('"abc"', '2015-10-21T07:28:00+00:00')
    >>> stamp_of({"etag": "abc"}), stamp_of({}, 3)
    ('"abc"', '3 bytes')
    >>> stamp_of({"etag": "CJ8=", "md5Hash": "q80=", "metageneration": "1"})
    '"abcd"'
    """
    if checksum := description.get("md5Hash"):
        return f'"{base64.b64decode(str(checksum)).hex()}"'
    for name in () if "metageneration" in description else ("ETag", "etag", "e_tag"):
        if value := description.get(name):
            return str(value) if str(value).endswith('"') else f'"{value}"'
    for name in ("LastModified", "last_modified", "Last-Modified", "mtime", "updated", "modified", "created"):
        value = description.get(name)
        if isinstance(value, datetime):
            if value.timestamp() == 0:  # what obstore says where it was not told
                continue
            return value.astimezone(UTC).isoformat()
        if isinstance(value, int | float) and value:
            return datetime.fromtimestamp(value, UTC).isoformat()
        if name == "Last-Modified" and value:
            return parsedate_to_datetime(str(value)).astimezone(UTC).isoformat()
        if value:
            return str(value)
    return f"{size}{_BYTES}" if size >= 0 else ""


def is_changed(stamp: str, found: str) -> bool:
    """Whether `found` tells that an object is not what it was when it had `stamp`.

    Nothing told is no change, and a mark of another kind tells nothing: etags, times and sizes are compared with their like.

    Examples
    --------
    >>> is_changed('"abc"', '"abd"'), is_changed("3 bytes", "4 bytes"), is_changed('"abc"', "4 bytes"), is_changed('"abc"', "")
    (True, True, False, False)
    """
    return bool(stamp and found) and stamp != found and _kind_of(stamp) == _kind_of(found)


def _kind_of(stamp: str) -> str:
    return "etag" if stamp.endswith('"') else "size" if stamp.endswith(_BYTES) else "time"
