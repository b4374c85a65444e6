"""Coordinates that were changed while frames keep their headers are written where an element states them, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import make_ct, make_enhanced_mr, make_slices
from real_series import arrays_of
from xdicom.errors import InconsistentSeriesError
from xdicom.export.dicom_changes import changes_of
from xdicom.export.dicom_files import write_dicom
from xdicom.export.dicom_origins import find_origin
from xdicom.export.dicom_planes import arranged
from xdicom.labeled import origins

MR = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "PixelSpacing": [1, 1], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
PLACES = [(0, 0, 0.0), (0, 0, 1.0)]


def make_steps(folder: Path, **varied: list[object]) -> xr.DataArray:
    """MR of two slices at steps told apart by the values of some elements."""
    steps = len(next(iter(varied.values())))
    constant = {"AcquisitionDate": "20200101", "AcquisitionTime": "235950", "EchoTime": 5, "RepetitionTime": 100}
    each = {keyword: [value for value in values for _ in PLACES] for keyword, values in varied.items()}
    make_slices(folder, PLACES * steps, varying=each, **MR, **{name: value for name, value in constant.items() if name not in varied})
    return xdicom.open_series(folder)


@pytest.fixture
def dynamic(tmp_path: Path) -> xr.DataArray:
    """MR of two slices at three times."""
    return make_steps(tmp_path / "in", AcquisitionTime=["235950", "235952.5", "235955"])


@pytest.fixture
def echoes(tmp_path: Path) -> xr.DataArray:
    """MR of two slices at three echo times."""
    return make_steps(tmp_path / "in", EchoTime=[5, 10, 15])


def again(array: xr.DataArray, folder: Path) -> xr.DataArray:
    """`array`, written and opened."""
    write_dicom(array, folder, progress=False)
    return xdicom.open_series(folder)


def test_new_times_move_the_clocks_of_the_frames_past_midnight(dynamic: xr.DataArray, tmp_path: Path) -> None:
    changed = dynamic.assign_coords(time=("time", [0.0, 20.0, 50.0], dynamic["time"].attrs))

    back = again(changed, tmp_path / "out")

    assert back.dims == ("time", "z", "y", "x")
    np.testing.assert_allclose(back["time"].values, [0, 20, 50])
    np.testing.assert_array_equal(back.values, dynamic.values)
    last = pydicom.dcmread(tmp_path / "out" / "00006.dcm")
    assert (last.AcquisitionDate, float(last.AcquisitionTime)) == ("20200102", 40.0)


def test_a_part_of_the_steps_keeps_its_clocks(dynamic: xr.DataArray, tmp_path: Path) -> None:
    write_dicom(dynamic.isel(time=[1, 2]), tmp_path / "out", progress=False)

    assert pydicom.dcmread(tmp_path / "out" / "00001.dcm").AcquisitionTime == "235952.5"


def test_new_echo_times_are_written(echoes: xr.DataArray, tmp_path: Path) -> None:
    back = again(echoes.assign_coords(echo_time=("echo_time", [4.0, 8.5, 12.0], echoes["echo_time"].attrs)), tmp_path / "out")

    np.testing.assert_allclose(back["echo_time"].values, [4, 8.5, 12])


def test_an_axis_of_an_element_that_headers_lack_is_written(echoes: xr.DataArray, tmp_path: Path) -> None:
    changed = echoes.rename(echo_time="inversion_time").assign_coords(inversion_time=("inversion_time", [100.0, 200.0, 300.0]))

    back = again(changed, tmp_path / "out")

    found = [pydicom.dcmread(file).InversionTime for file in sorted((tmp_path / "out").iterdir())]
    np.testing.assert_allclose(found, [100, 100, 200, 200, 300, 300])
    assert back.dims[0] == "echo_time"


def test_new_b_values_are_written_above_those_of_the_vendor(tmp_path: Path) -> None:
    opened = make_steps(tmp_path / "in", DiffusionBValue=[0.0, 500.0, 1000.0])
    changed = opened.assign_coords(b_value=(opened["b_value"].dims, [0.0, 400.0, 800.0], opened["b_value"].attrs))

    np.testing.assert_allclose(again(changed, tmp_path / "out")["b_value"].values, [0, 400, 800])


def test_new_times_of_an_enhanced_object_are_written(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "in" / "mr.dcm", echoes_ms=(4.0, 8.0))
    opened = xdicom.open_series(tmp_path / "in")

    back = again(opened.assign_coords(echo_time=("echo_time", [5.0, 11.0], opened["echo_time"].attrs)), tmp_path / "out")

    np.testing.assert_allclose(back["echo_time"].values, [5, 11])
    np.testing.assert_array_equal(back.values, opened.values)


def test_new_times_of_pet_are_written_as_reference_times(tmp_path: Path) -> None:
    opened = make_steps(tmp_path / "in", FrameReferenceTime=[0, 1000])
    changed = opened.assign_coords(time=("time", [0.0, 5.0], opened["time"].attrs))

    np.testing.assert_allclose(again(changed, tmp_path / "out")["time"].values, [0, 5])


def test_series_that_are_put_together_keep_their_clocks(tmp_path: Path) -> None:
    first = make_steps(tmp_path / "a", AcquisitionTime=["100000", "100002"])
    second = make_steps(tmp_path / "b", AcquisitionTime=["100010", "100012.5"])
    both = xr.concat([first, second.assign_coords(time=second["time"] + 10)], dim="time", coords="minimal", compat="override")
    both = both.assign_attrs(first.attrs)

    back = again(both, tmp_path / "out")

    np.testing.assert_allclose(back["time"].values, [0, 2, 10, 12.5])
    clocks = [pydicom.dcmread(file).AcquisitionTime for file in sorted((tmp_path / "out").iterdir())]
    assert clocks == [clock for clock in ("100000", "100002", "100010", "100012.5") for _ in PLACES]


def test_volumes_of_several_series_get_the_times_that_they_are_given(tmp_path: Path) -> None:
    parts = [make_steps(tmp_path / name, AcquisitionTime=[time]) for name, time in (("a", "100000"), ("b", "101000"))]
    both = xr.concat(parts, dim="time", coords="minimal", compat="override").assign_attrs(parts[0].attrs)

    back = again(both.assign_coords(time=("time", [0.0, 30.0], {"units": "s"})), tmp_path / "out")

    np.testing.assert_allclose(back["time"].values, [0, 30])


def test_an_axis_of_another_name_is_no_change(dynamic: xr.DataArray, tmp_path: Path) -> None:
    back = again(dynamic.rename(time="phase"), tmp_path / "out")

    np.testing.assert_allclose(back["time"].values, dynamic["time"].values)


def test_a_label_that_no_element_states_is_refused(dynamic: xr.DataArray, tmp_path: Path) -> None:
    renamed = dynamic.rename(time="mood").assign_coords(mood=("mood", [1.0, 2.0, 3.0]))

    with pytest.raises(InconsistentSeriesError, match="mood"):
        write_dicom(renamed, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_two_changes_that_contradict_each_other_are_refused(dynamic: xr.DataArray, tmp_path: Path) -> None:
    clocks = dynamic.assign_coords(acquisition_time=("time", [0.0, 7.0, 8.0], {"units": "s"}))
    changed = clocks.assign_coords(time=("time", [0.0, 20.0, 50.0], dynamic["time"].attrs))

    with pytest.raises(InconsistentSeriesError, match="time was changed"):
        write_dicom(changed, tmp_path / "out", progress=False)


def test_identities_are_not_kept_under_new_labels(echoes: xr.DataArray, tmp_path: Path) -> None:
    changed = echoes.assign_coords(echo_time=("echo_time", [4.0, 8.5, 12.0]))

    with pytest.raises(ValueError, match="echo_time was changed"):
        write_dicom(changed, tmp_path / "out", keep_uids=True, progress=False)


def test_labels_of_a_store_that_keeps_headers_are_written(dynamic: xr.DataArray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamic.dicom.keep_headers().dicom.to_zarr(tmp_path / "kept.zarr", progress=False)
    monkeypatch.setattr(origins, "_tables", type(origins._tables)())
    stored = xr.open_zarr(tmp_path / "kept.zarr")["stored_values"]

    back = again(stored.assign_coords(time=("time", [0.0, 20.0, 50.0], stored["time"].attrs)), tmp_path / "out")

    np.testing.assert_allclose(back["time"].values, [0, 20, 50])


def test_what_was_not_changed_is_never_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ct(tmp_path / "in")
    ct = xdicom.open_series(tmp_path / "in")
    monkeypatch.setattr("xdicom.export.dicom_files.check_agreement", lambda *_: pytest.fail("headers were made twice"))

    write_dicom(ct + np.int16(1), tmp_path / "out", progress=False)


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_real_series_is_taken_for_changed(corpus: Path) -> None:
    count = 0
    for folder in sorted((corpus / "series").iterdir()):
        for array in arrays_of(folder):
            last = array.isel({dim: slice(None, None, -1) for dim in array.dims if dim not in ("y", "x", "sample")})
            for part in (array, last, last.isel({dim: slice(1, None) for dim in last.dims[:1] if last.sizes[dim] > 1})):
                origin = find_origin(arranged(part))
                if origin.frames is not None and not origin.repeats and (origin.rows >= 0).all():
                    assert changes_of(arranged(part), origin.frames, origin.rows).names == ()
                    count += 1

    assert count > 100


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "coordinate"),
    [
        ("dce_mr_ge_subset", "time"),
        ("dwi_uih_grid", "b_value"),
        ("dwi_ge_iop_jitter", "b_value"),
        ("enhanced_siemens_xa10", "time"),
        ("enhanced_siemens_xa30_fieldmap", "echo_time"),
        ("fmri_philips_magdeburg", "time"),
        ("mosaic_siemens_nih", "time"),
        ("mr_multiecho_philips_dual", "echo_time"),
    ],
)
def test_new_labels_of_real_series_come_back(name: str, coordinate: str, corpus: Path, tmp_path: Path) -> None:
    opened = next(arrays_of(corpus / "series" / name)).isel(y=slice(0, 8), x=slice(0, 8))
    label = opened[coordinate]
    changed = opened.assign_coords({coordinate: (label.dims, 1.5 * label.values, label.attrs)})

    back = again(changed, tmp_path / "out")

    assert back.dims == changed.dims
    np.testing.assert_allclose(back[coordinate].values, changed[coordinate].values, atol=1e-6)
    np.testing.assert_array_equal(back.values, changed.values)


@pytest.mark.corpus
@pytest.mark.filterwarnings("ignore")
def test_a_time_that_a_vendor_states_otherwise_is_refused(corpus: Path, tmp_path: Path) -> None:
    opened = next(arrays_of(corpus / "series" / "philips_enhanced_fmri")).isel(y=slice(0, 8), x=slice(0, 8))
    changed = opened.assign_coords(time=("time", 1.5 * opened["time"].values, opened["time"].attrs))

    with pytest.raises(InconsistentSeriesError, match="time was changed, and would not be read back"):
        write_dicom(changed, tmp_path / "out", progress=False)
