"""Metadata of a DICOMweb server to a catalog: one request for a study or a series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import numpy as np

from xdicom.errors import NotDicomError, SourceError, XDicomError
from xdicom.headers.pixel_form import pixel_encoding
from xdicom.headers.records import HEAD_LENGTH, parse_header
from xdicom.headers.spans import Spans, native_spans
from xdicom.headers.web_metadata import encode_header, lacks_values
from xdicom.index.catalog import Catalog, Problem
from xdicom.index.gathered import Instance
from xdicom.index.scan import catalog_of, read_instance
from xdicom.model.encoding import DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, NATIVE_SYNTAXES
from xdicom.sources import remote
from xdicom.sources.concurrency import at_once
from xdicom.sources.counters import count
from xdicom.sources.dicomweb import ENCAPSULATED_STRIDE, FRAMES_START, PREFIX, FrameService, address_with
from xdicom.sources.options import merge, prefix_of, set_storage_options, without_secrets
from xdicom.sources.ranges import whole
from xdicom.sources.remote import Client
from xdicom.sources.source import Source

_AVAILABLE_TRANSFER_SYNTAX = "00083002"
_ROWS = "00280010"
_FLOATS = ("7FE00008", "7FE00009")
"""Float and Double Float Pixel Data."""


def is_dicomweb(location: object) -> bool:
    """Whether a location is a study, a series or an instance of a DICOMweb server."""
    return isinstance(location, str) and location.startswith((f"{PREFIX}http://", f"{PREFIX}https://"))


def scan_dicomweb(location: str, storage_options: Mapping[str, object] | None = None) -> Catalog:
    """Catalog of the instances of a study, a series or one instance: `dicomweb+https://host/path/studies/…[/series/…[/instances/…]]`.

    One request brings the metadata of all instances. Where they do not name the transfer syntax, the answer with the first
    frame of each instance does, of which no more than its beginning is read. Instances whose frames can't be had by number
    (big endian, deflated, floating point, bits that begin within bytes, or a server that refuses), or whose metadata lack
    values, are fetched as files.

    Raises
    ------
    SourceError
        If the server does not answer, denies, or has no such study.
    MissingDependencyError
        If urllib3 is not installed.
    """
    plain, secrets = without_secrets(location.removeprefix(PREFIX).rstrip("/"))
    url = PREFIX + plain
    options = merge(storage_options or {}, secrets)
    if options:
        set_storage_options(prefix_of(url), options)
    if "/studies/" not in url:
        raise SourceError(f"{url}: a DICOMweb location names a study (…/studies/UID). Another try will not help: correct the location.")
    client = remote.client_for(url)
    service = client.storage
    assert isinstance(service, FrameService)
    server = _Server(client, service, plain, url.partition("/studies/")[0])
    listed = remote.ask(client, url, lambda: service.metadata(url)) or []
    sources = [Source(server.place_of(metadata), -1, "") for metadata in listed]
    server.ask_for_syntaxes(listed)
    found = list(at_once(lambda i: _attempt(server.read_metadata, listed[i], sources[i].url), range(len(listed))))
    left = [number for number, outcome in enumerate(found) if outcome is None]
    for number, outcome in zip(left, at_once(lambda i: _attempt(_read_whole, sources[i].url, sources[i].url), left), strict=True):
        found[number] = outcome
    return catalog_of([(source, outcome) for source, outcome in zip(sources, found, strict=True) if outcome is not None])


Outcome = Instance | Problem
A = TypeVar("A")


def _attempt(read: Callable[[A], Instance | None], what: A, place: str) -> Outcome | None:
    """What `read` gives, or why the instance at `place` can't be read."""
    try:
        return read(what)
    except XDicomError as error:
        return Problem(place, str(error), type(error).__name__)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        return Problem(place, f"the metadata can't be read ({type(error).__name__})", "NotDicomError")


