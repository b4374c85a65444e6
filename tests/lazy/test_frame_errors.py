"""What can go wrong with a frame is said with its number and its file, when it is computed and not before."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from builders import TRANSFER_SYNTAXES, make_ct, make_file, phantom, phantoms
from index.arranged import only_grid
from lazy.imagined import frame_grid, imagined
from xdicom.errors import PixelDataError, SourceError, UnsupportedEncodingError
from xdicom.lazy.frames import frames_to_dask


def test_an_encoding_that_is_not_read_is_refused_at_once(tmp_path: Path) -> None:
    grid = imagined(2)
    (encoding,) = grid.frames.instances.encodings
    import dataclasses

    video = dataclasses.replace(encoding, transfer_syntax_uid=TRANSFER_SYNTAXES["mpeg2"])
    frames = dataclasses.replace(grid.frames, instances=dataclasses.replace(grid.frames.instances, encodings=(video,)))

    with pytest.raises(UnsupportedEncodingError):
        frames_to_dask(dataclasses.replace(grid, frames=frames))


@pytest.mark.parametrize("syntax", ["native", "rle", "jpegls"])
def test_a_truncated_file_gives_the_frames_it_has_and_an_error_for_the_rest(tmp_path: Path, syntax: str) -> None:
    path = make_file(tmp_path / "a.dcm", {}, phantoms(4, 32, 32, np.uint16), syntax)
    data = path.read_bytes()
    cut = len(data) - (1000 if syntax == "native" else 60)
    path.write_bytes(data[:cut])

    array = frames_to_dask(frame_grid(path))

    np.testing.assert_array_equal(array[:3].compute(), phantoms(3, 32, 32, np.uint16))
    with pytest.raises(PixelDataError, match="frame 4") as caught:
        array[3].compute()
    assert str(path) in str(caught.value)


def test_frames_that_are_declared_and_not_there_are_an_error_when_asked_for(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.dcm", {"NumberOfFrames": 5}, phantoms(3, 32, 32, np.uint16), "rle")

    array = frames_to_dask(frame_grid(path))

    assert array.shape[0] == 5
    np.testing.assert_array_equal(array[:3].compute(), phantoms(3, 32, 32, np.uint16))
    with pytest.raises(PixelDataError, match=r"no byte of it is there|frame 5"):
        array[4].compute()


def test_a_damaged_frame_is_named_with_its_file(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.dcm", {}, phantoms(2, 32, 32, np.uint16), "j2k")
    grid = frame_grid(path)
    data = bytearray(path.read_bytes())
    start = int(grid.frames.offset[1]) + 8
    data[start : start + 60] = bytes(60)
    path.write_bytes(data)

    with pytest.raises((PixelDataError, SourceError)) as caught:
        frames_to_dask(frame_grid(path))[1].compute()
    assert str(path) in str(caught.value)


def test_a_file_that_changed_since_it_was_scanned_is_refused(tmp_path: Path) -> None:
    import os

    (path,) = make_ct(tmp_path, [0.0], rows=32, columns=32)
    array = frames_to_dask(only_grid(tmp_path))
    path.write_bytes(path.read_bytes() + b"\0\0")
    os.utime(path, ns=(10**18, 10**18))

    with pytest.raises(SourceError, match="chang"):
        array.compute()


def test_a_file_that_went_away_is_refused(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0.0])
    array = frames_to_dask(only_grid(tmp_path))
    path.unlink()

    with pytest.raises(SourceError):
        array.compute()


def test_errors_come_home_from_another_process(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0.0])
    array = frames_to_dask(only_grid(tmp_path))
    path.unlink()

    with pytest.raises(SourceError):
        array.compute(scheduler="processes")


def test_a_short_native_frame_is_refused_before_room_is_made(tmp_path: Path) -> None:
    elements = {"Rows": 60_000, "Columns": 60_000}
    path = make_file(tmp_path / "a.dcm", elements, phantom(0))
    array = frames_to_dask(frame_grid(path))

    tracemalloc.start()
    with pytest.raises(PixelDataError, match="frame 1: it should have 7200000000 bytes"):
        array[0].compute(scheduler="sync")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10_000_000


@pytest.mark.parametrize("syntax", ["rle", "jpeg_lossless", "jpegls", "j2k", "deflated_frame"])
def test_short_streams_are_refused_before_room_is_made_for_a_block_of_them(tmp_path: Path, syntax: str) -> None:
    elements = {"Rows": 65_535, "Columns": 65_535}
    path = make_file(tmp_path / "a.dcm", elements, phantoms(3, 16, 16, np.uint16), syntax)
    array = frames_to_dask(frame_grid(path), {"frame": 3})

    tracemalloc.start()
    with pytest.raises(PixelDataError, match=r"frame [123]: a stream of \d+ bytes can't hold 65535 x 65535 pixels") as caught:
        array.compute(scheduler="sync")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert str(path) in str(caught.value)
    assert peak < 10_000_000


def test_a_deflated_file_makes_no_room_for_what_it_does_not_hold(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.dcm", {"Rows": 60_000, "Columns": 60_000}, phantom(0), "deflated")
    array = frames_to_dask(frame_grid(path))

    tracemalloc.start()
    with pytest.raises(PixelDataError, match="it should have 7200000000 bytes"):
        array[0].compute(scheduler="sync")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 40_000_000
