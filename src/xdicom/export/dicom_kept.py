"""Headers kept with the labels of an array, for those who ask: what a store needs so that DICOM can be made of it alone.

The first header is kept whole, and of each other one what differs from it. Both are texts, which go where the array goes:
through selection and concatenation, into a Zarr store and out of it.
"""

from __future__ import annotations

import base64
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr

from xdicom.errors import NotDicomError, SourceError
from xdicom.export.dicom_elements import Elements, encode_elements, parse_elements
from xdicom.export.dicom_header import Place
from xdicom.export.dicom_planes import PLANE, label_of
from xdicom.labeled.origins import locate_frames
from xdicom.sources.options import public_options, using_options

WHOLE, OWN = "dicom_header", "dicom_header_changes"
"""Coordinates: a header, and what differs from it in that of each plane."""
_READERS = 8
"""Headers that are read at a time."""


@dataclass(frozen=True, slots=True)
class KeptHeader:
    """The header of a source instance as labels keep it."""

    whole: str
    """A header: its elements in Explicit VR Little Endian, deflated, in base 64."""
    own: str
    """The number of elements that this one has not, their tags, and the elements that differ; in the same form."""

    def read(self) -> Elements:
        """The header's elements.

        Raises
        ------
        NotDicomError
            If the labels hold something else.
        """
        try:
            changes = _unpack(self.own)
            (count,) = struct.unpack_from("<I", changes)
            gone = struct.unpack_from(f"<{count}I", changes, 4)
            elements = dict(_elements_of(self.whole)) | parse_elements(changes[4 + 4 * count :])
        except (ValueError, struct.error, zlib.error) as error:
            raise NotDicomError(f"the coordinates {WHOLE} and {OWN} hold no header: drop them, or keep headers anew") from error
        for tag in gone:
            elements.pop(tag, None)
        return elements


def keep_headers(array: xr.DataArray) -> xr.DataArray:
    """`array` with the whole headers of its source among its coordinates, names and dates of persons too.

    Every header is read. They are compressed, and make a store of it all that `to_dicom` needs, in any process.

    Parameters
    ----------
    array
        A labelled array whose series was opened in this process.

    Raises
    ------
    SourceError
        If it was not: open or scan its location first.
    """
    if WHOLE in array.coords and OWN in array.coords:
        return array
    located = locate_frames(array)
    if located is None:
        raise SourceError(
            "the headers of this array are not known: its instances were not opened in this process, or labels no longer say which these "
            "are. Open their location with open_series() or open_study(), and keep headers before anything else"
        )
    frames, rows = located
    dims = [dim for dim in array.dims if dim not in PLANE]
    has_uids = "sop_instance_uid" in array.coords
    varies = array.coords["sop_instance_uid"].dims if has_uids else ()
    rows = rows[tuple(slice(None) if dim in varies else 0 for dim in dims)]
    instance = np.where(rows >= 0, frames.instance[np.maximum(rows, 0)], -1)
    first = np.full(len(frames.instances), np.iinfo(np.int64).max)
    np.minimum.at(first, frames.instance, frames.offset)
    used = [int(each) for each in np.unique(instance) if each >= 0]
    places = [Place(frames.instances.urls[each], int(first[each])) for each in used]
    with using_options(public_options([place.url for place in places])), ThreadPoolExecutor(_READERS) as pool:
        headers = list(pool.map(_canonical, places))
    whole = _pack(encode_elements(headers[0]))
    texts = {each: _difference(headers[0], header) for each, header in zip(used, headers, strict=True)}
    own = np.array([texts.get(int(each), "") for each in instance.reshape(-1)], object).reshape(instance.shape)
    attrs = {"long_name": "DICOM header (deflated elements in base 64), which may name a person"}
    kept_dims = tuple(dim for dim in dims if dim in varies)
    return array.assign_coords({WHOLE: xr.Variable((), whole, attrs), OWN: xr.Variable(kept_dims, own, attrs)})


def kept_headers(array: xr.DataArray) -> tuple[KeptHeader | None, ...] | None:
    """The header of each plane, None where it has none; None where labels keep no headers."""
    whole, own = label_of(array, WHOLE), label_of(array, OWN)
    if whole is None or own is None:
        return None
    known: dict[str, str] = {}
    pairs = zip(whole.tolist(), own.tolist(), strict=True)
    return tuple(KeptHeader(known.setdefault(base, base), known.setdefault(text, text)) if text else None for base, text in pairs)


def _canonical(place: Place) -> Elements:
    """Elements of a header in Explicit VR Little Endian throughout: equal where they say the same."""
    return parse_elements(encode_elements(place.read()))


def _difference(base: Elements, header: Elements) -> str:
    gone = sorted(set(base) - set(header))
    changed = {tag: value for tag, value in header.items() if base.get(tag) != value}
    return _pack(struct.pack(f"<I{len(gone)}I", len(gone), *gone) + encode_elements(changed))


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _unpack(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text, validate=True))


@lru_cache(maxsize=8)
def _elements_of(text: str) -> Elements:
    return parse_elements(_unpack(text))
