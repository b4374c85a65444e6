"""Lossless transfer syntaxes give back every sample, whatever its form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from builders.samples import Array, native_bytes
from pixels.forms import FORMS, LOSSLESS, NATIVE, Form, can_write, encode, encoding_of
from xdicom.pixels.decode import decode_frame, reads_in_place, settle

PAIRS = [(syntax, name) for syntax in LOSSLESS for name, form in FORMS.items() if can_write(syntax, form)]
IN_PLACE = [(syntax, name) for syntax, name in PAIRS if reads_in_place(encoding_of(syntax, FORMS[name], 2, 2))]
quick = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def frames(draw: st.DrawFn, form: Form) -> Array:
    """A frame of up to 20 x 20 pixels with samples of `form`."""
    rows, columns = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    if form.photometric_interpretation.endswith("_422"):
        columns += columns % 2
    shape = (rows, columns) if form.samples == 1 else (rows, columns, form.samples)
    if form.dtype == "?":
        return draw(hnp.arrays(bool, shape))
    if form.dtype[0] == "f":
        return draw(hnp.arrays(form.dtype, shape, elements=st.floats(width=8 * int(form.dtype[1]))))
    low, high = (-(2 ** (form.bits - 1)), 2 ** (form.bits - 1) - 1) if form.dtype[0] == "i" else (0, 2**form.bits - 1)
    frame = draw(hnp.arrays(form.dtype, shape, elements=st.integers(low, high)))
    if form.photometric_interpretation.endswith("_422"):
        frame[:, 1::2, 1:] = frame[:, ::2, 1:]
    return frame


@pytest.mark.parametrize(("syntax", "name"), PAIRS)
@quick
@given(data=st.data())
def test_what_was_encoded_comes_back(syntax: str, name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    frame = data.draw(frames(form))
    encoding = encoding_of(syntax, form, *frame.shape[:2])

    decoded = decode_frame(encode(syntax, form, frame, data.draw(st.integers(1, 3)) if syntax not in NATIVE else 1), encoding)

    assert decoded.dtype == encoding.dtype
    assert decoded.dtype.isnative
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    np.testing.assert_array_equal(decoded, frame)


@pytest.mark.parametrize(("syntax", "name"), IN_PLACE)
@quick
@given(data=st.data())
def test_frames_read_in_place_equal_frames_decoded(syntax: str, name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    frame = data.draw(frames(form))
    encoding = encoding_of(syntax, form, *frame.shape[:2])
    value = encode(syntax, form, frame)
    block = np.empty((2, *encoding.frame_shape), encoding.dtype)
    for place in block:
        place.reshape(-1).view(np.uint8)[:] = np.frombuffer(value, np.uint8, count=place.nbytes)

    settle(block, encoding)

    np.testing.assert_array_equal(block, [frame, frame])


@quick
@given(data=st.data(), count=st.integers(1, 5), is_big_endian=st.booleans())
def test_frames_of_single_bits_follow_each_other_without_padding(data: st.DataObject, count: int, is_big_endian: bool) -> None:
    rows, columns = data.draw(st.tuples(st.integers(1, 11), st.integers(1, 11)))
    images = data.draw(hnp.arrays(bool, (count, rows, columns)))
    encoding = encoding_of("big_endian" if is_big_endian else "native", FORMS["1 bit"], rows, columns)
    value = native_bytes(images, is_big_endian=is_big_endian)

    for number, image in enumerate(images, 1):
        offset, length = encoding.native_span(number)
        np.testing.assert_array_equal(decode_frame(value[offset : offset + length], encoding, number), image)


@quick
@given(data=st.data(), count=st.integers(1, 4))
def test_odd_frames_of_bytes_in_big_endian_words_lose_no_pixel(data: st.DataObject, count: int) -> None:
    rows, columns = data.draw(st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 7])))
    images = data.draw(hnp.arrays(np.uint8, (count, rows, columns)))
    encoding = encoding_of("big_endian", FORMS["8 bits"], rows, columns)
    value = native_bytes(images, is_big_endian=True)

    for number, image in enumerate(images, 1):
        offset, length = encoding.native_span(number)
        np.testing.assert_array_equal(decode_frame(value[offset : offset + length], encoding, number), image)
