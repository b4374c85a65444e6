"""The example data is what its script writes, and holds what its answers say, by pydicom and imagecodecs alone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from builders.samples import Array

FOLDER = Path(__file__).resolve().parent.parent / "testdata"
STUDIES = ["ct", "mr_enhanced.dcm", "us_cine.dcm", "palette.dcm", "pet"]
JPEG_LS, JPEG_2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the script writes now."""
    folder = tmp_path_factory.mktemp("testdata")
    subprocess.run([sys.executable, "-W", "error", str(FOLDER / "make.py"), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "answers.json").read_text())
    return found


def dicom_files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*.dcm"))


def frames_of(header: pydicom.Dataset) -> Array:
    """Stored values, shape `(frames, rows, columns[, samples])`, with no decoder of pydicom's plugins."""
    decode = {JPEG_LS: imagecodecs.jpegls_decode, JPEG_2000: imagecodecs.jpeg2k_decode}.get(header.file_meta.TransferSyntaxUID)
    if decode is None:
        values = header.pixel_array
        return values if "NumberOfFrames" in header else values[None]
    count = header.get("NumberOfFrames", 1)
    dtype = f"{'i' if header.PixelRepresentation else 'u'}{header.BitsAllocated // 8}"
    return np.stack([decode(stream).view(dtype) for stream in generate_frames(header.PixelData, number_of_frames=count)])


def by_position(folder: Path) -> list[pydicom.Dataset]:
    return sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda header: header.ImagePositionPatient[2])


def stored_values(study: str, answers: dict[str, Any]) -> Array:
    """Stored values of a study in the order of its labels."""
    place = FOLDER / study
    if place.is_dir():
        return np.concatenate([frames_of(header) for header in by_position(place)])
    frames = frames_of(pydicom.dcmread(place))
    if study == "mr_enhanced.dcm":
        order = [echo * 8 + place for echo, place in answers[study]["frames_stored_as"]]
        return frames[np.argsort(order)].reshape(answers[study]["shape"])
    return frames.reshape(answers[study]["shape"])


def test_script_writes_the_files_that_lie_here(made: Path) -> None:
    assert dicom_files(made) == dicom_files(FOLDER)
    assert (made / "answers.json").read_text() == (FOLDER / "answers.json").read_text()


@pytest.mark.parametrize("path", dicom_files(FOLDER), ids=str)
def test_script_writes_the_same_file_again(made: Path, path: Path) -> None:
    old, new = pydicom.dcmread(FOLDER / path), pydicom.dcmread(made / path)

    if old.file_meta.TransferSyntaxUID.is_compressed:  # another version of a codec may write another stream of the same values
        np.testing.assert_array_equal(frames_of(old), frames_of(new))
        assert old.group_dataset(0x0028) == new.group_dataset(0x0028)
    else:
        assert (made / path).read_bytes() == (FOLDER / path).read_bytes()


def test_example_data_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 2_500_000


def test_no_header_names_a_person() -> None:
    for path in dicom_files(FOLDER):
        header = pydicom.dcmread(FOLDER / path, stop_before_pixels=True)

        assert str(header.PatientName).startswith("Phantom^")
        assert header.PatientBirthDate == ""


@pytest.mark.parametrize("study", STUDIES)
def test_stored_values_have_the_digest_in_the_answers(study: str, answers: dict[str, Any]) -> None:
    values = stored_values(study, answers)

    assert list(values.shape) == answers[study]["shape"]
    assert values.dtype == answers[study]["dtype"]
    assert values.sum(dtype=np.int64) == answers[study]["sum"]
    assert hashlib.sha256(values.astype(values.dtype.newbyteorder("<")).tobytes()).hexdigest() == answers[study]["sha256"]


@pytest.mark.parametrize("study", ["ct", "pet"])
def test_slices_lie_where_the_answers_say(study: str, answers: dict[str, Any]) -> None:
    headers = by_position(FOLDER / study)

    assert [float(header.ImagePositionPatient[2]) for header in headers] == answers[study]["z_mm"]
    assert {tuple(header.ImagePositionPatient[:2]) for header in headers} == {tuple(answers[study]["origin_mm"])}
    assert {tuple(header.PixelSpacing) for header in headers} == {tuple(answers[study]["pixel_spacing_mm"])}


def test_neither_file_names_nor_instance_numbers_of_the_ct_tell_the_order() -> None:
    headers = by_position(FOLDER / "ct")
    names = [Path(str(header.filename)).name for header in headers]
    numbers = [header.InstanceNumber for header in headers]

    assert sorted(numbers) == list(range(1, 25))
    for order in (names, numbers):
        assert order not in (sorted(order), sorted(order, reverse=True))


def test_ct_mixes_native_and_jpeg_ls_files() -> None:
    syntaxes = [header.file_meta.TransferSyntaxUID for header in by_position(FOLDER / "ct")]

    assert syntaxes == ["1.2.840.10008.1.2.1", JPEG_LS] * 12


