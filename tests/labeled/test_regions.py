"""What pixels of ultrasound and of projections measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import make_cine, make_file, phantom, uid
from labeled.opened import labels, opened
from xdicom.api import open_study
from xdicom.labeled.regions import spacing_place

IMAGE = {
    "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0, "RegionLocationMinX0": 0, "RegionLocationMinY0": 1,
    "RegionLocationMaxX1": 5, "RegionLocationMaxY1": 7, "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3,
    "PhysicalDeltaX": 0.05, "PhysicalDeltaY": 0.04,
}  # fmt: skip
TRACE = {**IMAGE, "RegionSpatialFormat": 3, "RegionDataType": 4, "PhysicalUnitsXDirection": 4, "PhysicalUnitsYDirection": 7}


def test_a_single_region_gives_the_spacing_of_its_pixels(tmp_path: Path) -> None:
    make_cine(tmp_path / "us.dcm", SequenceOfUltrasoundRegions=[IMAGE])

    attrs = opened(tmp_path).attrs

    assert attrs["ultrasound_pixel_spacing"] == [0.4, 0.5]
    assert "pixel_spacing" not in attrs
    (region,) = attrs["ultrasound_regions"]
    assert region["spatial_format"] == "2D"
    assert (region["rows"], region["columns"], region["units"]) == ([1, 7], [0, 5], ["cm", "cm"])
    assert json.loads(json.dumps(attrs))["ultrasound_regions"] == attrs["ultrasound_regions"]


def test_an_image_beside_a_trace_has_no_one_spacing(tmp_path: Path) -> None:
    make_cine(tmp_path / "us.dcm", SequenceOfUltrasoundRegions=[IMAGE, TRACE])

    attrs = opened(tmp_path).attrs

    assert "ultrasound_pixel_spacing" not in attrs
    assert [region["spatial_format"] for region in attrs["ultrasound_regions"]] == ["2D", "spectral"]
    assert attrs["ultrasound_regions"][1]["units"] == ["cm/s", "s"]


@pytest.mark.parametrize(
    "changes",
    [
        {"RegionSpatialFormat": 2},
        {"PhysicalUnitsXDirection": 4},
        {"PhysicalDeltaX": 0.0},
        {"PhysicalDeltaX": float("inf")},
        {"PhysicalDeltaY": None},
        {"PhysicalUnitsYDirection": 99},
    ],
)
def test_a_region_that_is_no_picture_in_centimetres_gives_no_spacing(tmp_path: Path, changes: dict[str, Any]) -> None:
    make_cine(
        tmp_path / "us.dcm", SequenceOfUltrasoundRegions=[{key: value for key, value in (IMAGE | changes).items() if value is not None}]
    )

    attrs = opened(tmp_path).attrs

    assert "ultrasound_pixel_spacing" not in attrs
    assert len(attrs["ultrasound_regions"]) == 1


def test_pictures_with_other_regions_say_which_are_theirs(tmp_path: Path) -> None:
    for i, regions in enumerate(([IMAGE], [IMAGE, TRACE], None)):
        make_file(
            tmp_path / f"{i}.dcm",
            {"Modality": "US", "SeriesInstanceUID": uid("one"), "InstanceNumber": i + 1, "SequenceOfUltrasoundRegions": regions},
            phantom(i),
        )

    array = opened(tmp_path)

    assert [len(each) for each in array.attrs["ultrasound_region_sets"]] == [1, 2]
    assert labels(array, "ultrasound_region_index") == [0, 1, -1]


PLACES: dict[str, tuple[dict[str, Any], str | None]] = {
    "calibrated": ({"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"}, "patient"),
    "copied": ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, "detector"),
    "calibrated in an unstated way": ({"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2]}, "unknown"),
    "at the detector alone": ({"ImagerPixelSpacing": [0.2, 0.2]}, None),
    "of no projection": ({"PixelSpacing": [0.2, 0.2]}, None),
}


@pytest.mark.parametrize(("elements", "expected"), PLACES.values(), ids=PLACES)
def test_spacing_of_a_projection_says_where_it_holds(tmp_path: Path, elements: dict[str, Any], expected: str | None) -> None:
    make_file(tmp_path / "dx.dcm", {"Modality": "DX", **elements}, phantom(0))

    assert opened(tmp_path).attrs.get("pixel_spacing_place") == expected


def test_a_calibration_type_tells_the_place_by_itself() -> None:
    assert spacing_place([0.15, 0.15], None, "GEOMETRY") == "patient"
    assert spacing_place([0.15, 0.15], None, None) == "unknown"


@pytest.mark.corpus
def test_real_ultrasound_has_its_regions(corpus: Path) -> None:
    (cine,) = open_study(corpus / "files" / "pydicom" / "examples_ybr_color.dcm").children.values()
    (both,) = open_study(corpus / "files" / "pylibjpeg-data" / "OBXXXX1A.dcm").children.values()

    assert cine["stored_values"].attrs["ultrasound_pixel_spacing"] == pytest.approx([0.5105, 0.5105], abs=1e-3)
    assert "s" in both["stored_values"].attrs["ultrasound_regions"][1]["units"]


@pytest.mark.corpus
def test_real_projections_say_where_their_spacing_holds(corpus: Path) -> None:
    (dx,) = open_study(corpus / "files" / "highdicom" / "dx_image.dcm").children.values()

    assert dx["stored_values"].attrs["pixel_spacing_place"] == "detector"
