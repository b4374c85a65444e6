"""Headers in memory as a table of frames, whose pixels lie nowhere: what they say is read as a scan reads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdicom.headers.pixel_form import pixel_encoding
from xdicom.headers.records import parse_header
from xdicom.headers.spans import Spans
from xdicom.index.gathered import Instance
from xdicom.index.scan import catalog_of
from xdicom.model.frames import FrameTable
from xdicom.sources.source import Source

HEAD = "header:"
"""Beginning of the url of a header in memory; its number follows."""


def table_of_heads(heads: Sequence[bytes]) -> FrameTable:
    """Frames of instances of which there are headers only, with an empty element of pixel data at their end.

    Parameters
    ----------
    heads
        The first bytes of each instance (PS3.10 7.1).

    Returns
    -------
    FrameTable
        The frames in the order of `heads`; none of them can be read.

    Raises
    ------
    NotDicomError
        If a header is none, or is one of no image.
    PixelDataError
        If one lacks what describes the pixels.
    """
    found: list[tuple[Source, Instance]] = []
    for number, data in enumerate(heads):
        header = parse_header(data, lambda offset, length, data=data: data[offset : offset + length], len(data))  # type: ignore[misc]
        encoding = pixel_encoding(header)
        count = max(1, int(header.number("number_of_frames", 1)))
        nowhere = np.zeros(count, np.int64)
        url = f"{HEAD}{number}"
        found.append((Source(url, -1, ""), (url, -1, header, encoding, Spans(nowhere, nowhere))))
    return catalog_of(found).frames
