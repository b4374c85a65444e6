"""The commands that write stores, images and references, and compare them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from typer.testing import CliRunner, Result

import xdicom
from builders import make_cine, make_ct, make_pet
from export.test_virtual_zarr import open_kerchunk
from xdicom.cli import app


def run(*words: object) -> Result:
    """`xdicom` with `words` behind it."""
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with a CT and a PET."""
    make_ct(tmp_path / "study" / "ct", rows=24, columns=32)
    make_pet(tmp_path / "study" / "pet")
    return tmp_path / "study"


def test_the_end_tells_sizes_and_rate(study: Path, tmp_path: Path) -> None:
    result = run("to-zarr", study / "ct", tmp_path / "ct.zarr")

    size = sum(path.stat().st_size for path in (tmp_path / "ct.zarr").rglob("*") if path.is_file())
    assert result.exit_code == 0
    assert f"int16, 4.6 kB as {size / 1000:.1f} kB; 1 shard written in" in result.stdout
    assert re.search(r"\([\d.]+ \w?B/s\)$", result.stdout.strip())


def test_all_series_become_one_store_and_are_compared_with_it(study: Path, tmp_path: Path) -> None:
    written = run("to-zarr", study, tmp_path / "study.zarr", "--all")
    compared = run("verify", tmp_path / "study.zarr", study)

    assert (written.exit_code, compared.exit_code) == (0, 0)
    assert "2 arrays" in written.stdout
    assert compared.stdout.count("3 frames: equal") == 2
    assert "compared in" in compared.stdout
    tree = xr.open_datatree(tmp_path / "study.zarr", engine="zarr")
    assert set(tree.children) == set(xdicom.open_study(study).children)


def test_a_series_of_a_study_that_differs_is_named(study: Path, tmp_path: Path) -> None:
    run("to-zarr", study, tmp_path / "study.zarr", "--all")
    name = next(iter(xdicom.open_study(study).children))
    zarr.open_group(tmp_path / "study.zarr")[f"{name}/stored_values"][1, 2, 3] += 1

    compared = run("verify", tmp_path / "study.zarr", study)

    assert compared.exit_code == 1
    assert f"{name}/stored_values: 3 frames: 1 differ: frame 1" in compared.stdout


def test_an_interrupted_study_is_completed(study: Path, tmp_path: Path) -> None:
    run("to-zarr", study, tmp_path / "study.zarr", "--all")
    name = next(iter(xdicom.open_study(study).children))
    (tmp_path / "study.zarr" / name / "stored_values" / "c" / "0" / "0" / "0").unlink()

    result = run("to-zarr", study, tmp_path / "study.zarr", "--all", "--resume")

    assert result.exit_code == 0
    assert "1 shard written" in result.stdout
    assert "1 there already" in result.stdout
    assert run("verify", tmp_path / "study.zarr", study).exit_code == 0


def test_all_and_one_are_not_one(study: Path, tmp_path: Path) -> None:
    assert run("to-zarr", study, tmp_path / "study.zarr", "--all", "--stack", "axial").exit_code == 2


def test_frames_are_moved_as_they_are(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", transfer_syntax="jpegls")

    result = run("to-zarr", tmp_path / "ct", tmp_path / "ct.zarr", "--codecs", "original")

    assert result.exit_code == 0
    assert xr.open_zarr(tmp_path / "ct.zarr")["stored_values"].identical(xdicom.open_series(tmp_path / "ct"))


def test_a_store_is_deidentified_with_a_secret_that_is_not_on_the_command_line(study: Path, tmp_path: Path) -> None:
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    (tmp_path / "secret").write_text("twenty letters and two\n")
    secret = ("--uid-secret-file", tmp_path / "secret")

    written = run("to-zarr", study, tmp_path / "study.zarr", "--all", "--deidentify", *secret)

    assert written.exit_code == 0
    assert set(xr.open_datatree(tmp_path / "study.zarr", engine="zarr").children) == {"ct_1", "pt_1"}
    assert run("verify", tmp_path / "study.zarr", study, *secret).exit_code == 0
    assert run("to-zarr", study, tmp_path / "other.zarr", "--all", *secret).exit_code == 2


def test_a_warning_is_a_line_on_stderr(tmp_path: Path) -> None:
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    make_ct(tmp_path / "ct", BurnedInAnnotation="YES")

    result = run("to-zarr", tmp_path / "ct", tmp_path / "ct.zarr", "--deidentify")

    assert result.exit_code == 0
    assert result.stderr == "xdicom: Burned In Annotation is YES: the pixels hold text that may name a person\n"


def test_an_image_holds_modality_values(study: Path, tmp_path: Path) -> None:
    result = run("to-ome-zarr", study / "ct", tmp_path / "ct.ome.zarr", "--levels", "2")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"{tmp_path / 'ct.ome.zarr'}: modality_values, z 3, y 24, x 32; ")
    group = zarr.open_group(tmp_path / "ct.ome.zarr", mode="r")
    assert len(group.attrs["ome"]["multiscales"][0]["datasets"]) == 2
    np.testing.assert_array_equal(group["scale0/modality_values"][:], xdicom.open_series(study / "ct").dicom.to_modality())


