"""Which headers are known of an array's planes: in files that this process has opened, or kept with the labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError
from xdicom.export.dicom_elements import Elements
from xdicom.export.dicom_kept import frames_of_kept, kept_headers
from xdicom.export.dicom_plan import HeaderPlace, Place
from xdicom.export.dicom_planes import Planes, frame_sizes, label_of
from xdicom.headers.dictionary import TAGS
from xdicom.labeled.origins import locate_frames, place_of_series
from xdicom.model.frames import FrameTable
from xdicom.sources.options import public_options, using_options


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where planes come from."""

    frames: FrameTable | None
    """The frames of the source; None where this process does not know them."""
    rows: np.ndarray
    """Which of them each plane is of, -1 for none; int64, shape `(planes,)`."""
    places: tuple[HeaderPlace | None, ...] | None
    """Header of each plane's instance."""
    header: Elements | None
    """Header of one of the instances."""
    repeats: bool = False
    """Whether a frame of the source fills several planes."""
    in_files: bool = True
    """Whether the frames lie in files that this process has opened; else only their headers are known."""


def find_origin(array: xr.DataArray) -> Origin:
    """The headers that are known of an arranged array's planes."""
    count = int(np.prod(list(frame_sizes(array).values()), dtype=np.int64))
    located = locate_frames(array)
    if located is not None:
        frames, rows = located[0], located[1].reshape(-1)
        first = np.full(len(frames.instances), np.iinfo(np.int64).max)
        np.minimum.at(first, frames.instance, frames.offset)
        instance = np.where(rows >= 0, frames.instance[np.maximum(rows, 0)], -1)
        known = {int(each): Place(frames.instances.urls[each], int(first[each])) for each in np.unique(instance[instance >= 0])}
        places = tuple(known.get(int(each)) for each in instance)
        used = rows[rows >= 0]
        return Origin(frames, rows, places, _read(next(each for each in places if each is not None)), len(np.unique(used)) < len(used))
    unknown = np.full(count, -1)
    kept = kept_headers(array)
    if kept is not None and any(each is not None for each in kept):
        frames, rows = frames_of_kept(kept, label_of(array, "frame_number"))
        used = rows[rows >= 0]
        header = next(each for each in kept if each is not None).read()
        return Origin(frames, rows, kept, header, len(np.unique(used)) < len(used), in_files=False)
    found = place_of_series(array)
    return Origin(None, unknown, None, None if found is None else _read(Place(*found)))


def urls_of(places: Iterable[HeaderPlace | None] | None) -> list[str]:
    """Sources of the headers that lie in files."""
    return [place.url for place in places or () if isinstance(place, Place)]


def _read(place: Place) -> Elements:
    with using_options(public_options([place.url])):
        return place.read()


def check_place(array: xr.DataArray, planes: Planes, origin: Origin, attributes: Mapping[str, Any] | None) -> None:
    """Refuse planes whose place the source states, and their labels no more.

    Raises
    ------
    InconsistentSeriesError
        With what to do.
    """
    is_placed = planes.positions_mm is not None or origin.header is None or TAGS["ImagePositionPatient"] not in origin.header
    dropped = {keyword for keyword, value in (attributes or {}).items() if value is None}
    if is_placed or {"ImagePositionPatient", "ImageOrientationPatient"} <= dropped:
        return
    if "image_orientation_patient" in array.attrs or origin.places is None:
        raise InconsistentSeriesError(
            "the source has a place in the patient, and labels no longer say where the planes lie (nor whether they were cut or turned): "
            "keep the coordinates z, y and x and the attribute image_orientation_patient, "
            "or take the place away with attributes={'ImagePositionPatient': None, 'ImageOrientationPatient': None}"
        )
