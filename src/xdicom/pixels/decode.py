"""One frame's bytes, as they lie in the source, to its stored values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.codecs import DECODERS, FILLERS
from xdicom.pixels.codecs_jpeg import decode_jpeg
from xdicom.pixels.samples import byte_order, is_subsampled, settle_cells, unpack_native
from xdicom.pixels.support import check_supported

_ITEM = b"\xfe\xff\x00\xe0"
_ITEM_HEADER_LENGTH = 8


def decode_frame(
    data: bytes | memoryview,
    encoding: PixelEncoding,
    frame_number: int = 1,
    *,
    out: np.ndarray | None = None,
    rows: int | None = None,
) -> np.ndarray:
    """Stored values of one frame.

    Parameters
    ----------
    data
        The frame's span. Native: the bytes of `encoding.native_span(frame_number)`. Encapsulated: from the tag of
        the frame's first item to the end of its last fragment; what follows that is ignored.
    encoding
        How the frame is encoded.
    frame_number
        Number of the frame in its instance, from 1.
    out
        Room for the values, C-contiguous, of the shape and type of what is returned. It is returned itself where a decoder
        writes there, and is of no use where something else is returned.
    rows
        How many rows from the top are wanted, where that is not all: the result may then end below them, before the frame does.

    Returns
    -------
    numpy.ndarray
        Shape `encoding.frame_shape`, that is `(rows, columns[, samples])`; type `encoding.dtype`; C-contiguous,
        writable, in native byte order, in the color space of `stored_photometric_interpretation(encoding)`.

    Raises
    ------
    PixelDataError
        Where bytes are missing, or a stream is damaged or not the one that the header describes. The message begins
        with the frame's number and names no source: the caller knows it.
    UnsupportedEncodingError
        Where the encoding is valid DICOM that is not read.

    Examples
    --------
    >>> encoding = PixelEncoding("1.2.840.10008.1.2.1", rows=2, columns=2, bits_stored=12, high_bit=11)
    >>> decode_frame(bytes([1, 0, 2, 0, 3, 0, 4, 0xF0]), encoding)
    array([[1, 2],
           [3, 4]], dtype=uint16)
    """
    return decode_by(partial(_decode, frame_number=frame_number, out=out, rows=rows), data, encoding, frame_number)


def _decode(
    data: bytes | memoryview, encoding: PixelEncoding, *, frame_number: int, out: np.ndarray | None, rows: int | None
) -> np.ndarray:
    if not encoding.is_encapsulated:
        return unpack_native(data, encoding, encoding.lead_bits(frame_number), order=byte_order(encoding), out=out)
    stream, uid = join_fragments(data), encoding.transfer_syntax_uid
    if rows is not None and DECODERS[uid] is decode_jpeg:
        return decode_jpeg(stream, encoding, rows)
    return FILLERS[uid](stream, encoding, out) if out is not None and uid in FILLERS else DECODERS[uid](stream, encoding)


def decode_by(
    decoder: Callable[[bytes | memoryview, PixelEncoding], np.ndarray], data: bytes | memoryview, encoding: PixelEncoding, frame_number: int
) -> np.ndarray:
    """What `decoder` makes of the span of a frame; its errors get the number of the frame."""
    check_supported(encoding)
    try:
        return decoder(data, encoding)
    except PixelDataError as error:
        raise PixelDataError(f"frame {frame_number}: {error}") from error
    except UnsupportedEncodingError as error:
        raise UnsupportedEncodingError(f"frame {frame_number}: {error}") from error


def join_fragments(data: bytes | memoryview) -> bytes | memoryview:
    """The code stream in the items that `data` begins with, without a copy where there is one fragment (PS3.5 A.4).

    Raises
    ------
    PixelDataError
        Where there is no item, or the last one is cut short.
    """
    view = memoryview(data)
    fragments: list[memoryview] = []
    at = 0
    while bytes(view[at : at + 4]) == _ITEM and at + _ITEM_HEADER_LENGTH <= len(view):
        length = int.from_bytes(view[at + 4 : at + 8], "little")
        at += _ITEM_HEADER_LENGTH
        if at + length > len(view):
            raise PixelDataError(f"fragment {len(fragments) + 1} should have {length} bytes, {len(view) - at} are there: it is cut short")
        fragments.append(view[at : at + length])
        at += length
    if at == 0:
        start = bytes(view[:4]).hex(" ") or "nothing"
        raise PixelDataError(
            f"no fragment found: {len(view)} bytes that begin with {start}, not with an item tag; the offset table may be wrong"
        )
    stream = fragments[0] if len(fragments) == 1 else b"".join(fragments)
    if len(stream) == 0:
        raise PixelDataError("its fragments are empty")
    return stream


def reads_in_place(encoding: PixelEncoding) -> bool:
    """Whether native frames can be read straight into an array of `encoding.dtype` and `frame_shape`.

    Where that is so, `settle` is all that is left to do on it, for any number of frames at once.
    """
    is_by_plane = encoding.samples_per_pixel > 1 and encoding.planar_configuration == 1
    is_packed = encoding.bits_allocated == 1 or encoding.swaps_bytes_of_words or is_subsampled(encoding)
    return not (encoding.is_encapsulated or is_by_plane or is_packed)


def settle(array: np.ndarray, encoding: PixelEncoding) -> None:
    """Make stored values of native cells that were read into `array` as they lie, in place.

    Turns big-endian cells into native ones, drops bits that are not the sample's and extends the sign (PS3.5 8.1.1).

    Parameters
    ----------
    array
        C-contiguous and writable, type `encoding.dtype`, any shape: as many frames as were read.
    encoding
        One for which `reads_in_place` holds.
    """
    if np.dtype(f"{byte_order(encoding)}u2") != np.dtype(np.uint16) and array.dtype.itemsize > 1:
        array.byteswap(inplace=True)
    settle_cells(array, encoding)
