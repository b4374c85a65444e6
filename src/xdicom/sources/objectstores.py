"""Remote storage by way of obstore, where it is installed and the options say the same to it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from xdicom.sources.faults import ShortReadError
from xdicom.sources.options import Options
from xdicom.sources.source import Answer, Source, stamp_of

Settings = dict[str, Any]

_SCHEMES = frozenset({"s3", "s3a", "gs", "az", "abfs", "abfss", "http", "https"})
_CLIENT = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "15m"}
"""Limits of one request: until connected, between two arrivals of bytes, and of the whole."""


def can_name(url: str) -> bool:
    """Whether obstore can say the address of `url`: no chain, no query, no page of links, no empty or dotted step of the path."""
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES or "::" in url:
        return False
    if scheme in ("http", "https") and ("?" in rest or "#" in rest or rest.endswith("/")):
        return False
    steps = rest.rstrip("/").split("/")
    return all(steps) and not {".", ".."} & set(steps) and _is_installed() and not _process.is_dead


@lru_cache(maxsize=1)
def _is_installed() -> bool:
    return importlib.util.find_spec("obstore") is not None


class _Process:
    """What obstore can do in this process: its threads do not survive a fork, and requests would wait for them for ever."""

    __slots__ = ("has_opened", "is_dead")

    def __init__(self) -> None:
        self.has_opened = self.is_dead = False

    def fork(self) -> None:
        self.is_dead = self.has_opened


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.fork)


def connect(url: str, options: Options) -> ObjectStore | None:
    """Storage of the place of `url`; None when `options` do not translate, so that fsspec has to read it."""
    parts = urlsplit(url)
    translate = _TRANSLATORS[parts.scheme]
    settings = translate(parts.netloc, options)
    if settings is None:
        return None
    import obstore.store  # noqa: PLC0415 - optional

    kinds: dict[str, Callable[..., Any]] = {
        "s3": obstore.store.S3Store,
        "gs": obstore.store.GCSStore,
        "az": obstore.store.AzureStore,
        "http": obstore.store.HTTPStore,
    }
    kind = settings.pop("kind")
    _process.has_opened = True
    # Tries are counted and limited in one place, xdicom.sources.faults, for all libraries alike.
    return ObjectStore(kinds[kind](**settings, retry_config={"max_retries": 0}), decodes=kind == "http")


class ObjectStore:
    """Objects of one bucket, container or host, read by obstore."""

    def __init__(self, store: Any, *, decodes: bool) -> None:
        self._store = store
        self._decodes = decodes

    def read(self, url: str, offset: int, length: int | None, stamp: str) -> Answer:
        """Bytes from `offset` on, all when `length` is None."""
        from obstore import get  # noqa: PLC0415 - optional

        wishes: Any = {}
        if length is not None:
            wishes["range"] = (offset, offset + length)
        if stamp.startswith('"'):
            wishes["if_match"] = stamp
        result = get(self._store, self._path(url), options=wishes)
        meta = result.meta
        first, end = result.range
        data = bytes(result.bytes())
        size = int(meta["size"])
        wanted = size if length is None else max(0, min(length, size - offset))
        if len(data) != wanted or len(data) != end - first or (length is not None and first != offset):
            raise ShortReadError(f"{len(data)} of {wanted} bytes from byte {offset} on came, of an object of {size}")
        return Answer(data, size, stamp_of(meta))

    def describe(self, url: str) -> Source:
        """Size and stamp of one object."""
        from obstore import head  # noqa: PLC0415 - optional

        meta = head(self._store, self._path(url))
        return Source(url, int(meta["size"]), stamp_of(meta))

    def find(self, url: str) -> list[Source] | None:
        """All objects at or below `url`; None when one of them has a name that obstore can't say."""
        from obstore import list as list_objects  # noqa: PLC0415 - optional
        from obstore.exceptions import InvalidPathError  # noqa: PLC0415 - optional

        if self._decodes:
            return [self.describe(url)]
        place = "/".join(url.split("/", 3)[:3])
        path = self._path(url)
        try:
            listed = [meta for page in list_objects(self._store, prefix=path or None) for meta in page]
        except InvalidPathError:
            return None
        # A key that ends with a slash marks a folder; obstore lists it without the slash, under which nothing lies.
        listed = [meta for meta in listed if meta["size"] or self._exists(meta["path"])]
        found = [Source(f"{place}/{meta['path']}", int(meta["size"]), stamp_of(meta)) for meta in listed]
        return found or ([] if url.endswith("/") or not path else [self.describe(url)])

    def _exists(self, path: str) -> bool:
        from obstore import head  # noqa: PLC0415 - optional

        try:
            head(self._store, path)
        except FileNotFoundError:
            return False
        return True

    def _path(self, url: str) -> str:
        """Path of `url` below the place; obstore encodes what must be encoded in a request."""
        path = "".join(url.split("/", 3)[3:]).rstrip("/")
        return unquote(path) if self._decodes else path


