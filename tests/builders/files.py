"""One DICOM file from elements and pixels: the primitive that every other builder uses."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, generate_uid
from pydicom.valuerep import format_number_as_ds

from builders.samples import Array, native_bytes
from builders.streams import NATIVE, SEQUENCE_DELIMITER, TRANSFER_SYNTAXES, encapsulate, encode_frame, extended_offset_table

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

SHORT_NAMES = {syntax_uid: name for name, syntax_uid in TRANSFER_SYNTAXES.items()}
"""Short name of each transfer syntax by its UID."""

Elements = Mapping[Any, Any]
"""Values by keyword, or `(vr, value)` by tag number; a list of mappings makes a sequence, None leaves the element out."""


def uid(*words: object) -> str:
    """A UID that depends on `words` alone."""
    return str(generate_uid(entropy_srcs=["xdicom tests", *map(str, words)]))


def make_file(
    path: Path,
    elements: Elements | None = None,
    pixels: Array | bytes | None = None,
    transfer_syntax: str = "native",
    *,
    bits_stored: int | None = None,
    pixel_vr: str | None = None,
    fragments_per_frame: int = 1,
    table: str | Sequence[int] = "basic",
    has_delimiter: bool = True,
    has_meta: bool = True,
    undefined_length: bool = False,
) -> Path:
    """Write one DICOM file and return its path.

    Parameters
    ----------
    path
        File to write; its folder is made when missing.
    elements
        Elements of the data set; they win over what `pixels` implies (give `{"BitsStored": 12}` to lie, or None to leave out).
    pixels
        Array of shape `(rows, columns)` or `(frames, rows, columns)`, with samples behind when the photometric interpretation
        in `elements` is a colour one; booleans are written as single bits, floats as (Double) Float Pixel Data. Or the bytes
        of the Pixel Data value, as they are. Or None for a file without pixel data.
    transfer_syntax
        Short name in `TRANSFER_SYNTAXES`, or a UID (then `pixels` has to be bytes).
    bits_stored
        Bits Stored; the array's own width when None.
    pixel_vr
        OB or OW for native pixel data; when None OB for single bits, else OW, also for 8-bit samples.
    fragments_per_frame, table
        As `encapsulate` takes them; "extended" writes an Extended Offset Table.
    has_delimiter
        False cuts the sequence delimiter off encapsulated pixel data.
    has_meta
        False leaves out preamble and file meta information.
    undefined_length
        True writes every sequence and item with undefined length.
    """
    dataset = Dataset()
    transfer_syntax = SHORT_NAMES.get(transfer_syntax, transfer_syntax)
    given = dict(elements or {})
    values: dict[Any, Any] = {
        "SOPClassUID": SECONDARY_CAPTURE,
        "SOPInstanceUID": uid("instance", path.name),
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid("series", path.name),
        "PatientName": "Phantom",
        "PatientID": "PHANTOM",
    }
    if isinstance(pixels, np.ndarray):
        values |= describe_pixels(pixels, given, bits_stored)
    fill(dataset, {**values, **given}, undefined_length=undefined_length)
    if isinstance(pixels, np.ndarray):
        frames = pixels if pixels.ndim == (4 if dataset.SamplesPerPixel > 1 else 3) else pixels[None]
        if transfer_syntax in NATIVE:
            _add_native(dataset, frames, transfer_syntax, pixel_vr)
        else:
            _add_encapsulated(dataset, frames, transfer_syntax, fragments_per_frame, table)
    elif pixels is not None:
        is_native = transfer_syntax in NATIVE
        dataset.add_new("PixelData", (pixel_vr or "OW") if is_native else "OB", pixels)
        dataset["PixelData"].is_undefined_length = not is_native

    data = _write(dataset, transfer_syntax)
    if not has_delimiter:
        if not data.endswith(SEQUENCE_DELIMITER):
            raise ValueError("only encapsulated pixel data at the end of a file has a delimiter to cut off")
        data = data[: -len(SEQUENCE_DELIMITER)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_meta(dataset, transfer_syntax) + data if has_meta else data)
    return path


def _write(dataset: Dataset, syntax: str) -> bytes:
    """The data set's own bytes."""
    buffer = BytesIO()
    dataset.save_as(buffer, implicit_vr=syntax == "implicit", little_endian=syntax != "big_endian")
    data = buffer.getvalue()
    if syntax == "deflated":
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = compressor.compress(data) + compressor.flush()
        data += b"\0" * (len(data) % 2)
    return data


