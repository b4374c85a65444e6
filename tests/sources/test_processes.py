"""The same bytes in every process, however it was started."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from servers import PATIENCE_S
from xdicom.errors import SourceError
from xdicom.sources import Source, locate, read_range, statistics


@pytest.fixture(params=["spawn", "fork", "forkserver"])
def pool(request: pytest.FixtureRequest) -> Any:
    """A pool of one process, for each way to start one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(request.param)) as pool, warnings.catch_warnings():
        # Python 3.12 and later warn of a fork while threads run, which is what is tested here.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
        yield pool


def test_a_source_pickles_small(folder: Path) -> None:
    (source,) = locate(folder / "a.dcm")

    assert pickle.loads(pickle.dumps(source)) == source
    assert len(pickle.dumps(Source("/a.dcm", 1, "2"))) < 120


def test_other_processes_read_the_same(pool: Any, web: Any, folder: Path) -> None:
    url = web.put("a.dcm", b"0123456789")
    assert read_range(url, 2, 3) == b"234"  # clients of this process exist before it is forked

    remote = pool.submit(read_range, url, 2, 3).result(PATIENCE_S)
    local = pool.submit(read_range, str(folder / "a.dcm"), 2, 3).result(PATIENCE_S)

    assert remote == b"234"
    assert local == bytes([2, 3, 4])


def test_errors_come_home_as_themselves(pool: Any, web: Any, folder: Path) -> None:
    for url in (str(folder / "gone.dcm"), f"{web.url}/gone.dcm"):
        with pytest.raises(SourceError, match=r"gone\.dcm: does not exist"):
            pool.submit(read_range, url, 2, 3).result(PATIENCE_S)


def test_each_process_counts_for_itself(pool: Any, folder: Path) -> None:
    read_range(str(folder / "a.dcm"), 0, 10)

    elsewhere = pool.submit(statistics).result(PATIENCE_S)

    assert elsewhere.requests == 0
    assert statistics().requests == 1


def test_reading_local_files_imports_no_library_for_remote_ones(folder: Path) -> None:
    code = (
        "import sys, xdicom.sources as s; [s.whole(f.url) for f in s.locate(sys.argv[1])]; "
        "print(*sorted({'fsspec', 'obstore', 'asyncio', 'dask', 'xarray', 'pydicom'} & set(sys.modules)))"
    )
    # Without the package's own front, which imports all of it.
    bare = f"import sys, types; front = types.ModuleType('xdicom'); front.__path__ = [{str(_package())!r}]; sys.modules['xdicom'] = front; "

    done = subprocess.run([sys.executable, "-c", bare + code, str(folder)], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def _package() -> Path:
    import xdicom.sources

    return Path(xdicom.sources.__file__).parent.parent
