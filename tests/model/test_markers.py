"""Frames are told apart by the start markers of their streams."""

from __future__ import annotations

import numpy as np
import pytest

from builders.streams import TRANSFER_SYNTAXES, encode_frame
from xdicom.errors import UnsupportedEncodingError
from xdicom.model.markers import frame_starts_by_marker


def ends_of(fragments: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """First and last bytes of each fragment."""
    return [fragment[:16] for fragment in fragments], [fragment[-16:] for fragment in fragments]


@pytest.mark.parametrize("syntax", ["jpeg", "jpeg_lossless", "jpegls", "j2k", "htj2k", "jpegxl"])
def test_a_stream_cut_into_fragments_begins_one_frame(syntax: str) -> None:
    rng = np.random.default_rng(5)
    streams = [encode_frame(rng.integers(0, 256, (16, 16)).astype(np.uint8), syntax, 8) for _ in range(3)]
    fragments = [stream[start : start + 40] for stream in streams for start in range(0, len(stream), 40)]
    begins = [start == 0 for stream in streams for start in range(0, len(stream), 40)]

    assert frame_starts_by_marker(*ends_of(fragments), TRANSFER_SYNTAXES[syntax]).tolist() == begins


@pytest.mark.parametrize("syntax", ["rle", "deflated_frame"])
def test_each_fragment_is_a_frame_where_the_standard_says_so(syntax: str) -> None:
    assert frame_starts_by_marker([b"ab", b"cd"], [b"ab", b"cd"], TRANSFER_SYNTAXES[syntax]).tolist() == [True, True]


def test_a_chance_marker_inside_a_jpeg_2000_stream_begins_no_frame() -> None:
    start, end = b"\xff\x4f\xff\x51\x00\x29", b"\x07\xff\xd9\x00"
    fragments = [start + b"...", start + b"...", b"..." + end, start + b"...", b"..." + end]

    assert frame_starts_by_marker(*ends_of(fragments), TRANSFER_SYNTAXES["j2k"]).tolist() == [True, False, False, True, False]


def test_jpeg_2000_streams_without_end_markers_are_told_apart_too() -> None:
    fragments = [b"\xff\x4f\xff\x51\x00\x29", b"...", b"\xff\x4f\xff\x51\x00\x29"]

    assert frame_starts_by_marker(*ends_of(fragments), TRANSFER_SYNTAXES["j2k"]).tolist() == [True, False, True]


def test_the_first_fragment_begins_a_frame_whatever_it_holds() -> None:
    assert frame_starts_by_marker([b"???"], [b"???"], TRANSFER_SYNTAXES["jpeg"]).tolist() == [True]


def test_no_fragments_begin_no_frames() -> None:
    assert frame_starts_by_marker([], [], TRANSFER_SYNTAXES["j2k"]).tolist() == []


def test_streams_without_start_marker_are_refused() -> None:
    with pytest.raises(UnsupportedEncodingError, match="told apart"):
        frame_starts_by_marker([b"", b""], [b"", b""], "1.2.840.10008.1.2.1.98")
