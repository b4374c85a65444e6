"""Multi-frame objects of kinds that are rare: enhanced CT and PET, tomosynthesis, angiography, ultrasound volumes, converted series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, CORONAL, SAGITTAL, image_position, make_file, phantoms, uid
from index.arranged import arranged, cells, form, grids_of, only_grid, values
from labeled.opened import labels, opened

ENHANCED_CT, ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.130"
LEGACY_PET = "1.2.840.10008.5.1.4.1.1.128.1"
ENHANCED_XA, ENHANCED_XRF = "1.2.840.10008.5.1.4.1.1.12.1.1", "1.2.840.10008.5.1.4.1.1.12.2.1"
TOMOSYNTHESIS, ANGIOGRAPHY_3D = "1.2.840.10008.5.1.4.1.1.13.1.3", "1.2.840.10008.5.1.4.1.1.13.1.1"
ULTRASOUND_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
Z = [0.0, 2.0, 4.0]


def multiframe(path: Path, sop_class: str, frames: Sequence[dict[Any, Any]], shared: dict[Any, Any] | None = None, **elements: Any) -> Path:
    """An object with these per-frame groups, of frames of 2 x 3."""
    groups = {"PixelMeasuresSequence": [{"PixelSpacing": [0.7, 0.5]}], **(shared or {})}
    given = {
        "SOPClassUID": sop_class,
        "SeriesInstanceUID": uid("one"),
        "SharedFunctionalGroupsSequence": [groups],
        "PerFrameFunctionalGroupsSequence": list(frames),
        **elements,
    }
    return make_file(path, given, phantoms(len(frames), 2, 3))


def place(z: float, orientation: Sequence[float] = AXIAL, **groups: Any) -> dict[Any, Any]:
    return {
        "PlanePositionSequence": [{"ImagePositionPatient": image_position(z, orientation)}],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(orientation)}],
        **groups,
    }


def content(**values_: Any) -> list[dict[str, Any]]:
    return [values_]


def rescaling(slope: float, kind: str = "US") -> list[dict[str, Any]]:
    return [{"RescaleSlope": slope, "RescaleIntercept": 0.0, "RescaleType": kind}]


# --- enhanced PET ----------------------------------------------------------------------------------------------------------


def pet_frames(seconds: Sequence[int]) -> list[dict[Any, Any]]:
    return [
        place(
            z,
            FrameContentSequence=content(TemporalPositionIndex=t + 1, FrameAcquisitionDateTime=f"202401011000{start:02d}"),
            PETFrameTypeSequence=[{"FrameType": ["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"]}],
            PixelValueTransformationSequence=rescaling(1.0 + t + z / 10, "BQML"),
        )
        for t, start in enumerate(seconds)
        for z in Z
    ]


def test_enhanced_pet_is_time_by_place_with_a_slope_for_each_frame(tmp_path: Path) -> None:
    multiframe(tmp_path / "pet.dcm", ENHANCED_PET, pet_frames([0, 10, 30]), Modality="PT")

    array = opened(tmp_path)

    assert array.dims == ("time", "z", "y", "x")
    assert labels(array, "time") == [0, 10, 30]
    assert array["rescale_slope"].dims == ("time", "z")
    np.testing.assert_allclose(array["rescale_slope"], [[1 + t + z / 10 for z in Z] for t in range(3)])


def test_a_converted_pet_takes_the_leftovers_of_the_classic_files(tmp_path: Path) -> None:
    frames = [
        place(
            z,
            UnassignedPerFrameConvertedAttributesSequence=[{"InstanceNumber": 3 - i, "FrameReferenceTime": 1000.0}],
            ConversionSourceAttributesSequence=[{"ReferencedSOPInstanceUID": uid("classic", i)}],
        )
        for i, z in enumerate(Z)
    ]
    multiframe(tmp_path / "pet.dcm", LEGACY_PET, frames, Modality="PT")

    array = opened(tmp_path)

    assert labels(array, "z") == Z
    assert labels(array, "instance_number") == [3, 2, 1]
    assert labels(array, "source_sop_instance_uid") == [uid("classic", i) for i in range(3)]


# --- enhanced CT -----------------------------------------------------------------------------------------------------------


def test_two_energies_of_an_enhanced_ct_are_an_axis(tmp_path: Path) -> None:
    frames = [place(z, CTXRayDetailsSequence=[{"KVP": kvp}]) for kvp in (140.0, 80.0) for z in Z]
    multiframe(tmp_path / "ct.dcm", ENHANCED_CT, frames, Modality="CT")

    grid = only_grid(tmp_path)

    assert form(grid) == {"kvp": 2, "z": 3}
    assert values(grid, "kvp") == [80, 140]
    assert grid.rows.tolist() == [[3, 4, 5], [0, 1, 2]]


def test_modulation_of_the_tube_is_a_coordinate_and_no_axis(tmp_path: Path) -> None:
    frames = [
        place(z, CTExposureSequence=[{"XRayTubeCurrentInmA": 100.0 + z, "CTDIvol": 5.0 + z}], CTPositionSequence=[{"TablePosition": -z}])
        for z in Z
    ]
    multiframe(tmp_path / "ct.dcm", ENHANCED_CT, frames, Modality="CT")

    array = opened(tmp_path)

    assert array.dims == ("z", "y", "x")
    assert labels(array, "x_ray_tube_current_in_ma") == [100, 102, 104]
    assert labels(array, "ctdi_vol") == [5, 7, 9]
    assert labels(array, "table_position") == [0, -2, -4]


def test_frame_types_of_one_object_are_arrays_of_their_own(tmp_path: Path) -> None:
    frames = [
        place(z, CTImageFrameTypeSequence=[{"FrameType": [origin, "PRIMARY", kind, "NONE"]}])
        for origin, kind in (("ORIGINAL", "VOLUME"), ("ORIGINAL", "LOCALIZER"))
        for z in Z
    ]
    multiframe(tmp_path / "ct.dcm", ENHANCED_CT, frames, Modality="CT")

    assert [(grid.name, form(grid)) for grid in grids_of(tmp_path)] == [("volume_none", {"z": 3}), ("localizer_none", {"z": 3})]


# --- tomosynthesis, angiography --------------------------------------------------------------------------------------------


def test_breast_tomosynthesis_is_a_stack_of_planes(tmp_path: Path) -> None:
    frames = [place(z, SAGITTAL, XRay3DFrameTypeSequence=[{"FrameType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]}]) for z in Z[::-1]]
    multiframe(tmp_path / "bt.dcm", TOMOSYNTHESIS, frames, Modality="MG")

    grid = only_grid(tmp_path)

    assert form(grid) == {"z": 3}
    assert grid.rows.tolist() == [2, 1, 0]
    assert grid.attrs["plane"] == "sagittal"


def test_projections_and_planes_of_one_tomosynthesis_series_stay_apart(tmp_path: Path) -> None:
    planes = [place(z, SAGITTAL, XRay3DFrameTypeSequence=[{"FrameType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]}]) for z in Z]
    views = [{"XRay3DFrameTypeSequence": [{"FrameType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ", "NONE"]}]} for _ in range(4)]
    multiframe(tmp_path / "a.dcm", TOMOSYNTHESIS, planes, Modality="MG", SOPInstanceUID=uid("planes"), InstanceNumber=1)
    multiframe(tmp_path / "b.dcm", TOMOSYNTHESIS, views, Modality="MG", SOPInstanceUID=uid("views"), InstanceNumber=2)

    assert [form(grid) for grid in grids_of(tmp_path)] == [{"z": 3}, {"frame": 4}]


@pytest.mark.parametrize("sop_class", [ENHANCED_XA, ENHANCED_XRF])
def test_a_run_of_angiography_has_the_times_of_its_frames(tmp_path: Path, sop_class: str) -> None:
    frames = [{"FrameContentSequence": content(FrameAcquisitionDateTime=f"20240101100000.{250 * i:03d}")} for i in range(4)]
    shared = {"FramePixelDataPropertiesSequence": [{"ImagerPixelSpacing": [0.3, 0.3]}]}
    multiframe(tmp_path / "xa.dcm", sop_class, frames, shared, Modality="XA")

    array = opened(tmp_path)

    assert array.dims == ("time", "y", "x")
    assert labels(array, "time") == [0, 0.25, 0.5, 0.75]
    assert array.attrs["imager_pixel_spacing"] == [0.3, 0.3]
    assert "2024" not in str(array.attrs) + str(array.coords)


def test_frames_whose_clock_stands_still_or_runs_back_are_numbered(tmp_path: Path) -> None:
    for name, clock in (("still", ["100000"] * 3), ("back", ["100000", "100002", "100001"])):
        frames = [{"FrameContentSequence": content(FrameAcquisitionDateTime=f"20240101{time}")} for time in clock]
        multiframe(tmp_path / name / "xa.dcm", ENHANCED_XA, frames, Modality="XA")

        assert form(only_grid(tmp_path / name)) == {"frame": 3}


def test_a_reconstruction_of_rotational_angiography_is_a_stack(tmp_path: Path) -> None:
    multiframe(tmp_path / "xa.dcm", ANGIOGRAPHY_3D, [place(z, CORONAL) for z in Z], Modality="XA")

    assert (form(only_grid(tmp_path)), only_grid(tmp_path).affine is not None) == ({"z": 3}, True)


# --- ultrasound volumes ----------------------------------------------------------------------------------------------------


def volume_frames(times: Sequence[float]) -> list[dict[Any, Any]]:
    return [
        {
            "PlanePositionVolumeSequence": [{"ImagePositionVolume": [0.0, 0.0, z]}],
            "PlaneOrientationVolumeSequence": [{"ImageOrientationVolume": list(AXIAL)}],
            "TemporalPositionSequence": [{"TemporalPositionTimeOffset": offset}],
        }
        for offset in times
        for z in Z
    ]


def test_a_volume_of_ultrasound_has_places_of_its_own_and_none_in_the_patient(tmp_path: Path) -> None:
    multiframe(tmp_path / "us.dcm", ULTRASOUND_VOLUME, volume_frames([0.0, 0.04]), Modality="US")

    array = opened(tmp_path)

    assert (array.sizes["time"], array.sizes["z"]) == (2, 3)
    assert labels(array, "time") == [0, 0.04]
    assert labels(array, "z") == Z
    assert "volume" in array["z"].attrs["long_name"]
    assert not {"affine", "image_orientation_patient", "plane"} & array.attrs.keys()
    assert array.attrs["is_regular"] is True


# --- objects that say little or too much ------------------------------------------------------------------------------------


def test_frames_without_a_position_keep_what_their_groups_say(tmp_path: Path) -> None:
    frames = [{"MREchoSequence": [{"EffectiveEchoTime": 5.0 * i}]} for i in range(3)]
    multiframe(tmp_path / "mr.dcm", "1.2.840.10008.5.1.4.1.1.4.1", frames, Modality="MR")

    array = opened(tmp_path)

    assert array.dims == ("frame", "y", "x")
    assert labels(array, "effective_echo_time") == [0, 5, 10]


@pytest.mark.parametrize("items", [2, 4])
def test_groups_that_are_not_as_many_as_the_frames_are_told_and_never_padded(tmp_path: Path, items: int) -> None:
    path = multiframe(tmp_path / "ct.dcm", ENHANCED_CT, [place(z) for z in Z], Modality="CT")
    make_file(
        path,
        {
            "SOPClassUID": ENHANCED_CT, "Modality": "CT",
            "SharedFunctionalGroupsSequence": [{"PixelMeasuresSequence": [{"PixelSpacing": [1, 1]}]}],
            "PerFrameFunctionalGroupsSequence": [place(2.0 * i) for i in range(items)],
        },
        phantoms(3, 2, 3),
    )  # fmt: skip

    grids = grids_of(path)

    assert sum(len(grid.frames) for grid in grids) == 3
    assert [form(grid) for grid in grids] == ([{"z": 3}] if items == 4 else [{"z": 2}, {}])


WHOLE = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.3", "Modality": "OT", "ImagePositionPatient": [0.0, 0.0, 5.0],
    "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1.0, 1.0],
}  # fmt: skip


@pytest.mark.parametrize(("timing", "sizes"), [({}, {"frame": 4}), ({"FrameTime": 40.0}, {"time": 4})])
def test_the_position_of_an_object_is_not_that_of_each_frame(tmp_path: Path, timing: dict[str, Any], sizes: dict[str, int]) -> None:
    grid = only_grid(make_file(tmp_path / "a.dcm", WHOLE | timing, phantoms(4, 2, 3)))

    assert form(grid) == sizes
    assert (grid.plane, grid.affine) == (None, None)


def test_the_position_of_an_object_of_one_frame_is_its_own(tmp_path: Path) -> None:
    assert values(only_grid(make_file(tmp_path / "a.dcm", WHOLE, phantoms(1, 2, 3))), "z") == [5]


def test_a_position_that_frames_share_by_their_groups_is_that_of_each(tmp_path: Path) -> None:
    shared = {key: value for key, value in place(5.0).items() if key.startswith("Plane")}
    frames = [{"FrameContentSequence": content(TemporalPositionIndex=t + 1)} for t in range(3)]
    multiframe(tmp_path / "mr.dcm", "1.2.840.10008.5.1.4.1.1.4.1", frames, shared, Modality="MR")

    assert form(only_grid(tmp_path)) == {"time": 3, "z": 1}


def parts_of(folder: Path, numbers: Sequence[int], per_part: int = 2) -> Path:
    """Parts of one enhanced object that was cut: part `n` has the planes from `(n - 1) * per_part` on."""
    for n in numbers:
        frames = [place(2.0 * ((n - 1) * per_part + i)) for i in range(per_part)]
        multiframe(
            folder / f"{9 - n}.dcm", ENHANCED_CT, frames, Modality="CT", SOPInstanceUID=uid("part", n), InstanceNumber=1,
            ConcatenationUID=uid("whole"), InConcatenationNumber=n, InConcatenationTotalNumber=3,
            ConcatenationFrameOffsetNumber=(n - 1) * per_part,
        )  # fmt: skip
    return folder


def test_parts_of_a_concatenation_are_one_stack(tmp_path: Path) -> None:
    arrangement = arranged(parts_of(tmp_path, [1, 2, 3]))

    (grid,) = arrangement.grids
    assert values(grid, "z") == [0, 2, 4, 6, 8, 10]
    assert arrangement.notes == []


def test_a_part_that_is_missing_is_told_and_leaves_a_gap(tmp_path: Path) -> None:
    arrangement = arranged(parts_of(tmp_path, [1, 3]))

    (grid,) = arrangement.grids
    assert "parts 2 of 3 are missing" in arrangement.notes[0]
    assert grid.attrs["missing_slices"] == 2


def test_phases_of_the_heart_of_an_enhanced_object_are_an_axis(tmp_path: Path) -> None:
    frames = [
        place(z, CardiacSynchronizationSequence=[{"NominalCardiacTriggerDelayTime": delay}]) for delay in (0.0, 40.0, 80.0) for z in Z
    ]
    multiframe(tmp_path / "mr.dcm", "1.2.840.10008.5.1.4.1.1.4.1", frames, Modality="MR")

    grid = only_grid(tmp_path)

    assert form(grid) == {"trigger_time": 3, "z": 3}
    assert (values(grid, "trigger_time"), grid.axes[0].attrs["units"]) == ([0, 40, 80], "ms")
    assert cells(grid, "nominal_cardiac_trigger_delay_time")[:, 0].tolist() == [0, 40, 80]
