"""Whole slides: levels of a pyramid, tiles in their places, edges cut, missing tiles filled."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask
import imagecodecs
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import xdicom
from builders import make_file, phantoms
from builders.slides import cut, measures, place, slide_elements
from doubles import counted_reads
from xdicom.cli import app
from xdicom.errors import PixelDataError

SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
TILE = (4, 6)
SERIES = "2.25.4711"


def _items(**values: Any) -> list[dict[str, Any]]:
    return [values]


def make_level(
    path: Path,
    matrix: tuple[int, int],
    *,
    kind: str = "VOLUME",
    places: Sequence[tuple[int, int]] | None = None,
    spacing_mm: float = 0.001,
    paths: Sequence[str] = ("1",),
    samples: int = 3,
    transfer_syntax: str = "native",
    **elements: Any,
) -> np.ndarray:
    """Write one image of a slide and return its tiles; `places` (row, column from 1) make it sparse."""
    across = (-(-matrix[0] // TILE[0]), -(-matrix[1] // TILE[1]))
    count = across[0] * across[1] * len(paths) if places is None else len(places)
    tiles = phantoms(count, *TILE, np.uint8, samples=samples)
    measures = _items(PixelSpacing=[spacing_mm, spacing_mm])
    groups: dict[str, Any] = {"SharedFunctionalGroupsSequence": _items(PixelMeasuresSequence=measures)}
    if places is not None:
        groups["PerFrameFunctionalGroupsSequence"] = [
            {"PlanePositionSlideSequence": _items(RowPositionInTotalImagePixelMatrix=row, ColumnPositionInTotalImagePixelMatrix=column)}
            for row, column in places
        ]
    optical = [{"OpticalPathIdentifier": identifier} for identifier in paths]
    make_file(
        path,
        {
            "SOPClassUID": SLIDE, "Modality": "SM", "SeriesInstanceUID": SERIES, "ImageType": ["ORIGINAL", "PRIMARY", kind, "NONE"],
            "TotalPixelMatrixRows": matrix[0], "TotalPixelMatrixColumns": matrix[1], "ImageOrientationSlide": [0, -1, 0, -1, 0, 0],
            "TotalPixelMatrixOriginSequence": _items(XOffsetInSlideCoordinateSystem=20.0, YOffsetInSlideCoordinateSystem=40.0),
            "DimensionOrganizationType": "TILED_FULL" if places is None else "TILED_SPARSE", "OpticalPathSequence": optical,
            "SamplesPerPixel": samples, "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2", **groups, **elements,
        },
        tiles,
        transfer_syntax,
    )  # fmt: skip
    return tiles


def assembled(tiles: np.ndarray, matrix: tuple[int, int]) -> np.ndarray:
    """The image that tiles in rows make, cut to its size."""
    across = -(-matrix[1] // TILE[1])
    rows = [np.concatenate(list(tiles[start : start + across]), axis=1) for start in range(0, len(tiles), across)]
    return np.concatenate(rows, axis=0)[: matrix[0], : matrix[1]]


@pytest.mark.parametrize("transfer_syntax", ["native", "rle", "jpegls", "j2k", "htj2k", "jpeg_lossless", "jpegxl"])
def test_tiles_in_full_order_make_the_image_cut_to_its_size(tmp_path: Path, transfer_syntax: str) -> None:
    tiles = make_level(tmp_path / "a.dcm", (10, 13), transfer_syntax=transfer_syntax)

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.dims == ("y", "x", "sample")
    assert level.data.chunksize == (4, 6, 3)
    assert (level.compute() == assembled(tiles, (10, 13))).all()


def test_levels_go_from_the_finest_to_the_coarsest_and_other_images_have_their_names(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (5, 7), spacing_mm=0.002)
    make_level(tmp_path / "b.dcm", (10, 13))
    make_level(tmp_path / "c.dcm", (4, 6), kind="LABEL")
    make_level(tmp_path / "d.dcm", (4, 5), kind="OVERVIEW")

    slide = xdicom.open_slide(tmp_path)

    assert list(slide.children) == ["level_0", "level_1", "label", "overview"]
    assert [slide[name]["stored_values"].sizes["x"] for name in ("level_0", "level_1")] == [13, 7]


def test_one_range_of_millimetres_is_the_same_tissue_on_every_level(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (10, 12))
    make_level(tmp_path / "b.dcm", (5, 6), spacing_mm=0.002)

    slide = xdicom.open_slide(tmp_path)
    fine, coarse = (slide[name]["stored_values"] for name in ("level_0", "level_1"))

    assert fine["x"].values[:2].tolist() == pytest.approx([-40.0, -39.999])
    assert fine["y"].values[0] == pytest.approx(-20.0)
    assert coarse.sel(x=slice(-40.0, -39.995)).sizes["x"] == 3
    assert fine.sel(x=slice(-40.0, -39.995)).sizes["x"] == 6


def test_sparse_tiles_lie_where_they_say_and_the_others_are_white(tmp_path: Path) -> None:
    tiles = make_level(tmp_path / "a.dcm", (8, 12), places=[(5, 7), (1, 1)])

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]
    values = level.compute().values

    assert level.attrs["missing_tiles"] == 2
    assert (values[4:8, 6:12] == tiles[0]).all()
    assert (values[0:4, 0:6] == tiles[1]).all()
    assert (values[0:4, 6:12] == 255).all()


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(1, 1), (1, 1)], "lie where others do"),
        ([(1, 1), (99, 1)], "outside the total pixel matrix"),
        ([(1, 1), (2, 1)], "do not lie on a grid"),
    ],
)
def test_tiles_out_of_place_are_named(tmp_path: Path, places: list[tuple[int, int]], message: str) -> None:
    make_level(tmp_path / "a.dcm", (8, 12), places=places)

    with pytest.raises(xdicom.InconsistentSeriesError, match=message):
        xdicom.open_slide(tmp_path)


def test_optical_paths_are_an_axis_by_their_identifiers(tmp_path: Path) -> None:
    tiles = make_level(tmp_path / "a.dcm", (8, 12), paths=("DAPI", "FITC"), samples=1)

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.dims == ("optical_path", "y", "x")
    assert (level.sel(optical_path="FITC").compute() == assembled(tiles[4:], (8, 12))).all()


def test_several_tiles_may_share_a_task(tmp_path: Path) -> None:
    tiles = make_level(tmp_path / "a.dcm", (10, 13))

    level = xdicom.open_slide(tmp_path, chunks={"y": 8, "x": 12})["level_0"]["stored_values"]

    assert level.data.chunks[:2] == ((8, 2), (12, 1))
    assert (level.compute() == assembled(tiles, (10, 13))).all()


def test_chunks_may_not_divide_a_tile(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (10, 13))

    with pytest.raises(ValueError, match="whole tiles of 4 pixels"):
        xdicom.open_slide(tmp_path, chunks={"y": 5})


def test_a_region_reads_only_its_tiles(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (40, 60))
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]
    (region,) = dask.optimize(level[4:8, 6:18].data)

    with counted_reads(tmp_path) as reads:
        region.compute(scheduler="synchronous")

    assert reads.bytes == 2 * 4 * 6 * 3


def test_what_is_no_slide_is_refused(tmp_path: Path) -> None:
    make_file(tmp_path / "a.dcm", {"Modality": "CT"}, phantoms(1, 4, 6, np.uint8)[0])

    with pytest.raises(xdicom.NotDicomError, match="no image of a slide"):
        xdicom.open_slide(tmp_path)


def make_planes(path: Path, values: np.ndarray, elements: dict[str, Any], transfer_syntax: str = "native") -> Path:
    return make_file(path, elements, values, transfer_syntax)


def gray_slide(matrix: tuple[int, int], **elements: Any) -> dict[str, Any]:
    return {**slide_elements(matrix, **elements), "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}


def test_a_study_has_the_same_tree_as_the_slide_itself(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (10, 13))
    make_level(tmp_path / "b.dcm", (5, 7), spacing_mm=0.002)

    slide, study = xdicom.open_slide(tmp_path), xdicom.open_study(tmp_path)

    (series,) = study.children.values()
    assert list(series.children) == ["level_0", "level_1"]
    for name in series.children:
        assert series[name]["stored_values"].identical(slide[name]["stored_values"])


def test_xarrays_own_door_reads_the_tiles_under_what_is_indexed_alone(tmp_path: Path) -> None:
    tiles = make_level(tmp_path / "s" / "a.dcm", (40, 60))
    tree = xr.open_datatree(tmp_path / "s" / "a.dcm", engine="dicom")
    (series,) = tree.children.values()
    level = series["level_0"]["stored_values"]
    whole = assembled(tiles, (40, 60))

    with counted_reads(tmp_path) as reads:
        part = level[5:7, 13].values

    assert (part == whole[5:7, 13]).all()
    assert reads.bytes == 4 * 6 * 3
    for key in ((slice(None, None, 7), [3, 40, 9]), (slice(30, 3, -4), slice(50, 2, -1)), (slice(7, 8), slice(9, 9)), ([5, 5, 0], 7)):
        assert np.array_equal(level[key].values, whole[key])


def test_a_square_through_xarrays_own_door_is_what_was_read_and_no_copy_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_level(tmp_path / "a.dcm", (40, 60))
    (node,) = (node for node in xr.open_datatree(tmp_path, engine="dicom").subtree if node.name == "level_0")
    read: list[np.ndarray] = []
    real = xdicom.backend.read_tiles
    monkeypatch.setattr("xdicom.backend.read_tiles", lambda block: read.append(real(block)) or read[0])

    values = node["stored_values"].isel(y=slice(3, 37), x=slice(5, 55)).values

    assert np.shares_memory(values, read[0])
    assert values.shape == read[0].shape == (34, 50, 3)


def test_frames_run_along_columns_rows_focal_planes_and_then_optical_paths(tmp_path: Path) -> None:
    values = phantoms(2 * 3 * 4, *TILE, np.uint16)
    shared = [measures(0.001, SpacingBetweenSlices=0.0025)]
    paths = [
        {"OpticalPathIdentifier": "b", "OpticalPathDescription": "DAPI"},
        {"OpticalPathIdentifier": "a", "IlluminationWaveLength": 520.0},
    ]
    make_planes(
        tmp_path / "a.dcm", values,
        gray_slide((8, 12), TotalPixelMatrixFocalPlanes=3, SharedFunctionalGroupsSequence=shared, OpticalPathSequence=paths),
    )  # fmt: skip

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.dims == ("optical_path", "z", "y", "x")
    assert level["optical_path"].values.tolist() == ["b", "a"]
    assert level["optical_path_description"].values.tolist() == ["DAPI", ""]
    assert level["illumination_wavelength"].values[1] == 520
    assert level["z"].values.tolist() == [0, 2.5, 5]
    assert level["z"].attrs["units"] == "um"
    for path in range(2):
        for plane in range(3):
            first = (path * 3 + plane) * 4
            assert (level[path, plane].values == assembled(values[first : first + 4], (8, 12))).all()


def test_optical_paths_of_sparse_tiles_are_in_the_order_of_the_sequence(tmp_path: Path) -> None:
    values = phantoms(3, *TILE, np.uint8)
    groups = [place(1, 1, path="z", z_um=4), place(1, 7, path="a", z_um=1.5), place(1, 1, path="a", z_um=4)]
    paths = [{"OpticalPathIdentifier": name} for name in ("z", "a")]
    elements = gray_slide(
        (4, 12), OpticalPathSequence=paths, DimensionOrganizationType="TILED_SPARSE", PerFrameFunctionalGroupsSequence=groups
    )
    make_planes(tmp_path / "a.dcm", values, elements)

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level["optical_path"].values.tolist() == ["z", "a"]
    assert level["z"].values.tolist() == [1.5, 4]
    assert (level.sel(optical_path="z", z=4)[:, :6].values == values[0]).all()
    assert (level.sel(optical_path="a", z=1.5)[:, 6:].values == values[1]).all()
    assert (level.sel(optical_path="z", z=1.5).values == 0).all()


def test_instances_with_a_focal_plane_each_make_one_level(tmp_path: Path) -> None:
    values = phantoms(8, *TILE, np.uint8)
    for number, height in enumerate((6.0, 2.0)):
        origin = [
            {"XOffsetInSlideCoordinateSystem": 20.0, "YOffsetInSlideCoordinateSystem": 40.0, "ZOffsetInSlideCoordinateSystem": height}
        ]
        make_planes(
            tmp_path / f"{number}.dcm", values[4 * number : 4 * number + 4], gray_slide((8, 12), TotalPixelMatrixOriginSequence=origin)
        )

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level["z"].values.tolist() == [2, 6]
    assert (level.sel(z=2).values == assembled(values[4:], (8, 12))).all()
    assert (level.sel(z=6).values == assembled(values[:4], (8, 12))).all()


def make_concatenation(folder: Path, parts: Sequence[tuple[int, int]], *, written: Sequence[int]) -> np.ndarray:
    """Six tiles of a level in parts of a concatenation, of which some are written."""
    values = phantoms(6, *TILE, np.uint8)
    for number in written:
        start, stop = parts[number]
        make_planes(
            folder / f"{number}.dcm", values[start:stop],
            gray_slide(
                (8, 17), ConcatenationUID="2.25.11", InConcatenationNumber=number + 1, InConcatenationTotalNumber=len(parts),
                ConcatenationFrameOffsetNumber=start, SOPInstanceUIDOfConcatenationSource="2.25.12",
            ),
        )  # fmt: skip
    return values


def test_parts_of_a_concatenation_are_joined_wherever_they_are_cut(tmp_path: Path) -> None:
    values = make_concatenation(tmp_path, [(0, 1), (1, 5), (5, 6)], written=[2, 0, 1])

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert (level.values == assembled(values, (8, 17))).all()
    assert "notes" not in level.attrs


def test_a_missing_part_of_a_concatenation_is_named_and_its_tiles_counted(tmp_path: Path) -> None:
    values = make_concatenation(tmp_path, [(0, 1), (1, 5), (5, 6)], written=[0, 2])

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.attrs["missing_tiles"] == 4
    assert "parts 2 of 3 are missing" in level.attrs["notes"][0]
    assert (level[:4, :6].values == values[0]).all()


@pytest.mark.parametrize(
    ("photometric", "elements", "expected"),
    [
        ("RGB", {}, [255, 255, 255]),
        ("YBR_FULL", {}, [255, 128, 128]),
        ("RGB", {"RecommendedAbsentPixelCIELabValue": [0, 32896, 32896]}, [0, 0, 0]),
        ("YBR_FULL", {"RecommendedAbsentPixelCIELabValue": [0, 32896, 32896]}, [0, 128, 128]),
        ("MONOCHROME2", {}, 0),
        ("MONOCHROME1", {}, 255),
        ("MONOCHROME2", {"PixelPaddingValue": 7}, 7),
        ("MONOCHROME2", {"RecommendedAbsentPixelCIELabValue": [65535, 32896, 32896]}, 255),
    ],
)
def test_where_no_tile_is_pixels_have_the_color_of_the_header_or_of_the_background(
    tmp_path: Path, photometric: str, elements: dict[str, Any], expected: Any
) -> None:
    samples = 1 if photometric.startswith("MONO") else 3
    make_level(tmp_path / "a.dcm", (8, 12), places=[(1, 1)], samples=samples, PhotometricInterpretation=photometric, **elements)

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert (level[4:].values == np.array(expected)).all()
    if samples == 3 and not elements:
        assert (level.dicom.to_rgb()[4:].values == 255).all()


def test_a_level_that_can_not_be_arranged_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (8, 12), places=[(1, 1), (99, 1)])
    make_level(tmp_path / "b.dcm", (4, 6), spacing_mm=0.002)

    slide = xdicom.open_slide(tmp_path)

    assert list(slide.children) == ["level_0"]
    assert slide["level_0"]["stored_values"].shape[:2] == (4, 6)
    assert "volume image of 8 x 12 pixels left out: 1 tiles lie outside" in slide.attrs["problems"][0]
    (series,) = xdicom.open_study(tmp_path).children.values()
    assert "left out" in series.attrs["notes"][0]


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (8, 12))
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[:400])

    assert any("b.dcm" in problem for problem in xdicom.open_slide(tmp_path).attrs["problems"])


def test_a_number_of_frames_that_does_not_fit_the_matrix_is_named(tmp_path: Path) -> None:
    make_planes(tmp_path / "a.dcm", phantoms(3, *TILE, np.uint8), gray_slide((8, 12)))

    with pytest.raises(xdicom.InconsistentSeriesError, match=r"3 frames are there, and 4 should be: 4 tiles \(2 x 2\)"):
        xdicom.open_slide(tmp_path)


def test_an_overview_whose_matrix_is_that_of_another_image_has_the_size_of_its_frame(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (8, 12))
    make_planes(tmp_path / "b.dcm", phantoms(1, *TILE, np.uint8), gray_slide((800, 1200), kind="OVERVIEW", SeriesInstanceUID=SERIES))

    overview = xdicom.open_slide(tmp_path)["overview"]["stored_values"]

    assert overview.shape == TILE
    assert "its size is taken to be that of the frame" in overview.attrs["notes"][0]


def test_a_matrix_that_nobody_could_fill_is_refused(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (2**31, 2**31), places=[(1, 1)])

    with pytest.raises(xdicom.InconsistentSeriesError, match="can't be trusted"):
        xdicom.open_slide(tmp_path)


def test_levels_need_not_be_halves_and_show_the_same_tissue_at_the_same_millimetres(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:60, 0:90]
    for number, factor in enumerate((1, 3)):
        image = ((rows[::factor, ::factor] // 15) * 6 + columns[::factor, ::factor] // 15).astype(np.uint8)
        elements = gray_slide(image.shape, spacing_mm=0.001 * factor)
        make_planes(tmp_path / f"{number}.dcm", cut(image, TILE), elements)

    slide = xdicom.open_slide(tmp_path)
    fine, coarse = (slide[name]["stored_values"] for name in ("level_0", "level_1"))

    assert coarse.attrs["downsample"] == 3
    assert coarse.attrs["pixel_spacing"] == [0.003, 0.003]
    at = {"y": fine["y"][[3, 33, 51]], "x": fine["x"][[6, 45, 81]]}
    assert (fine.sel(at).values == coarse.sel(at, method="nearest").values).all()


def test_two_pyramids_of_one_series_are_kept_apart(tmp_path: Path) -> None:
    for number, (uid, size) in enumerate([("2.25.1", 40), ("2.25.2", 40), ("2.25.1", 20), ("2.25.2", 20)]):
        make_level(tmp_path / f"{number}.dcm", (size, size), spacing_mm=0.04 / size, PyramidUID=uid)

    slide = xdicom.open_slide(tmp_path)

    assert [node.path for node in slide.subtree if "stored_values" in node.data_vars] == [
        "/level_0", "/level_1", "/pyramid_2/level_0", "/pyramid_2/level_1",
    ]  # fmt: skip


def test_regions_of_one_size_at_other_places_are_pyramids_of_their_own(tmp_path: Path) -> None:
    for number, x in enumerate((20.0, 11.0)):
        origin = _items(XOffsetInSlideCoordinateSystem=x, YOffsetInSlideCoordinateSystem=40.0)
        make_level(tmp_path / f"{number}.dcm", (8, 12), TotalPixelMatrixOriginSequence=origin)

    slide = xdicom.open_slide(tmp_path)

    starts = {float(slide[path]["stored_values"]["y"][0]) for path in ("level_0", "pyramid_2/level_0")}
    assert starts == {-20.0, -11.0}


SEGMENTATION, LABEL_MAP, PARAMETRIC_MAP = (f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("66.4", "66.7", "30"))


def test_segments_line_up_with_their_level(tmp_path: Path) -> None:
    make_level(tmp_path / "slide" / "a.dcm", (16, 16))
    groups = [
        {**place(1, 9), "SegmentIdentificationSequence": _items(ReferencedSegmentNumber=2)},
        {**place(9, 1), "SegmentIdentificationSequence": _items(ReferencedSegmentNumber=1)},
    ]
    segments = [{"SegmentNumber": number, "SegmentLabel": label} for number, label in ((1, "tumor"), (2, "stroma"), (3, "none"))]
    masks = np.random.default_rng(3).integers(0, 2, (2, 8, 8)).astype(bool)
    make_file(
        tmp_path / "seg" / "a.dcm",
        {
            **slide_elements((16, 16)), "SOPClassUID": SEGMENTATION, "Modality": "SEG", "ImageType": ["DERIVED", "PRIMARY"],
            "SegmentationType": "BINARY", "SegmentSequence": segments, "DimensionOrganizationType": "TILED_SPARSE",
            "PerFrameFunctionalGroupsSequence": groups, "OpticalPathSequence": None,
        },
        masks,
    )  # fmt: skip

    level = xdicom.open_slide(tmp_path / "slide")["level_0"]["stored_values"]
    mask = xdicom.open_slide(tmp_path / "seg")["level_0"]["stored_values"]

    assert mask.dims == ("segment", "y", "x")
    assert mask["segment_label"].values.tolist() == ["tumor", "stroma", "none"]
    assert mask["y"].identical(level["y"])
    assert mask["x"].identical(level["x"])
    assert (mask.sel(segment=2)[:8, 8:].values == masks[0]).all()
    assert (mask.sel(segment=1)[8:, :8].values == masks[1]).all()
    assert int(mask.sum()) == masks.sum()
    assert level.where(mask.sel(segment=2) == 1).shape == level.shape


@pytest.mark.parametrize(("sop_class", "dtype"), [(LABEL_MAP, np.uint16), (PARAMETRIC_MAP, np.float32)])
def test_label_maps_and_parametric_maps_are_levels_with_zeros_where_no_tile_is(tmp_path: Path, sop_class: str, dtype: Any) -> None:
    values = phantoms(2, *TILE, np.uint16).astype(dtype)
    elements = gray_slide(
        (8, 12), SOPClassUID=sop_class, ImageType=["DERIVED", "PRIMARY"], OpticalPathSequence=None,
        DimensionOrganizationType="TILED_SPARSE", PerFrameFunctionalGroupsSequence=[place(1, 1), place(5, 7)],
    )  # fmt: skip
    make_planes(tmp_path / "a.dcm", values, elements)

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.dtype == dtype
    assert (level[4:, 6:].values == values[1]).all()
    assert (level[4:, :6].values == 0).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("region", [(0, 4, 0, 6), (3, 9, 5, 13), (0, 10, 0, 13), (9, 10, 12, 13), (2, 3, 7, 8)])
def test_a_region_read_at_once_is_the_one_that_dask_computes(tmp_path: Path, region: tuple[int, ...], threads: int) -> None:
    make_level(tmp_path / "a.dcm", (10, 13), places=[(1, 1), (5, 7), (9, 13), (1, 7)])
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]
    top, bottom, left, right = region

    read = level.dicom.read_region(y=slice(top, bottom), x=slice(left, right), threads=threads)

    assert isinstance(read.data, np.ndarray)
    assert read.identical(level[top:bottom, left:right].compute())


def test_a_region_read_at_once_reads_its_tiles_and_no_others(tmp_path: Path) -> None:
    make_level(tmp_path / "s" / "a.dcm", (40, 60))
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    with counted_reads(tmp_path) as reads:
        level.dicom.read_region(y=slice(5, 8), x=slice(6, 18))

    assert reads.bytes == 2 * 4 * 6 * 3


@pytest.mark.parametrize("threads", [2, 3, 64])
def test_threads_share_the_tiles_of_a_region(tmp_path: Path, threads: int) -> None:
    tiles = make_level(tmp_path / "a.dcm", (40, 60))
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    read = level.dicom.read_region(y=slice(5, 38), x=slice(6, 55), threads=threads)

    assert (read.values == assembled(tiles, (40, 60))[5:38, 6:55]).all()


def test_a_damaged_tile_of_another_thread_is_named(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (40, 60), transfer_syntax="jpeg")
    data = bytearray((tmp_path / "a.dcm").read_bytes())
    last = data.rindex(b"\xff\xd8\xff")
    data[last : last + 2] = b"\0\0"
    (tmp_path / "a.dcm").write_bytes(data)
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    with pytest.raises(PixelDataError, match=r"^frame 100: no JPEG stream: .*a\.dcm"):
        level.dicom.read_region(threads=2)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_of_tiles_at_the_lower_edge_of_a_region_the_upper_rows_are_decoded_alone(
    tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_level(tmp_path / "a.dcm", (12, 18), transfer_syntax="jpeg")
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]
    expected = level[2 : 8 + rows, 3:9].compute()
    real, decoded = imagecodecs.jpeg8_decode, []

    def jpeg8_decode(*given: Any, **options: Any) -> np.ndarray:
        decoded.append(len(real(*given, **options)))
        return np.asarray(real(*given, **options))

    monkeypatch.setattr(imagecodecs, "jpeg8_decode", jpeg8_decode)
    read = level.dicom.read_region(y=slice(2, 8 + rows), x=slice(3, 9))

    assert read.identical(expected)
    assert decoded == [4, 4, 4, 4, rows + 1, rows + 1]


def test_uncompressed_tiles_with_half_the_chrominance_have_that_of_each_pair_of_pixels(tmp_path: Path) -> None:
    tiles = make_level(tmp_path / "a.dcm", (12, 18), PhotometricInterpretation="YBR_FULL_422")
    whole = assembled(tiles, (12, 18))
    whole[:, 1::2, 1:] = whole[:, ::2, 1:]

    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert (level.values == whole).all()
    assert (level.dicom.read_region(y=slice(3, 11), x=slice(5, 16)).values == whole[3:11, 5:16]).all()


@pytest.mark.parametrize("transfer_syntax", ["native", "jpeg"])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
def test_colors_read_at_once_are_those_that_dask_computes(tmp_path: Path, photometric: str, transfer_syntax: str) -> None:
    make_level(
        tmp_path / "a.dcm", (10, 13), places=[(1, 1), (5, 7)], transfer_syntax=transfer_syntax, PhotometricInterpretation=photometric
    )
    rgb = xdicom.open_slide(tmp_path)["level_0"]["stored_values"].dicom.to_rgb()

    read = rgb.dicom.read_region(y=slice(2, 9), x=slice(3, 13))

    assert read.identical(rgb[2:9, 3:13].compute())


def test_a_region_of_what_is_no_slide_is_computed() -> None:
    array = xr.DataArray(np.arange(12).reshape(3, 4), dims=("y", "x")).chunk(y=1)

    assert array.dicom.read_region(y=slice(1, 3), x=2).values.tolist() == [6, 10]


@pytest.mark.parametrize(("chunks", "expected"), [(4, (8, 12)), (5, (8, 12)), ("auto", (40, 60)), ({"y": -1}, (40, 6)), (-1, (40, 60))])
def test_chunks_may_be_a_number_of_tiles(tmp_path: Path, chunks: Any, expected: tuple[int, int]) -> None:
    tiles = make_level(tmp_path / "a.dcm", (40, 60))

    level = xdicom.open_slide(tmp_path, chunks=chunks)["level_0"]["stored_values"]

    assert level.data.chunksize[:2] == expected
    assert (level.values == assembled(tiles, (40, 60))).all()


def test_a_task_carries_its_own_tiles_and_the_whole_graph_little_more_than_offsets(tmp_path: Path) -> None:
    make_level(tmp_path / "a.dcm", (400, 600))
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    (region,) = dask.optimize(level[4:8, 6:18].data)

    assert len(pickle.dumps(region.dask)) < 6000
    assert len(pickle.dumps(level.data.dask)) < 30_000


def test_the_header_of_a_level_of_several_instances_is_at_hand(tmp_path: Path) -> None:
    make_concatenation(tmp_path, [(0, 3), (3, 6)], written=[0, 1])
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.dicom.header().TotalPixelMatrixColumns == 17


def test_every_optical_path_has_its_own_color_profile(tmp_path: Path) -> None:
    adobe, srgb = (imagecodecs.cms_profile(name) for name in ("adobergb", "srgb"))
    values = phantoms(8, *TILE, np.uint8, samples=3)
    paths = [{"OpticalPathIdentifier": "a", "ICCProfile": adobe}, {"OpticalPathIdentifier": "b", "ICCProfile": srgb}]
    elements = {**slide_elements((8, 12), OpticalPathSequence=paths), "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    make_planes(tmp_path / "a.dcm", values, elements)
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    out = level.dicom.to_srgb()

    assert out.dims == ("optical_path", "y", "x", "sample")
    assert out["optical_path"].values.tolist() == ["a", "b"]
    assert out.chunks is not None
    stored = level.values.astype(int)
    assert np.abs(out.sel(optical_path="b").values.astype(int) - stored[1]).max() <= 1
    assert np.abs(out.sel(optical_path="a").values.astype(int) - stored[0]).max() > 1


def test_the_color_profile_of_a_level_of_several_instances_is_found(tmp_path: Path) -> None:
    paths = [{"OpticalPathIdentifier": "1", "ICCProfile": imagecodecs.cms_profile("srgb")}]
    for number in (0, 1):
        make_level(
            tmp_path / f"{number}.dcm", (8, 12), places=[(1, 1), (5, 7)] if number else [(1, 7)], OpticalPathSequence=paths
        )  # fmt: skip
    level = xdicom.open_slide(tmp_path)["level_0"]["stored_values"]

    assert level.attrs["tiles"] == 3
    assert np.abs(level.dicom.to_srgb().values.astype(int) - level.values).max() <= 1


def test_the_command_lists_the_images_of_a_slide_and_draws_it(tmp_path: Path) -> None:
    make_level(tmp_path / "s" / "a.dcm", (40, 60))
    make_level(tmp_path / "s" / "b.dcm", (20, 30), spacing_mm=0.002)
    run = CliRunner()

    told = run.invoke(app, ["info", str(tmp_path / "s"), "--json"])
    drawn = run.invoke(app, ["preview", str(tmp_path / "s"), str(tmp_path / "s.png"), "--size", "202"])

    (slide,) = json.loads(told.stdout)["slides"].values()
    assert [image["name"] for image in slide["images"]] == ["level_0", "level_1"]
    assert slide["images"][0]["tiles"] == 100
    assert slide["images"][0]["gigapixels"] == 40 * 60 / 1e9
    assert slide["images"][0]["transfer_syntaxes"] == ["Explicit VR Little Endian"]
    assert slide["images"][1]["spacing_um"] == [2.0, 2.0]
    assert drawn.exit_code == 0
    assert "the whole slide and a field of its finest level, 202 x 100 pixels" in drawn.stdout
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
