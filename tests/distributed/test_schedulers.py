"""The same bits, and the same errors, wherever tasks run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import xdicom
from builders import make_ct, make_file, phantoms

SCHEDULERS = ["synchronous", "threads", "spawn", "fork", "distributed"]


@contextmanager
def scheduled(name: str, request: pytest.FixtureRequest) -> Iterator[None]:
    """Inside, dask computes in this way."""
    with warnings.catch_warnings():
        # Python 3.12 and later warn of a fork while threads run, which is what is tested here.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
        if name == "distributed":
            settings = {"scheduler": request.getfixturevalue("client")}
        elif name in ("spawn", "fork"):
            settings = {"scheduler": "processes", "multiprocessing.context": name, "num_workers": 2}
        else:
            settings = {"scheduler": name, "num_workers": 2}
        with dask.config.set(settings):
            yield


@pytest.fixture(params=SCHEDULERS)
def anywhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way to compute."""
    name = str(request.param)
    with scheduled(name, request):
        yield name


@pytest.fixture
def compressed(tmp_path: Path) -> list[Path]:
    return make_ct(tmp_path / "ct", [2.5 * i for i in range(12)], transfer_syntax="rle")


def test_bits_are_the_same_from_files(anywhere: str, compressed: list[Path]) -> None:
    with dask.config.set(scheduler="synchronous"):
        expected = xdicom.open_series(compressed).values

    array = xdicom.open_series(compressed, chunks={"z": 5})

    assert (array.data.compute() == expected).all()


def test_bits_are_the_same_from_the_web(anywhere: str, compressed: list[Path], web: Any) -> None:
    with dask.config.set(scheduler="synchronous"):
        expected = xdicom.open_series(compressed).dicom.to_modality().values
    urls = [web.put(path.name, path.read_bytes()) for path in compressed]

    array = xdicom.open_series(urls, chunks={"z": 5}).dicom.to_modality()

    assert (array.data.compute() == expected).all()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def removed(path: Path) -> None:
    path.unlink()


def rewritten(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0\0")


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (removed, xdicom.SourceError, "does not exist"),
        (rewritten, xdicom.SourceError, "changed since it was scanned"),
    ],
)
def test_errors_come_home_as_themselves(
    anywhere: str, compressed: list[Path], harm: Callable[[Path], None], kind: type[Exception], words: str
) -> None:
    array = xdicom.open_series(compressed)
    harm(compressed[3])

    with pytest.raises(kind, match=words) as caught:
        array.compute()

    assert "003.dcm" in str(caught.value)


def test_a_damaged_frame_is_the_same_error_everywhere(anywhere: str, tmp_path: Path) -> None:
    path = make_file(tmp_path / "cut.dcm", {"Modality": "OT"}, phantoms(4, 8, 6))
    cut_short(path)
    array = xdicom.open_frames(path)

    with pytest.raises(xdicom.PixelDataError, match=r"frame 4: it should have 96 bytes, 56 are there"):
        array.compute()

    assert np.asarray(array[:3].compute()).shape == (3, 8, 6)
