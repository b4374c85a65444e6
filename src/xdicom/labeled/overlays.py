"""Overlay planes of a labelled array (PS3.3 C.9.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import SourceError
from xdicom.labeled.origins import locate_frames
from xdicom.labeled.parameters import STORED_ATTRS, VOI_ATTRS
from xdicom.lazy.overlays import OverlayPlanes, overlays_to_dask
from xdicom.model.frames import FrameTable, InstanceTable
from xdicom.transforms.overlay import Overlay

OVERLAY = "overlay"
"""Name of the dimension of overlay planes."""

GROUPS = range(0x6000, 0x6020, 2)
_NONE = "the headers of this array state no overlays (60xx,3000)"
_NOT_OF_OVERLAYS = (
    *STORED_ATTRS, *VOI_ATTRS, "overlay_groups", "photometric_interpretation", "samples_per_pixel", "smallest_image_pixel_value",
    "largest_image_pixel_value",
)  # fmt: skip


def overlays(array: xr.DataArray) -> xr.DataArray:
    """Overlay planes on the pixels of the image, as a lazy boolean array.

    The bits are read when they are computed: an overlay's own bits alone, or, for an overlay in unused bits of the pixel
    cells, the frame that holds it. The place of the instance is known to the process that opened it; the array itself
    carries no paths.

    Parameters
    ----------
    array
        A labelled array with all its rows and columns, at any stage of its values.

    Returns
    -------
    xarray.DataArray
        `overlays`, bool, dimensions `(overlay, ..., y, x)` with those across frames of `array` between; one task for each
        overlay and each chunk of frames of `array` (each frame, where that is in memory). The coordinate `overlay` is the
        group number (24576 is 6000 in hexadecimal); `overlay_type` (G for graphics, R for a region), `overlay_label` and
        `overlay_description` lie along it. False where an overlay does not lie; what reaches beyond the image is cut off.

    Raises
    ------
    ValueError
        When the instances have no overlays, or rows or columns were selected already.
    SourceError
        When an instance of the array was not opened in this process.
    PixelDataError
        When the header puts an overlay where it can't be.
    UnsupportedEncodingError
        When an overlay lies in bits of the pixel cells that compression did not keep.
    """
    located = locate_frames(array)
    if located is None and "overlay_groups" not in array.attrs:
        raise ValueError(_NONE)
    if located is None:
        raise SourceError(
            "the instances of this array were not opened in this process: open their location with open_series() or open_study() "
            "first, then ask again"
        )
    frames, rows = located
    frames, rows = _used(frames, rows)
    groups, planes = planes_of(frames.instances)
    if not groups:
        raise ValueError(_NONE)
    y, x = "y", "x"
    sizes = {(encoding.rows, encoding.columns) for encoding in frames.instances.encodings}
    if sizes != {(array.sizes.get(y), array.sizes.get(x))}:
        listed = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise ValueError(
            f"overlays belong to all {listed} pixels of a frame: call overlays() before selecting rows or columns; "
            "planes cut from mosaics have none"
        )
    across = [dim for dim in array.dims if dim not in ("y", "x", "sample")]
    dims = (OVERLAY, *across, y, x)
    chunks = tuple((1,) * array.sizes[dim] if array.chunks is None else array.chunks[array.dims.index(dim)] for dim in across)
    data = overlays_to_dask(frames.refs(), rows, planes, chunks)
    kept: dict[Any, Any] = {name: coordinate for name, coordinate in array.coords.items() if set(coordinate.dims) <= set(dims)}
    kept[OVERLAY] = (OVERLAY, groups, {"long_name": "group number of the overlay"})
    kept |= _texts(planes, frames, rows, tuple(map(str, across)))
    attrs = {name: value for name, value in array.attrs.items() if name not in _NOT_OF_OVERLAYS}
    return xr.DataArray(data, coords=kept, dims=dims, name="overlays", attrs=attrs)


def planes_of(instances: InstanceTable) -> tuple[list[int], OverlayPlanes]:
    """Groups of which some instance has an overlay, and the overlays; groups without any bits are left out."""
    found: dict[Overlay, int] = {}
    groups: list[int] = []
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for group in GROUPS:
        prefix = f"overlay_{group & 0xFF:02x}_"
        columns = {name.removeprefix(prefix): instances.columns[name] for name in instances.columns if name.startswith(prefix)}
        if "overlay_rows" not in columns or "overlay_columns" not in columns:
            continue
        place = columns.pop("overlay_data", None)
        places = np.full((len(instances), 3), -1, np.int64)
        if place is not None:
            has_data = place.codes >= 0
            places[has_data] = place.values[place.codes[has_data]]
        keys = np.column_stack([column.codes for column in columns.values()] + [places[:, 1] > 0])
        distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
        numbers = []
        for key in distinct.tolist():
            values = {name: column.values[code] for (name, column), code in zip(columns.items(), key, strict=False) if code >= 0}
            overlay = _overlay(group, values, has_data=bool(key[-1]))
            numbers.append(-1 if overlay is None else found.setdefault(overlay, len(found)))
        which = np.array(numbers, np.int32)[inverse.reshape(-1)]
        if (which >= 0).any():
            groups.append(group)
            parts.append((which, places))
    shape = (len(groups), len(instances))
    which = np.array([part[0] for part in parts], np.int32).reshape(shape)
    place_table = np.array([part[1] for part in parts], np.int64).reshape(*shape, 3)
    return groups, OverlayPlanes(tuple(found), which, place_table[..., 0], place_table[..., 1], place_table[..., 2] > 0)


def _overlay(group: int, values: dict[str, Any], *, has_data: bool) -> Overlay | None:
    """The overlay that a header describes; None where no bits are said to be anywhere."""

    def number(name: str) -> int | None:
        value = values.get(name)
        return int(value[0]) if isinstance(value, np.ndarray) and np.isfinite(value[0]) else None

    def text(name: str) -> str:
        value = values.get(name)
        return value if isinstance(value, str) else ""

    rows, columns = number("overlay_rows"), number("overlay_columns")
    bits, position = number("overlay_bits_allocated"), number("overlay_bit_position")
    is_embedded = not has_data and ((bits or 1) > 1 or (position or 0) > 0)
    if not rows or not columns or not (has_data or is_embedded):
        return None
    frames, first_frame = number("number_of_frames_in_overlay"), number("image_frame_origin")
    origin = values.get("overlay_origin")
    has_origin = isinstance(origin, np.ndarray) and len(origin) > 1 and bool(np.isfinite(origin[:2]).all())
    return Overlay(
        group=group,
        rows=rows,
        columns=columns,
        origin=(int(origin[0]), int(origin[1])) if has_origin and origin is not None else (1, 1),
        kind=text("overlay_type") or "G",
        frames=None if is_embedded or (frames is None and first_frame is None) else frames or 1,
        first_frame=first_frame or 1,
        is_embedded=is_embedded,
        bit_position=position or 0,
        label=text("overlay_label"),
        description=text("overlay_description"),
    )


def _used(frames: FrameTable, rows: np.ndarray) -> tuple[FrameTable, np.ndarray]:
    """Only the frames that `rows` name, and their new rows."""
    used = np.unique(rows[rows >= 0])
    place = np.full(len(frames) + 1, -1, np.int64)
    place[used] = np.arange(len(used))
    return frames.take(used), place[rows]


def _texts(
    planes: OverlayPlanes, frames: FrameTable, rows: np.ndarray, across: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """What overlays are called: along `overlay`, and along the frames too where it varies with them."""
    instance = np.append(frames.instance, -1)[rows]
    which = np.where(instance < 0, -1, planes.which[:, instance])
    found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, texts in (
        ("overlay_type", [overlay.kind for overlay in planes.overlays]),
        ("overlay_label", [overlay.label for overlay in planes.overlays]),
        ("overlay_description", [overlay.description for overlay in planes.overlays]),
    ):
        every = np.array([*texts, ""], str)[which]
        first = np.array([next((texts[number] for number in row.reshape(-1).tolist() if number >= 0), "") for row in which], str)
        is_constant = bool(((every == first.reshape(-1, *(1,) * rows.ndim)) | (which < 0)).all())
        found[name] = ((OVERLAY,), first) if is_constant else ((OVERLAY, *across), every)
    return found
