"""Where frames lie: columns for many frames, never an object for each.

A frame is found by `(url, offset, length)`. The span of a native frame is its bytes. The span of an encapsulated frame
begins at the tag of its first item and ends behind its last fragment, item headers included, so that one contiguous
range serves any number of fragments and a Basic Offset Table alone is enough to find it (PS3.5 A.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xdicom.model.encoding import PixelEncoding


@dataclass(frozen=True, slots=True)
class ByteSpan:
    """A stretch of bytes."""

    offset: int
    """First byte, counted from the start of the source."""
    length: int
    """Number of bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameRefs:
    """Where some frames lie and how they are encoded: all that a worker is given."""

    urls: tuple[str, ...]
    """Sources that the frames lie in."""
    encodings: tuple[PixelEncoding, ...]
    """Encodings that the frames have."""
    source: np.ndarray
    """Number of each frame's source in `urls`; int32, shape `(frames,)`."""
    encoding: np.ndarray
    """Number of each frame's encoding in `encodings`; int16, shape `(frames,)`."""
    offset: np.ndarray
    """First byte of each frame; int64, shape `(frames,)`."""
    length: np.ndarray
    """Bytes of each frame; int64, shape `(frames,)`."""
    frame_number: np.ndarray
    """Number of each frame in its instance, from 1; int32, shape `(frames,)`."""

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, rows: np.ndarray) -> FrameRefs:
        """The frames numbered `rows`, with only the sources and encodings that they need."""
        source, encoding = self.source[rows], self.encoding[rows]
        used_sources, source = np.unique(source, return_inverse=True)
        used_encodings, encoding = np.unique(encoding, return_inverse=True)
        return FrameRefs(
            urls=tuple(self.urls[i] for i in used_sources),
            encodings=tuple(self.encodings[i] for i in used_encodings),
            source=source.astype(np.int32),
            encoding=encoding.astype(np.int16),
            offset=self.offset[rows],
            length=self.length[rows],
            frame_number=self.frame_number[rows],
        )
