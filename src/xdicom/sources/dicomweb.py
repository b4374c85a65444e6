"""Frames, instances and metadata of a DICOMweb server by WADO-RS (PS3.18 10.4), behind the same door as bytes of any other storage.

The url of an instance is that of a file: its bytes are those of the instance as the server keeps it, fetched as a whole.
Where it ends with `#stride;transfer-syntax`, frames have addresses behind the file as if they lay one after the other:
frame `n` (from 1) begins at `FRAMES_START + (n - 1) * stride`. So a url says all that a worker needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xdicom.errors import MissingDependencyError, SourceError, UnsupportedEncodingError
from xdicom.model.encoding import EXPLICIT_LITTLE_ENDIAN, NATIVE_SYNTAXES
from xdicom.sources.faults import ShortReadError
from xdicom.sources.options import Options
from xdicom.sources.source import Answer, Source

PREFIX = "dicomweb+"
FRAMES_AT_ONCE = 64
"""Frames that one request names at most."""
FRAMES_START = 1 << 40
"""Address of the first frame; what lies in front of it is the instance as a file [bytes]."""
ENCAPSULATED_STRIDE = 1 << 32
"""More than any compressed frame has, since an item's length has 32 bits [bytes]."""
_ORIGINAL = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
_ORIGINAL_INSTANCE = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_ITEM = b"\xfe\xff\x00\xe0"
_PEEK, _MOST_HEADERS = 1024, 64 << 10
"""Bytes that are read at a time of an answer that begins with the headers of a part, and of those headers at most."""
_DRAINED = 64 << 10
"""Answers up to this length are read to their end, so that their connection serves for the next request [bytes]."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart answer."""

    data: bytes
    content_type: str

    @property
    def transfer_syntax_uid(self) -> str:
        """What the part says its transfer syntax is, empty where it says nothing."""
        return _parameter(self.content_type, "transfer-syntax")


