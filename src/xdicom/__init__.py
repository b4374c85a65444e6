"""Lazy, labelled, chunked arrays from DICOM: xarray and dask in, Zarr and DICOM out.

Four calls tell the story: `scan` reads headers, `open_frames` gives the frames of a file as a dask array, `open_series`
gives a series as a labelled array, and `open_study` gives all series at a location as a tree. What is done with an array
is a method of its accessor `.dicom`.
"""

from xdicom.accessor import DicomAccessor, DicomTreeAccessor
from xdicom.api import Catalog, open_frames, open_series, open_slide, open_study, scan
from xdicom.errors import (
    InconsistentSeriesError,
    MissingDependencyError,
    MultipleSeriesError,
    NotDicomError,
    PixelDataError,
    SourceError,
    UnsupportedEncodingError,
    XDicomError,
)

__version__ = "0.1.0"

__all__ = [
    "Catalog",
    "DicomAccessor",
    "DicomTreeAccessor",
    "InconsistentSeriesError",
    "MissingDependencyError",
    "MultipleSeriesError",
    "NotDicomError",
    "PixelDataError",
    "SourceError",
    "UnsupportedEncodingError",
    "XDicomError",
    "__version__",
    "open_frames",
    "open_series",
    "open_slide",
    "open_study",
    "scan",
]
