"""Damaged streams give an error of ours or an array, never anything else."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.streams import encode_frame
from pixels.forms import FORMS, NATIVE, SYNTAXES, can_write, encode, encoding_of, items
from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.decode import decode_frame

ROWS, COLUMNS = 24, 20
CASES = [
    (syntax, name)
    for syntax in SYNTAXES
    if syntax not in NATIVE
    for name in ("1 bit", "8 bits", "12 of 16 bits", "16 bits signed", "RGB 8 bits")
    if can_write(syntax, FORMS[name])
]


@st.composite
def damages(draw: st.DrawFn, span: bytes) -> bytes:
    """`span` with some bytes changed, taken out, or cut off; the item's length is made to fit."""
    data = bytearray(span)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(8, min(len(data) - 1, 200)) | st.integers(8, len(data) - 1))
        kind = draw(st.sampled_from(["change", "take out", "cut off"]))
        if kind == "change":
            data[at] = draw(st.integers(0, 255))
        elif kind == "take out" and len(data) > 60:
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == "cut off" and at > 40:
            del data[at:]
        if len(data) < 40:
            break
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # OpenJPH's errors are lost within its wrapper
@pytest.mark.parametrize(("syntax", "name"), CASES)
@settings(max_examples=40, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_stream_is_an_error_or_an_array(syntax: str, name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    encoding = encoding_of(syntax, form, ROWS, COLUMNS)
    image = (np.arange(np.prod(encoding.frame_shape)) % (2 ** min(form.bits, 7))).reshape(encoding.frame_shape).astype(form.dtype)
    span = data.draw(damages(encode(syntax, form, image)))

    message, decoded = "", None
    try:
        decoded = decode_frame(span, encoding, 2)
    except (PixelDataError, UnsupportedEncodingError) as error:
        message = str(error)

    assert message.startswith("frame 2: ") if decoded is None else decoded.shape == encoding.frame_shape
    assert decoded is None or decoded.dtype == encoding.dtype


@pytest.mark.parametrize("length", ["corrected", "open"])
def test_a_jpeg_2000_stream_cut_anywhere_but_between_packets_is_told_even_where_its_lengths_are_corrected(length: str) -> None:
    frame = np.random.default_rng(0).integers(0, 4096, (48, 48), np.uint16)
    encoding = PixelEncoding("1.2.840.10008.1.2.4.90", 48, 48, bits_stored=12, high_bit=11)
    stream = encode_frame(frame, "j2k", 12)
    part = stream.rindex(b"\xff\x90")
    first, last = stream.rindex(b"\xff\x93") + 2, len(stream) - 2
    packets = 1 + stream[stream.index(b"\xff\x52") + 9]  # of one layer and one component: as many as resolutions

    silent = 0
    for cut in range(first, last, 7):
        changed = bytearray(stream[:cut] + b"\xff\xd9")
        changed[part + 6 : part + 10] = (cut - part).to_bytes(4, "big") if length == "corrected" else bytes(4)
        with contextlib.suppress(PixelDataError):
            decode_frame(items(bytes(changed)), encoding)
            silent += 1

    assert last - first > 2_000
    assert silent <= packets
