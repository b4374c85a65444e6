"""Values to be looked at: the window that was meant, on the range that is possible."""

from __future__ import annotations

from collections.abc import Callable

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.display import to_display
from xdicom.labeled.tables import table_to_attrs
from xdicom.labeled.values import mask_padding, to_modality
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.voi import apply_window

Hold = Callable[[xr.DataArray], xr.DataArray]


def shown(array: xr.DataArray, center: float, width: float, function: str = "LINEAR") -> np.ndarray:
    return apply_window(to_modality(array).values, center, width, function=function)


@pytest.mark.parametrize(
    ("window", "center", "width"),
    [
        (None, 40, 400),
        (0, 40, 400),
        (1, -600, 1500),
        ("soft", 40, 400),
        ("LUNGS ", -600, 1500),
        ("BONE", 400, 1800),
        ("soft tissue", 50, 400),
        ((100, 50), 100, 50),
    ],
)
def test_windows_by_number_explanation_preset_and_numbers(
    held: Hold, ct: xr.DataArray, window: object, center: float, width: float
) -> None:
    out = to_display(held(ct), window)

    assert out.name == "display_values"
    assert out.dtype == np.uint8
    assert np.array_equal(out.values, shown(ct, center, width))


def test_the_way_through_modality_values_leads_to_the_same(held: Hold, ct: xr.DataArray) -> None:
    array = held(ct)

    for window in (None, 1, "LUNG", (40.5, 333.3), (40, 400, "SIGMOID")):
        for dtype in ("uint8", "uint16", "float32"):
            assert np.array_equal(to_display(array, window, dtype=dtype).values, to_display(to_modality(array), window, dtype=dtype).values)


def test_the_way_through_modality_values_leads_to_the_same_with_a_slope_per_slice(held: Hold, pet: xr.DataArray) -> None:
    array = held(pet)

    assert np.array_equal(to_display(array, (1000, 2000)).values, to_display(to_modality(array), (1000, 2000)).values)
    assert np.array_equal(to_display(array).values, to_display(to_modality(array)).values)


def test_a_files_own_explanation_comes_before_a_preset(ct: xr.DataArray) -> None:
    named = ct.assign_attrs(window_explanation=["LUNG", "OTHER"])

    assert np.array_equal(to_display(named, "lung").values, shown(ct, 40, 400))


def test_functions_of_the_file_and_of_the_caller(ct: xr.DataArray) -> None:
    exact = ct.assign_attrs(voi_lut_function="LINEAR_EXACT")

    assert np.array_equal(to_display(exact).values, shown(ct, 40, 400, "LINEAR_EXACT"))
    assert np.array_equal(to_display(exact, (40, 400)).values, shown(ct, 40, 400))
    assert np.array_equal(to_display(exact, (40, 400, "sigmoid")).values, shown(ct, 40, 400, "SIGMOID"))


def test_each_slice_has_its_own_window(held: Hold, ct: xr.DataArray) -> None:
    centers, widths = [0.0, 10.0, 500.0, -500.0], [100.0, 1.0, 2000.0, 4000.0]
    array = ct.assign_coords(window_center=("z", centers), window_width=("z", widths))

    out = to_display(held(array))

    expected = [shown(ct.isel(z=i), c, w) for i, (c, w) in enumerate(zip(centers, widths, strict=True))]
    assert np.array_equal(out.values, np.stack(expected))


def test_without_a_window_all_values_possible_are_shown(held: Hold, ct: xr.DataArray) -> None:
    plain = ct.drop_vars([name for name in ct.coords if str(name).startswith("window")]).drop_attrs()
    array = held(plain.assign_attrs(ct.attrs))

    out = to_display(array)

    assert np.array_equal(out.values, np.floor(ct.values.astype(float) * 255 / 4095 + 0.5).astype(np.uint8))
    assert np.array_equal(to_display(to_modality(array).isel(z=slice(0, 1))).values, out.values[:1])


def test_8_bit_images_without_a_window_are_shown_as_they_are(held: Hold) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    array = xr.DataArray(
        values, dims=("time", "y", "x"), attrs={"bits_stored": 8, "photometric_interpretation": "MONOCHROME2"}, name="stored_values"
    )

    assert np.array_equal(to_display(held(array)).values, values)


