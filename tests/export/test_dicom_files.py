"""Arrays written as DICOM and read again; everything that follows from the array is set from the array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import OBLIQUE, make_cine, make_ct, make_enhanced_mr, make_rtdose, make_slices
from labeled.opened import elsewhere
from xdicom.errors import InconsistentSeriesError, SourceError, UnsupportedEncodingError
from xdicom.export.dicom_files import write_dicom
from xdicom.labeled import origins
from xdicom.pixels.encode import ENCODERS, SHORT_NAMES

LOSSLESS = [name for name, each in SHORT_NAMES.items() if each in ENCODERS and ENCODERS[each].largest_loss is None and name != "jpeg-xl"]


def written(array: xr.DataArray, folder: Path, **options: Any) -> xr.DataArray:
    """`array` written to `folder` and opened from there."""
    write_dicom(array, folder, progress=False, **options)
    return xdicom.open_series(folder)


def headers(folder: Path) -> list[pydicom.Dataset]:
    """Headers of the files in `folder`, in the order of their names."""
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Five slices of CT, with elements that must be carried on."""
    make_ct(tmp_path / "ct", [0, 2.5, 5, 7.5, 10], StudyDescription="Study", BodyPartExamined="CHEST", SpacingBetweenSlices=2.5)
    return xdicom.open_series(tmp_path / "ct")


@pytest.fixture
def forgotten() -> Any:
    """A function after which this process knows no source, as another one that reopens a store."""
    return origins._tables.clear


def test_stored_values_and_places_come_back(ct: xr.DataArray, tmp_path: Path) -> None:
    again = written(ct, tmp_path / "out")

    np.testing.assert_array_equal(again.values, ct.values)
    for name in ("z", "y", "x", "image_position_patient_z", "rescale_slope", "rescale_intercept", "window_center"):
        np.testing.assert_array_equal(again[name].values, ct[name].values)
    np.testing.assert_array_equal(again.dicom.affine, ct.dicom.affine)
    np.testing.assert_array_equal(again.dicom.to_modality().values, ct.dicom.to_modality().values)


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_lossless_transfer_syntax_keeps_every_value(name: str, ct: xr.DataArray, tmp_path: Path) -> None:
    again = written(ct, tmp_path / "out", transfer_syntax=name)

    np.testing.assert_array_equal(again.values, ct.values)
    assert again.attrs["transfer_syntax_uid"] == [SHORT_NAMES[name]]
    assert "lossy_image_compression" not in again.attrs


def test_a_lossy_transfer_syntax_is_recorded(tmp_path: Path) -> None:
    make_slices(tmp_path / "in", [None], values=lambda _: (np.add.outer(np.arange(32), np.arange(32)) * 3).astype(np.uint8))

    write_dicom(xdicom.open_series(tmp_path / "in"), tmp_path / "out", transfer_syntax="jpeg", loss=90, progress=False)

    (header,) = headers(tmp_path / "out")
    assert header.LossyImageCompression == "01"
    assert header.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(header.LossyImageCompressionRatio) == pytest.approx(1024 / len(header.PixelData), rel=0.2)


def test_a_lossy_history_is_carried_on(tmp_path: Path) -> None:
    lossy = {"LossyImageCompression": "01", "LossyImageCompressionRatio": 10, "LossyImageCompressionMethod": "ISO_10918_1"}
    make_ct(tmp_path / "in", [0], rows=32, columns=32, dtype=np.uint16, **lossy)
    ct = xdicom.open_series(tmp_path / "in")

    write_dicom(ct, tmp_path / "out", progress=False)
    write_dicom(ct, tmp_path / "again", transfer_syntax="jpeg-ls-near", loss=2, progress=False)

    (kept,), (added,) = headers(tmp_path / "out"), headers(tmp_path / "again")
    assert (kept.LossyImageCompression, kept.LossyImageCompressionRatio, kept.LossyImageCompressionMethod) == ("01", 10, "ISO_10918_1")
    assert list(added.LossyImageCompressionMethod) == ["ISO_10918_1", "ISO_14495_1"]
    assert added.LossyImageCompressionRatio[0] == 10 < 10 * added.LossyImageCompressionRatio[1]


