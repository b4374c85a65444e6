"""Which of Zarr's pipelines is between chunks and values: its own for writing, the faster one of zarrs for reading."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

OWN, ZARRS = "zarr.core.codec_pipeline.BatchedCodecPipeline", "zarrs.ZarrsCodecPipeline"


@contextmanager
def own_pipeline() -> Iterator[None]:
    """Arrays opened within are read and written by Zarr's own pipeline, whatever a person has set.

    On local storage it gives a file its name when the file is whole. The one of zarrs writes into the file by its name:
    what is half written when a process is killed would pass for whole.
    """
    with zarr.config.set({"codec_pipeline.path": OWN}):
        yield


@dataclass(frozen=True, slots=True, eq=False)
class ArrayToRead:
    """An array of a store for the tasks of a graph, whose names dask makes of where it lies: it can't see into zarrs."""

    array: zarr.Array[Any]
    """The array."""

    def __dask_tokenize__(self) -> tuple[str, str]:
        return str(self.array.store_path), repr(self.array.metadata)

    def __getitem__(self, place: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self.array[place])


def array_to_read(group: zarr.Group, name: str) -> ArrayToRead:
    """The array `name` of a group, read by zarrs where that is installed and has its codecs."""
    is_fast = isinstance(group.store, LocalStore) and find_spec("zarrs") is not None
    with warnings.catch_warnings(), zarr.config.set({"codec_pipeline.path": ZARRS if is_fast else OWN}):
        warnings.filterwarnings("ignore", "Array is unsupported by ZarrsCodecPipeline")  # which then reads by Zarr's own
        found = group[name]
    assert isinstance(found, zarr.Array)
    return ArrayToRead(found)
