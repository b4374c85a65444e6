"""What the builders write is what pydicom and imagecodecs read: a test may trust its input."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames, parse_basic_offsets

from builders import (
    OBLIQUE,
    TRANSFER_SYNTAXES,
    encapsulate,
    encode_rle,
    image_position,
    make_cine,
    make_ct,
    make_enhanced_mr,
    make_file,
    make_nm,
    make_palette,
    make_pet,
    make_rtdose,
    make_seg,
    make_sr,
    phantom,
    phantoms,
)

DECODERS: dict[str, Any] = {
    "jpeg_lossless_p14": imagecodecs.jpeg_decode,
    "jpeg_lossless": imagecodecs.jpeg_decode,
    "jpegls": imagecodecs.jpegls_decode,
    "j2k": imagecodecs.jpeg2k_decode,
    "jpegxl": imagecodecs.jpegxl_decode,
    "htj2k": imagecodecs.htj2k_decode,
    "htj2k_rpcl": imagecodecs.htj2k_decode,
    "deflated_frame": lambda stream: np.frombuffer(zlib.decompress(stream, wbits=-15), np.uint16),
}


@pytest.mark.parametrize("syntax", ["native", "implicit", "deflated", "big_endian", "rle"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "u4"])
def test_pixels_come_back_from_pydicom(tmp_path: Path, syntax: str, dtype: str) -> None:
    frames = phantoms(3, 7, 5, dtype)

    header = pydicom.dcmread(make_file(tmp_path / "a.dcm", {}, frames, syntax))

    assert header.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]
    np.testing.assert_array_equal(header.pixel_array, frames)


@pytest.mark.parametrize("syntax", DECODERS)
def test_streams_without_loss_come_back_from_the_codec(tmp_path: Path, syntax: str) -> None:
    frames = phantoms(2, 32, 24, np.uint16, bits_stored=12)

    header = pydicom.dcmread(make_file(tmp_path / "a.dcm", {}, frames, syntax, bits_stored=12))

    streams = list(generate_frames(header.PixelData, number_of_frames=2))
    assert header.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]
    for stream, frame in zip(streams, frames, strict=True):
        np.testing.assert_array_equal(np.asarray(DECODERS[syntax](stream)).reshape(frame.shape), frame)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_jpeg_keeps_the_colour_space_it_is_given(tmp_path: Path, photometric: str) -> None:
    frames = phantoms(2, 32, 24, np.uint8, samples=3) // 8 * 3

    header = pydicom.dcmread(make_cine(tmp_path / "a.dcm", photometric=photometric, transfer_syntax="jpeg", values=frames))

    stream = next(generate_frames(header.PixelData, number_of_frames=2))
    space = "RGB" if photometric == "RGB" else "YCBCR"
    decoded = imagecodecs.jpeg_decode(stream, colorspace=space, outcolorspace=space)
    assert np.abs(decoded.astype(int) - frames[0]).max() <= 8


def test_single_bits_follow_each_other_without_padding(tmp_path: Path) -> None:
    frames = np.stack([phantom(i, 7, 5, bool) for i in range(3)])

    header = pydicom.dcmread(make_seg(tmp_path / "a.dcm", values=frames))

    assert header.BitsAllocated == 1
    assert len(header.PixelData) == 14
    np.testing.assert_array_equal(header.pixel_array, frames)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_floats_become_float_pixel_data(tmp_path: Path, dtype: str) -> None:
    frames = phantoms(2, dtype=dtype)

    header = pydicom.dcmread(make_file(tmp_path / "a.dcm", {}, frames))

    assert ("FloatPixelData" in header) is (dtype == "f4")
    np.testing.assert_array_equal(header.pixel_array, frames)


def test_rle_packs_long_runs_and_long_literals() -> None:
    row = np.concatenate([np.zeros(300, np.uint8), np.arange(300) % 251, [7, 7, 7]]).astype(np.uint8)
    stream = encode_rle(np.stack([row, row[::-1]]))

    assert int.from_bytes(stream[:4], "little") == 1
    assert imagecodecs.packbits_decode(stream[64:])[: 2 * row.size] == row.tobytes() + row[::-1].tobytes()


@pytest.mark.parametrize("fragments", [1, 3])
def test_basic_offset_table_points_at_first_fragments(fragments: int) -> None:
    frames = [b"a" * 11, b"b" * 20, b"c" * 7]

    value = encapsulate(frames, fragments)

    start = 8 + 4 * 3
    for offset, frame in zip(parse_basic_offsets(value), frames, strict=True):
        assert value[start + offset : start + offset + 4] == b"\xfe\xff\x00\xe0"
        assert value[start + offset + 8 : start + offset + 9] == frame[:1]


def test_extended_offset_table_is_the_one_that_pydicom_reads(tmp_path: Path) -> None:
    path = make_enhanced_mr(tmp_path / "a.dcm", transfer_syntax="rle", table="extended")

    header = pydicom.dcmread(path)

    tables = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
    assert len(list(generate_frames(header.PixelData, number_of_frames=6, extended_offsets=tables))) == 6
    assert header.PixelData[4:8] == bytes(4)
    np.testing.assert_array_equal(header.pixel_array, phantoms(6, dtype=np.uint16))


def test_missing_delimiter_ends_the_file_with_the_last_fragment(tmp_path: Path) -> None:
    whole = make_cine(tmp_path / "a.dcm", transfer_syntax="rle")
    cut = make_enhanced_mr(tmp_path / "b.dcm", transfer_syntax="rle", has_delimiter=False)

    assert whole.read_bytes().endswith(b"\xfe\xff\xdd\xe0\0\0\0\0")
    assert not cut.read_bytes().endswith(b"\xfe\xff\xdd\xe0\0\0\0\0")


def test_position_along_the_normal_is_the_one_asked_for(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, positions_mm=[5.0, -2.5], orientation=OBLIQUE)

    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    positions = [np.dot(pydicom.dcmread(path).ImagePositionPatient, normal) for path in paths]
    np.testing.assert_allclose(positions, [5.0, -2.5], atol=1e-9)
    assert image_position(3.0, origin_mm=(1.0, 2.0)) == [1.0, 2.0, 3.0]


def test_elements_win_over_what_a_builder_writes(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0.0], varying={"InstanceNumber": [7]}, Modality="MR", RescaleType=None)

    header = pydicom.dcmread(path)

    assert (header.Modality, header.InstanceNumber) == ("MR", 7)
    assert "RescaleType" not in header


def test_same_call_writes_the_same_bytes(tmp_path: Path) -> None:
    first, second = (make_enhanced_mr(tmp_path / folder / "a.dcm", transfer_syntax="j2k").read_bytes() for folder in "ab")

    assert first == second


def test_undefined_lengths_go_down_to_the_items(tmp_path: Path) -> None:
    defined = make_enhanced_mr(tmp_path / "a.dcm").read_bytes()
    undefined = make_enhanced_mr(tmp_path / "a.dcm", undefined_length=True).read_bytes()

    assert defined.count(b"\xfe\xff\x00\xe0\xff\xff\xff\xff") == 0
    assert undefined.count(b"\xfe\xff\x00\xe0\xff\xff\xff\xff") == undefined.count(b"\xfe\xff\x0d\xe0\0\0\0\0") > 20


def test_order_of_stored_frames_moves_groups_and_pixels_together(tmp_path: Path) -> None:
    order = [5, 0, 3, 1, 4, 2]

    header = pydicom.dcmread(make_enhanced_mr(tmp_path / "a.dcm", order=order))

    groups = header.PerFrameFunctionalGroupsSequence
    assert [group.MREchoSequence[0].EffectiveEchoTime for group in groups] == [8.0, 4.0, 8.0, 4.0, 8.0, 4.0]
    assert [group.FrameContentSequence[0].InStackPositionNumber for group in groups] == [3, 1, 1, 2, 2, 3]
    np.testing.assert_array_equal(header.pixel_array, phantoms(6, dtype=np.uint16)[order])


def test_other_kinds_are_read_by_pydicom(tmp_path: Path) -> None:
    assert pydicom.dcmread(make_palette(tmp_path / "p.dcm")).pixel_array.max() < 32
    assert [float(pydicom.dcmread(path).RescaleSlope) for path in make_pet(tmp_path / "pet")] == [0.5, 1.25, 2.0]
    assert list(pydicom.dcmread(make_nm(tmp_path / "n.dcm")).EnergyWindowVector) == [1, 1, 2, 2]
    assert pydicom.dcmread(make_rtdose(tmp_path / "d.dcm")).pixel_array.dtype == np.uint32
    assert "PixelData" not in pydicom.dcmread(make_sr(tmp_path / "s.dcm"))
