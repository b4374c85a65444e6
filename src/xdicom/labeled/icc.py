"""Colors of a labelled array by the file's own ICC profile (PS3.3 C.11.15)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, SourceError, UnsupportedEncodingError
from xdicom.headers.datasets import read_dataset
from xdicom.labeled.color import SAMPLE, to_rgb
from xdicom.labeled.origins import locate_frames
from xdicom.labeled.parameters import RGB, STORED, bits_stored, relabeled, stage
from xdicom.lazy.apply import apply
from xdicom.pixels import codecs_icc
from xdicom.sources.ranges import read_range

if TYPE_CHECKING:
    from pydicom import Dataset

OPTICAL_PATH = "optical_path"
"""Name of the dimension of optical paths, each of which may have a profile of its own."""
SRGB = "SRGB"
"""Color Space (0028,2002) of sRGB."""


def to_srgb(array: xr.DataArray) -> xr.DataArray:
    """Red, green and blue of sRGB, by the ICC profile of the file.

    Scans leave the profile where it is: it is read from the instances' headers when this is called, one for each instance
    of the array; each optical path of a slide has its own. The colors are transformed when they are computed.

    Parameters
    ----------
    array
        `rgb` as `to_rgb` makes it, or color `stored_values`, of which `to_rgb` is made on the way; uint8 or uint16.

    Returns
    -------
    xarray.DataArray
        `rgb`, lazy where `array` is, of its type, with the attribute `color_space` "SRGB".

    Raises
    ------
    ValueError
        When the file has no ICC profile, or the colors are those of sRGB already.
    SourceError
        When an instance of the array was not opened in this process.
    InconsistentSeriesError
        When instances have different profiles.
    PixelDataError
        When the profile is damaged.
    UnsupportedEncodingError
        When the profile is of another color space, or samples do not fill their type.
    MissingDependencyError
        When this build of imagecodecs has no color management.
    """
    stage(array, (STORED, RGB), "to_srgb")
    if array.attrs.get("color_space") == SRGB:
        raise ValueError("these colors are those of sRGB already: to_srgb() was applied to them")
    rgb = array if array.name == RGB else to_rgb(array)
    bits = bits_stored(rgb)
    if rgb.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)) or (bits is not None and bits != 8 * rgb.dtype.itemsize):
        raise UnsupportedEncodingError(f"an ICC profile is applied to colors of 8 or 16 bits; these have {bits or rgb.dtype}")
    if SAMPLE not in rgb.dims:
        raise ValueError(f"colors lie along the dimension {SAMPLE!r}, which this array no longer has: call to_srgb() before selecting one")
    if array.sizes.get(OPTICAL_PATH, 1) > 1:
        parts = [to_srgb(array.isel({OPTICAL_PATH: [number]})) for number in range(array.sizes[OPTICAL_PATH])]
        return xr.concat(parts, dim=OPTICAL_PATH, coords="minimal", compat="override", join="override")
    profile = icc_profile(array)
    codecs_icc.check_profile(profile)
    rgb = rgb.transpose(..., SAMPLE)
    if rgb.chunks is not None and len(rgb.chunks[-1]) > 1:
        rgb = rgb.chunk({SAMPLE: -1})
    data = apply(partial(codecs_icc.to_srgb, profile=profile), rgb.data, dtype=rgb.dtype, is_pointwise=False)
    return relabeled(rgb, data, RGB, attrs={"color_space": SRGB})


def icc_profile(array: xr.DataArray) -> bytes:
    """The ICC profile of the instances of `array`: of the image, or of its optical path (PS3.3 C.8.12.5).

    Raises
    ------
    ValueError
        When they have none.
    SourceError
        When an instance of the array was not opened in this process.
    InconsistentSeriesError
        When they have different ones.
    """
    located = locate_frames(array)
    if located is None:
        raise SourceError(
            "the instances of this array were not opened in this process: open their location with open_series() or open_study() "
            "first, then ask again"
        )
    frames, rows = located
    first = np.full(len(frames.instances), np.iinfo(np.int64).max)
    np.minimum.at(first, frames.instance, frames.offset)
    named = array.coords.get(OPTICAL_PATH, array.coords.get("optical_path_identifier"))
    wanted = array.attrs.get("optical_path_identifier") if named is None else named
    paths = {str(name) for name in np.atleast_1d(np.asarray(wanted))} if wanted is not None else set()
    profiles: set[bytes] = set()
    for instance in np.unique(frames.instance[rows[rows >= 0]]).tolist():
        url, stamp = frames.instances.urls[instance], frames.instances.stamps[instance]
        dataset = read_dataset(partial(read_range, url, stamp=stamp), int(first[instance]))
        profiles |= _profiles(dataset, paths)
    if len(profiles) > 1:
        raise InconsistentSeriesError(
            f"the frames have {len(profiles)} different ICC profiles: select those of one instance or optical path"
        )
    (profile,) = profiles or {b""}
    if not profile:
        raise ValueError("the file has no ICC Profile (0028,2000): its colors have no exact meaning; to_rgb() gives them as they are")
    return profile


def _profiles(dataset: Dataset, paths: set[str]) -> set[bytes]:
    """Profiles of one instance; an empty one where it has none."""
    own = bytes(dataset.get("ICCProfile") or b"")
    if own:
        return {own}
    items = dataset.get("OpticalPathSequence") or []
    chosen = [item for item in items if str(item.get("OpticalPathIdentifier", "")) in paths] or items
    return {bytes(item.get("ICCProfile") or b"") for item in chosen} or {b""}
