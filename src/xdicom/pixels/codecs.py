"""One table, transfer syntax to decoder; what it lacks is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import imagecodecs
import numpy as np

from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.codecs_jpeg import MOST_OF_JPEG, MOST_OF_JPEG_LS, decode_jpeg, decode_jpeg_ls
from xdicom.pixels.codecs_rle import MOST_BYTES_PER_BYTE, decode_rle
from xdicom.pixels.jpeg_2000_stream import SIGN_BIT, SSIZ_OFFSET, jpeg_2000_codestream, parse_jpeg_2000
from xdicom.pixels.jpeg_xl_stream import holds_jpeg, parse_jpeg_xl
from xdicom.pixels.samples import reinterpret_sign, settle_stream, shaped, unpack_native
from xdicom.pixels.streams import ALWAYS_BELIEVED, Buffer, StreamHeader, call_codec, check_growth, check_stream

Decoder = Callable[[Buffer, PixelEncoding], np.ndarray]
"""Stored values, shape `encoding.frame_shape`, type `encoding.dtype`, of one frame's joined fragments."""

Filler = Callable[[Buffer, PixelEncoding, np.ndarray], np.ndarray]
"""The same in C-contiguous room of that shape and type; bits that lie packed are unpacked elsewhere."""

_SAFE_OPENJPH = [0, 32]
"""Version of OpenJPH from which on damaged streams were found to do no harm; OpenJPEG, half as fast, serves before it."""

_MOST_BITS_OF_OPENJPEG = 31

_MOST_OF_WAVELETS, _MOST_OF_DEFLATE = 1 << 17, 1032
"""The most samples (of deflate: bytes) that a byte of a stream can make."""


def decode_jpeg_2000(data: Buffer, encoding: PixelEncoding) -> np.ndarray:
    """JPEG 2000 and HTJ2K; the codec undoes the color transforms RCT and ICT (PS3.5 A.4.4)."""
    data = jpeg_2000_codestream(data)
    stream = parse_jpeg_2000(data)
    check_stream(stream, encoding)
    check_growth(len(data), encoding, _MOST_OF_WAVELETS, ALWAYS_BELIEVED)
    if stream.open_end:  # OpenJPEG insists on the end marker, even where all data is there
        data = bytes(data[: stream.open_end]) + b"\xff\xd9"
    # OpenJPH does not notice where a stream stops that leaves its own length open; OpenJPEG does.
    if stream.is_high_throughput and not stream.is_open and has_safe_openjph():
        samples = _decode_high_throughput(data, stream)
    elif stream.precision > _MOST_BITS_OF_OPENJPEG:
        raise UnsupportedEncodingError(
            f"JPEG 2000 samples of {stream.precision} bits are not read; {_MOST_BITS_OF_OPENJPEG} are, "
            "and 32 of HTJ2K with a newer OpenJPH: pip install --upgrade imagecodecs"
        )
    else:
        samples = call_codec(imagecodecs.jpeg2k_decode, data, planar=False, numthreads=1)
    samples = reinterpret_sign(shaped(samples, encoding), stream.precision, stream.is_signed, encoding.dtype)
    settle_stream(samples, encoding, stream.precision, masks=False)
    return samples


@cache
def has_safe_openjph() -> bool:
    """Whether OpenJPH is one that damaged streams don't bring down; versions before can end the process."""
    version = codec_version("htj2k").rpartition(" ")[2].split(".")
    return has_codec("htj2k") and [int(number) for number in version[:2]] >= _SAFE_OPENJPH


@cache
def _has_openjph_that_tells() -> bool:
    """Whether a stream that OpenJPH gives up on is an error in this build of imagecodecs; others leave zeros and say nothing."""
    noise = (np.arange(64 * 64) * 7919 % 1000).astype(np.uint16).reshape(64, 64)
    stream = bytearray(imagecodecs.htj2k_encode(noise, reversible=True))
    stream[300:700] = b"\x5a" * 400
    try:
        imagecodecs.htj2k_decode(bytes(stream))
    except Exception:  # noqa: BLE001 - whatever it is called
        return True
    return False


def _decode_high_throughput(data: Buffer, stream: StreamHeader) -> np.ndarray:
    """HTJ2K by OpenJPH, twice as fast as OpenJPEG."""
    if not _has_openjph_that_tells():
        return _decode_turned(data, stream)
    samples: np.ndarray = call_codec(imagecodecs.htj2k_decode, data, planar=False)
    return samples


def _decode_turned(data: Buffer, stream: StreamHeader) -> np.ndarray:
    """The same where failure leaves zeros and says nothing.

    The stream is decoded with the sign of its components turned round, which shifts all samples by half their range:
    zeros in the last row to be written mean damage then, not the black border of so many images. Whether it is one of the
    rare rows of medium gray shows in the stream as it was.
    """
    turned = bytearray(data)
    for component in range(stream.components):
        turned[SSIZ_OFFSET + 3 * component] ^= SIGN_BIT
    samples: np.ndarray = call_codec(imagecodecs.htj2k_decode, memoryview(turned), planar=False)
    if not _is_written(samples, stream):
        samples = call_codec(imagecodecs.htj2k_decode, data, planar=False)
        if not _is_written(samples, stream):
            raise PixelDataError("damaged stream: the codec gave up on it")
        return samples
    cells = samples.view(f"u{samples.dtype.itemsize}")
    half = cells.dtype.type(1 << (stream.precision - 1))
    (np.subtract if stream.is_signed else np.add)(cells, half, out=cells)
    return cells.view(f"i{cells.dtype.itemsize}") if stream.is_signed else cells


