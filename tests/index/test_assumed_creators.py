"""Vendors' elements whose private creator was removed are believed by their place, and marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xdicom
from builders import AXIAL, image_position, make_slices, phantom, uid
from xdicom.headers.private import ASSUMED

PRIVATE = {0x00190010: ("LO", "SIEMENS MR HEADER"), 0x0019100E: ("FD", [0.0, 0.0, 1.0])}
SOURCE = "(0019,xx0C) SIEMENS MR HEADER"


def make_diffusion(folder: Path, *, planes: int = 2, has_creator: bool = True, manufacturer: str = "SIEMENS") -> list[Path]:
    """Two weights at each place, stated by Siemens' own elements."""
    positions = [image_position(2.0 * (i % planes), AXIAL) for i in range(2 * planes)]
    private = [tag for tag in PRIVATE if has_creator or tag != 0x00190010]
    varying: dict[Any, Any] = {tag: [PRIVATE[tag]] * len(positions) for tag in private}
    varying[0x0019100C] = [("IS", str(1000 * (i // planes))) for i in range(2 * planes)]
    return make_slices(
        folder,
        positions,
        values=lambda i: phantom(i, 2, 3),
        varying=varying,
        SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR", Manufacturer=manufacturer, ImageOrientationPatient=list(AXIAL),
        PixelSpacing=[0.7, 0.5], SeriesInstanceUID=uid("diffusion"),
    )  # fmt: skip


@pytest.mark.parametrize("planes", [2, 40], ids=["read one by one", "read together"])
def test_values_by_an_assumed_creator_are_marked(tmp_path: Path, planes: int) -> None:
    named = xdicom.open_series(make_diffusion(tmp_path / "named", planes=planes))
    assumed = xdicom.open_series(make_diffusion(tmp_path / "assumed", planes=planes, has_creator=False))

    assert assumed.sizes == named.sizes
    assert assumed["b_value"].values.tolist() == named["b_value"].values.tolist() == [0, 1000]
    assert named["b_value"].attrs == {"units": "s/mm2", "source": SOURCE}
    assert assumed["b_value"].attrs == {"units": "s/mm2", "source": SOURCE, "private_creator": "assumed"}
    assert "assumed_private_creators" not in named.attrs
    assert assumed.attrs["assumed_private_creators"] == [SOURCE, "(0019,xx0E) SIEMENS MR HEADER"]


def test_the_report_tells_what_was_assumed(tmp_path: Path) -> None:
    make_diffusion(tmp_path / "named")
    make_diffusion(tmp_path / "assumed", has_creator=False)

    findings = [xdicom.scan(tmp_path / name).report().series[0].stacks[0].findings for name in ("named", "assumed")]

    assert not [each for each in findings[0] if "assumed" in each]
    assert f"private creators are missing and were assumed: {SOURCE}, (0019,xx0E) SIEMENS MR HEADER" in findings[1]


@pytest.mark.parametrize("manufacturer", ["GE MEDICAL SYSTEMS", ""])
def test_elements_of_another_manufacturer_are_not_believed(tmp_path: Path, manufacturer: str) -> None:
    opened = xdicom.open_series(make_diffusion(tmp_path, has_creator=False, manufacturer=manufacturer))

    assert "b_value" not in opened.coords
    assert "assumed_private_creators" not in opened.attrs


def test_both_roads_of_a_scan_mark_the_same(tmp_path: Path) -> None:
    paths = make_diffusion(tmp_path, planes=40, has_creator=False)
    together, one = xdicom.scan(tmp_path).frames, xdicom.scan(paths[:1]).frames

    marked = [{name for name in frames.instances.columns if name.startswith(ASSUMED)} for frames in (together, one)]

    assert marked[0] == marked[1] == {f"{ASSUMED}siemens_diffusion_b_value", f"{ASSUMED}siemens_diffusion_gradient_direction"}
    assert together.numbers(f"{ASSUMED}siemens_diffusion_b_value").tolist() == together.numbers("siemens_diffusion_b_value").tolist()


def test_marks_survive_a_saved_catalog_and_zarr(tmp_path: Path) -> None:
    paths = make_diffusion(tmp_path / "in", has_creator=False)
    xdicom.scan(paths).save(tmp_path / "a.catalog")

    opened = xdicom.open_series(tmp_path / "a.catalog")
    opened.dicom.to_zarr(tmp_path / "a.zarr", progress=False)

    again = xr.open_zarr(tmp_path / "a.zarr")["stored_values"]
    assert again.attrs["assumed_private_creators"] == opened.attrs["assumed_private_creators"] == [SOURCE, "(0019,xx0E) SIEMENS MR HEADER"]
    assert again["b_value"].attrs["private_creator"] == "assumed"
    assert np.array_equal(again, opened)
