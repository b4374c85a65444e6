"""Lookup tables: a first value mapped, entries, and the same entry for all that lies beyond either end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xdicom.transforms.pieces import pieces


@dataclass(frozen=True, slots=True, eq=False)
class LookupTable:
    """A lookup table as the standard's descriptors define it (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5).

    Two tables are equal when they map alike. A table may be used as a key.

    Examples
    --------
    >>> table = LookupTable(first_mapped=-1, data=np.array([10, 20, 30], np.uint8), bits=8)
    >>> table.apply(np.array([-5, -1, 0, 1, 7], np.int16))
    array([10, 10, 20, 30, 30], dtype=uint8)
    """

    first_mapped: int
    """Input value that the first entry belongs to."""
    data: np.ndarray
    """Entries; shape `(entries,)`."""
    bits: int
    """Bits that an entry may use, from the descriptor: full scale is `2**bits - 1` whatever the entries are."""
    explanation: str = ""
    """What the table means, from the header; free text."""

    def __post_init__(self) -> None:
        if self.data.ndim != 1 or not len(self.data):
            raise ValueError(f"a lookup table needs one row of entries, not an array of shape {self.data.shape}")

    def __len__(self) -> int:
        return len(self.data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LookupTable):
            return NotImplemented
        return self._key() == other._key() and self.data.dtype == other.data.dtype and np.array_equal(self.data, other.data)

    def __hash__(self) -> int:
        return hash((self._key(), self.data[:: max(1, len(self.data) // 16)].tobytes()))

    def _key(self) -> tuple[int, int, str, int]:
        return self.first_mapped, self.bits, self.explanation, len(self.data)

    @property
    def full_scale(self) -> int:
        """Largest entry that the descriptor's bits allow."""
        return int(2**self.bits - 1)

    @property
    def last_mapped(self) -> int:
        """Input value that the last entry belongs to."""
        return self.first_mapped + len(self.data) - 1

    def apply(self, values: np.ndarray, dtype: np.dtype[np.generic] | None = None) -> np.ndarray:
        """Entries for `values`: below the first value mapped the first, above the last the last entry.

        Parameters
        ----------
        values
            Numbers of any shape. What is not an integer is rounded to the nearest one, halves upwards.
        dtype
            Type of the result, that of the entries by default. A floating-point one has NaN where `values` have it; one
            of integers has the first entry there.

        Returns
        -------
        numpy.ndarray
            Shape of `values`.
        """
        wanted = self.data.dtype if dtype is None else np.dtype(dtype)
        if is_small_integer(values.dtype) and wanted == self.data.dtype:
            return take(_spread(self, native(values.dtype)), values)
        out = np.empty(values.shape, wanted)
        for index in pieces(values.shape):
            piece = values[index]
            out[index] = self.data[self.positions(piece)]
            if piece.dtype.kind == "f" and wanted.kind == "f":
                out[index][np.isnan(piece)] = np.nan
        return out

    def positions(self, values: np.ndarray) -> np.ndarray:
        """Number of the entry that each of `values` takes; intp, shape of `values`."""
        if values.dtype.kind == "f":
            lowest, highest = self.first_mapped, self.last_mapped
            rounded = np.array(values, np.float64)
            rounded += 0.5
            np.floor(rounded, out=rounded)
            rounded[np.isnan(rounded)] = lowest
            np.clip(rounded, lowest, highest, out=rounded)
            rounded -= lowest
            return rounded.astype(np.intp)
        if values.dtype == np.uint64:
            values = np.minimum(values, np.uint64(np.iinfo(np.int64).max))
        within = np.clip(values.astype(np.int64), self.first_mapped, self.last_mapped)
        return np.asarray(within - self.first_mapped).astype(np.intp)


def native(dtype: np.dtype[np.generic]) -> np.dtype[np.generic]:
    """`dtype` in the machine's byte order."""
    return dtype.newbyteorder("=")


def is_small_integer(dtype: np.dtype[np.generic]) -> bool:
    """Whether a table of all values of `dtype` is small enough to be made: integers of 8 or 16 bits."""
    return dtype.kind in "iu" and dtype.itemsize <= 2


def all_values(dtype: np.dtype[np.generic]) -> np.ndarray:
    """Every value of a small integer `dtype`, ordered as `take` needs: by the bits, read as an unsigned number.

    Examples
    --------
    >>> all_values(np.dtype(np.int8))[[0, 127, 128, 255]]
    array([   0,  127, -128,   -1], dtype=int8)
    """
    unsigned = np.dtype(f"u{dtype.itemsize}")
    values: np.ndarray = np.arange(2 ** (8 * dtype.itemsize), dtype=unsigned).view(native(dtype))
    return values


def take(entries: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`entries` for `values`, which are small integers; one entry for each of `all_values(values.dtype)`."""
    out = np.empty(values.shape, entries.dtype)
    values = np.asarray(values, native(values.dtype))
    unsigned = values.view(np.dtype(f"u{values.dtype.itemsize}"))
    for index in pieces(values.shape):
        np.take(entries, unsigned[index], out=out[index], mode="wrap")
    return out


@lru_cache(maxsize=32)
def _spread(table: LookupTable, dtype: np.dtype[np.generic]) -> np.ndarray:
    """Entries of `table` for every value of `dtype`, made once per process."""
    spread: np.ndarray = table.data[table.positions(all_values(dtype))]
    spread.setflags(write=False)
    return spread
