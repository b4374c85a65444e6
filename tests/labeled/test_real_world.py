"""Real-world values by the file's mappings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.real_world import to_real_world
from xdicom.labeled.tables import real_world_maps_to_attrs
from xdicom.labeled.values import to_modality
from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.real_world import RealWorldMap

Hold = Callable[[xr.DataArray], xr.DataArray]
FLOW = RealWorldMap(0, 2000, 0.5, -1.0, unit="ml/min", label="FLOW", explanation="Blood flow")
DELAY = RealWorldMap(1000, 1002, table=LookupTable(1000, np.array([0.1, 0.2, 0.3]), 64), unit="s", label="DELAY")


def mapped(ct: xr.DataArray, *sets: list[RealWorldMap]) -> xr.DataArray:
    return ct.assign_attrs(real_world_value_maps=real_world_maps_to_attrs(sets))


def test_a_linear_mapping_starts_from_stored_values(held: Hold, ct: xr.DataArray) -> None:
    out = to_real_world(held(mapped(ct, [FLOW])))

    assert out.name == "real_world_values"
    assert (out.attrs["units"], out.attrs["long_name"]) == ("ml/min", "Blood flow")
    assert out.dtype == np.float32
    assert np.array_equal(out.values, np.where(ct.values <= 2000, ct.values * np.float32(0.5) - 1, np.nan).astype("f4"), equal_nan=True)
    assert not {"rescale_slope", "window_center"} & set(out.coords)


@pytest.mark.parametrize("name", ["DELAY", "s", 1])
def test_one_of_several_is_chosen_by_label_unit_or_number(held: Hold, ct: xr.DataArray, name: str | int) -> None:
    array = ct.copy(data=np.full(ct.shape, 1001, np.uint16))

    out = to_real_world(held(mapped(array, [FLOW, DELAY])), name, dtype="float64")

    assert (out.values == 0.2).all()


def test_several_mappings_want_a_name(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match=r"several.*FLOW \[ml/min\]; DELAY \[s\]"):
        to_real_world(mapped(ct, [FLOW, DELAY]))
    with pytest.raises(ValueError, match=r"'HEAT' names none.*FLOW \[ml/min\]"):
        to_real_world(mapped(ct, [FLOW, DELAY]), "HEAT")
    with pytest.raises(ValueError, match=r"2 names none.*FLOW \[ml/min\]"):
        to_real_world(mapped(ct, [FLOW, DELAY]), 2)


def test_frames_may_have_mappings_of_their_own(held: Hold, ct: xr.DataArray) -> None:
    other = RealWorldMap(0, 4095, 2.0, 3.0, unit="ml/min", label="FLOW")
    array = mapped(ct, [FLOW], [other]).assign_coords(real_world_value_map_index=("z", [1, 0, 1, 1]))
    lazy = held(array)

    out = to_real_world(lazy)

    assert np.array_equal(out.values[0], ct.values[0] * 2.0 + 3)
    assert np.array_equal(out.values[1], np.where(ct.values[1] <= 2000, ct.values[1] * 0.5 - 1, np.nan).astype("f4"), equal_nan=True)
    assert np.array_equal(to_real_world(lazy.isel(z=1)).values, out.values[1], equal_nan=True)


def test_mappings_to_different_units_do_not_go_together(ct: xr.DataArray) -> None:
    array = mapped(ct, [FLOW], [RealWorldMap(0, 1, 1.0, 0.0, unit="s")]).assign_coords(real_world_value_map_index=("z", [0, 0, 1, 1]))

    with pytest.raises(InconsistentSeriesError, match=r"units: ml/min, s.*real_world_value_map_index"):
        to_real_world(array)
    assert to_real_world(array.isel(z=[0, 1])).attrs["units"] == "ml/min"


def test_frames_without_a_mapping_are_refused(ct: xr.DataArray) -> None:
    with pytest.raises(InconsistentSeriesError, match="others have none"):
        to_real_world(mapped(ct, [FLOW]).assign_coords(real_world_value_map_index=("z", [0, -1, 0, 0])))


def test_a_mapping_without_limits_maps_all_values(held: Hold, ct: xr.DataArray) -> None:
    array = held(mapped(ct, [RealWorldMap(slope=2.0, intercept=0.5, label="Philips")]))

    assert np.array_equal(to_real_world(array).values, ct.values * np.float32(2) + np.float32(0.5))


def test_no_mapping_and_the_wrong_values_are_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="no real-world value mapping"):
        to_real_world(ct)
    with pytest.raises(ValueError, match="takes stored_values"):
        to_real_world(to_modality(mapped(ct, [FLOW])))
    with pytest.raises(ValueError, match="float32 or float64"):
        to_real_world(mapped(ct, [FLOW]), dtype="int16")


@pytest.mark.parametrize("is_varied", [False, True])
def test_the_private_scale_of_philips_is_given_by_its_name_alone(held: Hold, ct: xr.DataArray, is_varied: bool) -> None:
    scale = {"philips_scale_slope": 4.0, "philips_scale_intercept": 2048.0}
    array = ct.assign_coords({name: ("z", [number] * 4) for name, number in scale.items()}) if is_varied else ct.assign_attrs(scale)

    out = to_real_world(held(array), "Philips", dtype="float64")

    assert np.array_equal(out.values, (ct.values.astype(float) - 2048) / 4)
    assert "units" not in out.attrs
    assert not set(scale) & {*out.attrs, *out.coords, *to_modality(array).attrs, *to_modality(array).coords}
    with pytest.raises(ValueError, match=r"to_real_world\('PHILIPS'\)"):
        to_real_world(array)


def test_a_scale_of_philips_that_is_not_there_is_refused(ct: xr.DataArray) -> None:
    with pytest.raises(ValueError, match=r"no Scale Slope and Scale Intercept of Philips"):
        to_real_world(ct, "PHILIPS")
    with pytest.raises(InconsistentSeriesError, match="select those that have both"):
        to_real_world(ct.assign_coords(philips_scale_slope=("z", [1.0, np.nan, 1.0, 0.0]), philips_scale_intercept=0.0), "PHILIPS")


@pytest.mark.corpus
def test_phases_of_philips_are_angles_by_its_scale(corpus: Path) -> None:
    phase = xdicom.open_study(corpus / "series/mr_multiecho_philips_dual")["2201_mr_dual_echo_fh_60_table_moved/phase"]["stored_values"]

    angles = to_real_world(phase, "PHILIPS")

    assert to_modality(phase).attrs["units"] == "mrad"
    assert float(angles.min()) == pytest.approx(-np.pi, abs=1e-6)
    assert np.allclose(angles.values * 1000, to_modality(phase).values, atol=1.5)
