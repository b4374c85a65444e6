"""Sample forms and transfer syntaxes, and a frame of any of the first in any of the second."""

from __future__ import annotations

from dataclasses import dataclass

import imagecodecs
import numpy as np

from builders.samples import Array, native_bytes
from builders.streams import TRANSFER_SYNTAXES, encapsulate, encode_frame
from xdicom.model.encoding import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA, PixelEncoding


@dataclass(frozen=True)
class Form:
    """What the samples of an image are like."""

    name: str
    dtype: str
    bits_stored: int = 0
    samples: int = 1
    photometric_interpretation: str = "MONOCHROME2"
    planar_configuration: int = 0
    high_bit: int | None = None
    pixel_keyword: str = PIXEL_DATA
    pixel_vr: str = "OW"

    @property
    def bits(self) -> int:
        """Bits of a sample."""
        return self.bits_stored or (1 if self.dtype == "?" else 8 * np.dtype(self.dtype).itemsize)

    @property
    def shift(self) -> int:
        """Bits below the sample in its cell."""
        return 0 if self.high_bit is None else self.high_bit + 1 - self.bits


FORMS = {
    form.name: form
    for form in (
        Form("1 bit", "?"),
        Form("8 bits", "u1"),
        Form("8 bits in OB", "u1", pixel_vr="OB"),
        Form("8 bits signed", "i1"),
        Form("7 of 8 bits", "u1", 7),
        Form("12 of 16 bits", "u2", 12),
        Form("12 of 16 bits signed", "i2", 12),
        Form("12 of 16 bits, High Bit 15", "u2", 12, high_bit=15),
        Form("12 of 16 bits signed, High Bit 13", "i2", 12, high_bit=13),
        Form("16 bits", "u2"),
        Form("16 bits signed", "i2"),
        Form("32 bits", "u4"),
        Form("32 bits signed", "i4"),
        Form("64 bits", "u8"),
        Form("float", "f4", pixel_keyword=FLOAT_PIXEL_DATA, pixel_vr="OF"),
        Form("double", "f8", pixel_keyword=DOUBLE_FLOAT_PIXEL_DATA, pixel_vr="OD"),
        Form("RGB 8 bits", "u1", samples=3, photometric_interpretation="RGB"),
        Form("RGB 8 bits by plane", "u1", samples=3, photometric_interpretation="RGB", planar_configuration=1),
        Form("RGB 16 bits", "u2", samples=3, photometric_interpretation="RGB"),
        Form("YBR_FULL 8 bits", "u1", samples=3, photometric_interpretation="YBR_FULL"),
        Form("YBR_FULL_422 8 bits", "u1", samples=3, photometric_interpretation="YBR_FULL_422"),
        Form("YBR_RCT 8 bits", "u1", samples=3, photometric_interpretation="YBR_RCT"),
    )
}

_VIDEO = {"mpeg2", "h264", "hevc"}
SYNTAXES = {name: uid for name, uid in TRANSFER_SYNTAXES.items() if name not in _VIDEO} | {
    "encapsulated": "1.2.840.10008.1.2.1.98",
    "j2k_part2": "1.2.840.10008.1.2.4.92",
    "j2k_part2_lossy": "1.2.840.10008.1.2.4.93",
    "jpegxl_jpeg": "1.2.840.10008.1.2.4.111",
}
"""UID of each transfer syntax that a frame can be made in here, by short name."""

NATIVE = ("implicit", "native", "deflated", "big_endian")
WHOLE_CELLS = (*NATIVE, "rle", "deflated_frame", "encapsulated")
"""Transfer syntaxes that keep cells, not samples, so that a sample may lie anywhere in its cell."""
_ALIASES = {"j2k_part2": "j2k", "j2k_part2_lossy": "j2k_lossy", "jpegxl_jpeg": "jpeg"}
_LOSSLESS = ("rle", "jpeg_lossless_p14", "jpeg_lossless", "jpegls", "j2k", "j2k_part2", "htj2k", "htj2k_rpcl", "jpegxl")
LOSSLESS = (*NATIVE, "deflated_frame", "encapsulated", *_LOSSLESS)
"""Transfer syntaxes that give back what was put in."""

_TYPES = {
    **dict.fromkeys(("jpeg", "jpegxl_jpeg"), "u1"),
    **dict.fromkeys(("jpeg_extended", "jpegls_near", "jpegxl", "jpegxl_lossy"), "u1 u2"),
    **dict.fromkeys(("jpeg_lossless", "jpeg_lossless_p14", "jpegls"), "u1 i1 u2 i2"),
    **dict.fromkeys(("j2k", "j2k_lossy", "j2k_part2", "j2k_part2_lossy"), "? u1 i1 u2 i2"),
    **dict.fromkeys(("htj2k", "htj2k_rpcl", "htj2k_lossy"), "u1 i1 u2 i2"),
}
"""Types that the encoder of a transfer syntax takes; encoders of those not named take all."""


def can_write(syntax: str, form: Form) -> bool:
    """Whether the standard has samples of `form` in `syntax`, and an encoder is at hand."""
    photometric = form.photometric_interpretation
    if (form.shift and syntax not in WHOLE_CELLS) or form.dtype not in _TYPES.get(syntax, form.dtype).split():
        return False
    if syntax not in NATIVE and (form.planar_configuration or form.pixel_vr == "OB"):
        return False
    if photometric == "YBR_RCT":
        return "2k" in syntax
    if photometric == "YBR_FULL_422":
        return syntax in (*NATIVE, "encapsulated", "jpeg", "jpegxl_jpeg")
    if syntax in ("jpeg", "jpegxl_jpeg"):
        return form.bits == 8
    if syntax == "jpeg_extended":
        return form.samples == 1 and form.bits in (8, 12)
    return not (syntax == "jpegxl_lossy" and photometric == "YBR_FULL")


def encoding_of(syntax: str, form: Form, rows: int, columns: int) -> PixelEncoding:
    """The encoding that a header would state."""
    dtype = np.dtype(form.dtype)
    return PixelEncoding(
        transfer_syntax_uid=SYNTAXES[syntax],
        rows=rows,
        columns=columns,
        samples_per_pixel=form.samples,
        bits_allocated=1 if dtype.kind == "b" else 8 * dtype.itemsize,
        bits_stored=form.bits,
        high_bit=form.bits - 1 if form.high_bit is None else form.high_bit,
        is_signed=dtype.kind == "i",
        photometric_interpretation=form.photometric_interpretation,
        planar_configuration=form.planar_configuration,
        pixel_keyword=form.pixel_keyword,
        pixel_vr=form.pixel_vr,
    )


def encode(syntax: str, form: Form, frame: Array, fragments: int = 1) -> bytes:
    """Span of one frame, as a source would hold it."""
    cells = frame << form.shift if form.shift else frame
    if syntax in NATIVE:
        return native_bytes(
            cells[None],
            photometric_interpretation=form.photometric_interpretation,
            planar_configuration=form.planar_configuration,
            is_big_endian=syntax == "big_endian",
            pixel_vr=form.pixel_vr,
        )
    if syntax == "encapsulated":
        stream = native_bytes(cells[None], photometric_interpretation=form.photometric_interpretation)
    else:
        stream = encode_frame(cells, _ALIASES.get(syntax, syntax), form.bits, form.photometric_interpretation)
    if syntax == "jpegxl_jpeg":
        stream = bytes(imagecodecs.jpegxl_encode_jpeg(stream))
    return items(stream, fragments)


def items(stream: bytes, fragments: int = 1) -> bytes:
    """`stream` as the items of one frame."""
    return encapsulate([stream], fragments, "none")[8:]
