"""Grids of frames for tests: those of a file, and frames that are not there, with a decoder whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from builders import TRANSFER_SYNTAXES
from doubles import decode_known
from xdicom.index.scan import scan_sources
from xdicom.lazy.frames import FrameBlock
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable
from xdicom.model.grid import Axis, FrameGrid
from xdicom.sources.locate import locate


def frame_grid(path: Path) -> FrameGrid:
    """All frames below a path in file order."""
    frames = scan_sources(locate(path)).frames
    return FrameGrid("frames", (Axis("frame"),), np.arange(len(frames)), frames)


def imagined(count: int, shape: tuple[int, ...] | None = None, *, rows: int = 8, columns: int = 6) -> FrameGrid:
    """A grid of frames of one source that is not there, for tests of the graph and with a decoder whose answer is known."""
    encoding = PixelEncoding(TRANSFER_SYNTAXES["native"], rows, columns)
    instances = InstanceTable(("/nowhere/a.dcm",), np.array([10**9]), ("",), (encoding,), np.zeros(1, np.int16), {})
    size = rows * columns * 2
    frames = FrameTable(
        instances,
        np.zeros(count, np.int32),
        np.arange(1, count + 1, dtype=np.int32),
        1000 + size * np.arange(count),
        np.full(count, size),
        {},
    )
    shape = shape or (count,)
    return FrameGrid("imagined", tuple(Axis(f"a{i}") for i in range(len(shape))), np.arange(count).reshape(shape), frames)


def decode_block(block: FrameBlock) -> np.ndarray:
    """The block without reading a byte: frame `n` is `phantom(n - 1)`."""
    return np.where((block.cell >= 0)[:, None, None], decode_known(block.refs)[block.cell], 0).reshape(block.shape)
