"""Masks and label arrays to a DICOM segmentation of the series that they lie on, by highdicom (PS3.3 A.51)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, MissingDependencyError, SourceError
from xdicom.export.dicom_kept import header_of_frame
from xdicom.export.dicom_plan import WrittenDicom
from xdicom.export.dicom_planes import arranged, frame_sizes, planes_of, planes_on
from xdicom.export.dicom_planning import new_uids
from xdicom.export.dicom_segments import Kind, Segments, SegmentText, texts_of_segments, values_of
from xdicom.index.slides import SLIDE
from xdicom.pixels.encode import transfer_syntax_of
from xdicom.sources.folders import split_place

if TYPE_CHECKING:
    from pydicom import Dataset

_MAY_BE_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Elements that every instance must have, if only empty; not all sources do."""


class SegmentationOptions(TypedDict, total=False):
    """Options of `write_segmentation`."""

    segments: Segments | None
    segmentation_type: Kind | None
    transfer_syntax: str | None
    series_description: str
    series_number: int
    uid_seed: str | None
    overwrite: bool
    storage_options: Mapping[str, Any] | None


def write_segmentation(
    mask: xr.DataArray,
    path: str | os.PathLike[str],
    source: xr.DataArray,
    *,
    segments: Segments | None = None,
    segmentation_type: Kind | None = None,
    transfer_syntax: str | None = None,
    series_description: str = "Segmentation",
    series_number: int = 1,
    uid_seed: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> WrittenDicom:
    """Write a mask, several, or a label array as one DICOM segmentation that refers to the planes of its source.

    Parameters
    ----------
    mask
        On the planes, rows and columns of `source` (or some of its planes): boolean with `z`, `y`, `x` and maybe `segment`;
        or whole numbers with `z`, `y`, `x`, where 0 is nothing and every other number a segment; or floating-point numbers from
        0 to 1. It is computed as a whole.
    path
        File to write, or its URL.
    source
        The series that was segmented, opened in this process or with its headers kept; or a level of a slide, which the mask
        covers as a whole.
    segments
        What each segment is, in order or by number; a text is a label alone. Without it labels come from the coordinate
        `segment_label` or the attribute `segments`, or are numbers.
    segmentation_type
        `binary` (a frame of bits for each segment; for masks if None), `labelmap` (segments as numbers, in one frame for
        each plane; for whole numbers if None) or `fractional` (for floating-point numbers).
    transfer_syntax
        UID or short name: `explicit`, `rle`, and but for binary ones `jpeg-2000` and `jpeg-ls`.
    series_description, series_number
        Of the new series.
    uid_seed
        Makes new UIDs depend on this text alone.
    overwrite
        Whether a file at `path` is replaced.
    storage_options
        Options of the storage that `path` lies in, as fsspec takes them.

    Raises
    ------
    MissingDependencyError
        If highdicom is not installed, or the encoder that pydicom would take.
    InconsistentSeriesError
        If the mask does not lie on the source, or the source's headers lack what a segmentation must state.
    SourceError
        If there is a file already, or no headers of the source are known.
    ValueError
        If the values are no mask, labels or fractions, or not of the type that was asked for, or there are more segments
        than are described.
    """
    try:
        import highdicom as hd  # noqa: PLC0415 - an extra, and a second to import
        from pydicom.sr.coding import Code as SrCode  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError('a segmentation is written by highdicom: pip install "xdicom[seg]"') from error
    folder, name = split_place(path, storage_options)
    if not overwrite and folder.there([name]):
        raise SourceError(f"{folder.address(name)} is there: overwrite=True replaces it")
    mask, source = arranged(mask), arranged(source)
    values, kind = values_of(mask, segmentation_type)
    texts = texts_of_segments(mask, segments, values, kind)
    places = _on_slide(mask, source) if source.attrs.get("sop_class_uid") == SLIDE else _on_planes(hd, mask, source)
    descriptions = [
        hd.seg.SegmentDescription(
            number,
            text.label,
            SrCode(*text.category),
            SrCode(*text.property_type),
            "AUTOMATIC" if text.algorithm else "MANUAL",
            _algorithm(hd, SrCode, text),
        )
        for number, text in texts.items()
    ]
    series_uid, instance_uid = new_uids(0, uid_seed)
    try:
        dataset = _quietly(
            hd.seg.Segmentation,
            **places,
            pixel_array=values,
            segmentation_type=kind,
            segment_descriptions=descriptions,
            series_instance_uid=series_uid,
            series_number=series_number,
            sop_instance_uid=instance_uid,
            instance_number=1,
            manufacturer="xdicom",
            manufacturer_model_name="xdicom",
            software_versions=version("xdicom"),
            device_serial_number="0",
            transfer_syntax_uid=transfer_syntax_of(transfer_syntax),
            series_description=series_description,
            specific_character_set="ISO_IR 192",
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise InconsistentSeriesError(f"a segmentation can't be made of these: {error}") from error
    except RuntimeError as error:  # of pydicom, which encodes
        encoders = "pip install pyjpegls pylibjpeg pylibjpeg-openjpeg"
        raise MissingDependencyError(f"a segmentation in {transfer_syntax} needs an encoder that pydicom has not: {encoders}") from error
    try:
        folder.make()
        with folder.whole_file(name) as file:
            dataset.save_as(file)
            size = file.tell()
    finally:
        _close(dataset)
    return WrittenDicom(1, int(dataset.NumberOfFrames), size, series_uid, 0.5 / 255 if kind == "FRACTIONAL" else 0.0)


def _quietly(make: Callable[..., Any], **options: Any) -> Any:
    """What `make` gives, without its remarks on names of persons that the source states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return make(**options)


def _close(dataset: Any) -> None:
    """Close the table of frames that highdicom keeps in memory for each of its images, and leaves open."""
    connection = getattr(dataset, "_db_con", None)
    if connection is not None:
        connection.close()


def _on_planes(hd: Any, mask: xr.DataArray, source: xr.DataArray) -> dict[str, Any]:
    """Headers of the source's instances, each once, and the place of each plane."""
    which = planes_on(mask, source)
    volume = source.isel({dim: 0 for dim in frame_sizes(source) if dim != "z"})
    planes: Mapping[Any, np.ndarray] = {"z": which} if "z" in volume.dims else {}
    chosen = volume.isel(planes)
    positions = planes_of(chosen).positions_mm
    if positions is None:
        raise InconsistentSeriesError("the source has no place in the patient")
    found: dict[str, Dataset] = {}
    for i in range(len(positions)):
        header = _completed(header_of_frame(chosen, {"z": i} if "z" in chosen.dims else 0))
        found.setdefault(str(header.SOPInstanceUID), header)
    places = [hd.PlanePositionSequence("PATIENT", position) for position in positions.tolist()]
    return {"source_images": list(found.values()), "plane_positions": places}


def _on_slide(mask: xr.DataArray, source: xr.DataArray) -> dict[str, Any]:
    """Header of the image of a slide that a mask covers, and the size of its tiles."""
    header = _completed(header_of_frame(source))
    matrix = int(header.TotalPixelMatrixRows), int(header.TotalPixelMatrixColumns)
    is_whole = (mask.sizes["y"], mask.sizes["x"]) == (source.sizes["y"], source.sizes["x"]) == matrix
    if "z" in mask.dims or not is_whole or any(name in mask.coords and not mask[name].equals(source[name]) for name in ("y", "x")):
        raise InconsistentSeriesError(
            f"a mask of a slide covers all {matrix[0]} x {matrix[1]} pixels of one level, in one focal plane, and source= is that level: "
            "fill it up, as with mask.reindex_like(level, fill_value=0)"
        )
    return {"source_images": [header], "tile_pixel_array": True, "tile_size": (int(header.Rows), int(header.Columns))}


def _completed(header: Dataset) -> Dataset:
    """A header with what every instance must have, if only empty."""
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, "")
    return header


def _algorithm(hd: Any, code: Any, text: SegmentText) -> Any:
    if not text.algorithm:
        return None
    return hd.AlgorithmIdentificationSequence(text.algorithm, code("123109", "DCM", "Manual Processing"), text.algorithm_version or "1")
