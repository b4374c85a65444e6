"""Overlays on the pixels of a labelled array."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from xdicom.errors import UnsupportedEncodingError
from xdicom.labeled.overlays import overlays
from xdicom.labeled.tables import overlays_to_attrs
from xdicom.transforms.overlay import Overlay

Hold = Callable[[xr.DataArray], xr.DataArray]
PLANE = Overlay(0x6000, rows=2, columns=2, bits=b"\x0d", origin=(2, 3), label="lesion")


def test_planes_lie_on_the_image(held: Hold, ct: xr.DataArray) -> None:
    roi = Overlay(0x6002, rows=6, columns=5, bits=b"\xff" * 4, kind="R")
    array = held(ct.assign_attrs(overlays=overlays_to_attrs([PLANE, roi], 6, 5)))

    out = overlays(array)

    assert (out.dims, out.shape, out.dtype) == (("overlay", "y", "x"), (2, 6, 5), bool)
    assert out.sel(overlay=0x6000).values.nonzero()[0].tolist() == [1, 2, 2]
    assert out.sel(overlay=0x6000).values.nonzero()[1].tolist() == [2, 2, 3]
    assert out.sel(overlay=0x6002).values.all()
    assert out["overlay_label"].values.tolist() == ["lesion", ""]


def test_frames_of_an_overlay_begin_at_their_image_frame(ct: xr.DataArray) -> None:
    frames = Overlay(0x6000, rows=1, columns=4, frames=2, bits=b"\x1f", first_frame=3)

    out = overlays(ct.assign_attrs(overlays=overlays_to_attrs([frames], 6, 5)))

    assert out.dims == ("overlay", "z", "y", "x")
    assert out.values[0].sum(axis=(1, 2)).tolist() == [0, 0, 4, 1]
    assert out["z"].values.tolist() == ct["z"].values.tolist()


def test_what_can_not_be_placed_is_refused(ct: xr.DataArray) -> None:
    array = ct.assign_attrs(overlays=overlays_to_attrs([PLANE], 6, 5))

    with pytest.raises(ValueError, match="6 x 5 pixels: call overlays"):
        overlays(array.isel(x=slice(0, 2)))
    with pytest.raises(ValueError, match="no overlays"):
        overlays(ct)
    embedded = Overlay(0x6000, rows=6, columns=5, bits=b"", is_embedded=True, bit_position=12)
    with pytest.raises(UnsupportedEncodingError, match="6000 lie in unused bits"):
        overlays(ct.assign_attrs(overlays=overlays_to_attrs([embedded], 6, 5)))
    many = Overlay(0x6000, rows=1, columns=1, frames=2, bits=b"\3")
    with pytest.raises(ValueError, match="one dimension of frames"):
        overlays(ct.isel(z=0).assign_attrs(overlays=overlays_to_attrs([many], 6, 5)))


def test_multi_dimensional_arrays_have_still_images_overlays(ct: xr.DataArray) -> None:
    array = ct.expand_dims(time=2).assign_attrs(overlays=overlays_to_attrs([PLANE], 6, 5))

    assert np.array_equal(overlays(array).values, overlays(ct.assign_attrs(array.attrs)).values)
