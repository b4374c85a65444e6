"""A header made of labels alone, for arrays whose source no one has at hand (reopened from Zarr, or made anew)."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np
import xarray as xr

from xdicom.errors import InconsistentSeriesError, UnsupportedEncodingError
from xdicom.export.dicom_elements import Elements, set_element, tag_and_vr
from xdicom.export.dicom_planes import Planes, label_of
from xdicom.export.dicom_secondary import SECONDARY_CAPTURE
from xdicom.labeled.parameters import DISPLAY, MODALITY, RGB
from xdicom.labeled.tables import palette_from_attrs, table_from_attrs
from xdicom.transforms.lookup import LookupTable

CT, MR, PET = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"
CLASSIC = {
    "1.2.840.10008.5.1.4.1.1.2.1": CT, "1.2.840.10008.5.1.4.1.1.2.2": CT,
    "1.2.840.10008.5.1.4.1.1.4.1": MR, "1.2.840.10008.5.1.4.1.1.4.3": MR, "1.2.840.10008.5.1.4.1.1.4.4": MR,
    "1.2.840.10008.5.1.4.1.1.130": PET, "1.2.840.10008.5.1.4.1.1.128.1": PET,
}  # fmt: skip
"""Single-frame class for planes of an enhanced one, whose functional groups labels can't state."""
_MODALITIES = {"CT": CT, "MR": MR, "PT": PET}
_NAMES = {CT: "CT Image", MR: "MR Image", PET: "PET Image", SECONDARY_CAPTURE: "Secondary Capture Image"}

_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
    "StudyID",
    "SeriesNumber", "PatientOrientation",
)  # fmt: skip
"""Elements that every image must have, if only empty."""
_TYPE_1 = {
    CT: (),
    MR: ("ScanningSequence", "SequenceVariant"),
    PET: (
        "Units",
        "SeriesType",
        "CountsSource",
        "DecayCorrection",
        "NumberOfSlices",
        "ActualFrameDuration",
        "FrameReferenceTime",
        "ImageIndex",
    ),
    SECONDARY_CAPTURE: (),
}
"""Elements of each class that must have a value, besides those that follow from pixels and place."""
_TYPE_2 = {
    CT: ("KVP", "AcquisitionNumber", "PositionReferenceIndicator", "Manufacturer", "PatientPosition"),
    MR: (
        "ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength", "RepetitionTime", "PositionReferenceIndicator", "Manufacturer",
        "PatientPosition",
    ),
    PET: (
        "CollimatorType", "CorrectedImage", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime",
        "PositionReferenceIndicator", "Manufacturer",
        "PatientPosition", "RadiopharmaceuticalInformationSequence", "PatientOrientationCodeSequence",
        "PatientGantryRelationshipCodeSequence",
    ),
    SECONDARY_CAPTURE: (),
}  # fmt: skip
_FROM_ATTRS = {
    "modality": "Modality", "frame_of_reference_uid": "FrameOfReferenceUID", "series_description": "SeriesDescription",
    "series_number": "SeriesNumber",
    "manufacturer": "Manufacturer", "manufacturer_model_name": "ManufacturerModelName", "patient_position": "PatientPosition",
    "image_type": "ImageType", "repetition_time": "RepetitionTime", "echo_time": "EchoTime", "inversion_time": "InversionTime",
    "flip_angle": "FlipAngle", "kvp": "KVP", "slice_thickness": "SliceThickness", "spacing_between_slices": "SpacingBetweenSlices",
    "pixel_padding_value": "PixelPaddingValue", "pixel_padding_range_limit": "PixelPaddingRangeLimit", "rescale_type": "RescaleType",
    "voi_lut_function": "VOILUTFunction", "window_explanation": "WindowCenterWidthExplanation",
    "presentation_lut_shape": "PresentationLUTShape",
    "gantry_detector_tilt": "GantryDetectorTilt", "sequence_name": "SequenceName", "convolution_kernel": "ConvolutionKernel",
    "lossy_image_compression": "LossyImageCompression", "lossy_image_compression_ratio": "LossyImageCompressionRatio",
    "lossy_image_compression_method": "LossyImageCompressionMethod", "burned_in_annotation": "BurnedInAnnotation",
    "pet_units": "Units", "series_type": "SeriesType", "counts_source": "CountsSource", "decay_correction": "DecayCorrection",
    "suv_type": "SUVType",
    "patient_weight": "PatientWeight", "patient_size": "PatientSize", "patient_sex": "PatientSex",
    "imager_pixel_spacing": "ImagerPixelSpacing",
    "pixel_spacing": "PixelSpacing", "number_of_temporal_positions": "NumberOfTemporalPositions",
    "dose_calibration_factor": "DoseCalibrationFactor", "patient_identity_removed": "PatientIdentityRemoved",
    "longitudinal_temporal_information_modified": "LongitudinalTemporalInformationModified",
}  # fmt: skip
_LONGEST_LO = 64
"""Characters of one value of a Long String (PS3.5 6.2)."""
_OF_PLANES = {"ActualFrameDuration": "actual_frame_duration", "FrameReferenceTime": "frame_reference_time", "ImageIndex": "image_index"}


