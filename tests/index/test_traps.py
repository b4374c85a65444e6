"""Lies that headers of real scanners tell, each in a tiny file: what is believed, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, image_position, make_file, make_item, phantoms, uid
from index.arranged import arranged, cells, form, make_planes, only_grid, repeated, values
from index.test_axes import each
from xdicom.index.findings import describe_array
from xdicom.lazy.frames import frames_to_dask
from xdicom.model.grid import FrameGrid

Z = [0.0, 2.0, 4.0]


def enhanced(path: Path, frames: Sequence[dict[Any, Any]], **elements: Any) -> Path:
    """An Enhanced MR object with these per-frame groups, axial, frames of 2 x 3."""
    shared = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(AXIAL)}],
        "PixelMeasuresSequence": [{"PixelSpacing": [0.7, 0.5]}],
    }
    given = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.1",
        "Modality": "MR",
        "SeriesInstanceUID": uid("enhanced"),
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": list(frames),
        **elements,
    }
    return make_file(path, given, phantoms(len(frames), 2, 3))


def plane(position: float, content: dict[str, Any] | None = None, **groups: Any) -> dict[Any, Any]:
    return {
        "PlanePositionSequence": [{"ImagePositionPatient": image_position(position)}],
        **({"FrameContentSequence": [content]} if content else {}),
        **groups,
    }


def volumes_of(make: Callable[[int, float], dict[Any, Any]], count: int) -> list[dict[Any, Any]]:
    return [make(volume, position) for volume in range(count) for position in Z]


def test_a_clock_that_stands_still_over_all_volumes_is_no_time(tmp_path: Path) -> None:
    frames = volumes_of(lambda t, z: plane(z, {"FrameAcquisitionDateTime": "20240101100000", "TemporalPositionIndex": t + 1}), 4)

    grid = only_grid(enhanced(tmp_path / "a.dcm", frames))

    assert form(grid) == {"time": 4, "z": 3}
    assert values(grid, "time") == [1, 2, 3, 4]
    assert "units" not in grid.axes[0].attrs


def test_the_dynamic_time_of_a_vendor_steps_in_for_a_clock_that_stands_still(tmp_path: Path) -> None:
    def frame(t: int, z: float) -> dict[Any, Any]:
        private = make_item({0x20050010: ("LO", "Philips MR Imaging DD 001"), 0x200510A0: ("FL", 3.0 * t)})
        content = {"FrameAcquisitionDateTime": "20240101100000", "TemporalPositionIndex": t + 1}
        return plane(z, content) | {0x20050014: ("LO", "Philips MR Imaging DD 005"), 0x2005140F: ("SQ", [private])}

    grid = only_grid(enhanced(tmp_path / "a.dcm", volumes_of(frame, 4)))

    assert values(grid, "time") == [0, 3, 6, 9]
    assert grid.axes[0].attrs["units"] == "s"


def test_the_position_in_a_vendors_own_header_is_not_that_of_the_frame(tmp_path: Path) -> None:
    def frame(_: int, z: float) -> dict[Any, Any]:
        private = make_item({"ImagePositionPatient": image_position(z, origin_mm=(-8.0, -18.0)), "EchoTime": 99.0})
        return plane(z) | {0x20050014: ("LO", "Philips MR Imaging DD 005"), 0x2005140F: ("SQ", [private])}

    grid = only_grid(enhanced(tmp_path / "a.dcm", volumes_of(frame, 1)))

    assert grid.origins is not None
    np.testing.assert_allclose(grid.origins, [image_position(z) for z in Z])


@pytest.mark.parametrize("numbers", [[3, 2, 1], [1, 1, 1], [1, 2, 7]], ids=["descending", "constant", "with a gap"])
def test_the_number_in_the_stack_is_no_order_in_space(tmp_path: Path, numbers: list[int]) -> None:
    frames = [plane(z, {"StackID": "1", "InStackPositionNumber": n}) for z, n in zip(Z, numbers, strict=True)]

    grid = only_grid(enhanced(tmp_path / "a.dcm", frames))

    assert values(grid, "z") == Z
    assert cells(grid, "in_stack_position_number").tolist() == numbers


def test_a_direction_index_that_unweighted_and_isotropic_frames_share_is_not_believed(tmp_path: Path) -> None:
    weights = [
        (0.0, "NONE", None, 3),
        (1000.0, "DIRECTIONAL", [1.0, 0, 0], 1),
        (1000.0, "DIRECTIONAL", [0, 1.0, 0], 2),
        (1000.0, "ISOTROPIC", None, 3),
    ]

    def frame(t: int, z: float) -> dict[Any, Any]:
        b, kind, direction, index = weights[t]
        macro: dict[str, Any] = {"DiffusionBValue": b, "DiffusionDirectionality": kind}
        if direction:
            macro["DiffusionGradientDirectionSequence"] = [{"DiffusionGradientOrientation": direction}]
        return plane(z, {"DimensionIndexValues": [1, Z.index(z) + 1, 1 + (b > 0), index]}, MRDiffusionSequence=[macro])

    grid = only_grid(enhanced(tmp_path / "a.dcm", volumes_of(frame, 4)))

    assert form(grid) == {"diffusion": 4, "z": 3}


@pytest.mark.parametrize("indices", [None, [1, 1, 1], [0, 0, 0]])
def test_dimension_indices_that_say_nothing_do_no_harm(tmp_path: Path, indices: list[int] | None) -> None:
    def frame(t: int, z: float) -> dict[Any, Any]:
        content = {"DimensionIndexValues": indices} if indices else {"FrameComments": "c"}
        return plane(z, content, MREchoSequence=[{"EffectiveEchoTime": 5.0 * (t + 1)}])

    assert form(only_grid(enhanced(tmp_path / "a.dcm", volumes_of(frame, 2)))) == {"echo_time": 2, "z": 3}


@pytest.mark.parametrize(
    ("index_of", "told"),
    [
        (lambda t, z: [1, Z.index(z) + 1, t + 1], None),
        (lambda t, z: [1, Z.index(z) + 1], "dimension indices tell only 3 of 6 frames apart"),
        (lambda t, z: None, None),
    ],
    ids=["all", "places alone", "none"],
)
def test_dimension_indices_that_do_not_tell_frames_apart_are_told(
    tmp_path: Path, index_of: Callable[[int, float], list[int] | None], told: str | None
) -> None:
    def frame(t: int, z: float) -> dict[Any, Any]:
        indices = index_of(t, z)
        content = {"DimensionIndexValues": indices} if indices else {"FrameComments": "c"}
        return plane(z, content, MREchoSequence=[{"EffectiveEchoTime": 5.0 * (t + 1)}])

    grid = only_grid(enhanced(tmp_path / "a.dcm", volumes_of(frame, 2)))

    assert form(grid) == {"echo_time": 2, "z": 3}
    assert [text for text in describe_array(grid) if "dimension" in text] == ([told] if told else [])


def test_values_at_the_top_level_of_an_enhanced_object_do_not_mislead(tmp_path: Path) -> None:
    frames = volumes_of(lambda _, z: plane(z), 1)

    path = enhanced(
        tmp_path / "a.dcm", frames, ImagePositionPatient=image_position(99.0), ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
        PixelSpacing=[9, 9],
        SpacingBetweenSlices=7,
    )  # fmt: skip

    grid = only_grid(path)
    assert values(grid, "z") == Z
    assert grid.plane is not None
    assert grid.plane.row_spacing_mm == 0.7


def test_three_orientations_in_one_stack_are_three_arrays(tmp_path: Path) -> None:
    frames = []
    for cosines in ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]):
        orientation = [{"ImageOrientationPatient": [float(c) for c in cosines]}]
        frames.append(plane(0.0, {"StackID": "1"}, PlaneOrientationSequence=orientation))

    assert [form(grid) for grid in arranged(enhanced(tmp_path / "a.dcm", frames)).grids] == [{"z": 1}] * 3


def test_bits_above_the_stored_ones_are_junk(tmp_path: Path) -> None:
    values_ = phantoms(3, 2, 3, np.uint16, bits_stored=12)
    path = make_file(tmp_path / "a.dcm", {"BitsStored": 12, "HighBit": 11}, values_ | 0xA000)

    np.testing.assert_array_equal(frames_to_dask(only_grid(path)).compute(), values_)


def test_slice_locations_of_the_other_sign_do_not_turn_the_order(tmp_path: Path) -> None:
    make_planes(tmp_path, Z, {"SliceLocation": [0.0, -2.0, -4.0]})

    grid = only_grid(tmp_path)

    assert values(grid, "z") == Z
    assert cells(grid, "slice_location").tolist() == [0, -2, -4]


def test_fourteen_files_of_two_orientations_within_rounding_are_one_array(tmp_path: Path) -> None:
    cosines = [[0.7262333631038, -0.6874493, 0, 0, 0, -1.0], [0.7262333313508059, -0.6874493335, 0, 0, 0, -1.0]]
    weights = [0.0] + [1000.0] * 6
    directions = [None, *([float(i == k) for i in range(3)] for k in (0, 1, 2)), [0.6, 0.8, 0.0], [0.6, 0.0, 0.8], [0.0, 0.6, 0.8]]
    make_planes(
        tmp_path, repeated([0.0, 3.0], 7),
        {
            "ImageOrientationPatient": [cosines[i % 2] for i in range(14)],
            "ImagePositionPatient": [image_position(z, cosines[0]) for z in repeated([0.0, 3.0], 7)],
            "DiffusionBValue": each(weights, 2), "DiffusionGradientOrientation": each(directions, 2),
        },
    )  # fmt: skip

    assert form(only_grid(tmp_path)) == {"diffusion": 7, "z": 2}


def test_a_declared_number_of_slices_that_counts_files_is_not_believed(tmp_path: Path) -> None:
    make_planes(tmp_path, Z, NumberOfSlices=17, NumberOfTemporalPositions=10, ImagesInAcquisition=99)

    assert form(only_grid(tmp_path)) == {"z": 3}


@pytest.mark.parametrize("kind", ["one file for each volume", "one file for all"])
def test_frames_of_one_series_are_pooled_whatever_files_they_lie_in(tmp_path: Path, kind: str) -> None:
    def frame(t: int, z: float) -> dict[Any, Any]:
        return plane(z, {"TemporalPositionIndex": t + 1, "FrameAcquisitionDateTime": f"2024010110000{2 * t}"})

    if kind == "one file for all":
        enhanced(tmp_path / "a.dcm", volumes_of(frame, 3))
    else:
        for t in (2, 0, 1):
            enhanced(tmp_path / f"{9 - t}.dcm", [frame(t, z) for z in Z], SOPInstanceUID=uid(t), InstanceNumber=t + 1)

    grid = only_grid(tmp_path)

    assert form(grid) == {"time": 3, "z": 3}
    assert values(grid, "time") == [0, 2, 4]


def test_times_of_slices_that_were_measured_together_stay_on_the_slices(tmp_path: Path) -> None:
    delays = {0.0: 0, 2.0: 1, 4.0: 0}
    frames = volumes_of(
        lambda t, z: plane(z, {"TemporalPositionIndex": t + 1, "FrameAcquisitionDateTime": f"2024010110000{3 * t + delays[z]}"}), 2
    )

    grid = only_grid(enhanced(tmp_path / "a.dcm", frames))

    assert form(grid) == {"time": 2, "z": 3}
    clock = cells(grid, "frame_acquisition_date_time")
    assert (clock - clock.min()).tolist() == [[0, 1, 0], [3, 4, 3]]


def test_rounded_positions_keep_their_values(tmp_path: Path) -> None:
    positions = [0.0, 6.9583, 14.0158, 20.9858]
    make_planes(tmp_path, positions)

    grid: FrameGrid = only_grid(tmp_path)

    np.testing.assert_allclose(values(grid, "z"), positions)
    assert grid.attrs["is_regular"] is False
