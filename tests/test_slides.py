"""Whole slides: levels of a pyramid, tiles in their places, edges cut, missing tiles filled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

import xdicom
from builders import make_file, phantoms
from doubles import counted_reads

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


@pytest.mark.parametrize("transfer_syntax", ["native", "rle", "jpegls"])
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
