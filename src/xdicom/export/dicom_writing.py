"""Planned instances to files: in tasks, whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from xdicom.export.dicom_elements import file_head
from xdicom.export.dicom_header import header_of
from xdicom.export.dicom_pixels import frame_bytes, pixel_element_head, pixel_element_tail, precision_of, to_stored
from xdicom.export.dicom_plan import Plan
from xdicom.index.progress import progress_bar
from xdicom.lazy.blocks import Place, Report, over_blocks
from xdicom.lazy.cells import Array
from xdicom.lazy.frames import FrameBlock, read_block
from xdicom.model.frames import FrameRefs
from xdicom.sources.folders import Folder
from xdicom.sources.options import using_options


class NotStoredBeforeError(Exception):
    """Values are others than the source stored: another slope has to be found."""


NOT_STORED = math.inf
"""Error that a task tells where values are others than the source stored.

It raises none: what other tasks still write while an error comes home could not be taken away again.
"""

BATCH = 64
"""Blocks whose plans travel together."""


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


def write_instances(array: Array, series: Any, folder: Folder, names: list[str], progress: bool | Report) -> Any:
    """Write one single-frame instance for each plane; see `write_dicom`."""
    blocks = int(np.prod(array.numblocks, dtype=np.int64))
    size, error, done = 0, 0.0, 0
    with reporter(progress) as report:
        for batch, rows in batches(array, series.frame_dims):
            refs = None if series.refs is None else series.refs.take(rows)
            function = partial(
                write_block, plan=series.plan.take(rows), shape=array.shape[: series.frame_dims], folder=folder,
                names=tuple(names[row] for row in rows), refs=refs,
            )  # fmt: skip
            for written, largest in over_blocks(function, array, batch, shifted(report, done, blocks)):
                size, error = size + written, max(error, largest)
            check_attempt(series.plan, error)
            done += len(batch)
    return series.done(size, error)


def check_attempt(plan: Plan, error: float) -> None:
    """Nothing, where the values of some blocks were such as the source stored, or any are taken.

    Raises
    ------
    NotStoredBeforeError
        If they were not; no task is at work then.
    """
    if plan.is_attempt and error == NOT_STORED:
        raise NotStoredBeforeError


def write_block(
    block: np.ndarray, place: Place, *, plan: Plan, shape: tuple[int, ...], folder: Folder, names: tuple[str, ...], refs: FrameRefs | None
) -> tuple[int, float]:
    """Write the planes of one block; bytes written, and the largest error of storing them."""
    planes = block.reshape(-1, *block.shape[len(shape) :])
    size, error = 0, 0.0
    with using_options(plan.options):
        for plane, row in zip(planes, rows_at(place, shape), strict=True):
            i = int(np.searchsorted(plan.rows, row))
            stored, largest = stored_plane(plane, plan, i)
            if plan.is_attempt and largest == NOT_STORED:
                return size, largest
            if refs is not None:
                check_unchanged(stored, refs, i, plan)
            size += write_instance(stored, plan, i, folder, names[i])
            error = max(error, largest)
    return size, error


def stored_plane(plane: np.ndarray, plan: Plan, i: int) -> tuple[np.ndarray, float]:
    """Stored values of plane `i`, and the error that storing them made: `NOT_STORED` where an attempt fails."""
    rescale = None if plan.rescale is None or not plan.applies_rescale else (float(plan.rescale.slope[i]), float(plan.rescale.intercept[i]))
    try:
        stored, error = to_stored(plane, plan.form, rescale, f"plane {int(plan.rows[i]) + 1}")
    except ValueError:
        if plan.is_attempt:
            return plane, NOT_STORED
        raise
    return stored, NOT_STORED if plan.is_attempt and error > precision_of(plane) else error


def write_instance(stored: np.ndarray, plan: Plan, i: int, folder: Folder, name: str) -> int:
    """Write one single-frame instance; its bytes."""
    encoding = plan.form.encoding
    data = frame_bytes(stored, plan.form)
    limits = (int(stored.min()), int(stored.max())) if stored.dtype.kind in "iu" else None
    elements = header_of(plan, i, limits, loss_ratio=stored.nbytes / max(1, len(data)))
    head = file_head(elements, encoding.transfer_syntax_uid) + pixel_element_head(encoding, [len(data)])
    return folder.put(name, head, data, pixel_element_tail(encoding, len(data)))


def check_unchanged(stored: np.ndarray, refs: FrameRefs, i: int, plan: Plan) -> None:
    """Raise where a plane is not what its source holds.

    Raises
    ------
    ValueError
        With the number of the plane.
    """
    encoding = refs.encodings[refs.encoding[i]]
    if encoding.frame_shape == stored.shape and encoding.dtype == stored.dtype:
        source = read_block(FrameBlock(refs.one(i), stored.shape, stored.dtype, np.zeros(1, np.int32), options=plan.options))
        if np.array_equal(source, stored):
            return
    raise ValueError(f"plane {int(plan.rows[i]) + 1} is not what its source holds, so that it can't keep its identity: leave keep_uids out")


@contextmanager
def reporter(progress: bool | Report) -> Iterator[Report | None]:
    """What is told of blocks that are done."""
    if callable(progress):
        yield progress
        return
    with progress_bar("writing", "blocks") if progress else nullcontext() as report:
        yield report


def shifted(report: Report | None, done: int, of: int) -> Report | None:
    """`report` for a part of the blocks, of which `done` came before."""
    return None if report is None else lambda now, _: report(done + now, of)
