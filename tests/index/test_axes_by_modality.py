"""Axes of PET, the heart, flow and nuclear medicine: named by what varies, whatever told the planes apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, make_enhanced_mr, make_nm, make_pet
from builders.multiframe import DETECTOR, SLICE, TIME_SLOT
from index.arranged import cells, form, grids_of, make_planes, only_grid, repeated, values
from xdicom.labeled.build import describe

Z = (0.0, 2.0, 4.0)
VELOCITIES = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])


def volumes(numbers: list[Any], slices: int = 3) -> list[Any]:
    """Each of the numbers once for every slice."""
    return [number for number in numbers for _ in range(slices)]


def make_dynamic_pet(folder: Path, varying: dict[str, list[Any]], **elements: Any) -> None:
    """Write PET volumes of three slices, one behind the other."""
    count = len(next(iter(varying.values())))
    positions = [[0.0, 0.0, z] for z in repeated(Z, count // 3)]
    make_pet(folder, [1.0] * count, varying={"ImagePositionPatient": positions, **varying}, **elements)


def test_dynamic_pet_has_a_time_from_the_frame_reference_time(tmp_path: Path) -> None:
    make_dynamic_pet(tmp_path, {"FrameReferenceTime": volumes([5000, 20000, 60000])}, SeriesType=["DYNAMIC", "IMAGE"])

    grid = only_grid(tmp_path)

    assert form(grid) == {"time": 3, "z": 3}
    assert values(grid, "time") == [0.0, 15.0, 55.0]
    assert grid.axes[0].attrs["units"] == "s"


def test_gated_pet_has_the_trigger_time_even_where_the_reference_time_varies_too(tmp_path: Path) -> None:
    varying = {"TriggerTime": volumes([0, 250, 500]), "FrameReferenceTime": volumes([1000, 1250, 1500])}
    make_dynamic_pet(tmp_path, varying, SeriesType=["GATED", "IMAGE"])

    grid = only_grid(tmp_path)

    assert form(grid) == {"trigger_time": 3, "z": 3}
    assert values(grid, "trigger_time") == [0.0, 250.0, 500.0]


def test_windows_of_the_heart_rate_are_an_axis_beside_the_gates(tmp_path: Path) -> None:
    varying = {"TriggerTime": volumes([0, 250, 0, 250]), "LowRRValue": volumes([600, 600, 900, 900])}
    make_dynamic_pet(tmp_path, varying, SeriesType=["GATED", "IMAGE"])

    grid = only_grid(tmp_path)

    assert form(grid) == {"trigger_time": 2, "rr_interval": 2, "z": 3}
    assert values(grid, "rr_interval") == [600, 900]


def test_cine_of_the_heart_with_equal_trigger_times_has_them_as_axis(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated(Z, 2), {"TriggerTime": volumes([0.0, 40.0])})

    grid = only_grid(tmp_path)

    assert form(grid) == {"trigger_time": 2, "z": 3}
    assert values(grid, "trigger_time") == [0.0, 40.0]


def test_cine_of_the_heart_with_other_trigger_times_in_each_slice_has_phases(tmp_path: Path) -> None:
    # Each slice is measured in a breath hold of its own, at a heart rate of its own.
    triggers = [0.0, 0.0, 0.0, 40.0, 42.5, 39.0, 80.0, 85.0, 78.0]
    started = ["100000", "100100", "100200"] * 3
    made = [f"1003{i:02d}" for i in range(9)]
    make_planes(tmp_path, repeated(Z, 3), {"TriggerTime": triggers, "AcquisitionTime": started, "ContentTime": made})

    grid = only_grid(tmp_path)

    assert form(grid) == {"cardiac_phase": 3, "z": 3}
    assert cells(grid, "trigger_time").tolist() == [[0.0, 0.0, 0.0], [40.0, 42.5, 39.0], [80.0, 85.0, 78.0]]


def test_phases_of_the_heart_keep_their_trigger_times_as_coordinate(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated(Z, 2), {"TriggerTime": [0.0, 0.0, 0.0, 40.0, 42.5, 39.0]})

    coords, _ = describe(only_grid(tmp_path))

    dims, numbers, attrs = coords["trigger_time"]
    assert dims == ("cardiac_phase", "z")
    assert numbers.tolist() == [[0.0, 0.0, 0.0], [40.0, 42.5, 39.0]]
    assert attrs["units"] == "ms"


def test_volumes_with_a_clock_are_in_time_although_triggers_rise_too(tmp_path: Path) -> None:
    started = [f"10000{i}.5" for i in range(6)]
    make_planes(tmp_path, repeated(Z, 2), {"TriggerTime": [0.0, 10.0, 20.0, 3000.0, 3011.0, 3022.0], "AcquisitionTime": started})

    assert form(only_grid(tmp_path)) == {"time": 2, "z": 3}


def test_directions_of_flow_are_an_axis_with_the_vectors_as_coordinates(tmp_path: Path) -> None:
    make_flow(tmp_path / "flow.dcm")

    grid = only_grid(tmp_path)
    coords, _ = describe(grid)

    assert form(grid) == {"velocity_encoding": 3, "z": 2}
    assert [coords[f"velocity_encoding_direction_{axis}"][0] for axis in "xyz"] == [("velocity_encoding",)] * 3
    assert np.stack([coords[f"velocity_encoding_direction_{axis}"][1] for axis in "xyz"], axis=1).tolist() == list(VELOCITIES)


def make_flow(path: Path) -> Path:
    """Write an Enhanced MR object of three directions of flow by two positions."""
    per_frame = [
        {
            "PlanePositionSequence": [{"ImagePositionPatient": [0.0, 0.0, z]}],
            "MRVelocityEncodingSequence": [{"VelocityEncodingDirection": direction}],
        }
        for direction in VELOCITIES
        for z in (0.0, 2.0)
    ]
    return make_enhanced_mr(path, (4.0, 4.0, 4.0), (0.0, 2.0), orientation=AXIAL, PerFrameFunctionalGroupsSequence=per_frame)


def test_time_of_volumes_measured_slice_by_slice_is_that_of_their_earliest_slice(tmp_path: Path) -> None:
    # The second slice comes first; content was made in one go, long afterwards.
    started = ["100000.5", "100000.0", "100001.0", "100003.5", "100003.0", "100004.0"]
    varying = {"TemporalPositionIdentifier": volumes([1, 2]), "AcquisitionTime": started, "ContentTime": volumes(["110000", "110007"])}
    make_planes(tmp_path, repeated(Z, 2), varying)

    grid = only_grid(tmp_path)
    coords, _ = describe(grid)

    assert values(grid, "time") == [0.0, 3.0]
    assert "earliest plane" in str(grid.axes[0].attrs["long_name"])
    assert coords["acquisition_time"][1].tolist() == [[0.5, 0.0, 1.0], [3.5, 3.0, 4.0]]


# --- enhanced objects that say little --------------------------------------------------------------------------------------


def make_declared(path: Path, indices: list[int] | None, pointer: int) -> Path:
    """Write an Enhanced MR object of two places by two steps, which only the dimension indices tell apart."""
    per_frame = []
    for step in range(2):
        for place, z in enumerate((0.0, 2.0)):
            frame: dict[str, Any] = {"PlanePositionSequence": [{"ImagePositionPatient": [0.0, 0.0, z]}]}
            if indices is not None:
                frame["FrameContentSequence"] = [{"DimensionIndexValues": [place + 1, indices[2 * step + place]]}]
            per_frame.append(frame)
    declared = [{"DimensionIndexPointer": each, "FunctionalGroupPointer": 0x00209111} for each in (0x00209057, pointer)]
    return make_enhanced_mr(
        path, (4.0, 4.0), (0.0, 2.0), orientation=AXIAL, PerFrameFunctionalGroupsSequence=per_frame, DimensionIndexSequence=declared
    )


@pytest.mark.parametrize(("pointer", "name"), [(0x00189073, "dimension_2"), (0x00209156, "frame_acquisition_number")])
def test_a_declared_dimension_is_an_axis_where_nothing_else_tells_planes_apart(tmp_path: Path, pointer: int, name: str) -> None:
    grid = only_grid(make_declared(tmp_path / "mr.dcm", [7, 7, 5, 5], pointer))

    assert form(grid) == {name: 2, "z": 2}
    assert values(grid, name) == [5, 7]
    assert grid.rows.tolist() == [[2, 3], [0, 1]]


@pytest.mark.parametrize("indices", [None, [1, 2, 3, 4], [1, 1, 1, 1]], ids=["none", "different at each place", "all the same"])
def test_frames_of_one_object_repeat_in_their_order_where_nothing_tells_them_apart(tmp_path: Path, indices: list[int] | None) -> None:
    grid = only_grid(make_declared(tmp_path / "mr.dcm", indices, 0x00209156))

    assert form(grid) == {"repetition": 2, "z": 2}
    assert grid.rows.tolist() == [[0, 1], [2, 3]]
    assert grid.axes[0].attrs["source"] == "frame number"


def test_time_offsets_of_temporal_positions_are_a_time(tmp_path: Path) -> None:
    per_frame = [
        {
            "PlanePositionSequence": [{"ImagePositionPatient": [0.0, 0.0, z]}],
            "TemporalPositionSequence": [{"TemporalPositionTimeOffset": offset}],
        }
        for offset in (0.0, 0.025)
        for z in (0.0, 2.0)
    ]
    make_enhanced_mr(tmp_path / "mr.dcm", (4.0, 4.0), (0.0, 2.0), orientation=AXIAL, PerFrameFunctionalGroupsSequence=per_frame)

    assert values(only_grid(tmp_path), "time") == [0.0, 0.025]


# --- nuclear medicine ------------------------------------------------------------------------------------------------------

TOMO = {"ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"], "SpacingBetweenSlices": 6.5}
FIRST = {"ImagePositionPatient": [-100.0, -90.0, 50.0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}


def test_reconstructed_slices_lie_along_the_normal_of_the_detector(tmp_path: Path) -> None:
    make_nm(tmp_path / "nm.dcm", {SLICE: [1, 2, 3]}, **TOMO, DetectorInformationSequence=[FIRST])

    grid = only_grid(tmp_path)

    assert form(grid) == {"z": 3}
    assert values(grid, "z") == [50.0, 56.5, 63.0]
    assert grid.affine is not None
    assert grid.affine[:3, 3].tolist() == [-100.0, -90.0, 50.0]


def test_negative_spacing_turns_the_slices_round(tmp_path: Path) -> None:
    make_nm(tmp_path / "nm.dcm", {SLICE: [1, 2, 3]}, **{**TOMO, "SpacingBetweenSlices": -6.5}, DetectorInformationSequence=[FIRST])

    grid = only_grid(tmp_path)

    assert values(grid, "z") == [37.0, 43.5, 50.0]
    assert grid.rows.tolist() == [2, 1, 0]


def test_gated_reconstruction_has_time_slots_by_slices(tmp_path: Path) -> None:
    vectors = {TIME_SLOT: [1, 1, 2, 2], SLICE: [1, 2, 1, 2]}
    make_nm(tmp_path / "nm.dcm", vectors, **TOMO, DetectorInformationSequence=[FIRST])

    grid = only_grid(tmp_path)

    assert form(grid) == {"time_slot": 2, "z": 2}
    assert grid.rows.tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "changes",
    [
        {"DetectorInformationSequence": [{}]},
        {"DetectorInformationSequence": [FIRST, FIRST]},
        {"SpacingBetweenSlices": None},
        {"SpacingBetweenSlices": 0},
    ],
    ids=["no position", "two detectors", "no spacing", "spacing zero"],
)
def test_slices_without_a_stated_place_are_numbered(tmp_path: Path, changes: dict[str, Any]) -> None:
    make_nm(tmp_path / "nm.dcm", {SLICE: [1, 2, 3]}, **{**TOMO, "DetectorInformationSequence": [FIRST], **changes})

    grid = only_grid(tmp_path)

    assert form(grid) == {"slice": 3}
    assert grid.plane is None


def test_planar_views_of_two_detectors_have_no_place(tmp_path: Path) -> None:
    make_nm(tmp_path / "nm.dcm", {DETECTOR: [1, 2]}, DetectorInformationSequence=[FIRST, FIRST], SpacingBetweenSlices=6.5)

    assert form(only_grid(tmp_path)) == {"detector": 2}


# --- parametric maps -------------------------------------------------------------------------------------------------------

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"


def mapping(label: str, unit: str, slope: float) -> list[dict[str, Any]]:
    """A Real World Value Mapping Sequence of one item."""
    units = [{"CodeValue": unit, "CodingSchemeDesignator": "UCUM", "CodeMeaning": unit}]
    return [
        {
            "LUTLabel": label,
            "RealWorldValueFirstValueMapped": 0,
            "RealWorldValueLastValueMapped": 4095,
            "RealWorldValueSlope": slope,
            "RealWorldValueIntercept": 0.0,
            "MeasurementUnitsCodeSequence": units,
        }
    ]


def make_maps(path: Path, mappings: list[list[dict[str, Any]]]) -> Path:
    """Write a parametric map: each of the mappings at two positions."""
    per_frame = [
        {"PlanePositionSequence": [{"ImagePositionPatient": [0.0, 0.0, z]}], "RealWorldValueMappingSequence": each}
        for each in mappings
        for z in (0.0, 2.0)
    ]
    return make_enhanced_mr(
        path, (4.0,) * len(mappings), (0.0, 2.0), orientation=AXIAL, PerFrameFunctionalGroupsSequence=per_frame, SOPClassUID=PARAMETRIC_MAP
    )


def test_quantities_of_a_parametric_map_are_arrays_of_their_own(tmp_path: Path) -> None:
    make_maps(tmp_path / "maps.dcm", [mapping("Ktrans", "/min", 0.001), mapping("ADC", "um2/s", 1.0)])

    grids = grids_of(tmp_path)

    assert [grid.name for grid in grids] == ["ktrans_min", "adc_um2_s"]
    assert [form(grid) for grid in grids] == [{"z": 2}, {"z": 2}]


def test_one_quantity_with_several_slopes_is_one_array(tmp_path: Path) -> None:
    make_maps(tmp_path / "maps.dcm", [mapping("ADC", "um2/s", 1.0), mapping("ADC", "um2/s", 0.5)])

    assert sum(grid.rows.size for grid in grids_of(tmp_path)) == 4
    assert len(grids_of(tmp_path)) == 1
