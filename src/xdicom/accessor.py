"""What can be done with a labelled array of DICOM values: `array.dicom`, one line a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import xarray as xr

from xdicom.labeled.geometry import affine_of, orientation_of
from xdicom.labeled.origins import read_header
from xdicom.labeled.values import mask_padding, padding_mask, to_modality

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from pydicom import Dataset


@xr.register_dataarray_accessor("dicom")
class DicomAccessor:
    """DICOM operations on a labelled array, however its values are held: dask, numpy, or reopened from Zarr."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @property
    def affine(self) -> np.ndarray:
        """Index (column, row, slice, 1) to LPS [mm], float64 `(4, 4)`; see `labeled.geometry.affine_of`."""
        return affine_of(self._array)

    def to_affine(self, space: Literal["LPS", "RAS"] = "LPS") -> np.ndarray:
        """The same in LPS or RAS coordinates [mm]; see `labeled.geometry.affine_of`."""
        return affine_of(self._array, space)

    @property
    def orientation(self) -> str:
        """Sides of the patient to which x, y and z point, such as `LPS`; see `labeled.geometry.orientation_of`."""
        return orientation_of(self._array)

    def header(self, frame: Mapping[str, int] | int = 0) -> Dataset:
        """Whole header of the instance that a frame is from; see `labeled.origins.read_header`."""
        return read_header(self._array, frame)

    def to_modality(self, *, dtype: DTypeLike | None = None) -> xr.DataArray:
        """Modality values, with their units; see `labeled.values.to_modality`."""
        return to_modality(self._array, dtype=dtype)

    def mask_padding(self) -> xr.DataArray:
        """The array with NaN where pixels are padding; see `labeled.values.mask_padding`."""
        return mask_padding(self._array)

    def padding_mask(self) -> xr.DataArray:
        """Which pixels are padding; see `labeled.values.padding_mask`."""
        return padding_mask(self._array)
