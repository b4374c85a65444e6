"""The stand-ins count what they say they count."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom

from builders import make_cine, make_ct, phantoms
from doubles import CountingDecoder, counted_reads, decode_known, pixel_data_offset
from xdicom.model.encoding import EXPLICIT_LITTLE_ENDIAN, PixelEncoding
from xdicom.model.frames import FrameRefs
from xdicom.sources import files


def known_refs(count: int) -> FrameRefs:
    encoding = PixelEncoding(EXPLICIT_LITTLE_ENDIAN, rows=8, columns=6, is_signed=True)
    zeros = np.zeros(count, dtype=np.int64)
    numbers = np.arange(1, count + 1, dtype=np.int32)
    return FrameRefs(("a.dcm",), ("",), (encoding,), zeros.astype(np.int32), zeros.astype(np.int16), zeros, zeros, numbers)


def test_reads_at_a_place_are_noted_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(100))

    with counted_reads(tmp_path) as reads:
        files.read(str(path), 10, 20)
        files.read_into(str(path), 90, memoryview(bytearray(50)))

    assert reads.of(path) == [(10, 20), (90, 10)]
    assert (reads.requests, reads.bytes, len(reads.opened), reads.left_open) == (2, 30, 2, 0)
    assert reads.bytes_within(path, 25, 95) == 10


def test_file_left_open_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(100))

    with counted_reads(tmp_path) as reads:
        fd = os.open(path, os.O_RDONLY)
        left_open = reads.left_open
        os.close(fd)

    assert (left_open, reads.left_open) == (1, 0)


def test_pixel_bytes_that_pydicom_reads_are_counted(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0.0], rows=100, columns=100)

    with counted_reads(tmp_path) as reads:
        _ = pydicom.dcmread(path)

    assert reads.pixel_bytes(path) == 2 * 100 * 100
    assert reads.bytes == path.stat().st_size


def test_files_elsewhere_are_not_counted(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path / "ct", [0.0])

    with counted_reads(tmp_path / "other") as reads:
        path.read_bytes()

    assert (reads.requests, reads.opened) == (0, [])


def test_pixel_data_offset_is_that_of_the_value(tmp_path: Path) -> None:
    for syntax in ("native", "implicit"):
        path = make_cine(tmp_path / f"{syntax}.dcm", transfer_syntax=syntax)

        assert path.read_bytes()[pixel_data_offset(path) :] == phantoms(4, 8, 6, np.uint8, samples=3).tobytes()


def test_known_decoder_answers_by_frame_number() -> None:
    refs = known_refs(4)
    decoder = CountingDecoder()

    values = decoder(refs.take(np.array([3, 1])))

    np.testing.assert_array_equal(values, phantoms(4)[[3, 1]])
    np.testing.assert_array_equal(decode_known(refs), phantoms(4))
    assert decoder.calls == [[4, 2]]
