"""From a labelled array back to the files: whole headers on demand, in the process that opened them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import TRANSFER_SYNTAXES, make_ct, make_enhanced_mr, make_file, make_seg, phantom, uid
from doubles import counted_reads
from labeled.opened import elsewhere, labels, opened
from xdicom.errors import SourceError
from xdicom.labeled.origins import locate_frames, read_header


@pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian", "rle", "deflated"])
def test_the_header_of_a_frame_is_that_of_its_file(tmp_path: Path, syntax: str) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0], transfer_syntax=syntax, varying={"InstanceNumber": [11, 12, 13]}, OperatorsName="A^B")
    array = opened(tmp_path)

    headers = [read_header(array, i) for i in range(3)]

    assert [header.InstanceNumber for header in headers] == [12, 13, 11]
    assert str(headers[0].OperatorsName) == "A^B"
    assert headers[0].file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[syntax]


def test_no_pixel_is_in_the_header_nor_read_for_it(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path, [0.0], rows=64, columns=64)
    array = opened(tmp_path)

    with counted_reads(tmp_path) as reads:
        header = read_header(array)

    assert "PixelData" not in header
    assert reads.pixel_bytes(path) == 0
    assert reads.left_open == 0


def test_frames_are_named_by_dimension_too(tmp_path: Path) -> None:
    for echo in (5.0, 10.0):
        make_enhanced_mr(tmp_path / f"{echo}.dcm", (echo,), SeriesInstanceUID=uid("one"), ContentLabel=f"E{echo:g}")

    array = opened(tmp_path)

    assert read_header(array, {"echo_time": 1, "z": 2}).ContentLabel == "E10"


def test_the_header_follows_a_selection(tmp_path: Path) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0], varying={"InstanceNumber": [11, 12, 13]})

    array = opened(tmp_path)

    assert read_header(array.isel(z=2)).InstanceNumber == 11
    assert read_header(array[::-1], 0).InstanceNumber == 11


def test_a_single_picture_has_its_header(tmp_path: Path) -> None:
    array = opened(
        make_file(tmp_path / "a.dcm", {"Modality": "CR", "SOPInstanceUID": uid("picture"), "StudyDescription": "hand"}, phantom(0))
    )

    assert read_header(array).StudyDescription == "hand"


def test_an_array_of_another_process_says_what_to_do(tmp_path: Path) -> None:
    array = xr.DataArray(np.zeros((1, 2, 2)), dims=("z", "y", "x"), coords={"sop_instance_uid": ("z", [uid("nowhere")])})

    with pytest.raises(SourceError, match=r"not opened in this process: open its location with open_series"):
        read_header(array)


def changed_copy(tmp_path: Path) -> None:
    """A series in `one`, and in `two` the same instances with other pixels."""
    for name, value in (("one", 1), ("two", 2)):
        make_ct(
            tmp_path / name,
            [0.0, 2.0],
            values=lambda i, value=value: np.full((8, 6), 10 * value + i, np.int16),
            StudyDescription=name,
            series_uid=uid("copied"),
        )


THROUGH = {
    "as it is": lambda array: array,
    "selected": lambda array: array.isel(z=[1, 0], x=slice(2)),
    "computed": lambda array: array.compute(),
    "transformed": lambda array: array.dicom.to_modality().astype("f8") * 2,
    "sorted and named": lambda array: array.sortby("z", ascending=False).rename("other"),
    "in a tree": lambda array: xr.DataTree(array.to_dataset()).map_over_datasets(lambda node: node)["stored_values"],
    "copied": lambda array: copy.deepcopy(array).copy(deep=True),
    "one slice": lambda array: array.isel(z=1),
}


@pytest.mark.parametrize("through", THROUGH.values(), ids=THROUGH)
@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_copies_with_the_same_uids_are_told_apart(
    order: tuple[str, str], through: Callable[[xr.DataArray], xr.DataArray], tmp_path: Path
) -> None:
    changed_copy(tmp_path)
    arrays = {name: xdicom.open_series(tmp_path / name) for name in order}

    for name, array in arrays.items():
        assert read_header(through(array)).StudyDescription == name
        located = locate_frames(through(array))
        assert located is not None
        assert {Path(url).parent.name for url in located[0].instances.urls} == {name}


def test_references_are_to_the_copy_that_was_opened(tmp_path: Path) -> None:
    changed_copy(tmp_path)
    one, _two = (xdicom.open_series(tmp_path / name) for name in ("one", "two"))

    references = one.dicom.to_kerchunk()
    one.dicom.to_zarr(tmp_path / "one.zarr", codecs="original", progress=False)

    assert str(tmp_path / "one") in str(references)
    assert str(tmp_path / "two") not in str(references)
    assert xr.open_zarr(tmp_path / "one.zarr")["stored_values"].equals(one)


def test_xarrays_own_door_knows_the_files_too(tmp_path: Path) -> None:
    changed_copy(tmp_path)
    arrays = [xr.open_dataset(tmp_path / name, engine="dicom")["stored_values"] for name in ("one", "two")]

    assert [read_header(array).StudyDescription for array in arrays] == ["one", "two"]


def unnamed(array: xr.DataArray) -> xr.DataArray:
    """`array` without the name of what it was opened from, as another process or a store gives it."""
    return xr.DataArray.from_dict(array.to_dict())


def test_what_does_not_tell_its_copy_is_of_the_last_one_opened(tmp_path: Path) -> None:
    changed_copy(tmp_path)
    one, _two = (xdicom.open_series(tmp_path / name) for name in ("one", "two"))

    assert read_header(unnamed(one)).StudyDescription == "two"


def test_what_was_opened_is_sent_nowhere(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0])
    array = xdicom.open_series(tmp_path)

    sent = elsewhere(array.compute())

    assert str(tmp_path).encode() not in pickle.dumps(array.compute())
    with pytest.raises(SourceError, match="not opened in this process"):
        read_header(sent)


def test_an_array_knows_its_files_however_many_others_were_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdicom.labeled.origins._MAX_TABLES", 3)
    for number in range(5):
        make_ct(tmp_path / str(number), [0.0, 2.0], series_uid=uid(number), StudyDescription=str(number))

    arrays = [xdicom.open_series(tmp_path / str(number)) for number in range(5)]

    assert [read_header(array).StudyDescription for array in arrays] == ["0", "1", "2", "3", "4"]


def of_one_uid(tmp_path: Path) -> xr.DataArray:
    """Slices that a careless writer gave one SOP Instance UID, in files whose names say nothing of their order."""
    make_ct(
        tmp_path, [0.0, 2.0, 4.0, 6.0], ["c.dcm", "a.dcm", "d.dcm", "b.dcm"], values=lambda i: np.full((8, 6), i, np.int16),
        varying={"SOPInstanceUID": [uid("one"), uid("one"), uid("one"), uid("two")], "OperatorsName": ["A", "B", "C", "D"]},
    )  # fmt: skip
    return xdicom.open_series(tmp_path)


def test_slices_of_one_uid_are_told_apart(tmp_path: Path) -> None:
    array = of_one_uid(tmp_path)

    assert labels(array, "sop_instance_occurrence") == [1, 2, 3, 1]
    assert [str(read_header(array, i).OperatorsName) for i in range(4)] == ["A", "B", "C", "D"]
    assert str(read_header(array.sel(z=4.0)).OperatorsName) == "C"


@pytest.mark.parametrize("part", [slice(None), slice(1, 3), slice(2, 3), slice(None, None, -1)])
def test_slices_of_one_uid_are_moved_each_from_its_own_file(part: slice, tmp_path: Path) -> None:
    array = of_one_uid(tmp_path / "in").isel(z=part)

    array.dicom.to_zarr(tmp_path / "out.zarr", codecs="original", progress=False)

    assert np.array_equal(xr.open_zarr(tmp_path / "out.zarr")["stored_values"].values, array.values)


def test_the_name_of_what_was_opened_is_in_no_store(tmp_path: Path) -> None:
    make_ct(tmp_path / "in", [0.0, 2.0])
    array = xdicom.open_series(tmp_path / "in")

    array.dicom.to_zarr(tmp_path / "out.zarr", progress=False)
    array.drop_vars("sop_instance_uid").drop_attrs().to_dataset().to_zarr(tmp_path / "plain.zarr", consolidated=False)

    for path in tmp_path.glob("*.zarr/**/zarr.json"):
        assert "xdicom_opened" not in path.read_text()


def test_no_path_is_in_the_array(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0])
    array = opened(tmp_path)

    told = repr(array.attrs) + "".join(str(coordinate.values) for coordinate in array.coords.values()) + repr(array)

    assert str(tmp_path) not in told


def test_planes_are_traced_to_their_frames(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "a.dcm", (4.0, 8.0), (0.0, 2.0, 4.0), order=[5, 0, 3, 1, 4, 2])

    found = locate_frames(opened(tmp_path).isel(z=slice(None, None, -1)))

    assert found is not None
    frames, rows = found
    assert frames.frame_number[rows].tolist() == [[6, 4, 2], [1, 5, 3]]


def test_planes_without_a_frame_are_traced_to_none(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", frames=((1, 0.0), (2, 2.5)))

    found = locate_frames(opened(tmp_path))

    assert found is not None
    assert (found[1] < 0).tolist() == [[False, True], [True, False]]


def test_planes_of_two_series_joined_are_traced_to_both(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0, 2.0])
    make_ct(tmp_path / "b", [4.0, 6.0])

    joined = xr.concat(
        [opened(tmp_path / name) for name in "ab"], "z", coords="all", compat="override", join="outer", combine_attrs="override"
    )
    found = locate_frames(joined)

    assert found is not None
    assert [found[0].instances.urls[found[0].instance[row]] for row in found[1].tolist()] == [
        str(p) for p in sorted(tmp_path.rglob("*.dcm"))
    ]


def test_an_array_without_instances_is_traced_to_nothing() -> None:
    assert locate_frames(xr.DataArray(np.zeros((2, 2)), dims=("y", "x"))) is None
