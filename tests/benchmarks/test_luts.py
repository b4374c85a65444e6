"""Speed and memory of the LUT pipeline, beside pydicom's functions and beside what the memory allows."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

import xdicom  # noqa: F401 - brings .dicom
from xdicom.transforms import compiled
from xdicom.transforms.chain import Chain, Link
from xdicom.transforms.display import Rendering, render
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.modality import rescale
from xdicom.transforms.palette import Palette, apply_palette
from xdicom.transforms.straight import straight_line

pytestmark = pytest.mark.benchmark
FRAMES = 16
HU = Rendering("int32", "float32")
WINDOWED = Chain((Link(render, (("rendering", HU),), 4, np.dtype(np.uint8)),))


@pytest.fixture(scope="module")
def stored() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 3000, (FRAMES, 512, 512)).astype(np.int16)


def best_ms(function: Callable[[np.ndarray], object], frames: np.ndarray, rounds: int = 7) -> float:
    """Least CPU time of a call for one frame, of which the result is dropped [ms]."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for frame in frames:
            function(frame)
        times.append(time.process_time() - start)
    return min(times) / len(frames) * 1e3


def pydicom_header() -> Dataset:
    header = Dataset()
    header.RescaleSlope, header.RescaleIntercept, header.WindowCenter, header.WindowWidth = 1, -1024, 40, 400
    header.BitsStored, header.BitsAllocated, header.PixelRepresentation, header.PhotometricInterpretation = 16, 16, 1, "MONOCHROME2"
    return header


def test_modality_and_window_are_5_times_as_fast_as_pydicom(stored: np.ndarray) -> None:
    header = pydicom_header()
    theirs = best_ms(lambda frame: apply_voi_lut(apply_modality_lut(frame, header), header).astype(np.uint8), stored, rounds=3)
    once = best_ms(lambda frame: WINDOWED(frame, 1.0, -1024.0, 40.0, 400.0), stored)
    centers = np.linspace(30, 50, FRAMES).reshape(-1, 1, 1)
    halves_of = replace(HU, arithmetic="float64")

    def window_of_each(frames: np.ndarray) -> np.ndarray:
        straight_line.cache_clear()
        return render(frames, 1.0, -1024.0, centers, 400.0, rendering=halves_of)

    per_frame = best_ms(window_of_each, stored[np.newaxis]) / FRAMES
    conversion = best_ms(lambda frame: frame.astype(np.float32), stored)
    print(f"pydicom {theirs:.2f}, one window {once:.3f}, window per frame {per_frame:.3f}, int16 to float32 {conversion:.3f} ms a frame")  # noqa: T201 - shown with -s

    assert once * 5 < theirs
    assert per_frame * 5 < theirs


def test_a_compiled_loop_takes_less_than_one_and_a_half_conversions(stored: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(compiled, "ENOUGH", 0)
    block = stored[np.newaxis]
    centers = np.linspace(30, 60, FRAMES).reshape(-1, 1, 1)
    halves_of = replace(HU, arithmetic="float64")
    once = best_ms(lambda frames: WINDOWED(frames, 1.0, -1024.0, 40.0, 400.0), block) / FRAMES
    per_frame = best_ms(lambda frames: render(frames, 1.0, -1024.0, centers, 400.0, rendering=halves_of), block) / FRAMES
    halves = best_ms(lambda frames: render(frames, 1.0, -1024.0, 40.5, 400.0, rendering=halves_of), block) / FRAMES
    wide = best_ms(lambda frames: WINDOWED(frames, 1.0, -1024.0, 9000.0, 50000.0), block) / FRAMES
    conversion = best_ms(lambda frames: frames.astype(np.float32), block) / FRAMES
    print(f"one window {once:.3f}, per frame {per_frame:.3f}, in double {halves:.3f}, wide {wide:.3f} ms a frame")  # noqa: T201 - shown with -s
    print(f"int16 to float32 {conversion:.3f} ms a frame")  # noqa: T201

    assert max(once, per_frame, halves, wide) < 1.5 * conversion


@pytest.mark.parametrize(("entries", "bits"), [(256, 8), (4096, 16)])
def test_palettes_are_5_times_as_fast_as_pydicom(stored: np.ndarray, entries: int, bits: int) -> None:
    values = (stored % entries).astype(np.uint8 if bits == 8 else np.uint16)
    tables = [np.random.default_rng(n).integers(0, 2**bits, entries).astype(f"<u{bits // 8}") for n in range(3)]
    palette = Palette(*(LookupTable(0, table, bits) for table in tables))
    header = Dataset()
    for color, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        header[f"{color}PaletteColorLookupTableDescriptor"] = header_element(color, [entries, 0, bits])
        setattr(header, f"{color}PaletteColorLookupTableData", table.tobytes())
    theirs = best_ms(lambda frame: apply_color_lut(frame, header), values, rounds=3)
    ours = best_ms(lambda frame: apply_palette(frame, palette), values)
    print(f"pydicom {theirs:.2f}, xdicom {ours:.3f} ms a frame")  # noqa: T201 - shown with -s

    assert ours * 5 < theirs


def test_modality_and_display_of_a_lazy_array_are_one_pass(stored: np.ndarray) -> None:
    coords = {"rescale_slope": 1.0, "rescale_intercept": -1024.0, "window_center": 40.0, "window_width": 400.0}
    attrs = {"bits_stored": 16, "photometric_interpretation": "MONOCHROME2", "modality": "CT"}
    array = xr.DataArray(np.concatenate([stored] * 4), dims=("z", "y", "x"), coords=coords, attrs=attrs, name="stored_values").chunk(z=16)
    header = pydicom_header()

    def ours(_: np.ndarray) -> object:
        return array.dicom.to_modality().dicom.to_display(window=0).data.compute(scheduler="synchronous")

    theirs = best_ms(lambda frame: apply_voi_lut(apply_modality_lut(frame, header), header).astype(np.uint8), stored, rounds=3)
    lazy = best_ms(ours, array.values[:1]) / len(array)
    print(f"pydicom {theirs:.2f}, xdicom {lazy:.3f} ms a frame")  # noqa: T201 - shown with -s

    assert lazy * 5 < theirs


def header_element(color: str, descriptor: list[int]) -> object:
    header = Dataset()
    setattr(header, f"{color}PaletteColorLookupTableDescriptor", descriptor)
    return header[f"{color}PaletteColorLookupTableDescriptor"]


@pytest.mark.parametrize("name", ["rescale", "window", "window per frame", "palette"])
def test_memory_is_that_of_input_and_output(stored: np.ndarray, name: str) -> None:
    ramp = LookupTable(0, np.arange(256, dtype=np.uint8), 8)
    per_frame = np.full((FRAMES, 1, 1), 40.0)
    calls: dict[str, Callable[[], np.ndarray]] = {
        "rescale": lambda: rescale(stored, 0.5, 1.0, dtype=np.dtype(np.float32)),
        "window": lambda: render(stored, 1.0, -1024.0, 40.0, 400.0, rendering=HU),
        "window per frame": lambda: render(stored, per_frame, per_frame, per_frame, per_frame, rendering=Rendering("float32", "float32")),
        "palette": lambda: apply_palette(stored, Palette(ramp, ramp, ramp)),
    }
    calls[name]()
    tracemalloc.start()
    out = calls[name]()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak + stored.nbytes < 1.1 * (stored.nbytes + out.nbytes)
