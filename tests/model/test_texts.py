"""Texts that lie in one block of bytes: made when they are asked for, and like a tuple of them in all else."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xdicom.model.texts import Lines, take_texts

TEXTS = ("a.dcm", "", "Größe 心", "odd \udc80 path", "last")


class Store:
    """Bytes, and how often they were asked for."""

    def __init__(self, texts: tuple[str, ...] = TEXTS) -> None:
        self.data, self.count, self.loaded = "\n".join(texts).encode("utf-8", "surrogatepass"), len(texts), 0

    def load(self) -> bytes:
        self.loaded += 1
        return self.data

    def lines(self) -> Lines:
        return Lines(self.load, self.count)


def test_nothing_is_loaded_before_a_text_is_asked_for_and_nothing_twice() -> None:
    store = Store()
    lines = store.lines()

    assert (len(lines), store.loaded) == (5, 0)
    assert (lines[2], lines[0], store.loaded) == ("Größe 心", "a.dcm", 1)


@pytest.mark.parametrize("index", [0, 4, -1, -5])
@pytest.mark.parametrize("is_whole", [False, True], ids=["one by one", "behind all"])
def test_each_text_is_that_of_a_tuple(index: int, is_whole: bool) -> None:
    lines = Store().lines()
    if is_whole:
        assert tuple(lines) == TEXTS

    assert lines[index] == TEXTS[index]
    assert lines[np.int64(index)] == TEXTS[index]  # type: ignore[call-overload]
    assert lines[index:3] == TEXTS[index:3]


@pytest.mark.parametrize("index", [5, -6])
def test_there_is_no_text_behind_the_last(index: int) -> None:
    with pytest.raises(IndexError):
        Store().lines()[index]


@given(st.lists(st.text(st.characters(exclude_characters="\n")), min_size=1, max_size=50), st.data())
def test_any_rows_of_any_texts_are_taken(texts: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=20))
    expected = tuple(texts[row] for row in rows)

    assert take_texts(Store(tuple(texts)).lines(), np.array(rows, np.int64)) == expected
    assert take_texts(tuple(texts), np.array(rows, np.int64)) == expected


def test_they_equal_a_tuple_and_travel_as_one() -> None:
    lines = Store().lines()

    assert lines == TEXTS
    assert lines == Store().lines()
    assert lines != TEXTS[:-1]
    assert hash(lines) == hash(TEXTS)
    assert pickle.loads(pickle.dumps(lines)) == TEXTS
    assert repr(lines) == "<5 texts>"
