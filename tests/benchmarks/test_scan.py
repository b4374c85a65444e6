"""Headers of many files, of many frames, and where the frames lie."""

from __future__ import annotations

import os
from pathlib import Path

import dicomsdl
import fastdicom
import gdcm
import highdicom
import numpy as np
import pydicom
import pydicom.datadict
import pydicom.pixels
import pytest
import SimpleITK
from pydicom.encaps import parse_fragments

import xdicom
from benchmarks import inputs
from benchmarks.conftest import Race
from xdicom.export.catalog_store import read_catalog, write_catalog
from xdicom.index.catalog import Catalog
from xdicom.model.columns import Column
from xdicom.model.frames import FrameTable, InstanceTable, concatenate_frames

FILES, FRAMES = 2000, 20_000
TAGS = (
    "SeriesInstanceUID", "SOPInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept",
    "WindowCenter", "WindowWidth", "InstanceNumber", "ContentTime", "Modality", "ImageType", "SliceThickness",
)  # fmt: skip


@pytest.mark.parametrize("layout", ["alike", "all different"])
def test_scan_of_a_folder(race: Race, tmp_path: Path, layout: str) -> None:
    paths = inputs.ct_series(tmp_path, FILES, 64, is_varied=layout != "alike")

    def by_pydicom() -> None:
        for path in paths:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            [header.get(tag) for tag in TAGS]

    def by_fastdicom() -> None:
        for path in paths:
            header = fastdicom.dcmread(path)
            [header.get(tag) for tag in TAGS]

    def by_dicomsdl() -> None:
        for path in paths:
            dicomsdl.open(path, 0x7FE00000).getValues(list(TAGS))

    def by_gdcm() -> None:
        held = gdcm.Scanner.New()
        scanner = held.__ref__()
        for tag in TAGS:
            scanner.AddTag(gdcm.Tag(*divmod(pydicom.datadict.tag_for_keyword(tag), 1 << 16)))
        scanner.Scan(paths)

    def by_simpleitk() -> None:
        reader = SimpleITK.ImageFileReader()
        for path in paths:
            reader.SetFileName(path)
            reader.ReadImageInformation()

    def bare() -> None:
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            os.pread(descriptor, 8192, 0)
            os.close(descriptor)

    def listed() -> None:
        for entry in os.scandir(tmp_path):
            entry.stat()

    wanted = {"pydicom": 30, "fastdicom": 2.5, "open, pread, close": 4} if layout == "alike" else {"pydicom": 12}
    race(
        f"Scan of {FILES:,} CT files, {layout}",
        lambda: xdicom.scan(tmp_path),
        peers={"fastdicom": by_fastdicom, "dicomsdl": by_dicomsdl, "gdcm": by_gdcm, "pydicom": by_pydicom, "SimpleITK": by_simpleitk},
        limits={"open, pread, close": bare, "scandir, stat": listed},
        per=FILES,
        unit="µs a file",
        wanted=wanted,
    )

    assert len(xdicom.scan(tmp_path).frames) == FILES


@pytest.mark.parametrize("lengths", ["defined", "undefined"])
def test_functional_groups(race: Race, tmp_path: Path, lengths: str) -> None:
    path = inputs.enhanced_ct(tmp_path / "enhanced.dcm", FRAMES, is_undefined=lengths == "undefined")

    def by_pydicom() -> None:
        for group in pydicom.dcmread(path, stop_before_pixels=True).PerFrameFunctionalGroupsSequence:
            group.PlanePositionSequence[0].ImagePositionPatient  # noqa: B018 - to get it is the work
            group.FrameContentSequence[0].DimensionIndexValues  # noqa: B018

    def bare() -> None:
        with open(path, "rb", buffering=0) as file:
            file.read()

    race(
        f"Functional groups of {FRAMES:,} frames, {lengths} lengths, all columns",
        lambda: xdicom.scan(path),
        peers={
            "fastdicom": lambda: fastdicom.dcmread(path).get("PerFrameFunctionalGroupsSequence"),
            "highdicom": lambda: highdicom.imread(path, lazy_frame_retrieval=True),
            "pydicom": by_pydicom,
        },
        limits={"read of the file": bare},
        unit="ms",
        wanted={"pydicom": 60, "highdicom": 60, "fastdicom": 5},
    )

    frames = xdicom.scan(path).frames
    assert frames.numbers("in_stack_position_number").tolist() == list(range(1, FRAMES + 1))


