"""The walk over fragments: small ones in blocks, large ones from header to header, with one result."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.streams import SEQUENCE_DELIMITER
from xdicom.errors import PixelDataError
from xdicom.headers import fragments
from xdicom.headers.fragments import BLOCK, ITEM_HEADER_LENGTH, LOOKED_AT, SMALL, Items, ends_of_fragments, walk_items

START = 6


class Store:
    """Fragments behind START, and the lengths of what was asked of them."""

    def __init__(self, sizes: list[int], behind: bytes = SEQUENCE_DELIMITER) -> None:
        items = [b"\xfe\xff\x00\xe0" + struct.pack("<I", size) + bytes([i % 250 + 1]) * size for i, size in enumerate(sizes)]
        self.data = b"\0" * START + b"".join(items) + behind
        self.offsets = [START]
        for item in items:
            self.offsets.append(self.offsets[-1] + len(item))
        self.asked: list[int] = []

    def fetch(self, offset: int, length: int) -> bytes:
        self.asked.append(length)
        return self.data[offset : offset + length]

    def walk(self, size: int | None = None, most: int = 1 << 20) -> Items:
        return walk_items(self.fetch, START, len(self.data) if size is None else size, most)


@given(st.lists(st.sampled_from([0, 2, 500, SMALL, 3 * SMALL, BLOCK, BLOCK - 8]), min_size=1, max_size=40), st.booleans())
def test_every_fragment_is_found_whatever_lies_around_it(sizes: list[int], is_size_known: bool) -> None:
    store = Store(sizes)

    items = store.walk(None if is_size_known else -1)

    assert items.offset.tolist() == store.offsets[:-1]
    assert items.length.tolist() == sizes
    assert (items.end, items.notes) == (store.offsets[-1], [])


def test_small_fragments_are_read_in_blocks() -> None:
    store = Store([500] * 5000)

    store.walk()

    assert len(store.asked) <= LOOKED_AT + len(store.data) // (BLOCK - 1000) + 1


def test_of_large_fragments_nothing_but_their_headers_is_read() -> None:
    store = Store([SMALL + 2] * 100)

    store.walk()

    assert set(store.asked) == {ITEM_HEADER_LENGTH}


def test_large_fragments_behind_small_ones_are_read_from_header_to_header() -> None:
    store = Store([100] * 20 + [BLOCK] * 50)

    store.walk()

    assert sum(length > ITEM_HEADER_LENGTH for length in store.asked) <= 2


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("count", [3, 30])
def test_a_missing_delimiter_is_noted_wherever_the_walk_ends(count: int, known: bool) -> None:
    store = Store([500] * count, behind=b"")

    items = store.walk(None if known else -1)

    assert len(items.offset) == count
    assert items.notes == ["the pixel data has no sequence delimiter"]


@pytest.mark.parametrize("count", [3, 30])
def test_a_fragment_that_is_cut_ends_with_the_source(count: int) -> None:
    store = Store([500] * count, behind=b"")
    store.data = store.data[:-100]

    items = store.walk()

    assert items.length.tolist() == [500] * (count - 1) + [400]
    assert items.end == len(store.data)
    assert "ends within the fragment" in items.notes[0]


@pytest.mark.parametrize("size", [500, 3 * SMALL])
def test_fragments_without_end_are_refused(size: int) -> None:
    with pytest.raises(PixelDataError, match="more than 40 fragments"):
        Store([size] * 60).walk(most=40)


@pytest.mark.parametrize("sizes", [[500, 2, 0, 40] * 20, [3 * SMALL, 0, 6] * 4])
def test_both_ends_of_each_fragment_are_its_own(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "BLOCK", 1000)
    store = Store(sizes)

    heads, tails = ends_of_fragments(store.fetch, store.walk(), 16)

    values = [store.data[start + ITEM_HEADER_LENGTH : stop] for start, stop in pairwise(store.offsets)]
    assert heads == [value[:16] for value in values]
    assert tails == [value[-16:] for value in values]


def test_both_ends_of_small_fragments_are_read_in_blocks() -> None:
    store = Store([500] * 5000)
    items = store.walk()
    store.asked.clear()

    ends_of_fragments(store.fetch, items, 16)

    assert len(store.asked) <= len(store.data) // (BLOCK - 1000) + 1
