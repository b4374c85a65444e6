"""What a header says of the whole array: plain, JSON-able, and without a name of a person."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import OBLIQUE, make_cine, make_ct, make_enhanced_mr, make_file, make_palette, make_pet, make_rtdose, make_seg, phantom, uid
from index.arranged import make_planes, repeated
from index.test_axes import each
from labeled.opened import labels, opened

PERSON = {
    "PatientName": "Someone^Known", "PatientID": "4711-0815", "PatientBirthDate": "19470815", "AccessionNumber": "ACC99",
    "StudyDate": "20230405",
    "SeriesDate": "20230405", "AcquisitionDate": "20230405", "ContentDate": "20230405", "InstitutionName": "Clinic",
    "ReferringPhysicianName": "Doctor^A",
    "OperatorsName": "Operator^B", "StudyID": "S77", "PatientAddress": "Street 5", "OtherPatientIDs": "OID1", "DeviceSerialNumber": "SN123",
}  # fmt: skip


@pytest.mark.parametrize("make", [make_ct, make_pet])
def test_nothing_names_a_person_or_tells_a_date(tmp_path: Path, make: Any) -> None:
    make(tmp_path, **PERSON, AcquisitionTime="101010", SeriesTime="101010", ContentTime="101010")

    array = opened(tmp_path)

    told = str(array.attrs) + "".join(str(coordinate.values) + str(coordinate.attrs) for coordinate in array.coords.values())
    for value in [*PERSON.values(), "2023-04-05", "Someone", "Doctor"]:
        assert value not in told


MAKERS: dict[str, Any] = {
    "ct": make_ct,
    "pet": lambda folder: make_pet(folder, Units="BQML", PatientWeight=70.5),
    "enhanced": lambda folder: make_enhanced_mr(folder / "a.dcm"),
    "cine": lambda folder: make_cine(
        folder / "a.dcm", transfer_syntax="jpeg", photometric="YBR_FULL_422", columns=8, LossyImageCompressionRatio=[10.5, 2]
    ),
    "palette": lambda folder: make_palette(folder / "a.dcm"),
    "dose": lambda folder: make_rtdose(folder / "a.dcm"),
    "segmentation": lambda folder: make_seg(folder / "a.dcm"),
    "gaps": lambda folder: make_ct(folder, [0.0, 1.0, 2.0, 5.0]),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_attributes_are_plain_values_that_json_knows(tmp_path: Path, kind: str) -> None:
    MAKERS[kind](tmp_path)

    array = opened(tmp_path)

    assert json.loads(json.dumps(array.attrs, allow_nan=False)) == array.attrs
    for coordinate in array.coords.values():
        json.dumps(coordinate.attrs, allow_nan=False)


@pytest.mark.parametrize("name", ["echo_time", "slice_thickness", "gantry_detector_tilt"])
def test_a_number_that_is_infinite_is_no_attribute(tmp_path: Path, name: str) -> None:
    keyword = {"echo_time": "EchoTime", "slice_thickness": "SliceThickness", "gantry_detector_tilt": "GantryDetectorTilt"}[name]
    make_ct(tmp_path, **{keyword: "1e400"})

    attrs = opened(tmp_path).attrs

    assert name not in attrs
    json.dumps(attrs, allow_nan=False)


@pytest.mark.parametrize("clock", ["AcquisitionTime", "ContentTime"])
def test_an_axis_of_time_tells_no_date(tmp_path: Path, clock: str) -> None:
    dates = {"AcquisitionDate": "20240229", "ContentDate": "20240229", "StudyDate": "20240229"}
    make_planes(tmp_path, repeated([0.0, 2.0], 2), {clock: each(["100000", "100002"], 2)}, **dates)

    array = opened(tmp_path)

    assert array["time"].attrs["start_time_of_day_s"] == 36000
    told = str(array.attrs) + "".join(str(coordinate.values) + str(coordinate.attrs) for coordinate in array.coords.values())
    assert "2024" not in told


def test_what_a_series_is_stands_in_its_attributes(tmp_path: Path) -> None:
    make_ct(
        tmp_path,
        SeriesDescription="thorax",
        Manufacturer="Maker",
        PatientPosition="HFS",
        SeriesNumber=4,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
    )

    attrs = opened(tmp_path).attrs

    assert (attrs["modality"], attrs["series_description"], attrs["series_number"], attrs["patient_position"]) == ("CT", "thorax", 4, "HFS")
    assert attrs["series_instance_uid"] == uid("series", tmp_path.name)
    assert attrs["frame_of_reference_uid"] == uid("frame of reference")
    assert attrs["image_type"] == ["ORIGINAL", "PRIMARY", "AXIAL"]


def test_texts_keep_the_letters_of_their_language(tmp_path: Path) -> None:
    make_ct(tmp_path, SpecificCharacterSet="ISO_IR 144", SeriesDescription="Сердце")

    assert opened(tmp_path).attrs["series_description"] == "Сердце"


def test_what_varies_is_no_attribute(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], varying={"SliceThickness": [1.0, 2.0], "SeriesDescription": ["a", "b"]})

    attrs = opened(tmp_path).attrs

    assert "slice_thickness" not in attrs
    assert "series_description" not in attrs


def test_pixels_are_described(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0], dtype=np.uint16, bits_stored=12, transfer_syntax="jpegls")

    attrs = opened(tmp_path).attrs

    assert attrs["photometric_interpretation"] == "MONOCHROME2"
    assert (attrs["bits_allocated"], attrs["bits_stored"], attrs["high_bit"], attrs["pixel_representation"]) == (16, 12, 11, 0)
    assert attrs["transfer_syntax_uid"] == ["1.2.840.10008.1.2.4.80"]
    assert attrs["samples_per_pixel"] == 1


def test_all_transfer_syntaxes_of_a_series_are_named(tmp_path: Path) -> None:
    for i, syntax in enumerate(["rle", "native"]):
        make_ct(tmp_path / syntax, [float(i)], transfer_syntax=syntax, series_uid=uid("one"), varying={"SOPInstanceUID": [uid(syntax)]})

    assert opened(tmp_path).attrs["transfer_syntax_uid"] == ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"]


def test_geometry_stands_in_orientation_spacing_and_matrix(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], orientation=OBLIQUE, pixel_spacing=(0.7, 0.5))

    attrs = opened(tmp_path).attrs

    np.testing.assert_allclose(attrs["image_orientation_patient"], OBLIQUE, atol=1e-12)
    assert attrs["pixel_spacing"] == [0.7, 0.5]
    assert np.array(attrs["affine"]).shape == (4, 4)
    assert (attrs["spacing_between_slices"], attrs["is_regular"]) == (pytest.approx(2), True)


def test_no_geometry_is_invented(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], ImageOrientationPatient=None)

    attrs = opened(tmp_path).attrs

    assert not {"affine", "image_orientation_patient", "spacing_between_slices", "plane"} & set(attrs)
    assert attrs["pixel_spacing"] == [0.7, 0.5] or attrs["pixel_spacing"][0] > 0


def test_spacing_at_the_detector_is_not_that_in_the_patient(tmp_path: Path) -> None:
    make_ct(
        tmp_path, [0.0], Modality="DX", SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1", ImagePositionPatient=None,
        varying={"ImagePositionPatient": [None]},
        ImageOrientationPatient=None, PixelSpacing=None, ImagerPixelSpacing=[0.2, 0.1],
    )  # fmt: skip

    array = opened(tmp_path)

    assert array.attrs["imager_pixel_spacing"] == [0.2, 0.1]
    assert "pixel_spacing" not in array.attrs
    assert array.dims == ("y", "x")
    assert "x" not in array.coords


def test_gaps_are_told(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.0, 5.0])

    attrs = opened(tmp_path).attrs

    assert (attrs["missing_slices"], attrs["missing_positions"], attrs["is_regular"]) == (2, [3.0, 4.0], False)
    assert "affine" not in attrs


@pytest.mark.parametrize(
    ("syntax", "element", "expected"),
    [("native", None, None), ("native", "01", "01"), ("native", "00", "00"), ("jpeg", None, "01"), ("jpeg", "00", "01")],
)
def test_lossy_frames_are_marked_whatever_the_header_forgets(
    tmp_path: Path, syntax: str, element: str | None, expected: str | None
) -> None:
    make_ct(tmp_path, [0.0], dtype=np.uint8, transfer_syntax=syntax, LossyImageCompression=element)

    assert opened(tmp_path).attrs.get("lossy_image_compression") == expected


def test_one_rescaling_is_a_coordinate_without_dimensions(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], slope=2.0, intercept=-1000.0)

    array = opened(tmp_path)

    assert array["rescale_slope"].dims == ()
    assert (float(array["rescale_slope"]), float(array["rescale_intercept"])) == (2, -1000)
    assert array.attrs["rescale_type"] == "HU"


def test_a_slope_for_each_slice_travels_with_the_slices(tmp_path: Path) -> None:
    make_pet(tmp_path, [0.5, 1.25, 2.0])

    array = opened(tmp_path)

    assert labels(array, "rescale_slope") == [0.5, 1.25, 2.0]
    assert labels(array[::-1], "rescale_slope") == [2.0, 1.25, 0.5]
    assert array["rescale_intercept"].dims == ()


def test_no_rescaling_is_no_coordinate(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0])

    assert "rescale_slope" not in opened(tmp_path).coords


def test_a_slope_that_some_files_lack_is_nan_there(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0], {"RescaleSlope": [2.0, None], "RescaleIntercept": [0.0, None]})

    slopes = opened(tmp_path)["rescale_slope"].values

    assert slopes[0] == 2
    assert np.isnan(slopes[1])


def test_a_slope_for_each_echo_lies_on_the_echoes(tmp_path: Path) -> None:
    make_planes(
        tmp_path, repeated([0.0, 2.0], 2), {"EchoTime": each([5, 10], 2), "RescaleSlope": each([1.0, 3.0], 2), "RescaleIntercept": [0] * 4}
    )

    array = opened(tmp_path)

    assert array["rescale_slope"].dims == ("echo_time",)


def test_all_windows_are_coordinates_with_their_explanation(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], windows=[(40, 400), (-600, 1500)], WindowCenterWidthExplanation=["SOFT", "LUNG"])

    array = opened(tmp_path)

    assert (float(array["window_center"]), float(array["window_width_2"])) == (40, 1500)
    assert array.attrs["window_explanation"] == ["SOFT", "LUNG"]


def test_a_window_for_each_slice_travels_with_the_slices(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0], varying={"WindowCenter": [40, 50], "WindowWidth": [400, 400]})

    array = opened(tmp_path)

    assert labels(array, "window_center") == [40, 50]
    assert array["window_width"].dims == ()


def test_empty_windows_are_none(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0], WindowCenter="", WindowWidth="")

    assert "window_center" not in opened(tmp_path).coords


def test_padding_is_an_attribute(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0], PixelPaddingValue=-2000, PixelRepresentation=1)

    assert opened(tmp_path).attrs["pixel_padding_value"] == -2000


def test_a_palette_travels_in_the_attributes(tmp_path: Path) -> None:
    array = opened(make_palette(tmp_path / "a.dcm"))

    assert array.attrs["photometric_interpretation"] == "PALETTE COLOR"
    assert "palette" in array.attrs


def test_a_damaged_table_is_named_and_spoils_nothing_else(tmp_path: Path) -> None:
    array = opened(make_palette(tmp_path / "a.dcm", RedPaletteColorLookupTableData=b"\1\2"))

    assert "palette" not in array.attrs
    assert any("palette" in text for text in array.attrs["damaged_tables"])
    assert array.attrs["modality"] == "OT"


def test_a_modality_table_travels_in_the_attributes(tmp_path: Path) -> None:
    table = [{"LUTDescriptor": [4, 0, 16], "ModalityLUTType": "HU", "LUTData": struct.pack("<4H", 0, 10, 20, 30)}]
    make_ct(tmp_path, [0.0], ModalityLUTSequence=table, varying={"RescaleSlope": [None], "RescaleIntercept": [None]})

    assert "modality_lut" in opened(tmp_path).attrs


def test_real_world_maps_travel_in_the_attributes(tmp_path: Path) -> None:
    mapping = [
        {
            "RealWorldValueSlope": 0.5, "RealWorldValueIntercept": 1.0, "RealWorldValueFirstValueMapped": 0,
            "RealWorldValueLastValueMapped": 100,
            "LUTLabel": "label",
            "MeasurementUnitsCodeSequence": [{"CodeValue": "mm2/s", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "mm2/s"}],
        }
    ]  # fmt: skip
    make_ct(tmp_path, [0.0, 2.0], RealWorldValueMappingSequence=mapping)

    assert opened(tmp_path).attrs["real_world_value_maps"]


def test_dose_has_its_scaling_and_units(tmp_path: Path) -> None:
    array = opened(make_rtdose(tmp_path / "a.dcm", scaling=1e-4))

    assert float(array["dose_grid_scaling"]) == pytest.approx(1e-4)
    assert (array.attrs["dose_units"], array.attrs["dose_type"]) == ("GY", "PHYSICAL")


def test_what_suv_needs_is_kept_for_pet_without_its_dates(tmp_path: Path) -> None:
    dose = [{"RadionuclideTotalDose": 370e6, "RadionuclideHalfLife": 6586.2, "RadiopharmaceuticalStartDateTime": "20230404230000"}]
    make_pet(
        tmp_path, PatientWeight=70.5, PatientSize=1.75, PatientSex="F", SeriesDate="20230405", SeriesTime="003000",
        AcquisitionDate="20230405",
        AcquisitionTime="003500", RadiopharmaceuticalInformationSequence=dose,
    )  # fmt: skip

    attrs = opened(tmp_path).attrs

    assert (attrs["pet_units"], attrs["patient_weight"], attrs["patient_size"], attrs["patient_sex"]) == ("BQML", 70.5, 1.75, "F")
    assert (attrs["radionuclide_total_dose"], attrs["radionuclide_half_life"]) == (370e6, 6586.2)
    gap = np.datetime64(attrs["series_datetime"]) - np.datetime64(attrs["radiopharmaceutical_start_datetime"])
    assert gap == np.timedelta64(90, "m")


def test_weight_and_size_of_a_person_are_kept_for_pet_alone(tmp_path: Path) -> None:
    make_ct(tmp_path, PatientWeight=70.5, PatientSize=1.75, PatientSex="F")

    assert not {"patient_weight", "patient_size", "patient_sex"} & set(opened(tmp_path).attrs)


def test_the_reason_of_a_split_is_an_attribute(tmp_path: Path) -> None:
    from index.arranged import grids_of
    from xdicom.labeled.attributes import header_attributes

    make_planes(tmp_path, [0.0, 1.0], {"StackID": ["a", "b"]})

    assert [header_attributes(grid)["split_by"] for grid in grids_of(tmp_path)] == [["stack: a"], ["stack: b"]]


def test_a_derived_spacing_says_no_more_than_its_slices(tmp_path: Path) -> None:
    make_ct(tmp_path, [7.0], SpacingBetweenSlices=3.0)

    attrs = opened(tmp_path).attrs

    assert "spacing_between_slices" not in attrs
    assert "is_regular" not in attrs


@pytest.mark.parametrize(
    ("given", "first_mapped"),
    [
        ({"RescaleIntercept": -1024}, -1024),  # what the rescale makes may be negative
        ({"RescaleIntercept": 0}, 64512),
        ({"RescaleSlope": -1, "RescaleIntercept": 0}, -1024),
        ({"RescaleSlope": None, "RescaleIntercept": None, "PixelRepresentation": 1}, -1024),
        ({"RescaleSlope": None, "RescaleIntercept": None}, 64512),
        ({"ModalityLUTSequence": [{"LUTDescriptor": [2, 0, 16], "LUTData": b"\0\0\1\0", "ModalityLUTType": "US"}]}, 64512),
    ],
)
def test_the_sign_of_a_voi_lut_follows_from_what_it_is_applied_to(tmp_path: Path, given: dict[str, object], first_mapped: int) -> None:
    table = {"LUTDescriptor": [2, 64512, 16], "LUTData": b"\0\0\1\0"}
    elements = {"RescaleSlope": 1, "PixelRepresentation": 0, **given, "VOILUTSequence": [table]}
    dtype = np.int16 if elements["PixelRepresentation"] else np.uint16
    array = opened(make_file(tmp_path / "a.dcm", {k: v for k, v in elements.items() if v is not None}, phantom(1, dtype=dtype)))

    assert array.attrs["voi_luts"][0]["first_mapped"] == first_mapped
