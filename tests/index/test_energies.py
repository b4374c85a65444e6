"""Virtual monoenergetic images of CT: the energy that is stated, and none that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

import xdicom
from builders import AXIAL, image_position, make_file, phantoms, uid
from index.arranged import form, make_planes, only_grid, values
from xdicom.labeled.build import describe

Z = [0.0, 2.0, 4.0]
KEV = [40.0, 55.0, 70.0, 140.0]


def characteristics(energy: float | None) -> dict[str, Any]:
    return {} if energy is None else {"MonoenergeticEnergyEquivalent": energy}


def make_ct_planes(folder: Path, energies: list[float | None], positions: list[float], **elements: Any) -> list[Path]:
    image_type = ["DERIVED", "SECONDARY", "AXIAL", "VMI"]
    return make_planes(
        folder, positions, {"MultienergyCTCharacteristicsSequence": [[characteristics(energy)] for energy in energies]},
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT", ImageType=image_type, **elements,
    )  # fmt: skip


def test_energies_of_classic_images_are_an_axis(tmp_path: Path) -> None:
    make_ct_planes(tmp_path, [energy for energy in reversed(KEV) for _ in Z], Z * 4)

    grid = only_grid(tmp_path)

    assert form(grid) == {"energy": 4, "z": 3}
    assert values(grid, "energy") == KEV
    assert grid.axes[0].attrs == {"units": "keV", "source": "MonoenergeticEnergyEquivalent"}


def test_energies_of_an_enhanced_object_are_an_axis(tmp_path: Path) -> None:
    frames = [
        {
            "PlanePositionSequence": [{"ImagePositionPatient": image_position(z)}],
            "MultienergyCTCharacteristicsSequence": [characteristics(energy)],
        }
        for energy in KEV
        for z in Z
    ]
    shared = {
        "PlaneOrientationSequence": [{"ImageOrientationPatient": list(AXIAL)}],
        "PixelMeasuresSequence": [{"PixelSpacing": [0.7, 0.5]}],
    }
    elements = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1", "Modality": "CT", "SeriesInstanceUID": uid("energies"),
        "SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": frames,
    }  # fmt: skip
    path = make_file(tmp_path / "a.dcm", elements, phantoms(len(frames), 2, 3))

    opened = xdicom.open_series(path)

    assert opened.sizes["energy"] == 4
    assert opened["energy"].values.tolist() == KEV
    assert (opened.sel(energy=55.0).values == phantoms(12, 2, 3)[3:6]).all()


def test_an_energy_that_is_a_function_of_the_place_is_a_coordinate(tmp_path: Path) -> None:
    make_ct_planes(tmp_path, KEV[:3], Z)

    grid = only_grid(tmp_path)

    assert form(grid) == {"z": 3}
    assert describe(grid)[0]["energy"][:2] == (("z",), pytest.approx(np.array(KEV[:3])))


def test_energies_come_before_tube_voltages_that_go_with_them(tmp_path: Path) -> None:
    make_ct_planes(tmp_path, [40.0] * 3 + [70.0] * 3, Z * 2)
    voltages = [80.0, 140.0]
    for i, path in enumerate(sorted(tmp_path.iterdir())):
        dataset = dcmread(path)
        dataset.KVP = voltages[i // 3]
        dataset.save_as(path)

    grid = only_grid(tmp_path)

    assert form(grid) == {"energy": 2, "z": 3}


def test_no_energy_is_read_out_of_words(tmp_path: Path) -> None:
    comments = [f"Monoenergetic {energy:.0f} keV" for energy in (40, 70) for _ in Z]
    make_planes(tmp_path, Z * 2, {"ImageComments": comments}, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT")

    assert form(only_grid(tmp_path)) == {"repetition": 2, "z": 3}


def test_an_item_without_an_energy_states_none(tmp_path: Path) -> None:
    make_ct_planes(tmp_path, [None, None, None], Z)

    grid = only_grid(tmp_path)

    assert form(grid) == {"z": 3}
    assert "energy" not in describe(grid)[0]