@pytest.mark.parametrize(("dtype", "bits", "signed"), [(np.uint8, 8, 0), (np.int16, 16, 1), (np.uint16, 16, 0)])
def test_the_form_of_samples_is_that_of_the_array(dtype: Any, bits: int, signed: int, ct: xr.DataArray, tmp_path: Path) -> None:
    changed = (ct.clip(1, 90) - (50 if signed else 0)).astype(dtype)

    write_dicom(changed, tmp_path / "out", progress=False)

    for header, plane in zip(headers(tmp_path / "out"), changed.values, strict=True):
        assert (header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation) == (bits, bits, bits - 1, signed)
        assert (header.SmallestImagePixelValue, header.LargestImagePixelValue) == (plane.min(), plane.max())
        assert (header.SamplesPerPixel, header.PhotometricInterpretation, "PlanarConfiguration" in header) == (1, "MONOCHROME2", False)


def test_a_new_series_is_derived_from_its_source(ct: xr.DataArray, tmp_path: Path) -> None:
    report = write_dicom(
        ct, tmp_path / "out", series_description="Smoothed é", series_number=70, derivation="Gaussian of 2 mm", progress=False
    )

    found = headers(tmp_path / "out")
    assert {header.SeriesInstanceUID for header in found} == {report.series_instance_uid} != {ct.attrs["series_instance_uid"]}
    assert {header.StudyInstanceUID for header in found} == {ct.attrs["study_instance_uid"]}
    assert len({header.SOPInstanceUID for header in found} - set(ct["sop_instance_uid"].values)) == 5
    assert [header.SourceImageSequence[0].ReferencedSOPInstanceUID for header in found] == ct["sop_instance_uid"].values.tolist()
    assert found[0].ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert (found[0].SeriesDescription, found[0].SeriesNumber, found[0].DerivationDescription) == ("Smoothed é", 70, "Gaussian of 2 mm")
    assert (found[0].StudyDescription, found[0].PatientName, found[0].BodyPartExamined) == ("Study", "Phantom", "CHEST")
    assert found[0].ContributingEquipmentSequence[0].Manufacturer == "xdicom"


def test_a_cut_moves_the_corner_and_the_size(ct: xr.DataArray, tmp_path: Path) -> None:
    cut = ct.isel(z=slice(1, None, 2), y=slice(2, 7), x=slice(1, None, 2))

    again = written(cut, tmp_path / "out")

    np.testing.assert_array_equal(again.values, cut.values)
    for name in ("z", "y", "x"):
        np.testing.assert_allclose(again[name].values, cut[name].values, atol=1e-9)
    header = headers(tmp_path / "out")[0]
    assert (header.Rows, header.Columns, list(header.PixelSpacing), header.SpacingBetweenSlices) == (5, 3, [0.7, 1.0], 5)
    np.testing.assert_allclose(again.dicom.affine, cut.dicom.affine, atol=1e-9)


@pytest.mark.parametrize("flips", [{"x": slice(None, None, -1)}, {"y": slice(None, None, -1)}, {"z": slice(None, None, -1)}])
def test_voxels_keep_their_place_where_axes_are_turned(flips: dict[str, slice], tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [0, 2.5, 5], orientation=OBLIQUE)
    ct = xdicom.open_series(tmp_path / "ct")

    again = written(ct.isel(flips), tmp_path / "out")

    def places(array: xr.DataArray) -> dict[tuple[float, ...], int]:
        index = np.indices(array.shape)[::-1].reshape(3, -1)
        points = array.dicom.affine @ np.vstack([index, np.ones(index.shape[1])])
        return dict(zip(map(tuple, np.round(points[:3].T, 3).tolist()), array.values.reshape(-1).tolist(), strict=True))

    assert places(again) == places(ct)


def test_planes_between_those_of_the_source_get_their_own_place(ct: xr.DataArray, tmp_path: Path) -> None:
    between = (ct.values[:-1].astype(np.float32) + ct.values[1:]) / 2 - 1024
    coords = {"z": ct["z"].values[:-1] + 1.25, "y": ct["y"].values, "x": ct["x"].values}
    resampled = xr.DataArray(between, dims=ct.dims, coords=coords, attrs=ct.attrs, name="modality_values")

    again = written(resampled, tmp_path / "out")

    np.testing.assert_allclose(again["z"].values, resampled["z"].values)
    assert np.abs(again.dicom.to_modality().values - between).max() <= 0.51
    assert not any("SourceImageSequence" in header for header in headers(tmp_path / "out"))
    assert headers(tmp_path / "out")[0].StudyDescription == "Study"


