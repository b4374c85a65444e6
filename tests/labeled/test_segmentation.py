"""Segmentations: labels on the segments, fractions as numbers from 0 to 1, and the grid of the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from builders import OBLIQUE, make_ct, make_file, make_seg, phantom
from doubles import counted_reads
from xdicom.api import open_series, open_study
from xdicom.errors import InconsistentSeriesError

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"


def code(meaning: str) -> list[dict[str, str]]:
    """A code sequence with one meaning."""
    return [{"CodeValue": "1", "CodingSchemeDesignator": "99TEST", "CodeMeaning": meaning}]


def segment(number: int, label: str, **elements: Any) -> dict[str, Any]:
    """An item of Segment Sequence."""
    return {
        "SegmentNumber": number,
        "SegmentLabel": label,
        "SegmentAlgorithmType": "AUTOMATIC",
        "SegmentedPropertyCategoryCodeSequence": code("Tissue"),
        "SegmentedPropertyTypeCodeSequence": code(label.title()),
        **elements,
    }


def test_labels_and_meanings_are_coordinates_on_segment(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", SegmentSequence=[segment(1, "liver"), segment(2, "lesion")])

    seg = open_series(tmp_path)

    assert seg.dims == ("segment", "z", "y", "x")
    assert seg["segment_label"].values.tolist() == ["liver", "lesion"]
    assert seg["segmented_property_type"].values.tolist() == ["Liver", "Lesion"]
    assert seg["segmented_property_category"].values.tolist() == ["Tissue", "Tissue"]
    assert seg["segment_algorithm_type"].values.tolist() == ["AUTOMATIC", "AUTOMATIC"]


def test_labels_are_read_in_the_character_set_of_the_header(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", SpecificCharacterSet="ISO_IR 192", SegmentSequence=[segment(1, "Läsion"), segment(2, "肝臓")])

    assert open_series(tmp_path)["segment_label"].values.tolist() == ["Läsion", "肝臓"]


def test_recommended_color_is_told_as_srgb(tmp_path: Path) -> None:
    white = [65535, 32896, 32896]
    make_seg(tmp_path / "seg.dcm", SegmentSequence=[segment(1, "liver", RecommendedDisplayCIELabValue=white), segment(2, "lesion")])

    assert open_series(tmp_path)["segment_color"].values.tolist() == ["#ffffff", ""]


def test_missing_frames_are_zero(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=[(1, 0.0), (1, 2.5), (2, 2.5)])

    seg = open_series(tmp_path)

    assert not seg.sel(segment=2, z=0.0).any()
    assert seg.sel(segment=2, z=2.5).values.tolist() == phantom(2, dtype=bool).astype(int).tolist()


def test_segment_without_any_frame_is_empty(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", labels=["liver", "lesion", "vessel"])

    seg = open_series(tmp_path)

    assert seg["segment"].values.tolist() == [1, 2, 3]
    assert not seg.sel(segment=3).any()


def test_positions_are_coordinates_on_z_although_frames_are_missing(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=[(1, 0.0), (1, 2.5), (2, 2.5)])

    positions = open_series(tmp_path)["image_position_patient_z"]

    assert positions.dims == ("z",)
    assert positions.values.tolist() == [0.0, 2.5]


def test_fractions_become_numbers_from_0_to_1(tmp_path: Path) -> None:
    values = np.stack([np.full((8, 6), level, np.uint8) for level in (0, 51, 255)])
    make_seg(
        tmp_path / "seg.dcm", ["liver"], [(1, 0.0), (1, 2.5), (1, 5.0)], values=values,
        MaximumFractionalValue=255, SegmentationFractionalType="PROBABILITY",
    )  # fmt: skip

    fractions = open_series(tmp_path).dicom.to_modality()

    assert fractions.dtype == np.float32
    assert fractions.isel(segment=0, y=0, x=0).values.tolist() == pytest.approx([0.0, 0.2, 1.0], rel=1e-6)
    assert fractions.attrs["value_range"] == [0.0, 1.0]


def test_binary_segments_stay_whole_numbers(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm")

    assert open_series(tmp_path).dicom.to_modality().dtype == np.uint8


def test_two_segmentations_of_one_series_stay_apart(tmp_path: Path) -> None:
    for i, label in enumerate(["liver", "lesion"]):
        make_seg(tmp_path / f"{i}.dcm", [label], [(1, 0.0), (1, 2.5)], SeriesInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{i}")

    tree = open_study(tmp_path)

    found = sorted(str(node["stored_values"]["segment_label"].values[0]) for node in tree.subtree if "stored_values" in node.data_vars)
    assert found == ["lesion", "liver"]


def test_segmentations_that_describe_the_same_segments_stay_apart_where_they_overlap(tmp_path: Path) -> None:
    for i in range(2):
        make_seg(tmp_path / f"{i}.dcm", ["liver"], [(1, 0.0), (1, 2.5)], SeriesInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{i}")

    tree = open_study(tmp_path)

    shapes = [dict(node["stored_values"].sizes) for node in tree.subtree if "stored_values" in node.data_vars]
    assert shapes == [{"segment": 1, "z": 2, "y": 8, "x": 6}] * 2


def test_label_map_has_planes_and_a_list_of_segments(tmp_path: Path) -> None:
    values = np.arange(3 * 8 * 6, dtype=np.uint8).reshape(3, 8, 6) % 3
    make_label_map(tmp_path / "seg.dcm", values)

    labels = open_series(tmp_path)

    assert labels.dims == ("z", "y", "x")
    assert labels.values.tolist() == values.tolist()
    assert [(entry["number"], entry["label"]) for entry in labels.attrs["segments"]] == [(1, "liver"), (2, "lesion")]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """A segmentation of two planes, and the four oblique planes that it is of."""
    make_ct(tmp_path / "ct", (0.0, 2.5, 5.0, 7.5), orientation=OBLIQUE)
    make_seg(tmp_path / "seg" / "seg.dcm", frames=[(1, 2.5), (1, 5.0), (2, 5.0)], orientation=OBLIQUE)
    return open_series(tmp_path / "seg"), open_series(tmp_path / "ct")


def test_segmentation_takes_the_grid_of_its_source(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    seg, ct = pair

    whole = seg.dicom.on_grid_of(ct)

    assert dict(whole.sizes) == {"segment": 2, "z": 4, "y": 8, "x": 6}
    for dim in ("z", "y", "x"):
        assert whole[dim].values.tolist() == ct[dim].values.tolist()
    np.testing.assert_allclose(whole.dicom.affine, ct.dicom.affine)


def test_planes_that_the_segmentation_leaves_out_are_zero(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    seg, ct = pair

    whole = seg.dicom.on_grid_of(ct)

    assert not whole.isel(z=[0, 3]).any()
    assert whole.isel(z=[1, 2]).values.tolist() == seg.values.tolist()


def test_grid_of_the_source_is_made_without_reading(tmp_path: Path, pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    seg, ct = pair

    with counted_reads(tmp_path) as reads:
        whole = seg.dicom.on_grid_of(ct)

        assert reads.requests == 0
    assert whole.dtype == seg.dtype
    assert whole.chunks is not None


def test_segmentation_masks_its_source(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    seg, ct = pair
    mask = seg.dicom.on_grid_of(ct).sel(segment=1) == 1

    mean = ct.where(mask).mean()

    assert float(mean) == pytest.approx(ct.values[mask.values].mean())


def test_part_of_the_matrix_is_put_in_its_place(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", (0.0, 2.5), rows=8, columns=6, pixel_spacing=(0.7, 0.5), origin_mm=(0.0, 0.0))
    make_seg(tmp_path / "seg" / "seg.dcm", ["liver"], [(1, 0.0)], rows=3, columns=2, origin_mm=(1.0, 1.4), values=np.ones((1, 3, 2), bool))

    whole = open_series(tmp_path / "seg").dicom.on_grid_of(open_series(tmp_path / "ct"))

    expected = np.zeros((8, 6), int)
    expected[2:5, 2:4] = 1
    assert whole.isel(segment=0, z=0).values.tolist() == expected.tolist()


def test_source_in_any_order_is_followed(pair: tuple[xr.DataArray, xr.DataArray]) -> None:
    seg, ct = pair

    whole = seg.dicom.on_grid_of(ct.isel(z=slice(None, None, -1)))

    assert whole.isel(z=[2, 1]).values.tolist() == seg.values.tolist()


def test_tilted_source_is_matched_by_true_positions(tmp_path: Path) -> None:
    places = [[0.0, 1.4 * i, 2.5 * i] for i in range(4)]
    make_ct(tmp_path / "ct", [0.0] * 4, varying={"ImagePositionPatient": places})
    make_seg_at(tmp_path / "seg.dcm", places[1:3])

    whole = open_series(tmp_path / "seg.dcm").dicom.on_grid_of(open_series(tmp_path / "ct"))

    assert whole.isel(segment=0).any(("y", "x")).values.tolist() == [False, True, True, False]
    assert whole.isel(segment=0, z=1).values.tolist() == phantom(0, dtype=bool).astype(int).tolist()


def test_plane_that_the_source_lacks_is_refused(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", (0.0, 2.5, 5.0))
    make_seg(tmp_path / "seg" / "seg.dcm", frames=[(1, 0.0), (1, 1.0)])

    with pytest.raises(InconsistentSeriesError, match="1 of 2 planes of the segmentation are none of the source's: z = 1 mm"):
        open_series(tmp_path / "seg").dicom.on_grid_of(open_series(tmp_path / "ct"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"FrameOfReferenceUID": "1.2.3.4"}, "frames of reference differ"),
        ({"orientation": OBLIQUE}, "orientations differ"),
        ({"pixel_spacing": (0.8, 0.5)}, "pixel spacings differ"),
        ({"origin_mm": (0.2, 0.0)}, "lies between"),
        ({"origin_mm": (-1.0, 0.0)}, "reaches beyond"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_other_grids_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    make_ct(tmp_path / "ct", (0.0, 2.5), origin_mm=(0.0, 0.0))
    make_seg(tmp_path / "seg" / "seg.dcm", **{"frames": [(1, 0.0)], "labels": ["liver"], "origin_mm": (0.0, 0.0), **changes})

    with pytest.raises(InconsistentSeriesError, match=message):
        open_series(tmp_path / "seg").dicom.on_grid_of(open_series(tmp_path / "ct"))


@pytest.mark.corpus
def test_real_segmentation_lies_on_its_source(corpus: Path) -> None:
    tree = open_study(corpus / "series" / "ct_tiny_23x38")
    arrays = [node["stored_values"] for node in tree.subtree if "stored_values" in node.data_vars]
    seg = next(array for array in arrays if array.attrs["modality"] == "SEG")
    ct = next(array for array in arrays if array.attrs["modality"] == "CT")

    whole = seg.dicom.on_grid_of(ct)

    assert whole.isel(segment=0).shape == ct.shape
    assert int(whole.sum()) == int(seg.sum())


@pytest.mark.corpus
def test_real_fractions_lie_between_0_and_1(corpus: Path) -> None:
    seg = open_series(corpus / "files" / "highdicom" / "seg_image_ct_true_fractional.dcm")

    fractions = seg.dicom.to_modality()

    np.testing.assert_array_equal(fractions.values, seg.values.astype(np.float32) * np.float32(1 / 255))
    assert float(fractions.max()) <= 1


def make_label_map(path: Path, values: np.ndarray) -> Path:
    """Write a label map with planes at 0, 2.5, … mm."""
    return make_file(
        path,
        {
            "SOPClassUID": LABEL_MAP,
            "Modality": "SEG",
            "SegmentationType": "LABELMAP",
            "FrameOfReferenceUID": "1.2.3.4",
            "NumberOfFrames": len(values),
            "SegmentSequence": [segment(1, "liver"), segment(2, "lesion")],
            "SharedFunctionalGroupsSequence": [
                {
                    "PlaneOrientationSequence": [{"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}],
                    "PixelMeasuresSequence": [{"PixelSpacing": [0.7, 0.5], "SliceThickness": 2.5}],
                }
            ],
            "PerFrameFunctionalGroupsSequence": [
                {"PlanePositionSequence": [{"ImagePositionPatient": [0, 0, 2.5 * i]}]} for i in range(len(values))
            ],
        },
        values,
    )


def make_seg_at(path: Path, places: list[list[float]]) -> Path:
    """Write a segmentation of one segment with planes at given positions."""
    per_frame = [
        {
            "PlanePositionSequence": [{"ImagePositionPatient": place}],
            "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": 1}],
        }
        for place in places
    ]
    return make_seg(path, ["liver"], [(1, place[2]) for place in places], PerFrameFunctionalGroupsSequence=per_frame)
