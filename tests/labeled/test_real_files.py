"""Values of real files beside those of an independent reader; differences have their reasons beside them."""

from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from pydicom import dcmread
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

import xdicom
from xdicom.labeled.color import to_rgb
from xdicom.labeled.display import to_display
from xdicom.labeled.real_world import to_real_world
from xdicom.labeled.uptake import to_suv
from xdicom.labeled.values import mask_padding, to_modality

pytestmark = pytest.mark.corpus


def by_pydicom(path: Path) -> np.ndarray:
    header = dcmread(path)
    return apply_modality_lut(header.pixel_array, header)


def slices_by_pydicom(folder: Path, array: xr.DataArray) -> np.ndarray:
    """Modality values of pydicom, in the order of `array`: by the instances that it names."""
    headers = {str(header.SOPInstanceUID): header for header in (dcmread(path) for path in sorted(folder.glob("*")) if path.is_file())}
    found = [headers[uid] for uid in array["sop_instance_uid"].values.tolist()]
    return np.stack([apply_modality_lut(header.pixel_array, header) for header in found])


def test_a_modality_lut_from_a_signed_first_value(corpus: Path) -> None:
    path = corpus / "files/pydicom-data/mlut_18.dcm"

    out = to_modality(xdicom.open_series(path))

    assert np.array_equal(out.values.squeeze(), by_pydicom(path))


def test_a_voi_lut_scaled_to_256_levels(corpus: Path) -> None:
    path = corpus / "files/pydicom-data/vlut_04.dcm"
    header = dcmread(path)

    out = to_display(xdicom.open_series(path))

    # pydicom gives the entries themselves, of 16 bits
    assert np.array_equal(out.values.squeeze(), np.floor(apply_voi_lut(header.pixel_array, header).astype(float) * 255 / 65535 + 0.5))


@pytest.mark.parametrize("name", ["pet_ge_crop", "mr_anisotropic_pmod", "ct_3slice_ge"])
def test_each_slice_has_its_own_rescale(corpus: Path, name: str) -> None:
    array = xdicom.open_series(corpus / "series" / name)
    expected = slices_by_pydicom(corpus / "series" / name, array)

    out = to_modality(array)

    # pydicom computes in double precision, for whole numbers too
    assert np.allclose(out.values, expected, rtol=2e-7, atol=0)
    if out.dtype.kind == "i":
        assert np.array_equal(out.values, expected)


def test_enhanced_objects_take_the_rescale_from_their_functional_groups(corpus: Path) -> None:
    path = corpus / "files/pydicom-data/eCT_Supplemental.dcm"
    header = dcmread(path)
    transformation = header.SharedFunctionalGroupsSequence[0].get("PixelValueTransformationSequence") or [
        group.PixelValueTransformationSequence[0] for group in header.PerFrameFunctionalGroupsSequence
    ]
    intercept = float(transformation[0].RescaleIntercept)

    out = to_modality(xdicom.open_series(path))

    # pydicom looks at the top level only, and changes nothing here
    assert intercept != 0
    assert np.array_equal(np.sort(out.values, axis=None), np.sort(header.pixel_array + intercept, axis=None))


def test_a_supplemental_palette_leaves_grays_gray(corpus: Path) -> None:
    array = xdicom.open_series(corpus / "files/pydicom-data/eCT_Supplemental.dcm")
    first_colored = array.attrs["palette"]["red"]["first_mapped"]

    out = to_rgb(array).values

    gray = out[array.values < first_colored]
    assert np.array_equal(gray[:, 0], gray[:, 1])
    assert np.array_equal(gray[:, 0], gray[:, 2])
    assert (np.ptp(out[array.values >= first_colored].astype(int), axis=1) > 0).any()


@pytest.mark.parametrize(
    "name",
    [
        "pydicom/examples_palette.dcm",
        "pydicom-data/gdcm-US-ALOKA-16.dcm",
        "fo-dicom/TestPattern_Palette.dcm",
        "cornerstone3D/TestPattern_Palette_16.dcm",
    ],
)
def test_palettes_plain_and_segmented(corpus: Path, name: str) -> None:
    header = dcmread(corpus / "files" / name)
    expected = apply_color_lut(header.pixel_array, header)

    out = to_rgb(xdicom.open_series(corpus / "files" / name))

    # 8 bits in 16-bit words are 8 bits here; pydicom keeps the words
    assert np.array_equal(out.values.squeeze(), expected if out.dtype == expected.dtype else expected >> 8)


def test_a_real_world_mapping_without_limits(corpus: Path) -> None:
    path = corpus / "files/fo-dicom/GH064.dcm"

    out = to_real_world(xdicom.open_series(path))

    assert np.allclose(out.values.squeeze(), dcmread(path).pixel_array * 2.083516, rtol=2e-7)


def test_padding_of_a_ct_is_missing(corpus: Path) -> None:
    array = xdicom.open_series(corpus / "series/ct_3slice_ge")

    hu = to_modality(mask_padding(array))

    assert array.attrs["pixel_padding_value"] == -2000
    assert np.array_equal(np.isnan(hu.values), array.values == -2000)
    assert float(hu.min()) >= -1024


def test_pet_in_suv_already_stays_what_it_is(corpus: Path) -> None:
    array = xdicom.open_series(corpus / "series/pet_ge_crop")

    assert array.attrs["pet_units"] == "GML"
    assert np.array_equal(to_suv(array).values, to_modality(array).values)


@pytest.mark.parametrize("name", ["ct_3slice_ge", "pet_ge_crop", "comp_jpeglossless"])
def test_decoding_modality_and_display_are_one_task_a_chunk(corpus: Path, name: str) -> None:
    array = xdicom.open_series(corpus / "series" / name)
    shown = to_display(to_modality(array), (100.0, 300.0))

    (optimized,) = dask.optimize(shown.data)

    assert len(dict(optimized.__dask_graph__())) == array.data.npartitions