def test_uids_depend_on_the_seed_alone_where_one_is_given(ct: xr.DataArray, tmp_path: Path) -> None:
    first, second = (write_dicom(ct, tmp_path / name, uid_seed="a", progress=False) for name in ("one", "two"))
    other = write_dicom(ct, tmp_path / "three", uid_seed="b", progress=False)

    assert first == second
    assert (tmp_path / "one" / "00003.dcm").read_bytes() == (tmp_path / "two" / "00003.dcm").read_bytes()
    assert other.series_instance_uid != first.series_instance_uid


def test_identities_are_kept_of_what_did_not_change(ct: xr.DataArray, tmp_path: Path) -> None:
    again = written(ct, tmp_path / "out", keep_uids=True, transfer_syntax="rle")

    np.testing.assert_array_equal(again["sop_instance_uid"], ct["sop_instance_uid"])
    assert again.attrs["image_type"] == ct.attrs["image_type"]


def test_identities_are_not_kept_of_what_changed(ct: xr.DataArray, tmp_path: Path) -> None:
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=r"plane \d is not what its source holds.*leave keep_uids out"),
    ):
        write_dicom(ct + np.int16(1), tmp_path / "out", keep_uids=True, progress=False)


def test_further_elements_win_and_unwanted_ones_go(ct: xr.DataArray, tmp_path: Path) -> None:
    write_dicom(ct, tmp_path / "out", attributes={"PatientName": "Nobody", "BodyPartExamined": None, "KVP": 80}, progress=False)

    header = headers(tmp_path / "out")[0]
    assert (header.PatientName, header.KVP) == ("Nobody", 80)
    assert "BodyPartExamined" not in header


def test_files_are_never_replaced_unasked(ct: xr.DataArray, tmp_path: Path) -> None:
    write_dicom(ct, tmp_path / "out", progress=False)
    before = (tmp_path / "out" / "00001.dcm").read_bytes()

    with pytest.raises(SourceError, match=r"00001.dcm and 4 others .*overwrite=True"):
        write_dicom(ct, tmp_path / "out", progress=False)

    assert (tmp_path / "out" / "00001.dcm").read_bytes() == before
    assert write_dicom(ct, tmp_path / "out", overwrite=True, progress=False).instances == 5


def test_a_source_is_never_replaced(tmp_path: Path) -> None:
    make_ct(tmp_path, names=["00001.dcm", "00002.dcm", "00003.dcm"])

    with pytest.raises(SourceError, match=r"one of the files that the array is read from"):
        write_dicom(xdicom.open_series(tmp_path), tmp_path, overwrite=True, progress=False)


def test_a_plane_that_fails_leaves_no_part_of_a_file(ct: xr.DataArray, tmp_path: Path) -> None:
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=r"stored values from .* can be written: give bits_stored="),
    ):
        write_dicom(ct, tmp_path / "out", bits_stored=4, progress=False)

    assert list((tmp_path / "out").iterdir()) == []


def test_values_are_written_in_other_processes(ct: xr.DataArray, tmp_path: Path) -> None:
    with dask.config.set(scheduler="processes", num_workers=2):
        again = written(ct.chunk({"z": 2}), tmp_path / "out")

    np.testing.assert_array_equal(again.values, ct.values)


