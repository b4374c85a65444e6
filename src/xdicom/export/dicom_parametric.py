"""Floating-point maps to a DICOM parametric map, frame by frame: values as they are, with their unit and quantity (PS3.3 A.75)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any, TypedDict

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, SourceError
from xdicom.export.dicom_elements import Elements, add_text, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_files import whole_planes
from xdicom.export.dicom_forms import pixel_encoding
from xdicom.export.dicom_frame_groups import SHARED
from xdicom.export.dicom_kept import OWN, WHOLE
from xdicom.export.dicom_labels import plane_labels
from xdicom.export.dicom_marks import add_equipment, describe_pixels, wanted_elements
from xdicom.export.dicom_minimal import add_empty
from xdicom.export.dicom_multiframe import write_multiframe
from xdicom.export.dicom_origins import find_origin
from xdicom.export.dicom_pixels import Form
from xdicom.export.dicom_plan import Plan, SeriesPlan, WrittenDicom
from xdicom.export.dicom_planes import Planes, arranged, frame_sizes, planes_of, planes_on
from xdicom.export.dicom_planning import new_uids, source_frames, sources_of, times_of
from xdicom.export.dicom_secondary import secondary_header
from xdicom.index.split import PARAMETRIC_MAP
from xdicom.lazy.blocks import Report
from xdicom.model.encoding import DOUBLE_FLOAT_PIXEL_DATA, EXPLICIT_LITTLE_ENDIAN, FLOAT_PIXEL_DATA
from xdicom.sources.folders import split_place

Code = tuple[str, str, str]
"""Value, scheme and meaning of a code, such as `("113041", "DCM", "Apparent Diffusion Coefficient")`."""
_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
_NOT_OF_MAPS = (
    "ConversionType", "PatientOrientation", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "LossyImageCompressionRatio", "LossyImageCompressionMethod", "RecognizableVisualFeatures",
)  # fmt: skip
"""Elements of a picture of the source that a map states elsewhere, or not at all."""
_LENT = ("sop_instance_uid", "frame_number", "image_position_patient_x", "image_position_patient_y", "image_position_patient_z", OWN)


class ParametricMapOptions(TypedDict, total=False):
    """Options of `write_parametric_map`."""

    source: xr.DataArray | None
    units: str | Code | None
    quantity: Code | None
    label: str
    explanation: str
    series_description: str | None
    series_number: int
    attributes: Mapping[str, Any] | None
    uid_seed: str | None
    overwrite: bool
    storage_options: Mapping[str, Any] | None
    progress: bool | Report


def write_parametric_map(
    array: xr.DataArray,
    path: str | os.PathLike[str],
    *,
    source: xr.DataArray | None = None,
    units: str | Code | None = None,
    quantity: Code | None = None,
    label: str = "MAP",
    explanation: str = "",
    series_description: str | None = None,
    series_number: int = 1,
    attributes: Mapping[str, Any] | None = None,
    uid_seed: str | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    progress: bool | Report = True,
) -> WrittenDicom:
    """Write a floating-point map as one DICOM parametric map: its values bit for bit, none scaled or rounded.

    Tasks compute blocks and write their frames, so that memory holds the blocks in work.

    Parameters
    ----------
    array
        float32 or float64, with `y`, `x`, mostly `z`, and perhaps further axes.
    path
        File to write, or its URL.
    source
        The series that the map was made of, where the array has lost its labels: it lends them.
    units
        Unit of the values as UCUM has it, or a code; `units` of the array without it.
    quantity
        What is measured, such as `("113041", "DCM", "Apparent Diffusion Coefficient")`.
    label, explanation
        Names of the values: one of at most 16 characters, and one for people.
    series_description, series_number
        Of the new series.
    attributes
        Further values by keyword, above all others; None leaves an element out.
    uid_seed
        Makes new UIDs depend on this text alone.
    overwrite
        Whether a file at `path` is replaced.
    storage_options
        Options of the storage that `path` lies in, as fsspec takes them.
    progress
        Whether a progress bar is shown, or a function that is called with the blocks done and their number.

    Raises
    ------
    InconsistentSeriesError
        If labels don't say where the planes lie, or no header is known of their source.
    SourceError
        If there is a file already, or it can't be written.
    ValueError
        If values are no floating-point numbers, or have no unit.

    Examples
    --------
    >>> import tempfile, xdicom
    >>> ct = xdicom.open_series("testdata/ct")
    >>> density = ct.dicom.to_modality().astype("float32") / 1000 + 1
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = density.dicom.to_parametric_map(f"{folder}/density.dcm", units="g/cm3", progress=False)
    ...     again = xdicom.open_series(f"{folder}/density.dcm").dicom.to_real_world()
    ...     written.frames, bool((again.values == density.values).all()), again.attrs["units"]
    (24, True, 'g/cm3')
    """
    folder, name = split_place(path, storage_options)
    if not overwrite and folder.there([name]):
        raise SourceError(f"{folder.address(name)} is there: overwrite=True replaces it")
    if array.dtype not in (np.dtype(np.float32), np.dtype(np.float64)) or "sample" in array.dims:
        raise ValueError(f"a parametric map holds float32 or float64 and no colors; these are {array.dtype}: array.astype('float32')")
    array = arranged(array) if source is None else _with_labels_of(arranged(array), arranged(source))
    array = whole_planes(array)
    unit = _unit(array.attrs.get("units") if units is None else units)
    planes, origin = planes_of(array), find_origin(array)
    if planes.positions_mm is None or planes.orientation is None or planes.spacing_mm is None:
        raise InconsistentSeriesError(
            "a parametric map has a place in the patient, and the labels of this array tell none: it takes coordinates z, y and x and the "
            "attribute image_orientation_patient; source= lends those of the series that it was made of"
        )
    if origin.header is None:
        raise InconsistentSeriesError(
            "no header of the source is known, of whose patient and study the map is: open its series in this process, or keep its headers "
            "with dicom.keep_headers()"
        )
    if "frame_of_reference_uid" not in array.attrs and "FrameOfReferenceUID" not in (attributes or {}):
        raise InconsistentSeriesError(
            "a parametric map needs a frame of reference, and its source states none: give attributes={'FrameOfReferenceUID': ...}"
        )
    if len(label) > 16:
        raise ValueError(f"label has {len(label)} characters, and 16 are the most (PS3.3 C.11.1): explanation= has no such limit")
    header = _header(origin.header, array, planes)
    add_text(header, "ContentDescription", explanation)
    if series_description is not None:
        add_text(header, "SeriesDescription", series_description)
    set_element(header, "SeriesNumber", series_number)
    mapping: dict[str, Any] = {
        "LUTExplanation": explanation or label,
        "LUTLabel": label,
        "MeasurementUnitsCodeSequence": [_code(unit)],
        "DoubleFloatRealWorldValueFirstValueMapped": float(np.finfo(array.dtype).min),
        "DoubleFloatRealWorldValueLastValueMapped": float(np.finfo(array.dtype).max),
        "RealWorldValueIntercept": 0.0,
        "RealWorldValueSlope": 1.0,
    }
    if quantity is not None:
        concept = _code(("246205007", "SCT", "Quantity"))
        item = {"ValueType": "CODE", "ConceptNameCodeSequence": [concept], "ConceptCodeSequence": [_code(quantity)]}
        mapping["QuantityDefinitionSequence"] = [item]
    (shared,) = header[SHARED].items()
    set_element(shared, "RealWorldValueMappingSequence", [mapping])
    set_element(header, "SharedFunctionalGroupsSequence", [shared])
    folder.make()
    series = _plan(array, planes, header, attributes, uid_seed)
    return write_multiframe(array.data, series, folder, [name], progress)


def _plan(array: xr.DataArray, planes: Planes, header: Elements, attributes: Mapping[str, Any] | None, uid_seed: str | None) -> SeriesPlan:
    sizes = frame_sizes(array)
    count = int(np.prod(list(sizes.values()), dtype=np.int64))
    uids = new_uids(count, uid_seed)
    series_uid = uids.pop()
    keyword = FLOAT_PIXEL_DATA if array.dtype.itemsize == 4 else DOUBLE_FLOAT_PIXEL_DATA
    encoding = pixel_encoding(array, EXPLICIT_LITTLE_ENDIAN, array.dtype, 8 * array.dtype.itemsize, "MONOCHROME2", keyword)
    shared = describe_pixels(Form(encoding))
    set_element(shared, "SOPClassUID", PARAMETRIC_MAP)
    set_element(shared, "SeriesInstanceUID", series_uid)
    wanted, dropped = wanted_elements(attributes)
    sources = sources_of(array, header, count)
    steps = np.indices(tuple(sizes.values())).reshape(len(sizes), count)
    plan = Plan(
        rows=np.arange(count),
        uids=tuple(uids[:count]),
        form=Form(encoding),
        headers=None,
        template=header,
        shared=shared,
        dropped=dropped,
        positions_mm=planes.positions_mm,
        orientation=planes.orientation,
        spacing_mm=planes.spacing_mm,
        step_mm=planes.step_mm,
        instance_number=np.ones(count, np.int64),
        labels=plane_labels(array, planes, has_own=False),
        windows=None,
        rescale=None,
        sources=sources,
        repeats=True,
        attributes=wanted,
    )
    return SeriesPlan(
        plan,
        len(sizes),
        series_uid,
        (np.arange(count),),
        None,
        source_frames=source_frames(array, sources),
        steps={str(name): steps[axis] for axis, name in enumerate(sizes)},
        times=times_of(array),
        states_window=True,
    )


def _header(source: Elements, array: xr.DataArray, planes: Planes) -> Elements:
    """Patient, study and frame of reference of the source, and what a parametric map says of itself."""
    header = secondary_header(source)
    for keyword in _NOT_OF_MAPS:
        set_element(header, keyword, None)
    add_empty(header)
    now = datetime.now().astimezone()
    texts: dict[str, Any] = {
        "ImageType": _TYPE, "ContentDate": f"{now:%Y%m%d}", "ContentTime": f"{now:%H%M%S}", "Manufacturer": "xdicom",
        "ManufacturerModelName": "xdicom", "DeviceSerialNumber": "0", "SoftwareVersions": version("xdicom"), "InstanceNumber": 1,
        "PixelPresentation": "MONOCHROME", "PresentationLUTShape": "IDENTITY", "BurnedInAnnotation": "NO",
        "RecognizableVisualFeatures": "NO", "ContentLabel": "MAP", "ContentCreatorName": "", "ContentQualification": "RESEARCH",
        "AcquisitionContextSequence": [],
        "LossyImageCompression": "01" if str(array.attrs.get("lossy_image_compression", "")) == "01" else "00",
    }  # fmt: skip
    for keyword, value in texts.items():
        set_element(header, keyword, value)
    for keyword in ("Laterality", "PositionReferenceIndicator"):
        if tag_and_vr(keyword)[0] not in header:
            set_element(header, keyword, "")
    if not any(texts_of(header, "SpecificCharacterSet")):
        set_element(header, "SpecificCharacterSet", None)
    equipment = 0x0018A001
    around: Elements = {equipment: source[equipment]} if equipment in source else {}
    add_equipment(around, version("xdicom"))
    header.update(around)
    thickness = float(array.attrs.get("slice_thickness") or planes.step_mm or 1.0)
    measures: dict[str, Any] = {"PixelSpacing": list(planes.spacing_mm or (1.0, 1.0)), "SliceThickness": thickness}
    if planes.step_mm is not None:
        measures["SpacingBetweenSlices"] = planes.step_mm
    shared = {
        "PixelMeasuresSequence": [measures],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(planes.orientation or ())}],
        "PixelValueTransformationSequence": [{"RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "US"}],
        "ParametricMapFrameTypeSequence": [{"FrameType": _TYPE}],
    }
    set_element(header, "SharedFunctionalGroupsSequence", [shared])
    return header


def _with_labels_of(array: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    """`array` with the labels of `source` that it lacks."""
    which = planes_on(array, source)
    volume = source.isel({dim: 0 for dim in frame_sizes(source) if dim != "z"})
    coords: dict[str, Any] = {}
    for name in _LENT:
        if name not in volume.coords or name in array.coords:
            continue
        values = volume.coords[name].variable
        taken = np.asarray(values.values)[which] if values.dims == ("z",) else np.full(len(which), values.values)
        coords[name] = ("z", taken) if "z" in array.dims else taken[0]
    if WHOLE in volume.coords:
        coords[WHOLE] = volume.coords[WHOLE]
    own = {name: value for name, value in array.attrs.items() if name == "units" or name not in source.attrs}
    kept = {name: value for name, value in source.attrs.items() if name != "units"}
    return array.assign_coords(coords).assign_attrs(kept | own)


def _unit(unit: str | Code | None) -> Code:
    if unit is None or unit == "":
        raise ValueError("nothing says in which unit the values are: give units= as UCUM has it, such as 'mm2/s', 'ml/min' or '1'")
    if isinstance(unit, str):
        return unit, "UCUM", "no units" if unit == "1" else unit
    return unit


def _code(code: Code) -> dict[str, str]:
    value, scheme, meaning = code
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
