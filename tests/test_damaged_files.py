"""Files that were damaged or cut anywhere: they open, or end in an error of our own that names what was found."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xdicom
from builders import make_cine, make_ct, make_enhanced_mr, make_file, make_nm, make_palette, make_rtdose, make_seg, phantom, phantoms
from index.test_tiles import mosaic
from xdicom.errors import XDicomError

KINDS: dict[str, Callable[[Path], Path]] = {
    "ct": lambda folder: make_ct(folder, [0.0])[0],
    "implicit": lambda folder: make_ct(folder, [0.0], transfer_syntax="implicit")[0],
    "big endian": lambda folder: make_ct(folder, [0.0], transfer_syntax="big_endian")[0],
    "deflated": lambda folder: make_ct(folder, [0.0], transfer_syntax="deflated")[0],
    "enhanced": lambda folder: make_enhanced_mr(folder / "a.dcm", transfer_syntax="rle"),
    "enhanced of undefined lengths": lambda folder: make_enhanced_mr(folder / "a.dcm", undefined_length=True),
    "fragments without a table": lambda folder: make_enhanced_mr(
        folder / "a.dcm", transfer_syntax="jpegls", fragments_per_frame=2, table="none"
    ),
    "extended table": lambda folder: make_enhanced_mr(folder / "a.dcm", transfer_syntax="jpegls", table="extended"),
    "cine": lambda folder: make_cine(folder / "a.dcm", 3),
    "nuclear medicine": lambda folder: make_nm(folder / "a.dcm"),
    "palette": lambda folder: make_palette(folder / "a.dcm"),
    "dose": lambda folder: make_rtdose(folder / "a.dcm"),
    "segmentation": lambda folder: make_seg(folder / "a.dcm"),
    "mosaic": lambda folder: mosaic(folder / "a.dcm", 4),
    "jpeg 2000": lambda folder: make_file(folder / "a.dcm", {}, phantoms(2, 16, 16, np.uint16), "j2k"),
}


def work_through(path: Path) -> None:
    """Open all that is there, and compute and show each array; errors of our own are an answer."""
    try:
        tree = xdicom.open_study(path)
    except XDicomError as error:
        told = str(error)
        assert told
        return
    for node in tree.subtree:
        if "stored_values" not in node.data_vars:
            continue
        array: xr.DataArray = node["stored_values"]
        repr(array)
        if array.nbytes > 1_000_000:
            continue  # a damaged size; what is there is far too short for it, and no room is made before that is known
        try:
            values = array.compute(scheduler="sync")
            if str(array.attrs["photometric_interpretation"]).startswith("MONOCHROME") and "sample" not in array.dims:
                values.dicom.to_modality()
        except XDicomError:
            continue
        assert values.dtype == array.dtype


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # of what it reads where our own walk is not certain
@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_wrong_bytes_end_in_values_or_in_our_own_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, damage: list[tuple[int, int]], is_header: bool
) -> None:
    path = KINDS[kind](tmp_path_factory.mktemp("damaged"))
    data = bytearray(path.read_bytes())
    reach = min(len(data), 1500) if is_header else len(data)
    for place, byte in damage:
        data[place % reach] = byte
    path.write_bytes(data)

    work_through(path)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("kind", KINDS)
@given(st.floats(0, 1))
def test_files_that_end_anywhere_end_in_values_or_in_our_own_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, share: float
) -> None:
    path = KINDS[kind](tmp_path_factory.mktemp("cut"))
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    work_through(path)


@pytest.mark.parametrize("syntax", ["native", "rle"])
@pytest.mark.parametrize(
    "elements",
    [
        {"Rows": 65535, "Columns": 65535},
        {"NumberOfFrames": 2**31 - 1},
        {"Rows": 65535, "Columns": 65535, "NumberOfFrames": 90_000},
    ],
    ids=["rows and columns", "frames", "all of them"],
)
def test_declared_sizes_make_no_room_for_what_is_not_there(tmp_path: Path, elements: dict[str, Any], syntax: str) -> None:
    path = make_file(tmp_path / "a.dcm", elements, phantom(0), syntax)

    tracemalloc.start()
    with pytest.raises(XDicomError):
        xdicom.open_frames(path)[-1].compute(scheduler="sync")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 100_000_000


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_real_malformed_files_end_in_values_or_in_our_own_error(corpus: Path) -> None:
    for path in sorted((corpus / "malformed").rglob("*")):
        if path.is_file():
            work_through(path)
