"""Storage options by place, kept in this process only: what a url needs to be read but must not contain.

Options are remembered under a prefix such as `s3://bucket`. Those that are known to hold no secret (endpoint, region,
anonymous access, …) may travel with a task as `public_options` and are in force inside `using_options`; all others stay
where they were given. A worker gets its own from its environment, from the configuration of fsspec, or from
`set_storage_options` called there.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn
from urllib.parse import parse_qsl, unquote

from xdicom.sources.chain import split_chain

PublicOptions = tuple[tuple[str, tuple[tuple[str, object], ...]], ...]
"""Prefixes, each with names and values of options that are not secret; a nested name is dotted."""

_PUBLIC = frozenset(
    {
        "account_host",
        "account_name",
        "allow_http",
        "anon",
        "client_kwargs.endpoint_url",
        "client_kwargs.region_name",
        "client_kwargs.use_ssl",
        "client_kwargs.verify",
        "config_kwargs.s3.addressing_style",
        "config_kwargs.signature_version",
        "endpoint",
        "endpoint_url",
        "project",
        "region",
        "region_name",
        "requester_pays",
        "skip_signature",
        "ssl",
        "use_ssl",
        "virtual_hosted_style_request",
    }
)
_SECRET_PARAMETER = re.compile(
    r"x-amz-.*|x-goog-.*|sig|signature|token|access_token|api_?key|key|awsaccesskeyid|key-pair-id|policy", re.IGNORECASE
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*@")
_QUERY = re.compile(r"\?[^\s\"'<>]+=[^\s\"'<>]*")


class Options(dict[str, object]):
    """Options of a place; their values never show in a repr and never pickle."""

    def __repr__(self) -> str:
        return f"<options {', '.join(sorted(self)) or 'none'}: values hidden>"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("storage options may hold credentials and do not pickle; ship public_options(urls) instead")

    def key(self) -> tuple[object, ...]:
        """The options as a value that can be looked up; for this process only."""
        return tuple(sorted((name, _frozen(value)) for name, value in _leaves(self)))

    def public(self) -> tuple[tuple[str, object], ...]:
        """Names and values of those that are known to hold no secret."""
        return tuple(sorted(pair for pair in _leaves(self) if _is_public(*pair)))

    def redact(self, text: str) -> str:
        """`text` without values of these options that may be secret, passwords and signed queries of URLs."""
        for name, value in _leaves(self):
            if isinstance(value, str) and len(value) > 3 and not _is_public(name, value):
                text = text.replace(value, "***")
        return _QUERY.sub("?***", _USER_INFO.sub("***@", text))


_lock = threading.Lock()
_known: dict[str, list[Options]] = {}
_travelled: ContextVar[PublicOptions] = ContextVar("xdicom_public_options", default=())


def set_storage_options(prefix: str, options: Mapping[str, object]) -> None:
    """Remember how to reach everything whose url begins with `prefix`, in this process.

    The doors call it with their `storage_options`. To give workers of a cluster credentials that they do not find in
    their environment, call it there: `client.run(xdicom.sources.set_storage_options, "s3://bucket", {...})`.

    Parameters
    ----------
    prefix
        `s3://bucket`, `https://host`, all of a scheme (`s3://`), or one url.
    options
        Options as fsspec takes them. Later ones win over earlier ones, longer prefixes over shorter ones.
    """
    given = Options(options)
    with _lock:
        earlier = [known for known in _known.get(prefix, []) if known.key() != given.key()]
        _known[prefix] = [*earlier, given]


def options_for(url: str) -> Options:
    """All options in force for `url`, which has no links."""
    travelled = dict(_travelled.get()).get(prefix_of(url))
    merged = Options()
    with _lock:
        for prefix in filter(_known.__contains__, _prefixes(url)):
            merged = Options(merge(merged, _choose(_known[prefix], travelled)))
    if travelled:
        _update(merged, travelled)
    return merged


def public_options(urls: str | Iterable[str]) -> PublicOptions:
    """Options of `urls` that are not secret, as a value that a task can carry to a worker.

    Returns
    -------
    tuple
        For `using_options`. Hashable, and made of plain values; empty for local files.

    Examples
    --------
    >>> set_storage_options("s3://example", {"anon": False, "secret": "xyzzy", "client_kwargs": {"region_name": "eu"}})
    >>> public_options("s3://example/a.dcm")
    (('s3://example', (('anon', False), ('client_kwargs.region_name', 'eu'))),)
    """
    if isinstance(urls, str):
        urls = (urls,)
    examples = {prefix_of(outer): outer for outer in {split_chain(url)[1] for url in urls if "://" in url} if "://" in outer}
    found = ((prefix, options_for(outer).public()) for prefix, outer in sorted(examples.items()))
    return tuple((prefix, public) for prefix, public in found if public)


@contextmanager
def using_options(options: PublicOptions) -> Iterator[None]:
    """Inside, read with the `public_options` that came with a task, besides the secrets that this process has."""
    if not options:
        yield
        return
    token = _travelled.set((*_travelled.get(), *options))
    try:
        yield
    finally:
        _travelled.reset(token)


def prefix_of(url: str) -> str:
    """Place under which options of `url` are remembered.

    Examples
    --------
    >>> prefix_of("s3://bucket/a/b.dcm"), prefix_of("simplecache::s3://bucket/a.dcm")
    ('s3://bucket', 'simplecache::s3://bucket')
    """
    return "::".join(re.sub(r"(://[^/]*).*", r"\1", part, flags=re.DOTALL) for part in url.split("::"))


def without_secrets(url: str) -> tuple[str, dict[str, object]]:
    """`url` without user, password and signed query, and the options that stand for them.

    Examples
    --------
    >>> without_secrets("https://host/a.dcm?X-Amz-Signature=abc&X-Amz-Expires=60")
    ('https://host/a.dcm', {'query': 'X-Amz-Signature=abc&X-Amz-Expires=60'})
    >>> without_secrets("https://host/a.dcm?frame=2")
    ('https://host/a.dcm?frame=2', {})
    """
    options: dict[str, object] = {}
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    if ":" in place.rpartition("@")[0]:
        user_info, _, place = place.rpartition("@")
        user, _, password = user_info.partition(":")
        if scheme in ("http", "https"):
            word = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
            options["headers"] = {"Authorization": f"Basic {word}"}
        else:
            names = ("key", "secret") if scheme in ("s3", "s3a") else ("username", "password")
            options.update(zip(names, (unquote(user), unquote(password)), strict=True))
    if scheme in ("http", "https") and "?" in path:
        plain, _, query = path.partition("?")
        if any(_SECRET_PARAMETER.fullmatch(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
            path, options["query"] = plain, query
    return f"{scheme}://{place}{slash}{path}", options


def merge(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, object]:
    """Options of both; nested ones are merged too, and the second wins.

    Examples
    --------
    >>> merge({"headers": {"a": 1}, "anon": True}, {"headers": {"b": 2}, "anon": False})
    {'headers': {'a': 1, 'b': 2}, 'anon': False}
    """
    result = dict(first)
    for name, value in second.items():
        before = result.get(name)
        result[name] = merge(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return result


def _prefixes(url: str) -> Iterator[str]:
    """Everything that `url` lies at or below, the widest first."""
    for position, character in enumerate(url):
        if character == "/":
            yield url[:position]
            yield url[: position + 1]
    if not url.endswith("/"):
        yield url


def _choose(candidates: list[Options], travelled: tuple[tuple[str, object], ...] | None) -> Options:
    """The newest options that agree with what travelled, else the newest."""
    agreeing = [known for known in candidates if travelled is not None and known.public() == travelled]
    return (agreeing or candidates)[-1]


def _leaves(options: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names and values that are not mappings themselves."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _is_public(name: str, value: object) -> bool:
    """Whether an option is known to hold no secret."""
    if not isinstance(value, str | int | float | bool) or (isinstance(value, str) and ("@" in value or "?" in value)):
        return False
    # In options of a chain the name begins with the scheme that it is for.
    return name in _PUBLIC or name.partition(".")[2] in _PUBLIC or (name.rpartition(".")[2] == "token" and value == "anon")


def _update(options: Options, pairs: Iterable[tuple[str, object]]) -> None:
    """Put dotted names and their values into `options`, whose nested mappings are copied before they change."""
    for name, value in pairs:
        *above, last = name.split(".")
        inside: dict[str, object] = options
        for step in above:
            deeper = inside.get(step)
            inside[step] = deeper = dict(deeper) if isinstance(deeper, Mapping) else {}
            inside = deeper
        inside[last] = value


def _frozen(value: object) -> object:
    """A sortable text that stands for `value` in this process."""
    return f"{type(value).__name__}:{value!r}" if isinstance(value, str | bytes | int | float | bool | None) else f"id:{id(value)}"
