"""A frame of which only the upper rows are wanted, or whose values have a place: the same values for less work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest

from builders.samples import Array, phantom
from pixels.forms import FORMS, LOSSLESS, NATIVE, encode, encoding_of, items
from xdicom.errors import PixelDataError
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.decode_rgb import decode_rgb

ROWS = 50
COLOR = replace(encoding_of("jpeg", FORMS["RGB 8 bits"], ROWS, 40), photometric_interpretation="YBR_FULL_422")


def picture() -> Array:
    """Something with edges and noise, uint8 `(50, 40, 3)`."""
    generator = np.random.default_rng(3)
    coarse = generator.normal(0, 40, (13, 10, 3)).repeat(4, 0).repeat(4, 1)[:ROWS]
    return np.clip(128 + coarse + generator.normal(0, 6, (ROWS, 40, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
@pytest.mark.parametrize("decode", [decode_frame, decode_rgb])
def test_the_first_rows_of_a_jpeg_are_those_of_the_whole_however_its_colors_are_sampled(subsampling: str, decode: Any) -> None:
    stream = bytes(imagecodecs.jpeg_encode(picture(), 90, colorspace="RGB", outcolorspace="YCBCR", subsampling=subsampling))
    whole = decode(items(stream), COLOR)

    parts = [decode(items(stream), COLOR, rows=rows) for rows in range(1, ROWS + 1)]

    assert all(np.array_equal(part[:rows], whole[:rows]) for rows, part in enumerate(parts, start=1))
    assert [len(part) for part in parts] == [*range(2, ROWS + 1), ROWS]


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_other_streams_are_decoded_as_a_whole(syntax: str) -> None:
    frame = phantom(0, 9, 8, np.uint16)
    encoding = encoding_of(syntax, FORMS["16 bits"], 9, 8)

    decoded = decode_frame(encode(syntax, FORMS["16 bits"], frame), encoding, rows=3)

    np.testing.assert_array_equal(decoded, frame)


@pytest.mark.parametrize("rows", [1, 30])
def test_a_stream_that_stops_short_is_an_error_whatever_rows_are_wanted(rows: int) -> None:
    stream = bytes(imagecodecs.jpeg_encode(picture(), 90, colorspace="RGB", outcolorspace="YCBCR", subsampling="422"))

    with pytest.raises(PixelDataError, match=r"^frame 7: .*cut short"):
        decode_frame(items(stream[:-80]), COLOR, 7, rows=rows)


@pytest.mark.parametrize("syntax", [*NATIVE, "rle", "deflated_frame", "encapsulated"])
@pytest.mark.parametrize("name", ["8 bits", "12 of 16 bits signed", "RGB 8 bits", "32 bits"])
def test_values_are_put_in_their_room_without_another_copy(syntax: str, name: str) -> None:
    form = FORMS[name]
    frame = phantom(1, 8, 10, form.dtype, samples=form.samples, bits_stored=form.bits)
    encoding = encoding_of(syntax, form, 8, 10)
    room = np.zeros((3, *encoding.frame_shape), encoding.dtype)

    place = room[1]
    decoded = decode_frame(encode(syntax, form, frame), encoding, out=place)

    assert decoded is place
    np.testing.assert_array_equal(room[1], frame)
    assert not room[[0, 2]].any()


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_what_a_decoder_can_not_put_there_is_returned(syntax: str) -> None:
    for name in ("1 bit", "16 bits"):
        form = FORMS[name]
        if name == "1 bit" and syntax not in (*NATIVE, "rle", "deflated_frame", "encapsulated"):
            continue
        frame = phantom(0, 8, 10, form.dtype)
        encoding = encoding_of(syntax, form, 8, 10)

        decoded = decode_frame(encode(syntax, form, frame), encoding, out=np.zeros(encoding.frame_shape, encoding.dtype))

        np.testing.assert_array_equal(decoded, frame)
