"""One result for any chunking, scheduler and holding: of every transform, equal bits."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import imagecodecs
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_ct, make_file, make_pet, phantoms
from index.arranged import only_grid
from xdicom.labeled.build import label
from xdicom.labeled.origins import remember
from xdicom.lazy.frames import frames_to_dask
from xdicom.model.frames import FrameTable

Transform = Callable[[xr.DataArray], xr.DataArray]
ROWS, COLUMNS, FRAMES = 5, 6, 4


def _table(entries: int, bits: int, seed: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 2**bits, entries).astype("<u2").tobytes()


@cache
def _made() -> dict[str, tuple[xr.DataArray, FrameTable]]:
    """Arrays of every kind of parameters, in memory, and the frames that they are made of; made once."""
    folder = Path(mkdtemp())
    rng = np.random.default_rng(2)
    lesion: dict[Any, Any] = {
        0x60000010: [("US", ROWS)] * FRAMES,
        0x60000011: [("US", COLUMNS)] * FRAMES,
        0x60000040: [("CS", "G")] * FRAMES,
        0x60000050: [("SS", [1, i]) for i in range(FRAMES)],
        0x60000100: [("US", 1)] * FRAMES,
        0x60000102: [("US", 0)] * FRAMES,
        0x60003000: [("OW", rng.bytes(4)) for _ in range(FRAMES)],
    }
    ct = {"rows": ROWS, "columns": COLUMNS, "bits_stored": 12, "PixelPaddingValue": -2048}
    make_ct(folder / "ct", np.arange(FRAMES) * 2.5, windows=((40, 400), (-600.5, 1500)), varying=lesion, **ct)
    make_ct(folder / "slopes", np.arange(FRAMES) * 2.5, slope=[1, 2, 0.5, 3], varying={"WindowCenter": [1, 2, 300, 4]}, **ct)
    lut = {"LUTDescriptor": [4096, -2048, 16], "LUTData": _table(4096, 16, 1), "ModalityLUTType": "US"}
    voi = {"LUTDescriptor": [60000, 7, 12], "LUTData": _table(60000, 12, 2), "LUTExplanation": "CURVE"}
    tables = {"ModalityLUTSequence": [lut], "VOILUTSequence": [voi], "RescaleType": None}
    make_ct(folder / "tables", np.arange(FRAMES) * 2.5, varying={"RescaleSlope": [None] * FRAMES}, **{**ct, **tables})
    injected = {"RadiopharmaceuticalStartTime": "090000", "RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2}
    given_pet = {"RadiopharmaceuticalInformationSequence": [injected], "PatientWeight": 70, "SeriesDate": "20200101", "SeriesTime": "1000"}
    make_pet(folder / "pet", (0.5, 1.25, 2.0, 0.125), rows=ROWS, columns=COLUMNS, **given_pet)
    mapped = {"RealWorldValueFirstValueMapped": -100, "RealWorldValueLastValueMapped": 100}
    mapping = {**mapped, "RealWorldValueSlope": 0.3, "RealWorldValueIntercept": 1}
    make_file(folder / "mapped.dcm", {"RealWorldValueMappingSequence": [mapping]}, phantoms(FRAMES, ROWS, COLUMNS))
    colors = rng.integers(0, 256, (FRAMES, ROWS, COLUMNS, 3), np.uint8)
    for name, interpretation in (("rgb", "RGB"), ("ybr", "YBR_FULL")):
        profile = {"ICCProfile": imagecodecs.cms_profile("adobergb")}
        make_file(folder / f"{name}.dcm", {"PhotometricInterpretation": interpretation, **profile}, colors)
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for seed, color in enumerate(("Red", "Green", "Blue")):
        palette[f"{color}PaletteColorLookupTableDescriptor"] = [200, 3, 16]
        palette[f"{color}PaletteColorLookupTableData"] = _table(200, 16, seed)
    make_file(folder / "palette.dcm", palette, rng.integers(0, 256, (FRAMES, ROWS, COLUMNS), np.uint8))
    supplemental = {**palette, "PhotometricInterpretation": "MONOCHROME2", "PixelPresentation": "COLOR"}
    shown = {
        "PresentationLUTSequence": [{"LUTDescriptor": [256, 0, 12], "LUTData": _table(256, 12, 5)}],
        "WindowCenter": 90,
        "WindowWidth": 77,
    }
    make_file(folder / "supplemental.dcm", supplemental, rng.integers(0, 256, (FRAMES, ROWS, COLUMNS), np.uint8))
    make_file(folder / "shown.dcm", shown, rng.integers(0, 256, (FRAMES, ROWS, COLUMNS), np.uint8))
    inverted = {"PhotometricInterpretation": "MONOCHROME1", "DoseGridScaling": 0.25, "DoseUnits": "GY"}
    make_file(folder / "inverted.dcm", inverted, rng.integers(0, 2**32, (FRAMES, ROWS, COLUMNS), np.uint32))
    grids = {path.stem: only_grid(path) for path in folder.iterdir()}
    return {name: (label(frames_to_dask(grid), grid).load(), grid.frames) for name, grid in grids.items()}


def array_of(kind: str) -> xr.DataArray:
    """An array whose place this process knows, whatever other tests opened in between."""
    array, frames = _made()[kind]
    remember(frames, array)
    return array


TRANSFORMS: dict[str, tuple[str, Transform]] = {
    "modality": ("ct", lambda array: array.dicom.to_modality()),
    "modality, a slope per frame": ("slopes", lambda array: array.dicom.to_modality()),
    "modality lut": ("tables", lambda array: array.dicom.to_modality()),
    "double precision": ("slopes", lambda array: array.dicom.to_modality(dtype="float64")),
    "padding": ("ct", lambda array: array.dicom.mask_padding()),
    "padding mask": ("ct", lambda array: array.dicom.padding_mask()),
    "padding, modality, window": ("ct", lambda array: array.dicom.mask_padding().dicom.to_modality().dicom.to_display()),
    "window": ("ct", lambda array: array.dicom.to_display()),
    "window behind modality": ("ct", lambda array: array.dicom.to_modality().dicom.to_display(1, dtype="uint16")),
    "sigmoid": ("ct", lambda array: array.dicom.to_display((40, 400, "SIGMOID"), dtype="float32")),
    "a window per frame": ("slopes", lambda array: array.dicom.to_display()),
    "a window per frame behind modality": ("slopes", lambda array: array.dicom.to_modality().dicom.to_display()),
    "voi lut": ("tables", lambda array: array.dicom.to_display("curve")),
    "voi lut behind modality": ("tables", lambda array: array.dicom.to_modality().dicom.to_display("curve")),
    "well-known palette": ("ct", lambda array: array.dicom.to_rgb("HOT_IRON")),
    "palette": ("palette", lambda array: array.dicom.to_rgb()),
    "supplemental palette": ("supplemental", lambda array: array.dicom.to_rgb()),
    "presentation lut": ("shown", lambda array: array.dicom.to_display()),
    "dose": ("inverted", lambda array: array.dicom.to_modality()),
    "inverted": ("inverted", lambda array: array.dicom.to_display((1e8, 7e8))),
    "rgb": ("rgb", lambda array: array.dicom.to_rgb()),
    "ybr": ("ybr", lambda array: array.dicom.to_rgb()),
    "icc": ("ybr", lambda array: array.dicom.to_srgb()),
    "real world values": ("mapped", lambda array: array.dicom.to_real_world()),
    "suv": ("pet", lambda array: array.dicom.to_suv()),
    "suv behind modality": ("pet", lambda array: array.dicom.to_modality().dicom.to_suv("bw")),
    "overlays": ("ct", lambda array: array.dicom.overlays()),
}


@cache
def whole(name: str) -> xr.DataArray:
    """The result of a transform of an array in memory."""
    kind, transform = TRANSFORMS[name]
    return transform(array_of(kind)).compute()


def lengths(size: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Ways to cut a dimension."""
    return st.sets(st.integers(1, size - 1)).map(lambda cuts: tuple(np.diff([0, *sorted(cuts), size]).tolist()))


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_chunking_and_scheduler_gives_equal_bits(name: str, data: st.DataObject) -> None:
    kind, transform = TRANSFORMS[name]
    array = array_of(kind)
    chunks = {dim: data.draw(lengths(size)) for dim, size in array.sizes.items()}
    scheduler = data.draw(st.sampled_from(["synchronous", "threads"]))

    out = transform(array.chunk(chunks))

    assert out.chunks is not None
    assert_equal_bits(pickle.loads(pickle.dumps(out)).compute(scheduler=scheduler), whole(name))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_part_of_the_result_is_the_result_of_the_part(name: str) -> None:
    kind, transform = TRANSFORMS[name]
    array = array_of(kind)
    dim = str(array.dims[0])

    for part in (slice(1, 3), [3, 0, 2]):
        assert_equal_bits(transform(array.chunk({dim: 1}).isel({dim: part})).compute(), whole(name).isel({dim: part}))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_array_opened_again_from_zarr_gives_equal_bits(name: str, tmp_path: Path) -> None:
    kind, transform = TRANSFORMS[name]
    array_of(kind).dicom.to_zarr(tmp_path / "array.zarr")
    again = xr.open_zarr(tmp_path / "array.zarr")["stored_values"]

    assert_equal_bits(transform(again).compute(), whole(name))


@pytest.mark.parametrize("chunks", [{"z": 1}, {"z": 2}, {"y": 100}, {"z": 1, "y": (299, 1)}, {"x": 7}])
def test_frames_large_and_small_are_shown_alike_however_they_are_cut(chunks: dict[str, int]) -> None:
    values = np.arange(2 * 300 * 300).reshape(2, 300, 300).astype(np.int16)
    coords = {
        "window_center": ("z", [40.5, 900.0]),
        "window_width": ("z", [81.0, 5000.0]),
        "rescale_slope": 1.0,
        "rescale_intercept": -1024.0,
    }
    array = xr.DataArray(values, dims=("z", "y", "x"), coords=coords, attrs={"bits_stored": 16}, name="stored_values")

    for window in (None, (40, 400), (41.5, 333)):
        assert_equal_bits(array.chunk(chunks).dicom.to_display(window).compute(), array.dicom.to_display(window))


def assert_equal_bits(one: xr.DataArray, other: xr.DataArray) -> None:
    assert (one.dims, one.dtype, one.name) == (other.dims, other.dtype, other.name)
    assert one.values.tobytes() == other.values.tobytes()
    assert one.attrs.get("units") == other.attrs.get("units")
