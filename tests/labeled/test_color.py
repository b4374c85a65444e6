"""Colour samples, palettes and pseudo-colour become RGB."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.labeled.color import to_rgb
from xdicom.labeled.display import to_display
from xdicom.labeled.tables import palette_to_attrs
from xdicom.labeled.values import mask_padding, to_modality
from xdicom.transforms.color import to_rgb as samples_to_rgb
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.palette import Palette, apply_palette
from xdicom.transforms.well_known_palettes import well_known_palette

Hold = Callable[[xr.DataArray], xr.DataArray]


def cine(interpretation: str) -> xr.DataArray:
    samples = np.random.default_rng(1).integers(0, 256, (2, 4, 6, 3), np.uint8)
    attrs = {"photometric_interpretation": interpretation, "samples_per_pixel": 3, "bits_stored": 8, "modality": "US"}
    return xr.DataArray(samples, dims=("time", "y", "x", "sample"), coords={"time": [0.0, 0.1]}, attrs=attrs, name="stored_values")


def palette(bits: int = 8, *, is_supplemental: bool = False, first: int = 0) -> Palette:
    dtype = np.uint8 if bits == 8 else np.uint16
    tables = (LookupTable(first, (np.arange(16) * step).astype(dtype), bits) for step in ((1, 7, 16) if bits == 8 else (1, 777, 4095)))
    return Palette(*tables, is_supplemental=is_supplemental)


def indexed(table: Palette) -> xr.DataArray:
    attrs = {"photometric_interpretation": "PALETTE COLOR", "samples_per_pixel": 1, "bits_stored": 8, "palette": palette_to_attrs(table)}
    values = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    return xr.DataArray(values, dims=("time", "y", "x"), attrs=attrs, name="stored_values")


@pytest.mark.parametrize("interpretation", ["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_RCT"])
def test_samples_become_rgb(held: Hold, interpretation: str) -> None:
    array = cine(interpretation)

    out = to_rgb(held(array))

    assert (out.name, out.dims) == ("rgb", array.dims)
    assert np.array_equal(out.values, samples_to_rgb(array.values, interpretation))
    assert out.attrs["photometric_interpretation"] == "RGB"


def test_samples_may_lie_elsewhere_or_in_several_blocks() -> None:
    array = cine("YBR_FULL")
    moved = array.transpose("sample", "time", "y", "x").chunk({"sample": 1})

    assert np.array_equal(to_rgb(moved).values, to_rgb(array).values)


def test_one_sample_alone_is_no_color() -> None:
    with pytest.raises(ValueError, match="before selecting one"):
        to_rgb(cine("YBR_FULL").isel(sample=0))


def test_unknown_color_spaces_are_refused() -> None:
    with pytest.raises(UnsupportedEncodingError, match="'CMYK'"):
        to_rgb(cine("CMYK"))


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_palette_color(held: Hold, bits: int, dtype: type) -> None:
    array = indexed(palette(bits))

    out = to_rgb(held(array))

    assert out.dtype == dtype
    assert out.dims == ("time", "y", "x", "sample")
    assert np.array_equal(out.values, apply_palette(array.values, palette(bits)))
    assert "palette" not in out.attrs
    assert out.attrs["samples_per_pixel"] == 3


def test_alpha_is_a_fourth_sample(held: Hold) -> None:
    red = palette().red
    table = Palette(red, red, red, LookupTable(0, np.full(16, 9, np.uint8), 8))

    assert to_rgb(held(indexed(table))).sizes["sample"] == 4


def test_a_supplemental_palette_colors_the_upper_values_and_leaves_the_rest_gray(held: Hold, ct: xr.DataArray) -> None:
    table = palette(is_supplemental=True, first=2000)
    array = ct.assign_attrs(palette=palette_to_attrs(table))

    out = to_rgb(held(array)).values

    is_gray = ct.values < 2000
    assert np.array_equal(out[is_gray], np.repeat(to_display(ct).values[is_gray][:, None], 3, axis=1))
    assert np.array_equal(out[~is_gray], apply_palette(ct.values[~is_gray], table))


def test_padding_is_black_under_a_supplemental_palette(held: Hold, ct: xr.DataArray) -> None:
    padding = int(ct.values.max())
    array = ct.assign_attrs(palette=palette_to_attrs(palette(is_supplemental=True, first=2000)), pixel_padding_value=padding)

    out = to_rgb(mask_padding(held(array))).values

    assert (out[ct.values == padding] == 0).all()
    assert np.array_equal(out[ct.values != padding], to_rgb(array).values[ct.values != padding])


@pytest.mark.parametrize("name", ["HOT_IRON", "pet", "1.2.840.10008.1.5.7"])
def test_grayscale_in_a_well_known_palette(held: Hold, ct: xr.DataArray, name: str) -> None:
    array = held(ct)
    expected = well_known_palette(name).colors()[to_display(ct).values]

    assert np.array_equal(to_rgb(array, name).values, expected)
    assert np.array_equal(to_rgb(to_modality(array), name).values, expected)
    assert np.array_equal(to_rgb(to_display(array, "LUNG"), name).values, well_known_palette(name).colors()[to_display(ct, "LUNG").values])


def test_what_does_not_go_together_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="grayscale: name a palette"):
        to_rgb(ct)
    with pytest.raises(ValueError, match="a palette is for grayscale"):
        to_rgb(indexed(palette()), "PET")
    with pytest.raises(ValueError, match="of type uint8, not uint16"):
        to_rgb(to_display(ct, dtype="uint16"), "PET")
    with pytest.raises(ValueError, match="no well-known palette 'JET'"):
        to_rgb(ct, "JET")
    with pytest.raises(ValueError, match="holds rgb already"):
        to_rgb(to_rgb(ct, "PET"))
    with pytest.raises(PixelDataError, match="palette: cut off"):
        to_rgb(indexed(palette()).assign_attrs(damaged_tables=["palette: cut off"]))


@pytest.mark.parametrize("palette_name", ["HOT_IRON", "PET_20_STEP", "WINTER"])
def test_lazy_display_values_are_never_made_on_the_way_to_a_palette(ct: xr.DataArray, pet: xr.DataArray, palette_name: str) -> None:
    for array in (ct, pet, ct.astype(np.int16), ct.astype(np.int32), to_modality(ct)):
        lazy = array.chunk({"z": 1})

        out = to_rgb(lazy, palette_name)
        after = to_rgb(to_display(to_modality(lazy) if array.name == "stored_values" else lazy), palette_name)

        assert not [name for name in out.data.dask.layers if name.startswith("render-")]
        assert np.array_equal(out.values, apply_palette(to_display(array).values, well_known_palette(palette_name)))
        assert np.array_equal(after.values, out.values)
