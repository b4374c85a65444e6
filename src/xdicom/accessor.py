"""What can be done with a labelled array of DICOM values: `array.dicom`, one line a method."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack

import numpy as np
import xarray as xr

from xdicom.export.dicom_files import DicomOptions, DicomTreeOptions, write_dicom
from xdicom.export.dicom_kept import header_of_frame, keep_headers
from xdicom.export.dicom_parametric import ParametricMapOptions, write_parametric_map
from xdicom.export.dicom_plan import WrittenDicom
from xdicom.export.dicom_segmentation import SegmentationOptions, write_segmentation
from xdicom.export.dicom_tree import write_dicom_tree
from xdicom.export.ome_zarr import OmeZarrOptions, write_ome_zarr
from xdicom.export.slide_ome_zarr import SlideOmeZarrOptions, write_slide_ome_zarr
from xdicom.export.virtual_repository import IcechunkOptions, refer_in_icechunk
from xdicom.export.virtual_zarr import KerchunkOptions, write_kerchunk
from xdicom.export.virtual_zarr_tree import write_kerchunk_tree
from xdicom.export.zarr_places import StoreLike
from xdicom.export.zarr_store import ZarrOptions, ZarrTreeOptions, write_zarr, write_zarr_tree
from xdicom.export.zarr_values import Written
from xdicom.labeled.color import to_rgb
from xdicom.labeled.display import WindowChoice, to_display
from xdicom.labeled.geometry import affine_of, orientation_of
from xdicom.labeled.icc import to_srgb
from xdicom.labeled.overlays import overlays
from xdicom.labeled.patient_index import patient_coords
from xdicom.labeled.real_world import to_real_world
from xdicom.labeled.regular import regular_z
from xdicom.labeled.segments import on_grid_of
from xdicom.labeled.slides import read_region
from xdicom.labeled.uptake import to_suv
from xdicom.labeled.values import mask_padding, padding_mask, to_modality

if TYPE_CHECKING:
    from icechunk import IcechunkStore  # type: ignore[import-not-found,unused-ignore]
    from numpy.typing import DTypeLike
    from pydicom import Dataset

Method = TypeVar("Method", bound=Callable[..., Any])


def _shows(function: Callable[..., Any]) -> Callable[[Method], Method]:
    """Let a method show the text and the keywords of the function that it calls, all but the array.

    The line that stands in the method is for who reads this file; `help` and pages show the function's own text.
    """
    array, *others = inspect.signature(function).parameters.values()
    text = inspect.getdoc(function) or ""
    text = re.sub(rf"^{array.name}\n(    .*\n|\n(?=    ))*", "", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^Parameters\n-+\n\n*(?=\S+\n-|\Z)", "", text, flags=re.MULTILINE)

    def shown(method: Method) -> Method:
        self = next(iter(inspect.signature(method).parameters.values()))
        method.__doc__ = text
        method.__signature__ = inspect.signature(function).replace(parameters=[self, *others])  # type: ignore[attr-defined]
        return method

    return shown


@xr.register_dataarray_accessor("dicom")
class DicomAccessor:
    """DICOM operations on a labelled array, however its values are held: dask, numpy, or reopened from Zarr."""

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    @property
    def affine(self) -> np.ndarray:
        """Index (column, row, slice, 1) to LPS [mm], float64 `(4, 4)`."""
        return affine_of(self._array)

    @_shows(affine_of)
    def to_affine(self, space: Literal["LPS", "RAS"] = "LPS") -> np.ndarray:
        """The same in LPS or RAS coordinates [mm]."""
        return affine_of(self._array, space)

    @property
    def orientation(self) -> str:
        """Sides of the patient to which x, y and z point, such as `LPS`."""
        return orientation_of(self._array)

    @_shows(patient_coords)
    def patient_coords(self) -> xr.DataArray:
        """The array with coordinates px, py, pz, to select by patient position."""
        return patient_coords(self._array)

    @_shows(regular_z)
    def regular_z(self, fill_value: float) -> xr.DataArray:
        """The array on an even z axis, missing slices filled with a value."""
        return regular_z(self._array, fill_value)

    @_shows(on_grid_of)
    def on_grid_of(self, source: xr.DataArray) -> xr.DataArray:
        """A segmentation on the planes, rows and columns of its source."""
        return on_grid_of(self._array, source)

    @_shows(header_of_frame)
    def header(self, frame: Mapping[str, int] | int = 0) -> Dataset:
        """Whole header of the instance that a frame is from."""
        return header_of_frame(self._array, frame)

    @_shows(keep_headers)
    def keep_headers(self) -> xr.DataArray:
        """The array with the whole headers of its source among its labels, for a store."""
        return keep_headers(self._array)

    @_shows(to_modality)
    def to_modality(self, *, dtype: DTypeLike | None = None) -> xr.DataArray:
        """Modality values, with their units."""
        return to_modality(self._array, dtype=dtype)

    @_shows(to_display)
    def to_display(self, window: WindowChoice = None, *, dtype: str = "uint8") -> xr.DataArray:
        """Display values through a window or VOI LUT."""
        return to_display(self._array, window, dtype=dtype)

    @_shows(to_rgb)
    def to_rgb(self, palette: str | None = None) -> xr.DataArray:
        """Colors, with a dimension `sample`."""
        return to_rgb(self._array, palette)

    @_shows(to_srgb)
    def to_srgb(self) -> xr.DataArray:
        """Colors of sRGB, by the file's ICC profile."""
        return to_srgb(self._array)

    @_shows(to_real_world)
    def to_real_world(self, name: str | int | None = None, *, dtype: DTypeLike | None = None) -> xr.DataArray:
        """Real world values by one of the header's mappings."""
        return to_real_world(self._array, name, dtype=dtype)

    @_shows(to_suv)
    def to_suv(self, kind: str = "bw") -> xr.DataArray:
        """Standardized uptake values."""
        return to_suv(self._array, kind)

    @_shows(overlays)
    def overlays(self) -> xr.DataArray:
        """Overlay planes."""
        return overlays(self._array)

    @_shows(mask_padding)
    def mask_padding(self) -> xr.DataArray:
        """The array with NaN where pixels are padding."""
        return mask_padding(self._array)

    @_shows(padding_mask)
    def padding_mask(self) -> xr.DataArray:
        """Which pixels are padding."""
        return padding_mask(self._array)

    def read_region(self, *, threads: int = 1, **indexers: slice | int) -> xr.DataArray:
        """A part of an array in memory: what `isel(...).compute()` gives, without a graph where that can be done.

        Images of slides as `open_slide` gives them, and their colors by `to_rgb`, are read straight from their tiles: a few
        tiles take less time than planning to read them. Any other array is computed.

        Parameters
        ----------
        threads
            Threads that decode tiles.
        **indexers
            Rows and columns by dimension, as for `isel`.
        """
        return read_region(self._array, indexers, threads)

    @_shows(write_zarr)
    def to_zarr(self, store: StoreLike, **options: Unpack[ZarrOptions]) -> Written:
        """Write the array and its labels to a Zarr store."""
        return write_zarr(self._array, store, **options)

    @_shows(write_ome_zarr)
    def to_ome_zarr(self, store: StoreLike, **options: Unpack[OmeZarrOptions]) -> Written:
        """Write the array as an OME-Zarr image."""
        return write_ome_zarr(self._array, store, **options)

    @_shows(refer_in_icechunk)
    def to_icechunk(self, store: IcechunkStore | str | os.PathLike[str], **options: Unpack[IcechunkOptions]) -> int:
        """Write references to the frames to an icechunk store or repository."""
        return refer_in_icechunk(self._array, store, **options)

    @_shows(write_kerchunk)
    def to_kerchunk(self, path: str | os.PathLike[str] | None = None, **options: Unpack[KerchunkOptions]) -> dict[str, Any]:
        """References to the frames as a kerchunk file."""
        return write_kerchunk(self._array, path, **options)

    @_shows(write_dicom)
    def to_dicom(self, directory: str | os.PathLike[str], **options: Unpack[DicomOptions]) -> WrittenDicom:
        """Write the array as a derived DICOM series."""
        return write_dicom(self._array, directory, **options)

    @_shows(write_segmentation)
    def to_segmentation(self, path: str | os.PathLike[str], source: xr.DataArray, **options: Unpack[SegmentationOptions]) -> WrittenDicom:
        """Write a mask or labels as a segmentation of `source`."""
        return write_segmentation(self._array, path, source, **options)

    @_shows(write_parametric_map)
    def to_parametric_map(self, path: str | os.PathLike[str], **options: Unpack[ParametricMapOptions]) -> WrittenDicom:
        """Write a floating-point map as a parametric map."""
        return write_parametric_map(self._array, path, **options)


