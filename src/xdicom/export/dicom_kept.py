"""Headers kept with the labels of an array, for those who ask: what a store needs so that DICOM can be made of it alone.

The first header is kept whole, and of each other one what differs from it. Both are texts, which go where the array goes:
through selection and concatenation, into a Zarr store and out of it.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xdicom.errors import NotDicomError, SourceError
from xdicom.export.dicom_elements import Elements, encode_elements, file_head
from xdicom.export.dicom_frame_groups import PER_FRAME
from xdicom.export.dicom_parsing import parse_elements
from xdicom.export.dicom_pixels import pixel_element_head
from xdicom.export.dicom_plan import Place
from xdicom.export.dicom_planes import PLANE, label_of
from xdicom.headers.datasets import read_dataset
from xdicom.headers.dictionary import TAGS
from xdicom.index.heads import table_of_heads
from xdicom.labeled.origins import locate_frames, read_header
from xdicom.model.encoding import DOUBLE_FLOAT_PIXEL_DATA, EXPLICIT_LITTLE_ENDIAN, FLOAT_PIXEL_DATA, PIXEL_DATA, PixelEncoding
from xdicom.model.frames import FrameTable
from xdicom.sources.options import public_options, using_options

if TYPE_CHECKING:
    from pydicom import Dataset

WHOLE, OWN = "dicom_header", "dicom_header_changes"
"""Coordinates: a header, and what differs from it in that of each plane."""
_ATTRS = {"long_name": "DICOM header (deflated elements in base 64), which may name a person"}
_FLOAT_BITS = 32
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
    if "sop_instance_uids" in array.attrs:
        return _keep_one(array, frames, int(rows[0]))
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
    kept_dims = tuple(dim for dim in dims if dim in varies)
    return array.assign_coords({WHOLE: xr.Variable((), whole, _ATTRS), OWN: xr.Variable(kept_dims, own, _ATTRS)})


def _keep_one(array: xr.DataArray, frames: FrameTable, row: int) -> xr.DataArray:
    """An image of a slide with the header of its first instance, but for the groups of its tiles, which may be hundreds of thousands."""
    instance = frames.instance[row]
    place = Place(frames.instances.urls[instance], int(frames.offset[frames.instance == instance].min()))
    with using_options(public_options([place.url])):
        header = _canonical(place)
    header.pop(PER_FRAME, None)
    texts = {WHOLE: _pack(encode_elements(header)), OWN: _difference(header, header)}
    return array.assign_coords({name: xr.Variable((), text, _ATTRS) for name, text in texts.items()})


def kept_headers(array: xr.DataArray) -> tuple[KeptHeader | None, ...] | None:
    """The header of each plane, None where it has none; None where labels keep no headers."""
    whole, own = label_of(array, WHOLE), label_of(array, OWN)
    if whole is None or own is None:
        return None
    known: dict[str, str] = {}
    pairs = zip(whole.tolist(), own.tolist(), strict=True)
    return tuple(KeptHeader(known.setdefault(base, base), known.setdefault(text, text)) if text else None for base, text in pairs)


def frames_of_kept(kept: Sequence[KeptHeader | None], numbers: np.ndarray | None) -> tuple[FrameTable, np.ndarray]:
    """What kept headers say of their frames, and which of these fills each plane, -1 where it has no header.

    Parameters
    ----------
    kept
        The header of each plane.
    numbers
        Number of each plane's frame in its instance, from 1; None where all are 1.
    """
    different = list(dict.fromkeys(each for each in kept if each is not None))
    frames = table_of_heads([head_alone(each.read()) for each in different])
    number = {each: i for i, each in enumerate(different)}
    instance = np.array([-1 if each is None else number[each] for each in kept])
    counts = np.bincount(frames.instance, minlength=len(different))
    first = np.cumsum(counts) - counts
    within = np.zeros(len(kept), np.int64) if numbers is None else np.maximum(numbers.astype(np.int64), 1) - 1
    is_there = (instance >= 0) & (within < counts[np.maximum(instance, 0)])
    return frames, np.where(is_there, first[np.maximum(instance, 0)] + within, -1)


def head_alone(elements: Elements) -> bytes:
    """An instance of a header and no pixels, as a file begins with it."""
    allocated = elements.get(TAGS["BitsAllocated"])
    bits = int(allocated.numbers()[0]) if allocated is not None and allocated.numbers() else 0
    is_float = bits >= _FLOAT_BITS and TAGS["BitsStored"] not in elements  # left out of floats (PS3.3 C.7.6.24)
    keyword = PIXEL_DATA if not is_float else FLOAT_PIXEL_DATA if bits == _FLOAT_BITS else DOUBLE_FLOAT_PIXEL_DATA
    encoding = PixelEncoding(EXPLICIT_LITTLE_ENDIAN, 1, 1, 1, bits, bits, bits - 1, pixel_keyword=keyword)
    return file_head(elements, EXPLICIT_LITTLE_ENDIAN) + pixel_element_head(encoding, [0])


def header_of_frame(array: xr.DataArray, frame: Mapping[str, int] | int = 0) -> Dataset:
    """Whole header of the instance that a frame is from, as a pydicom Dataset without pixel data.

    Headers that are kept with the labels (`keep_headers`) are read from there, in any process; others from the source.

    Parameters
    ----------
    array
        A labelled array that keeps headers, or whose series was opened in this process.
    frame
        Position of the frame: along the first dimension, or by dimension, as for `isel`.

    Raises
    ------
    SourceError
        If there is neither: open or scan its location first.
    NotDicomError
        If the labels hold something else than a header.
    """
    if WHOLE not in array.coords or OWN not in array.coords:
        return read_header(array, frame)
    where: Mapping[Any, int] = {array.dims[0]: frame} if isinstance(frame, int) else frame
    one = array.isel({dim: where.get(dim, 0) for dim in array.dims if dim not in PLANE})
    (kept,) = kept_headers(one) or (None,)
    if kept is None:
        return read_header(array, frame)
    data = file_head(kept.read(), EXPLICIT_LITTLE_ENDIAN)
    return read_dataset(lambda offset, length: data[offset : offset + length], len(data))


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


def change_headers(array: xr.DataArray, change: Callable[[Elements], Elements], long_name: str) -> dict[Hashable, xr.Variable]:
    """The coordinates that keep the headers of an array, with each of these as `change` makes it."""
    whole, own = (each.variable for each in xr.broadcast(array.coords[WHOLE], array.coords[OWN]))
    pairs = list(zip(whole.values.reshape(-1).tolist(), own.values.reshape(-1).tolist(), strict=True))
    changed = {pair: change(KeptHeader(*pair).read()) for pair in dict.fromkeys(pairs) if pair[1]}
    base = next(iter(changed.values()), {})
    texts = {pair: _difference(base, header) for pair, header in changed.items()}
    values = np.array([texts.get(pair, "") for pair in pairs], object).reshape(own.shape)
    attrs = {"long_name": long_name}
    return {WHOLE: xr.Variable((), _pack(encode_elements(base)), attrs), OWN: xr.Variable(own.dims, values, attrs)}
