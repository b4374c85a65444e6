"""What every test may ask for, and what none may leave behind."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A test that holds today holds tomorrow: examples are the same in each run. Others are looked for with --hypothesis-profile=default.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The collection of real DICOM files; without it the test is skipped."""
    named = os.environ.get("XDICOM_CORPUS")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "MANIFEST.csv").is_file():
        if named:
            pytest.fail(f"XDICOM_CORPUS names {folder}, where no MANIFEST.csv lies")
        pytest.skip("no collection of real DICOM files beside the checkout; XDICOM_CORPUS=FOLDER names one")
    return folder


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The example data that the tutorial and the README use."""
    return ROOT / "testdata"


@pytest.fixture(autouse=True)
def _no_file_is_left_open() -> Iterator[None]:
    """Fail a test after which more files are open than before (where /proc tells)."""
    before = open_files()
    yield
    # Threads of a computation that failed end what they have begun.
    end = time.monotonic() + 30
    while (left := open_files() - before) and time.monotonic() < end:
        time.sleep(0.05)
    if left:
        pytest.fail(f"files left open: {', '.join(sorted(left))}")


def open_files() -> Counter[str]:
    """Regular files that this process holds open, and how often each; empty where /proc is missing."""
    found: Counter[str] = Counter()
    if not sys.platform.startswith("linux"):
        return found
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
            # What the system tells of processes, a cluster looks at whenever it likes.
            if stat.S_ISREG(os.stat(int(number)).st_mode) and not name.startswith("/proc/"):
                found[name] += 1
        except OSError:  # closed since it was listed, as the listing itself is
            continue
    return found
