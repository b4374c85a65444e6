"""Headers of many sources, each read once, as one catalog."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter

import numpy as np

from xdicom.errors import NotDicomError, XDicomError
from xdicom.headers.batch import FEWEST_ALIKE, AlikeHeaders, HeadBatch
from xdicom.headers.fragments import ITEM_HEADER_LENGTH
from xdicom.headers.pixel_form import frame_spans, pixel_encoding
from xdicom.headers.records import HEAD_LENGTH, Header, parse_header
from xdicom.headers.spans import Spans
from xdicom.index.catalog import Catalog, Problem
from xdicom.index.gathered import Gathered, Instance, gather, to_table
from xdicom.index.patients import number_patients, representatives, with_patients_of
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable, concatenate_frames
from xdicom.sources.chain import inflate_of, is_local, split_chain, strip_inflate
from xdicom.sources.concurrency import at_once
from xdicom.sources.heads import REMOTE_HEAD_LENGTH, heads_block, read_heads, read_heads_into
from xdicom.sources.ranges import inflated_length, read_into
from xdicom.sources.readers import Reader
from xdicom.sources.source import Source

_URL, _SIZE, _STAMP = map(itemgetter, (Source._fields.index(name) for name in ("url", "size", "stamp")))
Progress = Callable[[int, int, int], None]
"""Called with the number of sources read so far, their total, and the frames found in them."""

BATCH = 4096
"""Files whose headers are walked in step at once: the more, the less each costs; their first bytes take 32 MB."""


_BETWEEN = 17 * 64
"""Bytes between two heads in memory: at a distance of 8 kB, the same places of all heads would share a few lines of the caches [bytes]."""


def scan_sources(sources: Sequence[Source], progress: Progress | None = None) -> Catalog:
    """Catalog of what lies at `sources`: headers only, no pixel is read.

    A source that is no DICOM file, has no pixels or can't be read becomes a problem of the catalog and stops no other.
    """
    found = _scan(sources, progress)
    return replace(found, frames=number_patients(found.frames))


def _scan(sources: Sequence[Source], progress: Progress | None = None) -> Catalog:
    """The same, with Patient IDs: this catalog is not to be given away."""
    gathered = Gathered()
    parts: list[tuple[np.ndarray, FrameTable]] = []
    others: list[int] = []
    frames = 0
    for start in range(0, len(sources), BATCH):
        batch = sources[start : start + BATCH]
        if len(batch) < FEWEST_ALIKE or not all(map(is_local, map(_URL, batch))):
            others.extend(range(start, start + len(batch)))
            continue
        tables, left = _scan_batch(batch)
        parts.extend((rows + start, table) for rows, table in tables)
        others.extend((left + start).tolist())
        frames += sum(len(table) for _, table in tables)
        if progress is not None:
            progress(len(sources) - len(others), len(sources), frames)
    errors: dict[int, XDicomError] = {}
    found: dict[int, Source] = {}
    chosen = [sources[number] for number in others]

    def report(done: int, _: int) -> None:
        if progress is not None:
            progress(len(sources) - len(others) + done, len(sources), frames)

    heads = read_heads(chosen, HEAD_LENGTH, remote_length=REMOTE_HEAD_LENGTH, on_progress=report, errors=errors, found=found)
    # Where storage is remote, the headers that are longer than their head are read on at the same time.
    on_their_own = map if all(is_local(split_chain(source.url)[1]) for source in chosen) else at_once
    for number, outcome in on_their_own(lambda entry: (entry[0], _attempt(found.get(entry[0], chosen[entry[0]]), entry[1])), heads):
        frames += gather(others[number], found.get(number, chosen[number]), outcome, gathered)
    if progress is not None and chosen:
        progress(len(sources), len(sources), frames)
    gathered.problems.extend(
        (others[number], Problem(chosen[number].url, str(error), type(error).__name__)) for number, error in errors.items()
    )
    by_pydicom = sum(header.parser == "pydicom" for header in gathered.headers)
    if gathered.headers or not parts:
        parts.append((np.array(gathered.numbers, np.int64), to_table(gathered)))
    problems = tuple(problem for _, problem in sorted(gathered.problems, key=lambda entry: entry[0]))
    return Catalog(_in_order(parts), problems, tuple(gathered.notes), len(sources), by_pydicom)


def rescan(known: Catalog | None, sources: Sequence[Source], progress: Progress | None = None) -> Catalog:
    """Catalog of what lies at `sources`, where those that are as they were in `known` are not read again."""
    if known is None:
        return scan_sources(sources, progress)
    table = known.frames.instances
    places = {strip_inflate(url): i for i, url in enumerate(table.urls)}
    failed = {problem.url: problem for problem in known.problems}
    kept_rows: list[int] = []
    kept_numbers: list[int] = []
    others: list[int] = []
    problems: list[tuple[int, Problem]] = []
    for number, source in enumerate(sources):
        row = places.get(source.url)
        if row is not None and source.stamp and table.stamps[row] == source.stamp and _may_be(source.size, int(table.sizes[row])):
            kept_rows.append(row)
            kept_numbers.append(number)
        elif source.url in failed and source.stamp and failed[source.url].stamp == source.stamp:
            problems.append((number, failed[source.url]))
        else:
            others.append(number)
    fresh = _scan([sources[number] for number in others], progress)
    number_of = {sources[number].url: number for number in others}
    fresh_numbers = np.array([number_of[strip_inflate(url)] for url in fresh.frames.instances.urls], np.int64)
    parts = [(fresh_numbers, fresh.frames)]
    if kept_rows:
        wanted = np.zeros(len(table), bool)
        wanted[kept_rows] = True
        kept = known.frames.take(np.flatnonzero(wanted[known.frames.instance]))
        kept = with_patients_of(kept, _scan(representatives(kept, fresh.frames)).frames)
        number_of_row = dict(zip(kept_rows, kept_numbers, strict=True))
        parts.insert(0, (np.array([number_of_row[row] for row in sorted(kept_rows)], np.int64), kept))
    problems.extend((number_of[problem.url], problem) for problem in fresh.problems)
    kept_urls = {sources[number].url for number in kept_numbers}
    notes = (*(note for note in known.notes if note.url in kept_urls), *fresh.notes)
    listed = tuple(problem for _, problem in sorted(problems, key=lambda entry: entry[0]))
    return Catalog(number_patients(_in_order(parts)), listed, notes, len(sources), known.read_by_pydicom + fresh.read_by_pydicom)


def _may_be(size: int, known: int) -> bool:
    """Whether two sizes are one, as far as both are known."""
    return size == known or size < 0 or known < 0


def catalog_of(outcomes: Sequence[tuple[Source, Instance | Problem]]) -> Catalog:
    """Catalog of instances that were read one by one."""
    gathered = Gathered()
    for number, (source, outcome) in enumerate(outcomes):
        gather(number, source, outcome, gathered)
    by_pydicom = sum(header.parser == "pydicom" for header in gathered.headers)
    problems = tuple(problem for _, problem in gathered.problems)
    return Catalog(number_patients(to_table(gathered)), problems, tuple(gathered.notes), len(outcomes), by_pydicom)


def _scan_batch(sources: Sequence[Source]) -> tuple[list[tuple[np.ndarray, FrameTable]], np.ndarray]:
    """Frames of local files that are laid out alike, with the numbers of their sources, and those of the sources that are left."""
    urls = list(map(_URL, sources))
    batch = HeadBatch(_block(), len(sources))
    got = read_heads_into(urls, batch.heads)

    def read_more(rows: np.ndarray, offsets: np.ndarray, block: np.ndarray) -> np.ndarray:
        return np.array(
            [read_into(urls[row], offset, block[row]) for row, offset in zip(rows.tolist(), offsets.tolist(), strict=True)], np.int64
        )

    found, left = batch.parse(got, read_more)
    tables, dropped = [], [left]
    for headers in found:
        rows, table = _table_of_alike(headers, sources)
        tables.append((rows, table))
        dropped.append(np.setdiff1d(headers.rows, rows))
    return tables, np.sort(np.concatenate(dropped))


_blocks = threading.local()


def _block() -> np.ndarray:
    """Room for one batch, kept for the next one: fresh memory costs more than the walk."""
    if not hasattr(_blocks, "block"):
        _blocks.block = heads_block(2 * BATCH, HEAD_LENGTH + _BETWEEN)
    return _blocks.block  # type: ignore[no-any-return]


def _table_of_alike(headers: AlikeHeaders, sources: Sequence[Source]) -> tuple[np.ndarray, FrameTable]:
    """Frames of files laid out alike, with the numbers of their sources; files that need a closer look are left out."""
    count = len(headers.rows)
    sizes = np.fromiter(map(_SIZE, sources), np.int64, len(sources))[headers.rows]
    offset, length = headers.pixel_offset.copy(), np.full(count, -1, np.int64)
    encodings: list[PixelEncoding] = []
    code = np.full(count, -1, np.int16)
    for rows, header in headers.forms:
        try:
            encoding = pixel_encoding(header)
        except XDicomError:
            continue
        if header.notes:
            continue  # each file is told of by itself
        code[rows] = len(encodings)
        encodings.append(encoding)
        available = np.minimum(headers.pixel_length[rows], sizes[rows] - headers.pixel_offset[rows])
        if encoding.is_encapsulated:
            # One fragment, and behind it just a sequence delimiter to the end: nothing else needs a look.
            first = headers.first_items[rows]
            is_whole = (first[:, 0] >= 0) & (headers.pixel_length[rows] < 0) & (first.sum(axis=1) + ITEM_HEADER_LENGTH == sizes[rows])
            offset[rows], length[rows] = first[:, 0], np.where(is_whole, first[:, 1], -1)
        else:
            needed = encoding.native_span(1)[1]
            is_whole = (headers.pixel_length[rows] >= 0) & (available >= needed) & (available < 2 * max(needed, 1))
            length[rows] = np.where(is_whole, needed, -1)
    keep = (length >= 0) & (code >= 0)
    columns = headers.columns if keep.all() else {name: column.take(np.flatnonzero(keep)) for name, column in headers.columns.items()}
    rows = headers.rows[keep]
    chosen = [sources[row] for row in rows.tolist()]
    instances = InstanceTable(
        urls=tuple(map(_URL, chosen)),
        sizes=sizes[keep],
        stamps=tuple(map(_STAMP, chosen)),
        encodings=tuple(encodings),
        encoding=code[keep],
        columns=columns,
    )
    number = np.arange(len(rows), dtype=np.int32)
    return rows, FrameTable(instances, number, np.ones(len(rows), np.int32), offset[keep], length[keep], {})


def _in_order(parts: list[tuple[np.ndarray, FrameTable]]) -> FrameTable:
    """Frames of all parts, in the order of their sources."""
    parts = [(rows, table) for rows, table in parts if len(table)] or parts[:1]
    table = parts[0][1] if len(parts) == 1 else concatenate_frames([table for _, table in parts])
    source = np.concatenate([rows[table.instance] if len(table) else np.empty(0, np.int64) for rows, table in parts])
    if (np.diff(source) >= 0).all():
        return table
    order = np.lexsort((table.frame_number, source))
    by_source = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    return table.reorder(order, by_source)


def _attempt(source: Source, head: bytes) -> Instance | Problem:
    """Url, size, header, encoding and spans of what lies at `source`, or why it can't be read."""
    try:
        return read_instance(source, head)
    except XDicomError as error:
        return Problem(source.url, str(error), type(error).__name__, source.stamp)
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        return Problem(source.url, f"the header can't be read ({type(error).__name__}: {error})", "NotDicomError", source.stamp)