def _s3(place: str, options: Mapping[str, Any]) -> Settings | None:
    """Options of s3fs, or obstore's own, for an S3 bucket."""
    known = {
        "anon": "skip_signature",
        "skip_signature": "skip_signature",
        "key": "access_key_id",
        "access_key_id": "access_key_id",
        "secret": "secret_access_key",
        "secret_access_key": "secret_access_key",
        "token": "session_token",
        "session_token": "session_token",
        "endpoint_url": "endpoint",
        "endpoint": "endpoint",
        "region": "region",
        "region_name": "region",
        "requester_pays": "request_payer",
        "virtual_hosted_style_request": "virtual_hosted_style_request",
    }
    flat = dict(options)
    nested = flat.pop("client_kwargs", None)
    if isinstance(nested, Mapping):
        flat.update(nested)
    use_ssl = flat.pop("use_ssl", None)
    allow_http = flat.pop("allow_http", use_ssl is False)
    if not set(flat) <= set(known):
        return None
    settings: Settings = {known[name]: value for name, value in flat.items() if value is not None}
    explicit = bool(settings.get("skip_signature") or settings.get("access_key_id"))
    if not explicit and not _has_s3_credentials_in_environment() and importlib.util.find_spec("s3fs") is not None:
        return None  # botocore also looks into configuration files, obstore does not
    endpoint = str(settings.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL", ""))
    client = {**_CLIENT, "allow_http": True} if allow_http or endpoint.startswith("http://") else dict(_CLIENT)
    return {"kind": "s3", "bucket": place, **settings, "client_options": client}


def _has_s3_credentials_in_environment() -> bool:
    sources = ("ACCESS_KEY_ID", "WEB_IDENTITY_TOKEN_FILE", "CONTAINER_CREDENTIALS_RELATIVE_URI", "CONTAINER_CREDENTIALS_FULL_URI")
    return any(f"AWS_{name}" in os.environ for name in sources)


def _gs(place: str, options: Mapping[str, Any]) -> Settings | None:
    """Options of gcsfs for a Google Cloud Storage bucket; only those that say the same to obstore."""
    flat = {name: value for name, value in options.items() if value is not None and name != "project"}
    settings: Settings = {"kind": "gs", "bucket": place, "client_options": dict(_CLIENT)}
    token = flat.pop("token", None)
    if token == "anon" or flat.pop("skip_signature", False):  # noqa: S105 - gcsfs's word for no token
        settings["skip_signature"] = True
    elif isinstance(token, str) and token.endswith(".json"):
        settings["application_credentials"] = token
    elif token is not None:
        return None
    return None if flat else settings


def _az(place: str, options: Mapping[str, Any]) -> Settings | None:
    """Options of adlfs for an Azure container; only those that say the same to obstore."""
    known = {
        "account_name": "account_name",
        "account_key": "account_key",
        "sas_token": "sas_key",
        "tenant_id": "tenant_id",
        "client_id": "client_id",
        "client_secret": "client_secret",
    }
    flat = {name: value for name, value in options.items() if value is not None}
    anonymous = flat.pop("anon", False)
    if not set(flat) <= set(known):
        return None
    container, _, host = place.partition("@")
    settings: Settings = {known[name]: value for name, value in flat.items()}
    if host:
        settings.setdefault("account_name", host.partition(".")[0])
    if "account_name" not in settings and "AZURE_STORAGE_ACCOUNT_NAME" not in os.environ:
        return None
    if anonymous:
        settings["skip_signature"] = True
    return {"kind": "az", "container_name": container, **settings, "client_options": dict(_CLIENT)}


def _http(place: str, options: Mapping[str, Any], scheme: str) -> Settings | None:
    """Options for a web server: headers only."""
    flat = {name: value for name, value in options.items() if name != "allow_http"}
    headers = flat.pop("headers", None)
    if flat or not isinstance(headers, Mapping | None):
        return None
    client: Settings = {**_CLIENT, "allow_http": scheme == "http"}
    if headers:
        client["default_headers"] = dict(headers)
    return {"kind": "http", "url": f"{scheme}://{place}", "client_options": client}


_TRANSLATORS: dict[str, Callable[[str, Mapping[str, Any]], Settings | None]] = {
    "s3": _s3,
    "s3a": _s3,
    "gs": _gs,
    "az": _az,
    "abfs": _az,
    "abfss": _az,
    "http": lambda place, options: _http(place, options, "http"),
    "https": lambda place, options: _http(place, options, "https"),
}