def test_a_first_window_of_width_0_is_no_window(ct: xr.DataArray) -> None:
    assert np.array_equal(to_display(ct.assign_coords(window_width=0.0)).values, shown(ct, -600, 1500))


def test_a_first_window_that_some_frames_lack_is_passed_over_but_refused_when_named(ct: xr.DataArray) -> None:
    array = ct.assign_coords(window_center=("z", [1.0, np.nan, 1.0, 1.0]), window_width=("z", [1.0, np.nan, 1.0, 1.0]))

    assert np.array_equal(to_display(array).values, shown(ct, -600, 1500))
    with pytest.raises(ValueError, match="window 0 can't be applied in some frames"):
        to_display(array, 0)


def test_floats_without_a_window_are_refused(ct: xr.DataArray) -> None:
    floats = xr.DataArray(np.ones((2, 2), np.float32), dims=("y", "x"), name="stored_values")

    with pytest.raises(ValueError, match=r"floating-point values have no bounds.*window=\(center, width\)"):
        to_display(floats)
    assert to_display(floats, (1.0, 2.0, "LINEAR_EXACT")).values.tolist() == [[128, 128], [128, 128]]


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (2, r"no window 2: the file offers 0 \(SOFT\), 1 \(Lungs\)"),
        (-1, "no window -1"),
        ("HEART", r"no window 'HEART': the file offers 0 \(SOFT\), 1 \(Lungs\); presets for CT are ABDOMEN"),
        ((40, -1), "negative width -1"),
        ((40, 400, "CUBIC"), "no VOI LUT function 'CUBIC'"),
        ((40,), "not 1 values"),
    ],
)
def test_windows_that_are_not_there_are_refused_with_what_there_is(ct: xr.DataArray, window: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_display(ct, window)


def test_presets_are_for_values_in_hu(pet: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="preset LUNG is in HU, and these values are in BQML"):
        to_display(pet, "LUNG")


# --- VOI LUTs, presentation -------------------------------------------------------------------------------------------

TABLE = LookupTable(-1000, np.arange(0, 4096, 2, dtype=np.uint16), bits=12, explanation="GENTLE")


def with_lut(ct: xr.DataArray) -> xr.DataArray:
    return ct.assign_attrs(voi_luts=[table_to_attrs(TABLE)])


@pytest.mark.parametrize("window", ["gentle", 2])
def test_voi_luts_are_found_by_explanation_and_behind_the_windows(held: Hold, ct: xr.DataArray, window: str | int) -> None:
    array = held(with_lut(ct))

    out = to_display(array, window)

    expected = np.floor(TABLE.apply(ct.values.astype(np.int32) - 1024).astype(float) * 255 / 4095 + 0.5)
    assert np.array_equal(out.values, expected)
    assert np.array_equal(to_display(to_modality(array), window).values, out.values)


def test_a_voi_lut_is_the_default_where_there_is_no_window(ct: xr.DataArray) -> None:
    array = with_lut(ct).drop_vars([name for name in ct.coords if str(name).startswith("window")])

    assert np.array_equal(to_display(array).values, to_display(with_lut(ct), "GENTLE").values)


@pytest.mark.parametrize("change", [{"photometric_interpretation": "MONOCHROME1"}, {"presentation_lut_shape": "INVERSE"}])
def test_inversion_is_of_the_display_alone(held: Hold, ct: xr.DataArray, change: dict[str, str]) -> None:
    array = held(ct.assign_attrs(change))

    out = to_display(array)

    assert np.array_equal(to_modality(array).values, to_modality(ct).values)
    assert np.array_equal(out.values, apply_window(to_modality(ct).values, 40, 400, output=(255, 0)))
    assert out.attrs["photometric_interpretation"] == "MONOCHROME2"
    assert "presentation_lut_shape" not in out.attrs


def test_a_presentation_lut_is_the_last_step(held: Hold, ct: xr.DataArray) -> None:
    table = LookupTable(0, np.array([65535, 0], np.uint16), bits=16)

    out = to_display(held(ct.assign_attrs(presentation_lut=table_to_attrs(table))), (40, 1))

    assert np.array_equal(out.values, 255 - shown(ct, 40, 1))


def test_missing_values_are_black(held: Hold, ct: xr.DataArray) -> None:
    array = held(mask_padding(ct.assign_attrs(pixel_padding_value=int(ct.values[1, 1, 1]), photometric_interpretation="MONOCHROME1")))

    assert to_display(array, (40, 400)).values[1, 1, 1] == 0


def test_labels_of_the_way_are_gone_and_positions_stay(held: Hold, ct: xr.DataArray) -> None:
    out = to_display(held(ct))

    assert set(out.coords) == {"z"}
    assert not {"units", "value_range", "window_explanation", "bits_stored"} & set(out.attrs)
    assert out.attrs["modality"] == "CT"


def test_showing_twice_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="holds display_values already"):
        to_display(to_display(ct))