def _meta(dataset: Dataset, syntax: str) -> bytes:
    """Preamble and file meta information (PS3.10 7.1)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", SECONDARY_CAPTURE)
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", uid("instance"))
    meta.TransferSyntaxUID = UID(TRANSFER_SYNTAXES.get(syntax, syntax))
    meta.ImplementationClassUID = UID(uid("implementation"))
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return bytes(128) + b"DICM" + buffer.getvalue()


def describe_pixels(pixels: Array, given: Elements, bits_stored: int | None) -> dict[Any, Any]:
    """Elements that say how `pixels` are encoded (PS3.3 C.7.6.3)."""
    photometric = given.get("PhotometricInterpretation", "MONOCHROME2")
    is_color = not photometric.startswith(("MONOCHROME", "PALETTE"))
    spatial = pixels.shape[: pixels.ndim - is_color]
    bits_allocated = 1 if pixels.dtype.kind == "b" else 8 * pixels.dtype.itemsize
    values: dict[Any, Any] = {
        "SamplesPerPixel": pixels.shape[-1] if is_color else 1,
        "PhotometricInterpretation": photometric,
        "Rows": spatial[-2],
        "Columns": spatial[-1],
        "BitsAllocated": bits_allocated,
    }
    if pixels.dtype.kind != "f":
        stored = bits_stored or bits_allocated
        values |= {"BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": int(pixels.dtype.kind == "i")}
    if is_color:
        values["PlanarConfiguration"] = 0
    if len(spatial) == 3:
        values["NumberOfFrames"] = spatial[0]
    return values


def _add_native(dataset: Dataset, frames: Array, syntax: str, pixel_vr: str | None) -> None:
    """Put `frames` into `dataset` as native pixel data."""
    keyword, vr = "PixelData", pixel_vr or ("OB" if frames.dtype.kind == "b" else "OW")
    if frames.dtype.kind == "f":
        keyword, vr = ("FloatPixelData", "OF") if frames.dtype.itemsize == 4 else ("DoubleFloatPixelData", "OD")
    data = native_bytes(
        frames,
        photometric_interpretation=dataset.PhotometricInterpretation,
        planar_configuration=dataset.get("PlanarConfiguration", 0),
        is_big_endian=syntax == "big_endian",
        pixel_vr=vr,
    )
    dataset.add_new(keyword, vr, data)


def _add_encapsulated(dataset: Dataset, frames: Array, syntax: str, fragments_per_frame: int, table: str | Sequence[int]) -> None:
    """Put `frames` into `dataset`, encoded and encapsulated."""
    bits_stored = dataset.get("BitsStored", 8 * frames.dtype.itemsize)
    streams = [encode_frame(frame, syntax, bits_stored, dataset.PhotometricInterpretation) for frame in frames]
    if table == "extended":
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = extended_offset_table(streams, fragments_per_frame)
    dataset.add_new("PixelData", "OB", encapsulate(streams, fragments_per_frame, table))
    dataset["PixelData"].is_undefined_length = True


def fill(dataset: Dataset, elements: Elements, *, undefined_length: bool = False) -> None:
    """Put `elements` into `dataset`."""
    for key, given in elements.items():
        if given is None:
            continue
        if isinstance(key, int):
            dataset.add_new(key, *given)
            continue
        vr, value = dictionary_VR(key), given
        if vr == "DS":
            value = _decimal_strings(given)
        elif vr == "SQ":
            value = DicomSequence([make_item(item, undefined_length=undefined_length) for item in given])
        elif vr in ("US or SS", "US or OW", "US or SS or OW"):
            vr = _ambiguous_vr(key, given, elements)
        dataset.add_new(tag_for_keyword(key) or 0, vr, value)
        if vr == "SQ":
            dataset[key].is_undefined_length = undefined_length


def make_item(elements: Elements, *, undefined_length: bool = False) -> Dataset:
    """One item of a sequence."""
    item = Dataset()
    fill(item, elements, undefined_length=undefined_length)
    item.is_undefined_length_sequence_item = undefined_length
    return item


def _ambiguous_vr(keyword: str, value: Any, elements: Elements) -> str:
    """VR that the standard leaves to Pixel Representation, or to the kind of value (PS3.5 A.1)."""
    if isinstance(value, bytes):
        return "OW"
    first = value[1] if keyword.endswith("LUTDescriptor") else value
    return "SS" if elements.get("PixelRepresentation") == 1 or (np.min(first) < 0) else "US"


def _decimal_strings(value: Any) -> Any:
    """Numbers as decimal strings of at most 16 characters (PS3.5 6.2); strings as they are."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence | np.ndarray):
        return [_decimal_strings(number) for number in value]
    return format_number_as_ds(float(value)) if isinstance(value, float | np.floating) else str(value)
