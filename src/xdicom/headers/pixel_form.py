"""How the pixels of an instance are encoded and where its frames lie, by what its header says."""

from __future__ import annotations

from xdicom.errors import NotDicomError, PixelDataError, UnsupportedEncodingError
from xdicom.headers.elements import Fetch
from xdicom.headers.records import Header
from xdicom.headers.spans import Spans, encapsulated_spans, native_spans
from xdicom.model.encoding import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, NATIVE_SYNTAXES, PixelEncoding

BITS_ALLOCATED = (1, 8, 16, 32, 64)
"""Sizes of a sample cell that are read."""


def pixel_encoding(header: Header) -> PixelEncoding:
    """How the pixels of the instance are encoded (PS3.3 C.7.6.3).

    Raises
    ------
    NotDicomError
        If the instance has no pixel data.
    PixelDataError
        If the header lacks what describes the pixels.
    """
    walked = header.walked
    if not walked.pixel_keyword:
        kind = header.text("sop_class_uid") or header.text("media_storage_sop_class_uid")
        raise NotDicomError(f"no pixel data (SOP Class {kind or 'not stated'})")
    sizes = {name: int(header.number(name)) for name in ("rows", "columns", "bits_allocated")}
    missing = [name for name, value in sizes.items() if value <= 0]
    if missing:
        raise PixelDataError(f"the header does not state {', '.join(missing)}")
    if sizes["bits_allocated"] not in BITS_ALLOCATED:
        raise UnsupportedEncodingError(f"Bits Allocated is {sizes['bits_allocated']}; read are {', '.join(map(str, BITS_ALLOCATED))}")
    floats = {FLOAT_PIXEL_DATA: 32, DOUBLE_FLOAT_PIXEL_DATA: 64}
    bits_allocated = floats.get(walked.pixel_keyword, sizes["bits_allocated"])
    bits_stored, high_bit = bits_allocated, bits_allocated - 1
    if walked.pixel_keyword not in floats:
        bits_stored, high_bit = _place_of_samples(header, bits_allocated)
    samples = max(1, int(header.number("samples_per_pixel", 1)))
    return PixelEncoding(
        transfer_syntax_uid=header.transfer_syntax_uid,
        rows=sizes["rows"],
        columns=sizes["columns"],
        samples_per_pixel=samples,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        is_signed=walked.pixel_keyword not in floats and header.number("pixel_representation", 0) == 1,
        photometric_interpretation=_photometric_interpretation(header, samples),
        planar_configuration=int(header.number("planar_configuration", 0)) & 1,
        pixel_keyword=walked.pixel_keyword,
        pixel_vr="OB" if walked.pixel_vr == "OB" else "OW",
    )


def _photometric_interpretation(header: Header, samples: int) -> str:
    """What the samples mean, with a note where that is not stated or goes with another number of them (PS3.3 C.7.6.3.1.2)."""
    stated = header.text("photometric_interpretation")
    number = f"{samples} sample{'s' * (samples > 1)} a pixel"
    if not stated:
        assumed = "MONOCHROME2" if samples == 1 else "RGB"
        header.notes.append(f"Photometric Interpretation is missing; {assumed} is assumed for {number}")
        return assumed
    is_of_one = stated.startswith("MONOCHROME") or stated == "PALETTE COLOR"
    if is_of_one == (samples > 1):
        header.notes.append(f"Photometric Interpretation {stated} does not go with {number}")
    return stated


def _place_of_samples(header: Header, bits_allocated: int) -> tuple[int, int]:
    """Bits Stored and High Bit, put right and noted where they do not fit their cells (PS3.5 8.1.1)."""
    stored = bits_stored = int(header.number("bits_stored", bits_allocated))
    if not 0 < bits_stored <= bits_allocated:
        bits_stored = bits_allocated
    stated = high_bit = int(header.number("high_bit", bits_stored - 1))
    if not bits_stored - 1 <= high_bit < bits_allocated:
        high_bit = bits_stored - 1
    if bits_allocated > 1 and (bits_stored != stored or (high_bit != stated and bits_stored < bits_allocated)):
        wrong = f"Bits Stored {stored} and High Bit {stated} don't fit in {bits_allocated} bits allocated"
        header.notes.append(f"{wrong}; {bits_stored} and {high_bit} are assumed")
    return bits_stored, high_bit


def frame_spans(header: Header, encoding: PixelEncoding, fetch: Fetch, size: int) -> Spans:
    """Where the frames of the instance lie.

    Raises
    ------
    PixelDataError
        If they can't be found.
    UnsupportedEncodingError
        If the transfer syntax and the form of the pixel data contradict each other.
    """
    walked = header.walked
    declared = header.number("number_of_frames", 1)
    count = max(1, int(declared))
    if declared < 1:
        header.notes.append(f"Number of Frames is {declared:g}; one is assumed")
    if walked.pixel_length >= 0 and header.transfer_syntax_uid in NATIVE_SYNTAXES:
        available = walked.pixel_length if size < 0 else max(0, min(walked.pixel_length, size - walked.pixel_offset))
        return native_spans(walked.pixel_offset, available, encoding, count)
    if header.transfer_syntax_uid in NATIVE_SYNTAXES:
        return _native_of_undefined_length(header, encoding, fetch, size, count)
    if walked.pixel_length >= 0 and not walked.pixel_length:
        raise PixelDataError("the pixel data is empty")
    if walked.pixel_length >= 0 and fetch(walked.pixel_offset, 4) != b"\xfe\xff\x00\xe0":
        raise UnsupportedEncodingError(
            f"transfer syntax {header.transfer_syntax_uid} asks for encapsulated pixel data, but its length is defined "
            f"({walked.pixel_length} bytes) and no item is in it"
        )
    tables = [header.values.get(name) for name in ("extended_offset_table", "extended_offset_table_lengths")]
    extended = (tables[0].value().array("u8"), tables[1].value().array("u8")) if tables[0] and tables[1] else None
    return encapsulated_spans(fetch, walked.pixel_offset, size, encoding, count, extended)


def _native_of_undefined_length(header: Header, encoding: PixelEncoding, fetch: Fetch, size: int, count: int) -> Spans:
    """Uncompressed pixel data in items, or running to the end of the source, against PS3.5 A.1 and A.2."""
    start = header.walked.pixel_offset
    first = fetch(start, 8)
    if first[:4] == b"\xfe\xff\x00\xe0":
        raise UnsupportedEncodingError(
            f"transfer syntax {header.transfer_syntax_uid} is uncompressed, but the pixel data lies in items: "
            "the transfer syntax is wrong or missing"
        )
    header.notes.append("native pixel data of undefined length; it is taken to reach the end of the source")
    return native_spans(start, max(0, size - start), encoding, count)
