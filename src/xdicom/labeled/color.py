"""Colour: samples, palettes and grayscale to red, green and blue (PS3.3 C.7.6.3.1.2, C.7.6.19, C.7.9)."""

from __future__ import annotations

from functools import partial

import numpy as np
import xarray as xr

from xdicom.errors import UnsupportedEncodingError
from xdicom.labeled.display import display_plan, to_display
from xdicom.labeled.parameters import (
    DISPLAY,
    MODALITY,
    RESCALE_COORDS,
    RGB,
    STORED,
    STORED_ATTRS,
    VOI_ATTRS,
    bits_stored,
    refuse_damaged,
    relabeled,
    stage,
    window_coords,
)
from xdicom.labeled.tables import enhanced_palette_from_attrs, palette_from_attrs
from xdicom.lazy.apply import apply, apply_together
from xdicom.transforms.blending import blend
from xdicom.transforms.color import to_rgb as samples_to_rgb
from xdicom.transforms.display import render_supplemental
from xdicom.transforms.palette import Palette, apply_palette
from xdicom.transforms.well_known_palettes import PALETTE_UIDS, well_known_palette

SAMPLE = "sample"
"""Name of the dimension of colour samples."""

DATA_TYPE = "data_type"
"""Name of the dimension of frames that an enhanced palette blends."""

_EACH_FRAME = ("instance_number", "sop_instance_uid", "frame_number")
"""Coordinates that are true of one frame, and not of what several are blended to."""


def to_rgb(array: xr.DataArray, palette: str | None = None) -> xr.DataArray:
    """Red, green and blue.

    - Colour samples: YBR_FULL, YBR_FULL_422 and YBR_PARTIAL become RGB; RGB stays what it is.
    - PALETTE COLOR: the file's palette, plain or segmented, with a fourth sample where it has alpha; uint8 where 8 bits
      hold all that the palette says, else uint16.
    - Grayscale with a supplemental palette: values from its first one on are coloured, those below are gray through
      the file's window.
    - Grayscale with an enhanced palette (PS3.3 C.7.6.23): frames of several data types, tissue and flow, blended to one picture;
      the dimension `data_type` is gone.
    - Grayscale with `palette`: display values (of `to_display()` without a choice of window, if they are not display
      values yet) coloured.

    Parameters
    ----------
    array
        `stored_values`; for grayscale also `modality_values` or `display_values` of type uint8.
    palette
        One of the standard's palettes for grayscale, by Content Label or SOP Instance UID: HOT_IRON, PET,
        HOT_METAL_BLUE, PET_20_STEP, SPRING, SUMMER, FALL, WINTER.

    Returns
    -------
    xarray.DataArray
        `rgb` with the last dimension `sample`, lazy where `array` is.

    Raises
    ------
    ValueError
        When `array` is not of a kind that this applies to, or the palette is unknown.
    PixelDataError
        When the file's palette is damaged.
    UnsupportedEncodingError
        When the file has an enhanced palette, and the standard does not say what the colours are.

    Examples
    --------
    >>> import xdicom
    >>> ct = xdicom.open_series("testdata/ct")
    >>> ct.dicom.to_display((40, 400)).dicom.to_rgb("HOT_IRON").dims
    ('z', 'y', 'x', 'sample')
    """
    name = stage(array, (STORED, MODALITY, DISPLAY), "to_rgb")
    interpretation = str(array.attrs.get("photometric_interpretation", ""))
    is_color = int(array.attrs.get("samples_per_pixel", 1)) > 1
    if palette is not None and (is_color or interpretation == "PALETTE COLOR"):
        raise ValueError(f"a palette is for grayscale; these are {interpretation} samples: call to_rgb() without one")
    if is_color:
        return _from_samples(array, interpretation)
    refuse_damaged(array, "palette")
    if interpretation == "PALETTE COLOR":
        if "palette" not in array.attrs:
            raise ValueError("the file is PALETTE COLOR and has no palette")
        return _colored(array, palette_from_attrs(array.attrs["palette"]))
    if palette is not None:
        return _colored(_as_display(array), well_known_palette(palette))
    refuse_damaged(array, "enhanced_palette")
    if name == STORED and "enhanced_palette" in array.attrs:
        return _blended(array)
    if name == STORED and "palette" in array.attrs:
        return _supplemented(array, palette_from_attrs(array.attrs["palette"]))
    raise ValueError(f"these values are grayscale: name a palette ({', '.join(PALETTE_UIDS)}), or use to_display()")


