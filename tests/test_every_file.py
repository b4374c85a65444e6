"""Every file of the collection opens with labels that make sense, or is refused by an error of ours; and no label names a person."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
import xarray as xr

import xdicom

pytestmark = pytest.mark.corpus

OUTER = {
    "time", "trigger_time", "cardiac_phase", "repetition", "acquisition", "echo_time", "diffusion", "segment", "frame",
    "energy_window", "detector", "slice", "z",
}  # fmt: skip
"""Dimensions across frames that the files of the collection have."""
PERSON = ("PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "PatientAddress", "AccessionNumber", "StudyDate", "SeriesDate",
          "AcquisitionDate", "ContentDate", "ReferringPhysicianName", "OperatorsName", "InstitutionName", "StudyID")  # fmt: skip


def arrays_of(path: Path) -> list[xr.DataArray]:
    return [node["stored_values"] for node in xdicom.open_study(path).subtree if "stored_values" in node.data_vars]


def check_labels(array: xr.DataArray) -> None:
    """Raise where labels contradict each other or the array."""
    assert set(map(str, array.dims)) <= OUTER | {"y", "x", "sample"}
    assert array.dims[array.ndim - 2 - ("sample" in array.dims) :][:2] == ("y", "x")
    assert array.chunks is not None
    json.dumps(array.attrs)
    for name in ("z", "y", "x", "time", "echo_time"):
        if name in array.indexes:
            assert (
                array[name].attrs.get("units")
                in {"z": ("mm",), "y": ("mm",), "x": ("mm",), "time": ("s", None), "echo_time": ("ms",)}[name]
            )
            assert (np.diff(array[name].values) > 0).all()
    has_place = "image_orientation_patient" in array.attrs or "total_pixel_matrix_origin" in array.attrs
    assert not {"y", "x"} <= set(array.coords) or has_place


def texts_of(array: xr.DataArray) -> set[str]:
    """Texts of the labels, but for UIDs and the maker, whose name some demonstration files give their patients."""
    texts = {
        str(value) for name, value in array.attrs.items() if not str(name).endswith("uid") and not str(name).startswith("manufacturer")
    }
    return texts | {
        str(value) for name, c in array.coords.items() if c.dtype.kind == "U" and "uid" not in str(name) for value in np.unique(c)
    }


@pytest.mark.parametrize(("folder", "opened"), [("files", 168), ("malformed", 61)])
def test_every_file_opens_with_sensible_labels_or_is_refused_by_an_error_of_ours(corpus: Path, folder: str, opened: int) -> None:
    counts = Counter[str]()
    for path in sorted(path for path in (corpus / folder).rglob("*") if path.is_file()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                arrays = arrays_of(path)
            except xdicom.XDicomError:
                counts["refused"] += 1
                continue
            for array in arrays:
                check_labels(array)
        counts["opened"] += 1

    assert counts["opened"] >= opened


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom warns of values that it reads all the same
def test_labels_of_real_files_name_no_person_and_tell_no_date(corpus: Path) -> None:
    told = {}
    for path in sorted((corpus / "files").rglob("*")):
        if not path.is_file():
            continue
        header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        secrets = {str(header.get(name, "")).strip() for name in PERSON}
        secrets = {secret for secret in secrets if len(secret) > 4}
        try:
            arrays = arrays_of(path)
        except xdicom.XDicomError:
            continue
        texts = "\n".join(text for array in arrays for text in texts_of(array))
        found = {secret for secret in secrets if secret in texts}
        if found:
            told[path.relative_to(corpus).as_posix()] = found

    assert told == {}
