"""Metadata of a DICOMweb server to a catalog: one request for a study or a series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import numpy as np

from xdicom.errors import NotDicomError, SourceError, UnsupportedEncodingError, XDicomError
from xdicom.headers.records import parse_header, pixel_encoding
from xdicom.headers.spans import Spans, native_spans
from xdicom.headers.web_metadata import encode_header
from xdicom.index.catalog import Catalog, Problem
from xdicom.index.scan import Instance, catalog_of
from xdicom.model.encoding import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN, NATIVE_SYNTAXES
from xdicom.sources import remote
from xdicom.sources.dicomweb import ENCAPSULATED_STRIDE, PREFIX, FrameService, address_with
from xdicom.sources.options import merge, prefix_of, set_storage_options, without_secrets
from xdicom.sources.source import Source

_AVAILABLE_TRANSFER_SYNTAX = "00083002"


def is_dicomweb(location: object) -> bool:
    """Whether a location is a study, a series or an instance of a DICOMweb server."""
    return isinstance(location, str) and location.startswith((f"{PREFIX}http://", f"{PREFIX}https://"))


def scan_dicomweb(location: str, storage_options: Mapping[str, object] | None = None) -> Catalog:
    """Catalog of the instances of a study, a series or one instance: `dicomweb+https://host/path/studies/…[/series/…[/instances/…]]`.

    One request brings the metadata of all instances. Where they do not name the transfer syntax, the first frame of each
    series is asked for, which does.

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
    listed = remote.ask(client, url, lambda: service.metadata(url)) or []
    top = url.partition("/studies/")[0]
    syntaxes: dict[str, str] = {}
    outcomes: list[tuple[Source, Instance | Problem]] = []
    for metadata in listed:
        study, series, uid = (_first(metadata, tag) for tag in ("0020000D", "0020000E", "00080018"))
        place = f"{top}/studies/{study}/series/{series}/instances/{uid}"

        def fetch_bulk(address: str, place: str = place) -> bytes:
            whole = urljoin(f"{place.removeprefix(PREFIX)}/", address)
            if urlsplit(whole)[:2] != urlsplit(plain)[:2]:
                return b""  # what is secret is not shown to another host
            return remote.ask(client, place, lambda: service.bulk(whole)) or b""

        def syntax_of(series: str = series, place: str = place, metadata: Mapping[str, Any] = metadata) -> str:
            named = _first(metadata, _AVAILABLE_TRANSFER_SYNTAX)
            if named:
                return named
            if series not in syntaxes:
                part = remote.ask(client, place, lambda: service.first_frame(place))
                syntaxes[series] = (part and part.transfer_syntax_uid) or EXPLICIT_LITTLE_ENDIAN
            return syntaxes[series]

        source = Source(place, -1, "")
        try:
            if "00280010" not in metadata:
                raise NotDicomError(f"no pixel data (SOP Class {_first(metadata, '00080016') or 'not stated'})")
            transfer_syntax_uid = syntax_of()
            header = encode_header(metadata, transfer_syntax_uid, fetch_bulk)
            outcomes.append((source, _instance(place, header, transfer_syntax_uid)))
        except XDicomError as error:
            outcomes.append((source, Problem(place, str(error), type(error).__name__)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            outcomes.append((source, Problem(place, f"the metadata can't be read ({type(error).__name__})", "NotDicomError")))
    return catalog_of(outcomes)


def _instance(place: str, data: bytes, transfer_syntax_uid: str) -> Instance:
    """What a header says, with frames at addresses of their own."""
    if transfer_syntax_uid == EXPLICIT_BIG_ENDIAN:
        raise UnsupportedEncodingError(
            "big-endian frames are not read from a DICOMweb server, which may turn them around or not: download the instance"
        )
    if transfer_syntax_uid in NATIVE_SYNTAXES:
        transfer_syntax_uid = EXPLICIT_LITTLE_ENDIAN  # which native frames have, however the file was written
    header = parse_header(data, lambda offset, length: data[offset : offset + length], len(data))
    header.transfer_syntax_uid = transfer_syntax_uid
    encoding = pixel_encoding(header)
    count = max(1, int(header.number("number_of_frames", 1)))
    if encoding.is_encapsulated:
        stride = ENCAPSULATED_STRIDE
        spans = Spans(np.arange(count, dtype=np.int64) * stride, np.full(count, stride, np.int64))
    else:
        if encoding.native_frame_bits % 8 and count > 1:
            raise UnsupportedEncodingError(
                "frames of single bits that begin within a byte are not read from a DICOMweb server: download the instance"
            )
        stride = encoding.native_span(1)[1]
        spans = native_spans(0, count * stride, encoding, count)
    return address_with(place, stride, transfer_syntax_uid), -1, header, encoding, spans


def _first(metadata: Mapping[str, Any], tag: str) -> str:
    values = metadata.get(tag, {}).get("Value") or [""]
    return str(values[0])
