"""Which encodings are read, told before any pixel is, and by what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from xdicom.errors import MissingDependencyError, PixelDataError, UnsupportedEncodingError
from xdicom.model.encoding import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, NATIVE_SYNTAXES, PIXEL_DATA, PixelEncoding
from xdicom.pixels.codecs import (
    DECODERS,
    LIBRARY,
    codec_version,
    codecs_of,
    decode_deflated,
    decode_uncompressed,
    has_codec,
)
from xdicom.pixels.codecs_rle import decode_rle
from xdicom.pixels.samples import is_subsampled
from xdicom.pixels.syntaxes import NAMES, refusal_of

_KEEPS_ANY_BYTES = frozenset({decode_rle, decode_deflated, decode_uncompressed})
"""Decoders to which a sample is bytes, so that it may be a float."""
_FLOAT_BITS = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}


@lru_cache(maxsize=1024)
def check_supported(encoding: PixelEncoding) -> None:
    """Refuse an encoding that can't be decoded, by name; needs no pixel data.

    Raises
    ------
    UnsupportedEncodingError
        Where the encoding is valid DICOM that is not read, such as video; the message says why and what to do.
    PixelDataError
        Where the header contradicts itself.
    MissingDependencyError
        Where this build of imagecodecs lacks the codec.

    Examples
    --------
    >>> check_supported(PixelEncoding("1.2.840.10008.1.2.4.80", rows=512, columns=512))
    >>> check_supported(PixelEncoding("1.2.840.10008.1.2.4.102", rows=512, columns=512))
    Traceback (most recent call last):
        ...
    xdicom.errors.UnsupportedEncodingError: transfer syntax MPEG-4 AVC/H.264 High Profile / Level 4.1 ...
    """
    _check_transfer_syntax(encoding.transfer_syntax_uid)
    _check_cells(encoding)
    _check_pixels(encoding)


def _check_transfer_syntax(uid: str) -> None:
    """Refuse transfer syntaxes without a decoder."""
    if uid in NATIVE_SYNTAXES:
        return
    name = NAMES.get(uid)
    reason = refusal_of(uid)
    if reason is not None or uid not in DECODERS:
        raise UnsupportedEncodingError(f"transfer syntax {f'{name} ({uid})' if name else uid or '(none)'} is not read: {reason}")
    for codec in codecs_of(uid):
        if not has_codec(codec):
            raise MissingDependencyError(
                f"transfer syntax {name} ({uid}) needs the codec {codec}, "
                f"which {LIBRARY} was built without: pip install --upgrade imagecodecs"
            )


def _check_cells(encoding: PixelEncoding) -> None:
    """Refuse samples that don't fit their cells, and cells of no size in use (PS3.5 8.1.1, PS3.3 C.7.6.3)."""
    allocated = encoding.bits_allocated
    if encoding.pixel_keyword in _FLOAT_BITS:
        if allocated != _FLOAT_BITS[encoding.pixel_keyword]:
            raise PixelDataError(f"Bits Allocated is {allocated}, but {encoding.pixel_keyword} has {_FLOAT_BITS[encoding.pixel_keyword]}")
        if encoding.is_encapsulated and DECODERS[encoding.transfer_syntax_uid] not in _KEEPS_ANY_BYTES:
            raise UnsupportedEncodingError(f"{encoding.pixel_keyword} in transfer syntax {NAMES[encoding.transfer_syntax_uid]} is not read")
        return
    if encoding.pixel_keyword != PIXEL_DATA:
        raise PixelDataError(f"no pixels are known in element {encoding.pixel_keyword!r}")
    if allocated not in (1, 8, 16, 32, 64):
        raise UnsupportedEncodingError(f"Bits Allocated is {allocated}; 1, 8, 16, 32 and 64 are read")
    # Where samples fill their cells, there is but one place for High Bit: what the header says of it does not matter.
    has_room = encoding.bits_stored <= encoding.high_bit + 1 <= allocated or encoding.bits_stored == allocated
    if allocated > 1 and not (encoding.bits_stored >= 1 and has_room):
        raise PixelDataError(f"Bits Stored {encoding.bits_stored} and High Bit {encoding.high_bit} don't fit in {allocated} bits allocated")


def _check_pixels(encoding: PixelEncoding) -> None:
    """Refuse pixels of no size, and layouts that are not read."""
    if encoding.rows < 1 or encoding.columns < 1:
        raise PixelDataError(f"the header says {encoding.rows} rows and {encoding.columns} columns")
    if encoding.samples_per_pixel not in (1, 3, 4):
        raise UnsupportedEncodingError(f"{encoding.samples_per_pixel} samples per pixel; 1, 3 and 4 are read")
    if encoding.is_encapsulated:
        return
    if encoding.photometric_interpretation == "YBR_PARTIAL_420":
        raise UnsupportedEncodingError("native YBR_PARTIAL_420 is not read; the standard has it for video only")
    if is_subsampled(encoding) and encoding.columns % 2:
        raise PixelDataError(f"{encoding.photometric_interpretation} stores pixels in pairs, but there are {encoding.columns} columns")


@dataclass(frozen=True, slots=True)
class DecoderRow:
    """What this installation can do with one transfer syntax."""

    uid: str
    """UID of the transfer syntax."""
    name: str
    """Its name."""
    codec: str
    """What decodes it; empty where nothing does."""
    version: str
    """Version of that."""
    available: bool
    """Whether frames of it can be decoded here."""
    note: str = ""
    """Why it is not read, or what is missing."""


def decoder_report() -> list[DecoderRow]:
    """What this installation decodes and what not, a row for each transfer syntax that is known by name."""
    return [_row(uid, name) for uid, name in NAMES.items()]


def _row(uid: str, name: str) -> DecoderRow:
    if uid in NATIVE_SYNTAXES:
        return DecoderRow(uid, name, "numpy", "", True, "native")
    if uid not in DECODERS:
        return DecoderRow(uid, name, "", "", False, refusal_of(uid) or "")
    codecs = codecs_of(uid)
    missing = [codec for codec in codecs if not has_codec(codec)]
    note = f"{LIBRARY} was built without {', '.join(missing)}" if missing else ""
    return DecoderRow(uid, name, ", ".join(codecs) or "numpy", ", ".join(map(codec_version, codecs)), not missing, note)
