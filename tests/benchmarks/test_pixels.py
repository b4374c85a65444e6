"""Frames: one of many, all of a series, and what decoding costs above the codec."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import dicomsdl
import highdicom
import imagecodecs
import numpy as np
import pydicom
import pydicom.datadict
import pydicom.pixels
import pytest
import SimpleITK
import xarray as xr
from dask.blockwise import Blockwise
from pydicom.encaps import generate_frames

import xdicom
from benchmarks import inputs
from benchmarks.conftest import Race
from xdicom.lazy.frames import read_block
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.codecs import has_safe_openjph
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.encode import encode_frame
from xdicom.pixels.samples import byte_order

ROWS = 512
FRAME = ROWS * ROWS * 2


def test_one_frame_of_many(race: Race, tmp_path: Path) -> None:
    frames = 200
    path = inputs.cine(tmp_path / "cine.dcm", frames, ROWS, pixels=np.stack([np.roll(inputs.thorax(), i, axis=0) for i in range(frames)]))
    array, image = xdicom.open_frames(path), highdicom.imread(path, lazy_frame_retrieval=True)
    start = os.path.getsize(path) - frames * FRAME
    out = np.empty((ROWS, ROWS), np.int16)

    def by_simpleitk() -> None:
        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(path)
        reader.ReadImageInformation()
        reader.SetExtractSize((ROWS, ROWS, 1))
        reader.SetExtractIndex((0, 0, 100))
        reader.Execute()

    def bare() -> None:
        descriptor = os.open(path, os.O_RDONLY)
        os.preadv(descriptor, [out], start + 100 * FRAME)
        os.close(descriptor)

    race(
        f"One random frame of {frames}, uncompressed, through dask",
        lambda: array[100].compute(scheduler="synchronous"),
        peers={
            "pydicom": lambda: pydicom.pixels.pixel_array(path, index=100),
            "highdicom": lambda: image.get_stored_frame(101),
            "SimpleITK": by_simpleitk,
        },
        limits={"preadv into an array": bare},
        unit="ms",
    )

    bare()
    assert np.array_equal(array[100].compute(scheduler="synchronous"), out)


def test_one_tile_of_many(race: Race, tmp_path: Path) -> None:
    frames, rows = 20_000, 128
    stream = imagecodecs.jpegls_encode(inputs.thorax(rows).view(np.uint16))
    path = inputs.fragments(tmp_path / "tiles.dcm", [stream] * frames, "no", rows)
    array = xdicom.open_frames(path)

    race(
        f"One random tile of {frames:,}, JPEG-LS, no offset table, through dask",
        lambda: array[17_000].compute(scheduler="synchronous"),
        peers={"pydicom": lambda: pydicom.pixels.pixel_array(path, index=17_000)},
        limits={"imagecodecs": lambda: imagecodecs.jpegls_decode(stream)},
        unit="ms",
    )

    assert np.array_equal(array[17_000].compute(), inputs.thorax(rows))


def _opened_and_computed(folder: Path) -> np.ndarray:
    computed: np.ndarray = xdicom.open_series(folder).data.compute()
    return computed


def _in_one(folder: Path) -> np.ndarray:
    """All frames of a series in one array, without dask."""
    with xr.open_dataset(folder, engine="dicom") as dataset:
        values: np.ndarray = dataset["stored_values"].values
    return values


WAYS: dict[str, tuple[str, Callable[[Path], Callable[[], object]]]] = {
    "opening": ("a frame a task, opening included", lambda folder: partial(_opened_and_computed, folder)),
    "one": ("a frame a task", lambda folder: xdicom.open_series(folder).data.compute),
    "sixteen": ("16 frames a task", lambda folder: xdicom.open_series(folder, chunks={"z": 16}).data.compute),
    "whole": ("without dask, opening included", lambda folder: partial(_in_one, folder)),
}
"""What is raced, and how it is made of a folder."""


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_series(race: Race, tmp_path: Path, way: str) -> None:
    count = 100
    paths = inputs.ct_series(tmp_path, count, ROWS)
    title, make = WAYS[way]
    ours = make(tmp_path)
    starts = [os.path.getsize(path) - FRAME for path in paths]

    def by_dicomsdl() -> None:
        out = np.empty((count, ROWS, ROWS), np.int16)
        for i, path in enumerate(paths):
            dicomsdl.open(path).copyFrameData(0, out[i])

    def by_simpleitk() -> None:
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(paths)
        reader.Execute()

    def bare() -> np.ndarray:
        out = np.empty((count, ROWS, ROWS), np.int16)
        for i, path in enumerate(paths):
            descriptor = os.open(path, os.O_RDONLY)
            os.preadv(descriptor, [out[i].data.cast("B")], starts[i])
            os.close(descriptor)
        return out

    def copy() -> None:
        block.copy()

    block = bare()
    race(
        f"{count} CT files to one array, {title}",
        ours,
        peers={
            "dicomsdl": by_dicomsdl,
            "pydicom": lambda: np.stack([pydicom.dcmread(path).pixel_array for path in paths]),
            "SimpleITK": by_simpleitk,
        },
        limits={"preadv into an array": bare, "memcpy": copy},
        per=count,
        unit="ms a frame",
        wanted={"preadv into an array": 1.5} if way == "whole" else {"pydicom": 5.0},
    )

    assert xdicom.open_series(tmp_path).shape == (count, ROWS, ROWS)


def test_reading_blocks(race: Race, tmp_path: Path) -> None:
    count, size = 96, 16
    paths = inputs.ct_series(tmp_path, count, ROWS)
    series = xdicom.open_series(tmp_path, chunks={"z": size})
    blocks = [series.data.blocks[i] for i in range(count // size)]
    (layer,) = (layer for layer in series.data.dask.layers.values() if isinstance(layer, Blockwise))
    (cells,) = (dep.cells for dep in layer.io_deps.values() if hasattr(dep, "cells"))
    tasks = [cells.block((slice(i * size, (i + 1) * size),)) for i in range(len(blocks))]
    start = os.path.getsize(paths[0]) - FRAME

    def bare() -> None:
        for first in range(0, count, size):
            out = np.empty((size, ROWS, ROWS), np.int16)
            for i, path in enumerate(paths[first : first + size]):
                descriptor = os.open(path, os.O_RDONLY)
                os.preadv(descriptor, [out[i].data.cast("B")], start)
                os.close(descriptor)

    def ours() -> None:
        for task in tasks:
            read_block(task)

    race(
        f"What tasks of {size} uncompressed frames do, without dask",
        ours,
        peers={},
        limits={"preadv into new arrays": bare},
        per=count,
        unit="ms a frame",
        wanted={"preadv into new arrays": 1.5},
    )

    assert np.array_equal(read_block(tasks[0]), series[:size].values)


CODECS = {
    "RLE": ("1.2.840.10008.1.2.5", None),
    "JPEG Lossless SV1": ("1.2.840.10008.1.2.4.70", imagecodecs.ljpeg_decode),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_decode),
    "JPEG 2000": ("1.2.840.10008.1.2.4.90", imagecodecs.jpeg2k_decode),
    "HTJ2K": ("1.2.840.10008.1.2.4.201", imagecodecs.htj2k_decode if has_safe_openjph() else imagecodecs.jpeg2k_decode),
    "uncompressed": ("1.2.840.10008.1.2.1", None),
}


@pytest.mark.parametrize("name", CODECS)
def test_decoding_a_frame(race: Race, name: str) -> None:
    uid, decode = CODECS[name]
    encoding = PixelEncoding(uid, ROWS, ROWS, is_signed=True)
    frame = inputs.thorax()
    stream = encode_frame(frame, encoding) if name != "uncompressed" else frame.tobytes()
    item = b"\xfe\xff\x00\xe0" + len(stream).to_bytes(4, "little") + stream if encoding.is_encapsulated else stream
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID, ds.NumberOfFrames = uid, 1
    inputs._pixels(ds, ROWS, ROWS)
    ds.PixelData = pydicom.encaps.encapsulate([stream]) if encoding.is_encapsulated else stream
    assert not encoding.is_encapsulated or next(generate_frames(ds.PixelData, number_of_frames=1))[: len(stream)] == stream

    def by_imagecodecs() -> None:
        for _ in range(8):
            if decode:
                decode(stream)
            elif name == "RLE":
                imagecodecs.dicomrle_decode(stream, dtype="<i2")
            else:
                np.frombuffer(stream, "<i2").copy()

    def ours() -> None:
        for _ in range(8):
            decode_frame(item, encoding)

    def by_pydicom() -> None:
        for _ in range(8):
            pydicom.pixels.pixel_array(ds, raw=True)

    # Damaged streams can end the process in an older OpenJPH: there another codec is in use, and what that costs is shown.
    others = {} if name != "HTJ2K" or has_safe_openjph() else {"OpenJPH": lambda: [imagecodecs.htj2k_decode(stream) for _ in range(8)]}

    race(
        f"Decoding a 512x512 frame, {name}",
        ours,
        peers={"pydicom": by_pydicom} if pydicom.pixels.get_decoder(uid).is_available else {},
        limits={"memcpy" if name == "uncompressed" else "imagecodecs": by_imagecodecs, **others},
        per=8,
        unit="ms a frame",
        wanted={"memcpy" if name == "uncompressed" else "imagecodecs": 1.5 if name == "uncompressed" else 1.1},
    )

    assert np.array_equal(decode_frame(item, encoding), frame)
    assert byte_order(encoding) == "<"
