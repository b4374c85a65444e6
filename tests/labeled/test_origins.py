"""From a labelled array back to the files: whole headers on demand, in the process that opened them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from builders import TRANSFER_SYNTAXES, make_ct, make_enhanced_mr, make_file, make_seg, phantom, uid
from doubles import counted_reads
from labeled.opened import opened
from xdicom.errors import SourceError
from xdicom.labeled.origins import locate_frames, place_of, read_header


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


def test_an_instance_that_was_not_opened_has_no_place() -> None:
    assert place_of("1.2.3.4") is None


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
