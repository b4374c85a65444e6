"""One frame's stored values to the stream of a transfer syntax; what the table lacks is refused by name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np

from xdicom.errors import MissingDependencyError, UnsupportedEncodingError
from xdicom.model.encoding import PIXEL_DATA, PixelEncoding
from xdicom.pixels.syntaxes import NAMES

SHORT_NAMES: dict[str, str] = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "rle": "1.2.840.10008.1.2.5",
    "deflated-frame": "1.2.840.10008.1.2.8.1",
    "jpeg-lossless": "1.2.840.10008.1.2.4.70",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg-2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "htj2k-rpcl": "1.2.840.10008.1.2.4.202",
    "jpeg-xl": "1.2.840.10008.1.2.4.110",
    "jpeg": "1.2.840.10008.1.2.4.50",
    "jpeg-ls-near": "1.2.840.10008.1.2.4.81",
    "jpeg-2000-lossy": "1.2.840.10008.1.2.4.91",
}
"""UID of each transfer syntax that is written, by the short name that a person may give."""

NATIVE_WRITTEN = frozenset({SHORT_NAMES["explicit"], SHORT_NAMES["implicit"]})
"""Native transfer syntaxes that are written."""

_RLE_HEADER = struct.Struct("<16I")
_MOST_RLE_SEGMENTS = 15
_BYTE = 8


@dataclass(frozen=True, slots=True)
class Encoder:
    """What makes streams of one transfer syntax."""

    encode: Callable[[np.ndarray, PixelEncoding, float], bytes]
    """Stream of a frame; the number says how much may be lost, and is not looked at by lossless ones."""
    codec: str
    """The codec of imagecodecs that it calls."""
    cell_bits: tuple[int, ...]
    """Bits Allocated that it takes."""
    largest_loss: tuple[float, float] | None = None
    """Smallest and largest number that says how much may be lost; None where nothing is."""
    lossy_method: str = ""
    """Defined term for Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1)."""
    transforms_color: bool = False
    """Whether RGB is coded as YBR_RCT, and comes back as RGB."""
    takes_sign: bool = True
    """Whether signed samples are coded."""


def transfer_syntax_of(name: str | None) -> str:
    """UID of a transfer syntax by its UID or short name; Explicit VR Little Endian for None.

    Raises
    ------
    UnsupportedEncodingError
        If it is not one that is written; the message lists those.

    Examples
    --------
    >>> transfer_syntax_of("jpeg-ls")
    '1.2.840.10008.1.2.4.80'
    """
    uid = SHORT_NAMES.get(name or "explicit", str(name))
    if uid not in ENCODERS and uid not in NATIVE_WRITTEN:
        known = ", ".join(f"{short} ({each})" for short, each in SHORT_NAMES.items())
        raise UnsupportedEncodingError(f"transfer syntax {NAMES.get(uid, uid)} is not written; these are: {known}")
    return uid


def check_writable(encoding: PixelEncoding, loss: float | None = None) -> None:
    """Refuse an encoding that frames can't be written in; needs no pixels.

    Parameters
    ----------
    encoding
        How frames are to be encoded; bits at the bottom of their cells, color by pixel.
    loss
        How much may be lost: the quality of JPEG (1 to 100), the largest error of JPEG-LS (1 and up), the ratio of signal
        to noise of JPEG 2000 [dB]. Lossy transfer syntaxes ask for it; lossless ones refuse it.

    Raises
    ------
    UnsupportedEncodingError
        If the transfer syntax does not take such samples, or is not written at all.
    MissingDependencyError
        If this build of imagecodecs lacks the codec.
    ValueError
        If `loss` is missing, out of range, or given for a lossless transfer syntax.
    """
    uid = encoding.transfer_syntax_uid
    name = f"{NAMES.get(uid, 'transfer syntax')} ({uid})"
    encoder = ENCODERS.get(uid)
    if encoder is None or encoder.largest_loss is None:
        if loss is not None:
            raise ValueError(f"{name} loses nothing: leave loss= out")
    elif loss is None or not encoder.largest_loss[0] <= loss <= encoder.largest_loss[1]:
        low, high = encoder.largest_loss
        raise ValueError(f"{name} is lossy: say loss= from {low:g} to {high:g}, or choose a lossless transfer syntax")
    if encoding.photometric_interpretation.startswith("YBR_PARTIAL"):
        raise UnsupportedEncodingError(f"{encoding.photometric_interpretation} is not written: write the colors that to_rgb() makes")
    if encoder is None:
        transfer_syntax_of(uid)
        return
    if encoding.pixel_keyword != PIXEL_DATA:
        raise UnsupportedEncodingError(f"{encoding.pixel_keyword} is not written in {name}: floats stay uncompressed")
    if encoding.bits_allocated not in encoder.cell_bits or (encoding.is_signed and not encoder.takes_sign):
        kinds = " or ".join(map(str, encoder.cell_bits))
        sign = "" if encoder.takes_sign else " without sign"
        raise UnsupportedEncodingError(f"{name} takes samples of {kinds} bits{sign}, these are {encoding.dtype}")
    if encoder.lossy_method == "ISO_10918_1" and encoding.bits_stored != 8:
        raise UnsupportedEncodingError(f"{name} takes samples of 8 bits, these have {encoding.bits_stored}")
    if encoding.samples_per_pixel not in (1, 3):
        raise UnsupportedEncodingError(f"{encoding.samples_per_pixel} samples per pixel are not written in {name}: 1 and 3 are")
    if not getattr(imagecodecs, encoder.codec.upper()).available:
        missing = f"{name} needs the codec {encoder.codec}, which imagecodecs was built without"
        raise MissingDependencyError(f"{missing}: pip install --upgrade imagecodecs")


def written_encoding(encoding: PixelEncoding) -> PixelEncoding:
    """`encoding` as a header has to state it: a codec may transform colors, and chrominance is never subsampled here.

    Examples
    --------
    >>> encoding = PixelEncoding("1.2.840.10008.1.2.4.90", 8, 8, 3, 8, 8, 7, photometric_interpretation="RGB")
    >>> written_encoding(encoding).photometric_interpretation
    'YBR_RCT'
    """
    photometric = encoding.photometric_interpretation
    encoder = ENCODERS.get(encoding.transfer_syntax_uid)
    if photometric == "YBR_FULL_422":
        photometric = "YBR_FULL"
    if photometric in ("YBR_RCT", "YBR_ICT", "XYB"):
        photometric = "RGB"
    if photometric == "RGB" and encoder is not None and encoder.transforms_color:
        photometric = "YBR_RCT" if encoder.largest_loss is None else "YBR_ICT"
    return replace(encoding, photometric_interpretation=photometric, planar_configuration=0)


def encode_frame(frame: np.ndarray, encoding: PixelEncoding, loss: float | None = None) -> bytes:
    r"""Stream of one frame, as the fragments of encapsulated pixel data hold it; not padded.

    Parameters
    ----------
    frame
        Stored values, shape `encoding.frame_shape`, type `encoding.dtype`.
    encoding
        As `written_encoding` gives it.
    loss
        How much may be lost, as `check_writable` has it.

    Raises
    ------
    UnsupportedEncodingError
        If the transfer syntax is not one with an encoder.

    Examples
    --------
    >>> encoding = PixelEncoding("1.2.840.10008.1.2.5", rows=2, columns=4, bits_allocated=8, bits_stored=8, high_bit=7)
    >>> encode_frame(np.full((2, 4), 7, np.uint8), encoding)[64:]
    b'\xfd\x07\xfd\x07'
    """
    encoder = ENCODERS.get(encoding.transfer_syntax_uid)
    if encoder is None:
        raise UnsupportedEncodingError(f"transfer syntax {encoding.transfer_syntax_uid} has no encoder")
    return encoder.encode(np.ascontiguousarray(frame), encoding, 0.0 if loss is None else loss)


def _unsigned(frame: np.ndarray, encoding: PixelEncoding) -> np.ndarray:
    """The bits of each sample, for codecs that know no sign."""
    cells: np.ndarray = frame.view(f"u{frame.dtype.itemsize}")
    if encoding.bits_stored == 8 * frame.dtype.itemsize or not encoding.is_signed:
        return cells
    low: np.ndarray = np.bitwise_and(cells, (1 << encoding.bits_stored) - 1)
    return low


def _precision(encoding: PixelEncoding) -> int:
    """Bits of a sample for codecs that have one precision for bytes and others for words."""
    bits = encoding.bits_stored
    return bits if encoding.bits_allocated - 8 < bits != 1 else encoding.bits_allocated


def encode_rle(frame: np.ndarray, encoding: PixelEncoding, _: float) -> bytes:
    """RLE: a segment for each byte of each sample, the most significant first, rows by themselves (PS3.5 Annex G)."""
    samples = frame.reshape(encoding.rows, encoding.columns, encoding.samples_per_pixel)
    big = np.ascontiguousarray(samples, samples.dtype.newbyteorder(">"))
    cells = big.view(np.uint8).reshape(*samples.shape, samples.dtype.itemsize)
    planes = np.ascontiguousarray(np.moveaxis(cells, (2, 3), (0, 1))).reshape(-1, encoding.rows, encoding.columns)
    segments = [bytes(imagecodecs.packbits_encode(plane, axis=-1)) for plane in planes]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    offsets = _RLE_HEADER.size + np.cumsum([0, *map(len, segments[:-1])])
    return _RLE_HEADER.pack(len(segments), *offsets.tolist(), *[0] * (_MOST_RLE_SEGMENTS - len(segments))) + b"".join(segments)


def encode_deflated(frame: np.ndarray, _encoding: PixelEncoding, _: float) -> bytes:
    """Deflated Image Frame: the native frame as one raw deflate stream (PS3.5 A.4)."""
    little = frame.astype(frame.dtype.newbyteorder("<"), copy=False)
    return bytes(imagecodecs.deflate_encode(little.tobytes(), 6, raw=True))


def encode_jpeg_lossless(frame: np.ndarray, encoding: PixelEncoding, _: float) -> bytes:
    """JPEG Lossless, Process 14, Selection Value 1 (PS3.5 A.4.1)."""
    values = _unsigned(frame, encoding)
    space = None if values.ndim == 2 else "RGB"  # one name twice: nothing is converted, whatever the samples are
    options: dict[str, Any] = {"lossless": True, "predictor": 1, "bitspersample": _precision(encoding)}
    return bytes(imagecodecs.jpeg8_encode(values, colorspace=space, outcolorspace=space, **options))


def encode_jpeg(frame: np.ndarray, encoding: PixelEncoding, loss: float) -> bytes:
    """JPEG Baseline of a quality from 1 to 100 (PS3.5 A.4.1)."""
    if frame.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(frame, int(loss)))
    space = "RGB" if encoding.photometric_interpretation == "RGB" else "YCBCR"
    return bytes(imagecodecs.jpeg8_encode(frame, int(loss), colorspace=space, outcolorspace=space, subsampling="444"))


def encode_jpeg_ls(frame: np.ndarray, encoding: PixelEncoding, loss: float) -> bytes:
    """JPEG-LS with errors of up to `loss` (PS3.5 A.4.3)."""
    values = frame.view(f"u{frame.dtype.itemsize}") if loss == 0 else _unsigned(frame, encoding)
    return bytes(imagecodecs.jpegls_encode(values, int(loss)))


def encode_jpeg_2000(frame: np.ndarray, encoding: PixelEncoding, loss: float) -> bytes:
    """JPEG 2000 of the precision Bits Stored, reversible where `loss` is 0 (PS3.5 A.4.4)."""
    if encoding.bits_stored <= _BYTE:  # the codec takes samples in the smallest cells that hold their precision
        frame = frame.astype(f"{frame.dtype.kind}1", copy=False)
    has_transform = encoding.photometric_interpretation in ("YBR_RCT", "YBR_ICT")
    options: dict[str, Any] = {"codecformat": "j2k", "bitspersample": encoding.bits_stored, "mct": has_transform, "numthreads": 1}
    return bytes(imagecodecs.jpeg2k_encode(frame, int(loss) or None, reversible=loss == 0, **options))


def encode_htj2k(frame: np.ndarray, encoding: PixelEncoding, _: float) -> bytes:
    """High-Throughput JPEG 2000, reversible, in RPCL order with tile-part lengths (PS3.5 A.4.8)."""
    return bytes(imagecodecs.htj2k_encode(frame, None, rgb=encoding.photometric_interpretation == "YBR_RCT", reversible=True, tlm=True))


def encode_jpeg_xl(frame: np.ndarray, encoding: PixelEncoding, _: float) -> bytes:
    """JPEG XL, lossless (PS3.5 A.4.9)."""
    return bytes(imagecodecs.jpegxl_encode(frame, lossless=True, bitspersample=_precision(encoding), numthreads=1))


_HTJ2K = Encoder(encode_htj2k, "htj2k", (8, 16), transforms_color=True)

ENCODERS: dict[str, Encoder] = {
    SHORT_NAMES["rle"]: Encoder(encode_rle, "packbits", (8, 16, 32)),
    SHORT_NAMES["deflated-frame"]: Encoder(encode_deflated, "deflate", (8, 16, 32)),
    SHORT_NAMES["jpeg-lossless"]: Encoder(encode_jpeg_lossless, "jpeg8", (8, 16)),
    SHORT_NAMES["jpeg-ls"]: Encoder(encode_jpeg_ls, "jpegls", (8, 16)),
    SHORT_NAMES["jpeg-2000"]: Encoder(encode_jpeg_2000, "jpeg2k", (8, 16), transforms_color=True),
    SHORT_NAMES["htj2k"]: _HTJ2K,
    SHORT_NAMES["htj2k-rpcl"]: _HTJ2K,
    SHORT_NAMES["jpeg-xl"]: Encoder(encode_jpeg_xl, "jpegxl", (8, 16), takes_sign=False),
    SHORT_NAMES["jpeg"]: Encoder(encode_jpeg, "jpeg8", (8,), (1, 100), "ISO_10918_1", takes_sign=False),
    SHORT_NAMES["jpeg-ls-near"]: Encoder(encode_jpeg_ls, "jpegls", (8, 16), (1, 255), "ISO_14495_1", takes_sign=False),
    SHORT_NAMES["jpeg-2000-lossy"]: Encoder(encode_jpeg_2000, "jpeg2k", (8, 16), (20, 200), "ISO_15444_1", transforms_color=True),
}
"""The encoder of each encapsulated transfer syntax that is written."""
