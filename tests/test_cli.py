"""The command `xdicom`: what it prints, writes and returns."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from typer.testing import CliRunner, Result

from builders import AXIAL, CORONAL, image_position, make_cine, make_ct, make_not_dicom, make_palette, make_pet, make_slices, make_sr
from doubles import counted_reads
from xdicom import __version__, open_series, open_study, scan
from xdicom.cli import app
from xdicom.cli.arguments import parse_chunks, parse_options, parse_window


def run(*words: object) -> Result:
    """`xdicom` with `words` behind it."""
    return CliRunner().invoke(app, [str(word) for word in words])


def line(text: str) -> str:
    """What a framed message says, without the frame and its folds."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A folder with a CT of three slices."""
    make_ct(tmp_path / "ct", rows=24, columns=32, pixel_spacing=(1.0, 1.0))
    return tmp_path / "ct"


@pytest.fixture
def two_series(tmp_path: Path, ct: Path) -> Path:
    """A folder with a CT and a PET."""
    make_pet(tmp_path / "pet")
    return tmp_path


@pytest.fixture
def two_stacks(tmp_path: Path) -> Path:
    """A series of two orientations."""
    positions = [image_position(float(i), orientation) for orientation in (AXIAL, CORONAL) for i in range(2)]
    orientations = {"ImageOrientationPatient": [list(AXIAL)] * 2 + [list(CORONAL)] * 2}
    make_slices(tmp_path / "mr", positions, PixelSpacing=[1, 1], varying=orientations, Modality="MR", RescaleSlope=1, RescaleIntercept=0)
    return tmp_path / "mr"


def test_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"xdicom {__version__}\n"


def test_help_names_the_commands() -> None:
    out = run("--help").stdout

    assert all(re.search(rf"^│ {name} ", out, re.MULTILINE) for name in ("info", "to-zarr", "to-dicom", "verify", "preview", "doctor"))