def read_instance(source: Source, head: bytes) -> Instance:
    """Header, encoding and frames of the instance at `source`, whose first bytes are `head`."""
    if not head:
        raise NotDicomError("the file is empty")
    with Reader(source.url, source.stamp) as reader:
        header, encoding, spans = _read_with(reader, head, source.size)
    if header.inflate_from < 0:
        return source.url, source.size, header, encoding, spans
    url = inflate_of(source.url, header.inflate_from)
    with Reader(url, source.stamp) as reader:
        size = inflated_length(url, stamp=source.stamp)
        return url, -1, *_read_with(reader, reader.read(0, HEAD_LENGTH), size, header.inflate_from)


_UNREAD = PixelEncoding("", 0, 0), Spans(np.empty(0, np.int64), np.empty(0, np.int64))


def _read_with(reader: Reader, head: bytes, size: int, inflated_from: int = -1) -> tuple[Header, PixelEncoding, Spans]:
    """Header, pixel encoding and spans; only the header of a deflated instance, which has to be read inflated."""

    def fetch(offset: int, length: int) -> bytes:
        return head[offset : offset + length] if offset + length <= len(head) else reader.read(offset, length)

    header = parse_header(head, fetch, size, inflated_from=inflated_from)
    if header.inflate_from >= 0:
        return header, *_UNREAD
    encoding = pixel_encoding(header)
    return header, encoding, frame_spans(header, encoding, fetch, size)
