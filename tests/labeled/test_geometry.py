"""Where voxels lie in the patient: the matrix follows every selection, and none is invented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import AXIAL, CORONAL, OBLIQUE, SAGITTAL, image_position, make_cine, make_ct, make_file, make_slices, phantom
from index.arranged import make_planes, repeated
from index.test_axes import each
from index.test_tiles import mosaic
from labeled.opened import opened
from xdicom.errors import InconsistentSeriesError
from xdicom.labeled.geometry import affine_of, orientation_of

ORIGIN, SPACING, STEP = (-10.0, -20.0), (0.7, 0.5), 2.5


@pytest.fixture(scope="module", params=[AXIAL, CORONAL, SAGITTAL, OBLIQUE], ids=["axial", "coronal", "sagittal", "oblique"])
def volume(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[xr.DataArray, tuple[float, ...]]:
    folder = tmp_path_factory.mktemp("volume")
    make_ct(folder, [STEP * i for i in range(6)], orientation=request.param, origin_mm=ORIGIN, pixel_spacing=SPACING, rows=7, columns=5)
    return opened(folder), request.param


def voxel(orientation: tuple[float, ...], column: float, row: float, slice_: float) -> list[float]:
    """Where a voxel lies in the patient."""
    return image_position(STEP * slice_, orientation, (ORIGIN[0] + SPACING[1] * column, ORIGIN[1] + SPACING[0] * row))


def test_an_index_becomes_the_place_of_its_voxel(volume: tuple[xr.DataArray, tuple[float, ...]]) -> None:
    array, orientation = volume

    matrix = affine_of(array)

    np.testing.assert_allclose((matrix @ [0, 0, 0, 1])[:3], voxel(orientation, 0, 0, 0), atol=1e-6)
    np.testing.assert_allclose((matrix @ [3, 6, 5, 1])[:3], voxel(orientation, 3, 6, 5), atol=1e-6)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_matrix_follows_any_slicing(volume: tuple[xr.DataArray, tuple[float, ...]], data: st.DataObject) -> None:
    array, orientation = volume
    picked = {}
    for dim in ("z", "y", "x"):
        size = array.sizes[dim]
        start, step = data.draw(st.integers(0, size - 1)), data.draw(st.sampled_from([1, 2, -1, -2]))
        picked[dim] = np.arange(size)[start::step]
    part = array.isel({dim: indices.tolist() for dim, indices in picked.items()})

    matrix = affine_of(part)

    for i, j, k in [(0, 0, 0), (part.sizes["x"] - 1, part.sizes["y"] - 1, part.sizes["z"] - 1)]:
        expected = voxel(orientation, picked["x"][i], picked["y"][j], picked["z"][k])
        np.testing.assert_allclose((matrix @ [i, j, k, 1])[:3], expected, atol=1e-6)


def test_one_slice_of_many_keeps_its_place(volume: tuple[xr.DataArray, tuple[float, ...]]) -> None:
    array, orientation = volume

    np.testing.assert_allclose((affine_of(array.isel(z=4)) @ [2, 1, 0, 1])[:3], voxel(orientation, 2, 1, 4), atol=1e-6)


def test_the_matrix_in_ras_turns_the_first_two_axes(volume: tuple[xr.DataArray, tuple[float, ...]]) -> None:
    array, _ = volume

    np.testing.assert_allclose(affine_of(array, "RAS"), np.diag([-1, -1, 1, 1]) @ affine_of(array))


def tilted(folder: Path) -> xr.DataArray:
    shift = np.tan(np.radians(16.5))
    positions = [image_position(STEP * i, AXIAL, (ORIGIN[0], ORIGIN[1] + STEP * i * shift)) for i in range(6)]
    make_slices(
        folder, positions, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT", ImageOrientationPatient=list(AXIAL),
        PixelSpacing=list(SPACING),
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
    )  # fmt: skip
    return opened(folder)


@pytest.mark.parametrize("selection", [slice(None), slice(2, None), slice(None, None, -1), slice(4, 0, -2), slice(3, 4)])
def test_a_sheared_stack_keeps_its_places_after_slicing(tmp_path: Path, selection: slice) -> None:
    array = tilted(tmp_path)
    kept = np.arange(6)[selection]

    matrix = affine_of(array.isel(z=selection))

    for k in (0, len(kept) - 1):
        expected = [ORIGIN[0], ORIGIN[1] + STEP * kept[k] * np.tan(np.radians(16.5)), STEP * kept[k]]
        np.testing.assert_allclose((matrix @ [0, 0, k, 1])[:3], expected, atol=1e-6)


def test_one_slice_tells_no_step(tmp_path: Path) -> None:
    make_ct(tmp_path, [3.0])

    matrix = affine_of(opened(tmp_path))

    assert matrix[:3, 2].tolist() == [0, 0, 0]
    np.testing.assert_allclose(matrix[:3, 3], image_position(3.0))


def test_an_extra_axis_does_not_matter(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated([0.0, 2.0], 2), {"EchoTime": each([5, 10], 2)})

    array = opened(tmp_path)

    np.testing.assert_allclose(affine_of(array), affine_of(array.isel(echo_time=1)))
    np.testing.assert_allclose(affine_of(array)[:3, 2], [0, 0, 2])


def test_planes_of_a_mosaic_are_placed(tmp_path: Path) -> None:
    array = opened(mosaic(tmp_path / "a.dcm", 5, orientation=OBLIQUE))

    np.testing.assert_allclose((affine_of(array) @ [0, 0, 3, 1])[:3], image_position(5 + 3 * 3.6, OBLIQUE), atol=1e-6)


@pytest.mark.parametrize("positions", [[0.0, 1.0, 2.0, 5.0], [0.0, 1.0, 2.7, 4.0]])
def test_unevenly_spaced_slices_have_no_matrix(tmp_path: Path, positions: list[float]) -> None:
    make_ct(tmp_path, positions)

    with pytest.raises(InconsistentSeriesError, match="unevenly spaced"):
        affine_of(opened(tmp_path))


def test_an_uneven_selection_has_no_matrix(volume: tuple[xr.DataArray, tuple[float, ...]]) -> None:
    array, _ = volume

    with pytest.raises(InconsistentSeriesError, match="unevenly spaced"):
        affine_of(array.isel(z=[0, 1, 4]))


@pytest.mark.parametrize("dim", ["y", "x"])
def test_an_uneven_selection_of_rows_or_columns_has_no_matrix(volume: tuple[xr.DataArray, tuple[float, ...]], dim: str) -> None:
    array, _ = volume

    with pytest.raises(InconsistentSeriesError, match="unevenly"):
        affine_of(array.isel({dim: [0, 1, 4]}))


@pytest.mark.parametrize("is_cine", [True, False])
def test_what_has_no_place_in_the_patient_has_no_matrix(tmp_path: Path, is_cine: bool) -> None:
    if is_cine:
        make_cine(tmp_path / "a.dcm")
    else:
        make_file(tmp_path / "a.dcm", {"PixelSpacing": [1, 1]}, phantom(0))

    with pytest.raises(InconsistentSeriesError, match="no place in the patient"):
        affine_of(opened(tmp_path))


def test_frames_on_a_flat_axis_have_no_matrix(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 10, 30, 0, 30, 0, 30], {"EchoTime": [20, 20, 20, 40, 40, 60, 60]})

    with pytest.raises(InconsistentSeriesError, match="z is no axis"):
        affine_of(opened(tmp_path))


@pytest.mark.parametrize(("orientation", "letters"), [(AXIAL, "LPS"), (CORONAL, "LIP"), (SAGITTAL, "PIR"), (OBLIQUE, "LSA")])
def test_letters_say_where_the_axes_point(tmp_path: Path, orientation: tuple[float, ...], letters: str) -> None:
    make_ct(tmp_path, [0.0, 1.0], orientation=orientation)

    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    names = [("L", "R"), ("P", "A"), ("S", "I")]
    expected = "".join(names[int(np.argmax(np.abs(v)))][int(v[np.argmax(np.abs(v))] < 0)] for v in (row, column, np.cross(row, column)))
    assert orientation_of(opened(tmp_path)) == expected == letters


def test_letters_need_an_orientation(tmp_path: Path) -> None:
    with pytest.raises(InconsistentSeriesError, match="no orientation"):
        orientation_of(opened(make_cine(tmp_path / "a.dcm")))


@pytest.mark.parametrize("position", ["HFP", "FFS", "FFDL", None])
def test_the_position_of_the_patient_turns_nothing(tmp_path: Path, position: str | None) -> None:
    make_ct(tmp_path / "a", PatientPosition="HFS")
    make_ct(tmp_path / "b", PatientPosition=position)

    np.testing.assert_array_equal(affine_of(opened(tmp_path / "b")), affine_of(opened(tmp_path / "a")))
