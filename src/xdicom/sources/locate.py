"""What lies at a location: files, objects and members of archives, each as a `Source`."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from urllib.parse import unquote, urlsplit

from xdicom.errors import SourceError
from xdicom.sources import files, remote
from xdicom.sources.archives import archive_kind, has_archive_suffix, list_members
from xdicom.sources.chain import Span, is_local, split_chain
from xdicom.sources.faults import retried
from xdicom.sources.options import merge, prefix_of, set_storage_options, without_secrets
from xdicom.sources.source import Source

__all__ = ["Location", "Source", "each_location", "locate"]

Location = str | os.PathLike[str]
"""What a person names: a path, a pattern or a URL."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?:://|::)")
_IN_ARCHIVE = re.compile(r"(?:zip|tar)://(.*?)::(.+)", re.DOTALL)
_MAGIC = re.compile(r"[*?[]")
_HTTP = ("http://", "https://")


def locate(location: Location | Sequence[Location], storage_options: Mapping[str, object] | None = None) -> list[Source]:
    """Sources at a location, without reading what is in them.

    Parameters
    ----------
    location
        A file, a folder (with all that lies below it), a pattern (`*`, `?`, `[…]`, `**` for any number of folders), a
        zip, tar or tar.gz archive, a URL of any protocol or chain that fsspec knows (`s3://bucket/prefix/`,
        `https://host/a.dcm`, `zip://*::s3://bucket/a.zip`), the `url` of a source, or several of all these. A DICOMDIR
        is a file like any other here (`xdicom.scan` follows it). An archive is known by what is in it, in patterns and
        lists by the end of its name, and within a folder not at all. Files and folders whose name begins with a dot are left
        out of folders and patterns.
    storage_options
        Options for remote storage, as fsspec takes them. They are remembered in this process
        (see `set_storage_options`) and are not part of what is returned.

    Returns
    -------
    list of Source
        In the order of the locations, each of them sorted by url (archives by name of the member), none twice; empty
        for an empty folder. Web addresses that are given one by one in a list are not asked for before they are read,
        so that size and stamp are not known.

    Raises
    ------
    SourceError
        Nothing is there, access is denied, or storage does not answer; the message says whether another try can help.
    MissingDependencyError
        Storage that needs a library which is not installed.
    TypeError
        If it is neither a path nor a text, nor several of these.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.dcm").write_bytes(b"12345")
    >>> [source.size for source in locate(folder)]
    [5]
    """
    several = each_location(location)
    options = storage_options or {}
    found: dict[str, Source] = {}
    for one in several:
        for source in _locate_one(os.fspath(one), options, is_one_of_many=len(several) > 1):
            found.setdefault(source.url, source)
    return list(found.values())


def each_location(location: object) -> list[Location]:
    """One location or several, as a list.

    Raises
    ------
    TypeError
        If there is anything else among them: bytes, an open file, a data set.

    Examples
    --------
    >>> each_location("ct"), each_location(iter(["a.dcm", "b.dcm"]))
    (['ct'], ['a.dcm', 'b.dcm'])
    """
    if isinstance(location, str | os.PathLike):
        return [location]
    is_one = not isinstance(location, Iterable) or isinstance(location, bytes | bytearray | memoryview) or hasattr(location, "read")
    several: list[Location] = []
    for one in [location] if is_one else list(location):  # type: ignore[call-overload]
        if not isinstance(one, str | os.PathLike):
            what = type(one if isinstance(location, list | tuple) else location).__name__
            raise TypeError(
                f"a location is a path, a pattern or a URL, or several of these, not {what}. What is in memory can be opened once it has "
                "a name: fsspec.filesystem('memory').pipe('/a.dcm', data), then 'memory://a.dcm'; a Dataset that was read, by its filename"
            )
        several.append(one)
    return several


def _locate_one(text: str, options: Mapping[str, object], *, is_one_of_many: bool) -> list[Source]:
    if os.path.lexists(text) or ("::" not in text and not _URL.match(text)):
        return _locate_local(text, is_one_of_many=is_one_of_many)
    if text.startswith("file://"):
        path = text.removeprefix("file://").removeprefix("localhost")
        return _locate_local(path if os.path.lexists(path) else unquote(path), is_one_of_many=is_one_of_many)
    if split_chain(text)[0]:
        return [_describe_chain(text, options)]
    if inside := _IN_ARCHIVE.fullmatch(text):
        return _locate_in_archive(inside[1], inside[2], options)
    if _URL.match(text):
        return _locate_remote(text, options, is_one_of_many=is_one_of_many)
    return _locate_local(text, is_one_of_many=is_one_of_many)


def _locate_local(text: str, *, is_one_of_many: bool) -> list[Source]:
    path = os.path.abspath(os.path.expanduser(text))
    if os.path.isdir(path):
        return sorted(_walk(path), key=_by_url)
    if not os.path.lexists(path):
        if not glob.has_magic(path):
            raise SourceError(f"{path}: nothing is there, neither a file nor a folder. Another try will not help: correct the location.")
        return _match_local(path)
    source = _describe_local(path)
    return [source] if is_one_of_many and not has_archive_suffix(path) else _expand(source)


