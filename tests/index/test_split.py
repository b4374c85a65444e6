"""What separates frames of one series into arrays, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, CORONAL, OBLIQUE, SAGITTAL, image_position, make_ct, phantom, uid
from index.arranged import arranged, catalog_of, form, grids_of, make_planes, records_of
from labeled.opened import opened
from xdicom.index.arrange import arrange
from xdicom.index.names import stack_name
from xdicom.index.records import Records
from xdicom.index.split import KEYS, cluster, plane_name, split


def two_halves(folder: Path, first: dict[str, Any], second: dict[str, Any]) -> Path:
    """Three planes with the elements `first`, three others behind them with `second`; one series."""
    for number, elements in enumerate((first, second)):
        make_planes(
            folder / str(number),
            [3.0 * number, 3.0 * number + 1, 3.0 * number + 2],
            {"SOPInstanceUID": [uid(number, i) for i in range(3)]},
            SeriesInstanceUID=uid("one series"),
            **elements,
        )
    return folder


SPLITS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "SOP class": ({}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "SOP class"),
    "series number": ({"SeriesNumber": 1}, {"SeriesNumber": 2}, "series number"),
    "study": ({}, {"StudyInstanceUID": uid("another")}, "study"),
    "patient position": ({"PatientPosition": "HFS"}, {"PatientPosition": "FFS"}, "study"),
    "photometric": ({}, {"PhotometricInterpretation": "MONOCHROME1"}, "pixel encoding"),
    "sign": ({}, {"PixelRepresentation": 0}, "pixel encoding"),
    "frame of reference": ({}, {"FrameOfReferenceUID": uid("elsewhere")}, "frame of reference"),
    "orientation": ({}, {"ImageOrientationPatient": CORONAL}, "orientation"),
    "turned normal": ({}, {"ImageOrientationPatient": (1.0, 0, 0, 0, -1.0, 0)}, "orientation"),
    "pixel spacing": ({}, {"PixelSpacing": [0.7, 0.51]}, "pixel spacing"),
    "swapped spacing": ({}, {"PixelSpacing": [0.5, 0.7]}, "pixel spacing"),
    "phase": ({}, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "image kind"),
    "processing": ({}, {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]}, "image kind"),
    "localizer": ({}, {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "image kind"),
    "complex part": ({"ComplexImageComponent": "REAL"}, {"ComplexImageComponent": "IMAGINARY"}, "image kind"),
    "rescale type": ({"RescaleType": "normalized"}, {"RescaleType": "mrad"}, "units"),
    "units of PET": ({"Units": "BQML"}, {"Units": "GML"}, "units"),
    "stack": ({"StackID": "1"}, {"StackID": "2"}, "stack"),
}


@pytest.mark.parametrize(("first", "second", "reason"), SPLITS.values(), ids=SPLITS)
def test_what_differs_in_a_key_is_two_arrays_with_the_reason(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], reason: str
) -> None:
    grids = grids_of(two_halves(tmp_path, first, second))

    assert [form(grid) for grid in grids] == [{"z": 3}, {"z": 3}]
    assert all(grid.attrs["split_by"][0].startswith(f"{reason}: ") for grid in grids)  # type: ignore[index]
    assert len({grid.name for grid in grids}) == 2


STAY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "slice thickness": ({"SliceThickness": 1.0}, {"SliceThickness": 2.0}),
    "acquisition number": ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
    "echo number": ({"EchoNumbers": 1}, {"EchoNumbers": 2}),
    "rescale slope": ({"RescaleSlope": 1.0, "RescaleIntercept": 0.0}, {"RescaleSlope": 2.0, "RescaleIntercept": 0.0}),
    "window": ({"WindowCenter": 1.0}, {"WindowCenter": 2.0}),
    "units that some do not state": ({"RescaleType": "HU"}, {}),
    "sequence name": ({"SequenceName": "ep_b0"}, {"SequenceName": "ep_b1000#1"}),
    "jitter of the orientation": ({}, {"ImageOrientationPatient": (1.0, 3.3e-8, 0, 0, 1.0, 0)}),
    "jitter of the spacing": ({}, {"PixelSpacing": [0.70000001, 0.5]}),
    "bits stored": ({}, {"BitsStored": 12, "HighBit": 11}),
    "original or derived alone": ({}, {"ImageType": ["DERIVED", "PRIMARY", "M", "ND"]}),
}


@pytest.mark.parametrize(("first", "second"), STAY.values(), ids=STAY)
def test_what_is_no_key_stays_together(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> None:
    grids = grids_of(two_halves(tmp_path, first, second))

    assert [form(grid) for grid in grids] == [{"z": 6}]
    assert "split_by" not in grids[0].attrs


def test_files_of_different_transfer_syntaxes_stay_together(tmp_path: Path) -> None:
    for i, syntax in enumerate(["native", "rle", "jpegls"]):
        make_ct(tmp_path / syntax, [float(i)], transfer_syntax=syntax, series_uid=uid("one"), varying={"SOPInstanceUID": [uid(syntax)]})

    assert [form(grid) for grid in grids_of(tmp_path)] == [{"z": 3}]


def test_a_localizer_of_three_orientations_is_three_arrays_named_by_their_plane(tmp_path: Path) -> None:
    for name, orientation in (("a", AXIAL), ("b", CORONAL), ("c", SAGITTAL)):
        make_planes(
            tmp_path / name,
            [0, 1, 2],
            {"SOPInstanceUID": [uid(name, i) for i in range(3)]},
            SeriesInstanceUID=uid("one"),
            ImageOrientationPatient=orientation,
        )

    assert {grid.name: form(grid) for grid in grids_of(tmp_path)} == {"axial": {"z": 3}, "coronal": {"z": 3}, "sagittal": {"z": 3}}


def test_a_screen_capture_among_slices_is_an_array_of_its_own(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [0, 1, 2], series_uid=uid("one"))
    make_ct(
        tmp_path / "capture", [0], series_uid=uid("one"), values=lambda i: phantom(i, 16, 20, np.uint8, samples=3),
        PhotometricInterpretation="RGB",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ImagePositionPatient=None, ImageOrientationPatient=None,
        varying={"SOPInstanceUID": [uid("capture")]},
    )  # fmt: skip

    shapes = [grid.shape for grid in grids_of(tmp_path)]

    assert sorted(shapes) == [(3, 8, 6), (16, 20, 3)]


def test_magnitude_and_phase_are_named_by_what_they_are(tmp_path: Path) -> None:
    two_halves(tmp_path, {}, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]})

    assert [grid.name for grid in grids_of(tmp_path)] == ["magnitude", "phase"]


@pytest.mark.parametrize(("code", "name"), [(0, "magnitude"), (1, "phase"), (2, "real"), (3, "imaginary")])
def test_the_complex_part_may_be_told_by_a_vendors_element(tmp_path: Path, code: int, name: str) -> None:
    from builders import make_file

    for number, part in enumerate((code, (code + 1) % 4)):
        for i in range(2):
            elements = {
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "Manufacturer": "GE MEDICAL SYSTEMS",
                "SeriesInstanceUID": uid("one"),
                "SOPInstanceUID": uid(number, i), "ImagePositionPatient": image_position(i), "ImageOrientationPatient": list(AXIAL),
                "PixelSpacing": [1, 1],
                "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"], 0x00430010: ("LO", "GEMS_PARM_01"), 0x0043102F: ("SS", part),
            }  # fmt: skip
            make_file(tmp_path / f"{number}{i}.dcm", elements, phantom(0))

    assert name in {grid.name for grid in grids_of(tmp_path)}


def test_no_token_of_a_complex_part_is_no_claim(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 1], ImageType=["ORIGINAL", "PRIMARY", "PERFUSION_FFE", "NONE", "FFE"])

    assert grids_of(tmp_path)[0].name == "stack_0"


def test_frames_are_compared_with_the_first_of_their_group_and_never_drift(tmp_path: Path) -> None:
    angles = [0.0, 0.0006, 0.0012, 0.0018]
    orientations = [[np.cos(a), np.sin(a), 0, -np.sin(a), np.cos(a), 0] for a in angles]
    make_planes(tmp_path, [0, 1, 2, 3], {"ImageOrientationPatient": [[float(v) for v in each] for each in orientations]})

    assert [form(grid) for grid in grids_of(tmp_path)] == [{"z": 2}, {"z": 2}]


def test_frames_of_a_probe_held_by_hand_are_one_array_without_a_place(tmp_path: Path) -> None:
    angles = np.linspace(0, 1, 80)
    varying = {
        "ImageOrientationPatient": [[float(np.cos(a)), float(np.sin(a)), 0.0, 0.0, 0.0, -1.0] for a in angles],
        "ImagePositionPatient": [[float(a), 0.0, 0.0] for a in angles],
    }
    make_planes(tmp_path, [0.0] * 80, varying)

    array = opened(tmp_path)

    assert array.sizes["frame"] == 80
    assert not {"affine", "image_orientation_patient"} & array.attrs.keys()
    np.testing.assert_allclose(array["image_orientation_patient_row_x"], np.cos(angles))
    np.testing.assert_allclose(array["image_position_patient_x"], angles)


def test_a_stack_of_one_plane_is_a_stack(tmp_path: Path) -> None:
    two_halves(tmp_path, {}, {})
    make_planes(
        tmp_path / "one", [9], {"SOPInstanceUID": [uid("single")]}, SeriesInstanceUID=uid("one series"), ImageOrientationPatient=OBLIQUE
    )

    assert [form(grid) for grid in grids_of(tmp_path)] == [{"z": 6}, {"z": 1}]


STATIONS = [(0.0, 0.0), (0.0, 300.0), (0.0, 600.0)]


def at_stations(origins: list[tuple[float, float]], positions: list[float]) -> dict[str, list[Any]]:
    return {"ImagePositionPatient": [image_position(z, CORONAL, origin_mm=origin) for origin in origins for z in positions]}


def test_stations_of_a_whole_body_scan_are_arrays_of_their_own(tmp_path: Path) -> None:
    z = [0.0, 2.0, 4.0, 6.0]
    make_planes(tmp_path, z * 3, at_stations(STATIONS, z), ImageOrientationPatient=CORONAL)

    grids = grids_of(tmp_path)

    assert [form(grid) for grid in grids] == [{"z": 4}] * 3
    assert all("station: first voxel near" in str(grid.attrs["split_by"]) for grid in grids)
    assert all(grid.affine is not None for grid in grids)


def test_a_station_may_lack_slices_that_others_have(tmp_path: Path) -> None:
    varying = at_stations(STATIONS[:2], [0.0, 2.0, 4.0])
    varying["ImagePositionPatient"].pop(0)
    make_planes(tmp_path, [0.0] * 5, varying, ImageOrientationPatient=CORONAL)

    assert sorted(len(grid.frames) for grid in grids_of(tmp_path)) == [2, 3]


def test_planes_that_moved_within_the_plane_are_no_stations(tmp_path: Path) -> None:
    moved = [(0.5 * i, 0.0) for i in range(40)]
    make_planes(tmp_path, [0.0] * 80, at_stations(moved, [0.0, 2.0]), ImageOrientationPatient=CORONAL)

    (grid,) = grids_of(tmp_path)

    assert form(grid) == {"frame": 80}
    assert grid.plane is None


def test_planes_without_a_position_are_an_array_of_their_own(tmp_path: Path) -> None:
    make_planes(tmp_path, [0.0, 2.0, 4.0], {"ImagePositionPatient": [image_position(0), None, image_position(4)]})

    grids = grids_of(tmp_path)

    assert [form(grid) for grid in grids] == [{"z": 2}, {}]
    assert [grid.attrs["split_by"][-1].partition(":")[2][:6] for grid in grids] == [" first", " none"]  # type: ignore[index]


def test_the_reason_of_merged_studies_tells_them_apart(tmp_path: Path) -> None:
    grids = grids_of(two_halves(tmp_path, {}, {"StudyInstanceUID": uid("another")}))

    assert len({str(grid.attrs["split_by"]) for grid in grids}) == 2


def test_five_copies_with_five_series_numbers_are_five_arrays_and_no_axis(tmp_path: Path) -> None:
    make_planes(tmp_path, [0] * 5, {"SeriesNumber": [1, 3, 5, 7, 9], "InstanceNumber": [1] * 5})

    assert [form(grid) for grid in grids_of(tmp_path)] == [{"z": 1}] * 5


def test_classic_and_enhanced_twins_under_one_uid_are_two_arrays(tmp_path: Path) -> None:
    from builders import make_enhanced_mr

    make_enhanced_mr(tmp_path / "enhanced.dcm", (4.0,), (0.0, 1.0), SeriesInstanceUID=uid("one"), orientation=AXIAL)
    make_planes(tmp_path / "classic", [0, 1], SeriesInstanceUID=uid("one"))

    assert [form(grid) for grid in grids_of(tmp_path)] == [{"z": 2}, {"z": 2}]


def test_a_series_that_is_one_is_not_split(tmp_path: Path) -> None:
    records = records_of(make_planes(tmp_path, [0, 1, 2])[0].parent)

    (piece,) = split(records)

    assert piece is records


def test_every_frame_is_in_exactly_one_part(tmp_path: Path) -> None:
    make_planes(
        tmp_path,
        range(12),
        {"SeriesNumber": [1, 2] * 6, "StackID": ["a", "b", "c"] * 4, "PatientPosition": ["HFS"] * 6 + ["FFS"] * 6},
        # type: ignore[arg-type]
    )

    pieces = split(records_of(tmp_path))

    assert sorted(np.concatenate([piece.row for piece in pieces]).tolist()) == list(range(12))
    assert len(pieces) == 12


def test_missing_values_group_together() -> None:
    values = np.array([[np.nan, 1.0], [0.5, 1.0], [np.nan, 1.0]])

    assert cluster(values, 1e-3).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("normal", "name"),
    [
        ([0, 0, 1], "axial"),
        ([0, 0, -1], "axial"),
        ([0, 1, 0.1], "coronal"),
        ([1, 0, 0], "sagittal"),
        ([0.6, 0, 0.8], "oblique_axial"),
        ([0.8, 0, 0.6], "oblique_sagittal"),
    ],
)
def test_planes_are_named_by_the_axis_they_lie_across(normal: list[float], name: str) -> None:
    assert plane_name(np.array(normal) / np.linalg.norm(normal)) == name


def test_a_stack_without_reasons_is_named_by_its_number(tmp_path: Path) -> None:
    make_planes(tmp_path, [0])
    frames = catalog_of(tmp_path).frames

    assert stack_name(Records(frames, np.arange(1)), 4) == "stack_4"


def test_the_order_of_the_keys_is_documented() -> None:
    assert [key.name for key in KEYS] == [
        "SOP class", "segments", "series number", "patient", "study", "pixel encoding", "frame of reference", "orientation",
        "pixel spacing", "image kind", "units", "quantity", "stack", "station",
    ]  # fmt: skip
    assert all(key.name.lower() in (split.__doc__ or "").lower() for key in KEYS)


def test_reasons_name_what_each_part_is(tmp_path: Path) -> None:
    grids = arrange(catalog_of(two_halves(tmp_path, {}, {"ImageOrientationPatient": CORONAL})).pick()).grids

    assert [grid.attrs["split_by"] for grid in grids] == [["orientation: axial (1 0 0 0 1 0)"], ["orientation: coronal (1 0 0 0 0 -1)"]]
    assert arranged(tmp_path).notes == []


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("SOP class: 1.2.840.10008.5.1.4.1.1.2.2", "legacy_converted"),
        ("SOP class: 1.2.840.10008.5.1.4.1.1.7", "capture"),
        ("SOP class: 1.2.3", "stack_4"),
        ("series number: 3", "series_3"),
        ("pixel encoding: 512 x 320 int16 MONOCHROME2", "512x320"),
        ("pixel encoding: 512 x 320 uint8 PALETTE COLOR", "512x320_palette_color"),
        ("pixel encoding: 512 x 320 x 3 uint8 RGB", "512x320x3_rgb"),
        ("orientation: oblique_coronal (1 0 0 0 0.7 -0.7)", "oblique_coronal"),
        ("orientation: none", "stack_4"),
        ("image kind: M_FFE\\M\\FFE", "magnitude"),
        ("image kind: ADC", "adc"),
        ("segments: liver, lesion", "liver_lesion"),
        ("quantity: Ktrans [/min]", "ktrans_min"),
        ("stack: 2", "stack_2"),
        ("pixel spacing: 0.5 0.5", "stack_4"),
    ],
)
def test_an_array_is_named_by_what_sets_it_apart(tmp_path: Path, reason: str, name: str) -> None:
    make_planes(tmp_path, [0])
    frames = catalog_of(tmp_path).frames

    assert stack_name(Records(frames, np.arange(1), reasons=(reason,)), 4) == name
