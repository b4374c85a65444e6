"""Slides: one level of a few tiles from given values, and levels of hundreds of thousands of tiles that take seconds to write."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from builders.files import make_file, uid
from builders.samples import Array

SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
ORIENTATION = [0, -1, 0, -1, 0, 0]
ORIGIN_MM = (20.0, 40.0)


def slide_elements(matrix: tuple[int, int], *, spacing_mm: float = 0.001, kind: str = "VOLUME", **elements: Any) -> dict[str, Any]:
    """Elements of one image of a slide; a VOLUME unless `kind` says otherwise."""
    return {
        "SOPClassUID": SLIDE, "Modality": "SM", "SeriesInstanceUID": uid("slide"), "FrameOfReferenceUID": uid("slide's frame"),
        "ImageType": ["ORIGINAL", "PRIMARY", kind, "NONE"], "TotalPixelMatrixRows": matrix[0], "TotalPixelMatrixColumns": matrix[1],
        "ImageOrientationSlide": ORIENTATION, "SharedFunctionalGroupsSequence": [measures(spacing_mm)],
        "TotalPixelMatrixOriginSequence": [
            {"XOffsetInSlideCoordinateSystem": ORIGIN_MM[0], "YOffsetInSlideCoordinateSystem": ORIGIN_MM[1]}
        ],
        "DimensionOrganizationType": "TILED_FULL", "OpticalPathSequence": [{"OpticalPathIdentifier": "1"}], "NumberOfOpticalPaths": 1,
        "TotalPixelMatrixFocalPlanes": 1,
        "ImagedVolumeWidth": matrix[1] * spacing_mm, "ImagedVolumeHeight": matrix[0] * spacing_mm, **elements,
    }  # fmt: skip


def measures(spacing_mm: float, **more: Any) -> dict[str, Any]:
    """Functional group with the pixel spacing [mm]."""
    return {"PixelMeasuresSequence": [{"PixelSpacing": [spacing_mm, spacing_mm], "SliceThickness": 0.001, **more}]}


def place(row: int, column: int, *, path: str | None = None, z_um: float | None = None) -> dict[str, Any]:
    """Functional groups of a tile that begins at `row` and `column`, counted from 1."""
    position: dict[str, Any] = {"RowPositionInTotalImagePixelMatrix": row, "ColumnPositionInTotalImagePixelMatrix": column}
    if z_um is not None:
        position["ZOffsetInSlideCoordinateSystem"] = z_um
    groups: dict[str, Any] = {"PlanePositionSlideSequence": [position]}
    if path is not None:
        groups["OpticalPathIdentificationSequence"] = [{"OpticalPathIdentifier": path}]
    return groups


def cut(image: Array, tile: tuple[int, int]) -> Array:
    """Tiles of an image row by row, those at the edges filled up with zeros."""
    rows, columns = -(-image.shape[0] // tile[0]), -(-image.shape[1] // tile[1])
    whole = np.zeros((rows * tile[0], columns * tile[1], *image.shape[2:]), image.dtype)
    whole[: image.shape[0], : image.shape[1]] = image
    tiles = whole.reshape(rows, tile[0], columns, tile[1], *image.shape[2:]).swapaxes(1, 2)
    return tiles.reshape(rows * columns, *tile, *image.shape[2:])


def make_streams_slide(path: Path, streams: Sequence[bytes], transfer_syntax: str, elements: Mapping[str, Any]) -> Path:
    """Write an image of a slide of which the tiles are encoded already, one fragment each, and return its path."""
    from builders.streams import encapsulate

    return make_file(path, {"NumberOfFrames": len(streams), **elements}, encapsulate(list(streams)), transfer_syntax)


def picture_stream(size: int = 256, quality: int = 80) -> bytes:
    """JPEG stream of something like tissue, in YCbCr with chrominance of half the width."""
    generator = np.random.default_rng(5)
    coarse = generator.normal(0, 1, (size // 8, size // 8, 3)).repeat(8, 0).repeat(8, 1)
    pixels = np.clip(np.array([200, 130, 180]) + 18 * coarse + generator.normal(0, 6, (size, size, 3)), 0, 255).astype(np.uint8)
    return bytes(imagecodecs.jpeg_encode(pixels, quality, colorspace="RGB", outcolorspace="YCBCR", subsampling="422"))


def make_vast_slide(
    path: Path,
    across: tuple[int, int],
    stream: bytes,
    *,
    tile: tuple[int, int] = (256, 256),
    is_sparse: bool = False,
    table: str = "extended",
    filled: tuple[slice, slice] = (slice(0, 0), slice(0, 0)),
    cut_off: int = 1,
) -> Path:
    """Write a level of `across` rows and columns of JPEG tiles, all of them `stream`, and return its path.

    The file is as long as a true one, but blocks of it that hold no tile of `filled` take no room on the disk. The matrix ends
    `cut_off` pixels before the last tiles do. `table` is "extended", "basic" or "none".
    """
    matrix = (across[0] * tile[0] - cut_off, across[1] * tile[1] - cut_off)
    count, slot = across[0] * across[1], len(stream) + len(stream) % 2 + 8
    elements = {
        **slide_elements(matrix, spacing_mm=0.00025), "NumberOfFrames": count, "Rows": tile[0], "Columns": tile[1], "SamplesPerPixel": 3,
        "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
        "PixelRepresentation": 0, "LossyImageCompression": "01", "DimensionOrganizationType": "TILED_SPARSE" if is_sparse else "TILED_FULL",
    }  # fmt: skip
    make_file(path, elements, None, "jpeg")
    offsets = np.arange(count, dtype=np.uint64) * slot
    with open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        if is_sparse:
            groups = tile_places(across, tile)
            file.write(struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, len(groups)) + groups)
        if table == "extended":
            lengths = np.full(count, slot - 8, np.uint64)
            tables = ((1, offsets), (2, lengths))
            file.writelines(struct.pack("<HH2sHI", 0x7FE0, n, b"OV", 0, values.nbytes) + values.tobytes() for n, values in tables)
        basic = offsets.astype(np.uint32).tobytes() if table == "basic" else b""
        file.write(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, len(basic)) + basic)
        start = file.tell()
        item = struct.pack("<HHI", 0xFFFE, 0xE000, slot - 8)
        whole = item + stream + b"\0" * (len(stream) % 2)
        is_filled = np.zeros(across, bool)
        is_filled[filled] = True
        for number, is_here in enumerate(is_filled.reshape(-1).tolist()):
            if is_here or table == "none" or number in (0, count // 2, count - 1):
                file.seek(start + number * slot)
                file.write(whole if is_here else item)
        file.seek(start + count * slot)
        file.write(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    return path


def tile_places(across: tuple[int, int], tile: tuple[int, int]) -> bytes:
    """Items of a Per-frame Functional Groups Sequence that give each tile its place, as scanners write them."""
    items = []
    for row in range(across[0]):
        for column in range(across[1]):
            offsets = [f"{ORIGIN_MM[i] - step * 0.00025:.6g}" for i, step in ((0, row * tile[0]), (1, column * tile[1]))]
            position = b"".join(_text(0x0040, element, b"DS", text) for element, text in zip((0x072A, 0x073A), offsets, strict=True))
            position += _text(0x0040, 0x074A, b"DS", "0")
            position += struct.pack("<HH2sHi", 0x0048, 0x021E, b"SL", 4, column * tile[1] + 1)
            position += struct.pack("<HH2sHi", 0x0048, 0x021F, b"SL", 4, row * tile[0] + 1)
            content = struct.pack("<HH2sHII", 0x0020, 0x9157, b"UL", 8, column + 1, row + 1)
            path = _text(0x0048, 0x0106, b"SH", "1")
            group = _sequence(0x0020, 0x9111, content) + _sequence(0x0048, 0x0207, path) + _sequence(0x0048, 0x021A, position)
            items.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(group)) + group)
    return b"".join(items)


def _text(group: int, element: int, vr: bytes, text: str) -> bytes:
    data = (text + " " * (len(text) % 2)).encode()
    return struct.pack("<HH2sH", group, element, vr, len(data)) + data


def _sequence(group: int, element: int, item: bytes) -> bytes:
    return struct.pack("<HH2sHI", group, element, b"SQ", 0, len(item) + 8) + struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item


def disk_bytes(path: Path) -> int:
    """Bytes that a file takes on the disk."""
    return os.stat(path).st_blocks * 512
