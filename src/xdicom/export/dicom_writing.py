"""Planned instances to files: in tasks, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from xdicom.errors import SourceError
from xdicom.export.dicom_elements import file_head
from xdicom.export.dicom_header import Plan, header_of
from xdicom.export.dicom_pixels import frame_bytes, measure, pixel_element_head, pixel_element_tail, to_stored
from xdicom.index.progress import progress_bar
from xdicom.lazy.blocks import Place, Report, over_blocks
from xdicom.lazy.cells import Array
from xdicom.sources.options import using_options

BATCH = 64
"""Blocks whose plans travel together."""


def frame_shape_of(array: Array) -> tuple[int, ...]:
    """Lengths of the dimensions that count planes: all but those whose blocks are whole by contract."""
    return tuple(array.shape)


def batches(array: Array, frame_dims: int) -> Iterator[tuple[list[tuple[int, ...]], np.ndarray]]:
    """Blocks of `array`, some at a time, and the numbers of the planes that these hold."""
    shape = array.shape[:frame_dims]
    numbers = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    edges = [np.cumsum((0, *sizes)) for sizes in array.chunks[:frame_dims]]
    blocks = list(np.ndindex(array.numblocks))
    for first in range(0, len(blocks), BATCH):
        batch = blocks[first : first + BATCH]
        places = [tuple(slice(edges[axis][i], edges[axis][i + 1]) for axis, i in enumerate(block[:frame_dims])) for block in batch]
        yield batch, np.sort(np.concatenate([numbers[place].reshape(-1) for place in places]))


def rows_at(place: Place, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of the planes of the block at `place`, in C order."""
    rows = np.zeros((), np.int64)
    for where, size in zip(place, shape, strict=False):
        rows = rows[..., None] * size + np.arange(where.start, where.stop)
    return rows.reshape(-1)


@contextmanager
def whole_file(path: Path) -> Iterator[Any]:
    """A file that gets its name when it is whole, and leaves nothing where it fails.

    Raises
    ------
    SourceError
        If it can't be written.
    """
    temporary = path.with_name(f".{path.name}-{uuid4().hex[:8]}")
    try:
        with temporary.open("wb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        raise SourceError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
