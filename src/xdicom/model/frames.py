"""Where frames lie: columns for many frames, never an object for each.

A frame is found by `(url, offset, length)`. The span of a native frame is its bytes. The span of an encapsulated frame
begins at the tag of its first item and ends behind its last fragment, item headers included, so that one contiguous
range serves any number of fragments and a Basic Offset Table alone is enough to find it (PS3.5 A.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xdicom.model.columns import Column, TakenColumns, concatenate, merge_equal
from xdicom.model.encoding import PixelEncoding
from xdicom.model.texts import take_texts


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """A stretch of bytes."""

    offset: int
    """First byte, counted from the start of the source."""
    length: int
    """Number of bytes."""


_FIRST_SOURCE, _FIRST_ENCODING = np.zeros(1, np.int32), np.zeros(1, np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class FrameRefs:
    """Where some frames lie and how they are encoded: all that a worker is given."""

    urls: Sequence[str]
    """Sources that the frames lie in."""
    stamps: Sequence[str]
    """Change marker of each source when it was scanned, empty where unknown."""
    encodings: tuple[PixelEncoding, ...]
    """Encodings that the frames have."""
    source: np.ndarray
    """Number of each frame's source in `urls`; int32, shape `(frames,)`."""
    encoding: np.ndarray
    """Number of each frame's encoding in `encodings`; int16, shape `(frames,)`."""
    offset: np.ndarray
    """First byte of each frame; int64, shape `(frames,)`."""
    length: np.ndarray
    """Bytes of each frame; int64, shape `(frames,)`."""
    frame_number: np.ndarray
    """Number of each frame in its instance, from 1; int32, shape `(frames,)`."""

    def __len__(self) -> int:
        return len(self.offset)

    def one(self, row: int) -> FrameRefs:
        """The frame numbered `row` by itself."""
        source = self.source[row]
        cut = slice(row, row + 1)
        return FrameRefs(
            urls=(self.urls[source],),
            stamps=(self.stamps[source],),
            encodings=(self.encodings[self.encoding[row]],),
            source=_FIRST_SOURCE,
            encoding=_FIRST_ENCODING,
            offset=self.offset[cut],
            length=self.length[cut],
            frame_number=self.frame_number[cut],
        )

    def take(self, rows: np.ndarray) -> FrameRefs:
        """The frames numbered `rows`, with only the sources and encodings that they need."""
        source, encoding = self.source[rows], self.encoding[rows]
        if len(self.urls) == len(self.encodings) == 1 and len(rows):
            cut = (self.offset[rows], self.length[rows], self.frame_number[rows])
            return FrameRefs(self.urls, self.stamps, self.encodings, source, encoding, *cut)
        used_sources, source = np.unique(source, return_inverse=True)
        used_encodings, encoding = np.unique(encoding, return_inverse=True)
        return FrameRefs(
            urls=take_texts(self.urls, used_sources),
            stamps=take_texts(self.stamps, used_sources),
            encodings=tuple(self.encodings[i] for i in used_encodings),
            source=source.astype(np.int32),
            encoding=encoding.astype(np.int16),
            offset=self.offset[rows],
            length=self.length[rows],
            frame_number=self.frame_number[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class InstanceTable:
    """Columns of many instances: where each lies and what its header says of all its frames."""

    urls: Sequence[str]
    """Where each instance lies."""
    sizes: np.ndarray
    """Bytes of each source when it was scanned, -1 where unknown; int64, shape `(instances,)`."""
    stamps: Sequence[str]
    """Change marker of each source when it was scanned: modification time or etag."""
    encodings: tuple[PixelEncoding, ...]
    """Encodings that the instances have."""
    encoding: np.ndarray
    """Number of each instance's encoding; int16, shape `(instances,)`."""
    columns: Mapping[str, Column]
    """Header values by name."""

    def __len__(self) -> int:
        return len(self.urls)


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """Columns of many frames: where each lies and what its header says, a per-frame value above an instance's."""

    instances: InstanceTable
    """The instances that the frames belong to."""
    instance: np.ndarray
    """Number of each frame's instance; int32, shape `(frames,)`."""
    frame_number: np.ndarray
    """Number of each frame in its instance, from 1; int32, shape `(frames,)`."""
    offset: np.ndarray
    """First byte of each frame; int64, shape `(frames,)`."""
    length: np.ndarray
    """Bytes of each frame; int64, shape `(frames,)`."""
    columns: Mapping[str, Column]
    """Values of the per-frame functional groups by name, each of as many rows as there are frames."""

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, rows: np.ndarray) -> FrameTable:
        """The frames numbered `rows`, with only the instances that they belong to."""
        used, instance = np.unique(self.instance[rows], return_inverse=True)
        old = self.instances
        if len(used) != len(old):
            kinds, encoding = np.unique(old.encoding[used], return_inverse=True)
            old = InstanceTable(
                urls=take_texts(old.urls, used),
                sizes=old.sizes[used],
                stamps=take_texts(old.stamps, used),
                encodings=tuple(old.encodings[i] for i in kinds.tolist()),
                encoding=encoding.reshape(-1).astype(np.int16),
                columns=TakenColumns(old.columns, used),
            )
        return FrameTable(
            instances=old,
            instance=instance.reshape(-1).astype(np.int32),
            frame_number=self.frame_number[rows],
            offset=self.offset[rows],
            length=self.length[rows],
            columns=TakenColumns(self.columns, rows),
        )

    def reorder(self, rows: np.ndarray, instances: np.ndarray) -> FrameTable:
        """The same frames in the order `rows`, their instances in the order `instances`."""
        old = self.instances
        place = np.empty(len(instances), np.int32)
        place[instances] = np.arange(len(instances), dtype=np.int32)
        table = InstanceTable(
            urls=take_texts(old.urls, instances),
            sizes=old.sizes[instances],
            stamps=take_texts(old.stamps, instances),
            encodings=old.encodings,
            encoding=old.encoding[instances],
            columns={name: Column(column.kind, column.values, column.codes[instances]) for name, column in old.columns.items()},
        )
        columns = {name: Column(column.kind, column.values, column.codes[rows]) for name, column in self.columns.items()}
        return FrameTable(table, place[self.instance[rows]], self.frame_number[rows], self.offset[rows], self.length[rows], columns)

    def column(self, name: str) -> Column | None:
        """The value `name` of each frame: that of its own functional groups, else that of its instance; None where no frame has one."""
        own, shared = self.columns.get(name), self.instances.columns.get(name)
        if own is not None and not (own.codes >= 0).any():
            own = None
        if own is None:
            if shared is None or not (shared.codes >= 0).any():
                return None
            return shared.take(self.instance)
        if shared is None or own.is_complete:
            return own
        expanded = shared.take(self.instance)
        keep = own.codes < 0
        return merge_equal(concatenate([own, expanded.take(np.flatnonzero(keep))], [len(own), int(keep.sum())])).take(
            np.where(keep, len(own) + np.cumsum(keep) - 1, np.arange(len(own)))
        )

    def numbers(self, name: str) -> np.ndarray:
        """First number of the value `name` of each frame, NaN where there is none; shape `(frames,)`."""
        column = self.column(name)
        return np.full(len(self), np.nan) if column is None else column.first_numbers()

    def texts(self, name: str) -> np.ndarray:
        """Text `name` of each frame, empty where there is none; shape `(frames,)`."""
        column = self.column(name)
        return np.full(len(self), "", object) if column is None or column.kind != "text" else column.texts()

    def refs(self) -> FrameRefs:
        """Where the frames lie and how they are encoded: what workers need of them."""
        table = self.instances
        return FrameRefs(
            urls=table.urls,
            stamps=table.stamps,
            encodings=table.encodings,
            source=self.instance,
            encoding=table.encoding[self.instance],
            offset=self.offset,
            length=self.length,
            frame_number=self.frame_number,
        )


def concatenate_frames(tables: Sequence[FrameTable]) -> FrameTable:
    """Frames of several tables one behind the other."""
    encodings = tuple(dict.fromkeys(encoding for table in tables for encoding in table.instances.encodings))
    number = {encoding: i for i, encoding in enumerate(encodings)}
    counts = [len(table) for table in tables]
    instance_counts = [len(table.instances) for table in tables]
    base = np.cumsum([0, *instance_counts[:-1]])
    instances = InstanceTable(
        urls=tuple(url for table in tables for url in table.instances.urls),
        sizes=np.concatenate([table.instances.sizes for table in tables]),
        stamps=tuple(stamp for table in tables for stamp in table.instances.stamps),
        encodings=encodings,
        encoding=np.concatenate([np.array([number[e] for e in t.instances.encodings], np.int16)[t.instances.encoding] for t in tables]),
        columns=_concatenate_columns([table.instances.columns for table in tables], instance_counts),
    )
    return FrameTable(
        instances=instances,
        instance=np.concatenate([table.instance + start for table, start in zip(tables, base, strict=True)]).astype(np.int32),
        frame_number=np.concatenate([table.frame_number for table in tables]),
        offset=np.concatenate([table.offset for table in tables]),
        length=np.concatenate([table.length for table in tables]),
        columns=_concatenate_columns([table.columns for table in tables], counts),
    )


def _concatenate_columns(columns: Sequence[Mapping[str, Column]], counts: list[int]) -> dict[str, Column]:
    names = dict.fromkeys(name for part in columns for name in part)
    return {name: concatenate([part.get(name) for part in columns], counts) for name in names}
