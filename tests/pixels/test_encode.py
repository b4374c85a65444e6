"""Frames that were encoded come back as they were; what can't be encoded is refused by name."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from builders import encapsulate, make_file, phantom
from builders.samples import Array
from xdicom.errors import UnsupportedEncodingError
from xdicom.model.encoding import FLOAT_PIXEL_DATA, PixelEncoding
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.encode import ENCODERS, SHORT_NAMES, check_writable, encode_frame, transfer_syntax_of, written_encoding
from xdicom.pixels.jpeg_2000_stream import parse_jpeg_2000

LOSSLESS = sorted(name for name, uid in SHORT_NAMES.items() if uid in ENCODERS and ENCODERS[uid].largest_loss is None)
LOSSY = {"jpeg": 95.0, "jpeg-ls-near": 3.0, "jpeg-2000-lossy": 60.0}
quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def encoding_for(
    name: str, dtype: str, rows: int, columns: int, bits_stored: int, samples: int = 1, photometric: str = "MONOCHROME2"
) -> PixelEncoding:
    """The encoding that a header would state of frames written as `name`."""
    bits = 8 * np.dtype(dtype).itemsize
    is_signed = dtype[0] == "i"
    encoding = PixelEncoding(SHORT_NAMES[name], rows, columns, samples, bits, bits_stored, bits_stored - 1, is_signed, photometric)
    return written_encoding(encoding)


def there_and_back(frame: Array, encoding: PixelEncoding, loss: float | None = None) -> Array:
    """What a reader makes of the stream of `frame`."""
    stream = encode_frame(frame, encoding, loss)
    return decode_frame(encapsulate([stream], 1, "none")[8:], encoding)


@st.composite
def grayscale(draw: st.DrawFn, signs: str = "ui") -> tuple[Array, int]:
    """A frame of up to 12 x 12 pixels, and the bits that its samples need."""
    dtype = draw(st.sampled_from([f"{sign}{size}" for sign in signs for size in (1, 2)]))
    bits = draw(st.integers(2, 8 * np.dtype(dtype).itemsize))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype[0] == "i" else (0, 2**bits - 1)
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    return draw(hnp.arrays(dtype, shape, elements=st.integers(low, high))), bits


@pytest.mark.parametrize("name", LOSSLESS)
@quick
@given(data=st.data())
def test_a_lossless_stream_gives_back_every_sample(name: str, data: st.DataObject) -> None:
    frame, bits = data.draw(grayscale("ui" if ENCODERS[SHORT_NAMES[name]].takes_sign else "u"))
    encoding = encoding_for(name, frame.dtype.str[1:], *frame.shape, bits)

    check_writable(encoding)
    np.testing.assert_array_equal(there_and_back(frame, encoding), frame)


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 9])
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in LOSSLESS for dtype in ("u2", "i2") if dtype == "u2" or ENCODERS[SHORT_NAMES[name]].takes_sign],
)
def test_samples_of_few_bits_come_back_in_their_wide_cells(name: str, bits: int, dtype: str) -> None:
    low = -(1 << (bits - 1)) if dtype[0] == "i" else 0
    frame = (np.arange(35).reshape(5, 7) * 97 % (1 << bits) + low).astype(dtype)

    np.testing.assert_array_equal(there_and_back(frame, encoding_for(name, dtype, 5, 7, bits)), frame)


@pytest.mark.parametrize(("bits", "precision"), [(7, 7), (8, 8), (12, 12)])
def test_a_jpeg_2000_stream_has_the_precision_bits_stored(bits: int, precision: int) -> None:
    stream = encode_frame(np.zeros((4, 4), np.uint16), encoding_for("jpeg-2000", "u2", 4, 4, bits))

    assert parse_jpeg_2000(stream).precision == precision


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("name", LOSSLESS)
@settings(quick, max_examples=5)
@given(data=st.data())
def test_a_lossless_stream_gives_back_every_color(name: str, dtype: str, photometric: str, data: st.DataObject) -> None:
    frame = data.draw(hnp.arrays(dtype, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
    encoding = encoding_for(name, dtype, *frame.shape[:2], 8 * frame.dtype.itemsize, 3, photometric)

    np.testing.assert_array_equal(there_and_back(frame, encoding), frame)


@pytest.mark.parametrize("name", ["rle", "deflated-frame"])
@pytest.mark.parametrize("dtype", ["u4", "i4"])
def test_samples_of_32_bits_come_back_where_cells_are_kept(name: str, dtype: str) -> None:
    frame = np.arange(35, dtype=dtype).reshape(5, 7) * 100_000_007

    np.testing.assert_array_equal(there_and_back(frame, encoding_for(name, dtype, 5, 7, 32)), frame)


@pytest.mark.parametrize("name", [name for name in LOSSLESS if name not in ("deflated-frame", "jpeg-xl")])
def test_pydicom_reads_what_its_own_decoders_can(name: str, tmp_path: Path) -> None:
    frame = phantom(1, 20, 16, np.uint16, bits_stored=12)
    encoding = encoding_for(name, "u2", 20, 16, 12)
    path = make_file(
        tmp_path / "a.dcm",
        {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 20, "Columns": 16, "BitsAllocated": 16, "BitsStored": 12,
         "HighBit": 11, "PixelRepresentation": 0},
        encapsulate([encode_frame(frame, encoding)]),
        encoding.transfer_syntax_uid,
    )  # fmt: skip
    dataset = pydicom.dcmread(BytesIO(path.read_bytes()))
    if name == "rle":
        np.testing.assert_array_equal(dataset.pixel_array, frame)

    assert dataset.file_meta.TransferSyntaxUID == transfer_syntax_of(name)


@pytest.mark.parametrize("name", sorted(LOSSY))
def test_a_lossy_stream_stays_near(name: str) -> None:
    frame = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 3

    back = there_and_back(frame, encoding_for(name, "u1", 32, 32, 8), LOSSY[name])

    assert np.abs(back.astype(int) - frame).max() <= (3 if name == "jpeg-ls-near" else 8)


def test_the_largest_error_of_jpeg_ls_is_kept() -> None:
    frame = (np.arange(64 * 64).reshape(64, 64) * 977 % 4096).astype(np.uint16)

    errors = np.abs(there_and_back(frame, encoding_for("jpeg-ls-near", "u2", 64, 64, 12), 5).astype(int) - frame)

    assert 0 < errors.max() <= 5


@pytest.mark.parametrize(("name", "bits"), [("jpeg-lossless", 32), ("jpeg-2000", 32), ("jpeg", 16)])
def test_samples_that_a_codec_does_not_take_are_refused(name: str, bits: int) -> None:
    encoding = encoding_for(name, f"u{bits // 8}", 4, 4, bits)

    with pytest.raises(UnsupportedEncodingError, match=rf"{bits // 8 * 8}"):
        check_writable(encoding, LOSSY.get(name))


def test_floats_are_refused_where_they_would_be_compressed() -> None:
    encoding = PixelEncoding(SHORT_NAMES["rle"], 4, 4, bits_allocated=32, pixel_keyword=FLOAT_PIXEL_DATA)

    with pytest.raises(UnsupportedEncodingError, match="floats stay uncompressed"):
        check_writable(encoding)


def test_a_lossy_transfer_syntax_asks_how_much_may_be_lost() -> None:
    with pytest.raises(ValueError, match=r"is lossy: say loss= from 1 to 100"):
        check_writable(encoding_for("jpeg", "u1", 4, 4, 8))


def test_a_lossless_transfer_syntax_refuses_a_loss() -> None:
    with pytest.raises(ValueError, match=r"loses nothing"):
        check_writable(encoding_for("rle", "u1", 4, 4, 8), 90)


@pytest.mark.parametrize("name", ["1.2.840.10008.1.2.4.102", "png", "1.2.840.10008.1.2.2"])
def test_a_transfer_syntax_that_is_not_written_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match=r"is not written; these are: .*jpeg-ls"):
        transfer_syntax_of(name)


def test_colors_transformed_by_the_codec_are_named_in_the_header() -> None:
    assert encoding_for("jpeg-2000", "u1", 4, 4, 8, 3, "RGB").photometric_interpretation == "YBR_RCT"
    assert encoding_for("jpeg-2000-lossy", "u1", 4, 4, 8, 3, "RGB").photometric_interpretation == "YBR_ICT"
    assert encoding_for("jpeg-ls", "u1", 4, 4, 8, 3, "RGB").photometric_interpretation == "RGB"
    assert encoding_for("rle", "u1", 4, 4, 8, 3, "YBR_FULL_422").photometric_interpretation == "YBR_FULL"
