"""Frames: one of many, all of a series, and what decoding costs above the codec."""

from __future__ import annotations

import os
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
from pydicom.encaps import generate_frames

import xdicom
from benchmarks import inputs
from benchmarks.conftest import Race
from xdicom.model.encoding import PixelEncoding
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


@pytest.mark.parametrize("opening", [False, True], ids=["opened", "opening"])
def test_a_whole_series(race: Race, tmp_path: Path, opening: bool) -> None:
    count = 100
    paths = inputs.ct_series(tmp_path, count, ROWS)
    series = xdicom.open_series(tmp_path)
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

    def ours() -> None:
        (xdicom.open_series(tmp_path) if opening else series).data.compute()

    block = bare()
    race(
        f"{count} CT files to one array, {'opened before' if not opening else 'opening included'}",
        ours,
        peers={
            "dicomsdl": by_dicomsdl,
            "pydicom": lambda: np.stack([pydicom.dcmread(path).pixel_array for path in paths]),
            "SimpleITK": by_simpleitk,
        },
        limits={"preadv into an array": bare, "memcpy": copy},
        per=count,
        unit="ms a frame",
        wanted={} if opening else {"preadv into an array": 1.5},
    )

    assert series.shape == (count, ROWS, ROWS)


CODECS = {
    "RLE": ("1.2.840.10008.1.2.5", None),
    "JPEG Lossless SV1": ("1.2.840.10008.1.2.4.70", imagecodecs.ljpeg_decode),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", imagecodecs.jpegls_decode),
    "JPEG 2000": ("1.2.840.10008.1.2.4.90", imagecodecs.jpeg2k_decode),
    "HTJ2K": ("1.2.840.10008.1.2.4.201", imagecodecs.htj2k_decode),
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

    race(
        f"Decoding a 512x512 frame, {name}",
        ours,
        peers={"pydicom": by_pydicom} if pydicom.pixels.get_decoder(uid).is_available else {},
        limits={"memcpy" if name == "uncompressed" else "imagecodecs": by_imagecodecs},
        per=8,
        unit="ms a frame",
        wanted={"memcpy" if name == "uncompressed" else "imagecodecs": 1.5 if name == "uncompressed" else 1.1},
    )

    assert np.array_equal(decode_frame(item, encoding), frame)
    assert byte_order(encoding) == "<"
