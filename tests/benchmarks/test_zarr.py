"""Zarr stores: what writing them costs, how large they are, and how they are read, next to DICOM and NIfTI."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

import xdicom
from benchmarks import inputs
from benchmarks.conftest import Race
from xdicom.export.references import references_of

COUNT, ROWS = 2_000, 512
FRAMES = 20_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CT series of 1 GB."""
    found = tmp_path_factory.mktemp("ct")
    inputs.ct_series(found, COUNT, ROWS)
    return found


@pytest.fixture(scope="module")
def ways(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same series as DICOM, as stores of both layouts, and as NIfTI."""
    ct, place = xdicom.open_series(folder), tmp_path_factory.mktemp("ways")
    found = {"DICOM": folder}
    for layout in ("frames", "volume"):
        found[f"Zarr, {layout}"] = place / f"{layout}.zarr"
        ct.dicom.to_zarr(found[f"Zarr, {layout}"], layout=layout, progress=False)
    image = nibabel.Nifti1Image(np.ascontiguousarray(ct.values.T), ct.dicom.to_affine("RAS"))
    for name, file in (("NIfTI", "ct.nii"), ("NIfTI, gzip", "ct.nii.gz")):
        found[name] = place / file
        nibabel.save(image, found[name])
    return found


@pytest.mark.parametrize("codecs", ["auto", "original"])
@pytest.mark.parametrize("count", [128, COUNT])
def test_export(race: Race, folder: Path, tmp_path: Path, codecs: str, count: int) -> None:
    ct = xdicom.open_series(sorted(folder.iterdir())[:count])
    block = ct.values

    def clean(name: str) -> Path:
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        return tmp_path / name

    def alone() -> None:
        target = zarr.create_array(
            clean("alone.zarr"),
            shape=block.shape,
            dtype=block.dtype,
            chunks=(1, ROWS, ROWS),
            shards=(64, ROWS, ROWS),
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle", typesize=2),
        )
        for start in range(0, count, 64):
            target[start : start + 64] = block[start : start + 64]

    def frame_by_frame() -> None:
        ct.drop_attrs().to_zarr(clean("xarray.zarr"), mode="w", consolidated=False)

    kind = "" if codecs == "auto" else ", frames as they lie"
    race(
        f"Export of {count:,} x {ROWS}x{ROWS} int16 to Zarr{kind}",
        lambda: ct.dicom.to_zarr(clean("ours.zarr"), codecs=codecs, progress=False),
        peers={
            "nibabel, .nii from memory": lambda: nibabel.save(nibabel.Nifti1Image(block, np.eye(4)), tmp_path / "a.nii"),
            "xarray's to_zarr, frame by frame": frame_by_frame,
        },
        limits={"zarr alone, from memory": alone},
        per=count,
        unit="ms a frame",
        wanted={"zarr alone, from memory": 1.3},
        rounds=3,
    )

    assert np.array_equal(xr.open_zarr(tmp_path / "ours.zarr")["stored_values"], block)


def test_references_to_many_frames(race: Race, tmp_path: Path) -> None:
    cine = xdicom.open_series(inputs.cine(tmp_path / "cine.dcm", FRAMES, 16))

    race(f"References to {FRAMES:,} frames", lambda: references_of(cine), peers={}, limits={}, unit="s")

    assert race.benchmark.stats.stats.median < 0.5
    assert (references_of(cine).length == 16 * 16 * 2).all()


def test_one_slice(race: Race, ways: dict[str, Path]) -> None:
    index = 1313

    def ours() -> np.ndarray:
        return np.asarray(xr.open_zarr(ways["Zarr, frames"])["stored_values"][index])

    series = xdicom.open_series(ways["DICOM"])
    race(
        f"One random slice of {COUNT:,}, opening the store included",
        ours,
        peers={
            "xdicom on DICOM, opening included": lambda: xdicom.open_series(ways["DICOM"])[index].values,
            "xdicom on DICOM, opened before": lambda: series[index].values,
            "Zarr, layout volume": lambda: xr.open_zarr(ways["Zarr, volume"])["stored_values"][index].values,
            "nibabel, .nii": lambda: np.array(nibabel.load(ways["NIfTI"]).dataobj[..., index]),
            "nibabel, .nii.gz": lambda: np.array(nibabel.load(ways["NIfTI, gzip"]).dataobj[..., index]),
        },
        limits={},
    )

    assert np.array_equal(ours(), series[index])


def test_a_cut_across(race: Race, ways: dict[str, Path]) -> None:
    def ours() -> np.ndarray:
        return np.asarray(xr.open_zarr(ways["Zarr, volume"])["stored_values"][:, 200])

    series = xdicom.open_series(ways["DICOM"])
    race(
        f"A coronal cut through {COUNT:,} slices, from layout volume",
        ours,
        peers={
            "Zarr, layout frames": lambda: xr.open_zarr(ways["Zarr, frames"])["stored_values"][:, 200].values,
            "xdicom on DICOM, opened before": lambda: series[:, 200].values,
            "nibabel, .nii": lambda: np.array(nibabel.load(ways["NIfTI"]).dataobj[:, 200]),
            "nibabel, .nii.gz": lambda: np.array(nibabel.load(ways["NIfTI, gzip"]).dataobj[:, 200]),
        },
        limits={},
        rounds=3,
    )

    assert np.array_equal(ours(), series[:, 200])


def test_all_of_it(race: Race, ways: dict[str, Path]) -> None:
    def ours() -> np.ndarray:
        return np.asarray(xr.open_zarr(ways["Zarr, frames"], chunks={"z": 64})["stored_values"])  # tasks of whole shards

    race(
        f"All {COUNT:,} slices",
        ours,
        peers={
            "xdicom on DICOM, opening included": lambda: xdicom.open_series(ways["DICOM"]).values,
            "Zarr, layout volume": lambda: xr.open_zarr(ways["Zarr, volume"], chunks={"z": 64, "y": -1, "x": -1})["stored_values"].values,
            "Zarr, layout frames, a task for each": lambda: xr.open_zarr(ways["Zarr, frames"])["stored_values"].values,
            "nibabel, .nii": lambda: np.array(nibabel.load(ways["NIfTI"]).dataobj),
            "nibabel, .nii.gz": lambda: np.array(nibabel.load(ways["NIfTI, gzip"]).dataobj),
        },
        limits={},
        per=COUNT,
        unit="ms a frame",
        rounds=3,
    )


def test_files_and_bytes(ways: dict[str, Path]) -> None:
    sizes = {}
    for name, path in ways.items():
        files = [file for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
        sizes[name] = len(files), sum(file.stat().st_size for file in files)
        print(f"{name}: {sizes[name][0]} files, {sizes[name][1] / 1e6:.1f} MB")  # noqa: T201 - shown with -s

    assert sizes["Zarr, frames"][0] < COUNT / 8
    assert sizes["Zarr, frames"][1] < sizes["DICOM"][1]
