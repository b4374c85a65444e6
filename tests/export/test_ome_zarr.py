"""OME-Zarr images: what they say, where their voxels lie, and what other readers make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import xdicom
from builders import AXIAL, CORONAL, OBLIQUE, make_ct, make_pet
from export.conftest import open_ct
from xdicom import InconsistentSeriesError, SourceError
from xdicom.export.ome_levels import plan_levels, reduced


def write(array: xr.DataArray, store: Any = None, **options: Any) -> zarr.Group:
    store = MemoryStore() if store is None else store
    array.dicom.to_ome_zarr(store, progress=False, **options)
    return zarr.open_group(store, mode="r")


def image(group: zarr.Group) -> Mapping[str, Any]:
    return group.attrs["ome"]["multiscales"][0]


def places(group: zarr.Group) -> list[tuple[list[float], list[float]]]:
    """Scale and translation of each level."""
    return [
        (d["coordinateTransformations"][0]["scale"], d["coordinateTransformations"][1]["translation"]) for d in image(group)["datasets"]
    ]


def test_axes_are_in_millimetres(tmp_path: Path) -> None:
    group = write(open_ct(tmp_path / "ct", 3))

    assert [(axis["name"], axis["type"], axis["unit"]) for axis in image(group)["axes"]] == [(n, "space", "millimeter") for n in "zyx"]
    assert places(group) == [([2.5, 0.7, 0.5], [0.0, -20.0, -10.0])]


def test_voxels_of_every_level_lie_in_the_middle_of_those_they_are_made_of(tmp_path: Path) -> None:
    group = write(open_ct(tmp_path / "ct", 8, pixel_spacing=(2.0, 2.0)), levels=3)

    assert places(group) == [
        ([2.5, 2.0, 2.0], [0.0, -20.0, -10.0]),
        ([5.0, 4.0, 4.0], [1.25, -19.0, -9.0]),
        ([10.0, 8.0, 8.0], [3.75, -17.0, -7.0]),
    ]
    for level in range(3):
        labelled = xr.open_zarr(group.store, group=f"scale{level}")["stored_values"]
        scale, translation = places(group)[level]
        affine = labelled.dicom.affine
        np.testing.assert_allclose(np.diag(affine)[:3], scale[::-1])
        np.testing.assert_allclose(affine[:3, 3], translation[::-1])


def test_each_level_is_the_mean_of_the_one_before(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 5, pixel_spacing=(2.0, 2.0), rows=9, columns=7)
    group = write(ct, levels=2, chunks={"y": 4, "x": 4}, shards={"z": 2, "y": 4, "x": 4})

    padded = np.pad(ct.values, [(0, 1)] * 3, mode="edge").astype(float)
    expected = np.rint(padded.reshape(3, 2, 5, 2, 4, 2).mean(axis=(1, 3, 5)))
    np.testing.assert_array_equal(group["scale0/stored_values"][:], ct)
    np.testing.assert_array_equal(group["scale1/stored_values"][:], expected)


def test_thick_slices_are_not_averaged() -> None:
    assert plan_levels({"z": 50, "y": 512, "x": 512}, {"z": 5.0, "y": 0.5, "x": 0.5}) == [{"y": 2, "x": 2}] * 2


def test_axes_along_the_patient_have_their_orientation(tmp_path: Path) -> None:
    axial = write(open_ct(tmp_path / "axial", 3, orientation=AXIAL))
    coronal = write(open_ct(tmp_path / "coronal", 3, orientation=CORONAL))
    oblique = write(open_ct(tmp_path / "oblique", 3, orientation=OBLIQUE))

    def words(group: zarr.Group) -> list[str | None]:
        return [axis.get("orientation", {}).get("value") for axis in image(group)["axes"]]

    assert words(axial) == ["inferior-to-superior", "anterior-to-posterior", "right-to-left"]
    assert words(coronal) == ["anterior-to-posterior", "superior-to-inferior", "right-to-left"]
    assert words(oblique) == [None, None, None]


def test_the_affine_is_there_for_what_axes_do_not_say(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3, orientation=OBLIQUE)

    place = write(ct).attrs["xdicom"]

    np.testing.assert_allclose(place["affine_lps_mm"], ct.dicom.affine)
    assert place["orientation"] == ct.dicom.orientation


def test_an_axis_that_was_turned_around_keeps_a_positive_scale(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3)

    group = write(ct[::-1])

    assert image(group)["axes"][0]["orientation"]["value"] == "superior-to-inferior"
    assert places(group)[0] == ([2.5, 0.7, 0.5], [-5.0, -20.0, -10.0])


def test_the_window_of_the_header_is_in_the_values_of_the_array(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3, windows=[(40, 400)], intercept=-1024)

    def window(group: zarr.Group) -> tuple[float, float]:
        found = group.attrs["ome"]["omero"]["channels"][0]["window"]
        assert found["min"] <= found["start"] < found["end"] <= found["max"]
        return found["start"], found["end"]

    assert window(write(ct)) == (864.0, 1264.0)
    assert window(write(ct.dicom.to_modality())) == (-160.0, 240.0)


def test_without_a_window_the_values_tell_one() -> None:
    values = np.linspace(0, 1000, 64 * 64).reshape(1, 64, 64)
    values[0, 0, 0] = 1e6
    array = xr.DataArray(values, dims=("z", "y", "x"), name="modality_values")

    window = write(array).attrs["ome"]["omero"]["channels"][0]["window"]

    assert 900 < window["end"] < 1000
    assert window["max"] == 1e6


def test_colour_samples_are_channels(testdata: Path) -> None:
    cine = xdicom.open_series(testdata / "us_cine.dcm")

    group = write(cine)

    assert [axis["name"] for axis in image(group)["axes"]] == ["t", "c", "y", "x"]
    assert [channel["color"] for channel in group.attrs["ome"]["omero"]["channels"]] == ["FF0000", "00FF00", "0000FF"]
    assert places(group)[0][0] == [0.04, 1.0, 1.0, 1.0]
    np.testing.assert_array_equal(group["scale0/stored_values"][:], cine.transpose("time", "sample", "y", "x"))


def test_luminance_and_colour_differences_are_no_channels(tmp_path: Path) -> None:
    array = xr.DataArray(
        np.zeros((2, 2, 3), np.uint8), dims=("y", "x", "sample"), attrs={"photometric_interpretation": "YBR_FULL"}, name="stored_values"
    )

    with pytest.raises(ValueError, match=r"YBR_FULL: write \.dicom\.to_rgb"):
        write(array)


def test_echoes_are_channels(testdata: Path) -> None:
    group = write(xdicom.open_series(testdata / "mr_enhanced.dcm"))

    assert [axis["name"] for axis in image(group)["axes"]] == ["c", "z", "y", "x"]
    assert [channel["label"] for channel in group.attrs["ome"]["omero"]["channels"]] == ["15 ms", "45 ms", "90 ms"]


def test_more_dimensions_than_there_are_are_refused(volume: xr.DataArray) -> None:
    with pytest.raises(ValueError, match="time, coil, echo, z, y, x are more"):
        write(volume.expand_dims("coil").transpose("time", "coil", "echo", "z", "y", "x"))


def test_uneven_slices_are_refused(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [0.0, 2.5, 7.5])
    array = xdicom.open_series(tmp_path / "ct")

    with pytest.raises(InconsistentSeriesError, match="unevenly spaced"):
        write(array)


def test_stored_values_of_slices_with_their_own_slopes_are_not_averaged(tmp_path: Path) -> None:
    make_pet(tmp_path / "pet", slopes=[0.5, 1.5, 2.5, 3.0], spacing_mm=2.0)
    pet = xdicom.open_series(tmp_path / "pet")

    with pytest.raises(InconsistentSeriesError, match=r"write \.dicom\.to_modality"):
        write(pet, levels=2)
    assert len(places(write(pet.dicom.to_modality(), levels=2))) == 2


def test_names_have_no_mean() -> None:
    labels = np.array([[1, 1, 7, 7], [1, 1, 7, 9]], np.uint8)
    array = xr.DataArray(
        labels, dims=("y", "x"), coords={"y": [0.0, 1.0], "x": np.arange(4.0)}, attrs={"modality": "SEG"}, name="stored_values"
    )

    group = write(array, levels=2)

    np.testing.assert_array_equal(group["scale1/stored_values"][:], [[1, 7]])
    assert image(group)["type"] == "nearest"
    assert places(group)[1] == ([2.0, 2.0], [0.0, 0.0])


def test_means_of_floats_leave_out_nan() -> None:
    np.testing.assert_array_equal(reduced(np.array([1.0, np.nan, np.nan, np.nan, 5.0]), (2,), "mean"), [1.0, np.nan, 5.0])


def test_an_existing_store_is_not_touched(ct: xr.DataArray, tmp_path: Path) -> None:
    write(ct, tmp_path / "image.zarr")

    with pytest.raises(SourceError, match="something at"):
        write(ct, tmp_path / "image.zarr")


@pytest.mark.parametrize("name", ["ct", "pet", "mr_enhanced.dcm", "us_cine.dcm", "palette.dcm"])
def test_ome_zarr_models_accepts_the_image(testdata: Path, name: str) -> None:
    image_v05 = pytest.importorskip("ome_zarr_models.v05.image", reason="ome-zarr-models is not installed")

    group = write(xdicom.open_series(testdata / name), levels=1 if name == "pet" else "auto")

    assert len(image_v05.Image.from_zarr(group).ome_attributes.multiscales[0].datasets) == len(places(group))


@pytest.mark.parametrize("name", ["ct", "pet", "mr_enhanced.dcm", "us_cine.dcm", "palette.dcm"])
def test_ngff_zarr_reads_the_image(testdata: Path, tmp_path: Path, name: str) -> None:
    ngff_zarr = pytest.importorskip("ngff_zarr", reason="ngff-zarr is not installed")
    pytest.importorskip("jsonschema", reason="jsonschema, with which ngff-zarr validates, is not installed")
    array = xdicom.open_series(testdata / name)
    group = write(array, tmp_path / "image.zarr", levels=1 if name == "pet" else "auto")

    read = ngff_zarr.from_ngff_zarr(tmp_path / "image.zarr", validate=True)

    for level, (scale, translation) in zip(read.images, places(group), strict=True):
        assert list(level.scale.values()) == scale
        assert list(level.translation.values()) == translation
    np.testing.assert_array_equal(np.asarray(read.images[0].data), group["scale0/stored_values"][:])


@pytest.mark.parametrize("name", ["ct", "us_cine.dcm", "mr_enhanced.dcm"])
def test_ome_zarr_py_reads_the_image(testdata: Path, tmp_path: Path, name: str) -> None:
    ome_zarr = pytest.importorskip("ome_zarr", reason="ome-zarr is not installed")
    pytest.importorskip("ome_zarr.reader")
    pytest.importorskip("ome_zarr.io")
    group = write(xdicom.open_series(testdata / name), tmp_path / "image.zarr")

    (node,) = ome_zarr.reader.Reader(ome_zarr.io.parse_url(str(tmp_path / "image.zarr")))()

    assert [(t[0]["scale"], t[1]["translation"]) for t in node.metadata["coordinateTransformations"]] == places(group)
    assert [axis["name"] for axis in node.metadata["axes"]] == [axis["name"] for axis in image(group)["axes"]]
    assert len(node.data) == len(places(group))
    for level, dataset in zip(node.data, image(group)["datasets"], strict=True):
        np.testing.assert_array_equal(np.asarray(level), group[dataset["path"]][:])


def test_an_interrupted_image_is_completed_level_by_level(tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    ct, store = open_ct(tmp_path / "ct", 12), tmp_path / "ct.zarr"
    options: dict[str, Any] = {"levels": 3, "shards": {"z": 2}, "progress": False}
    ct.dicom.to_ome_zarr(store, **options)
    whole = contents(store)
    for path in ("scale0/stored_values/c/3/0/0", "scale1/stored_values/c/1/0/0", "scale2/stored_values/zarr.json", "zarr.json"):
        (store / path).unlink()
    (store / "scale2" / "zarr.json").unlink()
    kept = {path: path.stat().st_ino for path in store.rglob("c/*/0/0") if "scale2" not in str(path)}

    written = ct.dicom.to_ome_zarr(store, resume=True, **options)

    assert contents(store) == whole
    assert {path: path.stat().st_ino for path in kept} == kept
    assert (written.blocks, written.kept) == (1 + 1 + 6, 5 + 5)


def test_an_image_of_another_series_is_not_taken_up(tmp_path: Path) -> None:
    open_ct(tmp_path / "ct", 3).dicom.to_ome_zarr(tmp_path / "ct.zarr", progress=False)

    with pytest.raises(SourceError, match="of another array"):
        open_ct(tmp_path / "other", 3).dicom.to_ome_zarr(tmp_path / "ct.zarr", resume=True, progress=False)