def test_progress_is_told_block_by_block(ct: xr.DataArray, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    write_dicom(ct.chunk({"z": 2}), tmp_path / "out", progress=lambda done, of: told.append((done, of)))

    assert (3, 3) in told
    assert {of for _, of in told} == {3}


def test_an_array_in_memory_is_written_as_well(ct: xr.DataArray, tmp_path: Path) -> None:
    np.testing.assert_array_equal(written(ct.compute(), tmp_path / "out").values, ct.values)


def test_an_array_of_a_store_is_written_from_its_labels_alone(ct: xr.DataArray, tmp_path: Path, forgotten: Any) -> None:
    ct.dicom.to_zarr(tmp_path / "ct.zarr", progress=False)
    forgotten()

    again = written(xr.open_zarr(tmp_path / "ct.zarr")["stored_values"], tmp_path / "out")

    np.testing.assert_array_equal(again.values, ct.values)
    np.testing.assert_allclose(again.dicom.affine, ct.dicom.affine)
    np.testing.assert_array_equal(again.dicom.to_modality().values, ct.dicom.to_modality().values)
    assert again.attrs["sop_class_uid"] == ct.attrs["sop_class_uid"]


def test_what_labels_alone_can_not_state_is_asked_for(tmp_path: Path) -> None:
    make_slices(
        tmp_path / "mr", [(0, 0, 0), (0, 0, 1)], SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR", PixelSpacing=[1, 1],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
    )  # fmt: skip
    mr = elsewhere(xdicom.open_series(tmp_path / "mr").compute())

    with pytest.raises(InconsistentSeriesError, match=r"MR Image must state: ScanningSequence, SequenceVariant.*attributes="):
        write_dicom(mr, tmp_path / "out", progress=False)
    again = written(mr, tmp_path / "out", attributes={"ScanningSequence": "GR", "SequenceVariant": "NONE"})

    np.testing.assert_array_equal(again.values, mr.values)


def test_labels_that_contradict_each_other_are_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(InconsistentSeriesError, match=r"labels contradict each other: plane 4 lies at z = 11"):
        write_dicom(ct.assign_coords(z=ct["z"] * 1.1), tmp_path / "out", progress=False)


def test_rows_of_uneven_distance_are_refused(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(InconsistentSeriesError, match=r"y is unevenly spaced"):
        write_dicom(ct.isel(y=[0, 1, 4]), tmp_path / "out", progress=False)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda ct: ct.rename("smoothed"), ValueError, r"named 'smoothed' have no meaning"),
        (lambda ct: ct.astype(np.float32), ValueError, r"stored values are integers"),
        (lambda ct: ct.astype(np.int32), UnsupportedEncodingError, r"holds 8 or 16 bits"),
        (lambda ct: ct.isel(y=0), ValueError, r"no dimension y"),
    ],
)
def test_what_is_no_image_is_refused(change: Any, error: type[Exception], message: str, ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        write_dicom(change(ct), tmp_path / "out", progress=False)


def test_a_cine_stays_one_instance_and_keeps_its_times(tmp_path: Path) -> None:
    make_cine(tmp_path / "in" / "cine.dcm")
    cine = xdicom.open_series(tmp_path / "in")

    report = write_dicom(cine, tmp_path / "out", transfer_syntax="rle", progress=False)

    again = xdicom.open_series(tmp_path / "out")
    assert report.instances == 1
    np.testing.assert_array_equal(again.values, cine.values)
    np.testing.assert_array_equal(again[again.dims[0]].values, cine[cine.dims[0]].values)


def test_an_enhanced_series_stays_one_instance_with_its_groups(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "in" / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "in")

    report = write_dicom(mr, tmp_path / "out", progress=False)

    again = xdicom.open_series(tmp_path / "out")
    (header,) = headers(tmp_path / "out")
    assert report.instances == 1
    np.testing.assert_array_equal(again.values, mr.values)
    assert again.dims == mr.dims
    for name in mr.coords:
        if name not in ("sop_instance_uid", "frame_number", "source_sop_instance_uid"):
            np.testing.assert_array_equal(again[name].values, mr[name].values)
    derivation = header.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
    assert derivation.SourceImageSequence[0].ReferencedSOPInstanceUID == mr.attrs["sop_instance_uid"]


def test_frames_that_are_left_are_counted_anew(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "in" / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "in")
    some = mr.isel({mr.dims[0]: slice(1, None), "x": slice(1, None)})

    again = written(some, tmp_path / "out")

    (header,) = headers(tmp_path / "out")
    values = [item.FrameContentSequence[0].DimensionIndexValues for item in header.PerFrameFunctionalGroupsSequence]
    assert np.min(np.atleast_2d(values)) == 1
    assert header.NumberOfFrames == len(values) == int(np.prod(some.shape[:-2]))
    np.testing.assert_array_equal(again.values, some.values.squeeze())
    np.testing.assert_allclose(again["x"].values, some["x"].values)


def test_a_dose_keeps_its_offsets(tmp_path: Path) -> None:
    make_rtdose(tmp_path / "in" / "dose.dcm")
    dose = xdicom.open_series(tmp_path / "in")
    some = dose.isel(z=slice(1, None))

    again = written(some, tmp_path / "out")

    np.testing.assert_array_equal(again.values, some.values)
    np.testing.assert_allclose(again["z"].values, some["z"].values)
    np.testing.assert_allclose(again.dicom.to_modality().values, some.dicom.to_modality().values)


def test_pictures_become_secondary_captures_in_their_place(ct: xr.DataArray, tmp_path: Path) -> None:
    picture = ct.dicom.to_display((40, 400))

    again = written(picture, tmp_path / "out")

    np.testing.assert_array_equal(again.values, picture.values)
    np.testing.assert_array_equal(again["z"].values, ct["z"].values)
    header = headers(tmp_path / "out")[0]
    assert header.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert header.ImageType == ["DERIVED", "SECONDARY"]
    assert "RescaleSlope" not in header
    assert "WindowCenter" not in header


def test_colors_become_secondary_captures(testdata: Path, tmp_path: Path) -> None:
    rgb = xdicom.open_series(testdata / "us_cine.dcm").dicom.to_rgb()

    again = written(rgb, tmp_path / "out", transfer_syntax="jpeg-2000")

    np.testing.assert_array_equal(again.values, rgb.values)
    assert headers(tmp_path / "out")[0].PhotometricInterpretation == "YBR_RCT"


def test_planes_between_are_as_thick_as_the_new_step(ct: xr.DataArray, tmp_path: Path) -> None:
    hu = ct.dicom.to_modality()
    finer = hu.interp(z=[1.0, 2.0, 3.0, 4.0])
    coarser = hu.drop_vars("sop_instance_uid").coarsen(z=2, boundary="trim").mean()
    named = hu.coarsen(z=2, boundary="trim", coord_func={"sop_instance_uid": "min"}).mean()

    for number, (array, step) in enumerate(((finer, 1), (coarser, 5), (named, 5), (hu[::2], 2.5))):
        again = written(array, tmp_path / f"{number}")
        assert {header.SliceThickness for header in headers(tmp_path / f"{number}")} == {step}
        np.testing.assert_allclose(again["z"].values, array["z"].values)
        assert np.abs(again.dicom.to_modality().values - array.values).max() <= 0.51


def test_pixels_that_were_pooled_have_their_new_spacing_and_corner(ct: xr.DataArray, tmp_path: Path) -> None:
    pooled = ct.dicom.to_modality().coarsen(y=2, x=3).mean()

    again = written(pooled, tmp_path / "out")

    assert list(headers(tmp_path / "out")[0].PixelSpacing) == [1.4, 1.5]
    for name in ("z", "y", "x"):
        np.testing.assert_allclose(again[name].values, pooled[name].values, atol=1e-9)


def test_the_order_of_dimensions_does_not_matter(ct: xr.DataArray, tmp_path: Path) -> None:
    again = written(ct.transpose("x", "z", "y"), tmp_path / "out")

    np.testing.assert_array_equal(again.values, ct.values)


def test_values_computed_anew_with_the_labels_of_a_series_are_written(ct: xr.DataArray, tmp_path: Path) -> None:
    hu = ct.dicom.to_modality()
    anew = xr.DataArray(hu.values[::-1] // 2, dims=hu.dims, coords={name: hu[name][::-1] if name == "z" else hu[name] for name in "zyx"},
                        attrs=hu.attrs, name="modality_values")  # fmt: skip

    again = written(anew, tmp_path / "out")

    np.testing.assert_array_equal(again.dicom.to_modality().values, anew.values[::-1])
    assert headers(tmp_path / "out")[0].StudyDescription == "Study"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ct: ct.drop_vars(["z", "y", "x"]), r"labels no longer say where the planes lie"),
        (lambda ct: ct[:, ::-1].drop_vars(list(ct.coords)), r"labels no longer say where the planes lie"),
        (lambda ct: ct.dicom.to_modality().mean("z"), r"labels no longer say where the planes lie"),
        (lambda ct: ct.drop_attrs(), r"no attribute image_orientation_patient"),
        (lambda ct: ct.pad(y=1, constant_values=0), r"y has values that are no numbers"),
        (lambda ct: ct.dicom.to_modality().drop_vars(["image_position_patient_z"]).pad(z=1), r"z has values that are no numbers"),
    ],
    ids=["coordinates", "turned", "projected", "attributes", "padded rows", "padded slices"],
)
def test_a_place_that_labels_no_longer_tell_is_never_guessed(change: Any, message: str, ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(InconsistentSeriesError, match=message):
        write_dicom(change(ct), tmp_path / "out", progress=False)


def test_a_place_may_be_taken_away(ct: xr.DataArray, tmp_path: Path) -> None:
    gone = {"ImagePositionPatient": None, "ImageOrientationPatient": None}

    write_dicom(ct.dicom.to_modality().max("z"), tmp_path / "out", attributes=gone, progress=False)

    assert "ImagePositionPatient" not in headers(tmp_path / "out")[0]


def test_a_mask_is_sent_to_where_masks_are_written(ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"to_segmentation\(\)"):
        write_dicom(ct.dicom.to_modality() > 0, tmp_path / "out", progress=False)
