"""The codec whose chunks are frames as they lie in DICOM files."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import xdicom
from builders import TRANSFER_SYNTAXES, make_cine, make_ct, phantoms
from xdicom import UnsupportedEncodingError
from xdicom.export.frame_codec import NAME, FrameCodec
from xdicom.model.encoding import PixelEncoding

LITTLE, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80"


def test_the_metadata_says_all_that_reading_needs() -> None:
    codec = FrameCodec(
        (PixelEncoding(LITTLE, 2, 3, bits_stored=12, high_bit=11), PixelEncoding(JPEG_LS, 2, 3, bits_stored=12, high_bit=11))
    )

    assert FrameCodec.from_dict(json.loads(json.dumps(codec.to_dict()))) == codec


def test_bits_that_are_not_the_samples_are_dropped() -> None:
    codec = FrameCodec((PixelEncoding(LITTLE, 1, 2, bits_stored=12, high_bit=11, is_signed=True),))

    values = codec.decode_chunk(bytes([0xFF, 0x3F, 0x01, 0xF0]), (1, 1, 2))

    np.testing.assert_array_equal(values, [[[-1, 1]]])


def test_frames_that_begin_within_a_byte_are_one_chunk() -> None:
    frames = np.random.default_rng(1).integers(0, 2, (8, 3, 3)).astype(bool)
    data = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    codec = FrameCodec((PixelEncoding(LITTLE, 3, 3, bits_allocated=1, bits_stored=1, high_bit=0),))

    np.testing.assert_array_equal(codec.decode_chunk(data, (8, 3, 3)), frames)


def test_the_last_chunk_may_reach_beyond_the_last_frame() -> None:
    frames = np.ones((5, 3, 3), bool)
    data = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    codec = FrameCodec((PixelEncoding(LITTLE, 3, 3, bits_allocated=1, bits_stored=1, high_bit=0),))

    values = codec.decode_chunk(data, (8, 3, 3))

    np.testing.assert_array_equal(values[:5], 1)
    np.testing.assert_array_equal(values[5:], 0)


@pytest.mark.parametrize("second", [JPEG_LS, LITTLE])
def test_encodings_that_frames_do_not_tell_apart_are_refused(second: str) -> None:
    first = LITTLE if second == LITTLE else "1.2.840.10008.1.2.5"

    with pytest.raises(ValueError, match="one encoding, or a native and an encapsulated one"):
        FrameCodec((PixelEncoding(first, 2, 2), PixelEncoding(second, 2, 2)))


def test_writing_through_it_is_refused(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", transfer_syntax="jpegls")
    store = MemoryStore()
    xdicom.open_series(tmp_path / "ct").dicom.to_zarr(store, codecs="original", progress=False)

    with pytest.raises(UnsupportedEncodingError, match=r"read, not written.*to_zarr"):
        zarr.open_group(store)["stored_values"][0] = 1


@pytest.mark.parametrize("syntax", sorted(set(TRANSFER_SYNTAXES) - {"deflated", "mpeg2", "h264", "hevc"}))
@pytest.mark.parametrize("fragments", [1, 3])
def test_every_transfer_syntax_comes_back_as_it_is_opened(tmp_path: Path, syntax: str, fragments: int) -> None:
    values = phantoms(3, 16, 16, np.uint8)
    make_cine(tmp_path / "cine.dcm", 3, photometric="MONOCHROME2", values=values, transfer_syntax=syntax, fragments_per_frame=fragments)
    cine = xdicom.open_series(tmp_path / "cine.dcm")
    store = MemoryStore()

    cine.dicom.to_zarr(store, codecs="original", progress=False)

    assert xr.open_zarr(store)["stored_values"].identical(cine)


@pytest.mark.skipif(not entry_points(group="zarr.codecs", name=NAME), reason="the package is not installed with its entry points")
def test_zarr_finds_the_codec_by_itself(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", transfer_syntax="jpegls")
    ct = xdicom.open_series(tmp_path / "ct")
    ct.dicom.to_zarr(tmp_path / "store.zarr", codecs="original", progress=False)
    program = f"import zarr; print(zarr.open_group({str(tmp_path / 'store.zarr')!r}, mode='r')['stored_values'][1].sum())"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) == int(ct[1].sum())
