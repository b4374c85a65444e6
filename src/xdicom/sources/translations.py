"""Storage options as s3fs, gcsfs, adlfs and fsspec's web file system take them, in the words of obstore."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

Settings = dict[str, Any]
"""Parameters of a store of obstore, with its `kind`: `s3`, `gs`, `az` or `http`."""

CLIENT = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "15m"}
"""Limits of one request: until connected, between two arrivals of bytes, and of the whole."""
_FOR_FSSPEC_ALONE = frozenset(
    {
        "asynchronous",
        "block_size",
        "cache_regions",
        "default_block_size",
        "default_cache_type",
        "default_fill_cache",
        "listings_expiry_time",
        "loop",
        "skip_instance_cache",
        "use_listings_cache",
        "version_aware",
    }
)
"""Options of how fsspec buffers and remembers, which change nothing of what is read."""


def settings_for(url: str, options: Mapping[str, Any]) -> Settings | None:
    """What obstore needs to read the place of `url`; None where `options` say what it can't be told.

    Examples
    --------
    >>> settings = settings_for("gs://bucket/a.dcm", {"token": "anon"})
    >>> settings["kind"], settings["bucket"], settings["skip_signature"]
    ('gs', 'bucket', True)
    >>> settings_for("s3://bucket/a.dcm", {"profile": "work"})
    """
    parts = urlsplit(url)
    given = {name: value for name, value in options.items() if value is not None and name not in _FOR_FSSPEC_ALONE}
    return _TRANSLATORS[parts.scheme](parts.netloc, given)


def _s3(place: str, options: Mapping[str, Any]) -> Settings | None:
    """Options of s3fs, or obstore's own, for an S3 bucket."""
    words = {
        "anon": "skip_signature", "key": "access_key_id", "secret": "secret_access_key", "token": "session_token",
        "endpoint_url": "endpoint", "region_name": "region", "requester_pays": "request_payer",
        "virtual_hosted_style_request": "virtual_hosted_style_request",
    }  # fmt: skip
    flat = dict(options)
    for nested in ("client_kwargs", "config_kwargs"):
        inside = flat.pop(nested, {})
        if not isinstance(inside, Mapping):
            return None
        flat.update(inside)
    style = flat.pop("s3", {})
    if flat.pop("signature_version", "s3v4") != "s3v4" or not isinstance(style, Mapping) or not set(style) <= {"addressing_style"}:
        return None
    if style.get("addressing_style", "auto") != "auto":
        flat.setdefault("virtual_hosted_style_request", style["addressing_style"] == "virtual")
    use_ssl = flat.pop("use_ssl", None)
    allow_http = flat.pop("allow_http", use_ssl is False)
    verify = flat.pop("verify", True)
    settings = _translated(flat, words)
    if settings is None or not isinstance(verify, bool):
        return None
    explicit = bool(settings.get("skip_signature") or settings.get("access_key_id"))
    if not explicit and not _has_s3_credentials_in_environment() and importlib.util.find_spec("s3fs") is not None:
        return None  # botocore also looks into configuration files, obstore does not
    endpoint = str(settings.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL", ""))
    client = _client(allow_http=allow_http or endpoint.startswith("http://"))
    if not verify:
        client["allow_invalid_certificates"] = True
    return {"kind": "s3", "bucket": place, **settings, "client_options": client}


def _translated(options: Mapping[str, Any], words: Mapping[str, str]) -> Settings | None:
    """The options in obstore's words, which may be given too; None where one of them has no such word."""
    known = {word: word for word in words.values()} | dict(words)
    if not set(options) <= set(known):
        return None
    return {known[name]: value for name, value in options.items() if value is not None}


def _has_s3_credentials_in_environment() -> bool:
    sources = ("ACCESS_KEY_ID", "WEB_IDENTITY_TOKEN_FILE", "CONTAINER_CREDENTIALS_RELATIVE_URI", "CONTAINER_CREDENTIALS_FULL_URI")
    return any(f"AWS_{name}" in os.environ for name in sources)


def _gs(place: str, options: Mapping[str, Any]) -> Settings | None:
    """Options of gcsfs for a Google Cloud Storage bucket; only those that say the same to obstore."""
    flat = {name: value for name, value in options.items() if name != "project"}
    endpoint = str(flat.pop("endpoint_url", ""))
    settings: Settings = {"kind": "gs", "bucket": place, "client_options": _client(allow_http=endpoint.startswith("http://"))}
    if endpoint:
        settings["base_url"] = endpoint.rstrip("/")
    token = flat.pop("token", "google_default")
    if token == "anon" or flat.pop("skip_signature", False):  # noqa: S105 - gcsfs's word for no token
        settings["skip_signature"] = True
    elif isinstance(token, Mapping) and token.get("type") == "service_account":
        settings["service_account_key"] = json.dumps(dict(token))
    elif isinstance(token, str) and token.endswith(".json"):
        settings["application_credentials"] = token
    elif token not in ("google_default", "cloud"):
        return None
    return None if flat else settings


def _az(place: str, options: Mapping[str, Any]) -> Settings | None:
    """Options of adlfs for an Azure container; only those that say the same to obstore."""
    words = {
        "account_name": "account_name", "account_key": "account_key", "sas_token": "sas_key", "tenant_id": "tenant_id",
        "client_id": "client_id", "client_secret": "client_secret", "endpoint": "endpoint",
    }  # fmt: skip
    flat = dict(options)
    container, _, host = place.partition("@")
    if host:
        flat.setdefault("account_name", host.partition(".")[0])
    has_account = "account_name" in flat or "AZURE_STORAGE_ACCOUNT_NAME" in os.environ
    connection = flat.pop("connection_string", "" if has_account else os.environ.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    flat = parse_connection(str(connection)) | flat
    anonymous = flat.pop("anon", False)
    if account_host := flat.pop("account_host", ""):
        flat.setdefault("endpoint", f"https://{account_host}")
    settings = _translated(flat, words)
    if settings is None or not ("account_name" in flat or has_account):
        return None
    if anonymous:
        settings["skip_signature"] = True
    client = _client(allow_http=str(settings.get("endpoint", "")).startswith("http://"))
    return {"kind": "az", "container_name": container, **settings, "client_options": client}


def parse_connection(text: str) -> dict[str, Any]:
    """Options that a connection string of Azure stands for; empty for an empty one.

    Examples
    --------
    >>> parse_connection("AccountName=acc;AccountKey=a2V5;EndpointSuffix=core.windows.net")
    {'account_name': 'acc', 'account_key': 'a2V5'}
    """
    fields = {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in text.split(";"))}
    names = {"accountname": "account_name", "accountkey": "account_key", "sharedaccesssignature": "sas_token", "blobendpoint": "endpoint"}
    found = {names[name]: value for name, value in fields.items() if name in names and value}
    suffix = fields.get("endpointsuffix") or "core.windows.net"
    if "endpoint" not in found and "account_name" in found and suffix != "core.windows.net":
        found["endpoint"] = f"{fields.get('defaultendpointsprotocol') or 'https'}://{found['account_name']}.blob.{suffix}"
    if "endpoint" in found and "account_name" not in found:
        found["account_name"] = (urlsplit(found["endpoint"]).hostname or "").partition(".")[0]
    return found


def _http(place: str, options: Mapping[str, Any], scheme: str) -> Settings | None:
    """Options for a web server: headers only."""
    flat = {name: value for name, value in options.items() if name != "allow_http"}
    headers = flat.pop("headers", None)
    if flat or not isinstance(headers, Mapping | None):
        return None
    client = _client(allow_http=scheme == "http")
    if headers:
        client["default_headers"] = dict(headers)
    return {"kind": "http", "url": f"{scheme}://{place}", "client_options": client}


def _client(*, allow_http: bool) -> Settings:
    return {**CLIENT, "allow_http": True} if allow_http else dict(CLIENT)


_TRANSLATORS: dict[str, Callable[[str, Mapping[str, Any]], Settings | None]] = {
    "s3": _s3,
    "s3a": _s3,
    "gs": _gs,
    "gcs": _gs,
    "az": _az,
    "abfs": _az,
    "abfss": _az,
    "http": lambda place, options: _http(place, options, "http"),
    "https": lambda place, options: _http(place, options, "https"),
}
SCHEMES = frozenset(_TRANSLATORS)
"""Beginnings of the urls that obstore may read."""
