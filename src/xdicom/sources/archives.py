"""Members of zip and tar archives as sources of their own, so that each is read without its neighbours."""

from __future__ import annotations

import io
import tarfile
import zipfile
from typing import Any

from xdicom.errors import SourceError
from xdicom.sources.chain import inflate_of, is_local, span_of
from xdicom.sources.lookahead import LookAhead
from xdicom.sources.ranges import read_range, read_ranges, whole
from xdicom.sources.source import Source

_ENCRYPTED = 0x1
_LOCAL_HEADER_LENGTH = 30
_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz")
_UNREAD_SUFFIXES = (".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".7z", ".rar")


def has_archive_suffix(name: str) -> bool:
    """Whether `name` ends like that of an archive."""
    return name.lower().endswith((*_SUFFIXES, *_UNREAD_SUFFIXES))


def archive_kind(url: str) -> str:
    """`zip`, `tar`, `gzip` or nothing, from the first bytes of what lies at `url`."""
    head = read_range(url, 0, 512)
    if head[128:132] == b"DICM":
        return ""
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return "zip"
    if head[257:262] == b"ustar" or (url.lower().endswith(".tar") and head[124:136].strip(b"\0 ").isdigit()):
        return "tar"
    if head[:3] == b"\x1f\x8b\x08" and url.lower().endswith((".tar.gz", ".tgz")):
        return "gzip"
    if url.lower().endswith(_UNREAD_SUFFIXES):
        raise SourceError(f"{url}: archives of this kind are not read, only zip, tar and tar.gz. Unpack it.")
    return ""


def list_members(archive: Source, kind: str) -> list[tuple[str, Source]]:
    """Name and source of each file in an archive, sorted by name; members whose name begins with a dot are left out.

    Stored zip members and tar members are spans of the archive. Deflated zip members are inflated spans. A tar.gz is
    inflated as a whole, which each process that reads of it does once.

    Raises
    ------
    SourceError
        Damaged or encrypted archive, or one that is compressed in a way that is not read.
    """
    try:
        members = _list_zip(archive) if kind == "zip" else _list_tar(archive, kind)
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise SourceError(f"{archive.url}: the archive is damaged ({error}). Get it again from where it came.") from None
    return sorted((name, source) for name, source in members if not _is_hidden(name))


def _list_zip(archive: Source) -> list[tuple[str, Source]]:
    with zipfile.ZipFile(_SeekableSource(archive)) as file:
        infos = [info for info in file.infolist() if not info.is_dir()]
    for info in infos:
        if info.flag_bits & _ENCRYPTED:
            raise SourceError(f"{archive.url}: members of the archive are encrypted. Unpack it.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SourceError(
                f"{archive.url}: members are compressed by method {info.compress_type}; only stored (0) and deflated (8) ones "
                "are read. Unpack it."
            )
    # How long the extra field in front of the data is stands only in the member's own header.
    offsets = [info.header_offset for info in infos]
    headers = read_ranges(archive.url, offsets, [_LOCAL_HEADER_LENGTH] * len(infos), stamp=archive.stamp)
    members = []
    for info, header in zip(infos, headers, strict=True):
        if header[:4] != b"PK\3\4":
            raise zipfile.BadZipFile("a member is not where the directory says")
        name_length, extra_length = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
        url = span_of(archive.url, info.header_offset + _LOCAL_HEADER_LENGTH + name_length + extra_length, info.compress_size)
        if info.compress_type == zipfile.ZIP_DEFLATED:
            url = inflate_of(url)
        members.append((info.filename, Source(url, info.file_size, archive.stamp)))
    return members


def _list_tar(archive: Source, kind: str) -> list[tuple[str, Source]]:
    if kind == "gzip":
        url = inflate_of(archive.url, _gzip_header_length(archive.url))
        start = int(url.partition("@")[2].partition("::")[0])
        content = Source(url, len(whole(url, stamp=archive.stamp)), archive.stamp)
    else:
        start, content = 0, archive
    looks_ahead = kind != "gzip" and not is_local(content.url) and content.size >= 0
    stream = LookAhead(content) if looks_ahead else _SeekableSource(content, start)
    with tarfile.open(fileobj=stream, mode="r:") as file:
        infos = [info for info in file if info.isreg()]
    for info in infos:
        if info.issparse():
            raise SourceError(f"{archive.url}: the archive holds sparse files. Unpack it.")
    return [(info.name, Source(span_of(content.url, start + info.offset_data, info.size), info.size, archive.stamp)) for info in infos]


def _gzip_header_length(url: str) -> int:
    """Bytes in front of the deflate stream of a gzip file (RFC 1952)."""
    head = read_range(url, 0, 65536)
    flags, position = head[3], 10
    if flags & 0x04:  # extra field
        position += 2 + int.from_bytes(head[position : position + 2], "little")
    for flag in (0x08, 0x10):  # name, comment
        if flags & flag:
            position = head.index(b"\0", position) + 1
    return position + (2 if flags & 0x02 else 0)  # checksum of the header


def _is_hidden(name: str) -> bool:
    """Whether a step of the path begins with a dot, or belongs to the shadow tree that macOS adds."""
    steps = name.split("/")
    return any(step.startswith(".") and step not in (".", "..") for step in steps) or "__MACOSX" in steps


class _SeekableSource(io.BufferedReader):
    """A source as a file, for the archive modules; local ones are read a little at a time, remote ones more."""

    def __init__(self, source: Source, start: int = 0) -> None:
        size = source.size if source.size >= 0 else len(whole(source.url, stamp=source.stamp))
        raw = _RawSource(source.url, source.stamp, start, size)
        super().__init__(raw, buffer_size=8192 if is_local(source.url) else 256 << 10)


class _RawSource(io.RawIOBase):
    def __init__(self, url: str, stamp: str, start: int, size: int) -> None:
        self._url, self._stamp, self._start, self._size = url, stamp, start, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size - self._start}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = read_range(self._url, self._start + self._position, len(buffer), stamp=self._stamp)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
