"""What tasks do: values are made where they stay, and what is missing is told before room is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xdicom
from builders import make_file, phantoms
from builders.samples import Array
from lazy.imagined import frame_grid
from xdicom.errors import PixelDataError
from xdicom.lazy import reading
from xdicom.lazy.frames import frames_to_dask
from xdicom.lazy.reading import check_lengths, read_frame, read_frames
from xdicom.pixels.decode_rgb import decode_rgb


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Array | None, Array]]:
    """The room that each call of the decoder was given, and what it returned."""
    calls: list[tuple[Array | None, Array]] = []
    real = reading.decode_frame

    def decode_frame(*given: Any, **options: Any) -> Array:
        calls.append((options.get("out"), real(*given, **options)))
        return calls[-1][1]

    monkeypatch.setattr(reading, "decode_frame", decode_frame)
    return calls


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("syntax", ["rle", "deflated_frame"])
def test_frames_of_one_task_are_decoded_to_where_they_stay(
    tmp_path: Path, syntax: str, samples: int, rooms: list[tuple[Array | None, Array]]
) -> None:
    values = phantoms(6, 16, 12, np.uint16, samples=samples)
    make_file(tmp_path / "a.dcm", {"PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2"}, values, syntax)

    block = frames_to_dask(frame_grid(tmp_path), -1).compute()

    assert np.array_equal(block, values)
    assert len(rooms) == 6
    assert all(returned is room for room, returned in rooms)
    assert len({id(room.base) for room, _ in rooms if room is not None}) == 1


@pytest.mark.parametrize("syntax", ["jpegls", "j2k", "jpeg_lossless", "jpegxl", "htj2k"])
def test_values_of_other_decoders_are_put_there(tmp_path: Path, syntax: str, rooms: list[tuple[Array | None, Array]]) -> None:
    values = phantoms(4, 16, 12, np.uint16)
    make_file(tmp_path / "a.dcm", {}, values, syntax)

    block = frames_to_dask(frame_grid(tmp_path), {"frame": (3, 1)}).compute()

    assert np.array_equal(block, values)
    assert len(rooms) == 3  # the frame of the other task has a room of its own and no other


def test_frames_may_be_read_by_another_decoder_and_in_part(tmp_path: Path) -> None:
    values = phantoms(2, 16, 12, np.uint8, samples=3)
    make_file(tmp_path / "a.dcm", {"PhotometricInterpretation": "YBR_FULL_422"}, values, "jpeg")
    refs = frame_grid(tmp_path).frames.refs()
    whole = [read_frame(refs, i, decode_rgb) for i in range(2)]

    parts = list(read_frames(refs, decode_rgb, [3, None]))

    assert [len(part) for part in parts] == [4, 16]
    assert np.array_equal(parts[0][:3], whole[0][:3])
    assert np.array_equal(parts[1], whole[1])


@pytest.mark.parametrize("syntax", ["native", "jpegls"])
def test_frames_that_are_cut_short_are_told_of_before_they_are_read(tmp_path: Path, syntax: str) -> None:
    path = make_file(tmp_path / "a.dcm", {}, phantoms(3, 16, 12, np.uint16), syntax, has_delimiter=True)
    data = path.read_bytes()
    path.write_bytes(data[: -500 if syntax == "native" else -400])
    refs = xdicom.scan(path).frames.refs()
    path.unlink()

    with pytest.raises(PixelDataError, match=rf"^frame [23].*{path.name}"):
        check_lengths(refs)
