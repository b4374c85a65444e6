"""Files of a DICOM file-set, by the components of their File IDs (PS3.10 8.2)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache

from xdicom.errors import NotDicomError
from xdicom.sources.chain import is_local
from xdicom.sources.files import describe
from xdicom.sources.source import Source

_NAME = "DICOMDIR"


def is_directory_name(location: str) -> bool:
    """Whether the name of a file or an object is that of a DICOMDIR (PS3.10 8.6), or begins with it.

    Examples
    --------
    >>> is_directory_name("/media/cdrom/dicomdir"), is_directory_name("s3://bucket/DICOMDIR/a.dcm")
    (True, False)
    """
    name = location.replace("\\", "/").rpartition("/")[2]
    return name.upper().startswith(_NAME) and not os.path.isdir(location)


def members_of(directory: str, identifiers: Iterable[tuple[str, ...]]) -> list[Source]:
    """Sources of the files of a file-set; a file that is not there is one that can't be read.

    Parameters
    ----------
    directory
        `url` of the DICOMDIR.
    identifiers
        Components of each File ID. File IDs are in upper case, but media are often mounted in lower case: where a local
        file is missing, one whose name differs in case alone is taken.

    Raises
    ------
    NotDicomError
        If a File ID leads out of the folder of the DICOMDIR.
    """
    top = directory[: max(directory.rfind("/"), directory.rfind(os.sep)) + 1]
    found: list[Source] = []
    names_in = cache(_names_in)
    for parts in identifiers:
        if any(part in ("", ".", "..") or "/" in part or "\\" in part or "::" in part for part in parts):
            raise NotDicomError(f"{directory}: the file ID {parts!r} leads out of the file-set; open the files by themselves")
        if not is_local(directory):
            found.append(Source(top + "/".join(parts), -1, ""))
            continue
        path = top.rstrip(os.sep)
        for part in parts:
            straight = os.path.join(path, part)
            path = straight if os.path.lexists(straight) else os.path.join(path, names_in(path).get(part.lower(), part))
        found.append(Source(path, *((os.path.lexists(path) and describe(path)) or (-1, ""))))
    return found


def _names_in(folder: str) -> dict[str, str]:
    """Names in a folder by their lower case, without the version that ISO 9660 adds (`;1`)."""
    return {name.partition(";")[0].lower(): name for name in sorted(os.listdir(folder))} if os.path.isdir(folder) else {}
