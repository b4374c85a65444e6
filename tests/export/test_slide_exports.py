"""Pyramids of slides to OME-Zarr and to stores of references: the levels that are there, tiles as they lie."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from ome_zarr_models.v05 import Image
from typer.testing import CliRunner, Result

import xdicom
from builders import make_file, phantoms
from builders.slides import cut, make_streams_slide, measures, place, slide_elements
from builders.streams import encode_frame
from xdicom import InconsistentSeriesError, SourceError, UnsupportedEncodingError
from xdicom.cli import app

TILE = (8, 8)
SIZES = ((60, 83, 0.001), (20, 27, 0.0031), (6, 8, 0.0104))


def picture(rows: int, columns: int) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns]
    return np.stack([200 + 40 * np.sin(x / 9), 120 + 3 * (y % 20), 190 - x % 50], axis=-1).astype(np.uint8)


def make_pyramid(folder: Path, transfer_syntax: str = "jpeg", photometric: str = "YBR_FULL", **elements: Any) -> xr.DataTree:
    for number, (rows, columns, spacing) in enumerate(SIZES):
        image = picture(rows, columns)
        tiles = cut(image if photometric != "MONOCHROME2" else image[..., 0], TILE)
        given = {**slide_elements((rows, columns), spacing_mm=spacing), "PhotometricInterpretation": photometric, **elements}
        make_file(folder / f"{number}.dcm", given, tiles, transfer_syntax)
    label = {**slide_elements((8, 8), kind="LABEL"), "PhotometricInterpretation": "RGB"}
    make_file(folder / "label.dcm", label, phantoms(1, 8, 8, np.uint8, samples=3))
    return xdicom.open_slide(folder)


def open_kerchunk(references: Any) -> zarr.storage.FsspecStore:
    options = {"remote_protocol": "file", "remote_options": {"asynchronous": True}}
    return zarr.storage.FsspecStore(fsspec.filesystem("reference", fo=references, asynchronous=True, **options), read_only=True, path="")


FORMS = [("jpeg", "YBR_FULL"), ("jpeg", "RGB"), ("native", "RGB"), ("native", "YBR_FULL"), ("j2k", "YBR_RCT"), ("native", "MONOCHROME2"),
         ("htj2k", "MONOCHROME2"), ("jpegls", "RGB"), ("rle", "RGB")]  # fmt: skip


@pytest.mark.parametrize(
    ("transfer_syntax", "photometric", "codecs"),
    [*((*form, "original") for form in FORMS), *((*form, "auto") for form in FORMS[:1] + FORMS[5:6]), (*FORMS[2], None)],
)
def test_every_level_comes_back_in_red_green_and_blue(tmp_path: Path, transfer_syntax: str, photometric: str, codecs: Any) -> None:
    slide = make_pyramid(tmp_path / "slide", transfer_syntax, photometric)

    slide.dicom.to_ome_zarr(tmp_path / "out.zarr", codecs=codecs, progress=False)

    for number in range(3):
        level = slide[f"level_{number}"]["stored_values"]
        back = xr.open_zarr(tmp_path / "out.zarr", group=f"scale{number}")
        if photometric == "MONOCHROME2":
            assert (back["stored_values"].values == level.values).all()
        else:
            assert (back["rgb"].values == np.moveaxis(level.dicom.to_rgb().values, -1, 0)).all()
        assert back["y"].values.tolist() == level["y"].values.tolist()


def test_it_is_an_image_of_ome_zarr_whose_levels_have_their_own_spacing(tmp_path: Path) -> None:
    slide = make_pyramid(tmp_path / "slide")

    slide.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)

    root = zarr.open_group(tmp_path / "out.zarr", mode="r")
    Image.from_zarr(root)
    datasets = root.attrs["ome"]["multiscales"][0]["datasets"]
    scales = [dataset["coordinateTransformations"][0]["scale"] for dataset in datasets]
    assert [scale[1:] for scale in scales] == [[spacing, spacing] for _, _, spacing in SIZES]
    assert root.attrs["xdicom"]["affine_slide_mm"] == slide["level_0"]["stored_values"].attrs["affine"]
    assert sorted(root.group_keys()) == ["scale0", "scale1", "scale2"]


def test_tiles_are_moved_and_not_decoded_and_a_shard_holds_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = make_pyramid(tmp_path / "slide", "j2k", "YBR_RCT")
    monkeypatch.setitem(xdicom.pixels.codecs.DECODERS, "1.2.840.10008.1.2.4.90", lambda data, encoding: pytest.fail("decoded"))  # type: ignore[attr-defined]
    monkeypatch.setattr("xdicom.export.slide_ome_zarr._sample", lambda level: np.zeros(1, np.uint8))

    written = slide.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)

    assert written.blocks == 3
    assert len([path for path in (tmp_path / "out.zarr").rglob("c/*") if path.is_file() and "rgb" in path.parts]) <= 3
    assert written.values < 88 * 1000


@pytest.mark.parametrize("codecs", ["original", "auto"])
@pytest.mark.parametrize(("shards", "files"), [({"y": 16, "x": 24}, 16), ({"y": -1, "x": -1}, 1), (None, 88)])
def test_shards_are_as_they_are_wanted(tmp_path: Path, shards: Any, files: int, codecs: Any) -> None:
    slide = make_pyramid(tmp_path / "slide")

    slide.dicom.to_ome_zarr(tmp_path / "out.zarr", shards=shards, codecs=codecs, progress=False)

    assert len([path for path in (tmp_path / "out.zarr" / "scale0" / "rgb" / "c").rglob("*") if path.is_file()]) == files


def test_missing_tiles_are_white_in_the_store_too(tmp_path: Path) -> None:
    stream = encode_frame(np.full((8, 8, 3), 90, np.uint8), "jpeg", 8, "YBR_FULL")
    elements = {
        **slide_elements((16, 16), DimensionOrganizationType="TILED_SPARSE"), "PerFrameFunctionalGroupsSequence": [place(1, 9)],
        "Rows": 8, "Columns": 8, "SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL", "PlanarConfiguration": 0,
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
    }  # fmt: skip
    make_streams_slide(tmp_path / "slide" / "a.dcm", [stream], "jpeg", elements)
    slide = xdicom.open_slide(tmp_path / "slide")

    slide.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)

    back = xr.open_zarr(tmp_path / "out.zarr", group="scale0")["rgb"].values
    assert (back == np.moveaxis(slide["level_0"]["stored_values"].dicom.to_rgb().values, -1, 0)).all()
    assert (back[:, 8:] == 255).all()
    with pytest.raises(UnsupportedEncodingError, match="one value for all"):
        slide.dicom.to_kerchunk()


def test_optical_paths_are_channels_and_focal_planes_are_in_micrometres(tmp_path: Path) -> None:
    values = phantoms(2 * 3 * 4, *TILE, np.uint16)
    paths = [{"OpticalPathIdentifier": "DAPI"}, {"OpticalPathIdentifier": "FITC"}]
    shared = [measures(0.001, SpacingBetweenSlices=0.0025)]
    elements = slide_elements((16, 16), TotalPixelMatrixFocalPlanes=3, OpticalPathSequence=paths, SharedFunctionalGroupsSequence=shared)
    make_file(tmp_path / "slide" / "a.dcm", elements, values)
    slide = xdicom.open_slide(tmp_path / "slide")

    slide.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)

    ome = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs["ome"]
    axes = {axis["name"]: axis for axis in ome["multiscales"][0]["axes"]}
    assert list(axes) == ["c", "z", "y", "x"]
    assert axes["z"]["unit"] == "micrometer"
    assert ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"][1] == 2.5
    assert [channel["label"] for channel in ome["omero"]["channels"]] == ["DAPI", "FITC"]
    back = xr.open_zarr(tmp_path / "out.zarr", group="scale0")["stored_values"].values
    assert (back == slide["level_0"]["stored_values"].values).all()


def test_what_is_no_pyramid_or_no_form_of_one_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    slide = make_pyramid(tmp_path / "slide")
    study = xdicom.open_study(tmp_path / "slide")

    with pytest.raises(SourceError, match=r"no child level_0\); there is one at /"):
        study.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)
    mixed = slide.copy()
    mixed["level_1"] = xr.DataTree(slide["level_1"].to_dataset().astype(np.uint16))
    with pytest.raises(InconsistentSeriesError, match="levels differ in more than their size"):
        mixed.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)
    changed = slide.copy()
    changed["level_1"] = xr.DataTree(slide["level_1"].to_dataset().isel(y=slice(0, 5)))
    with pytest.raises(UnsupportedEncodingError, match="as open_slide"):
        changed.dicom.to_ome_zarr(tmp_path / "out.zarr", progress=False)
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize(("transfer_syntax", "photometric"), [("jpeg", "YBR_FULL"), ("native", "RGB"), ("jpegls", "MONOCHROME2")])
def test_references_to_a_pyramid_open_as_the_slide_itself(tmp_path: Path, transfer_syntax: str, photometric: str) -> None:
    slide = make_pyramid(tmp_path / "slide", transfer_syntax, photometric)

    references = slide.dicom.to_kerchunk(tmp_path / "refs.json")

    assert json.loads((tmp_path / "refs.json").read_text()) == references
    back = xr.open_datatree(open_kerchunk(references), engine="zarr", consolidated=False)
    assert sorted(back.children) == ["label", "level_0", "level_1", "level_2"]
    for name in back.children:
        assert back[name]["stored_values"].identical(slide[name]["stored_values"].compute())
    frames = [entry for entry in references["refs"].values() if isinstance(entry, list)]
    assert len(frames) == sum(int(level["stored_values"].attrs["tiles"]) for level in slide.children.values())


def test_one_level_is_moved_to_zarr_as_it_lies(tmp_path: Path) -> None:
    level = make_pyramid(tmp_path / "slide")["level_0"]["stored_values"]

    level.dicom.to_zarr(tmp_path / "out.zarr", codecs="original", progress=False)

    assert xr.open_zarr(tmp_path / "out.zarr")["stored_values"].identical(level.compute())


def test_a_pyramid_in_icechunk_opens_as_the_slide_itself(tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")
    slide = make_pyramid(tmp_path / "slide")
    config, url = icechunk.RepositoryConfig.default(), f"file://{tmp_path}/"
    config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(url, store=icechunk.local_filesystem_store(str(tmp_path))))
    allowed = {url: getattr(icechunk.credentials, "LocalFileSystemAccess", None)}  # older ones want None
    repository = icechunk.Repository.create(icechunk.in_memory_storage(), config=config, authorize_virtual_chunk_access=allowed)
    session = repository.writable_session("main")

    count = slide.dicom.to_icechunk(session.store)
    session.commit("pyramid")

    back = xr.open_datatree(repository.readonly_session("main").store, engine="zarr", consolidated=False)
    assert count == sum(int(level["stored_values"].attrs["tiles"]) for level in slide.children.values())
    assert back["level_1"]["stored_values"].identical(slide["level_1"]["stored_values"].compute())


@pytest.mark.parametrize("codecs", ["original", "auto"])
def test_an_interrupted_pyramid_is_completed(tmp_path: Path, codecs: str, contents: Callable[[Path], dict[str, bytes]]) -> None:
    slide, store = make_pyramid(tmp_path / "slide", "native", "RGB"), tmp_path / "out.zarr"
    options: dict[str, Any] = {"codecs": codecs, "shards": {"y": 16, "x": 16} if codecs == "auto" else "auto", "progress": False}
    slide.dicom.to_ome_zarr(store, **options)
    whole = contents(store)
    next(path for path in (store / "scale1").rglob("0") if path.is_file() and path.parent.name == "0").unlink()

    written = slide.dicom.to_ome_zarr(store, resume=True, **options)

    assert written.blocks == 1
    assert contents(store) == whole


def test_a_slide_is_written_and_referred_to_from_a_shell(tmp_path: Path) -> None:
    slide = make_pyramid(tmp_path / "slide")

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    image = run("to-ome-zarr", tmp_path / "slide", tmp_path / "slide.ome.zarr")
    whole = run("to-virtual", tmp_path / "slide", tmp_path / "slide.json")
    level = run("to-virtual", tmp_path / "slide", tmp_path / "level.json", "--stack", "level_1")

    assert [result.exit_code for result in (image, whole, level)] == [0, 0, 0]
    assert "102 frames in" in whole.stdout
    assert len(zarr.open_group(tmp_path / "slide.ome.zarr").attrs["ome"]["multiscales"][0]["datasets"]) == 3
    tree = xr.open_datatree(open_kerchunk(str(tmp_path / "slide.json")), engine="zarr", consolidated=False)
    for name in ("level_0", "level_1", "level_2", "label"):
        assert tree[name].dataset["stored_values"].identical(slide[name].dataset["stored_values"])
    one = xr.open_zarr(open_kerchunk(str(tmp_path / "level.json")))["stored_values"]
    assert one.identical(slide["level_1"].dataset["stored_values"])
    assert run("to-ome-zarr", tmp_path / "slide", tmp_path / "other.zarr", "--levels", "2").exit_code == 2
    assert (
        "no image 'level_9'; there are level_0" in run("to-virtual", tmp_path / "slide", tmp_path / "x.json", "--stack", "level_9").output
    )
