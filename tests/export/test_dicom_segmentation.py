"""Masks and labels become a segmentation of their source, and come back from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import make_ct, make_enhanced_mr
from xdicom.errors import InconsistentSeriesError, SourceError
from xdicom.export.dicom_segmentation import SegmentText, write_segmentation
from xdicom.labeled import origins

pytest.importorskip("highdicom")

LIVER = SegmentText("Liver", ("123037004", "SCT", "Anatomical Structure"), ("10200004", "SCT", "Liver"), "thresholding", "1.0")


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Four slices of CT."""
    make_ct(tmp_path / "ct", [0, 2.5, 5, 7.5])
    return xdicom.open_series(tmp_path / "ct")


def test_masks_come_back_with_their_labels(ct: xr.DataArray, tmp_path: Path) -> None:
    masks = xr.concat([ct > 50, ct > 150], dim="segment").assign_coords(segment_label=("segment", ["low", "high"]))

    report = write_segmentation(masks, tmp_path / "seg.dcm", ct)

    again = xdicom.open_series(tmp_path / "seg.dcm").dicom.on_grid_of(ct)
    np.testing.assert_array_equal(again.transpose("segment", "z", "y", "x").values, masks.values)
    assert again["segment_label"].values.tolist() == ["low", "high"]
    assert report.instances == 1


def test_labels_come_back_as_segments_where_a_binary_segmentation_is_asked_for(ct: xr.DataArray, tmp_path: Path) -> None:
    labels = xr.where(ct > 150, 2, xr.where(ct > 50, 1, 0))

    write_segmentation(labels, tmp_path / "seg.dcm", ct, segments=[LIVER, "Lesion"], segmentation_type="binary")

    again = xdicom.open_series(tmp_path / "seg.dcm").dicom.on_grid_of(ct)
    for number in (1, 2):
        np.testing.assert_array_equal(again.sel(segment=number).values, labels.values == number)
    header = pydicom.dcmread(tmp_path / "seg.dcm")
    assert header.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "10200004"
    assert header.SegmentSequence[0].SegmentAlgorithmName == "thresholding"
    assert header.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.attrs["series_instance_uid"]


@pytest.mark.parametrize("transfer_syntax", ["explicit", "rle", "jpeg-ls", "jpeg-2000"])
def test_labels_become_a_label_map(transfer_syntax: str, tmp_path: Path) -> None:
    if transfer_syntax == "jpeg-2000":
        pytest.importorskip("openjpeg")
    make_ct(tmp_path / "wide", [0, 2.5], rows=40, columns=33)
    ct = xdicom.open_series(tmp_path / "wide")
    labels = xr.where(ct > 150, 700, xr.where(ct > 50, 3, 0)).astype(np.uint16)

    written = write_segmentation(labels, tmp_path / "seg.dcm", ct, segments={3: LIVER, 700: "Lesion"}, transfer_syntax=transfer_syntax)

    again = xdicom.open_series(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(again.dicom.on_grid_of(ct).values, labels.values)
    assert [(each["number"], each["label"]) for each in again.attrs["segments"] if each["number"]] == [(3, "Liver"), (700, "Lesion")]
    header = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (header.SOPClassUID, header.SegmentationType) == ("1.2.840.10008.5.1.4.1.1.66.7", "LABELMAP")
    assert header.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.attrs["series_instance_uid"]
    assert written.frames == header.NumberOfFrames


def test_a_label_map_that_was_opened_lends_its_labels(ct: xr.DataArray, tmp_path: Path) -> None:
    write_segmentation(xr.where(ct > 50, 3, 0), tmp_path / "seg.dcm", ct, segments={3: LIVER})
    opened = xdicom.open_series(tmp_path / "seg.dcm").dicom.on_grid_of(ct)

    write_segmentation(opened, tmp_path / "again.dcm", ct)

    assert [each["label"] for each in xdicom.open_series(tmp_path / "again.dcm").attrs["segments"] if each["number"] == 3] == ["Liver"]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda ct: ct > 50, "fractional", "written as binary"),
        (lambda ct: xr.concat([ct > 50, ct > 90], dim="segment"), "labelmap", "one number for each pixel"),
        (lambda ct: xr.where(ct > 50, 70_000, 0), None, "largest label is 70000"),
    ],
)
def test_values_of_another_type_of_segmentation_are_refused(change: Any, kind: Any, message: str, ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write_segmentation(change(ct), tmp_path / "seg.dcm", ct, segmentation_type=kind)


def test_a_store_that_keeps_headers_is_segmented(ct: xr.DataArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ct.dicom.keep_headers().dicom.to_zarr(tmp_path / "ct.zarr", progress=False)
    monkeypatch.setattr(origins, "_tables", type(origins._tables)())
    stored = xr.open_zarr(tmp_path / "ct.zarr")["stored_values"]

    write_segmentation(stored > 50, tmp_path / "seg.dcm", stored)

    header = pydicom.dcmread(tmp_path / "seg.dcm")
    assert header.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.attrs["series_instance_uid"]


def test_fractions_come_back_within_a_step(ct: xr.DataArray, tmp_path: Path) -> None:
    share = (ct.astype(np.float32) / np.float32(ct.values.max())).clip(0, 1)

    report = write_segmentation(share, tmp_path / "seg.dcm", ct)

    again = xdicom.open_series(tmp_path / "seg.dcm").dicom.on_grid_of(ct).dicom.to_modality()
    assert np.abs(again.values.squeeze() - share.values).max() <= report.max_error + 1e-6


def test_some_planes_of_an_enhanced_series_are_segmented(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "mr.dcm")
    one = mr.isel({dim: 0 for dim in mr.dims if dim not in ("z", "y", "x")})
    mask = (one > 20).isel(z=slice(0, 2))

    write_segmentation(mask, tmp_path / "seg.dcm", mr)

    again = xdicom.open_series(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(again.values.squeeze(), mask.values)
    np.testing.assert_allclose(again["z"].values, mask["z"].values)


def test_a_mask_beside_its_source_is_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    mask = ct > 50

    with pytest.raises(InconsistentSeriesError, match=r"z differs"):
        write_segmentation(mask.assign_coords(z=mask["z"] + 1), tmp_path / "seg.dcm", ct)
    with pytest.raises(InconsistentSeriesError, match=r"x of the mask or map is not that of the source"):
        write_segmentation(mask.isel(x=slice(1, None)), tmp_path / "seg.dcm", ct)


def test_segments_without_description_are_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"segments= describes 1; 3 is not among them"):
        write_segmentation((ct > 50).astype(np.uint8) * np.uint8(3), tmp_path / "seg.dcm", ct, segments=["one"])


def test_a_segmentation_that_is_there_stays(ct: xr.DataArray, tmp_path: Path) -> None:
    write_segmentation(ct > 50, tmp_path / "seg.dcm", ct)

    with pytest.raises(SourceError, match=r"overwrite=True"):
        write_segmentation(ct > 50, tmp_path / "seg.dcm", ct)


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_the_standard_is_kept(kind: Any, ct: xr.DataArray, tmp_path: Path, errors_of: Callable[[Path], set[str]]) -> None:
    write_segmentation(xr.where(ct > 50, 1, 0), tmp_path / "seg.dcm", ct, segments=[LIVER], segmentation_type=kind)

    assert errors_of(tmp_path / "seg.dcm") == set()