@dataclass(slots=True)
class _Server:
    """A DICOMweb server, and the transfer syntax of each instance that it was asked for."""

    client: Client
    service: FrameService
    location: str
    top: str
    syntaxes: dict[str, str] = field(default_factory=dict)

    def place_of(self, metadata: Mapping[str, Any]) -> str:
        """Url of the instance that `metadata` are of."""
        study, series, uid = (_first(metadata, tag) for tag in ("0020000D", "0020000E", "00080018"))
        return f"{self.top}/studies/{study}/series/{series}/instances/{uid}"

    def read_metadata(self, metadata: Mapping[str, Any]) -> Instance | None:
        """What `metadata` say, with frames at addresses of their own; None where its frames can't be had by number."""
        place = self.place_of(metadata)
        if _ROWS not in metadata:
            raise NotDicomError(f"no pixel data (SOP Class {_first(metadata, '00080016') or 'not stated'})")
        if any(tag in metadata for tag in _FLOATS) or lacks_values(metadata):
            return None
        transfer_syntax_uid = self.syntax_of(metadata)
        if transfer_syntax_uid in ("", EXPLICIT_BIG_ENDIAN, DEFLATED_LITTLE_ENDIAN):
            return None
        header = encode_header(metadata, transfer_syntax_uid, lambda address: self.fetch_bulk(address, place))
        return _by_frames(place, header, transfer_syntax_uid)

    def ask_for_syntaxes(self, listed: Sequence[Mapping[str, Any]]) -> None:
        """Ask for the transfer syntax of each instance with pixels whose metadata do not name it.

        Where the first of a series gives no frame by number, the others are not asked: all of them are fetched as files.
        """
        unnamed: dict[str, list[str]] = {}
        for metadata in listed:
            if _ROWS in metadata and not _first(metadata, _AVAILABLE_TRANSFER_SYNTAX):
                unnamed.setdefault(_first(metadata, "0020000E"), []).append(self.place_of(metadata))
        firsts = [places[0] for places in unnamed.values()]
        self.syntaxes |= zip(firsts, at_once(self._ask_for_syntax, firsts), strict=True)
        others = [place for places in unnamed.values() if self.syntaxes[places[0]] for place in places[1:]]
        self.syntaxes |= zip(others, at_once(self._ask_for_syntax, others), strict=True)

    def _ask_for_syntax(self, place: str) -> str:
        try:
            syntax, size = remote.ask(self.client, place, lambda: self.service.syntax_of_frames(place)) or ("", 0)
        except SourceError:
            return ""
        count(self.client.scheme, size, 0)
        return syntax

    def syntax_of(self, metadata: Mapping[str, Any]) -> str:
        """Transfer syntax of an instance; empty where the server gives none of its frames by number."""
        return _first(metadata, _AVAILABLE_TRANSFER_SYNTAX) or self.syntaxes.get(self.place_of(metadata), "")

    def fetch_bulk(self, address: str, place: str) -> bytes:
        """A value that the metadata leave out."""
        whole_address = urljoin(f"{place.removeprefix(PREFIX)}/", address)
        if urlsplit(whole_address)[:2] != urlsplit(self.location)[:2]:
            return b""  # what is secret is not shown to another host
        return remote.ask(self.client, place, lambda: self.service.bulk(whole_address)) or b""


def _by_frames(place: str, data: bytes, transfer_syntax_uid: str) -> Instance | None:
    """What a header says, with frames at addresses of their own; None where they begin within bytes."""
    if transfer_syntax_uid in NATIVE_SYNTAXES:
        transfer_syntax_uid = EXPLICIT_LITTLE_ENDIAN  # which native frames have, however the file was written
    header = parse_header(data, lambda offset, length: data[offset : offset + length], len(data))
    header.transfer_syntax_uid = transfer_syntax_uid
    encoding = pixel_encoding(header)
    count = max(1, int(header.number("number_of_frames", 1)))
    if encoding.is_encapsulated:
        stride = ENCAPSULATED_STRIDE
        spans = Spans(FRAMES_START + np.arange(count, dtype=np.int64) * stride, np.full(count, stride, np.int64))
    elif encoding.native_frame_bits % 8 and count > 1:
        return None
    else:
        stride = encoding.native_span(1)[1]
        spans = native_spans(FRAMES_START, count * stride, encoding, count)
    return address_with(place, stride, transfer_syntax_uid), -1, header, encoding, spans


def _read_whole(place: str) -> Instance:
    """What the instance at `place` says, fetched as a file."""
    data = whole(place)
    return read_instance(Source(place, len(data), ""), data[:HEAD_LENGTH])


def _first(metadata: Mapping[str, Any], tag: str) -> str:
    values = metadata.get(tag, {}).get("Value") or [""]
    return str(values[0])
