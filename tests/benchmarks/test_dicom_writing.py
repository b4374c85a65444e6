"""A series of CT read, changed and written, beside a loop over its files, and the memory that it takes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

import xdicom
from benchmarks import inputs
from benchmarks.conftest import Race

SLICES, ROWS = 2000, 512


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Files of one series, in the order of their names."""
    return inputs.ct_series(tmp_path_factory.mktemp("ct"), SLICES, ROWS)


@pytest.mark.parametrize("values", ["stored", "modality"])
def test_writing_a_series(race: Race, paths: list[str], tmp_path: Path, values: str) -> None:
    ct = xdicom.open_series(Path(paths[0]).parent)
    array = ct + np.int16(1) if values == "stored" else ct.dicom.to_modality() + np.int16(1)
    (tmp_path / "loop").mkdir()

    def by_pydicom() -> None:
        series = generate_uid()
        for number, path in enumerate(paths):
            ds = pydicom.dcmread(path)
            pixels = ds.pixel_array + np.int16(1)
            if values == "modality":
                pixels = (pixels * ds.RescaleSlope + ds.RescaleIntercept).astype(np.int16)
                ds.RescaleIntercept = 0
            ds.PixelData = pixels.tobytes()
            ds.SeriesInstanceUID, ds.SOPInstanceUID = series, generate_uid()
            ds.ImageType = ["DERIVED", *ds.ImageType[1:]]
            ds.save_as(tmp_path / "loop" / f"{number:05d}.dcm")

    race(
        f"{SLICES} slices of {ROWS} x {ROWS}, {values} values + 1, written uncompressed",
        lambda: array.dicom.to_dicom(tmp_path / "out", overwrite=True, progress=False),
        peers={"pydicom": by_pydicom},
        limits={},
        per=SLICES,
        unit="ms a slice",
        wanted={"pydicom": 1.0},
        rounds=3,
    )


def test_memory_holds_the_blocks_in_work(paths: list[str], tmp_path: Path) -> None:
    ct = xdicom.open_series(Path(paths[0]).parent)
    tracemalloc.start()

    (ct + np.int16(1)).dicom.to_dicom(tmp_path / "out", progress=False)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"\npeak of {peak / 2**20:.0f} MiB for {ct.nbytes / 2**20:.0f} MiB of pixels")  # noqa: T201 - shown with -s
    assert peak < 64 * 2**20