def test_rods_of_the_ct_have_their_hounsfield_units(answers: dict[str, Any]) -> None:
    ct = answers["ct"]
    slope, intercept = ct["rescale"]
    hu = stored_values("ct", answers) * slope + intercept
    y = ct["origin_mm"][1] + ct["pixel_spacing_mm"][0] * np.arange(hu.shape[1])
    x = ct["origin_mm"][0] + ct["pixel_spacing_mm"][1] * np.arange(hu.shape[2])
    assert len(ct["rods"]) == 5
    for rod in ct["rods"]:
        inside = np.hypot(y[:, None] - rod["y_mm"], x[None, :] - rod["x_mm"]) <= rod["radius_mm"] - 2

        assert inside.sum() > 10
        assert set(hu[:, inside].flat) == {rod["hu"]}


def test_windows_and_padding_of_the_ct_are_those_in_the_answers(answers: dict[str, Any]) -> None:
    for header in by_position(FOLDER / "ct"):
        windows = zip(header.WindowCenter, header.WindowWidth, header.WindowCenterWidthExplanation, strict=True)

        assert [list(window) for window in windows] == answers["ct"]["windows"]
        assert header.PixelPaddingValue == answers["ct"]["pixel_padding_value"]
        assert frames_of(header)[0, 0, 0] == header.PixelPaddingValue


def test_frames_of_the_mr_say_which_echo_and_slice_they_are(answers: dict[str, Any]) -> None:
    mr = answers["mr_enhanced.dcm"]
    header = pydicom.dcmread(FOLDER / "mr_enhanced.dcm", stop_before_pixels=True)
    row, column = np.array(mr["image_orientation_patient"]).reshape(2, 3)
    normal = np.cross(row, column)
    found = [
        (
            mr["echo_time_ms"].index(frame.MREchoSequence[0].EffectiveEchoTime),
            mr["z_mm"].index(round(float(np.dot(frame.PlanePositionSequence[0].ImagePositionPatient, normal)), 6)),
        )
        for frame in header.PerFrameFunctionalGroupsSequence
    ]
    indices = [tuple(frame.FrameContentSequence[0].DimensionIndexValues) for frame in header.PerFrameFunctionalGroupsSequence]

    assert found == [tuple(pair) for pair in mr["frames_stored_as"]]
    assert indices == [(1, place + 1, echo + 1) for echo, place in found]
    assert found != sorted(found)


def test_tissues_of_the_mr_have_their_signals(answers: dict[str, Any]) -> None:
    signals = answers["mr_enhanced.dcm"]["signals"]
    values = stored_values("mr_enhanced.dcm", answers)

    assert values[:, 3, 46, 41].tolist() == signals["lesion"]
    assert values[:, :, 36, 18].tolist() == [[signal] * 8 for signal in signals["brain"]]
    for tissue in ("fat", "fluid"):
        assert all((values[echo] == signals[tissue][echo]).any() for echo in range(3))


def test_ball_of_the_cine_is_where_the_answers_say(answers: dict[str, Any]) -> None:
    cine = answers["us_cine.dcm"]
    header = pydicom.dcmread(FOLDER / "us_cine.dcm")
    is_ball = (frames_of(header) == (255, 208, 64)).all(axis=-1)
    centers = [np.argwhere(ball).mean(axis=0).tolist() for ball in is_ball]

    assert centers == cine["ball_row_column"]
    assert header.FrameTime == cine["frame_time_ms"]


def test_palette_is_that_in_the_answers(answers: dict[str, Any]) -> None:
    header = pydicom.dcmread(FOLDER / "palette.dcm")

    for color, entries in zip(("Red", "Green", "Blue"), answers["palette.dcm"]["palette"], strict=True):
        assert header[f"{color}PaletteColorLookupTableDescriptor"].value == [256, 0, 16]
        assert np.frombuffer(header[f"{color}PaletteColorLookupTableData"].value, "<u2").tolist() == entries


def test_spheres_of_the_pet_have_their_activity(answers: dict[str, Any]) -> None:
    pet = answers["pet"]
    slopes = np.array(pet["rescale_slope"])
    activity = stored_values("pet", answers) * slopes[:, None, None]
    z, y, x = (
        np.array(pet["z_mm"])[:, None, None],
        (pet["origin_mm"][1] + pet["pixel_spacing_mm"][0] * np.arange(59))[:, None],
        pet["origin_mm"][0] + pet["pixel_spacing_mm"][1] * np.arange(79),
    )
    assert [float(header.RescaleSlope) for header in by_position(FOLDER / "pet")] == pet["rescale_slope"]
    for sphere in pet["spheres"]:
        away = np.sqrt((z - sphere["z_mm"]) ** 2 + (y - sphere["y_mm"]) ** 2 + (x - sphere["x_mm"]) ** 2)
        inside, ring = away < sphere["radius_mm"] - 2, (away > sphere["radius_mm"] + 4) & (away < sphere["radius_mm"] + 8)

        assert inside.any()
        assert np.abs(activity[inside] - pet["hot_bqml"]).max() <= slopes.max() / 2
        assert np.abs(activity[ring] - pet["background_bqml"]).max() <= slopes.max() / 2
