"""Every small grayscale file of the collection beside pydicom and highdicom; where a peer differs, the reason stands here.

Reasons are told in docs/explanation/pipeline.md too: "What others do differently".
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.pixels import get_decoder, pixel_array
from pydicom.pixels.processing import apply_modality_lut

import xdicom
from xdicom.errors import XDicomError
from xdicom.labeled.display import to_display
from xdicom.labeled.real_world import to_real_world
from xdicom.labeled.values import to_modality

pytestmark = pytest.mark.corpus
SMALL = 600_000


def grayscale(corpus: Path, *, is_large: bool = False) -> Iterator[tuple[str, FileDataset, xr.DataArray]]:
    """Files that both read, with what pydicom holds and what we do."""
    for path in sorted((corpus / "files").rglob("*")):
        if not path.is_file() or (path.stat().st_size > SMALL) != is_large:
            continue
        try:
            array = xdicom.open_series(path)
        except XDicomError:
            continue
        if array.attrs["samples_per_pixel"] == 1 and array.attrs["photometric_interpretation"] != "PALETTE COLOR":
            yield path.relative_to(corpus / "files").as_posix(), dcmread(path, force=True), array


def in_file_order(array: xr.DataArray) -> np.ndarray:
    """Values of the frames of one file, in its order; shape `(frames, rows, columns)`."""
    values = array.values.reshape(-1, *array.shape[-2:])
    if "frame_number" not in array.coords:
        return values
    numbers = array.coords["frame_number"].broadcast_like(array.isel(y=0, x=0)).values.reshape(-1)
    return values[np.argsort(numbers, kind="stable")][(numbers == 0).sum() :]


def rounding(array: xr.DataArray) -> float:
    """By how much decoders of lossy streams may differ in modality values: two stored values."""
    is_lossy = array.attrs.get("lossy_image_compression") == "01"
    return 2.0 * float(np.abs(array.coords.get("rescale_slope", xr.DataArray(1.0))).max()) if is_lossy else 0.0


@pytest.fixture
def quiet() -> Iterator[None]:
    """Peers warn of what headers lack."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("quiet")
def test_modality_values_are_those_of_pydicom(corpus: Path) -> None:
    compared = 0
    for name, header, array in grayscale(corpus):
        if "SharedFunctionalGroupsSequence" in header or "segmentation_type" in array.attrs:
            continue  # pydicom looks at the top level only
        try:
            expected = np.atleast_3d(apply_modality_lut(header.pixel_array, header)).astype(np.float64)
        except (ValueError, RuntimeError, AttributeError, NotImplementedError, TypeError):
            continue  # what pydicom can't decode, and an empty Modality LUT, on which it fails
        if "DoseGridScaling" in header:
            expected = expected * float(header.DoseGridScaling)  # pydicom leaves doses as they are stored
        found = in_file_order(to_modality(array))
        largest = float(np.abs(expected).max())

        assert np.allclose(found, expected.reshape(found.shape), rtol=1e-6, atol=3e-7 * largest + rounding(array)), name
        compared += 1
    assert compared >= 50


