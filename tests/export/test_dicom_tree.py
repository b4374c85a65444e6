"""Trees go into folders as they are named, and come back as the same trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import OBLIQUE, make_ct, make_pet, make_seg, uid
from export.test_slide_exports import make_pyramid
from xdicom.errors import SourceError, UnsupportedEncodingError, XDicomError
from xdicom.export.dicom_tree import write_dicom_tree


def arrays_of(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    return {node.path: node["stored_values"] for node in tree.subtree if "stored_values" in node.data_vars}


def assert_same(again: xr.DataTree, tree: xr.DataTree) -> None:
    new, old = arrays_of(again), arrays_of(tree)
    assert sorted(new) == sorted(old)
    for path, array in old.items():
        assert new[path].dims == array.dims
        np.testing.assert_array_equal(new[path].values, array.values)
        for dim in map(str, array.dims):
            if array[dim].dtype.kind == "f":
                np.testing.assert_allclose(new[path][dim].values, array[dim].values, atol=1e-6)


def make_study(folder: Path) -> xr.DataTree:
    """A series of two stacks, and another."""
    make_ct(folder / "ct", [0.0, 2.5, 5.0], series_uid=uid("scouts"))
    make_ct(folder / "tilted", [0.0, 2.5], ["a.dcm", "b.dcm"], orientation=OBLIQUE, series_uid=uid("scouts"), rows=10)
    make_pet(folder / "pet")
    return xdicom.open_study(folder)


def uids_in(folder: Path, keyword: str) -> set[str]:
    return {str(pydicom.dcmread(path)[keyword].value) for path in folder.rglob("*.dcm")}


def test_a_study_comes_back_as_it_was(tmp_path: Path) -> None:
    study = make_study(tmp_path / "in")

    written = write_dicom_tree(study, tmp_path / "out", progress=False)

    assert_same(xdicom.open_study(tmp_path / "out"), study)
    assert sorted(written) == sorted(path.lstrip("/") for path in arrays_of(study))
    assert sum(each.instances for each in written.values()) == len(list((tmp_path / "out").rglob("*.dcm")))
    assert uids_in(tmp_path / "out", "StudyInstanceUID") == uids_in(tmp_path / "in", "StudyInstanceUID")


def test_stacks_of_one_series_stay_in_one_series(tmp_path: Path) -> None:
    study = make_study(tmp_path / "in")
    stacks = [path for path in arrays_of(study) if path.count("/") == 2]

    written = write_dicom_tree(study, tmp_path / "out", progress=False)

    assert len(stacks) == 2
    assert len({written[path.lstrip("/")].series_instance_uid for path in stacks}) == 1
    assert len(uids_in(tmp_path / "out", "SeriesInstanceUID")) == 2
    assert not uids_in(tmp_path / "out", "SeriesInstanceUID") & uids_in(tmp_path / "in", "SeriesInstanceUID")
    assert len(uids_in(tmp_path / "out", "SOPInstanceUID")) == len(list((tmp_path / "in").rglob("*.dcm")))


def test_a_slide_comes_back_with_its_levels_as_one_pyramid(tmp_path: Path) -> None:
    slide = make_pyramid(tmp_path / "in", "native", "RGB")

    written = slide.dicom.to_dicom(tmp_path / "out", transfer_syntax="jpeg-ls", progress=False)

    again = xdicom.open_slide(tmp_path / "out")
    assert_same(again, slide)
    assert len(uids_in(tmp_path / "out", "SeriesInstanceUID")) == 1
    headers = {path.parent.name: pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "out").rglob("*.dcm")}
    levels = [header for name, header in headers.items() if name.startswith("level_")]
    assert sorted(written) == sorted(headers)
    assert len(levels) == 3
    assert len({header.PyramidUID for header in levels}) == 1
    assert "PyramidUID" not in headers["label"]
    assert sorted(header.InstanceNumber for header in headers.values()) == [1, 2, 3, 4]


def test_colors_of_a_slide_are_written_instead_of_what_jpeg_stores(tmp_path: Path) -> None:
    slide = make_pyramid(tmp_path / "in")

    def to_rgb(node: xr.Dataset) -> xr.Dataset:
        return node["stored_values"].dicom.to_rgb().to_dataset(name="rgb") if "stored_values" in node else node

    slide.map_over_datasets(to_rgb).dicom.to_dicom(tmp_path / "out", progress=False)

    for path, array in arrays_of(xdicom.open_slide(tmp_path / "out")).items():
        np.testing.assert_array_equal(array.values, slide[path]["stored_values"].dicom.to_rgb().values)


def test_a_seed_makes_the_same_identities_again(tmp_path: Path) -> None:
    study = make_study(tmp_path / "in")

    for name in ("one", "two"):
        write_dicom_tree(study, tmp_path / name, uid_seed="7", progress=False)

    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        assert uids_in(tmp_path / "one", keyword) == uids_in(tmp_path / "two", keyword)
    assert len(uids_in(tmp_path / "one", "SOPInstanceUID")) == len(list((tmp_path / "one").rglob("*.dcm")))


def test_identities_of_a_study_that_did_not_change_are_kept(tmp_path: Path) -> None:
    study = make_study(tmp_path / "in")

    write_dicom_tree(study, tmp_path / "out", keep_uids=True, progress=False)

    for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
        assert uids_in(tmp_path / "out", keyword) == uids_in(tmp_path / "in", keyword)


def test_nothing_is_written_where_an_array_is_of_a_kind_that_is_not(tmp_path: Path) -> None:
    make_ct(tmp_path / "in", [0.0, 2.5])
    make_seg(tmp_path / "in" / "seg.dcm")

    with pytest.raises(UnsupportedEncodingError, match=r"^\S*seg\S*: .* written by to_segmentation\(\)"):
        write_dicom_tree(xdicom.open_study(tmp_path / "in"), tmp_path / "out", progress=False)

    assert not (tmp_path / "out").exists()


def test_nothing_is_written_of_a_slide_in_colors_that_slides_do_not_have(tmp_path: Path) -> None:
    slide = make_pyramid(tmp_path / "in")

    with pytest.raises(UnsupportedEncodingError, match=r"^level_0: a slide is not written in YBR_FULL"):
        write_dicom_tree(slide, tmp_path / "out", progress=False)

    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda study: study.map_over_datasets(lambda node: node.drop_vars(list(node.data_vars))), "the tree has no array to write"),
        (lambda study: study.map_over_datasets(_with_two), "^1_ct: the node holds stored_values and modality_values"),
    ],
    ids=["none", "two"],
)
def test_a_node_has_one_array(change: Callable[[xr.DataTree], xr.DataTree], told: str, tmp_path: Path) -> None:
    make_ct(tmp_path / "in", [0.0, 2.5])

    with pytest.raises(ValueError, match=told):
        write_dicom_tree(change(xdicom.open_study(tmp_path / "in")), tmp_path / "out", progress=False)


def _with_two(node: xr.Dataset) -> xr.Dataset:
    return node.assign(modality_values=node["stored_values"].dicom.to_modality()) if "stored_values" in node else node


def test_an_error_says_at_which_node_it_happened(tmp_path: Path) -> None:
    study = make_study(tmp_path / "in")
    write_dicom_tree(study, tmp_path / "out", progress=False)
    last = list(arrays_of(study))[-1].lstrip("/")
    first = next(iter(arrays_of(study))).lstrip("/")
    (tmp_path / "out" / first / "00001.dcm").unlink()

    with pytest.raises(SourceError, match=rf"^{first}: .* holds 00002\.dcm .*overwrite=True"):
        write_dicom_tree(study, tmp_path / "out", progress=False)

    written = write_dicom_tree(study, tmp_path / "out", overwrite=True, progress=False)
    assert last in written


def test_damaged_frames_are_told_with_their_node(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path / "in", [0.0], transfer_syntax="jpegls")
    study = xdicom.open_study(tmp_path / "in")
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))

    with pytest.raises(XDicomError, match=r"^1_ct: "):
        write_dicom_tree(study, tmp_path / "out", progress=False)
