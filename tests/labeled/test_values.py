"""Stored values become modality values, and say so."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xdicom.errors import InconsistentSeriesError, PixelDataError
from xdicom.labeled.display import to_display
from xdicom.labeled.tables import table_from_attrs, table_to_attrs
from xdicom.labeled.values import mask_padding, padding_mask, to_modality
from xdicom.transforms.lookup import LookupTable

Hold = Callable[[xr.DataArray], xr.DataArray]


def test_modality_values_are_named_have_units_and_no_rescale_left(held: Hold, ct: xr.DataArray) -> None:
    hu = to_modality(held(ct))

    assert hu.name == "modality_values"
    assert hu.attrs["units"] == "HU"
    assert hu.dtype == np.int16
    assert np.array_equal(hu.values, ct.values.astype(int) - 1024)
    assert not {"rescale_slope", "rescale_intercept"} & set(hu.coords)
    assert not {"bits_stored", "pixel_representation"} & set(hu.attrs)
    assert hu.coords["window_center"] == 40


def test_each_slice_has_its_own_slope(held: Hold, pet: xr.DataArray) -> None:
    out = to_modality(held(pet))

    assert out.attrs["units"] == "BQML"
    assert out.dtype == np.float32
    assert np.array_equal(out.values, pet.values * np.array([0.5, 1.5, 2.25], np.float32)[:, None, None])


def test_slicing_sorting_and_joining_keep_slopes_true(held: Hold, pet: xr.DataArray) -> None:
    whole = to_modality(pet)
    array = held(pet)

    assert np.array_equal(to_modality(array.isel(z=1)).values, whole.isel(z=1).values)
    assert np.array_equal(to_modality(array.sortby("z", ascending=False)).values, whole.values[::-1])
    assert np.array_equal(to_modality(array.transpose("x", "z", "y")).values, whole.values.transpose(2, 0, 1))
    assert np.array_equal(to_modality(xr.concat([array.isel(z=[2]), array.isel(z=[0])], "z")).values, whole.values[[2, 0]])


def test_float64_on_request_and_integers_where_they_fit(ct: xr.DataArray) -> None:
    assert to_modality(ct, dtype="float64").dtype == np.float64
    assert to_modality(ct, dtype="int32").dtype == np.int32
    with pytest.raises(ValueError, match="-1024 to 3071"):
        to_modality(ct, dtype=np.uint16)


def test_applying_it_twice_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="to_modality takes stored_values; this array holds modality_values already"):
        to_modality(to_modality(ct))


def test_an_array_of_another_name_is_refused_with_the_way_back(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match=r"named 'mine'.*array.rename\('stored_values'\)"):
        to_modality(ct.rename("mine"))


@pytest.mark.parametrize(
    ("change", "units"),
    [
        ({"rescale_type": "HU"}, "HU"),
        ({"rescale_type": "US"}, "HU"),
        ({"rescale_type": "mrad"}, "mrad"),
        ({"modality": "MR", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}, None),
        ({"modality": "CT", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.7"}, None),
        ({"modality": "RTDOSE", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.481.2", "dose_units": "GY"}, "GY"),
    ],
)
def test_units_are_what_the_header_or_its_class_defines(ct: xr.DataArray, change: dict[str, str], units: str | None) -> None:
    assert to_modality(ct.assign_attrs(change)).attrs.get("units") == units


def test_an_image_without_rescale_keeps_its_values_and_gets_no_units(held: Hold, ct: xr.DataArray) -> None:
    plain = ct.drop_vars(["rescale_slope", "rescale_intercept"])

    out = to_modality(held(plain))

    assert np.array_equal(out.values, ct.values)
    assert out.dtype == ct.dtype
    assert "units" not in out.attrs


def test_dose_grid_scaling_gives_gray_in_double_precision_for_32_bits(held: Hold) -> None:
    dose = xr.DataArray(
        np.array([[[0, 2**31]], [[4_000_000_001, 7]]], np.uint32),
        dims=("z", "y", "x"),
        coords={"dose_grid_scaling": 1e-9},
        attrs={"modality": "RTDOSE", "dose_units": "GY", "bits_allocated": 32, "bits_stored": 32, "pixel_representation": 0},
        name="stored_values",
    )

    out = to_modality(held(dose))

    assert out.attrs["units"] == "GY"
    assert out.dtype == np.float64
    assert np.allclose(out.values.ravel(), [0, 2.147483648, 4.000000001, 7e-9], rtol=1e-15)
    assert "dose_grid_scaling" not in out.coords


def test_a_modality_lut_wins_over_the_rescale(held: Hold, ct: xr.DataArray) -> None:
    table = LookupTable(100, np.array([5, 50, 500], np.uint16), bits=12, explanation="t")
    array = ct.assign_attrs(modality_lut=table_to_attrs(table), rescale_type="OD")

    out = to_modality(held(array))

    assert np.array_equal(out.values, table.apply(ct.values))
    assert out.attrs["units"] == "OD"
    assert out.attrs["value_range"] == [0.0, 4095.0]
    assert "modality_lut" not in out.attrs


def test_frames_may_have_different_modality_luts(held: Hold, ct: xr.DataArray) -> None:
    tables = [LookupTable(0, np.array([1, 2], np.uint8), 8), LookupTable(0, np.array([1000, 2000], np.uint16), 16)]
    array = ct.assign_attrs(modality_luts=[table_to_attrs(t) for t in tables]).assign_coords(modality_lut_index=("z", [0, 1, 1, 0]))

    lazy = held(array)
    out = to_modality(lazy)

    expected = np.stack([tables[i].apply(ct.values[z]) for z, i in enumerate([0, 1, 1, 0])])
    assert np.array_equal(out.values, expected)
    assert np.array_equal(to_modality(lazy.isel(z=2)).values, expected[2])
    assert np.array_equal(to_display(array, (50, 100)).values, to_display(out, (50, 100)).values)


def test_a_damaged_modality_lut_is_refused_by_what_is_wrong_with_it(ct: xr.DataArray) -> None:
    with pytest.raises(PixelDataError, match="has 4 bytes"):
        to_modality(ct.assign_attrs(damaged_tables=["modality_lut: lookup table (0028,3006) has 4 bytes"]))


def test_frames_without_a_slope_are_refused(pet: xr.DataArray) -> None:
    with pytest.raises(InconsistentSeriesError, match="others have none"):
        to_modality(pet.assign_coords(rescale_slope=("z", [1.0, np.nan, 2.0])))


def test_color_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match=r"PALETTE COLOR samples: use to_rgb\(\)"):
        to_modality(ct.assign_attrs(photometric_interpretation="PALETTE COLOR"))
    with pytest.raises(ValueError, match=r"3 samples a pixel, which the header calls MONOCHROME2\. Say what they are"):
        to_modality(ct.assign_attrs(samples_per_pixel=3))


# --- padding --------------------------------------------------------------------------------------------------------


def test_padding_becomes_nan_before_anything_else(held: Hold, ct: xr.DataArray) -> None:
    array = ct.assign_attrs(pixel_padding_value=37)

    masked = mask_padding(held(array))
    hu = to_modality(masked)

    assert masked.name == "stored_values"
    assert masked.dtype == hu.dtype == np.float32
    assert np.array_equal(np.isnan(hu.values), ct.values == 37)
    assert np.array_equal(hu.values[ct.values != 37], ct.values[ct.values != 37] - np.float32(1024))
    assert "pixel_padding_value" not in masked.attrs
    assert hu.attrs["value_range"] == [-1024.0, 3071.0]


def test_a_range_of_padding_values_and_its_mask(held: Hold, ct: xr.DataArray) -> None:
    array = ct.assign_attrs(pixel_padding_value=100, pixel_padding_range_limit=0)

    mask = padding_mask(held(array))

    assert mask.dtype == bool
    assert np.array_equal(mask.values, ct.values <= 100)


def test_a_padding_value_read_with_the_wrong_sign_is_put_right(pet: xr.DataArray) -> None:
    array = pet.copy(data=np.full(pet.shape, -2000, np.int16)).assign_attrs(pixel_padding_value=63536)

    assert np.isnan(mask_padding(array).values).all()


def test_no_declared_padding_masks_nothing(held: Hold, ct: xr.DataArray) -> None:
    array = held(ct)

    assert mask_padding(array) is array
    assert not padding_mask(array).values.any()


def test_float_padding(held: Hold) -> None:
    array = xr.DataArray(np.array([[1.0, -9.0]]), dims=("y", "x"), attrs={"double_float_pixel_padding_value": -9.0}, name="stored_values")

    masked = mask_padding(held(array))

    assert masked.dtype == np.float64
    assert np.isnan(masked.values).tolist() == [[False, True]]


def test_padding_of_modality_values_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="mask_padding takes stored_values"):
        mask_padding(to_modality(ct))


# --- any chunking, any scheduler --------------------------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_chunking_and_scheduler_leads_to_equal_bits(data: st.DataObject, pet: xr.DataArray) -> None:
    chunks = {dim: data.draw(st.integers(1, size)) for dim, size in pet.sizes.items()}
    scheduler = data.draw(st.sampled_from(["sync", "threads"]))
    lazy = to_display(mask_padding(pet.assign_attrs(pixel_padding_value=300)).chunk(chunks), (1000.0, 3333.0))

    with dask.config.set(scheduler=scheduler):
        shown = pickle.loads(pickle.dumps(lazy)).values

    assert shown.tobytes() == to_display(mask_padding(pet.assign_attrs(pixel_padding_value=300)), (1000.0, 3333.0)).values.tobytes()


def test_laziness_is_kept_and_one_task_a_block_is_left(pet: xr.DataArray) -> None:
    lazy = to_display(to_modality(pet.chunk({"z": 1})), (100, 200))
    (optimized,) = dask.optimize(lazy.data)

    graph = dict(optimized.__dask_graph__())
    made = [key for key in graph if isinstance(key, tuple) and key[0] == optimized.name]
    assert len(made) == 3
    assert len(graph) <= 3 + 3 + 1  # chunk() itself keeps the array and a task that cuts each block


def test_tables_survive_json() -> None:
    table = LookupTable(-7, np.array([0.5, -1.0]), bits=64, explanation="µ")

    assert table_from_attrs(json.loads(json.dumps(table_to_attrs(table)))) == table


@pytest.mark.parametrize("is_per_frame", [False, True])
def test_padding_stays_missing_behind_a_modality_lut(held: Hold, ct: xr.DataArray, is_per_frame: bool) -> None:
    tables = [LookupTable(0, np.arange(4096, dtype=np.uint16)[::step] + 1, 12) for step in (1, 2)]
    array = ct.assign_attrs(pixel_padding_value=37)
    if is_per_frame:
        array = array.assign_attrs(modality_luts=[table_to_attrs(t) for t in tables]).assign_coords(modality_lut_index=("z", [0, 1, 1, 0]))
    else:
        array = array.assign_attrs(modality_lut=table_to_attrs(tables[0]))
    masked = mask_padding(held(array))

    out = to_modality(masked)

    assert out.dtype == np.float32
    assert np.array_equal(np.isnan(out.values), ct.values == 37)
    assert np.array_equal(out.values[ct.values != 37], to_modality(array).values[ct.values != 37])
    assert (to_display(masked, (2000, 4000)).values[ct.values == 37] == 0).all()
    assert np.array_equal(to_display(masked, (2000, 4000)).values, to_display(out, (2000, 4000)).values)


def test_one_pixel_is_worked_on_as_well(held: Hold, ct: xr.DataArray) -> None:
    pixel = held(ct.assign_attrs(pixel_padding_value=int(ct.values[1, 2, 3]))).isel(z=1, y=2, x=3)

    assert np.isnan(to_modality(mask_padding(pixel)).values)
    assert padding_mask(pixel).values
    assert to_modality(pixel).values == int(ct.values[1, 2, 3]) - 1024
    assert to_display(pixel, (40, 400)).dtype == np.uint8


def test_each_slice_has_its_own_padding_and_some_have_none(held: Hold, ct: xr.DataArray) -> None:
    values = [0.0, 37.0, np.nan, 5.0]
    limits = [np.nan, 0.0, np.nan, 5.0]
    array = held(ct.assign_coords(pixel_padding_value=("z", values), pixel_padding_range_limit=("z", limits)))
    expected = np.stack([ct.values[0] == 0, ct.values[1] <= 37, ct.values[2] < 0, ct.values[3] == 5])

    masked = mask_padding(array)

    assert np.array_equal(np.isnan(masked.values), expected)
    assert np.array_equal(padding_mask(array).values, expected)
    assert np.array_equal(np.isnan(mask_padding(array.isel(z=1)).values), expected[1])
    assert not [name for name in masked.coords if "padding" in str(name)]
