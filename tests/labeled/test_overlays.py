"""Overlays on the pixels of a labelled array, read when they are computed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from dask._task_spec import Alias
from pydicom import dcmread

from builders import make_ct, make_file, phantom, phantoms
from labeled.opened import elsewhere, opened
from xdicom.errors import PixelDataError, SourceError, UnsupportedEncodingError
from xdicom.labeled.overlays import overlays

ROWS, COLUMNS = 7, 5


def packed(bits: np.ndarray) -> bytes:
    """Overlay Data of `bits`, padded to words."""
    data = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    return data + b"\0" * (len(data) % 2)


def bits_of(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(bool)


def plane(group: int, rows: int = ROWS, columns: int = COLUMNS, bits: np.ndarray | None = None, **more: Any) -> dict[int, tuple[str, Any]]:
    """Elements of one overlay."""
    base = group << 16
    elements: dict[int, tuple[str, Any]] = {
        base | 0x10: ("US", rows), base | 0x11: ("US", columns), base | 0x40: ("CS", more.get("kind", "G")),
        base | 0x50: ("SS", more.get("origin", [1, 1])), base | 0x100: ("US", more.get("allocated", 1)),
        base | 0x102: ("US", more.get("position", 0)),
    }  # fmt: skip
    if "frames" in more:
        elements[base | 0x15] = ("IS", more["frames"])
    if "first_frame" in more:
        elements[base | 0x51] = ("US", more["first_frame"])
    if "label" in more:
        elements[base | 0x1500] = ("LO", more["label"])
    if bits is not None:
        elements[base | 0x3000] = ("OW", packed(bits))
    return elements


def image(tmp_path: Path, elements: dict[int, Any], pixels: np.ndarray | None = None, syntax: str = "native", **more: Any) -> xr.DataArray:
    return opened(make_file(tmp_path / "image.dcm", elements, phantom(1, ROWS, COLUMNS) if pixels is None else pixels, syntax, **more))


def series(tmp_path: Path, count: int = 5) -> tuple[xr.DataArray, np.ndarray]:
    """CT slices of which each has a lesion of its own, and those lesions."""
    bits = bits_of(3, count, ROWS, COLUMNS)
    for i in range(count):
        lesion: dict[Any, Any] = {tag: [value] for tag, value in plane(0x6002, bits=bits[i], label="lesion").items()}
        make_ct(tmp_path / "ct", [2.5 * i], [f"{i}.dcm"], rows=ROWS, columns=COLUMNS, series_uid="1.2.3.4", varying=lesion)
    return opened(tmp_path / "ct"), bits


@pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian", "deflated", "rle", "jpegls"])
def test_planes_lie_on_the_image_in_every_syntax(tmp_path: Path, syntax: str) -> None:
    first, second = bits_of(1, 3, 3), bits_of(2, ROWS, COLUMNS)
    data = packed(first)
    elements = {**plane(0x6000, 3, 3, origin=[2, 4], label="lesion"), 0x60003000: ("OW", data), **plane(0x601E, bits=second, kind="R")}
    if syntax == "big_endian":
        elements[0x60003000] = ("OW", np.frombuffer(data, "<u2").astype(">u2").tobytes())
        elements[0x601E3000] = ("OW", np.frombuffer(packed(second), "<u2").astype(">u2").tobytes())
    expected = np.zeros((ROWS, COLUMNS), bool)
    expected[1:4, 3:5] = first[:, :2]

    out = overlays(image(tmp_path, elements, syntax=syntax))

    assert (out.name, out.dims, out.shape, out.dtype) == ("overlays", ("overlay", "y", "x"), (2, ROWS, COLUMNS), bool)
    assert np.array_equal(out.sel(overlay=0x6000), expected)
    assert np.array_equal(out.sel(overlay=0x601E), second)
    assert out["overlay_label"].values.tolist() == ["lesion", ""]
    assert out["overlay_type"].values.tolist() == ["G", "R"]


@pytest.mark.parametrize("origin", [(0, 0), (-2, 3), (6, 4), (20, 1), (-30, -30)])
def test_what_lies_beyond_the_image_is_cut_off(tmp_path: Path, origin: tuple[int, int]) -> None:
    bits = bits_of(5, 9, 11)
    canvas = np.zeros((100, 100), bool)
    canvas[40 + origin[0] - 1 : 49 + origin[0] - 1, 40 + origin[1] - 1 : 51 + origin[1] - 1] = bits

    out = overlays(image(tmp_path, plane(0x6000, 9, 11, bits, origin=list(origin))))

    assert np.array_equal(out.values[0], canvas[40 : 40 + ROWS, 40 : 40 + COLUMNS])


def test_frames_of_an_overlay_begin_at_their_image_frame(tmp_path: Path) -> None:
    bits = bits_of(6, 2, ROWS, COLUMNS)

    out = overlays(image(tmp_path, plane(0x6000, bits=bits, frames=2, first_frame=3), phantoms(5, ROWS, COLUMNS)))

    assert out.dims == ("overlay", "frame", "y", "x")
    assert np.array_equal(out.values[0], np.concatenate([np.zeros((2, ROWS, COLUMNS), bool), bits, np.zeros((1, ROWS, COLUMNS), bool)]))


def test_an_overlay_without_frames_lies_on_every_frame(tmp_path: Path) -> None:
    bits = bits_of(7, ROWS, COLUMNS)

    out = overlays(image(tmp_path, plane(0x6000, bits=bits), phantoms(3, ROWS, COLUMNS)))

    assert np.array_equal(out.values[0], np.stack([bits] * 3))


@pytest.mark.parametrize("syntax", ["native", "big_endian", "rle"])
@pytest.mark.parametrize("is_signed", [False, True])
def test_bits_embedded_in_the_pixel_cells_are_overlays(tmp_path: Path, syntax: str, is_signed: bool) -> None:
    bits = bits_of(8, 2, 3, ROWS, COLUMNS)
    stored = np.random.default_rng(9).integers(0, 2048, (3, ROWS, COLUMNS), dtype=np.uint16)
    cells = stored | bits[0].astype(np.uint16) << 12 | bits[1].astype(np.uint16) << 15
    elements: dict[Any, Any] = {**plane(0x6000, allocated=16, position=12), **plane(0x6002, allocated=16, position=15), "HighBit": 11}

    array = image(tmp_path, elements, cells.view(np.int16) if is_signed else cells, syntax, bits_stored=12)

    assert np.array_equal(overlays(array).values, bits)
    assert np.array_equal(array.values, stored)


def test_every_slice_has_its_own_overlay_and_follows_selection_and_sorting(tmp_path: Path) -> None:
    array, bits = series(tmp_path)

    out = overlays(array)

    assert out.dims == ("overlay", "z", "y", "x")
    assert np.array_equal(out.values[0], bits)
    assert np.array_equal(overlays(array.isel(z=[3, 1, 1])).values[0], bits[[3, 1, 1]])
    assert np.array_equal(overlays(array.isel(z=2)).values[0], bits[2])
    assert np.array_equal(overlays(xr.concat([array[3:], array[:2]], "z")).values[0], bits[[3, 4, 0, 1]])
    assert out["z"].equals(array["z"])


def test_slices_without_an_overlay_have_none_of_its_pixels(tmp_path: Path) -> None:
    _, bits = series(tmp_path, 2)
    make_ct(tmp_path / "ct", [5.0], ["bare.dcm"], rows=ROWS, columns=COLUMNS, series_uid="1.2.3.4")

    out = overlays(opened(tmp_path / "ct"))

    assert out.shape == (1, 3, ROWS, COLUMNS)
    assert np.array_equal(out.values[0, :2], bits)
    assert not out.values[0, 2].any()
    assert out["overlay_label"].values.tolist() == ["lesion"]


@pytest.mark.parametrize("how", ["dask", "numpy", "zarr"])
def test_values_transformed_or_held_otherwise_have_the_same_overlays(tmp_path: Path, how: str) -> None:
    array, bits = series(tmp_path)
    for stage in (array, array.dicom.to_modality(), array.dicom.to_display()):
        if how == "numpy":
            held = stage.load()
        elif how == "zarr":
            stage.dicom.to_zarr(tmp_path / f"{stage.name}.zarr")
            held = xr.open_zarr(tmp_path / f"{stage.name}.zarr")[stage.name]
        else:
            held = stage

        assert np.array_equal(overlays(held).values[0], bits)


@pytest.mark.parametrize("chunks", [1, 2, (1, 3, 1), 5])
def test_any_chunking_scheduler_and_pickling_gives_the_same_bits(tmp_path: Path, chunks: Any) -> None:
    array, bits = series(tmp_path)

    out = overlays(array.chunk(z=chunks))

    assert out.chunks is not None
    assert out.chunks[1] == array.chunk(z=chunks).chunks[0]  # type: ignore[index]
    for scheduler in ("synchronous", "threads"):
        assert np.array_equal(pickle.loads(pickle.dumps(out)).compute(scheduler=scheduler).values[0], bits)


def test_scanning_reads_no_bits_and_a_task_those_of_its_frames(tmp_path: Path) -> None:
    array, bits = series(tmp_path)
    out = overlays(array)

    (one,) = dask.optimize(out[:, 3].data)

    assert sum(not isinstance(task, Alias) for task in dict(one.__dask_graph__()).values()) == 1
    path = tmp_path / "ct" / "3.dcm"
    data = path.read_bytes()
    at = data.index(packed(bits[3]))
    stat = path.stat()
    path.write_bytes(data[:at] + packed(~bits[3]) + data[at + len(packed(bits[3])) :])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert np.array_equal(one.compute()[0], ~bits[3])


def test_overlays_are_equal_arrays_when_made_twice(tmp_path: Path) -> None:
    array, _ = series(tmp_path)

    assert overlays(array).data.name == overlays(array).data.name
    assert overlays(array).data.name != overlays(array[:3]).data.name


def test_the_array_tells_which_overlays_there_are(tmp_path: Path) -> None:
    array, _ = series(tmp_path)

    assert array.attrs["overlay_groups"] == [0x6002]
    assert "overlay_groups" not in overlays(array).attrs


def test_groups_without_bits_are_no_overlays(tmp_path: Path) -> None:
    array = image(tmp_path, {**plane(0x6000), **plane(0x6004, bits=None)})

    with pytest.raises(ValueError, match="no overlays"):
        overlays(array)


def test_rows_and_columns_have_to_be_whole(tmp_path: Path) -> None:
    array, _ = series(tmp_path)

    with pytest.raises(ValueError, match="7 x 5 pixels of a frame: call overlays"):
        overlays(array.isel(x=slice(0, 2)))
    with pytest.raises(ValueError, match="7 x 5 pixels of a frame: call overlays"):
        overlays(array.isel(y=0))


def test_overlays_of_what_this_process_did_not_open_are_refused(tmp_path: Path) -> None:
    array = elsewhere(series(tmp_path)[0])

    with pytest.raises(SourceError, match="open their location with open_series"):
        overlays(array)
    with pytest.raises(ValueError, match="no overlays"):
        overlays(array.drop_attrs())


def test_bits_that_are_missing_are_refused_when_they_are_computed(tmp_path: Path) -> None:
    out = overlays(image(tmp_path, {**plane(0x6000, 90, 50), 0x60003000: ("OW", b"\1\0")}))

    with pytest.raises(PixelDataError, match="overlay 6000 of 90 x 50 needs 563 bytes up to its frame 1, its data has 2"):
        out.compute()


def test_an_embedded_overlay_in_bits_of_the_sample_is_refused(tmp_path: Path) -> None:
    array = image(tmp_path, plane(0x6000, allocated=16, position=3), bits_stored=12)

    with pytest.raises(PixelDataError, match=r"overlay 6000 is said to lie in bit 3 of the pixel cells.* 0 to 11 are the sample"):
        overlays(array)


def test_an_embedded_overlay_in_lossy_pixels_is_refused(tmp_path: Path) -> None:
    path = make_file(tmp_path / "image.dcm", {**plane(0x6000, allocated=16, position=12)}, phantom(1, ROWS, COLUMNS), "j2k", bits_stored=12)
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.4.91"))

    with pytest.raises(UnsupportedEncodingError, match=r"which a lossy transfer syntax \(1.2.840.10008.1.2.4.91\) does not keep"):
        overlays(opened(path))


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name", ["fo-dicom/OutOfBoundsOverlay.dcm", "pydicom-data/MR-SIEMENS-DICOM-WithOverlays.dcm", "pydicom/examples_overlay.dcm"]
)
def test_overlays_of_real_files_are_those_that_pydicom_reads(corpus: Path, name: str) -> None:
    array = opened(corpus / "files" / name)
    dataset = dcmread(corpus / "files" / name)

    out = overlays(array)

    for group in out["overlay"].values.tolist():
        bits, (row, column) = dataset.overlay_array(group), dataset[group, 0x50].value
        there = np.zeros(np.add(bits.shape, 2000), bool)
        there[1000:, 1000:][: bits.shape[0], : bits.shape[1]] = bits
        expected = there[1001 - row : 1001 - row + dataset.Rows, 1001 - column : 1001 - column + dataset.Columns]
        expected = np.pad(expected, [(0, dataset.Rows - expected.shape[0]), (0, dataset.Columns - expected.shape[1])])
        assert np.array_equal(out.sel(overlay=group).values.reshape(expected.shape), expected)
