"""What is written from real series means the same to other readers: pydicom, GDCM, SimpleITK and dcm2niix."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from real_series import SEGMENTATIONS, arrays_of
from xdicom.export.dicom_files import write_dicom
from xdicom.export.dicom_planes import arranged, planes_of

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

NO_PLACE_IN_GDCM = {"1.2.840.10008.5.1.4.1.1.7"}
"""SOP classes of which GDCM reads no geometry, whatever the file says (Secondary Capture)."""
PUT_TOGETHER = {"dicomdir_fileset_tiny"}
"""Series of which dcm2niix makes other volumes: two scouts of two directions that it stacks, and that are two series when written."""
CHILD = """
import hashlib, json, sys
import numpy as np
for path in sys.argv[2:]:
    if sys.argv[1] == "gdcm":
        import gdcm
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        assert reader.Read()
        image = reader.GetImage()
        digest = hashlib.sha256(image.GetBuffer().encode("utf-8", "surrogateescape")).hexdigest()
        origin, rows = [image.GetOrigin(i) for i in range(3)], [image.GetDirectionCosines(i) for i in range(6)]
        spacing = [image.GetSpacing(i) for i in range(2)]
    else:
        import SimpleITK
        image = SimpleITK.ReadImage(path)
        np.save(path + ".npy", SimpleITK.GetArrayFromImage(image))
        digest, origin, spacing = "", list(image.GetOrigin()), list(image.GetSpacing()[:2])
        rows = np.array(image.GetDirection()).reshape(3, 3)[:, :2].T.ravel().tolist() if image.GetDimension() == 3 else []
    print(json.dumps([digest, origin, rows, spacing]))
"""
"""A process of its own: GDCM may end the one that it is in."""


def answers(library: str, files: list[Path]) -> list[list[object]]:
    """What a library reads of each file."""
    done = subprocess.run([sys.executable, "-c", CHILD, library, *map(str, files)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def ends_of(array: xr.DataArray, folder: Path) -> tuple[list[Path], list[np.ndarray], list[int]]:
    """First and last file of an array, the stored values in each, and the number of its first plane."""
    write_dicom(array, folder, progress=False)
    files = sorted(folder.iterdir())
    planes = array.values.reshape(-1, *array.shape[array.ndim - (3 if "sample" in array.dims else 2) :])
    if len(files) == len(planes):
        chosen = sorted({0, len(files) - 1})
        return [files[i] for i in chosen], [planes[i] for i in chosen], chosen
    parts = planes.reshape(len(files), -1, *planes.shape[1:]) if array.dims[0] == "time" or len(files) == 1 else None
    if parts is None:
        return [], [], []
    return [files[0], files[-1]], [parts[0], parts[-1]], []


@pytest.mark.parametrize("part", range(3))
def test_pydicom_gdcm_and_simpleitk_read_the_same_pixels_and_geometry(part: int, corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("gdcm")
    pytest.importorskip("SimpleITK")
    count = 0
    for number, folder in enumerate(sorted((corpus / "series").iterdir())):
        if number % 3 != part:
            continue
        for i, opened in enumerate(arrays_of(folder)):
            if opened.attrs["sop_class_uid"] in SEGMENTATIONS:
                continue
            array = arranged(opened)
            files, values, rows = ends_of(array, tmp_path / f"{number}-{i}")
            place = planes_of(array)
            for file, value in zip(files, values, strict=True):
                np.testing.assert_array_equal(pydicom.dcmread(file).pixel_array.squeeze(), value.squeeze())
            for library in ("gdcm", "SimpleITK"):
                for at, (digest, origin, direction, spacing) in enumerate(answers(library, files)):
                    if library == "gdcm":
                        assert digest == hashlib.sha256(np.ascontiguousarray(values[at]).tobytes()).hexdigest()
                    elif array.attrs["photometric_interpretation"] == "MONOCHROME2" and rows and "modality_lut" not in array.attrs:
                        modality = array.dicom.to_modality().values.reshape(-1, *array.shape[-2:])[rows[at]]
                        np.testing.assert_allclose(np.load(f"{files[at]}.npy").squeeze(), modality, rtol=1e-5, atol=1e-4)
                    if not rows or place.positions_mm is None or (library == "gdcm" and array.attrs["sop_class_uid"] in NO_PLACE_IN_GDCM):
                        continue
                    np.testing.assert_allclose(origin, place.positions_mm[rows[at]], atol=1e-3)
                    np.testing.assert_allclose(spacing, place.spacing_mm[::-1], rtol=1e-4)
                    if direction:
                        np.testing.assert_allclose(direction, place.orientation, atol=1e-3)
            count += 1

    assert count > 10


def volumes(folder: Path, target: Path) -> list[tuple[tuple[int, ...], str, np.ndarray]]:
    """What dcm2niix makes of a folder: shape, digest of the values, affine; without the copies that it resamples."""
    dcm2niix, nibabel = pytest.importorskip("dcm2niix"), pytest.importorskip("nibabel")
    target.mkdir()
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-w", "1", "-f", "%j_%p_%s_%t", "-o", str(target), str(folder)]
    subprocess.run(command, capture_output=True, check=False)
    found = []
    for path in sorted(target.glob("*.nii")):
        if "_Tilt_" in path.name or "_Eq_" in path.name:
            continue
        image = nibabel.load(path)
        is_color = image.get_data_dtype().names is not None
        values = np.asarray(image.dataobj) if is_color else image.get_fdata(dtype=np.float32)
        values = np.ascontiguousarray(values.transpose())
        found.append((values.shape, hashlib.sha256(values.tobytes()).hexdigest(), image.affine))
    return sorted(found, key=lambda each: each[:2])


def without_segmentations(folder: Path, links: Path) -> Path:
    """`folder`, or one of links to its files but for segmentations, which are no arrays that are written back."""
    catalog = xdicom.scan(folder)
    kinds = catalog.frames.column("sop_class_uid").texts()[np.unique(catalog.frames.instance, return_index=True)[1]]
    if not set(kinds) & SEGMENTATIONS:
        return folder
    links.mkdir()
    for number, (url, kind) in enumerate(zip(catalog.frames.instances.urls, kinds, strict=True)):
        if kind not in SEGMENTATIONS:
            (links / f"{number}.dcm").symlink_to(url)
    return links


@pytest.mark.parametrize("part", range(3))
def test_dcm2niix_makes_the_same_volumes(part: int, corpus: Path, tmp_path: Path) -> None:
    count = 0
    for number, folder in enumerate(sorted((corpus / "series").iterdir())):
        if number % 3 != part or folder.name in PUT_TOGETHER:
            continue
        arrays = [array for array in arrays_of(folder) if array.attrs["sop_class_uid"] not in SEGMENTATIONS]
        for i, array in enumerate(arrays):
            write_dicom(array, tmp_path / folder.name / f"{i}", progress=False)
        sources = without_segmentations(folder, tmp_path / f"{folder.name}-sources")
        source = volumes(sources, tmp_path / f"{folder.name}-of-sources")
        # Each by itself: of an enhanced object behind single frames of another folder it makes floats by chance, of sources as well.
        apart = [volumes(tmp_path / folder.name / f"{i}", tmp_path / f"{folder.name}-{i}") for i in range(len(arrays))]
        result = sorted((each for found in apart for each in found), key=lambda each: each[:2])
        assert [each[:2] for each in result] == [each[:2] for each in source]
        for one, other in zip(result, source, strict=True):
            np.testing.assert_allclose(one[2], other[2], atol=0.02)
        count += 1

    assert count > 10