def test_an_image_of_color_is_red_green_and_blue(tmp_path: Path) -> None:
    make_cine(tmp_path / "cine.dcm", photometric="YBR_FULL")

    result = run("to-ome-zarr", tmp_path / "cine.dcm", tmp_path / "cine.ome.zarr")

    assert result.exit_code == 0
    labels = [channel["label"] for channel in zarr.open_group(tmp_path / "cine.ome.zarr").attrs["ome"]["omero"]["channels"]]
    assert labels == ["red", "green", "blue"]


def test_an_image_is_replaced_only_when_asked(study: Path, tmp_path: Path) -> None:
    codes = [run("to-ome-zarr", study / "ct", tmp_path / "ct.zarr", *option).exit_code for option in ((), (), ("--overwrite",))]

    assert codes == [0, 1, 0]


def test_an_interrupted_image_goes_on(study: Path, tmp_path: Path) -> None:
    run("to-ome-zarr", study / "ct", tmp_path / "ct.zarr")
    (tmp_path / "ct.zarr/scale0/modality_values/c/0/0/0").unlink()

    result = run("to-ome-zarr", study / "ct", tmp_path / "ct.zarr", "--resume")

    assert result.exit_code == 0, result.output
    assert "1 shard written" in result.stdout
    assert run("to-ome-zarr", study / "ct", tmp_path / "ct.zarr", "--resume", "--overwrite").exit_code == 2


def test_references_go_on_or_say_that_they_are_of_something_else(study: Path, tmp_path: Path) -> None:
    target = tmp_path / "refs.json"
    first, again = (run("to-virtual", study / "ct", target, "--resume") for _ in range(2))
    other = run("to-virtual", study / "pet", target, "--resume")

    assert (first.exit_code, again.exit_code, other.exit_code) == (0, 0, 1)
    assert "3 frames in" in first.stdout
    assert "3 there already" in again.stdout
    assert "refers to something else" in other.stderr
    assert open_kerchunk(str(target)).identical(xdicom.open_series(study / "ct"))


def test_a_repository_gets_the_series_that_it_has_not(study: Path, tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")
    icechunk.set_logs_filter("error")
    folder = tmp_path / "repository"
    array = xdicom.open_study(study / "ct")

    first = array.dicom.to_icechunk(folder)
    result = run("to-virtual", study, folder, "--all", "--resume")

    assert first == 3
    assert result.exit_code == 0, result.output
    assert "3 frames in" in result.stdout
    assert "3 there already" in result.stdout
    access = {f"{root.as_uri()}/": getattr(icechunk.credentials, "LocalFileSystemAccess", None) for root in (study, study / "ct")}
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(folder)), authorize_virtual_chunk_access=access)
    tree = xr.open_datatree(repository.readonly_session("main").store, engine="zarr", consolidated=False)
    for name, node in xdicom.open_study(study).children.items():
        assert tree[name].dataset["stored_values"].identical(node.dataset["stored_values"])


def test_references_are_a_file_that_others_open(study: Path, tmp_path: Path) -> None:
    result = run("to-virtual", study / "ct", tmp_path / "ct.json")

    assert result.exit_code == 0
    assert "of references; 3 frames in" in result.stdout
    assert open_kerchunk(str(tmp_path / "ct.json")).identical(xdicom.open_series(study / "ct"))
    assert run("to-virtual", study / "ct", tmp_path / "ct.json").exit_code == 1
    assert run("to-virtual", study / "ct", tmp_path / "ct.json", "--overwrite").exit_code == 0


def test_references_are_a_repository(study: Path, tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed")

    result = run("to-virtual", study / "ct", tmp_path / "ct.icechunk")

    assert result.exit_code == 0, result.output
    assert "3 frames in" in result.stdout
    access = {f"{(study / 'ct').as_uri()}/": getattr(icechunk.credentials, "LocalFileSystemAccess", None)}
    icechunk.set_logs_filter("error")
    repository = icechunk.Repository.open(
        icechunk.local_filesystem_storage(str(tmp_path / "ct.icechunk")), authorize_virtual_chunk_access=access
    )
    store = repository.readonly_session("main").store
    assert xr.open_zarr(store, consolidated=False)["stored_values"].identical(xdicom.open_series(study / "ct"))
    assert run("to-virtual", study / "ct", tmp_path / "ct.icechunk").exit_code == 1


def test_what_can_not_be_referred_to_is_one_line_on_stderr(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", transfer_syntax="deflated")

    result = run("to-virtual", tmp_path / "ct", tmp_path / "ct.json")

    assert result.exit_code == 1
    assert re.fullmatch(r"xdicom: frames in the deflated transfer syntax .*\n", result.stderr)
    assert not (tmp_path / "ct.json").exists()
