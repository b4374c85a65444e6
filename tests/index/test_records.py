"""Planes with their own merged header: taken, looked up, and never more than their frames say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders import make_enhanced_mr
from index.arranged import make_planes, records_of
from xdicom.index.records import Records
from xdicom.index.tiles import number_column


@pytest.fixture
def records(tmp_path: Path) -> Records:
    make_planes(tmp_path, [0.0, 2.0, 4.0], {"EchoTime": [5, 10, None], "ReceiveCoilName": ["A", "B", None]})
    return records_of(tmp_path)


def test_values_of_planes_are_those_of_their_frames(records: Records) -> None:
    np.testing.assert_array_equal(records.numbers("echo_time"), [5, 10, np.nan])
    assert records.texts("receive_coil_name").tolist() == ["A", "B", ""]
    np.testing.assert_allclose(records.vectors("image_position_patient", 3)[:, 2], [0, 2, 4])


def test_what_is_not_there_is_nan_or_empty(records: Records) -> None:
    assert not records.has("inversion_time")
    assert np.isnan(records.numbers("inversion_time")).all()
    assert records.texts("inversion_time").tolist() == ["", "", ""]
    assert np.isnan(records.vectors("pixel_spacing", 6)).all()


def test_a_text_is_no_number_and_a_number_no_text(records: Records) -> None:
    assert np.isnan(records.numbers("receive_coil_name")).all()
    assert records.texts("echo_time").tolist() == ["", "", ""]


@pytest.mark.parametrize("where", [np.array([2, 0]), np.array([True, False, True])], ids=["numbers", "marks"])
def test_planes_are_taken_with_their_values_and_reasons(records: Records, where: np.ndarray) -> None:
    part = records.take(where, ("because",)).take(np.array([0]), ("of this",))

    assert len(part) == 1
    assert part.reasons == ("because", "of this")
    assert part.numbers("instance_number").tolist() == [3 if where.dtype != bool else 1]


def test_values_of_their_own_stand_above_those_of_frames(records: Records) -> None:
    records.own["echo_time"] = number_column(np.array([[7.0], [7.0], [8.0]]))

    assert records.numbers("echo_time").tolist() == [7, 7, 8]
    assert records.take(np.array([2])).numbers("echo_time").tolist() == [8]


def test_a_value_that_only_other_planes_have_is_none(records: Records) -> None:
    assert records.take(np.array([2])).column("echo_time") is None


def test_frames_of_one_instance_are_planes_each(tmp_path: Path) -> None:
    records = records_of(make_enhanced_mr(tmp_path / "a.dcm", (4.0, 8.0), (0.0, 2.0)))

    assert records.numbers("effective_echo_time").tolist() == [4, 4, 8, 8]
