"""Real series, written and read again, by xdicom and by others; what is not the same is listed with its reason."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from real_series import SEGMENTATIONS, arrays_of
from xdicom.export.dicom_files import write_dicom
from xdicom.export.dicom_kept import OWN, WHOLE
from xdicom.labeled import origins

NOT_COMPARED = {
    "sop_instance_uid",
    "sop_instance_occurrence",
    "frame_number",
    "instance_number",
    "source_sop_instance_uid",
    "slice_time",
    "b_value_actual",
}
"""Coordinates that are new (identities, and references to sources), or that only vendors' elements state of tiles in a mosaic or grid
(slice_time, b_value_actual), which say nothing of one tile alone."""
NO_LONGER_STATED = re.compile(r"Module=<(MRPulseSequence|BulkMotionSynchronization)>|Illegal root for UID")
"""What dciodvfy says of images that are derived, or of UIDs that the source has: the standard allows those elements since 2013
("may be present otherwise", PS3.3 C.8.13.4), and a wrong UID stays wrong where it is referred to."""
UNCOMPRESSED = ("ct_3slice_ge", "ct_tilt_philips_subset", "dwi_philips_4b", "pet_ge_crop", "mr_prone_siemens_subset", "mosaic_siemens_nih")

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def assert_same(again: xr.DataArray, array: xr.DataArray) -> None:
    """Values, places, axes and what values mean are the same."""
    assert again.dims == array.dims
    again, array = again.compute(), array.compute()
    np.testing.assert_array_equal(again.values, array.values)
    for name in set(map(str, array.coords)) - NOT_COMPARED:
        assert again[name].dims == array[name].dims
        if array[name].dtype.kind in "iuf":
            np.testing.assert_allclose(again[name].values, array[name].values, rtol=1e-6, atol=1e-6)
        elif array[name].dtype.kind in "OU" and name not in ("image_type", "frame_type"):
            np.testing.assert_array_equal(again[name].values, array[name].values)
    if "affine" in array.attrs:
        np.testing.assert_allclose(again.attrs["affine"], array.attrs["affine"], atol=1e-5)
    if array.attrs["samples_per_pixel"] == 1 and array.attrs["photometric_interpretation"] != "PALETTE COLOR":
        np.testing.assert_array_equal(again.dicom.to_modality().values, array.dicom.to_modality().values)
        np.testing.assert_array_equal(again.dicom.to_display().values, array.dicom.to_display().values)
    else:
        np.testing.assert_array_equal(again.dicom.to_rgb().values, array.dicom.to_rgb().values)


def test_every_series_comes_back(corpus: Path, tmp_path: Path) -> None:
    count = 0
    for folder in sorted((corpus / "series").iterdir()):
        for array in arrays_of(folder):
            if array.attrs["sop_class_uid"] in SEGMENTATIONS:
                continue
            target = tmp_path / str(count)
            write_dicom(array, target, progress=False)
            assert_same(xdicom.open_series(target), array)
            shutil.rmtree(target)
            count += 1

    assert count > 70


def test_every_series_comes_back_from_a_store_alone(corpus: Path, tmp_path: Path) -> None:
    count = 0
    for folder in sorted((corpus / "series").iterdir()):
        for array in list(arrays_of(folder)):
            if array.attrs["sop_class_uid"] in SEGMENTATIONS:
                continue
            store, target = tmp_path / f"{count}.zarr", tmp_path / str(count)
            array.dicom.keep_headers().dicom.to_zarr(store, progress=False)
            known = dict(origins._tables)
            origins._tables.clear()
            stored = xr.open_zarr(store)["stored_values"]
            write_dicom(stored, target, progress=False)
            origins._tables.update(known)
            assert_same(xdicom.open_series(target), stored.drop_vars([WHOLE, OWN]))
            shutil.rmtree(store)
            shutil.rmtree(target)
            count += 1

    assert count > 70


def test_values_and_places_come_back_from_labels_alone(corpus: Path, tmp_path: Path) -> None:
    modality_needs = {
        "MR": {"ScanningSequence": "RM", "SequenceVariant": "NONE"},
        "PT": {"FrameReferenceTime": 0, "ActualFrameDuration": 1},
    }
    count = 0
    for folder in sorted((corpus / "series").iterdir()):
        for array in arrays_of(folder):
            if array.attrs["modality"] not in ("CT", "MR", "PT") or array.attrs["samples_per_pixel"] > 1:
                continue
            store, target = tmp_path / f"{count}.zarr", tmp_path / str(count)
            array.dicom.to_zarr(store, progress=False)
            stored = xr.open_zarr(store)["stored_values"]
            origins._tables.clear()
            needs = {"FrameOfReferenceUID": "1.2.3"} if "frame_of_reference_uid" not in stored.attrs else {}
            write_dicom(stored, target, progress=False, attributes={**modality_needs.get(array.attrs["modality"], {}), **needs})
            again, stored = xdicom.open_series(target).compute(), stored.compute()
            assert again.dims == stored.dims
            np.testing.assert_array_equal(again.values, stored.values)
            for name in set(stored.dims) & set(stored.coords):
                np.testing.assert_allclose(again[name].values, stored[name].values, atol=1e-5)
            np.testing.assert_array_equal(again.dicom.to_modality().values, stored.dicom.to_modality().values)
            shutil.rmtree(store)
            shutil.rmtree(target)
            count += 1

    assert count > 65


def test_dciodvfy_finds_no_error_that_the_source_has_not(corpus: Path, tmp_path: Path, errors_of: Callable[[Path], set[str]]) -> None:
    for number, folder in enumerate(sorted((corpus / "series").iterdir())):
        for i, array in enumerate(arrays_of(folder)):
            if array.attrs["sop_class_uid"] in SEGMENTATIONS:
                continue
            target = tmp_path / f"{number}-{i}"
            write_dicom(array, target, progress=False)
            found = origins.locate_frames(array)
            assert found is not None
            frames, rows = found
            files = sorted(target.iterdir())
            ends = (0, -1) if len(files) == rows.size > 1 else (0,)
            for end in ends:
                source = frames.instances.urls[frames.instance[rows.flat[end]]].removeprefix("file://")
                new = errors_of(files[end]) - errors_of(Path(source))
                assert {error for error in new if not NO_LONGER_STATED.search(error)} == set()


@pytest.mark.parametrize("name", UNCOMPRESSED)
def test_simpleitk_reads_the_same_volume(name: str, corpus: Path, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    array = next(arrays_of(corpus / "series" / name))
    volume = array.isel({dim: 0 for dim in array.dims if dim not in ("z", "y", "x")}).sortby("z")

    write_dicom(volume, tmp_path / "out", progress=False)

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(tmp_path / "out" / f"{i + 1:05d}.dcm") for i in range(volume.sizes["z"])])
    image = reader.Execute()
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), volume.dicom.to_modality().values, rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), volume.dicom.affine[:3, 3], atol=1e-4)
    np.testing.assert_allclose(image.GetSpacing()[:2], np.linalg.norm(volume.dicom.affine[:3, :2], axis=0), rtol=1e-5)