class HttpStatusError(Exception):
    """An answer with a status that is no success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class FrameService:
    """One DICOMweb server; its methods raise what urllib3 raises."""

    def __init__(self, options: Options) -> None:
        try:
            import urllib3  # noqa: PLC0415 - optional
        except ImportError as error:
            raise MissingDependencyError("DICOMweb locations need urllib3: pip install 'xdicom[dicomweb]'") from error
        unknown = sorted(set(options) - {"headers", "query"})
        if unknown:
            raise SourceError(
                f"storage_options of a DICOMweb server are its 'headers'; {', '.join(unknown)} are not known. Another try will not help."
            )
        headers = options.get("headers")
        self._headers = dict(headers) if isinstance(headers, Mapping) else {}
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=urllib3.Timeout(connect=10, read=60))

    def read(self, url: str, offset: int, length: int | None, stamp: str) -> Answer:
        """Nothing: an instance is fetched as a whole, and frames by their numbers."""
        raise NotImplementedError(f"{url} has no byte ranges")

    def describe(self, url: str) -> Source:
        """An instance as a source, of which nothing is known before it is read."""
        return Source(url, -1, "")

    def find(self, url: str) -> list[Source] | None:
        """Nothing: what a server has is told by its metadata."""
        raise NotImplementedError(f"{url} is not a list of files; give it to scan or open it by itself, not in a list")

    def metadata(self, url: str) -> list[dict[str, Any]]:
        """Metadata of all instances of a study, a series or an instance, in the DICOM JSON model (PS3.18 F)."""
        data, _ = self._get(f"{url}/metadata", "application/dicom+json")
        found: list[dict[str, Any]] = json.loads(data)
        return found

    def bulk(self, url: str) -> bytes:
        """Value of one element that the metadata leave out."""
        return b"".join(part.data for part in self._parts(url, 'multipart/related; type="application/octet-stream"'))

    def syntax_of_frames(self, url: str) -> tuple[str, int]:
        """Transfer syntax that an instance is kept in, by what the answer with its first frame begins with, and the bytes that were read.

        The frame itself is left where it is, unless it is small.
        """
        address = f"{url.removeprefix(PREFIX)}/frames/1"
        answer = self._pool.request("GET", address, headers={**self._headers, "Accept": _ORIGINAL}, preload_content=False)
        try:
            if answer.status != 200:
                raise HttpStatusError(answer.status)
            content_type = answer.headers.get("Content-Type", "")
            data = b""
            while (found := _first_type(data, content_type)) is None:
                more = answer.read(_PEEK)
                if not more or len(data) > _MOST_HEADERS:
                    raise ShortReadError("the answer ends within the headers of a part")
                data += more
            return Part(b"", found).transfer_syntax_uid or EXPLICIT_LITTLE_ENDIAN, len(data)
        finally:
            length = answer.headers.get("Content-Length", "")
            if length.isdecimal() and int(length) <= _DRAINED:
                answer.drain_conn()
            else:
                answer.close()
            answer.release_conn()

    def instance(self, url: str) -> bytes:
        """An instance as a file, in the transfer syntax that it is kept in."""
        parts = self._parts(address_of(url)[0], _ORIGINAL_INSTANCE)
        if len(parts) != 1:
            raise ShortReadError(f"{len(parts)} instances came where one was asked for")
        return parts[0].data

    def frames(self, url: str, numbers: Sequence[int]) -> list[bytes]:
        """Frames of an instance, in one request: native ones as they are, others each as an item (PS3.5 A.4)."""
        instance, stride, transfer_syntax_uid = address_of(url)
        parts = self._parts(f"{instance}/frames/{','.join(map(str, numbers))}", _ORIGINAL)
        if len(parts) != len(numbers):
            raise ShortReadError(f"{len(parts)} of {len(numbers)} frames came")
        is_native = transfer_syntax_uid in NATIVE_SYNTAXES
        result = []
        for number, part in zip(numbers, parts, strict=True):
            named = part.transfer_syntax_uid or transfer_syntax_uid
            if named != transfer_syntax_uid and not (is_native and named in NATIVE_SYNTAXES):
                raise UnsupportedEncodingError(
                    f"frame {number} of {instance} came in transfer syntax {named}, not {transfer_syntax_uid}, in which it was "
                    "when it was scanned: scan it again"
                )
            data = part.data
            if not is_native:
                result.append(_ITEM + len(data).to_bytes(4, "little") + data)
                continue
            if not stride <= len(data) <= stride + 1:
                raise SourceError(f"frame {number} of {instance} should have {stride} bytes, {len(data)} came. Another try will not help.")
            result.append(data[:stride])
        return result

    def _parts(self, url: str, accept: str) -> list[Part]:
        data, content_type = self._get(url, accept)
        return split_parts(data, content_type)

    def _get(self, url: str, accept: str) -> tuple[bytes, str]:
        answer = self._pool.request("GET", url.removeprefix(PREFIX), headers={**self._headers, "Accept": accept})
        if answer.status != 200:
            raise HttpStatusError(answer.status)
        return answer.data, answer.headers.get("Content-Type", "")


def address_with(instance: str, stride: int, transfer_syntax_uid: str) -> str:
    """Url of an instance that says how its frames are addressed.

    Examples
    --------
    >>> address_of(address_with("dicomweb+https://host/studies/1/series/2/instances/3", 512, "1.2.840.10008.1.2.1"))
    ('dicomweb+https://host/studies/1/series/2/instances/3', 512, '1.2.840.10008.1.2.1')
    """
    return f"{instance}#{stride};{transfer_syntax_uid}"


def address_of(url: str) -> tuple[str, int, str]:
    """Instance, stride and transfer syntax that `url` names; stride 0 where it is no more than an instance."""
    instance, _, rest = url.partition("#")
    stride, _, transfer_syntax_uid = rest.partition(";")
    return instance, int(stride or 0), transfer_syntax_uid


def _first_type(data: bytes, content_type: str) -> str | None:
    """Content type of the first part of an answer that begins with `data`; None where its headers are not there yet."""
    boundary = _parameter(content_type, "boundary")
    if not content_type.lower().startswith("multipart/") or not boundary:
        return content_type
    begin = data.find(b"--" + boundary.encode())
    end = data.find(b"\r\n\r\n", begin)
    return None if begin < 0 or end < 0 else _fields(data[begin:end]).get("content-type", "")


def _fields(head: bytes) -> dict[str, str]:
    """Headers of a part, by their names in lower case."""
    named = (line.partition(":") for line in head.decode("latin_1").split("\r\n") if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in named}


def split_parts(data: bytes, content_type: str) -> list[Part]:
    r"""Parts of a multipart answer (RFC 2046 5.1); an answer of another kind is one part.

    Examples
    --------
    >>> split_parts(b"--x\r\nContent-Type: a/b\r\n\r\n12\r\n--x--", "multipart/related; boundary=x")
    [Part(data=b'12', content_type='a/b')]
    """
    boundary = _parameter(content_type, "boundary")
    if not content_type.lower().startswith("multipart/") or not boundary:
        return [Part(data, content_type or f"application/octet-stream; transfer-syntax={EXPLICIT_LITTLE_ENDIAN}")]
    mark = b"--" + boundary.encode()
    parts: list[Part] = []
    at = data.find(mark)
    while at >= 0 and data[at + len(mark) : at + len(mark) + 2] != b"--":
        begin = data.find(b"\r\n\r\n", at)
        if begin < 0:
            raise ShortReadError("the answer ends within the headers of a part")
        named = _fields(data[at + len(mark) : begin])
        begin += 4
        length = named.get("content-length", "")
        # Where the length is told, bytes that look like a boundary can't mislead.
        end = data.find(b"\r\n" + mark, begin + int(length) if length.isdecimal() else begin)
        if end < 0:
            raise ShortReadError("the answer ends within a part")
        parts.append(Part(data[begin:end], named.get("content-type", "")))
        at = end + 2
    return parts


def _parameter(content_type: str, name: str) -> str:
    """Value of a parameter of a content type, empty where there is none."""
    for field in content_type.split(";")[1:]:
        key, _, value = field.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""
