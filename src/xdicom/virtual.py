"""Stores of references to frames where they lie: the parser for VirtualiZarr, and what `.dicom.to_icechunk` and `.dicom.to_kerchunk` do."""

from xdicom.export.virtual_icechunk import write_icechunk
from xdicom.export.virtual_zarr import DicomParser, write_kerchunk

__all__ = ["DicomParser", "write_icechunk", "write_kerchunk"]