def test_info_shows_a_line_for_each_series(two_series: Path) -> None:
    result = run("info", two_series)

    rows = [row.split() for row in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert rows[0][0] == "modality"
    assert [(row[0], row[-1]) for row in rows[1:3]] == [(series.modality, series.series_uid) for series in scan(two_series).series]
    assert result.stdout.splitlines()[3] == "2 series, 6 instances, 6 frames (4.9 kB decoded) from 6 sources"


def test_info_keeps_uids_whole_on_a_narrow_terminal(two_series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdicom.cli.info.result_console", lambda: Console(width=80))

    lines = [text.rstrip() for text in run("info", two_series).stdout.splitlines()]

    assert [text.split(": ")[1] for text in lines[3:5]] == [series.series_uid for series in scan(two_series).series]
    assert max(map(len, lines[:3])) <= 80


def test_info_takes_several_locations(two_series: Path) -> None:
    assert "2 series, 6 instances" in run("info", two_series / "ct", two_series / "pet").stdout


def test_info_counts_what_was_not_read(ct: Path) -> None:
    make_not_dicom(ct / "a.dcm")
    make_not_dicom(ct / "b.dcm")
    make_sr(ct / "report.dcm")

    lines = run("info", ct).stdout.splitlines()

    assert lines[-3] == "3 not read (--problems lists them):"
    assert lines[-2].startswith("  2 x no DICM prefix")
    assert lines[-1].startswith("  1 x no pixel data")


@pytest.mark.parametrize("option", ["--problems", "--verbose"])
def test_info_lists_all_problems_when_asked(ct: Path, option: str) -> None:
    make_not_dicom(ct / "a.dcm")
    make_not_dicom(ct / "b.dcm")

    lines = run("info", ct, option).stdout.splitlines()

    assert [text.split(": ")[0].strip() for text in lines[-2:]] == [str(ct / "a.dcm"), str(ct / "b.dcm")]


def test_info_for_machines_is_the_catalog_as_json_and_nothing_else(two_series: Path) -> None:
    result = run("info", two_series, "--json")

    assert json.loads(result.stdout) == scan(two_series).to_dict()
    assert result.stderr == ""


def test_info_saves_what_it_found_and_reads_only_what_is_new(ct: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    saved = tmp_path_factory.mktemp("saved") / "ct.catalog"
    run("info", ct, "--save", saved)
    make_ct(ct, [100.0], names=["new.dcm"])

    with counted_reads(ct) as reads:
        newer = run("info", ct, "--save", saved).stdout
        from_saved = run("info", saved).stdout

    assert {Path(path).name for path in reads.opened} == {"new.dcm", "000.dcm"}  # the second tells whether it is the same patient
    assert from_saved == newer == run("info", ct).stdout


def test_info_reports_the_arrays_of_a_series(two_stacks: Path) -> None:
    out = run("info", two_stacks, "--report").stdout

    assert re.search(r"── axial  z 2, y \d+, x \d+; int16", out)
    assert out.count("apart because of orientation") == 2


def test_report_for_machines_is_json(two_stacks: Path) -> None:
    assert json.loads(run("info", two_stacks, "--report", "--json").stdout) == scan(two_stacks).report().to_dict()


def test_info_does_not_let_a_header_steer_the_terminal(tmp_path: Path) -> None:
    make_ct(tmp_path, SeriesDescription="[red]T1\x07")

    out = run("info", tmp_path, "--report").stdout

    assert "\x07" not in out
    assert out.count("[red]T1") == 2


def test_info_of_a_folder_without_images_lists_why(tmp_path: Path) -> None:
    make_not_dicom(tmp_path / "a.dcm")

    result = run("info", tmp_path)

    assert result.exit_code == 0
    assert result.stdout.startswith("0 series")
    assert "1 x no DICM prefix" in result.stdout


@pytest.mark.parametrize("command", [("info",), ("to-zarr", "x.zarr"), ("preview", "x.png")])
def test_a_location_that_is_not_there_is_one_line_on_stderr(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(command[0], tmp_path / "nowhere", *command[1:])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert re.fullmatch(rf"xdicom: {re.escape(str(tmp_path / 'nowhere'))}: .*\n", result.stderr)


def test_debug_lets_the_error_through(tmp_path: Path) -> None:
    result = run("--debug", "info", tmp_path / "nowhere")

    assert type(result.exception).__name__ == "SourceError"


@pytest.mark.parametrize("command", [("to-zarr", "x.zarr"), ("preview", "x.png")])
def test_several_series_are_listed_and_none_is_chosen(two_series: Path, command: tuple[str, ...]) -> None:
    result = run(command[0], two_series, *command[1:])

    assert result.exit_code == 2
    assert all(series.series_uid in result.stderr for series in scan(two_series).series)
    assert "--series-uid" in result.stderr


def test_a_series_is_chosen_by_its_uid(two_series: Path, tmp_path: Path) -> None:
    uid = scan(two_series / "pet").series[0].series_uid

    result = run("to-zarr", two_series, tmp_path / "pet.zarr", "--series-uid", uid)

    assert result.exit_code == 0
    assert xr.open_zarr(tmp_path / "pet.zarr")["stored_values"].attrs["series_instance_uid"] == uid


def test_a_stack_is_chosen_by_its_name(two_stacks: Path, tmp_path: Path) -> None:
    undecided = run("to-zarr", two_stacks, tmp_path / "mr.zarr")
    decided = run("to-zarr", two_stacks, tmp_path / "mr.zarr", "--stack", "coronal")

    assert (undecided.exit_code, decided.exit_code) == (2, 0)
    assert "--stack" in undecided.stderr
    assert xr.open_zarr(tmp_path / "mr.zarr")["stored_values"].equals(open_series(two_stacks, stack="coronal"))


def test_store_holds_the_array_with_its_labels(ct: Path, tmp_path: Path) -> None:
    result = run("to-zarr", ct, tmp_path / "ct.zarr")

    assert result.exit_code == 0
    assert "z 3, y 24, x 32; int16, 4.6 kB" in result.stdout
    assert xr.open_zarr(tmp_path / "ct.zarr")["stored_values"].equals(open_series(ct))


def test_store_has_the_chunks_asked_for(ct: Path, tmp_path: Path) -> None:
    run("to-zarr", ct, tmp_path / "ct.zarr", "--chunks", "z=2,y=8")

    assert xr.open_zarr(tmp_path / "ct.zarr")["stored_values"].encoding["chunks"] == (2, 8, 32)


def test_layout_for_cuts_across_the_frames(ct: Path, tmp_path: Path) -> None:
    run("to-zarr", ct, tmp_path / "ct.zarr", "--layout", "volume")

    assert xr.open_zarr(tmp_path / "ct.zarr")["stored_values"].encoding["chunks"] == (3, 24, 32)


def test_chunks_of_an_unknown_dimension_are_a_usage_error(ct: Path, tmp_path: Path) -> None:
    result = run("to-zarr", ct, tmp_path / "ct.zarr", "--chunks", "time=2")

    assert result.exit_code == 2
    assert "time" in result.stderr


def test_a_store_is_replaced_only_when_asked(ct: Path, two_series: Path, tmp_path: Path) -> None:
    run("to-zarr", ct, tmp_path / "a.zarr")

    refused = run("to-zarr", two_series / "pet", tmp_path / "a.zarr")
    before = xr.open_zarr(tmp_path / "a.zarr")["stored_values"].attrs["modality"]
    replaced = run("to-zarr", two_series / "pet", tmp_path / "a.zarr", "--overwrite")

    assert (refused.exit_code, before, replaced.exit_code) == (1, "CT", 0)
    assert "--overwrite" in refused.stderr
    assert xr.open_zarr(tmp_path / "a.zarr")["stored_values"].attrs["modality"] == "PT"


def test_a_series_is_written_as_another(ct: Path, tmp_path: Path) -> None:
    result = run(
        "to-dicom", ct, tmp_path / "out", "--select", "z=1:", "--select", "y=::2", "--transfer-syntax", "rle",
        "--series-description", "Half", "--set", "PatientName=Nobody", "--set", "StudyID=",
    )  # fmt: skip

    again = open_series(tmp_path / "out")
    assert result.exit_code == 0
    assert "2 instances of 2 frames" in result.stdout
    assert again.equals(open_series(ct).isel(z=slice(1, None), y=slice(None, None, 2)).assign_coords(again.coords))
    header = again.dicom.header()
    assert (header.PatientName, header.SeriesDescription) == ("Nobody", "Half")


@pytest.mark.parametrize("is_store", [False, True], ids=["files", "store"])
def test_all_series_are_written_as_others(two_series: Path, is_store: bool, tmp_path: Path) -> None:
    location, study = two_series, open_study(two_series).load()
    if is_store:
        location = tmp_path / "study.zarr"
        run("to-zarr", two_series, location, "--all")

    result = run("to-dicom", location, tmp_path / "out", "--all", "--transfer-syntax", "rle")

    assert result.exit_code == 0
    assert "2 arrays, 6 instances" in result.stdout
    for path in study.groups[1:]:
        assert np.array_equal(open_study(tmp_path / "out")[path]["stored_values"].values, study[path]["stored_values"].values)


def test_all_series_are_written_as_they_are(two_series: Path, tmp_path: Path) -> None:
    result = run("to-dicom", two_series, tmp_path / "out", "--all", "--select", "z=1:", "--series-number", "7")

    assert result.exit_code == 2
    assert "leave --select, --series-number out" in line(result.stderr)


def test_options_that_no_storage_takes_are_refused(two_series: Path, tmp_path: Path) -> None:
    run("to-zarr", two_series, tmp_path / "study.zarr", "--all")

    result = run("to-dicom", tmp_path / "study.zarr", tmp_path / "out", "--all", "--option", "anon=true")

    assert (result.exit_code, "leave --option out" in line(result.stderr)) == (2, True)


def test_a_store_with_headers_becomes_dicom_again(ct: Path, tmp_path: Path) -> None:
    run("to-zarr", ct, tmp_path / "ct.zarr", "--keep-headers")

    result = run("to-dicom", tmp_path / "ct.zarr", tmp_path / "out", "--values", "modality")

    assert result.exit_code == 0
    assert result.stdout.endswith("largest error 0\n")
    np.testing.assert_array_equal(open_series(tmp_path / "out").dicom.to_modality().values, open_series(ct).dicom.to_modality().values)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--select", "time=0"), 2, "no dimension time"),
        (("--select", "z"), 2, "not of the form"),
        (("--set", "PatientName"), 2, "KEYWORD=VALUE"),
        (("--set", "PatientNmae=x"), 2, "no data element"),
        (("--transfer-syntax", "zip"), 1, "is not written; these are"),
        (("--loss", "3"), 2, "loses nothing"),
    ],
)
def test_what_can_not_become_dicom_is_said(words: tuple[str, ...], code: int, said: str, ct: Path, tmp_path: Path) -> None:
    result = run("to-dicom", ct, tmp_path / "out", *words)

    assert (result.exit_code, said in line(result.stderr)) == (code, True)


def test_files_are_replaced_only_when_asked(ct: Path, tmp_path: Path) -> None:
    codes = [run("to-dicom", ct, tmp_path / "out", *words).exit_code for words in ((), (), ("--overwrite",))]

    assert codes == [0, 1, 0]


def test_a_file_is_never_taken_for_a_store(ct: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    assert run("to-zarr", ct, tmp_path / "notes.txt").exit_code == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_whole_store_has_nothing_to_resume(ct: Path, tmp_path: Path) -> None:
    run("to-zarr", ct, tmp_path / "ct.zarr")

    result = run("to-zarr", ct, tmp_path / "ct.zarr", "--resume")

    assert result.exit_code == 0
    assert "0 shards written" in result.stdout
    assert "1 there already" in result.stdout


def test_to_begin_anew_and_to_go_on_are_not_one(ct: Path, tmp_path: Path) -> None:
    assert run("to-zarr", ct, tmp_path / "ct.zarr", "--resume", "--overwrite").exit_code == 2


def test_a_store_is_compared_with_its_source(two_series: Path, ct: Path, tmp_path: Path) -> None:
    run("to-zarr", ct, tmp_path / "ct.zarr")

    same = run("verify", tmp_path / "ct.zarr", ct)
    other = run("verify", tmp_path / "ct.zarr", two_series / "pet")

    assert (same.exit_code, other.exit_code) == (0, 1)
    assert same.stdout.startswith(f"{tmp_path / 'ct.zarr'}: 3 frames: equal\n")


def test_preview_writes_a_montage(ct: Path, tmp_path: Path) -> None:
    result = run("preview", ct, tmp_path / "ct.png", "--size", 200, "--columns", 2)

    pixels = imagecodecs.png_decode((tmp_path / "ct.png").read_bytes())
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'ct.png'}: 3 of 3 frames, {pixels.shape[1]} x {pixels.shape[0]} pixels\n"
    assert pixels.ndim == 2
    assert 198 <= max(pixels.shape) <= 200


def test_preview_of_one_frame_shows_its_display_values(ct: Path, tmp_path: Path) -> None:
    run("preview", ct, tmp_path / "ct.png", "--frame", 1, "--window", "-900,500")

    expected = open_series(ct)[1].dicom.to_display((-900, 500)).values
    assert np.array_equal(imagecodecs.png_decode((tmp_path / "ct.png").read_bytes()), expected)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_preview_of_color_is_in_color(tmp_path: Path, photometric: str) -> None:
    make_cine(tmp_path / "cine.dcm", photometric=photometric)

    run("preview", tmp_path / "cine.dcm", tmp_path / "cine.png", "--frame", 2)

    expected = open_series(tmp_path / "cine.dcm")[2].dicom.to_rgb().values
    assert np.array_equal(imagecodecs.png_decode((tmp_path / "cine.png").read_bytes()), expected)


def test_preview_of_a_palette_is_in_color(tmp_path: Path) -> None:
    make_palette(tmp_path / "palette.dcm")

    run("preview", tmp_path / "palette.dcm", tmp_path / "palette.png")

    assert imagecodecs.png_decode((tmp_path / "palette.png").read_bytes()).ndim == 3


def test_preview_tells_that_it_measured_a_window(tmp_path: Path) -> None:
    make_ct(tmp_path / "ct", windows=())

    assert "--window C,W sets another" in run("preview", tmp_path / "ct", tmp_path / "ct.png").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--window", "NOWHERE"), "presets for CT"),
        (("--window", "40,-5"), "negative"),
        (("--frame", "3"), "has 3"),
        (("--columns", "0"), "--columns"),
    ],
)
def test_what_is_not_there_to_draw_is_a_usage_error(ct: Path, tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    result = run("preview", ct, tmp_path / "ct.png", *words)

    assert result.exit_code == 2
    assert says in line(result.stderr)
    assert not (tmp_path / "ct.png").exists()


def test_preview_writes_no_other_kind_of_picture(ct: Path, tmp_path: Path) -> None:
    result = run("preview", ct, tmp_path / "ct.jpg")

    assert result.exit_code == 2
    assert ".png" in line(result.stderr)


def test_a_damaged_frame_is_one_line_on_stderr(tmp_path: Path) -> None:
    (path,) = make_ct(tmp_path / "ct", positions_mm=[0.0], transfer_syntax="rle")
    path.write_bytes(path.read_bytes()[:-40])

    result = run("preview", tmp_path / "ct", tmp_path / "ct.png")

    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "Traceback" not in result.stderr


def test_a_picture_that_cannot_be_written_is_one_line_on_stderr(ct: Path, tmp_path: Path) -> None:
    result = run("preview", ct, tmp_path / "nowhere" / "ct.png")

    assert result.exit_code == 1
    assert re.fullmatch(r"xdicom: .*nowhere/ct\.png.*\n", result.stderr)


def test_doctor_tells_what_is_decoded_and_by_what() -> None:
    out = run("doctor").stdout

    assert re.search(r"^JPEG-LS Lossless +1\.2\.840\.10008\.1\.2\.4\.80 +jpegls +charls \d", out, re.MULTILINE)
    assert re.search(r"^not decoded, since .*:\n(  .*\n)*  MPEG2 Main Profile / Main Level", out, re.MULTILINE)
    assert f"xdicom {__version__}, numpy {np.__version__}, " in out


def test_doctor_for_machines_is_json() -> None:
    told = json.loads(run("doctor", "--json").stdout)

    decoded = {row["uid"] for row in told["transfer_syntaxes"] if row["is_decoded"]}
    assert {"1.2.840.10008.1.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"} <= decoded
    assert told["versions"]["xarray"] == xr.__version__


def test_doctor_names_extras_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdicom.cli.doctor.metadata.requires", lambda _: ["no-such-distribution>=1; extra == 'cloud'"])

    assert 'extra cloud: no-such-distribution (missing); pip install "xdicom[cloud]"' in run("doctor").stdout


@pytest.mark.parametrize("text", ["16", "z=", "z=0", "z=2;y=3", "=4", ""])
def test_sizes_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not of the form z=16"):
        parse_chunks(text)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("SOFT TISSUE", "SOFT TISSUE"),
        ("2", 2),
        ("-600, 1500", (-600.0, 1500.0)),
        ("1e4,2.5e4", (1e4, 2.5e4)),
        ("40,400,SIGMOID", (40.0, 400.0, "SIGMOID")),
        ("brain, narrow", "brain, narrow"),
    ],
)
def test_a_window_is_a_name_a_number_or_numbers(text: str, window: object) -> None:
    assert parse_window(text) == window


