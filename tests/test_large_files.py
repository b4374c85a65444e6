"""Objects of more than 4 GiB, where 32-bit offsets wrap (PS3.5 A.4): made as sparse files, which take no room."""

import struct
from pathlib import Path

import numpy as np
import pytest

import xdicom
from builders import encapsulate, encode_rle, extended_offset_table, make_file, phantoms

GIANT = 3 << 30
"""Length of the fragments between the first frame and the last: nothing but a hole in the file."""


def make_giant(path: Path, table: str) -> np.ndarray:
    """Write four RLE frames of which the two in the middle are holes of 3 GiB each, and return the first and the last."""
    pixels = phantoms(4, 8, 6, np.uint16)
    streams = [encode_rle(frame) for frame in pixels]
    streams = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    lengths = [len(streams[0]), GIANT, GIANT, len(streams[3])]
    starts = np.cumsum([0, *(length + 8 for length in lengths[:-1])])
    elements = {}
    if table == "extended":
        elements = {
            "ExtendedOffsetTable": starts.astype("<u8").tobytes(),
            "ExtendedOffsetTableLengths": np.array(lengths).astype("<u8").tobytes(),
        }
    make_file(path, elements, pixels, "rle", table="none")
    small = path.read_bytes()
    begin = small.index(encapsulate(streams, table="none"))
    offsets = struct.pack("<4I", *(int(start) % 2**32 for start in starts)) if table == "basic" else b""
    with path.open("wb") as file:
        file.write(small[:begin] + struct.pack("<HHI", 0xFFFE, 0xE000, len(offsets)) + offsets)
        first = file.tell()
        for start, length in zip(starts.tolist(), lengths, strict=True):
            file.seek(first + start)
            file.write(struct.pack("<HHI", 0xFFFE, 0xE000, length))
            file.write(streams[0] if start == 0 else b"")
        file.write(streams[3] + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    return pixels[[0, 3]]


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_frames_behind_four_gibibytes_are_found(tmp_path: Path, table: str) -> None:
    path = tmp_path / "giant.dcm"
    ends = make_giant(path, table)

    frames = xdicom.open_frames(path)

    assert path.stat().st_size > 2**32
    assert frames.shape == (4, 8, 6)
    assert (frames[0].compute() == ends[0]).all()
    assert (frames[3].compute() == ends[1]).all()


def test_a_table_that_does_not_fit_is_walked_around_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "wrong.dcm"
    pixels = phantoms(3, 8, 6, np.uint16)
    streams = [encode_rle(frame) for frame in pixels]
    starts, lengths = extended_offset_table(streams)
    wrong = (np.frombuffer(starts, "<u8") + 2).astype("<u8").tobytes()
    make_file(path, {"ExtendedOffsetTable": wrong, "ExtendedOffsetTableLengths": lengths}, pixels, "rle", table="none")

    catalog = xdicom.scan(path)

    assert (xdicom.open_frames(catalog).compute() == pixels).all()
    assert "Extended Offset Table does not fit" in catalog.notes[0].reason
