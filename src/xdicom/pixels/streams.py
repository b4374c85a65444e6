"""What a compressed stream says about itself, and the boxes that some are wrapped in.

A stream's own size, precision and sign are what a decoder goes by. They are read before any decoder allocates for it and
held against the header, so that a stream of ninety bytes can't ask for gigabytes, and against the bytes that are there,
since neither libjpeg-turbo nor OpenJPH reports a stream that stops short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from xdicom.errors import MissingDependencyError, PixelDataError
from xdicom.model.encoding import PixelEncoding

Buffer = bytes | memoryview

ALWAYS_BELIEVED = 1 << 28
"""A frame of up to this size [bytes] may come out of the shortest JPEG-LS, JPEG 2000 or JPEG XL stream."""


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """Size and sample form of a compressed stream."""

    rows: int
    """Height [pixels]."""
    columns: int
    """Width [pixels]."""
    components: int
    """Samples of a pixel."""
    precision: int
    """Bits of a sample."""
    is_signed: bool = False
    """Whether the stream itself knows its samples to be signed."""
    process: int = 0
    """JPEG: second byte of the frame header's marker."""
    color_space: Literal["RGB", "YBR", ""] = ""
    """JPEG: what its markers call its three components; empty where they say nothing."""
    rows_at: int = 0
    """JPEG: byte at which the number of rows is stated, where rows are coded one after the other; else 0."""
    is_high_throughput: bool = False
    """JPEG 2000: whether blocks are coded by part 15."""
    open_end: int = 0
    """JPEG 2000: byte at which an end marker is missing; 0 where it is there."""
    is_open: bool = False
    """JPEG 2000: whether the last tile-part reaches to the end marker, wherever that is."""


def check_growth(length: int, encoding: PixelEncoding, most_samples_per_byte: int, believed: int = 0) -> None:
    """Refuse a stream of `length` bytes, too short for the frame that it claims to hold, before memory is taken for that."""
    samples = encoding.rows * encoding.columns * encoding.samples_per_pixel
    if samples * encoding.dtype.itemsize > believed and samples > most_samples_per_byte * length:
        size = f"{encoding.rows} x {encoding.columns} pixels of {encoding.samples_per_pixel} samples"
        raise PixelDataError(f"a stream of {length} bytes can't hold {size}")


def check_stream(stream: StreamHeader, encoding: PixelEncoding) -> None:
    """Refuse a stream whose frame is not the one that the header describes."""
    found = (stream.rows, stream.columns, stream.components)
    if found != (encoding.rows, encoding.columns, encoding.samples_per_pixel):
        raise PixelDataError(
            f"the stream holds {found[0]} x {found[1]} pixels of {found[2]} samples, "
            f"the header says {encoding.rows} x {encoding.columns} of {encoding.samples_per_pixel}"
        )
    if stream.precision > encoding.dtype.itemsize * 8:
        raise PixelDataError(f"the stream holds samples of {stream.precision} bits, the header allocates {encoding.bits_allocated}")


def call_codec(function: Callable[..., Any], data: Buffer, **options: object) -> Any:
    """What a codec `function` makes of `data`; whatever it raises means a damaged stream."""
    try:
        return function(data, **options)
    except ImportError as error:
        raise MissingDependencyError(f"this build of imagecodecs lacks {function.__name__}: pip install --upgrade imagecodecs") from error
    except Exception as error:
        raise PixelDataError(f"damaged stream: {error}") from error


def boxes_of(data: Buffer) -> list[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each whole box."""
    found = []
    at = 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = at + length if length else len(data)
        if end < at + head:
            break
        found.append((kind, at + head, min(end, len(data))))
        at = end
    return found
