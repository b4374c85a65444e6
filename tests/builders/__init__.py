"""Tiny real DICOM files, so that a test shows its input."""

from __future__ import annotations

from builders.enhanced import make_enhanced_mr, make_seg
from builders.files import Elements, make_file, make_item, uid
from builders.geometry import AXIAL, CORONAL, OBLIQUE, ORIGIN_MM, SAGITTAL, image_position
from builders.multiframe import make_cine, make_nm, make_not_dicom, make_palette, make_rtdose, make_sr
from builders.samples import native_bytes, phantom, phantoms
from builders.series import make_ct, make_pet, make_slices
from builders.streams import TRANSFER_SYNTAXES, encapsulate, encode_frame, encode_rle, extended_offset_table

__all__ = [
    "AXIAL",
    "CORONAL",
    "OBLIQUE",
    "ORIGIN_MM",
    "SAGITTAL",
    "TRANSFER_SYNTAXES",
    "Elements",
    "encapsulate",
    "encode_frame",
    "encode_rle",
    "extended_offset_table",
    "image_position",
    "make_cine",
    "make_ct",
    "make_enhanced_mr",
    "make_file",
    "make_item",
    "make_nm",
    "make_not_dicom",
    "make_palette",
    "make_pet",
    "make_rtdose",
    "make_seg",
    "make_slices",
    "make_sr",
    "native_bytes",
    "phantom",
    "phantoms",
    "uid",
]
