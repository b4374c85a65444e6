"""Headers of many sources, each read once, as one catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from xdicom.errors import NotDicomError, XDicomError
from xdicom.headers.columns import build_column
from xdicom.headers.records import HEAD_LENGTH, Header, RawKey, frame_spans, parse_header, pixel_encoding
from xdicom.headers.spans import Spans
from xdicom.index.catalog import Catalog, Problem
from xdicom.model.columns import Column, concatenate
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable
from xdicom.sources.chain import inflate_of
from xdicom.sources.ranges import read_heads, read_range
from xdicom.sources.source import Source

Progress = Callable[[int, int], None]
"""Called with the number of sources read so far and their total."""


@dataclass(slots=True)
class _Gathered:
    """What was read of the sources with pixel data."""

    urls: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    encodings: list[PixelEncoding] = field(default_factory=list)
    spans: list[Spans] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


def scan_sources(sources: Sequence[Source], progress: Progress | None = None) -> Catalog:
    """Catalog of what lies at `sources`: headers only, no pixel is read.

    A source that is no DICOM file, has no pixels or can't be read becomes a problem of the catalog and stops no other.
    """
    gathered = _Gathered()
    errors: dict[int, XDicomError] = {}
    found: dict[int, Source] = {}
    for number, head in read_heads(sources, HEAD_LENGTH, on_progress=progress, errors=errors, found=found):
        _gather(found.get(number, sources[number]), head, gathered)
    gathered.problems.extend(Problem(sources[number].url, str(error), type(error).__name__) for number, error in sorted(errors.items()))
    return _to_catalog(gathered, len(sources))


def _gather(source: Source, head: bytes, gathered: _Gathered) -> None:
    try:
        url, size, header, encoding, spans = _read(source, head)
    except XDicomError as error:
        gathered.problems.append(Problem(source.url, str(error), type(error).__name__))
        return
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        gathered.problems.append(Problem(source.url, f"the header can't be read ({type(error).__name__}: {error})", "NotDicomError"))
        return
    gathered.urls.append(url)
    gathered.sizes.append(size)
    gathered.stamps.append(source.stamp)
    gathered.headers.append(header)
    gathered.encodings.append(encoding)
    gathered.spans.append(spans)
    gathered.notes.extend(Problem(source.url, note) for note in (*header.notes, *spans.notes))


def _read(source: Source, head: bytes) -> tuple[str, int, Header, PixelEncoding, Spans]:
    url, size = source.url, source.size
    if not head:
        raise NotDicomError("the file is empty")

    def fetch(offset: int, length: int) -> bytes:
        inside = offset + length - len(head)
        return head[offset : offset + length] if inside <= 0 else read_range(url, offset, length)

    header = parse_header(head, fetch, size)
    if header.inflate_from >= 0:
        start = header.inflate_from
        url, size = inflate_of(url, start), -1
        head = read_range(url, 0, HEAD_LENGTH)
        header = parse_header(head, fetch, size, inflated_from=start)
    encoding = pixel_encoding(header)
    return url, size, header, encoding, frame_spans(header, encoding, fetch, size)


def _to_catalog(gathered: _Gathered, source_count: int) -> Catalog:
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
    frames = FrameTable(
        instances=instances,
        instance=instance,
        frame_number=frame_number,
        offset=np.concatenate([spans.offset for spans in gathered.spans]) if counts else np.empty(0, np.int64),
        length=np.concatenate([spans.length for spans in gathered.spans]) if counts else np.empty(0, np.int64),
        columns=_frame_columns(headers, counts, gathered),
    )
    by_pydicom = sum(header.parser == "pydicom" for header in headers)
    return Catalog(frames, tuple(gathered.problems), tuple(gathered.notes), source_count, by_pydicom)


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


def _frame_columns(headers: Sequence[Header], counts: list[int], gathered: _Gathered) -> dict[str, Column]:
    names = dict.fromkeys(name for header in headers if header.frames for name in header.frames.columns)
    columns: dict[str, Column] = {}
    for url, header, count in zip(gathered.urls, headers, counts, strict=True):
        if header.frames and header.frames.count != count:
            gathered.notes.append(
                Problem(url, f"{header.frames.count} items of per-frame functional groups for {count} frames; frames without one have no values of their own")
            )
    for name in names:
        parts = [_fitted(header.frames.columns.get(name), count) if header.frames else None for header, count in zip(headers, counts, strict=True)]
        columns[name] = parts[0] if len(parts) == 1 and parts[0] is not None else concatenate(parts, counts)
    return columns


def _fitted(column: Column | None, count: int) -> Column | None:
    """The column with exactly `count` frames: those without an item of their own have no value."""
    if column is None or len(column) == count:
        return column
    codes = np.full(count, -1, column.codes.dtype)
    codes[: min(count, len(column))] = column.codes[:count]
    return Column(column.kind, column.values, codes)