def _blended(array: xr.DataArray) -> xr.DataArray:
    """Colours of the frames of all data types that lie at one place."""
    said = array.attrs["enhanced_palette"]
    if "refused" in said:
        raise UnsupportedEncodingError(f"{said['refused']}; to_rgb(palette=...) colours gray values by a palette of the standard")
    data_types, palette = enhanced_palette_from_attrs(said)
    if array.dtype.kind != "u":
        raise ValueError("an enhanced palette takes stored values as they are: call to_rgb() before mask_padding() and the like")
    frames = [_of_data_type(array, data_type) for data_type in data_types]
    data = apply_together(partial(blend, palette=palette), [frame.data for frame in frames], dtype=palette.dtype, new_axis=3)
    return _with_samples(frames[0].drop_vars(DATA_TYPE, errors="ignore"), data, 3, (DATA_TYPE, *_EACH_FRAME))


def _of_data_type(array: xr.DataArray, data_type: str) -> xr.DataArray:
    """The frames of a data type, without the dimension of these."""
    if DATA_TYPE in array.dims:
        found = [str(each) for each in array[DATA_TYPE].values.tolist()]
        if data_type in found:
            return array.isel({DATA_TYPE: found.index(data_type)})
    else:
        found = [str(array.coords[DATA_TYPE].values) if DATA_TYPE in array.coords else str(array.attrs.get(DATA_TYPE, ""))]
        if found[0] == data_type:
            return array
    raise ValueError(
        f"the enhanced palette blends frames of type {data_type}, and this array has {', '.join(sorted(found)) or 'none that it names'}: "
        "call to_rgb() on all data types, before selecting some"
    )


def _from_samples(array: xr.DataArray, interpretation: str) -> xr.DataArray:
    if SAMPLE not in array.dims:
        raise ValueError(
            f"colour samples lie along the dimension {SAMPLE!r}, which this array no longer has: call to_rgb() before selecting one"
        )
    if array.dims[-1] != SAMPLE:
        array = array.transpose(..., SAMPLE)
    if array.chunks is not None and len(array.chunks[-1]) > 1:
        array = array.chunk({SAMPLE: -1})
    convert = partial(samples_to_rgb, photometric_interpretation=interpretation, bits_stored=bits_stored(array))
    data = array.data if interpretation == "RGB" else apply(convert, array.data, dtype=array.dtype, is_pointwise=False)
    return relabeled(array, data, RGB, without=RESCALE_COORDS, attrs={"photometric_interpretation": "RGB"})


def _colored(array: xr.DataArray, palette: Palette) -> xr.DataArray:
    color = partial(apply_palette, palette=palette)
    return _with_samples(array, apply(color, array.data, dtype=palette.dtype, new_axis=len(palette.tables)), len(palette.tables))


def _as_display(array: xr.DataArray) -> xr.DataArray:
    display = array if array.name == DISPLAY else to_display(array)
    if display.dtype != np.uint8:
        raise ValueError(f"a palette has 256 entries and takes display values of type uint8, not {display.dtype}: to_display() makes them")
    return display


def _supplemented(array: xr.DataArray, palette: Palette) -> xr.DataArray:
    plan = display_plan(array, None, palette.dtype.name)
    color = partial(render_supplemental, rendering=plan.rendering, palette=palette)
    return _with_samples(array, apply(color, array.data, *plan.parameters, dtype=palette.dtype, new_axis=3), 3)


def _with_samples(array: xr.DataArray, data: object, samples: int, without: tuple[str, ...] = ()) -> xr.DataArray:
    gone = (*RESCALE_COORDS, *STORED_ATTRS, *VOI_ATTRS, *window_coords(array), *without)
    attrs = {"photometric_interpretation": "RGB", "samples_per_pixel": samples}
    return relabeled(array, data, RGB, without=gone, attrs=attrs, new_dim=SAMPLE)
