"""Overlay planes of a labelled array (PS3.3 C.9.2)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from xdicom.errors import UnsupportedEncodingError
from xdicom.labeled.tables import overlay_from_attrs
from xdicom.transforms.overlay import Overlay, place_overlay

OVERLAY = "overlay"
"""Name of the dimension of overlay planes."""


def overlays(array: xr.DataArray) -> xr.DataArray:
    """Overlay planes on the pixels of the image, as a boolean array.

    Parameters
    ----------
    array
        A labelled array with all its rows and columns.

    Returns
    -------
    xarray.DataArray
        `overlays`, dimensions `(overlay, y, x)`, and the frames of a multi-frame overlay between them. The coordinate
        `overlay` is the group number (24576 is 6000 in hexadecimal); `overlay_type` and `overlay_label` lie along it.

    Raises
    ------
    ValueError
        When the file has no overlays, or rows, columns or frames were selected already.
    UnsupportedEncodingError
        When an overlay lies in unused bits of the pixel cells.
    """
    listed = array.attrs.get("overlays", [])
    if not listed:
        raise ValueError("the file has no overlays (60xx,3000)")
    planes = [overlay_from_attrs(attrs) for attrs in listed]
    embedded = [plane for plane in planes if plane.is_embedded]
    if embedded:
        groups = ", ".join(f"{plane.group:04X}" for plane in embedded)
        raise UnsupportedEncodingError(f"overlays {groups} lie in unused bits of the pixel cells, which are gone from the stored values")
    rows, columns = int(listed[0]["image_rows"]), int(listed[0]["image_columns"])
    *frame_dims, y, x = (dim for dim in array.dims if dim != "sample")
    if (array.sizes[y], array.sizes[x]) != (rows, columns):
        raise ValueError(f"overlays belong to all {rows} x {columns} pixels: call overlays() before selecting rows or columns")
    is_multiframe = any(plane.frames > 1 for plane in planes)
    if is_multiframe and len(frame_dims) != 1:
        raise ValueError(f"a multi-frame overlay needs one dimension of frames; this array has {frame_dims or 'none'}")
    dims = (OVERLAY, *(frame_dims if is_multiframe else ()), y, x)
    count = array.sizes[frame_dims[0]] if is_multiframe else 0
    data = np.stack(
        [_along_frames(plane, rows, columns, count) if is_multiframe else place_overlay(plane, rows, columns)[0] for plane in planes]
    )
    along = {
        OVERLAY: (OVERLAY, [plane.group for plane in planes]),
        "overlay_type": (OVERLAY, [plane.kind for plane in planes]),
        "overlay_label": (OVERLAY, [plane.label for plane in planes]),
    }
    kept = {name: coordinate for name, coordinate in array.coords.items() if set(coordinate.dims) <= set(dims)}
    return xr.DataArray(data, coords={**kept, **along}, dims=dims, name="overlays")


def _along_frames(plane: Overlay, rows: int, columns: int, count: int) -> np.ndarray:
    """The overlay on each of `count` frames of the image; False on frames that it does not have."""
    out = np.zeros((count, rows, columns), bool)
    first = plane.first_frame - 1
    last = min(first + plane.frames, count)
    out[first:last] = place_overlay(plane, rows, columns)[: max(last - first, 0)]
    return out