def test_storage_options_may_be_nested() -> None:
    options = parse_options(["anon=true", 'client_kwargs={"endpoint_url": "http://localhost:9"}', "region=eu=west"])

    assert options == {"anon": True, "client_kwargs": {"endpoint_url": "http://localhost:9"}, "region": "eu=west"}


def test_an_option_that_is_none_is_refused_without_showing_it() -> None:
    result = run("info", "nowhere", "--option", "mysecret")

    assert result.exit_code == 2
    assert "mysecret" not in result.output


def test_the_command_is_installed_and_its_results_go_into_a_pipe(ct: Path) -> None:
    command = [sys.executable, "-c", "from xdicom.cli import app; app()", "info", str(ct)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[1].rstrip().endswith(scan(ct).series[0].series_uid)
    assert done.stderr == ""


@pytest.mark.corpus
def test_store_of_a_real_series_equals_it(corpus: Path, tmp_path: Path) -> None:
    location = corpus / "series" / "mixed_flat_pet_ct_mr_rtstruct"
    uid = next(series.series_uid for series in scan(location).series if series.modality == "PT")

    result = run("to-zarr", location, tmp_path / "pet.zarr", "--series-uid", uid)

    again, array = xr.open_zarr(tmp_path / "pet.zarr")["stored_values"], open_series(location, series_uid=uid)
    assert result.exit_code == 0
    assert again.equals(array)
    assert again.attrs == array.attrs