@pytest.mark.usefixtures("quiet")
def test_display_values_are_those_of_highdicom_or_of_the_formula(corpus: Path) -> None:
    highdicom = pytest.importorskip("highdicom")
    compared = 0
    for name, _, array in grayscale(corpus):
        if "window_width" not in array.coords or "segmentation_type" in array.attrs or array.attrs.get("voi_luts"):
            continue
        shown = in_file_order(to_display(array, dtype="float32"))
        try:
            image = highdicom.imread(corpus / "files" / name)
            expected = image.get_frames(
                apply_real_world_transform=False, apply_modality_transform=None, apply_voi_transform=True, apply_presentation_lut=True,
                apply_icc_profile=False, apply_palette_color_lut=False, dtype=np.float64, voi_output_range=(0.0, 1.0),
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - classes that highdicom does not know, files that it can't decode
            continue
        if not np.all(array.coords.get("rescale_slope", 1.0) == 1) or np.all(array["window_width"] == 1):
            # highdicom maps the window to stored values, where its steps of 1 and 1/2 are others, and divides by a width of 0
            expected = by_formula(array)

        assert np.allclose(shown, expected, atol=2e-6 + rounding(array) / float(array["window_width"].min())), name
        compared += 1
    assert compared >= 20


def by_formula(array: xr.DataArray) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1 in double precision."""
    values = to_modality(array, dtype="float64")
    center, width = array["window_center"] - 0.5, array["window_width"] - 1
    level = xr.where(values <= center - width / 2, 0.0, xr.where(values > center + width / 2, 1.0, (values - center) / width + 0.5))
    return in_file_order(level.transpose(*array.dims))


@pytest.mark.usefixtures("quiet")
def test_real_world_values_are_those_of_highdicom(corpus: Path) -> None:
    highdicom = pytest.importorskip("highdicom")
    compared = undecoded = 0
    for name, header, array in grayscale(corpus):
        if "real_world_value_maps" not in array.attrs or name == "fo-dicom/GH064.dcm":  # without a range highdicom fails
            continue
        syntax = header.file_meta.TransferSyntaxUID
        if syntax.is_compressed and not get_decoder(syntax).is_available:  # which plugins highdicom finds is not ours to say
            undecoded += 1
            continue
        found = in_file_order(to_real_world(array, 0))
        expected = highdicom.imread(header.filename).get_frames(apply_real_world_transform=True, apply_icc_profile=False, dtype=np.float64)

        assert np.allclose(found, expected, rtol=1e-6), name
        compared += 1
    assert compared + undecoded >= 3
    assert compared >= 2  # those that are uncompressed or RLE, for which no plugin is needed


@pytest.mark.usefixtures("quiet")
def test_some_frames_of_large_files_are_those_of_pydicom_and_of_the_formula(corpus: Path) -> None:
    compared, undecoded = set(), set()
    for name, header, array in grayscale(corpus, is_large=True):
        if "segmentation_type" in array.attrs or not get_decoder(header.file_meta.TransferSyntaxUID).is_available:
            undecoded.add(name)
            continue
        count = int(header.get("NumberOfFrames", 1))
        for number in sorted({0, count // 2, count - 1}):
            stored = pixel_array(corpus / "files" / name, index=number, raw=True).astype(np.float64)
            modality = stored * stated(header, number, "RescaleSlope", 1.0) + stated(header, number, "RescaleIntercept", 0.0)
            found = of_frame(to_modality(array), number)

            assert np.allclose(found, modality, rtol=1e-6, atol=3e-7 * float(np.abs(modality).max())), (name, number)
            width = stated(header, number, "WindowWidth", 0.0)
            if width > 1:
                level = (modality - stated(header, number, "WindowCenter", 0.0) + 0.5) / (width - 1) + 0.5
                level = 1 - level if array.attrs["photometric_interpretation"] == "MONOCHROME1" else level
                expected = np.floor(np.clip(level, 0, 1) * 255 + 0.5)
                shown = of_frame(to_display(array), number).astype(np.float64)

                assert np.abs(shown - expected).max() <= (0 if np.array_equal(found, modality) else 1), (name, number)
        compared.add(name)
    assert len(compared) + len(undecoded) >= 7
    assert {"nitest-balls1/DTI.dcm", "pydicom-data/eCT_Supplemental.dcm"} <= compared  # of several frames, and uncompressed


def of_frame(array: xr.DataArray, number: int) -> np.ndarray:
    """The frame of that number, from 0, of the file."""
    frames = array.isel(y=0, x=0)
    numbers = array.coords["frame_number"].broadcast_like(frames).transpose(*frames.dims).values if "frame_number" in array.coords else None
    place = (0,) * frames.ndim if numbers is None else tuple(int(index) for index in np.argwhere(numbers == number + 1)[0])
    return np.asarray(array[place].values)


def stated(header: FileDataset, number: int, keyword: str, default: float) -> float:
    """A number of the header for a frame, from its functional groups first."""
    frames = header.get("PerFrameFunctionalGroupsSequence", [])
    for group in (*frames[number : number + 1], *header.get("SharedFunctionalGroupsSequence", [])):
        for sequence in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(sequence, []):
                if keyword in item:
                    return float(np.atleast_1d(item[keyword].value)[0])
    value = header.get(keyword)
    return default if value in (None, "") else float(np.atleast_1d(value)[0])
