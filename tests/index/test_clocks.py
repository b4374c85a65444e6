"""Times and diffusion weights: public elements first, vendors' where those are silent, nothing invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import AXIAL, image_position, make_file, phantom, uid
from index.arranged import make_planes, records_of
from xdicom.index.clocks import acquisition_clock, content_clock, diffusion_of
from xdicom.index.records import Records
from xdicom.model.grid import Diffusion


def planes(folder: Path, *each: dict[Any, Any], **shared: Any) -> Records:
    """One plane for each of `each`."""
    for i, own in enumerate(each):
        elements = {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "Modality": "MR", "SOPInstanceUID": uid(i), "SeriesInstanceUID": uid("one"),
            "InstanceNumber": i + 1,
            "ImagePositionPatient": image_position(i), "ImageOrientationPatient": list(AXIAL), "PixelSpacing": [1, 1], **shared, **own,
        }  # fmt: skip
        make_file(folder / f"{i:02d}.dcm", elements, phantom(i, 2, 2))
    return records_of(folder)


def weights(records: Records) -> Diffusion:
    found = diffusion_of(records)
    assert found is not None
    return found


def test_a_date_and_time_make_an_absolute_clock(tmp_path: Path) -> None:
    clock = acquisition_clock(planes(tmp_path, {"AcquisitionTime": "000001"}, {"AcquisitionTime": "000002.5"}, AcquisitionDate="19700102"))

    assert clock.is_absolute
    assert (clock.seconds.tolist(), clock.source) == ([86401, 86402.5], "AcquisitionTime")


def test_midnight_is_no_jump_back(tmp_path: Path) -> None:
    each = [{"AcquisitionDate": "20200229", "AcquisitionTime": "235959"}, {"AcquisitionDate": "20200301", "AcquisitionTime": "000001"}]

    assert np.diff(acquisition_clock(planes(tmp_path, *each)).seconds).tolist() == [2]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom writes it all the same
def test_a_time_without_a_date_is_a_clock_from_midnight(tmp_path: Path) -> None:
    clock = acquisition_clock(planes(tmp_path, {"AcquisitionTime": "10:00:01"}))

    assert not clock.is_absolute
    assert clock.seconds.tolist() == [36001]


def test_date_and_time_in_one_stand_above_the_time_alone(tmp_path: Path) -> None:
    clock = acquisition_clock(planes(tmp_path, {"AcquisitionDateTime": "19700101000005", "AcquisitionTime": "101010"}))

    assert (clock.source, clock.seconds.tolist()) == ("AcquisitionDateTime", [5])


@pytest.mark.filterwarnings("ignore:Invalid value for VR")  # pydicom writes it all the same
def test_a_plane_without_a_time_has_none(tmp_path: Path) -> None:
    seconds = acquisition_clock(planes(tmp_path, {"AcquisitionTime": "1000"}, {}, {"AcquisitionTime": "noon"})).seconds

    assert seconds[0] == 36000
    assert np.isnan(seconds[1:]).all()


def test_the_content_clock_is_another(tmp_path: Path) -> None:
    clock = content_clock(planes(tmp_path, {"AcquisitionTime": "1000", "ContentTime": "1100"}))

    assert (clock.source, clock.seconds.tolist()) == ("ContentTime", [39600])


def test_public_elements_state_weight_and_direction(tmp_path: Path) -> None:
    found = weights(
        planes(tmp_path, {"DiffusionBValue": 0.0}, {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [0.0, 3.0, 4.0]})
    )

    assert found.b_value.tolist() == [0, 1000]
    assert np.isnan(found.direction[0]).all()
    np.testing.assert_allclose(found.direction[1], [0, 0.6, 0.8])
    assert (found.source, found.is_patient_frame) == ("DiffusionBValue", True)


VENDORS: dict[str, tuple[dict[Any, Any], float, list[float] | None, bool]] = {
    "Siemens": (
        {0x00190010: ("LO", "SIEMENS MR HEADER"), 0x0019100C: ("IS", "750"), 0x0019100E: ("FD", [0.0, 0.0, -1.0])}, 750, [0, 0, -1], True,
    ),
    "Philips": (
        {
            0x20010010: ("LO", "Philips Imaging DD 001"), 0x20011003: ("FL", 800.0), 0x20050010: ("LO", "Philips MR Imaging DD 001"),
            0x200510B0: ("FL", 1.0), 0x200510B1: ("FL", 0.0), 0x200510B2: ("FL", 0.0),
        },
        800, [1, 0, 0], True,
    ),
    "UIH": (
        {
            0x00650010: ("LO", "Image Private Header"), 0x00651009: ("FD", 929.75), 0x0065100A: ("FD", 1000.0),
            0x00651037: ("FD", [0.0, 1.0, 0.0]),
        },
        1000, [0, 1, 0], True,
    ),
    "GE": (
        {
            0x00430010: ("LO", "GEMS_PARM_01"), 0x00431039: ("IS", ["1000", "8", "0", "0"]), 0x00190010: ("LO", "GEMS_ACQU_01"),
            0x001910BB: ("DS", "0.0"), 0x001910BC: ("DS", "-1.0"), 0x001910BD: ("DS", "0.0"),
        },
        1000, [0, -1, 0], False,
    ),
    "GE with the flag of newer software": ({0x00430010: ("LO", "GEMS_PARM_01"), 0x00431039: ("IS", ["1000000700", "8"])}, 700, None, True),
    "Canon": ({"ImageComments": "b=1500(0.6,0.000,0.8)"}, 1500, [0.6, 0, 0.8], True),
}  # fmt: skip


@pytest.mark.parametrize(("elements", "b", "direction", "is_patient_frame"), VENDORS.values(), ids=VENDORS)
def test_vendors_elements_speak_where_public_ones_are_silent(
    tmp_path: Path, elements: dict[Any, Any], b: float, direction: list[float] | None, is_patient_frame: bool
) -> None:
    found = weights(planes(tmp_path, elements))

    assert found.b_value.tolist() == [b]
    if direction is None:
        assert np.isnan(found.direction).all()
    else:
        np.testing.assert_allclose(found.direction[0], direction)
    assert found.is_patient_frame is is_patient_frame


def test_public_elements_stand_above_vendors(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, {"DiffusionBValue": 500.0, **VENDORS["Siemens"][0]}))

    assert found.b_value.tolist() == [500]


def test_a_weight_that_no_element_states_is_nan_and_not_zero(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, {}, {"DiffusionBValue": 1500.0}))

    assert np.isnan(found.b_value[0])


def test_a_vendors_zero_fills_the_gap_that_the_public_element_leaves(tmp_path: Path) -> None:
    ge = {0x00430010: ("LO", "GEMS_PARM_01")}
    found = weights(
        planes(tmp_path, ge | {0x00431039: ("IS", ["0", "8"])}, ge | {0x00431039: ("IS", ["1000", "8"]), "DiffusionBValue": 1000.0})
    )

    assert found.b_value.tolist() == [0, 1000]
    assert "DiffusionBValue" in found.source
    assert "GEMS_PARM_01" in found.source


def test_a_zero_vector_is_no_direction(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, {"DiffusionBValue": 800.0, "DiffusionGradientOrientation": [0.0, 0.0, 0.0]}))

    assert np.isnan(found.direction).all()


def test_a_b_value_in_the_comments_gives_the_direction_of_a_public_b_value(tmp_path: Path) -> None:
    found = weights(planes(tmp_path, {"DiffusionBValue": 1500.0, "ImageComments": "b=1500(0.895,0.000,0.445)"}))

    assert found.b_value.tolist() == [1500]
    assert found.direction[0, 0] == pytest.approx(0.895, abs=1e-3)


@pytest.mark.parametrize("comment", ["b=1500", "scan b=(1,2,3)", "nothing", "b=x(1,2,3)"])
def test_other_comments_are_no_diffusion(tmp_path: Path, comment: str) -> None:
    assert diffusion_of(planes(tmp_path, {"ImageComments": comment})) is None


def test_planes_without_diffusion_have_none(tmp_path: Path) -> None:
    make_planes(tmp_path, [0, 1])

    assert diffusion_of(records_of(tmp_path)) is None


def test_directionality_is_a_mark_of_its_own(tmp_path: Path) -> None:
    found = weights(
        planes(tmp_path, *({"DiffusionBValue": 1000.0, "DiffusionDirectionality": each} for each in ("DIRECTIONAL", "ISOTROPIC")))
    )

    assert found.kind.tolist() == ["DIRECTIONAL", "ISOTROPIC"]