def _is_written(samples: np.ndarray, stream: StreamHeader) -> bool:
    """Whether the last row of the last component is not all zeros."""
    last = samples[-1, :, -1] if stream.components > 1 else samples[-1]
    return bool(last.any())


def decode_jpeg_xl(data: Buffer, encoding: PixelEncoding) -> np.ndarray:
    """JPEG XL; a recompressed JPEG is written anew and decoded as that (PS3.5 A.4)."""
    stream = parse_jpeg_xl(data, encoding.samples_per_pixel)
    check_stream(stream, encoding)
    check_growth(len(data), encoding, _MOST_OF_WAVELETS, ALWAYS_BELIEVED)
    if holds_jpeg(data):
        return decode_jpeg(call_codec(imagecodecs.jpegxl_decode_jpeg, data), encoding)
    samples = shaped(call_codec(imagecodecs.jpegxl_decode, data, keeporientation=True, numthreads=1), encoding)
    samples = reinterpret_sign(samples, stream.precision, False, encoding.dtype)
    settle_stream(samples, encoding, stream.precision, masks=False)
    return samples


def decode_deflated(data: Buffer, encoding: PixelEncoding, out: np.ndarray | None = None) -> np.ndarray:
    """Deflated Image Frame: an uncompressed frame as one raw deflate stream (PS3.5 A.4)."""
    length = (encoding.native_frame_bits + 7) // 8
    if length > _MOST_OF_DEFLATE * (len(data) + 1):
        raise PixelDataError(f"a deflate stream of {len(data)} bytes can't hold a frame of {length}")
    # a byte more than the frame, for the padding of an odd one
    native = call_codec(imagecodecs.deflate_decode, data, raw=True, out=length + 1)
    return unpack_native(native, encoding, out=out)


def decode_uncompressed(data: Buffer, encoding: PixelEncoding, out: np.ndarray | None = None) -> np.ndarray:
    """Encapsulated Uncompressed: a native little endian frame as it is (PS3.5 A.4)."""
    return unpack_native(data, encoding, out=out)


_JPEG = dict.fromkeys([f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70)], decode_jpeg)
_JPEG_LS = dict.fromkeys([f"1.2.840.10008.1.2.4.{number}" for number in (80, 81)], decode_jpeg_ls)
_JPEG_2000 = dict.fromkeys([f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203)], decode_jpeg_2000)
_JPEG_XL = dict.fromkeys([f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112)], decode_jpeg_xl)

DECODERS: dict[str, Decoder] = {
    "1.2.840.10008.1.2.5": decode_rle,
    **_JPEG,
    **_JPEG_LS,
    **_JPEG_2000,
    **_JPEG_XL,
    "1.2.840.10008.1.2.8.1": decode_deflated,
    "1.2.840.10008.1.2.1.98": decode_uncompressed,
}
"""The decoder of each encapsulated transfer syntax."""

FILLERS: dict[str, Filler] = {
    "1.2.840.10008.1.2.5": decode_rle,
    "1.2.840.10008.1.2.8.1": decode_deflated,
    "1.2.840.10008.1.2.1.98": decode_uncompressed,
}
"""Those that can put values where they stay; beside what the others take, a copy is little."""

_CODECS: dict[Decoder, tuple[str, ...]] = {
    decode_rle: ("dicomrle",),
    decode_jpeg: ("jpeg8",),
    decode_jpeg_ls: ("jpegls",),
    decode_jpeg_2000: ("jpeg2k", "htj2k"),
    decode_jpeg_xl: ("jpegxl", "jpeg8"),
    decode_deflated: ("deflate",),
    decode_uncompressed: (),
}
"""The codecs of imagecodecs that each decoder may call."""

_GROWTH: dict[Decoder, tuple[int, int]] = {
    decode_rle: (8 * MOST_BYTES_PER_BYTE, 0),
    decode_jpeg: (MOST_OF_JPEG, 0),
    decode_jpeg_ls: (MOST_OF_JPEG_LS, ALWAYS_BELIEVED),
    decode_jpeg_2000: (_MOST_OF_WAVELETS, ALWAYS_BELIEVED),
    decode_jpeg_xl: (_MOST_OF_WAVELETS, ALWAYS_BELIEVED),
    decode_deflated: (8 * _MOST_OF_DEFLATE, 0),
    decode_uncompressed: (8, 0),
}
"""The most samples that each decoder can make of a byte, and the size of a frame below which that is not asked [bytes]."""


def check_length(length: int, encoding: PixelEncoding) -> None:
    """Refuse `length` bytes in which no encapsulated frame of `encoding` can be, whatever they are; needs no pixel data.

    Raises
    ------
    PixelDataError
        Where they are too few.
    """
    check_growth(length, encoding, *_GROWTH[DECODERS[encoding.transfer_syntax_uid]])


def codecs_of(transfer_syntax_uid: str) -> tuple[str, ...]:
    """Codecs that frames of a transfer syntax may need, by imagecodecs' names."""
    return _CODECS[DECODERS[transfer_syntax_uid]]


def has_codec(name: str) -> bool:
    """Whether this build of imagecodecs holds a codec."""
    return bool(getattr(imagecodecs, name.upper()).available)


def codec_version(name: str) -> str:
    """Library behind a codec of imagecodecs and its version, such as `openjpeg 2.5.4`."""
    return str(getattr(imagecodecs, f"{name}_version")())


LIBRARY = f"imagecodecs {imagecodecs.__version__}"
"""The library that holds the codecs, and its version."""
