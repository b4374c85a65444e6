"""Regions of slides against independent readers: wsidicom and highdicom, tiles of every codec, and real files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xdicom
from builders import make_file, phantom
from builders.slides import cut, make_streams_slide, slide_elements

wsidicom = pytest.importorskip("wsidicom", reason="wsidicom is not installed: pip install wsidicom wsidicom-data")
TILE = 240
"""Rows and columns of the tile that wsidicom-data has in every codec."""
MATRIX = (2 * TILE - 31, 3 * TILE - 100)
REGIONS = [(0, 0, 64, 64), (200, 230, 60, 200), (380, 470, 69, 150), (0, 0, 449, 620)]
"""Row, column, height and width: inside a tile, across corners, at the far edge, all of it."""


def _settings() -> list[Any]:
    try:
        from wsidicom_data.test_data import defined_encoder_settings
    except ImportError:
        return [pytest.param(None, marks=pytest.mark.skip(reason="wsidicom-data is not installed: pip install wsidicom-data"))]
    by_name = {f"{each.transfer_syntax.name}-{each.channels.name}-{each.bits}": each for each in defined_encoder_settings}
    return [pytest.param(each, id=name) for name, each in by_name.items()]


def make_encoded_slide(folder: Path, settings: Any) -> Path:
    """A slide of two rows of three tiles, all of them the one that wsidicom-data has in this encoding."""
    from wsidicom_data import EncodedTestData

    stream = EncodedTestData.get_filepath_for_encoder_settings(settings).read_bytes()
    bits = 8 if settings.bits == 8 else 16
    elements = {
        **slide_elements(MATRIX), "Rows": TILE, "Columns": TILE, "SamplesPerPixel": settings.samples_per_pixel,
        "PhotometricInterpretation": settings.photometric_interpretation, "BitsAllocated": bits, "BitsStored": settings.bits,
        "HighBit": settings.bits - 1, "PixelRepresentation": 0,
    }  # fmt: skip
    if settings.samples_per_pixel == 3:
        elements["PlanarConfiguration"] = 0
    syntax = str(settings.transfer_syntax)
    if not settings.transfer_syntax.is_encapsulated:
        return make_file(folder / "a.dcm", {"NumberOfFrames": 6, **elements}, stream * 6, syntax, pixel_vr="OW" if bits == 16 else "OB")
    return make_streams_slide(folder / "a.dcm", [stream] * 6, syntax, elements)


@pytest.mark.parametrize("settings", _settings())
def test_tiles_of_every_codec_are_those_of_wsidicom(tmp_path: Path, settings: Any) -> None:
    make_encoded_slide(tmp_path, settings)
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]
    # wsidicom takes samples of lossless JPEG for RGB, whatever the header calls them: those are compared as they are stored.
    is_lossless_jpeg = "Lossless, Non-Hierarchical" in settings.transfer_syntax.name
    values = level.dicom.to_rgb() if "sample" in level.dims and not is_lossless_jpeg else level

    with opened_by_wsidicom(tmp_path, settings) as theirs_of:
        for row, column, height, width in REGIONS:
            ours = values[row : row + height, column : column + width].values
            theirs = theirs_of(row, column, height, width)
            assert ours.dtype == theirs.dtype.newbyteorder("=")
            assert (ours == theirs).all(), int(np.abs(ours.astype(int) - theirs).max())
            read = values.dicom.read_region(y=slice(row, row + height), x=slice(column, column + width), threads=2)
            assert (read.values == ours).all()


@contextmanager
def opened_by_wsidicom(folder: Path, settings: Any) -> Iterator[Callable[[int, int, int, int], np.ndarray]]:
    """Regions as wsidicom reads them; 16-bit RLE, which it does not, from the picture itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            slide = wsidicom.WsiDicom.open(folder)
        except wsidicom.errors.WsiDicomNotFoundError:
            from wsidicom_data import TestData

            picture = np.asarray(TestData.image(settings.bits, settings.samples_per_pixel)).astype(np.uint16)
            whole = np.tile(picture, (2, 3))
            yield lambda row, column, height, width: whole[row : row + height, column : column + width]
            return
        with slide:
            yield lambda row, column, height, width: np.asarray(
                slide.read_region((column, row), 0, (width, height), as_array=True, threads=1)
            )


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["sm_image", "sm_image_dots", "sm_image_grayscale", "sm_image_jpegls"])
def test_real_slides_are_those_of_highdicom_and_lie_where_it_puts_them(corpus: Path, name: str) -> None:
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed: pip install highdicom")
    path = corpus / "files" / "highdicom" / f"{name}.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = highdicom.imread(path)
        theirs = image.get_total_pixel_matrix(
            apply_real_world_transform=False, apply_modality_transform=False, apply_voi_transform=False, apply_icc_profile=False,
            apply_presentation_lut=False, apply_palette_color_lut=False,
        )  # fmt: skip
        points = highdicom.spatial.PixelToReferenceTransformer.for_image(image, for_total_pixel_matrix=True)

    level = xdicom.open_slide(path)["level_0"]["stored_values"]

    assert (level.values == theirs).all()
    corners = np.array([[0, 0], [49, 0], [0, 49], [17, 31]])
    ours = (level.dicom.affine @ np.column_stack([corners, np.zeros(4), np.ones(4)]).T).T[:, :3]
    assert np.allclose(ours, points(corners), atol=1e-9)


@pytest.mark.corpus
def test_segments_on_a_slide_are_those_of_highdicom(corpus: Path) -> None:
    highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed: pip install highdicom")
    folder = corpus / "files" / "highdicom"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        binary = highdicom.seg.segread(folder / "seg_image_sm_control.dcm")
        numbers = binary.segment_numbers
        theirs = np.asarray(binary.get_total_pixel_matrix(segment_numbers=numbers))
        labels = highdicom.seg.segread(folder / "seg_image_sm_control_labelmap.dcm")
        their_labels = np.asarray(labels.get_total_pixel_matrix(combine_segments=True))

    mask = xdicom.open_slide(folder / "seg_image_sm_control.dcm")["level_0"]["stored_values"]
    label_map = xdicom.open_slide(folder / "seg_image_sm_control_labelmap.dcm")["level_0"]["stored_values"]

    assert mask["segment"].values.tolist() == list(numbers)
    assert (mask.values == np.moveaxis(theirs, -1, 0)).all()
    assert (label_map.values == their_labels).all()


def test_a_slide_that_was_written_at_once_is_one_pyramid_of_wsidicom(tmp_path: Path) -> None:
    pictures = [phantom(0, rows, columns, np.uint8, samples=3) for rows, columns in ((64, 96), (32, 48), (16, 24))]
    for number, picture in enumerate(pictures):
        elements = slide_elements(picture.shape[:2], spacing_mm=0.001 * 2**number)
        make_file(tmp_path / "in" / f"{number}.dcm", {**elements, "PhotometricInterpretation": "RGB"}, cut(picture, (16, 16)))

    xdicom.open_slide(tmp_path / "in").dicom.to_dicom(tmp_path / "out", progress=False)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slide = wsidicom.WsiDicom.open([*map(str, (tmp_path / "out").rglob("*.dcm"))])
    with slide:
        assert len(slide.pyramids) == 1
        assert [(level.size.height, level.size.width) for level in slide.pyramids[0]] == [picture.shape[:2] for picture in pictures]
        for number, picture in enumerate(pictures):
            region = slide.read_region((0, 0), number, picture.shape[1::-1])
            assert np.array_equal(np.asarray(region)[..., :3], picture)
