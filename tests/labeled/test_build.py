"""Labelled arrays: named dimensions, positions in millimetres, still lazy, and at home in another process."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from builders import AXIAL, CORONAL, OBLIQUE, make_cine, make_ct, make_enhanced_mr, make_file, make_nm, make_seg, phantom, phantoms, uid
from doubles import counted_reads
from index.arranged import make_planes, only_grid, repeated
from index.test_axes import each
from index.test_tiles import mosaic
from labeled.opened import labels, opened
from xdicom.labeled.build import STORED_VALUES, describe, label
from xdicom.lazy.frames import frames_to_dask


def test_a_volume_has_its_name_dimensions_and_values(tmp_path: Path) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0])

    array = opened(tmp_path)

    assert (array.name, array.dims) == (STORED_VALUES, ("z", "y", "x"))
    np.testing.assert_array_equal(array, np.stack([phantom(1), phantom(2), phantom(0)]))


DIMS = {
    "echoes": (("echo_time", "z", "y", "x"), lambda folder: make_enhanced_mr(folder / "a.dcm")),
    "color cine": (("time", "y", "x", "sample"), lambda folder: make_cine(folder / "a.dcm")),
    "gray cine": (("time", "y", "x"), lambda folder: make_cine(folder / "a.dcm", photometric="MONOCHROME2")),
    "one picture": (("y", "x"), lambda folder: make_file(folder / "a.dcm", {"Modality": "CR"}, phantom(0))),
    "one color picture": (
        ("y", "x", "sample"),
        lambda folder: make_file(folder / "a.dcm", {"PhotometricInterpretation": "RGB"}, phantom(0, dtype=np.uint8, samples=3)),
    ),
    "frames of nothing known": (("frame", "y", "x"), lambda folder: make_file(folder / "a.dcm", {}, phantoms(3))),
    "nuclear medicine": (("energy_window", "detector", "y", "x"), lambda folder: make_nm(folder / "a.dcm")),
    "segmentation": (("segment", "z", "y", "x"), lambda folder: make_seg(folder / "a.dcm")),
    "mosaic": (("z", "y", "x"), lambda folder: mosaic(folder / "a.dcm", 4)),
    "one slice": (("z", "y", "x"), lambda folder: make_ct(folder, [3.0])),
}  # fmt: skip


@pytest.mark.parametrize(("dims", "make"), DIMS.values(), ids=DIMS)
def test_dimensions_are_named_by_what_they_are(tmp_path: Path, dims: tuple[str, ...], make: object) -> None:
    make(tmp_path)  # type: ignore[operator]

    array = opened(tmp_path)

    assert array.dims == dims
    assert isinstance(array.data, da.Array)
    assert array.compute().shape == array.shape


@pytest.mark.parametrize("orientation", [AXIAL, CORONAL, OBLIQUE])
def test_index_coordinates_are_positions_in_millimetres(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    make_ct(tmp_path, [5.0, 2.5], orientation=orientation, origin_mm=(-10.0, -20.0), pixel_spacing=(0.7, 0.5), rows=4, columns=3)

    array = opened(tmp_path)

    np.testing.assert_allclose(array["z"], [2.5, 5.0], atol=1e-6)
    np.testing.assert_allclose(array["y"], [-20, -19.3, -18.6, -17.9], atol=1e-6)
    np.testing.assert_allclose(array["x"], [-10, -9.5, -9.0], atol=1e-6)
    assert {array[name].attrs["units"] for name in "xyz"} == {"mm"}
    assert array["z"].dtype == np.float64


def test_a_slice_is_found_by_its_position(tmp_path: Path) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0])

    np.testing.assert_array_equal(opened(tmp_path).sel(z=1.8, method="nearest"), phantom(2))


def test_uneven_positions_are_kept(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 1.0, 2.7])

    np.testing.assert_allclose(opened(tmp_path)["z"], [0, 1, 2.7])


def test_series_of_one_frame_of_reference_and_orientation_line_up(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0, 2.0, 4.0, 6.0])
    make_ct(tmp_path / "b", [2.0, 4.0, 8.0], SeriesDescription="other")

    first, second = xr.align(opened(tmp_path / "a"), opened(tmp_path / "b"))

    assert labels(first, "z") == labels(second, "z") == [2, 4]


def test_making_labels_reads_no_pixel(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0])
    grid = only_grid(tmp_path)

    with counted_reads(tmp_path) as reads:
        label(frames_to_dask(grid), grid)

    assert reads.opened == []


def test_the_repr_reads_no_pixel(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0])
    array = opened(tmp_path)

    with counted_reads(tmp_path) as reads:
        text = repr(array) + array._repr_html_()

    assert "stored_values" in text
    assert reads.opened == []


def test_labels_fit_values_that_are_in_memory(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0])
    grid = only_grid(tmp_path)

    array = label(phantoms(2), grid)

    assert isinstance(array.data, np.ndarray)
    assert array.attrs == opened(tmp_path).attrs


def _mean(pickled: bytes) -> tuple[float, list[float]]:
    array = pickle.loads(pickled)
    return float(array.mean().compute(scheduler="sync")), array["z"].values.tolist()


def test_an_array_pickles_and_computes_in_another_process(tmp_path: Path) -> None:
    make_ct(tmp_path, [4.0, 0.0, 2.0], transfer_syntax="jpegls")

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        mean, z = pool.submit(_mean, pickle.dumps(opened(tmp_path))).result()

    assert mean == phantoms(3).mean()
    assert z == [0, 2, 4]


def test_selection_keeps_values_and_labels_together(tmp_path: Path) -> None:
    make_planes(tmp_path, repeated([0.0, 2.0, 4.0], 2), {"EchoTime": each([5, 10])})

    part = opened(tmp_path).isel(echo_time=1, z=[2, 0])

    assert labels(part, "instance_number") == [6, 4]
    np.testing.assert_array_equal(part, np.stack([phantom(5, 2, 3), phantom(3, 2, 3)]))


def test_series_join_along_a_dimension_with_their_labels(tmp_path: Path) -> None:
    make_ct(tmp_path / "a", [0.0, 2.0], slope=2.0)
    make_ct(tmp_path / "b", [4.0, 6.0], slope=3.0)

    joined = xr.concat(
        [opened(tmp_path / "a"), opened(tmp_path / "b")], "z", coords="all", compat="override", join="outer", combine_attrs="override"
    )

    assert labels(joined, "rescale_slope") == [2, 2, 3, 3]
    assert labels(joined, "z") == [0, 2, 4, 6]


def test_descriptions_are_made_without_an_array(tmp_path: Path) -> None:
    make_ct(tmp_path, [0.0, 2.0])

    coords, attrs = describe(only_grid(tmp_path))

    assert {"z", "y", "x", "instance_number", "sop_instance_uid"} <= set(coords)
    assert attrs["modality"] == "CT"


def test_positions_of_mosaics_are_coordinates_of_the_slices_alone(tmp_path: Path) -> None:
    for number in range(2):
        mosaic(tmp_path / f"{number}.dcm", 4, number=number)

    assert opened(tmp_path)["image_position_patient_z"].dims == ("z",)


def test_single_pictures_have_no_coordinates_across_frames(tmp_path: Path) -> None:
    make_file(tmp_path / "a.dcm", {"Modality": "CR", "SOPInstanceUID": uid("one")}, phantom(0))

    array = opened(tmp_path)

    assert array.attrs["sop_instance_uid"] == uid("one")
    assert not set(array.coords) & {"z", "frame", "time"}
