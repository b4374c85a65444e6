"""Columns as few bytes come back as they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from xdicom.model.packing import pack_numbers, pack_texts, unpack_numbers, unpack_texts


@given(npst.arrays(st.sampled_from([np.int16, np.int32, np.int64]), npst.array_shapes(min_dims=0, max_dims=3, min_side=0)))
def test_numbers_come_back_with_their_type_and_shape(values: np.ndarray) -> None:
    back = unpack_numbers(pack_numbers(values))

    assert back.dtype == values.dtype
    assert back.shape == values.shape
    assert (back == values).all()


@given(st.lists(st.text()))
def test_texts_come_back(texts: list[str]) -> None:
    assert unpack_texts(pack_texts(texts)) == tuple(texts)


@pytest.mark.parametrize("count", [1, 200_000])
def test_what_counts_evenly_takes_few_bytes(count: int) -> None:
    *_, data = pack_numbers(np.arange(count, dtype=np.int64) * 524_288 + 12_345)

    assert len(data) < 10_000
