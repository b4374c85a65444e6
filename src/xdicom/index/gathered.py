"""Instances that were read one by one, as one table of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from xdicom.headers.columns import build_column
from xdicom.headers.records import Header
from xdicom.headers.spans import Spans
from xdicom.headers.values import RawKey
from xdicom.index.catalog import Problem
from xdicom.model.columns import Column, concatenate
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable
from xdicom.sources.source import Source

Instance = tuple[str, int, Header, PixelEncoding, Spans]
"""Url, size, header, encoding and frames of one instance."""


@dataclass(slots=True)
class Gathered:
    """What was read of the sources with pixel data."""

    urls: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    encodings: list[PixelEncoding] = field(default_factory=list)
    spans: list[Spans] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    problems: list[tuple[int, Problem]] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def gather(number: int, source: Source, outcome: Instance | Problem, gathered: Gathered) -> int:
    """Keep what was read of a source; the number of its frames."""
    if isinstance(outcome, Problem):
        gathered.problems.append((number, outcome))
        return 0
    url, size, header, encoding, spans = outcome
    gathered.numbers.append(number)
    gathered.urls.append(url)
    gathered.sizes.append(size)
    gathered.stamps.append(source.stamp)
    gathered.headers.append(header)
    gathered.encodings.append(encoding)
    gathered.spans.append(spans)
    gathered.notes.extend(Problem(source.url, note) for note in (*header.notes, *spans.notes))
    return len(spans.offset)


def to_table(gathered: Gathered) -> FrameTable:
    """Frames of all instances, in the order in which they were gathered."""
    headers = gathered.headers
    encodings = tuple(dict.fromkeys(gathered.encodings))
    number = {encoding: i for i, encoding in enumerate(encodings)}
    columns = _instance_columns(headers)
    instances = InstanceTable(
        urls=tuple(gathered.urls),
        sizes=np.array(gathered.sizes, np.int64),
        stamps=tuple(gathered.stamps),
        encodings=encodings,
        encoding=np.array([number[encoding] for encoding in gathered.encodings], np.int16),
        columns=columns,
    )
    counts = [len(spans.offset) for spans in gathered.spans]
    total = sum(counts)
    if total == len(headers):
        instance, frame_number = np.arange(total, dtype=np.int32), np.ones(total, np.int32)
    else:
        instance = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        frame_number = np.concatenate([np.arange(1, count + 1, dtype=np.int32) for count in counts]) if counts else np.empty(0, np.int32)
    return FrameTable(
        instances=instances,
        instance=instance,
        frame_number=frame_number,
        offset=np.concatenate([spans.offset for spans in gathered.spans]) if counts else np.empty(0, np.int64),
        length=np.concatenate([spans.length for spans in gathered.spans]) if counts else np.empty(0, np.int64),
        columns=_frame_columns(headers, counts, gathered),
    )


def _instance_columns(headers: Sequence[Header]) -> dict[str, Column]:
    sets: dict[bytes, list[int]] = {}
    for i, header in enumerate(headers):
        key = header.values.get("specific_character_set")
        sets.setdefault(key.data if key else b"", []).append(i)
    names = dict.fromkeys(name for header in headers for name in header.values)
    names.pop("extended_offset_table", None)
    names.pop("extended_offset_table_lengths", None)
    columns: dict[str, Column] = {}
    for name in names:
        keys: list[RawKey | None] = [header.values.get(name) for header in headers]
        is_raw = name.endswith("lookup_table_descriptor")
        if len(sets) == 1:
            columns[name] = build_column(keys, _character_sets(next(iter(sets))), is_raw=is_raw)
            continue
        parts = [build_column([keys[i] for i in rows], _character_sets(data), is_raw=is_raw) for data, rows in sets.items()]
        columns[name] = _reorder(parts, list(sets.values()))
    return columns


def _character_sets(data: bytes) -> tuple[str, ...]:
    return tuple(part.strip() for part in data.decode("latin_1").split("\\")) if data.strip(b" \0") else ()


def _reorder(parts: list[Column], rows: list[list[int]]) -> Column:
    """Columns of the frames `rows` as one column in the order of the frames."""
    kinds = {part.kind for part in parts if len(part.values)}
    kind = "raw" if "raw" in kinds else "number" if "number" in kinds else "text"
    joined = concatenate([part if part.kind == kind else None for part in parts], [len(part) for part in parts]) if kinds else parts[0]
    if not kinds:
        return Column("text", np.empty(0, object), np.full(sum(map(len, rows)), -1, np.int8))
    codes = np.empty(len(joined.codes), joined.codes.dtype)
    codes[np.concatenate([np.array(part) for part in rows])] = joined.codes
    return Column(joined.kind, joined.values, codes)


def _frame_columns(headers: Sequence[Header], counts: list[int], gathered: Gathered) -> dict[str, Column]:
    names = dict.fromkeys(name for header in headers if header.frames for name in header.frames.columns)
    columns: dict[str, Column] = {}
    for url, header, count in zip(gathered.urls, headers, counts, strict=True):
        if header.frames and header.frames.count != count:
            gathered.notes.append(
                Problem(
                    url,
                    f"{header.frames.count} items of per-frame functional groups for {count} frames; "
                    "frames without one have no values of their own",
                )
            )
    for name in names:
        parts = [
            _fitted(header.frames.columns.get(name), count) if header.frames else None
            for header, count in zip(headers, counts, strict=True)
        ]
        columns[name] = parts[0] if len(parts) == 1 and parts[0] is not None else concatenate(parts, counts)
    return columns


def _fitted(column: Column | None, count: int) -> Column | None:
    """The column with exactly `count` frames: those without an item of their own have no value."""
    if column is None or len(column) == count:
        return column
    codes = np.full(count, -1, column.codes.dtype)
    codes[: min(count, len(column))] = column.codes[:count]
    return Column(column.kind, column.values, codes)
