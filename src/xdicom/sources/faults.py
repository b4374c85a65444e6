"""What a failure of storage means, and when another try is worth it."""

from __future__ import annotations

import enum
import errno
import importlib.util
import random
import re
import time
from collections.abc import Callable
from typing import TypeVar

from xdicom.errors import MissingDependencyError, SourceError, XDicomError
from xdicom.sources.counters import count_retry, scheme_of

T = TypeVar("T")

TRIES = 6
"""Times that a request is made before its failure is reported."""
FIRST_WAIT_S = 0.1
"""Longest wait before the second try [s]; it doubles with every further one, and a random part of it is waited."""
LONGEST_WAIT_S = 5.0
"""Limit of that wait [s]."""


class Verdict(enum.Enum):
    """Kinds of failure."""

    MISSING = "does not exist"
    DENIED = "access was denied"
    CHANGED = "changed since it was scanned"
    BEYOND_END = "ends before the bytes asked for"
    UNINSTALLED = "needs a library that is not installed"
    REFUSED = "the request was refused"
    BROKEN = "the library that asks storage failed"
    TRANSIENT = "storage did not answer"


class ShortReadError(Exception):
    """An answer with fewer bytes than it announced."""


class ChangedError(Exception):
    """An answer from another content than the one that was scanned."""


_PANIC = "PanicException"
"""What a library written in Rust raises when it breaks; it is no `Exception`, and does not pickle."""
_BY_NAME = {
    "ShortReadError": Verdict.TRANSIENT,
    "ChangedError": Verdict.CHANGED,
    "FileNotFoundError": Verdict.MISSING,
    "NotADirectoryError": Verdict.MISSING,
    "PermissionError": Verdict.DENIED,
    "PermissionDeniedError": Verdict.DENIED,
    "UnauthenticatedError": Verdict.DENIED,
    "NoCredentialsError": Verdict.DENIED,
    "PreconditionError": Verdict.CHANGED,
    "NotSupportedError": Verdict.REFUSED,
    "InvalidPathError": Verdict.REFUSED,
    "UnknownConfigurationKeyError": Verdict.REFUSED,
    "ImportError": Verdict.UNINSTALLED,
    "PanicException": Verdict.BROKEN,
}
_BY_STATUS = {
    401: Verdict.DENIED,
    403: Verdict.DENIED,
    404: Verdict.MISSING,
    410: Verdict.MISSING,
    408: Verdict.TRANSIENT,
    412: Verdict.CHANGED,
    416: Verdict.BEYOND_END,
    425: Verdict.TRANSIENT,
    429: Verdict.TRANSIENT,
}
_BY_ERRNO = {
    errno.ENOENT: Verdict.MISSING,
    errno.EACCES: Verdict.DENIED,
    errno.EPERM: Verdict.DENIED,
    errno.EISDIR: Verdict.REFUSED,
    errno.EINVAL: Verdict.REFUSED,
    errno.ENAMETOOLONG: Verdict.REFUSED,
    errno.ELOOP: Verdict.REFUSED,
}
_STATUS_IN_TEXT = re.compile(r"\bstatus(?:[ _]code)?\W{1,3}(\d{3})\b|\bHTTP(?:/[\d.]+)? (?:error )?(\d{3})\b", re.IGNORECASE)
_BEYOND_END_IN_TEXT = re.compile(r"InvalidRange|range[^.]{0,40}not satisfiable|Range started at \d+ beyond", re.IGNORECASE)
_CONFIGURATION_IN_TEXT = re.compile(r"incorrectly configured region|builder error|relative URL without a base", re.IGNORECASE)


