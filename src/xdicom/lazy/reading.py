"""What the tasks of frames do: bytes of sources to stored values in their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.model.encoding import PixelEncoding
from xdicom.model.frames import FrameRefs
from xdicom.pixels.codecs import check_length
from xdicom.pixels.decode import decode_frame, reads_in_place, settle
from xdicom.sources.ranges import read_into, read_many_into, read_ranges
from xdicom.sources.successive import read_each


class Decode(Protocol):
    """Makes values of the bytes, the encoding and the number of a frame; of the first `rows` at least, where not all are wanted."""

    def __call__(self, data: bytes | memoryview, encoding: PixelEncoding, frame_number: int, /, *, rows: int | None = None) -> np.ndarray:
        """Values, shape `encoding.frame_shape`, or fewer rows that hold those that are wanted."""


def check_lengths(refs: FrameRefs) -> None:
    """Refuse frames of which bytes were missing when they were scanned, before room is made for them.

    Raises
    ------
    PixelDataError
        Where some are; it names the first of them.
    """
    is_single = len(refs) == 1
    for code, encoding in enumerate(refs.encodings):
        if encoding.is_encapsulated:
            if not is_single:  # of one frame the decoder itself sees that, before it makes room
                _check_streams(refs, np.flatnonzero(refs.encoding == code), encoding)
            continue
        needed = encoding.native_frame_bits // 8
        if is_single and refs.length[0] >= needed:
            continue
        short = np.flatnonzero((refs.encoding == code) & (refs.length < needed))
        if len(short):
            i = int(short[0])
            raise _cut_short(refs, i, int(refs.length[i]), needed)


def _check_streams(refs: FrameRefs, frames: np.ndarray, encoding: PixelEncoding) -> None:
    i = int(frames[np.argmin(refs.length[frames])])
    if not refs.length[i]:
        raise _nothing_there(refs, i)
    try:
        check_length(int(refs.length[i]), encoding)
    except PixelDataError as error:
        raise PixelDataError(f"frame {refs.frame_number[i]}: {error} (in {refs.urls[refs.source[i]]})") from error


def _nothing_there(refs: FrameRefs, i: int) -> PixelDataError:
    url = refs.urls[refs.source[i]]
    return PixelDataError(
        f"frame {refs.frame_number[i]} of {url}: no byte of it is there; the source was cut short or declares too many frames"
    )


def _cut_short(refs: FrameRefs, i: int, there: int, needed: int) -> PixelDataError:
    url = refs.urls[refs.source[i]]
    return PixelDataError(
        f"frame {refs.frame_number[i]}: it should have {needed} bytes, {there} are there: the pixel data is cut short (in {url})"
    )


def read_frame(refs: FrameRefs, i: int, decode: Decode = decode_frame) -> np.ndarray:
    """Values of frame `i` of `refs`, shape `encoding.frame_shape`; uncompressed ones are read straight to where they stay.

    Errors are those of `read_frames`.
    """
    source, encoding = refs.source[i], refs.encodings[refs.encoding[i]]
    url, stamp = refs.urls[source], refs.stamps[source]
    if decode is decode_frame and reads_in_place(encoding):
        out = np.empty(encoding.frame_shape, encoding.dtype)
        got = read_into(url, int(refs.offset[i]), out, stamp=stamp)
        if got < out.nbytes:
            raise _cut_short(refs, i, got, out.nbytes)
        settle(out, encoding)
        return out
    (data,) = read_ranges(url, refs.offset[i : i + 1], refs.length[i : i + 1], stamp=stamp)
    return _decode(data, refs, i, decode)


def read_frames(refs: FrameRefs, decode: Decode = decode_frame, rows: Sequence[int | None] | None = None) -> Iterator[np.ndarray]:
    """Values of each frame of `refs`, one after the other; of its first `rows` at least, where not all of them are wanted.

    Raises
    ------
    PixelDataError
        If a frame is truncated or damaged.
    SourceError
        If storage does not answer, or a source changed since it was scanned.
    """
    check_lengths(refs)
    for i, data in enumerate(_streams(refs)):
        yield _decode(data, refs, i, decode if rows is None else partial(decode, rows=rows[i]))


def read_frames_into(refs: FrameRefs, out: np.ndarray, target: np.ndarray) -> None:
    """Read every frame of `refs` into its row of `out`; errors are those of `read_frames`.

    Parameters
    ----------
    out
        Shape `(cells, *frame_shape)`, C-contiguous.
    target
        Row for each frame; int64, shape `(frames,)`.
    """
    in_place = np.array([reads_in_place(encoding) for encoding in refs.encodings], bool)[refs.encoding]
    native, others = np.flatnonzero(in_place), np.flatnonzero(~in_place)
    if len(native):
        _read_native(refs, out, native, target[native])
    if len(others):
        coded = refs if len(others) == len(refs) else refs.take(others)
        for i, (row, data) in enumerate(zip(target[others].tolist(), _streams(coded), strict=True)):
            place = out[row]
            values = _decode(data, coded, i, partial(decode_frame, out=place))
            if values is not place:
                place[...] = values


def _streams(refs: FrameRefs) -> Iterator[bytes | memoryview]:
    """Bytes of each frame, good until the next one is asked for."""
    sources = refs.source.tolist()
    return read_each([refs.urls[source] for source in sources], refs.offset, refs.length, [refs.stamps[source] for source in sources])


def _decode(
    data: bytes | memoryview, refs: FrameRefs, i: int, decode: Callable[[bytes | memoryview, PixelEncoding, int], np.ndarray]
) -> np.ndarray:
    """Values of frame `i` of `refs`, of its bytes."""
    if not data:
        raise _nothing_there(refs, i)
    encoding, number = refs.encodings[refs.encoding[i]], int(refs.frame_number[i])
    try:
        return decode(data, encoding, number)
    except (PixelDataError, UnsupportedEncodingError) as error:
        raise type(error)(f"{error} (in {refs.urls[refs.source[i]]})") from error


def _read_native(refs: FrameRefs, out: np.ndarray, frames: np.ndarray, target: np.ndarray) -> None:
    """Read native frames straight to their place; frames that follow each other in source and array are one read."""
    source, offset = refs.source[frames], refs.offset[frames]
    size = out[0].nbytes
    follows = (np.diff(source) == 0) & (np.diff(offset) == size) & (np.diff(target) == 1)
    starts = np.concatenate([[0], np.flatnonzero(~follows) + 1])
    counts = np.diff(starts, append=len(frames))
    parts = [out[target[first] : target[first] + count] for first, count in zip(starts.tolist(), counts.tolist(), strict=True)]
    urls, stamps = [refs.urls[number] for number in source[starts]], [refs.stamps[number] for number in source[starts]]
    for first, part, got in zip(starts.tolist(), parts, read_many_into(urls, offset[starts], parts, stamps), strict=True):
        if got < part.nbytes:
            whole = got // size
            raise _cut_short(refs, int(frames[first + whole]), got - whole * size, size)
        settle(part, refs.encodings[refs.encoding[frames[first]]])
