"""Where the items of a long sequence lie: items like the one before are found by one comparison for a whole run of them."""

from __future__ import annotations

import struct

import numpy as np

from xdicom.headers.elements import (
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    Syntax,
    UncertainHeaderError,
    Window,
    end_of_sequence,
)

_FIRST_WINDOW, _LARGEST_WINDOW = 1 << 20, 16 << 20
_KNOWN_LENGTHS = 8
_SHORTEST_RUN, _LONGEST_RUN = 16, 1024
"""Items of one length in a row, after which a longer run is looked for: more where the last search found few."""


def item_bounds(
    data: bytes, syntax: Syntax, start: int = 0, stop: int | None = None, *, is_trusting: bool = True
) -> tuple[np.ndarray, np.ndarray, int]:
    """Where the elements of each item begin and end, and where the last item ends.

    Parameters
    ----------
    data
        Bytes that a sequence lies in.
    syntax
        How it is written.
    start, stop
        Where the tag of its first item lies, and the byte behind its value.
    is_trusting
        Whether an item of undefined length is believed to end where one like it ended, if a delimiter and another item
        are there. What is found so has to be verified by a walk through the items.

    Returns
    -------
    starts, stops : numpy.ndarray
        First byte of each item's elements, and the byte behind its delimiter or its last element; int64.
    end : int
        Byte behind the last item that is there as a whole.
    """
    marks = _Marks(">" if syntax.is_big_endian else "<")
    header, item = marks.header, marks.item_number
    parts: list[np.ndarray] = []
    begins: list[int] = []
    lengths: list[int] = []
    offset, total, previous, alike, run = start, len(data) if stop is None else stop, -1, 0, _SHORTEST_RUN
    while offset + 8 <= total:
        tag, length = header(data, offset)
        if tag != item:
            break
        span = 8 + length
        if length == UNDEFINED_LENGTH:
            span = next((n for n in lengths if marks.ends_item(data, offset + n, total)), 0) if is_trusting else 0
            span = span or _item_length(data, offset, total, syntax)
            if span < 0:
                break
            if not lengths or lengths[0] != span:
                lengths = [span, *[n for n in lengths if n != span]][:_KNOWN_LENGTHS]
        elif offset + span > total:
            break
        alike = alike + 1 if span == previous else 0
        previous = span
        begins.append(offset)
        offset += span
        if alike == run and is_trusting:
            # Many of one length: the next ones are compared all at once.
            count = marks.run(data, offset, total, span, is_undefined=length == UNDEFINED_LENGTH)
            parts += [np.array(begins, np.int64), offset + span * np.arange(count, dtype=np.int64)]
            begins, alike = [], 0
            offset += span * count
            run = min(2 * run, _LONGEST_RUN) if count < run else _SHORTEST_RUN
    starts = np.concatenate([*parts, np.array(begins, np.int64)])
    return starts + 8, np.append(starts[1:], offset)[: len(starts)], offset


def end_of_long_sequence(window: Window, offset: int, syntax: Syntax) -> tuple[int, int]:
    """The same as `end_of_sequence`, for a sequence of many items of which most are alike.

    The bytes of the sequence are left in `window`, and the bounds of its items in `window.items`: nothing is read or
    looked for twice.
    """
    chunks: list[memoryview] = []
    bounds: list[tuple[np.ndarray, np.ndarray]] = []
    done, size = 0, _FIRST_WINDOW
    marks = _Marks(">" if syntax.is_big_endian else "<")
    while True:
        data = window.fetch(offset + done, size)
        starts, stops, end = item_bounds(data, syntax, is_trusting=not syntax.is_big_endian)
        bounds.append((starts + done, stops + done))
        if len(data) - end >= len(marks.delimiter) and marks.sequence_end == data[end : end + 4]:
            window.data, window.base = b"".join((*chunks, data)) if chunks else data, offset
            window.items = np.concatenate([part[0] for part in bounds]), np.concatenate([part[1] for part in bounds])
            return offset + done + end, offset + done + end + 8
        if len(data) < size:
            raise UncertainHeaderError(f"sequence without end from byte {offset}")
        chunks.append(memoryview(data)[:end])
        done += end
        # What is read behind the end is pixels: no more than what was read before it.
        size = min(max(done, 4 * size if not end else _FIRST_WINDOW), _LARGEST_WINDOW if end else 4 * size)


def _item_length(data: bytes, offset: int, total: int, syntax: Syntax) -> int:
    """Length of the item of undefined length at `offset`, header and delimiter included, or -1 where it is cut short."""
    try:
        _, end = end_of_sequence(Window(data, _no_more, -1), offset, syntax, one_item=True)
    except UncertainHeaderError:
        return -1
    return end - offset if end <= total else -1


def _no_more(_offset: int, _length: int) -> bytes:
    return b""


class _Marks:
    """Tags of items and delimiters as they are written."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.header = struct.Struct(f"{order}II").unpack_from
        self.item = self._tag(ITEM)
        (self.item_number,) = struct.unpack(f"{order}I", self.item)
        self.delimiter = self._tag(ITEM_DELIMITER) + b"\0\0\0\0"
        self.sequence_end = self._tag(SEQUENCE_DELIMITER)

    def _tag(self, tag: int) -> bytes:
        return np.array([tag >> 16, tag & 0xFFFF], f"{self.order}u2").tobytes()

    def ends_item(self, data: bytes, end: int, total: int) -> bool:
        """Whether an item may end at byte `end`: a delimiter before it, another item or the end of the sequence behind it."""
        return data[end - 8 : end] == self.delimiter and (end == total or data[end : end + 4] in (self.item, self.sequence_end))

    def run(self, data: bytes, offset: int, total: int, span: int, *, is_undefined: bool) -> int:
        """How many items of `span` bytes, with the header of the one before, follow each other from `offset` to `total`."""
        before = data[offset - span : offset - span + 8]
        count, most = 0, 64
        while True:
            size = min(most, (total - offset) // span - count)
            if size <= 0:
                return count
            headers: np.ndarray = np.ndarray((size,), "V8", data, offset + count * span, (span,))
            same = headers == np.frombuffer(before, "V8")[0]
            if is_undefined:
                ends: np.ndarray = np.ndarray((size,), "V8", data, offset + (count + 1) * span - 8, (span,))
                same &= ends == np.frombuffer(self.delimiter, "V8")[0]
            if not same.all():
                return count + int(np.argmin(same))
            count, most = count + size, most * 4
