"""Bad input at the doors: each kind its own error, with what was found, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import (
    make_cine,
    make_enhanced_mr,
    make_file,
    make_not_dicom,
    make_palette,
    make_seg,
    make_sr,
    phantom,
    uid,
)
from test_api import write_ct, write_study
from xdicom.errors import (
    InconsistentSeriesError,
    MultipleSeriesError,
    NotDicomError,
    PixelDataError,
    SourceError,
    UnsupportedEncodingError,
    XDicomError,
)


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return write_ct(tmp_path)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path)


DOORS = pytest.mark.parametrize("door", [xdicom.open_frames, xdicom.open_series, xdicom.open_study], ids=["frames", "series", "study"])


@DOORS
def test_a_path_that_is_not_there_is_named(tmp_path: Path, door: Callable[[Path], object]) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        door(tmp_path / "nowhere")


@DOORS
def test_an_empty_folder_holds_no_files(tmp_path: Path, door: Callable[[Path], object]) -> None:
    with pytest.raises(SourceError, match="the location holds no files"):
        door(tmp_path)


def test_scanning_an_empty_folder_gives_an_empty_catalog(tmp_path: Path) -> None:
    assert len(xdicom.scan(tmp_path)) == 0


@DOORS
def test_a_text_file_by_another_name_is_no_dicom_file(tmp_path: Path, door: Callable[[Path], object]) -> None:
    with pytest.raises(NotDicomError, match="not a DICOM file") as caught:
        door(make_not_dicom(tmp_path / "slices.dcm"))

    assert "slices.dcm" in str(caught.value)


@DOORS
def test_a_report_has_no_pixel_data(tmp_path: Path, door: Callable[[Path], object]) -> None:
    with pytest.raises(NotDicomError, match="no pixel data"):
        door(make_sr(tmp_path / "report.dcm"))


@DOORS
def test_an_empty_file_is_empty(tmp_path: Path, door: Callable[[Path], object]) -> None:
    (tmp_path / "a.dcm").write_bytes(b"")

    with pytest.raises(NotDicomError, match="empty"):
        door(tmp_path)


def test_a_file_cut_within_its_header_is_no_image(ct: Path) -> None:
    path = ct / "a.dcm"
    path.write_bytes(path.read_bytes()[:600])

    with pytest.raises(NotDicomError):
        xdicom.open_series(path)


def test_a_file_cut_within_its_pixels_opens_and_says_so_when_it_is_computed(ct: Path) -> None:
    path = ct / "a.dcm"
    path.write_bytes(path.read_bytes()[:-10])

    array = xdicom.open_series(ct)

    np.testing.assert_array_equal(array.isel(z=0), phantom(1))
    with pytest.raises(PixelDataError, match="frame 1") as caught:
        array.isel(z=1).compute()
    assert "a.dcm" in str(caught.value)
    assert any("a.dcm" in note.url for note in xdicom.scan(ct).notes)


def test_several_series_are_refused_with_their_list(study: Path) -> None:
    with pytest.raises(MultipleSeriesError, match="series_uid=") as caught:
        xdicom.open_series(study)

    assert uid("cine") in str(caught.value)


def test_a_series_that_is_not_there_is_refused_with_the_list(study: Path) -> None:
    with pytest.raises(NotDicomError, match=r"no series 1\.2\.3"):
        xdicom.open_series(study, series_uid="1.2.3")


def test_several_stacks_are_refused_with_their_list_and_reasons(study: Path) -> None:
    with pytest.raises(MultipleSeriesError, match="stack=") as caught:
        xdicom.open_series(study, series_uid=uid("localizer"))

    assert "coronal: z 2, y 2, x 3 (orientation: coronal" in str(caught.value)


def test_a_stack_that_is_not_there_is_refused_with_the_list(study: Path) -> None:
    with pytest.raises(MultipleSeriesError, match=r"no stack 'sagittal'; there are:\n  coronal: .*\n  axial: "):
        xdicom.open_series(study, series_uid=uid("localizer"), stack="sagittal")


def test_frames_of_different_shapes_are_refused_with_their_shapes(tmp_path: Path) -> None:
    make_file(tmp_path / "a.dcm", {}, phantom(0))
    make_file(tmp_path / "b.dcm", {}, phantom(0, 16, 6))

    with pytest.raises(InconsistentSeriesError, match=r"8 x 6 int16; 16 x 6 int16"):
        xdicom.open_frames(tmp_path)


def test_video_is_refused_by_name(tmp_path: Path) -> None:
    from builders import encapsulate

    elements = {"Rows": 8, "Columns": 8, "BitsAllocated": 8, "BitsStored": 8, "SamplesPerPixel": 1, "NumberOfFrames": 1}
    make_file(tmp_path / "a.dcm", elements, encapsulate([b"\0\0\1\xb3" * 8]), "mpeg2")

    with pytest.raises(UnsupportedEncodingError):
        xdicom.open_series(tmp_path)


def test_an_unknown_dimension_in_chunks_is_refused(ct: Path) -> None:
    with pytest.raises(ValueError, match="the dimensions are z, y, x"):
        xdicom.open_series(ct, chunks={"time": 2})


def test_one_bad_file_does_not_stop_the_others(ct: Path) -> None:
    make_not_dicom(ct / "notes.txt")
    make_sr(ct / "report.dcm")

    assert xdicom.open_series(ct).sizes["z"] == 3


@pytest.mark.parametrize("make", [make_palette, make_seg, make_enhanced_mr, make_cine])
def test_every_kind_of_object_is_opened_and_computed(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    array = xdicom.open_series(make(tmp_path / "a.dcm"))

    assert array.compute().shape == array.shape


@pytest.mark.corpus
def test_malformed_files_end_in_our_own_errors(corpus: Path) -> None:
    for path in sorted((corpus / "malformed").rglob("*")):
        if not path.is_file():
            continue
        try:
            arrays = [node["stored_values"] for node in xdicom.open_study(path).subtree if "stored_values" in node.data_vars]
        except XDicomError:
            continue

        assert all(array.dtype.isnative and array.ndim >= 2 for array in arrays), path


@pytest.mark.corpus
def test_every_real_series_is_a_tree_that_keeps_every_frame(corpus: Path) -> None:
    for folder in sorted((corpus / "series").iterdir()):
        tree = xdicom.open_study(folder)
        uids: set[tuple[str, int]] = set()
        for node in tree.subtree:
            if "stored_values" not in node.data_vars:
                continue
            array = node["stored_values"]
            outer = {dim: size for dim, size in array.sizes.items() if dim not in ("y", "x", "sample")}
            instance = array["sop_instance_uid"] if "sop_instance_uid" in array.coords else xr.DataArray(array.attrs["sop_instance_uid"])
            number = array["frame_number"] if "frame_number" in array.coords else xr.DataArray(1)
            instance, number = xr.broadcast(instance, number)
            shape = instance.broadcast_like(xr.DataArray(np.zeros(tuple(outer.values())), dims=tuple(outer)))
            uids |= set(zip(shape.values.reshape(-1).tolist(), number.broadcast_like(shape).values.reshape(-1).tolist(), strict=True))
        catalog = xdicom.scan(folder)
        frames = catalog.frames
        expected = set(zip(frames.texts("sop_instance_uid").tolist(), frames.frame_number.tolist(), strict=True))
        assert {entry for entry in uids if entry[1]} == expected, folder.name
