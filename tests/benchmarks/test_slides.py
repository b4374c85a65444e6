"""Slides of 200,000 tiles against wsidicom: opening, and squares of pixels on one and two threads."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

import xdicom
from benchmarks.conftest import Race
from builders.slides import make_vast_slide, picture_stream

wsidicom = pytest.importorskip("wsidicom", reason="wsidicom is not installed: pip install wsidicom")
ACROSS, FIRST, SIDE = (400, 500), 100, 40
"""Tiles of the level, and the square of them that is there."""


@pytest.fixture(scope="module", params=["full", "sparse"])
def slide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    filled = (slice(FIRST, FIRST + SIDE),) * 2
    make_vast_slide(folder / "a.dcm", ACROSS, picture_stream(), is_sparse=request.param == "sparse", filled=filled)
    return folder


def test_opening(race: Race, slide: Path) -> None:
    start = FIRST * 256

    def ours() -> None:
        level = xdicom.open_slide(slide)["level_0"]["stored_values"]
        level.dicom.read_region(y=slice(start, start + 256), x=slice(start, start + 256))

    def theirs() -> None:
        with wsidicom.WsiDicom.open(slide) as opened:  # what a region needs is read when the first one is asked for
            opened.read_region((start, start), 0, (256, 256), as_array=True, threads=1)

    race(
        f"Opening a {slide.name[:-1]} slide of 200,000 tiles, and a first tile",
        ours,
        peers={"wsidicom": theirs},
        limits={},
        rounds=3,
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [256, 1024, 4096])
def test_squares(race: Race, slide: Path, size: int, threads: int) -> None:
    level = xdicom.open_slide(slide)["level_0"]["stored_values"]
    rgb, theirs = level.dicom.to_rgb(), wsidicom.WsiDicom.open(slide)
    corners = np.random.default_rng(1).integers(FIRST * 256, (FIRST + SIDE) * 256 - size, (64, 2)).tolist()
    places = {name: cycle(corners) for name in ("stored", "rgb", "wsidicom")}

    def stored() -> np.ndarray:
        y, x = next(places["stored"])
        return np.asarray(level.dicom.read_region(y=slice(y, y + size), x=slice(x, x + size), threads=threads))

    def colors() -> np.ndarray:
        y, x = next(places["rgb"])
        return np.asarray(rgb.dicom.read_region(y=slice(y, y + size), x=slice(x, x + size), threads=threads))

    def their_colors() -> np.ndarray:
        y, x = next(places["wsidicom"])
        theirs.clear_cache()  # as if no tile had been read before
        return np.asarray(theirs.read_region((x, y), 0, (size, size), as_array=True, threads=threads))

    race(
        f"Squares of {size} pixels of a {slide.name[:-1]} slide, {threads} threads, stored values",
        stored,
        peers={"wsidicom": their_colors, "xdicom to RGB": colors},
        limits={},
        wanted={"wsidicom": 1.0},
        rounds=30 if size < 4096 else 5,
    )
    y, x = corners[0]
    ours = rgb.dicom.read_region(y=slice(y, y + size), x=slice(x, x + size)).values
    assert (ours == theirs.read_region((x, y), 0, (size, size), as_array=True)).all()
    theirs.close()
