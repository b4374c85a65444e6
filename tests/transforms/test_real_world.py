"""Real-world values come from stored values, and only from those that are mapped."""

from __future__ import annotations

import numpy as np
import pytest

from xdicom.transforms.lookup import LookupTable
from xdicom.transforms.real_world import map_linear, map_table


@pytest.mark.parametrize("ends", [(-5, 5), (5, -5)])
def test_a_linear_mapping_ends_at_its_range(ends: tuple[int, int]) -> None:
    values = np.array([-6, -5, 0, 5, 6], np.int16)

    out = map_linear(values, 0.25, 1.0, *ends, dtype=np.dtype("f8"))

    assert out[1:4].tolist() == [-0.25, 1.0, 2.25]
    assert np.isnan(out[[0, 4]]).all()


def test_each_frame_has_its_own_mapping() -> None:
    values = np.array([[[1, 50]], [[1, 50]]], np.uint16)
    per_frame = (np.array(numbers, float).reshape(2, 1, 1) for numbers in ([2, 3], [0, 1], [0, 0], [10, 100]))

    out = map_linear(values, *per_frame, dtype=np.dtype("f4"))

    assert np.nan_to_num(out, nan=-1).tolist() == [[[2.0, -1.0]], [[4.0, 151.0]]]


def test_a_table_maps_what_it_has_entries_for() -> None:
    table = LookupTable(-1, np.array([0.1, 0.2, 1e9]), bits=64)

    out = map_table(np.array([-2, -1, 0, 1, 2], np.int16), table, dtype=np.dtype("f8"))

    assert np.nan_to_num(out, nan=-1).tolist() == [-1, 0.1, 0.2, 1e9, -1]


def test_missing_stored_values_stay_missing() -> None:
    table = LookupTable(0, np.array([0.5]), bits=64)

    assert np.isnan(map_table(np.array([np.nan], np.float32), table, dtype=np.dtype("f4"))).all()
    assert np.isnan(map_linear(np.array([np.nan], np.float32), 1, 0, 0, 9, dtype=np.dtype("f4"))).all()