def minimal_header(array: xr.DataArray, planes: Planes, attributes: Mapping[str, Any]) -> Elements:
    """Header of the class of the array's source, or of its single-frame sibling, with what the labels state.

    Raises
    ------
    UnsupportedEncodingError
        If labels can't state what an object of that class needs.
    InconsistentSeriesError
        If values are missing that it must have: the message lists their keywords.
    """
    stated = str(array.attrs.get("sop_class_uid", "")) or _MODALITIES.get(str(array.attrs.get("modality", "")), SECONDARY_CAPTURE)
    sop_class = SECONDARY_CAPTURE if array.name in (DISPLAY, RGB) else CLASSIC.get(stated, stated)
    if sop_class not in _TYPE_1:
        raise UnsupportedEncodingError(
            f"objects of SOP class {stated} can't be written from labels alone: open the source in this process first, "
            "as with open_series(), "
            "or write what to_display() makes, as Secondary Capture"
        )
    header: Elements = {}
    for keyword in (*_EMPTY, *_TYPE_2[sop_class]):
        set_element(header, keyword, [] if keyword.endswith("Sequence") else "")
    for name, keyword in _FROM_ATTRS.items():
        if name in array.attrs and not (array.name == MODALITY and keyword.startswith(("PixelPadding", "RescaleType"))):
            set_element(header, keyword, array.attrs[name])
    if "deidentification_method" in array.attrs:
        set_element(header, "DeidentificationMethod", wrap(str(array.attrs["deidentification_method"]), _LONGEST_LO))
    set_element(header, "SOPClassUID", sop_class)
    set_element(header, "Modality", array.attrs.get("modality") or {CT: "CT", MR: "MR", PET: "PT"}.get(sop_class, "OT"))
    if sop_class == SECONDARY_CAPTURE:
        set_element(header, "ConversionType", "WSD")
    if sop_class == CT:
        set_element(header, "RescaleSlope", 1)
        set_element(header, "RescaleIntercept", 0)
    if sop_class == PET:
        _add_pet(header, array)
    _add_tables(header, array)
    _check(header, array, planes, sop_class, attributes)
    return header


def add_empty(header: Elements) -> None:
    """Put in, if only empty, what every image must have of its patient and study."""
    for keyword in _EMPTY:
        if tag_and_vr(keyword)[0] not in header and keyword != "PatientOrientation":
            set_element(header, keyword, "")


def _add_pet(header: Elements, array: xr.DataArray) -> None:
    set_element(header, "NumberOfSlices", int(array.sizes.get("z", 1)))
    set_element(header, "RescaleSlope", 1)
    set_element(header, "RescaleIntercept", 0)
    if "image_index" not in array.coords:
        set_element(header, "ImageIndex", 1)
    dose = {name: array.attrs[name] for name in ("radionuclide_total_dose", "radionuclide_half_life") if name in array.attrs}
    if dose:
        item = {
            "RadionuclideTotalDose": dose.get("radionuclide_total_dose", ""),
            "RadionuclideHalfLife": dose.get("radionuclide_half_life", ""),
        }
        set_element(header, "RadiopharmaceuticalInformationSequence", [{**item, "RadionuclideCodeSequence": []}])


def _add_tables(header: Elements, array: xr.DataArray) -> None:
    """Look-up tables and palettes (PS3.3 C.11.1, C.11.2, C.7.9)."""
    if "modality_lut" in array.attrs:
        item = _table_item(table_from_attrs(array.attrs["modality_lut"]))
        set_element(header, "ModalityLUTSequence", [{**item, "ModalityLUTType": str(array.attrs.get("rescale_type") or "US")}])
        set_element(header, "RescaleType", None)
    if array.attrs.get("voi_luts"):
        set_element(header, "VOILUTSequence", [_table_item(table_from_attrs(table)) for table in array.attrs["voi_luts"]])
    if "palette" in array.attrs and array.attrs.get("photometric_interpretation") == "PALETTE COLOR":
        palette = palette_from_attrs(array.attrs["palette"])
        for color, table in zip(("Red", "Green", "Blue"), palette.tables, strict=False):
            item = _table_item(table)
            set_element(header, f"{color}PaletteColorLookupTableDescriptor", item["LUTDescriptor"])
            set_element(header, f"{color}PaletteColorLookupTableData", item["LUTData"])


def _table_item(table: LookupTable) -> dict[str, Any]:
    entries = np.asarray(table.data).astype("<u2")
    item: dict[str, Any] = {
        "LUTDescriptor": [len(entries) % 65536, int(table.first_mapped), max(int(table.bits), 9) if table.bits > 8 else 8]
    }
    item["LUTData"] = entries.tobytes()
    if table.explanation:
        item["LUTExplanation"] = table.explanation
    return item


def _check(header: Elements, array: xr.DataArray, planes: Planes, sop_class: str, attributes: Mapping[str, Any]) -> None:
    if sop_class in (CT, MR, PET):
        if planes.positions_mm is None or planes.orientation is None or planes.spacing_mm is None:
            raise InconsistentSeriesError(
                f"a {_NAMES[sop_class]} needs a place in the patient, and the array has none: it takes coordinates z, y and x, "
                "and the attribute "
                "image_orientation_patient; or write what to_display() makes, as Secondary Capture"
            )
        if "frame_of_reference_uid" not in array.attrs and "FrameOfReferenceUID" not in attributes:
            raise InconsistentSeriesError(
                "frame_of_reference_uid is no attribute of the array: give attributes={'FrameOfReferenceUID': ...}"
            )
    given = {keyword for keyword, value in attributes.items() if value not in (None, "")}
    missing = []
    for keyword in _TYPE_1[sop_class]:
        label = _OF_PLANES.get(keyword)
        is_labeled = label is not None and label_of(array, label) is not None
        probe: Elements = {}
        set_element(probe, keyword, 0 if keyword not in ("Units", "SeriesType") else "")
        (tag,) = probe
        if keyword not in given and not is_labeled and not (tag in header and header[tag].data.strip()):
            missing.append(keyword)
    if missing:
        example = ", ".join(f"{keyword!r}: ..." for keyword in missing)
        raise InconsistentSeriesError(
            f"labels alone don't say what a {_NAMES[sop_class]} must state: {', '.join(missing)}. Give attributes={{{example}}}, "
            "or open the source in this process first, as with open_series()"
        )
