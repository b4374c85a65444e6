"""Real files, taken apart by pydicom alone: how their frames are encoded, and the bytes of each."""

from __future__ import annotations

import csv
import hashlib
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

from xdicom.model.encoding import PixelEncoding
from xdicom.model.markers import frame_starts_by_marker
from xdicom.pixels.decode import decode_frame

ITEM = 0xFFFEE000
HAS_OTHER_DECODER = all(find_spec(name) for name in ("pylibjpeg", "libjpeg"))
"""Whether there is a second decoder, with which the few files that differ from the reference are compared."""
KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True)
class Instance:
    """One file's pixels, as they lie in it."""

    encoding: PixelEncoding
    frames: list[bytes]
    photometric_interpretation: str

    def decode(self) -> np.ndarray:
        """Stored values of all frames, in one array if there are several."""
        decoded = [decode_frame(data, self.encoding, number) for number, data in enumerate(self.frames, 1)]
        return decoded[0] if len(decoded) == 1 else np.stack(decoded)


def read_instance(path: Path) -> Instance | None:
    """Encoding and frames of the file at `path`; None where it has no pixels."""
    with warnings.catch_warnings(action="ignore"):  # real files are not all by the book
        header = pydicom.dcmread(path, force=True)
        keyword = next((word for word in KEYWORDS if word in header), None)
        if keyword is None:
            return None
        encoding = encoding_of(header, keyword)
        count = int(header.get("NumberOfFrames") or 1)
        value = header[keyword].value
    frames = fragments_by_frame(value, encoding, count) if encoding.is_encapsulated else native_frames(value, encoding, count)
    return Instance(encoding, frames, str(header.get("PhotometricInterpretation", "")))


def encoding_of(header: pydicom.Dataset, keyword: str = "PixelData") -> PixelEncoding:
    """What the header says about its pixels."""
    transfer_syntax_uid = str(header.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
    bits_allocated = int(header.BitsAllocated)
    return PixelEncoding(
        transfer_syntax_uid=transfer_syntax_uid,
        rows=int(header.Rows),
        columns=int(header.Columns),
        samples_per_pixel=int(header.get("SamplesPerPixel", 1)),
        bits_allocated=bits_allocated,
        bits_stored=int(header.get("BitsStored", bits_allocated)),
        high_bit=int(header.get("HighBit", bits_allocated - 1)),
        is_signed=bool(header.get("PixelRepresentation", 0)),
        photometric_interpretation=str(header.get("PhotometricInterpretation", "MONOCHROME2")),
        planar_configuration=int(header.get("PlanarConfiguration", 0) or 0),
        pixel_keyword=keyword,
        pixel_vr=str(header[keyword].VR),
    )


def native_frames(value: bytes, encoding: PixelEncoding, count: int) -> list[bytes]:
    """Bytes of each native frame."""
    spans = [encoding.native_span(number) for number in range(1, count + 1)]
    return [value[offset : offset + length] for offset, length in spans]


def items_of(value: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and content of each item of an encapsulated value, the offset table among them."""
    at = 0
    while at + 8 <= len(value):
        group, element, length = struct.unpack_from("<HHI", value, at)
        if group << 16 | element != ITEM:
            return
        yield at, value[at + 8 : at + 8 + length]
        at += 8 + length


def fragments_by_frame(value: bytes, encoding: PixelEncoding, count: int) -> list[bytes]:
    """Items of each frame, from the tag of its first to the end of its last; the offset table first, then markers."""
    (_, table), *fragments = items_of(value)
    first = 8 + len(table)
    offsets = [at for at, _ in fragments]
    if len(table) == 4 * count and count > 1:
        starts = [first + offset for (offset,) in struct.iter_unpack("<I", table)]
    elif count == 1:
        starts = offsets[:1]
    elif len(fragments) == count:
        starts = offsets
    else:
        heads, tails = [data[:16] for _, data in fragments], [data[-16:] for _, data in fragments]
        begins = frame_starts_by_marker(heads, tails, encoding.transfer_syntax_uid)
        starts = [at for at, begin in zip(offsets, begins, strict=True) if begin]
    end = fragments[-1][0] + 8 + len(fragments[-1][1])
    return [value[start:stop] for start, stop in zip(starts, [*starts[1:], end], strict=True)]


@cache
def table(corpus: Path, name: str) -> dict[str, dict[str, str]]:
    """Rows of one of the collection's tables, by path."""
    with (corpus / name).open(newline="", encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def digest(array: np.ndarray) -> str:
    """Digest of an array, as the collection's reference has it."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def instances_of(corpus: Path, prefix: str) -> list[tuple[str, dict[str, str]]]:
    """Path and reference of each file of the collection whose pixels some decoder could read."""
    rows = table(corpus, "REFERENCE.csv")
    return [(path, row) for path, row in rows.items() if path.startswith(prefix) and (row["raw_sha256"] or row["alt_sha256"])]


def compare(path: Path, reference: dict[str, str]) -> float:
    """Largest difference between what is decoded and the reference; 0 where they are equal bit for bit.

    Where the digests differ, pydicom decodes the file once more, with a decoder other than ours.
    """
    instance = read_instance(path)
    assert instance is not None
    decoded = instance.decode()
    kind = "raw" if reference["raw_sha256"] else "alt"
    shape = tuple(int(length) for length in reference[f"{kind}_shape"].split("x"))
    assert decoded.dtype == np.dtype(reference[f"{kind}_dtype"]).newbyteorder("="), f"{decoded.dtype} for {reference[f'{kind}_dtype']}"
    assert decoded.size == np.prod(shape), f"{decoded.shape} for {shape}"
    if digest(decoded) == reference[f"{kind}_sha256"]:
        return 0
    with warnings.catch_warnings(action="ignore"):
        again = np.asarray(pixel_array(pydicom.dcmread(path, force=True), raw=True))
    return float(np.abs(decoded.astype(float) - again.reshape(decoded.shape).astype(float)).max())