def judge(error: BaseException) -> Verdict:
    """What `error`, from whichever library, means.

    Examples
    --------
    >>> judge(TimeoutError("timed out")).name, judge(FileNotFoundError("a.dcm")).name
    ('TRANSIENT', 'MISSING')
    """
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_NAME:
            return _BY_NAME[kind.__name__]
    text = _words_of(error)
    if _BEYOND_END_IN_TEXT.search(text):
        return Verdict.BEYOND_END
    if _CONFIGURATION_IN_TEXT.search(text):
        return Verdict.REFUSED
    status = _status_of(error, text)
    if status is not None:
        return _BY_STATUS.get(status, Verdict.TRANSIENT if status >= 500 else Verdict.REFUSED)
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    if isinstance(error, ValueError | TypeError | LookupError | NotImplementedError | AttributeError):
        return Verdict.REFUSED
    return Verdict.TRANSIENT


def _words_of(error: BaseException) -> str:
    """What `error` says, on one line and without the debug part that obstore adds."""
    return " ".join(str(error).partition("Debug source:")[0].split())


def _status_of(error: BaseException, text: str) -> int | None:
    """HTTP status that `error` bears, as a number or in words."""
    status = getattr(error, "status", None)
    response = getattr(error, "response", None)
    if status is None and isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if isinstance(status, int) and status >= 400:
        return status
    found = _STATUS_IN_TEXT.search(text)
    return int(found[1] or found[2]) if found and int(found[1] or found[2]) >= 400 else None


def retried(request: Callable[[], T], url: str, redact: Callable[[str], str] = str) -> T | None:
    """Result of `request`, made again while its failure is transient; None when the bytes lie beyond the end.

    Parameters
    ----------
    request
        Called without arguments.
    url
        What the request is about, for messages.
    redact
        Takes secrets out of a message.

    Raises
    ------
    SourceError
        Storage that failed for good, or too often; the message says which.
    MissingDependencyError
        A library for this kind of storage is not installed.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return request()
        except XDicomError:
            raise
        except BaseException as error:  # each library has errors of its own, often without a common class
            if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
                raise
            verdict = judge(error)
            if verdict is Verdict.BEYOND_END:
                return None
            failure = _failure(error, verdict, url, redact, attempt)
        # Raised outside of the handler: the library's own error may hold secrets or not pickle, so it is not chained.
        if verdict is not Verdict.TRANSIENT or attempt == TRIES:
            raise failure
        count_retry()
        time.sleep(random.uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1)))
    raise AssertionError("unreachable")


_BY_FSSPEC = {"gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs"}
"""Libraries that read a kind of storage where obstore can't, and that the extra `cloud` does not bring."""
_NAMED_LIBRARY = re.compile(r"[\"'`]([A-Za-z][\w.-]*)|install (?:the )?([a-z][\w.-]+)")


def _remedy(url: str, reason: str) -> str:
    """How to install what reads the storage of `url`; for most kinds fsspec has the name of it in `reason`."""
    scheme = scheme_of(url)
    if scheme in _BY_FSSPEC and importlib.util.find_spec("obstore") is not None:
        return f"pip install {_BY_FSSPEC[scheme]}: obstore does not take these storage_options, this name, or a forked process."
    if scheme in _BY_FSSPEC or scheme in ("s3", "s3a", "http", "https"):
        return "pip install 'xdicom[cloud]'"
    named = _NAMED_LIBRARY.search(reason)
    return f"pip install {named[1] or named[2]}" if named else "pip install the library that it names"


def _failure(error: BaseException, verdict: Verdict, url: str, redact: Callable[[str], str], tries: int) -> XDicomError:
    """The error to report."""
    url = redact(url)
    reason = redact(f"{type(error).__name__}: {_words_of(error)}").strip()
    if len(reason) > 400:
        reason = f"{reason[:400]}…"
    if verdict is Verdict.UNINSTALLED:
        return MissingDependencyError(f"{url}: a library for this kind of storage is not installed ({reason}). {_remedy(url, reason)}")
    if verdict is Verdict.CHANGED:
        return SourceError(f"{url}: {verdict.value} ({reason}). Another try will not help: scan it again.")
    if verdict is Verdict.TRANSIENT:
        return SourceError(f"{url}: {verdict.value} in {tries} tries ({reason}). Another try later may help.")
    return SourceError(f"{url}: {verdict.value} ({reason}). Another try will not help.")
