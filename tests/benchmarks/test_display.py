"""The way from stored values to display values, beside pydicom and beside what the memory allows."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

import xdicom  # noqa: F401 - brings .dicom
from benchmarks.conftest import Race
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette, apply_palette

FRAMES = 16


def stored() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 3000, (FRAMES, 512, 512)).astype(np.int16)


def windowed(block: np.ndarray, *, is_varied: bool) -> xr.DataArray:
    center = ("z", np.linspace(30, 50, len(block))) if is_varied else 40.0
    coords = {"rescale_slope": 1.0, "rescale_intercept": -1024.0, "window_center": center, "window_width": 400.0}
    attrs = {"bits_stored": 16, "photometric_interpretation": "MONOCHROME2", "modality": "CT"}
    return xr.DataArray(block, dims=("z", "y", "x"), coords=coords, attrs=attrs, name="stored_values").chunk(z=FRAMES)


@pytest.mark.parametrize("is_varied", [False, True], ids=["one window", "a window per frame"])
def test_modality_and_window(race: Race, is_varied: bool) -> None:
    block = stored()
    array = windowed(block, is_varied=is_varied)
    header = Dataset()
    header.RescaleSlope, header.RescaleIntercept, header.WindowCenter, header.WindowWidth = 1, -1024, 40, 400
    header.BitsStored, header.BitsAllocated, header.PixelRepresentation, header.PhotometricInterpretation = 16, 16, 1, "MONOCHROME2"

    race(
        f"int16 to uint8 by rescale and {'a window per frame' if is_varied else 'one window'}, lazily",
        lambda: array.dicom.to_modality().dicom.to_display(window=0).data.compute(scheduler="synchronous"),
        peers={"pydicom": lambda: [apply_voi_lut(apply_modality_lut(frame, header), header).astype(np.uint8) for frame in block]},
        limits={"int16 to float32": lambda: [frame.astype(np.float32) for frame in block], "memcpy": block.copy},
        per=FRAMES,
        unit="ms a frame",
        wanted={"pydicom": 5},
    )


@pytest.mark.parametrize(("entries", "bits"), [(256, 8), (4096, 16)])
def test_palette(race: Race, entries: int, bits: int) -> None:
    values = (stored() % entries).astype(np.uint8 if bits == 8 else np.uint16)
    tables = [np.random.default_rng(n).integers(0, 2**bits, entries).astype(f"<u{bits // 8}") for n in range(3)]
    palette = Palette(*(LookupTable(0, table, bits) for table in tables))
    header = Dataset()
    for color, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(header, f"{color}PaletteColorLookupTableDescriptor", [entries, 0, bits])
        setattr(header, f"{color}PaletteColorLookupTableData", table.tobytes())

    race(
        f"Palette of {entries:,} entries of {bits} bits, {FRAMES} frames at once",
        lambda: apply_palette(values, palette),
        peers={
            "pydicom, frame by frame": lambda: [apply_color_lut(frame, header) for frame in values],
            "pydicom, at once": lambda: apply_color_lut(values, header),
        },
        limits={"memcpy": values.copy},
        per=FRAMES,
        unit="ms a frame",
        wanted={"pydicom, frame by frame": 5, "pydicom, at once": 5},
    )
