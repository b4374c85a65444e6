"""Exports of real files: stores and references hold what the files do, and no one's name.

Each series is opened once for all that is looked at. References are compared for some frames of each series and
of a third of the single files; with `XDICOM_WHOLE=1` in the environment for all frames of all, in every way that is installed.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xdicom
from export.test_dicom_profile import check_labels
from export.test_virtual_zarr import manifests, open_kerchunk
from xdicom import InconsistentSeriesError, MultipleSeriesError, NotDicomError, SourceError, UnsupportedEncodingError
from xdicom.virtual import DicomParser

WHOLE = bool(os.environ.get("XDICOM_WHOLE"))
Opener = Callable[[], "xr.DataArray | None"]
COMPARED = Counter[str]()
"""Arrays that were compared, by way."""
FRAMES, TILES = 3, 512
"""Frames along each dimension, and pixels of a slide, that are compared."""
MANY = 300
"""References from which on the other ways, which are slower, are left out."""
REFUSED = "no whole frames|encodings|SOP Instance UID|begin within a byte"
"""What has no references: mosaics, mixed encodings, instances without a name, bits out of order."""

pytestmark = [pytest.mark.corpus, pytest.mark.filterwarnings("ignore:The value length")]  # pydicom, on what some headers hold


def in_sample(location: Path) -> bool:
    """A third of all, the same ones in every run."""
    return zlib.crc32(location.name.encode()) % 3 == 0


def sampled(array: xr.DataArray) -> xr.DataArray:
    """Some frames of an array: the first, the last and those between."""
    if WHOLE:
        return array
    chosen: dict[Any, Any] = {}
    for dim, size in array.sizes.items():
        if dim not in ("y", "x", "sample") and size > FRAMES:
            chosen[dim] = np.unique(np.linspace(0, size - 1, FRAMES).astype(int))
        elif dim in ("y", "x") and "tile_rows" in array.attrs:
            chosen[dim] = slice(0, TILES)
    return array.isel(chosen)


def test_real_series_come_back_identical(corpus: Path, tmp_path: Path) -> None:
    arrays = 0
    for folder in sorted((corpus / "series").iterdir()):
        try:
            study = xdicom.open_study(folder)
        except NotDicomError:  # headers without pixels
            continue
        store = tmp_path / f"{folder.name}.zarr"

        study.dicom.to_zarr(store, progress=False)

        again = xr.open_datatree(store, engine="zarr")
        for node in study.subtree:
            for name, array in node.dataset.data_vars.items():
                stored = again[node.path].dataset[name].load()
                assert stored.identical(array), folder.name
                assert identifiers_in(stored, array) == [], folder.name
                for made in ("to_modality", "to_display", "to_rgb"):
                    assert_same_outcome(made, stored, array)
                check_labels(array)
                compare_references(array, stored, folder, node.name)
                arrays += 1
        shutil.rmtree(store)

    assert arrays > 40
    assert COMPARED["kerchunk"] > arrays / 2


def test_real_files_are_referred_to_or_refused_by_name(corpus: Path) -> None:
    with open(corpus / "REFERENCE.csv", encoding="utf-8") as file:
        paths = [row["path"] for row in csv.DictReader(file) if not row["error"] and row["path"].startswith("files/")]
    chosen = [path for path in paths if WHOLE or in_sample(Path(path))]
    count = 0
    for path in chosen:
        for node, array in arrays_of(corpus / path):
            count += compare_references(array, sampled(array).load(), corpus / path, node)

    print(dict(COMPARED))  # noqa: T201 - shown with -s
    assert count > len(chosen) * 0.8


def compare_references(array: xr.DataArray, values: xr.DataArray, location: Path, node: str | None) -> bool:
    """Whether there are references to the frames of an array; if so, they give its labels, and the same values as `values`."""
    references, why = refer(array)
    if why:
        assert re.search(REFUSED, why), location
        return False
    wanted = sampled(values) if values.sizes == array.sizes else values
    ways: dict[str, Opener | None] = {"kerchunk": lambda: open_kerchunk(references)}
    if WHOLE or (in_sample(location) and sum(isinstance(entry, list) for entry in references["refs"].values()) < MANY):
        ways |= {"icechunk": by_icechunk(array, location), "VirtualiZarr": by_parser(array, location, node)}
    for way, opened in ways.items():
        if opened is not None and (found := opened()) is not None:
            assert found.sizes == array.sizes, (location, way)
            assert sampled(found).identical(wanted), (location, way)
            COMPARED[way] += 1
    return True


def refer(array: xr.DataArray) -> tuple[dict[str, Any], str]:
    """References to the frames of an array, or why there are none."""
    try:
        return array.dicom.to_kerchunk(), ""
    except (UnsupportedEncodingError, InconsistentSeriesError, SourceError) as error:
        return {}, str(error)


def by_parser(array: xr.DataArray, location: Path, node: str | None) -> Opener | None:
    """References by the parser for VirtualiZarr."""
    try:
        _, registry = manifests()
    except pytest.skip.Exception:
        return None

    def opened() -> xr.DataArray | None:
        for stack in (None, node):
            try:
                store = DicomParser(series_uid=array.attrs.get("series_instance_uid"), stack=stack)(str(location), registry)
            except MultipleSeriesError:
                continue
            found = xr.open_zarr(store, consolidated=False, zarr_format=3)["stored_values"]
            return found if found.drop_vars(list(found.coords)).sizes == array.sizes else None
        return None

    return opened


def by_icechunk(array: xr.DataArray, location: Path) -> Opener | None:
    """References in an icechunk repository in memory."""
    try:
        import icechunk
    except ImportError:
        return None

    def opened() -> xr.DataArray:
        icechunk.set_logs_filter("error")
        root = Path(*location.parts[:2])
        prefix = f"{root.as_uri()}/"
        allowed = {prefix: getattr(icechunk.credentials, "LocalFileSystemAccess", None)}
        config = icechunk.RepositoryConfig.default()
        config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, store=icechunk.local_filesystem_store(str(root))))
        repository = icechunk.Repository.create(icechunk.in_memory_storage(), config=config, authorize_virtual_chunk_access=allowed)
        session = repository.writable_session("main")
        array.dicom.to_icechunk(session.store)
        return xr.open_zarr(session.store, consolidated=False)["stored_values"]

    return opened


def arrays_of(path: Path) -> Iterator[tuple[str | None, xr.DataArray]]:
    """Arrays of a file, each with the name of its node; none where it is not read."""
    try:
        study = xdicom.open_study(path)
    except xdicom.XDicomError:
        return
    for node in study.subtree:
        for array in node.dataset.data_vars.values():
            yield node.name, array


def identifiers_in(stored: xr.DataArray, array: xr.DataArray) -> list[str]:
    """Direct identifiers of the header of an array that are among the labels of a stored one."""
    try:
        header = array.dicom.header()
    except (SourceError, ValueError):
        return []
    keywords = (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "OtherPatientIDs",
        "AccessionNumber",
        "ReferringPhysicianName",
        "OperatorsName",
    )
    values = {str(header.get(keyword, "")) for keyword in keywords}
    others = " ".join(str(element.value) for element in header if element.keyword not in keywords)  # anonymizers write one word everywhere
    told = repr([stored.attrs, *((coord.attrs, coord.values.tolist()) for coord in stored.coords.values())])
    return sorted(value for value in values if len(value) > 4 and value in told and value not in others)


def assert_same_outcome(method: str, *arrays: xr.DataArray) -> None:
    """A method gives the same values and labels for all arrays, or is refused for the same reason; on a few frames of each."""
    outcomes: list[xr.DataArray | str] = []
    for array in arrays:
        few = array.isel(
            {dim: slice(None, None, max(1, size // 3)) for dim, size in array.sizes.items() if dim not in ("y", "x", "sample")}
        )
        try:
            outcomes.append(getattr(few.dicom, method)().load())
        except (ValueError, NotImplementedError, xdicom.XDicomError) as error:
            outcomes.append(str(error))
    first, *others = outcomes
    assert all(other.identical(first) if isinstance(other, xr.DataArray) else other == first for other in others)
