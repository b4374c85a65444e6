"""Colors by the file's own ICC profile."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import xarray as xr

from builders import make_file, make_slices
from labeled.opened import elsewhere, opened
from xdicom.errors import InconsistentSeriesError, PixelDataError, SourceError, UnsupportedEncodingError
from xdicom.labeled.color import to_rgb
from xdicom.labeled.icc import to_srgb

ADOBE: bytes = imagecodecs.cms_profile("adobergb")
SRGB: bytes = imagecodecs.cms_profile("srgb")


def colors(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(4).integers(0, np.iinfo(dtype).max, (*shape, 3), dtype, endpoint=True)


def image(folder: Path, pixels: np.ndarray, profile: bytes | None = ADOBE, **elements: Any) -> xr.DataArray:
    given = {"PhotometricInterpretation": "RGB", **elements}
    if profile is not None:
        given["ICCProfile"] = profile
    return opened(make_file(folder / "image.dcm", given, pixels))


def by_pillow(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """The same by another door to a color management."""
    cms, images = pytest.importorskip("PIL.ImageCms"), pytest.importorskip("PIL.Image")
    transform = cms.buildTransform(cms.ImageCmsProfile(io.BytesIO(profile)), cms.createProfile("sRGB"), "RGB", "RGB")
    return np.stack([np.asarray(cms.applyTransform(images.fromarray(frame), transform)) for frame in pixels])


def off(one: np.ndarray, other: np.ndarray) -> int:
    """Farthest that two images are apart: profiles of sRGB differ in the last digits of their curves."""
    return int(np.abs(one.astype(int) - other).max())


def test_colors_of_a_profile_become_those_of_srgb(tmp_path: Path) -> None:
    pixels = colors(3, 7, 5)
    array = image(tmp_path, pixels)

    out = to_srgb(array)

    assert (out.name, out.dtype, out.dims, out.attrs["color_space"]) == ("rgb", np.uint8, array.dims, "SRGB")
    assert not np.array_equal(out.values, pixels)
    assert off(out.values, by_pillow(pixels, ADOBE)) <= 1
    assert np.array_equal(to_srgb(to_rgb(array)).values, out.values)


def test_pure_green_of_a_wider_space_is_cut_at_the_edge_of_srgb(tmp_path: Path) -> None:
    pixels = np.array([[[0, 255, 0], [255, 255, 255]], [[0, 0, 0], [128, 128, 128]]], np.uint8)

    out = to_srgb(image(tmp_path, pixels)).values.reshape(4, 3).tolist()

    assert out[0] == [0, 255, 0]
    assert out[1:3] == [[255, 255, 255], [0, 0, 0]]
    assert np.ptp(out[3]) <= 1


def test_colors_of_srgb_stay_what_they_are(tmp_path: Path) -> None:
    pixels = colors(4, 6)

    assert off(to_srgb(image(tmp_path, pixels, SRGB)).values, pixels) <= 1


def test_samples_of_16_bits_are_transformed_as_such(tmp_path: Path) -> None:
    wide = colors(5, 4, dtype=np.uint8).astype(np.uint16) * 257

    out = to_srgb(image(tmp_path, wide)).values

    assert out.dtype == np.uint16
    assert np.abs(out / 257 - by_pillow((wide // 257).astype(np.uint8)[None], ADOBE)[0]).max() < 1.5


@pytest.mark.parametrize("chunks", [1, 2, 5])
def test_any_chunking_scheduler_and_holding_gives_the_same_bits(tmp_path: Path, chunks: int) -> None:
    array = image(tmp_path, colors(5, 6, 4))
    whole = to_srgb(array.load()).values

    lazy = to_srgb(array.chunk(frame=chunks, y=3, sample=1))
    array.dicom.to_zarr(tmp_path / "colors.zarr")
    again = xr.open_zarr(tmp_path / "colors.zarr")["stored_values"]

    assert lazy.chunks is not None
    for scheduler in ("synchronous", "threads"):
        assert np.array_equal(pickle.loads(pickle.dumps(lazy)).compute(scheduler=scheduler).values, whole)
    assert np.array_equal(to_srgb(again).values, whole)


def test_a_palette_has_a_profile_too_and_opacity_stays(tmp_path: Path) -> None:
    tables: dict[str, Any] = {}
    for color, seed in (("Red", 1), ("Green", 2), ("Blue", 3), ("Alpha", 4)):
        tables[f"{color}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        tables[f"{color}PaletteColorLookupTableData"] = np.random.default_rng(seed).permutation(256).astype(np.uint8).tobytes()
    array = image(tmp_path, np.arange(42, dtype=np.uint8).reshape(6, 7), PhotometricInterpretation="PALETTE COLOR", **tables)

    out = to_srgb(array).values

    assert off(out[..., :3], by_pillow(to_rgb(array).values[None, ..., :3].copy(), ADOBE)[0]) <= 1
    assert np.array_equal(out[..., 3], to_rgb(array).values[..., 3])


def test_the_profile_of_an_optical_path_counts(tmp_path: Path) -> None:
    pixels = colors(4, 6)
    paths = [{"OpticalPathIdentifier": "1", "ICCProfile": ADOBE}]

    assert off(to_srgb(image(tmp_path, pixels, None, OpticalPathSequence=paths)).values, by_pillow(pixels[None], ADOBE)[0]) <= 1


def test_what_can_not_be_transformed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no ICC Profile"):
        to_srgb(image(tmp_path / "none", colors(2, 2), None))
    with pytest.raises(PixelDataError, match=r"ICC Profile \(0028,2000\) of 20 bytes is none"):
        to_srgb(image(tmp_path / "damaged", colors(2, 2), b"x" * 20))
    with pytest.raises(PixelDataError, match=r"ICC Profile \(0028,2000\) can't be used"):
        to_srgb(image(tmp_path / "cut", colors(2, 2), ADOBE[:200])).compute()
    with pytest.raises(UnsupportedEncodingError, match="color space 'CMYK'"):
        to_srgb(image(tmp_path / "cmyk", colors(2, 2), ADOBE[:16] + b"CMYK" + ADOBE[20:]))
    with pytest.raises(UnsupportedEncodingError, match="these have 12"):
        to_srgb(image(tmp_path / "twelve", colors(2, 2, dtype=np.uint16) >> 4, BitsStored=12, HighBit=11))
    array = image(tmp_path / "fine", colors(2, 2))
    with pytest.raises(ValueError, match="sRGB already"):
        to_srgb(to_srgb(array))
    with pytest.raises(ValueError, match="before selecting one"):
        to_srgb(to_rgb(array).isel(sample=0))
    with pytest.raises(SourceError, match="not opened in this process"):
        to_srgb(elsewhere(array))


def test_profiles_that_differ_are_refused_and_their_parts_are_not(tmp_path: Path) -> None:
    make_slices(
        tmp_path,
        [[0, 0, 0], [0, 0, 1]],
        values=lambda _: colors(3, 4),
        varying={"ICCProfile": [ADOBE, SRGB]},
        PhotometricInterpretation="RGB",
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1, 1],
    )
    array = opened(tmp_path)

    with pytest.raises(InconsistentSeriesError, match="2 different ICC profiles"):
        to_srgb(array)
    assert off(to_srgb(array.isel(z=0)).values, by_pillow(colors(3, 4)[None], ADOBE)[0]) <= 1


@pytest.mark.corpus
def test_a_slide_of_srgb_stays_what_it_is(corpus: Path) -> None:
    array = opened(corpus / "files/highdicom/sm_image.dcm")

    assert off(to_srgb(array).values, array.values) <= 1
