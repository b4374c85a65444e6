"""A level of a hundred thousand tiles on two workers."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

import xdicom
from builders.slides import make_vast_slide, picture_stream

ACROSS, TILE = (250, 400), (32, 32)


def peak_bytes() -> int:
    """Most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.slow
def test_the_mean_of_a_level_of_a_hundred_thousand_tiles_needs_the_memory_of_a_few_tasks(client: Any, tmp_path: Path) -> None:
    stream = picture_stream(TILE[0])
    make_vast_slide(tmp_path / "a.dcm", ACROSS, stream, tile=TILE, filled=(slice(None), slice(None)), cut_off=0)
    level = xdicom.open_slide(tmp_path, chunks={"y": 25 * TILE[0], "x": 40 * TILE[1]})["level_0"]["stored_values"]
    assert level.nbytes > 300_000_000
    level[:32, :32].data.compute(scheduler=client)
    before = max(client.run(peak_bytes).values())

    mean = client.compute(level.data.mean(axis=(0, 1)), sync=True)

    tile = imagecodecs.jpeg8_decode(stream, colorspace="RGB", outcolorspace="RGB")
    assert np.allclose(mean, tile.mean(axis=(0, 1)))
    grown = max(client.run(peak_bytes).values()) - before
    assert grown < 200_000_000