def _match_local(pattern: str) -> list[Source]:
    found: list[Source] = []
    matches = sorted(glob.glob(pattern, recursive=True))
    for match in matches:
        if os.path.isdir(match):
            if not pattern.endswith("**"):
                found.extend(_walk(match))
        elif has_archive_suffix(match):
            found.extend(_expand(_describe_local(match)))
        else:
            found.append(_describe_local(match))
    if not matches:
        raise SourceError(f"{pattern}: no file matches the pattern. Another try will not help: correct the location.")
    return sorted(found, key=_by_url)


def _describe_local(path: str) -> Source:
    state = retried(lambda: files.describe(path), path)
    return Source(path, *(state or (-1, "")))


def _walk(folder: str) -> Iterator[Source]:
    """All files below `folder`; a linked folder is entered once, and a link to nothing is a source without size."""
    waiting = [folder]
    entered = {os.path.realpath(folder)}
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(here))
        except OSError as error:
            raise SourceError(f"{here}: the folder can't be listed ({error.strerror}). Another try will not help.") from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if target in entered:
                        continue
                    entered.add(target)
                waiting.append(entry.path)
            elif entry.is_file():
                state = entry.stat()
                yield Source(entry.path, state.st_size, str(state.st_mtime_ns))
            elif entry.is_symlink():
                yield Source(entry.path, -1, "")


def _expand(source: Source) -> list[Source]:
    """Members of `source` if it is an archive, else itself."""
    kind = archive_kind(source.url)
    return [member for _, member in list_members(source, kind)] if kind else [source]


def _describe_chain(url: str, options: Mapping[str, object]) -> Source:
    """The source that a chain leads to, in its present state."""
    links, outer = split_chain(url)
    if is_local(outer):
        base = _describe_local(outer)
    else:
        (base,) = _locate_remote(outer, options, is_one_of_many=False, expand=False)
    size = links[0].length if isinstance(links[0], Span) else -1
    return Source(url[: len(url) - len(outer)] + base.url, size, base.stamp)


def _locate_in_archive(pattern: str, outer: str, options: Mapping[str, object]) -> list[Source]:
    """Members of an archive whose name, or a folder above it, matches `pattern`; all for an empty one."""
    of_scheme = options.get(urlsplit(outer).scheme)
    if split_chain(outer)[0]:
        archive = _describe_chain(outer, options)
    elif _URL.match(outer) and not outer.startswith("file://"):
        own = of_scheme if isinstance(of_scheme, Mapping) else options
        (archive,) = _locate_remote(outer, own, is_one_of_many=False, expand=False)
    else:
        archive = _describe_local(os.path.abspath(os.path.expanduser(outer.removeprefix("file://"))))
    kind = archive_kind(archive.url)
    if not kind:
        raise SourceError(f"{archive.url}: neither a zip nor a tar archive. Another try will not help: correct the location.")
    matches = pattern_of(pattern)
    found = [source for name, source in list_members(archive, kind) if not pattern or matches.fullmatch(name.removeprefix("./"))]
    if not found:
        raise SourceError(f"{archive.url}: no member matches {pattern!r}. Another try will not help: correct the location.")
    return found


def _locate_remote(text: str, options: Mapping[str, object], *, is_one_of_many: bool, expand: bool = True) -> list[Source]:
    url, secrets = without_secrets(text)
    query = secrets.pop("query", None)
    if options or secrets:
        set_storage_options(prefix_of(url), merge(options, secrets))
    if query:
        set_storage_options(url, {"query": query})
    is_web = url.startswith(_HTTP)
    magic = _MAGIC.search(url.split("?")[0] if is_web else url)
    if is_web and is_one_of_many and not magic and not url.endswith("/") and not has_archive_suffix(url):
        return [Source(url, -1, "")]
    below = url[: url.rindex("/", 0, magic.start()) + 1] if magic else url
    found = remote.find(remote.client_for(below), below)
    if magic:
        matches = pattern_of(url)
        found = [source for source in found if matches.fullmatch(source.url)]
    if not found:
        raise SourceError(f"{url}: nothing is there: no object, no prefix and no match. Another try will not help: correct the location.")
    found = sorted((source for source in found if not _is_hidden(source.url[len(below) :])), key=_by_url)
    if not expand or not (magic or len(found) == 1):
        return found
    return [member for source in found for member in (_expand(source) if has_archive_suffix(source.url) else [source])]


def pattern_of(pattern: str) -> re.Pattern[str]:
    """What `pattern` matches, and all that lies below a folder that it matches.

    Examples
    --------
    >>> [bool(pattern_of("s3://b/*/ct").fullmatch(url)) for url in ("s3://b/1/ct", "s3://b/1/ct/a.dcm", "s3://b/1/2/ct")]
    [True, True, False]
    """
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\])", pattern.rstrip("/"))
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = ""
    for number, part in enumerate(parts):
        if number % 2 == 0:
            text += re.escape(part)
        else:
            text += words.get(part) or "[" + ("^" + part[2:-1] if part[1] == "!" else part[1:-1]).replace("\\", r"\\") + "]"
    return re.compile(f"{text}(?:/.*)?", re.DOTALL)


def _is_hidden(path: str) -> bool:
    return any(step.startswith(".") for step in path.split("/"))


_by_url = itemgetter(0)
