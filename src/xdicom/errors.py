"""The tree of exceptions: what was found, where, and what to do.

XDicomError
├── NotDicomError            (+ ValueError)
├── PixelDataError           (+ ValueError)
├── UnsupportedEncodingError (+ NotImplementedError)
├── MissingDependencyError   (+ ImportError)
├── InconsistentSeriesError  (+ ValueError)
├── MultipleSeriesError      (+ ValueError)
└── SourceError              (+ OSError)

Every one of them is made from one message and pickles back as itself, so that a worker can send it home.
"""

from __future__ import annotations

__all__ = [
    "InconsistentSeriesError",
    "MissingDependencyError",
    "MultipleSeriesError",
    "NotDicomError",
    "PixelDataError",
    "SourceError",
    "UnsupportedEncodingError",
    "XDicomError",
]


class XDicomError(Exception):
    """Any error that xdicom raises on purpose."""


class NotDicomError(XDicomError, ValueError):
    """Not a DICOM file, or one without pixel data."""


class PixelDataError(XDicomError, ValueError):
    """Pixel data that is truncated, misplaced, of the wrong length or damaged."""


class UnsupportedEncodingError(XDicomError, NotImplementedError):
    """Valid DICOM that xdicom does not read."""


class MissingDependencyError(XDicomError, ImportError):
    """Readable with an extra that is not installed; the message holds the pip command."""


class InconsistentSeriesError(XDicomError, ValueError):
    """Frames that can't form one array; the message names what differs."""


class MultipleSeriesError(XDicomError, ValueError):
    """Several series or stacks where one was asked for; the message lists them."""


class SourceError(XDicomError, OSError):
    """Storage that did not answer, denied, or holds nothing at the location."""
