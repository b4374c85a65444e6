"""What a failure means, and what is said of it."""

from __future__ import annotations

import pickle

import pytest

from xdicom.errors import MissingDependencyError, SourceError
from xdicom.sources import faults
from xdicom.sources.faults import Verdict, judge, retried


class PanicException(BaseException):
    """As such a library raises it: no `Exception`."""


def failing(error: BaseException) -> object:
    raise error


def test_a_library_that_panics_is_an_error_like_any_other() -> None:
    calls: list[int] = []

    with pytest.raises(SourceError, match=r"the library that asks storage failed \(PanicException: a lock is poisoned\)") as caught:
        retried(lambda: calls.append(1) or failing(PanicException("a lock is poisoned")), "s3://bucket/a.dcm")

    assert len(calls) == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_who_breaks_off_is_not_held_up(error: type[BaseException]) -> None:
    with pytest.raises(error):
        retried(lambda: failing(error()), "s3://bucket/a.dcm")


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("s3://bucket/a", r"pip install 'xdicom\[cloud\]'"),
        ("https://host/a", r"pip install 'xdicom\[cloud\]'"),
        ("gs://bucket/a", "pip install gcsfs"),
        ("simplecache::abfs://box/a", "pip install adlfs"),
        ("sftp://host/a", "pip install paramiko"),
    ],
)
def test_a_library_that_is_missing_is_named(url: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.importlib.util, "find_spec", lambda name: object())

    with pytest.raises(MissingDependencyError, match=remedy):
        retried(lambda: failing(ImportError('SFTPFileSystem requires "paramiko" to be installed')), url)


def test_without_obstore_the_extra_is_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(MissingDependencyError, match=r"xdicom\[cloud\]"):
        retried(lambda: failing(ImportError("Please install gcsfs")), "gs://bucket/a")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (ConnectionResetError(), Verdict.TRANSIENT),
        (RuntimeError("Server returned non-2xx status code: 503"), Verdict.TRANSIENT),
        (RuntimeError("Server returned non-2xx status code: 429"), Verdict.TRANSIENT),
        (RuntimeError("Server returned non-2xx status code: 403"), Verdict.DENIED),
        (RuntimeError("Server returned non-2xx status code: 404"), Verdict.MISSING),
        (RuntimeError("Server returned non-2xx status code: 412"), Verdict.CHANGED),
        (FileNotFoundError(), Verdict.MISSING),
        (PermissionError(), Verdict.DENIED),
    ],
)
def test_failures_are_judged_by_what_they_say(error: BaseException, verdict: Verdict) -> None:
    assert judge(error) is verdict
