"""Where frames lie, as columns: taken, joined, and cut down to what a worker needs."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

import numpy as np
import pytest

from xdicom.model.columns import Column
from xdicom.model.encoding import EXPLICIT_LITTLE_ENDIAN, PixelEncoding
from xdicom.model.frames import FrameTable, InstanceTable, concatenate_frames

ENCODINGS = (PixelEncoding(EXPLICIT_LITTLE_ENDIAN, 2, 2), PixelEncoding(EXPLICIT_LITTLE_ENDIAN, 4, 4))


def column(*values: float | None) -> Column:
    present = [[value] for value in values if value is not None]
    codes = np.cumsum([value is not None for value in values]) - 1
    return Column(
        "number", np.array(present or np.empty((0, 1)), float), np.where([value is not None for value in values], codes, -1).astype(np.int8)
    )


def table(
    names: str, frames_each: int = 2, shared: Mapping[str, Column] | None = None, own: Mapping[str, Column] | None = None, encoding: int = 0
) -> FrameTable:
    """Instances of these one-letter names with `frames_each` frames of 8 bytes each."""
    count = len(names)
    instances = InstanceTable(
        tuple(f"/{name}.dcm" for name in names), np.full(count, 100), tuple(f"stamp {name}" for name in names), ENCODINGS,
        np.full(count, encoding, np.int16), shared or {},
    )  # fmt: skip
    return FrameTable(
        instances, np.repeat(np.arange(count, dtype=np.int32), frames_each), np.tile(np.arange(1, frames_each + 1, dtype=np.int32), count),
        50 + 8 * np.tile(np.arange(frames_each), count), np.full(count * frames_each, 8), own or {},
    )  # fmt: skip


def test_a_value_of_the_frame_stands_above_that_of_its_instance() -> None:
    frames = table("ab", shared={"echo": column(1, 2)}, own={"echo": column(None, 7, None, None)})

    assert frames.numbers("echo").tolist() == [1, 7, 2, 2]


def test_values_of_instances_hold_for_all_their_frames() -> None:
    assert table("ab", shared={"echo": column(1, None)}).numbers("echo")[:2].tolist() == [1, 1]


@pytest.mark.parametrize("shared", [{}, {"echo": column(None, None)}])
def test_a_value_that_no_frame_has_is_none(shared: dict[str, Column]) -> None:
    frames = table("ab", shared=shared)

    assert frames.column("echo") is None
    assert np.isnan(frames.numbers("echo")).all()
    assert frames.texts("echo").tolist() == [""] * 4


def test_taking_frames_drops_the_instances_that_none_is_of() -> None:
    part = table("abc", shared={"echo": column(1, 2, 3)}).take(np.array([5, 0]))

    assert part.instances.urls == ("/a.dcm", "/c.dcm")
    assert part.numbers("echo").tolist() == [3, 1]
    assert part.frame_number.tolist() == [2, 1]


def test_workers_are_given_places_and_no_headers() -> None:
    refs = table("abc", shared={"echo": column(1, 2, 3)}).refs()

    part = refs.take(np.array([4, 5]))

    assert part.urls == ("/c.dcm",)
    assert part.stamps == ("stamp c",)
    assert part.encodings == ENCODINGS[:1]
    assert len(pickle.dumps(part)) < 1500


def test_one_frame_is_given_as_taken() -> None:
    refs = table("abc").refs()

    one, taken = refs.one(3), refs.take(np.array([3]))

    assert (one.urls, one.stamps, one.encodings) == (taken.urls, taken.stamps, taken.encodings)
    for name in ("source", "encoding", "offset", "length", "frame_number"):
        np.testing.assert_array_equal(getattr(one, name), getattr(taken, name))


def test_tables_join_with_their_instances_encodings_and_values() -> None:
    first = table("ab", shared={"echo": column(1, 2)}, own={"place": column(1, 2, 3, 4)})
    second = table("c", shared={"angle": column(9)}, encoding=1)

    joined = concatenate_frames([first, second])

    assert joined.instances.urls == ("/a.dcm", "/b.dcm", "/c.dcm")
    assert joined.instance.tolist() == [0, 0, 1, 1, 2, 2]
    assert [joined.instances.encodings[code].rows for code in joined.instances.encoding] == [2, 2, 4]
    np.testing.assert_array_equal(joined.numbers("echo"), [1, 1, 2, 2, np.nan, np.nan])
    np.testing.assert_array_equal(joined.numbers("angle"), [np.nan] * 4 + [9, 9])
    np.testing.assert_array_equal(joined.numbers("place"), [1, 2, 3, 4, np.nan, np.nan])