@pytest.mark.parametrize("table", ["basic", "extended", "no"])
def test_offsets_of_frames(race: Race, tmp_path: Path, table: str) -> None:
    path = inputs.fragments(tmp_path / "frames.dcm", [bytes(498 + 2 * (i % 3)) for i in range(FRAMES)], table)
    pixels = pydicom.dcmread(path).PixelData

    def bare() -> None:
        with open(path, "rb", buffering=0) as file:
            data = file.read() if table == "no" else file.read(20 * FRAMES)
        np.frombuffer(data, "<u4", count=FRAMES)

    race(
        f"Scan of {FRAMES:,} fragments, {table} offset table",
        lambda: xdicom.scan(path),
        peers={"pydicom, the fragments alone": lambda: parse_fragments(pixels[8:] if table == "basic" else pixels)}
        if table == "no"
        else {},
        limits={"read of the file" if table == "no" else "read of the table": bare},
        unit="ms",
    )

    assert len(xdicom.scan(path).frames) == FRAMES


def in_one_file_each(frames: FrameTable, count: int) -> FrameTable:
    """`count` frames like these, each in a file of its own, with its own path, stamp and UID."""
    table, repeats = frames.instances, count // len(frames)
    columns = {name: Column(column.kind, column.values, np.tile(column.codes, repeats)) for name, column in table.columns.items()}
    uids = np.empty(count, object)
    uids[:] = [f"1.2.826.0.1.3680043.8.498.{10**36 + i}" for i in range(count)]
    columns["sop_instance_uid"] = Column("text", uids, np.arange(count, dtype=np.int32))
    instances = InstanceTable(
        urls=tuple(f"/data/study/{i // 1000:05d}/{i:07d}.dcm" for i in range(count)),
        sizes=np.tile(table.sizes, repeats),
        stamps=tuple(str(1_700_000_000_000_000_000 + i) for i in range(count)),
        encodings=table.encodings,
        encoding=np.tile(table.encoding, repeats),
        columns=columns,
    )
    numbers = np.arange(count, dtype=np.int32), np.ones(count, np.int32)
    return FrameTable(instances, *numbers, np.tile(frames.offset, repeats), np.tile(frames.length, repeats), {})


@pytest.mark.parametrize("files", [1000, 1_000_000])
def test_saved_catalog_of_a_million_frames(race: Race, tmp_path: Path, files: int) -> None:
    (tmp_path / "in").mkdir()
    if files == 1000:
        frames = xdicom.scan(inputs.enhanced_ct(tmp_path / "in" / "enhanced.dcm", 1000, is_undefined=False)).frames
        catalog = Catalog(concatenate_frames([frames] * 1000), (), (), files, 0)
    else:
        inputs.ct_series(tmp_path / "in", 100, 16)
        catalog = Catalog(in_one_file_each(xdicom.scan(tmp_path / "in").frames, files), (), (), files, 0)
    target = tmp_path / "catalog.zarr"
    write_catalog(catalog, target)
    stored = [path for path in target.rglob("*") if path.is_file()]

    race(
        f"Opening a saved catalog of 1,000,000 frames in {files:,} files",
        lambda: read_catalog(target),
        peers={"xdicom, saving it": lambda: write_catalog(catalog, tmp_path / "again.zarr")},
        limits={"read of its files": lambda: [path.read_bytes() for path in stored]},
        unit="ms",
        rounds=3,
    )

    assert len(read_catalog(target).frames) == 1_000_000