@xr.register_datatree_accessor("dicom")
class DicomTreeAccessor:
    """DICOM operations on a tree of labelled arrays, as `open_study` makes it."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    @_shows(write_zarr_tree)
    def to_zarr(self, store: StoreLike, **options: Unpack[ZarrTreeOptions]) -> Written:
        """Write all arrays of the tree to one Zarr store."""
        return write_zarr_tree(self._tree, store, **options)

    @_shows(write_slide_ome_zarr)
    def to_ome_zarr(self, store: StoreLike, **options: Unpack[SlideOmeZarrOptions]) -> Written:
        """Write the pyramid of a slide as an OME-Zarr image."""
        return write_slide_ome_zarr(self._tree, store, **options)

    @_shows(write_dicom_tree)
    def to_dicom(self, directory: str | os.PathLike[str], **options: Unpack[DicomTreeOptions]) -> dict[str, WrittenDicom]:
        """Write all arrays of the tree as derived DICOM series."""
        return write_dicom_tree(self._tree, directory, **options)

    @_shows(refer_in_icechunk)
    def to_icechunk(self, store: IcechunkStore | str | os.PathLike[str], **options: Unpack[IcechunkOptions]) -> int:
        """Write references to the frames of all arrays to an icechunk store or repository."""
        return refer_in_icechunk(self._tree, store, **options)

    @_shows(write_kerchunk_tree)
    def to_kerchunk(self, path: str | os.PathLike[str] | None = None, **options: Unpack[KerchunkOptions]) -> dict[str, Any]:
        """References to the frames of all arrays as a kerchunk file."""
        return write_kerchunk_tree(self._tree, path, **options)
