"""The doors: scan, open_frames, open_series and open_study, and a clear error for each bad input."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import (
    AXIAL,
    CORONAL,
    make_cine,
    make_ct,
    make_pet,
    make_sr,
    phantom,
    phantoms,
    uid,
)
from doubles import counted_reads
from fresh import imports
from index.arranged import make_planes


def write_ct(tmp_path: Path) -> Path:
    """Three slices in shuffled files."""
    make_ct(tmp_path / "ct", [4.0, 0.0, 2.0], ["b.dcm", "c.dcm", "a.dcm"], SeriesNumber=4, SeriesDescription="Thorax (soft)")
    return tmp_path / "ct"


def write_study(tmp_path: Path) -> Path:
    """CT, a localizer of two orientations, a cine run and what is no image."""
    make_ct(tmp_path / "ct", [0.0, 2.0, 4.0], SeriesNumber=4, SeriesDescription="Thorax (soft)")
    for name, orientation in (("a", AXIAL), ("b", CORONAL)):
        make_planes(
            tmp_path / "localizer" / name, [0.0, 2.0], {"SOPInstanceUID": [uid(name, 0), uid(name, 1)]}, SeriesInstanceUID=uid("localizer"),
            ImageOrientationPatient=orientation, SeriesNumber=1, SeriesDescription="Localizer",
        )  # fmt: skip
    make_cine(tmp_path / "us.dcm", 5, SeriesInstanceUID=uid("cine"))
    make_sr(tmp_path / "report.dcm")
    return tmp_path


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return write_ct(tmp_path)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path)


# --- the story -------------------------------------------------------------------------------------------------------------


def test_a_folder_is_scanned_into_a_catalog(study: Path) -> None:
    catalog = xdicom.scan(study)

    assert isinstance(catalog, xdicom.Catalog)
    assert [series.modality for series in catalog.series] == ["CT", "MR", "US"]
    assert len(catalog.problems) == 1


def test_a_folder_becomes_a_labelled_array(ct: Path) -> None:
    array = xdicom.open_series(ct)

    assert (array.name, array.dims, array.dtype) == ("stored_values", ("z", "y", "x"), np.dtype(np.int16))
    assert array["z"].values.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(array, np.stack([phantom(1), phantom(2), phantom(0)]))


def test_a_file_becomes_an_array_of_its_frames(tmp_path: Path) -> None:
    array = xdicom.open_frames(make_cine(tmp_path / "us.dcm", 4))

    assert isinstance(array, da.Array)
    np.testing.assert_array_equal(array, phantoms(4, dtype=np.uint8, samples=3))


def test_frames_of_several_files_come_in_file_order(ct: Path) -> None:
    np.testing.assert_array_equal(xdicom.open_frames(ct), np.stack([phantom(2), phantom(0), phantom(1)]))


def test_a_study_becomes_a_tree(study: Path) -> None:
    tree = xdicom.open_study(study)

    assert isinstance(tree, xr.DataTree)
    assert set(tree.children) == {"1_mr_localizer", "1_us", "4_ct_thorax_soft"}
    assert list(tree.children)[-1] == "4_ct_thorax_soft"
    assert tree["4_ct_thorax_soft/stored_values"].dims == ("z", "y", "x")
    assert set(tree["1_mr_localizer"].children) == {"axial", "coronal"}


LOCATIONS: dict[str, Callable[[Path], object]] = {
    "a folder": lambda folder: folder,
    "a text": str,
    "a pattern": lambda folder: f"{folder}/*.dcm",
    "a list of files": lambda folder: sorted(folder.glob("*")),
    "a URL": lambda folder: f"file://{folder}",
    "a catalog": xdicom.scan,
}


@pytest.mark.parametrize("kind", LOCATIONS)
def test_a_location_may_be_named_in_many_ways(ct: Path, kind: str) -> None:
    array = xdicom.open_series(LOCATIONS[kind](ct))  # type: ignore[arg-type]

    assert array["z"].values.tolist() == [0, 2, 4]
    assert array.compute().sum() == phantoms(3).sum()


def test_an_archive_is_opened_like_a_folder(ct: Path) -> None:
    with zipfile.ZipFile(ct.parent / "ct.zip", "w") as archive:
        for path in ct.iterdir():
            archive.write(path, path.name)

    np.testing.assert_array_equal(xdicom.open_series(ct.parent / "ct.zip"), xdicom.open_series(ct))


def test_a_catalog_is_read_once_for_many_doors(study: Path) -> None:
    catalog = xdicom.scan(study)

    with counted_reads(study) as reads:
        xdicom.open_series(catalog, series_uid=uid("cine"))
        xdicom.open_study(catalog)

    assert reads.opened == []


def test_one_series_of_many_is_chosen_by_its_uid(study: Path) -> None:
    assert xdicom.open_series(study, series_uid=uid("cine")).dims == ("time", "y", "x", "sample")


def test_one_stack_of_many_is_chosen_by_its_name(study: Path) -> None:
    array = xdicom.open_series(study, series_uid=uid("localizer"), stack="coronal")

    assert array.attrs["plane"] == "coronal"


def test_chunks_say_how_many_frames_are_in_a_task(ct: Path) -> None:
    assert xdicom.open_series(ct).chunks == ((1, 1, 1), (8,), (6,))
    assert xdicom.open_series(ct, chunks={"z": 2}).chunks == ((2, 1), (8,), (6,))
    assert xdicom.open_frames(ct, chunks=3).chunks == ((3,), (8,), (6,))


def test_chunks_of_a_study_are_taken_where_they_fit(study: Path) -> None:
    tree = xdicom.open_study(study, chunks={"z": 3, "time": 2})

    assert tree["4_ct_thorax_soft/stored_values"].chunks[0] == (3,)
    assert tree["1_us/stored_values"].chunks[0] == (2, 2, 1)


def test_progress_is_told_to_whoever_asks(ct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int, int]] = []

    xdicom.scan(ct, progress=lambda done, total, frames: told.append((done, total, frames)))
    xdicom.scan(ct, progress=True)

    shown = "".join(capsys.readouterr())

    assert told[-1] == (3, 3, 3)
    assert "3 frames" in shown
    assert "files/s" in shown


# --- trees -----------------------------------------------------------------------------------------------------------------


def test_no_frame_of_a_study_is_lost(study: Path) -> None:
    tree = xdicom.open_study(study)

    planes = sum(int(np.prod([size for dim, size in node["stored_values"].sizes.items() if dim not in ("y", "x", "sample")]))
                 for node in tree.subtree if "stored_values" in node.data_vars)  # fmt: skip
    assert planes == len(xdicom.scan(study).frames)


def test_nodes_say_why_they_were_split_and_what_was_not_read(study: Path) -> None:
    tree = xdicom.open_study(study)

    assert tree["1_mr_localizer/coronal"].attrs["split_by"] == ["orientation: coronal (1 0 0 0 0 -1)"]
    assert tree["1_mr_localizer"].attrs["series_instance_uid"] == uid("localizer")
    assert "no pixel data" in tree.attrs["problems"][0]


def test_series_of_one_name_have_names_of_their_own(tmp_path: Path) -> None:
    for name in "abc":
        make_ct(tmp_path / name, [0.0], SeriesDescription="same")

    assert list(xdicom.open_study(tmp_path).children) == ["1_ct_same", "1_ct_same_2", "1_ct_same_3"]


@pytest.mark.parametrize(
    ("description", "name"),
    [("a/b: c (d)", "1_ct_a_b_c_d"), ("", "1_ct"), ("Größe", "1_ct_größe"), ("x" * 64, "1_ct_" + "x" * 55)],
    ids=["signs", "none", "letters", "long"],
)
def test_names_of_nodes_are_readable_words(tmp_path: Path, description: str, name: str) -> None:
    make_ct(tmp_path, [0.0], SeriesDescription=description, SpecificCharacterSet="ISO_IR 192")

    assert list(xdicom.open_study(tmp_path).children) == [name]


def test_copies_of_files_are_noted_in_the_tree(ct: Path) -> None:
    shutil.copy(ct / "a.dcm", ct / "copy.dcm")

    tree = xdicom.open_study(ct)

    assert tree["4_ct_thorax_soft/stored_values"].sizes["z"] == 3
    assert "is a copy of" in tree["4_ct_thorax_soft"].attrs["notes"][0]


# --- laziness --------------------------------------------------------------------------------------------------------------


def test_opening_reads_no_pixel_and_leaves_no_file_open(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [float(i) for i in range(5)], rows=256, columns=256)

    with counted_reads(tmp_path) as reads:
        xdicom.open_series(tmp_path)

    # The first read of 8 kB ends some way behind the header of a small one; no request goes there.
    assert all(offset == 0 for path in paths for offset, _ in reads.of(path))
    assert reads.bytes <= 5 * 8192
    assert (len(reads.opened), reads.left_open) == (5, 0)


def test_one_slice_reads_one_file(tmp_path: Path) -> None:
    paths = make_ct(tmp_path, [float(i) for i in range(5)])
    array = xdicom.open_series(tmp_path)

    with counted_reads(tmp_path) as reads:
        array.isel(z=3).compute()

    assert reads.opened == [str(paths[3])]
    assert reads.left_open == 0


def test_a_chunk_with_transforms_on_top_is_one_task(tmp_path: Path) -> None:
    make_ct(tmp_path, [float(i) for i in range(8)], slope=2.0, intercept=-1000.0, windows=[(40, 400)])

    view = xdicom.open_series(tmp_path, chunks={"z": 4}).dicom.to_modality().dicom.to_display(window=0)

    (optimized,) = dask.optimize(view.data)
    assert len(dict(optimized.__dask_graph__())) == 2


def test_a_slope_for_each_slice_adds_no_task(tmp_path: Path) -> None:
    make_pet(tmp_path, [0.5, 1.25, 2.0, 4.0])

    values = xdicom.open_series(tmp_path).dicom.to_modality()

    (optimized,) = dask.optimize(values.data)
    assert len(dict(optimized.__dask_graph__())) == 4


def _work(pickled: bytes) -> float:
    return float(pickle.loads(pickled).dicom.to_modality().max().compute(scheduler="sync"))


def test_an_array_is_worked_on_in_another_process(ct: Path) -> None:
    array = xdicom.open_series(ct)

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result = pool.submit(_work, pickle.dumps(array)).result()

    assert result == float(array.dicom.to_modality().max())


def test_opening_gives_the_same_name_for_the_same_files(ct: Path) -> None:
    assert xdicom.open_series(ct).data.name == xdicom.open_series(ct).data.name


def test_importing_and_opening_do_not_import_pydicom(ct: Path) -> None:
    assert not imports(f"import xdicom; xdicom.open_series({str(ct)!r}).compute()", "pydicom")


def test_files_may_move_names_and_folders(ct: Path, tmp_path: Path) -> None:
    before = xdicom.open_series(ct)
    moved = tmp_path / "moved"
    for i, path in enumerate(sorted(ct.iterdir())):
        target = moved / f"folder {i % 2}" / f"{9 - i}.IMA"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    after = xdicom.open_series(moved)

    xr.testing.assert_identical(after.compute(), before.compute())


def test_nodes_of_a_study_have_the_same_names_whatever_files_are_called(tmp_path: Path) -> None:
    for name, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        for place, number in enumerate(order):
            make_ct(tmp_path / name / str(place), [float(number)], series_uid=uid("series", number), SeriesNumber=3)

    nodes = [
        {
            path: node["stored_values"]["z"].item()
            for path, node in xdicom.open_study(tmp_path / name).subtree_with_keys
            if node.children == {}
        }
        for name in "ab"
    ]

    assert nodes[0] == nodes[1]
    assert len(nodes[0]) == 3