def test_other_types_are_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="uint8, uint16, float32"):
        to_display(ct, dtype="int8")


def test_nothing_is_computed_before_it_is_asked_for(ct: xr.DataArray) -> None:
    def explode(block: np.ndarray) -> np.ndarray:
        raise AssertionError

    lazy = ct.copy(data=da.map_blocks(explode, ct.chunk({"z": 1}).data, dtype=ct.dtype, meta=np.empty((0, 0, 0), ct.dtype)))

    out = to_display(to_modality(lazy))

    assert isinstance(out.data, da.Array)
    assert out.chunks == ((1, 1, 1, 1), (6,), (5,))


@pytest.mark.parametrize("window", [(40, 400), (40.5, 333.3), (40, 400, "SIGMOID"), 1])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_lazy_modality_values_are_never_made_on_the_way_to_a_window(ct: xr.DataArray, window: object, dtype: str) -> None:
    lazy = ct.chunk({"z": 2})
    modality = to_modality(lazy)

    out = to_display(modality, window, dtype=dtype)

    assert not [name for name in out.data.dask.layers if name.startswith("rescale")]
    assert np.array_equal(out.values, to_display(modality.compute(), window, dtype=dtype).values)
    assert np.array_equal(to_display(modality[1:3], window, dtype=dtype).values, out.values[1:3])


def test_a_modality_lut_and_a_window_are_one_table(ct: xr.DataArray) -> None:
    table = LookupTable(0, np.arange(4096, dtype=np.uint16)[::-1] * 3, 16)
    array = ct.drop_vars(["rescale_slope", "rescale_intercept"]).assign_attrs(modality_lut=table_to_attrs(table))

    out = to_display(to_modality(array.chunk({"z": 1})), (6000, 9000))

    assert not [name for name in out.data.dask.layers if name.startswith("apply_table")]
    assert np.array_equal(out.values, to_display(to_modality(array), (6000, 9000)).values)


def test_modality_values_that_were_changed_or_computed_are_what_is_shown(ct: xr.DataArray) -> None:
    modality = to_modality(ct.chunk({"z": 2}))

    assert np.array_equal(to_display(modality + 100, (40, 400)).values, to_display(modality.compute() + 100, (40, 400)).values)
    assert np.array_equal(to_display(modality.persist(), (40, 400)).values, to_display(modality, (40, 400)).values)


def test_functions_and_shapes_that_differ_between_frames_are_refused_with_what_to_do(ct: xr.DataArray) -> None:
    array = ct.assign_coords(voi_lut_function=("z", ["", "LINEAR", "SIGMOID", "SIGMOID"]))
    turned = ct.assign_coords(presentation_lut_shape=("z", ["", "IDENTITY", "INVERSE", "INVERSE"]))

    for window in (None, 0):
        with pytest.raises(InconsistentSeriesError, match="LINEAR or SIGMOID, from frame to frame: select the frames"):
            to_display(array, window)
    with pytest.raises(InconsistentSeriesError, match="select those that share `presentation_lut_shape`"):
        to_display(turned)
    assert np.array_equal(to_display(array, "BONE").values, shown(ct, 400, 1800))
    assert np.array_equal(to_display(array.isel(z=[2, 3])).values, shown(ct, 40, 400, "SIGMOID")[2:])
    assert np.array_equal(to_display(array.isel(z=[0, 1])).values, shown(ct, 40, 400)[:2])
    assert np.array_equal(to_display(turned.isel(z=3)).values, 255 - apply_window(to_modality(ct).values[3], 40, 400))
    assert np.array_equal(to_display(turned.isel(z=[0, 1])).values, to_display(ct).values[:2])
