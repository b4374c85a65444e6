"""Images of slides are written as tiles in full order, and read again by xdicom and by wsidicom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import make_file, phantoms
from builders.slides import cut, place, slide_elements
from labeled.opened import elsewhere
from xdicom.errors import InconsistentSeriesError, SourceError, UnsupportedEncodingError
from xdicom.export.dicom_files import write_dicom
from xdicom.labeled import origins

TILE = (32, 48)
MATRIX = (100, 130)


def make_slide(
    folder: Path, *, paths: tuple[str, ...] = ("1",), samples: int = 3, is_sparse: bool = False, **elements: Any
) -> xr.DataArray:
    """One level of three by four tiles."""
    pictures = phantoms(len(paths), *MATRIX, np.uint8, samples=samples)
    tiles = np.concatenate([cut(picture, TILE) for picture in pictures])
    across = (-(-MATRIX[0] // TILE[0]), -(-MATRIX[1] // TILE[1]))
    corners = [(1 + row * TILE[0], 1 + column * TILE[1]) for row in range(across[0]) for column in range(across[1])]
    groups = {"PerFrameFunctionalGroupsSequence": [place(*corner) for corner in corners], "DimensionOrganizationType": "TILED_SPARSE"}
    make_file(
        folder / "slide.dcm",
        {
            **slide_elements(MATRIX), "NumberOfFrames": len(tiles), "SamplesPerPixel": samples,
            "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2",
            "OpticalPathSequence": [{"OpticalPathIdentifier": path} for path in paths], "NumberOfOpticalPaths": len(paths),
            **(groups if is_sparse else {}),
        },
        tiles,
    )  # fmt: skip
    return level(folder)


def level(folder: Path) -> xr.DataArray:
    """The finest level of a slide."""
    array: xr.DataArray = xdicom.open_slide(folder)["level_0"]["stored_values"]
    return array


def assert_same(again: xr.DataArray, image: xr.DataArray) -> None:
    np.testing.assert_array_equal(again.values, image.values)
    for name in ("y", "x"):
        np.testing.assert_allclose(again[name].values, image[name].values, atol=1e-9)


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("transfer_syntax", [None, "rle", "jpeg-ls", "jpeg-2000", "htj2k"])
def test_values_and_places_come_back(transfer_syntax: str | None, is_sparse: bool, tmp_path: Path) -> None:
    image = make_slide(tmp_path / "in", is_sparse=is_sparse)

    written = write_dicom(image, tmp_path / "out", transfer_syntax=transfer_syntax, progress=False)

    assert_same(level(tmp_path / "out"), image)
    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (written.instances, written.frames, header.NumberOfFrames) == (1, 12, 12)
    assert (header.DimensionOrganizationType, header.Rows, header.Columns) == ("TILED_FULL", *TILE)
    assert list(header.ImageType) == ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    assert "PerFrameFunctionalGroupsSequence" not in header
    assert header.SourceImageSequence[0].ReferencedSOPInstanceUID == image.attrs["sop_instance_uids"][0]
    assert header.SeriesInstanceUID == written.series_instance_uid != image.attrs["series_instance_uid"]


@pytest.mark.parametrize(
    "change",
    [
        {"y": slice(20, 91), "x": slice(7, 120)},
        {"y": slice(None, None, -1)},
        {"y": slice(None, None, 2), "x": slice(3, None, 2)},
        {"y": slice(0, 1), "x": slice(0, 1)},
    ],
)
def test_parts_keep_their_place_on_the_slide(change: dict[str, slice], tmp_path: Path) -> None:
    part = make_slide(tmp_path / "in").isel(change)

    write_dicom(part, tmp_path / "out", progress=False)

    again = level(tmp_path / "out")
    np.testing.assert_array_equal(again.values, part.values)
    corner = again.dicom.affine[:3, 3]
    opened = level(tmp_path / "in")
    row, column = (int(np.arange(size)[change.get(dim, slice(None))][0]) for dim, size in zip("yx", MATRIX, strict=True))
    np.testing.assert_allclose(corner, (opened.dicom.affine @ [column, row, 0, 1])[:3], atol=1e-9)


def test_optical_paths_stay_apart(tmp_path: Path) -> None:
    image = make_slide(tmp_path / "in", paths=("a", "b", "c"), samples=1)

    write_dicom(image.isel(optical_path=[2, 0]), tmp_path / "out", progress=False)

    again = level(tmp_path / "out")
    assert again["optical_path"].values.tolist() == ["c", "a"]
    np.testing.assert_array_equal(again.values, image.isel(optical_path=[2, 0]).values)


def test_colors_are_written_with_loss_where_that_is_asked_for(tmp_path: Path) -> None:
    image = make_slide(tmp_path / "in").dicom.to_rgb()

    write_dicom(image, tmp_path / "out", transfer_syntax="jpeg", loss=95, progress=False)

    header = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert (header.LossyImageCompression, header.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert np.abs(level(tmp_path / "out").dicom.to_rgb().values.astype(int) - image.values).mean() < 10


def test_wsidicom_reads_the_same_image(tmp_path: Path) -> None:
    wsidicom = pytest.importorskip("wsidicom")
    image = make_slide(tmp_path / "in").isel(y=slice(10, 90))

    write_dicom(image, tmp_path / "out", progress=False)

    with wsidicom.WsiDicom.open(tmp_path / "out") as slide:
        region = np.asarray(slide.read_region((0, 0), 0, (image.sizes["x"], image.sizes["y"])))
    np.testing.assert_array_equal(region[..., :3], image.values)


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
def test_a_level_is_segmented(kind: Any, tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    image = make_slide(tmp_path / "in")
    mask = (image.isel(sample=0) > 90).astype(np.uint8)

    mask.dicom.to_segmentation(tmp_path / "seg.dcm", image, segments=["Dark"], segmentation_type=kind)

    again = level(tmp_path / "seg.dcm")
    np.testing.assert_array_equal(again.squeeze().values, mask.values)
    np.testing.assert_allclose(again["y"].values, image["y"].values, atol=1e-6)


def test_a_mask_of_a_part_of_a_level_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    image = make_slide(tmp_path / "in")

    with pytest.raises(InconsistentSeriesError, match="covers all 100 x 130 pixels"):
        (image.isel(sample=0, y=slice(10)) > 90).dicom.to_segmentation(tmp_path / "seg.dcm", image)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda image: image.drop_vars("y"), InconsistentSeriesError, "where the image lies"),
        (lambda image: image.isel(y=[0, 1, 5]), InconsistentSeriesError, "unevenly spaced"),
        (lambda image: image.assign_attrs(photometric_interpretation="YBR_FULL"), UnsupportedEncodingError, "to_rgb"),
        (lambda image: image.astype("float32"), ValueError, "uint8"),
        (lambda image: image.expand_dims("time"), UnsupportedEncodingError, "time"),
    ],
)
def test_what_is_no_image_of_a_slide_is_refused(change: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        write_dicom(change(make_slide(tmp_path / "in")), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_store_that_keeps_headers_becomes_a_slide(is_sparse: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make_slide(tmp_path / "in", is_sparse=is_sparse)
    image.dicom.keep_headers().dicom.to_zarr(tmp_path / "slide.zarr", progress=False)
    monkeypatch.setattr(origins, "_tables", type(origins._tables)())
    stored = xr.open_zarr(tmp_path / "slide.zarr")["stored_values"]

    write_dicom(stored, tmp_path / "out", progress=False)

    assert_same(level(tmp_path / "out"), image)
    assert stored.dicom.header().TotalPixelMatrixRows == MATRIX[0]


def test_highdicom_reads_the_same_image(tmp_path: Path) -> None:
    highdicom = pytest.importorskip("highdicom")
    image = make_slide(tmp_path / "in").isel(y=slice(10, 90), x=slice(5, None))

    write_dicom(image, tmp_path / "out", progress=False)

    read = highdicom.imread(tmp_path / "out" / "00001.dcm")
    np.testing.assert_array_equal(read.get_total_pixel_matrix(apply_icc_profile=False), image.values)


def test_a_slide_of_no_known_header_is_refused(tmp_path: Path) -> None:
    image = elsewhere(make_slide(tmp_path / "in"))

    with pytest.raises(InconsistentSeriesError, match="open_slide"):
        write_dicom(image, tmp_path / "out", progress=False)


def test_the_source_is_never_replaced(tmp_path: Path) -> None:
    image = make_slide(tmp_path / "in")
    (tmp_path / "in" / "slide.dcm").rename(tmp_path / "in" / "00001.dcm")
    image = level(tmp_path / "in")

    with pytest.raises(SourceError, match="is one of the files"):
        write_dicom(image, tmp_path / "in", overwrite=True, progress=False)


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["sm_image", "sm_image_grayscale", "sm_image_dots", "sm_image_jpegls"])
def test_real_slides_come_back_and_keep_the_standard(
    name: str, corpus: Path, tmp_path: Path, errors_of: Callable[[Path], set[str]]
) -> None:
    source = corpus / "files" / "highdicom" / f"{name}.dcm"
    image = level(source)

    write_dicom(image, tmp_path / "out", progress=False)

    assert_same(level(tmp_path / "out"), image)
    assert errors_of(tmp_path / "out" / "00001.dcm") - errors_of(source) == set()


def test_levels_of_one_series_are_one_slide(tmp_path: Path) -> None:
    image = make_slide(tmp_path / "in")
    coarse = image.coarsen(y=2, x=2).mean().round().astype(np.uint8).assign_attrs(image.attrs).rename("stored_values")

    for name, each in (("fine", image), ("coarse", coarse)):
        write_dicom(each, tmp_path / "out" / name, attributes={"SeriesInstanceUID": "2.25.99"}, progress=False)

    slide = xdicom.open_slide(tmp_path / "out")
    assert_same(slide["level_0"]["stored_values"], image)
    assert_same(slide["level_1"]["stored_values"], coarse)
    assert pydicom.dcmread(tmp_path / "out" / "coarse" / "00001.dcm").ImageType[3] == "RESAMPLED"
