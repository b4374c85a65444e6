"""Frames as byte ranges: which can be told, with which codec, and what is refused."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import make_cine, make_ct, make_seg, phantoms
from doubles import counted_reads
from export.conftest import open_ct
from xdicom import InconsistentSeriesError, SourceError, UnsupportedEncodingError
from xdicom.export.references import references_of


def codec_names(array: xr.DataArray) -> list[str]:
    references = references_of(array)
    return [codec.to_dict()["name"] for codec in (*references.filters, references.serializer)]


def test_a_chunk_is_the_range_of_a_frame(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 3, values=lambda i: np.full((8, 6), 100 + i, np.int16))

    references = references_of(ct)

    for i in range(3):
        url = references.urls[references.source[i, 0, 0]]
        with open(url, "rb") as file:
            file.seek(references.offset[i, 0, 0])
            data = file.read(references.length[i, 0, 0])
        np.testing.assert_array_equal(np.frombuffer(data, "<i2"), 100 + i)


def test_references_follow_selection_and_order(tmp_path: Path) -> None:
    ct = open_ct(tmp_path / "ct", 5)
    whole = references_of(ct)

    part = references_of(ct[::-2])

    assert [part.urls[i] for i in part.source.flat] == [whole.urls[i] for i in whole.source.flat][::-2]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["bytes"]),
        ({"transfer_syntax": "big_endian"}, ["bytes"]),
        ({"bits_stored": 12, "dtype": np.uint16}, ["xdicom.frame"]),
        ({"transfer_syntax": "jpegls"}, ["xdicom.frame"]),
    ],
)
def test_codecs_of_zarr_are_used_where_they_say_what_the_frame_is(tmp_path: Path, options: dict[str, Any], names: list[str]) -> None:
    assert codec_names(open_ct(tmp_path / "ct", 2, **options)) == names


@pytest.mark.parametrize(("planar", "names"), [(0, ["bytes"]), (1, ["transpose", "bytes"])])
def test_colour_by_plane_is_transposed(tmp_path: Path, planar: int, names: list[str]) -> None:
    make_cine(tmp_path / "cine.dcm", PlanarConfiguration=planar)

    assert codec_names(xdicom.open_series(tmp_path / "cine.dcm")) == names


def test_a_series_of_native_and_encapsulated_frames_has_one_codec(tmp_path: Path) -> None:
    uid = "1.2.3"
    make_ct(tmp_path / "ct", [0.0, 2.5], ["a", "b"], series_uid=uid)
    make_ct(tmp_path / "ct", [5.0, 7.5], ["c", "d"], series_uid=uid, transfer_syntax="jpegls")
    ct = xdicom.open_series(tmp_path / "ct")

    references = references_of(ct)

    assert len(references.serializer.encodings) == 2


def test_two_compressions_in_one_array_are_refused(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", [0.0, 2.5], ["a", "b"], series_uid="1.2.3", transfer_syntax="rle")
    make_ct(tmp_path / "ct", [5.0, 7.5], ["c", "d"], series_uid="1.2.3", transfer_syntax="jpegls")

    with pytest.raises(InconsistentSeriesError, match="2 encodings, which differ in transfer_syntax_uid"):
        references_of(xdicom.open_series(tmp_path / "ct"))


def test_frames_that_begin_within_a_byte_share_a_chunk(tmp_path: Path) -> None:
    make_cine(tmp_path / "mask.dcm", 11, photometric="MONOCHROME2", values=phantoms(11, 3, 3, np.uint8) > 5)
    mask = xdicom.open_series(tmp_path / "mask.dcm")

    assert references_of(mask).chunk_shape == (8, 3, 3)


def test_frames_that_begin_within_a_byte_and_are_not_in_order_are_refused(tmp_path: Path) -> None:
    make_cine(tmp_path / "mask.dcm", 11, photometric="MONOCHROME2", values=phantoms(11, 3, 3, np.uint8) > 5)
    mask = xdicom.open_series(tmp_path / "mask.dcm")

    with pytest.raises(UnsupportedEncodingError, match="begin within a byte"):
        references_of(mask[::-1])


def test_planes_without_a_frame_are_no_range(tmp_path: Path) -> None:
    make_seg(tmp_path / "seg.dcm", rows=8, columns=8)
    seg = xdicom.open_series(tmp_path / "seg.dcm")

    references = references_of(seg)

    assert (references.source < 0).sum() == 1


def test_the_deflated_transfer_syntax_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedEncodingError, match=r"deflated transfer syntax.*to_zarr"):
        references_of(open_ct(tmp_path / "ct", 2, transfer_syntax="deflated"))


def test_members_of_a_tar_file_are_ranges_of_it(tmp_path: Path) -> None:
    paths = make_ct(tmp_path / "ct")
    with tarfile.open(tmp_path / "ct.tar", "w") as archive:
        for path in paths:
            archive.add(path, path.name)

    references = references_of(xdicom.open_series(tmp_path / "ct.tar"))

    assert set(references.urls) == {str(tmp_path / "ct.tar")}
    assert len(set(references.offset.flat)) == 3


def test_compressed_members_of_an_archive_are_refused(tmp_path: Path) -> None:
    paths = make_ct(tmp_path / "ct")
    with zipfile.ZipFile(tmp_path / "ct.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)

    with pytest.raises(UnsupportedEncodingError, match="compressed in its source"):
        references_of(xdicom.open_series(tmp_path / "ct.zip"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ct: ct.dicom.to_modality(), "can't be traced"),
        (lambda ct: ct.drop_vars("sop_instance_uid"), "can't be traced"),
        (lambda ct: ct.copy(data=ct.data + np.int16(1)), "other values than its frames"),
    ],
    ids=["modality", "nameless", "computed"],
)
def test_values_that_are_not_those_of_files_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        references_of(change(open_ct(tmp_path / "ct", 2)))


def edited(ct: xr.DataArray) -> xr.DataArray:
    ct = ct.copy(deep=True)
    ct[3, 5, 2] += 1
    return ct


EDITS: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "in memory": lambda ct: edited(ct.load()),
    "lazily": edited,
    "where": lambda ct: ct.where(ct.z < 5, np.int16(0)).astype("int16"),
    "blocks": lambda ct: ct.copy(data=ct.data.map_blocks(lambda block: block * np.int16(0), name="stored_values_of_mine")),
    "turned": lambda ct: ct[:, ::-1],
    "rolled": lambda ct: ct.copy(data=np.roll(ct.values, 1, axis=0)),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_change_of_any_frame_is_noticed(tmp_path: Path, edit: Callable[[xr.DataArray], xr.DataArray]) -> None:
    ct = edit(open_ct(tmp_path / "ct", 6))

    with pytest.raises(SourceError, match="other values than its frames"):
        references_of(ct)
    with pytest.raises(SourceError, match="other values than its frames"):
        ct.dicom.to_zarr(tmp_path / "ct.zarr", codecs="original", progress=False)


MOVES: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "as opened": lambda ct: ct,
    "loaded": lambda ct: ct.load(),
    "persisted": lambda ct: ct.persist(),
    "chosen": lambda ct: ct[::-2],
    "chunked": lambda ct: ct.chunk(z=4),
    "joined": lambda ct: xr.concat([ct[3:], ct[:3]], "z"),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_what_was_only_moved_is_referred_to(tmp_path: Path, move: Callable[[xr.DataArray], xr.DataArray]) -> None:
    ct = move(open_ct(tmp_path / "ct", 6))

    references = references_of(ct)

    assert references.offset.size == ct.sizes["z"]


@pytest.mark.parametrize("is_lazy", [True, False])
def test_few_frames_are_read_where_the_graph_shows_that_none_was_computed_on(tmp_path: Path, is_lazy: bool) -> None:
    ct = open_ct(tmp_path / "ct", 12)
    ct = ct if is_lazy else ct.load()

    with counted_reads(tmp_path) as reads:
        references_of(ct)

    read = sum(reads.pixel_bytes(path) > 0 for path in (tmp_path / "ct").iterdir())
    assert read == (4 if is_lazy else 12)


def test_parts_of_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedEncodingError, match="8 x 4 are no whole frames of 8 x 6"):
        references_of(open_ct(tmp_path / "ct", 2)[:, :, :4])


def test_no_file_is_named_by_a_store_of_moved_frames(tmp_path: Path) -> None:
    folder = tmp_path / "DOE^JANE"
    make_ct(folder, transfer_syntax="jpegls", PatientName="DOE^JANE")

    xdicom.open_series(folder).dicom.to_zarr(tmp_path / "store.zarr", codecs="original", progress=False)

    everything = b"".join(path.read_bytes() for path in (tmp_path / "store.zarr").rglob("*") if path.is_file())
    assert everything
    assert b"DOE" not in everything
    assert os.fsencode(folder) not in everything
