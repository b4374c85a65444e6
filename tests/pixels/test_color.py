"""Samples of a JPEG come in the color space of the header, whatever the stream says of itself."""

from __future__ import annotations

from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from builders.samples import Array
from builders.streams import encode_frame
from pixels.forms import FORMS, encoding_of, items
from xdicom.model.encoding import PixelEncoding
from xdicom.pixels.color import convert_color, stored_photometric_interpretation
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.jpeg_stream import parse_jpeg

JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"
ADOBE_YBR = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\1"
SHORT_ADOBE = b"\xff\xee\x00\x0cAdobe\0\0\0\0\0"
RGB_SAMPLES = (200, 100, 30)
YBR_SAMPLES = (122, 76, 184)
"""The same color, as YBR_FULL has it (PS3.3 C.7.6.3.1.2)."""


def flat(samples: tuple[int, int, int]) -> Array:
    """An image of one color."""
    return np.broadcast_to(np.array(samples, np.uint8), (16, 16, 3)).copy()


def jpeg_of(image: Array, *markers: bytes, subsampling: str = "444", names: bytes = b"\1\2\3") -> bytes:
    """JPEG stream of three components as they are, with no word about color but that of `markers` and names."""
    space = "YCBCR" if subsampling != "444" else "RGB"
    stream = bytes(imagecodecs.jpeg8_encode(image, 100, colorspace=space, outcolorspace=space, subsampling=subsampling))
    at = 2
    kept = b"\xff\xd8" + b"".join(markers)
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        segment = stream[at:end]
        if segment[1] in (0xC0, 0xC1):  # names of the components
            segment = bytearray(segment)
            segment[10::3] = names
        if not 0xE0 <= segment[1] <= 0xEF:
            kept += segment
        at = end
    scan = bytearray(stream[at:])
    scan[5:11:2] = names
    return kept + bytes(scan)


def decode(stream: bytes, photometric_interpretation: str) -> Array:
    """Stored values of a JPEG whose header has this Photometric Interpretation."""
    encoding = replace(encoding_of("jpeg", FORMS["RGB 8 bits"], 16, 16), photometric_interpretation=photometric_interpretation)
    return decode_frame(items(stream), encoding)


def assert_near(image: Array, samples: tuple[int, int, int]) -> None:
    """The image is of one color, within what a JPEG of that and rounding may change."""
    np.testing.assert_allclose(image.astype(int), flat(samples).astype(int), atol=2)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("markers", [(), (SHORT_ADOBE,)], ids=["no marker", "a marker cut short"])
def test_a_stream_that_says_nothing_is_taken_at_the_header_s_word(photometric: str, markers: tuple[bytes, ...]) -> None:
    assert_near(decode(jpeg_of(flat(RGB_SAMPLES), *markers), photometric), RGB_SAMPLES)


@pytest.mark.parametrize("marker", [JFIF, ADOBE_YBR], ids=["JFIF", "Adobe"])
def test_ybr_samples_under_a_ybr_header_stay_as_they_are_coded(marker: bytes) -> None:
    assert_near(decode(jpeg_of(flat(YBR_SAMPLES), marker), "YBR_FULL_422"), YBR_SAMPLES)


@pytest.mark.parametrize(("markers", "names"), [((ADOBE_RGB,), b"\1\2\3"), ((), b"RGB"), ((), b"rgb")], ids=["Adobe", "RGB", "rgb"])
def test_rgb_samples_under_an_rgb_header_stay_as_they_are_coded(markers: tuple[bytes, ...], names: bytes) -> None:
    assert_near(decode(jpeg_of(flat(RGB_SAMPLES), *markers, names=names), "RGB"), RGB_SAMPLES)


@pytest.mark.parametrize("marker", [JFIF, ADOBE_YBR], ids=["JFIF", "Adobe"])
def test_ybr_samples_under_an_rgb_header_become_rgb(marker: bytes) -> None:
    assert_near(decode(jpeg_of(flat(YBR_SAMPLES), marker), "RGB"), RGB_SAMPLES)


def test_subsampled_chrominance_under_an_rgb_header_becomes_rgb() -> None:
    assert_near(decode(jpeg_of(flat(YBR_SAMPLES), subsampling="422"), "RGB"), RGB_SAMPLES)


@pytest.mark.parametrize(("markers", "names"), [((ADOBE_RGB,), b"\1\2\3"), ((), b"RGB")], ids=["Adobe", "names"])
@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_rgb_samples_under_a_ybr_header_become_ybr(markers: tuple[bytes, ...], names: bytes, photometric: str) -> None:
    assert_near(decode(jpeg_of(flat(RGB_SAMPLES), *markers, names=names), photometric), YBR_SAMPLES)


def test_the_most_specific_word_counts() -> None:
    streams = [
        jpeg_of(flat(RGB_SAMPLES), JFIF, ADOBE_RGB),
        jpeg_of(flat(RGB_SAMPLES), JFIF, names=b"RGB"),
        jpeg_of(flat(RGB_SAMPLES), JFIF),
    ]

    assert [parse_jpeg(stream).color_space for stream in streams] == ["RGB", "RGB", "YBR"]


def test_lossless_streams_are_never_converted() -> None:
    image = flat(RGB_SAMPLES)
    stream = encode_frame(image, "jpeg_lossless", 8, "RGB")
    marked = stream[:2] + JFIF + stream[2:]

    np.testing.assert_array_equal(decode_frame(items(marked), encoding_of("jpeg_lossless", FORMS["RGB 8 bits"], 16, 16)), image)


def test_four_components_stay_as_they_are_coded() -> None:
    image = np.full((16, 16, 4), 90, np.uint8)
    encoding = replace(encoding_of("jpeg", FORMS["RGB 8 bits"], 16, 16), samples_per_pixel=4, photometric_interpretation="ARGB")
    stream = bytes(imagecodecs.jpeg8_encode(image, 100, colorspace="CMYK", outcolorspace="CMYK"))

    assert np.ptp(decode_frame(items(stream), encoding).astype(int) - image) <= 1


def test_gray_and_primary_colors_convert_by_the_formula() -> None:
    rgb = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)

    ybr = convert_color(rgb, 8)

    assert ybr.dtype == np.uint8
    assert ybr[0].tolist() == [[0, 128, 128], [255, 128, 128], [76, 85, 255], [150, 44, 21], [29, 255, 107]]


@pytest.mark.parametrize(("photometric", "syntax", "stored"), [
    ("YBR_RCT", "j2k", "RGB"),
    ("YBR_ICT", "j2k_lossy", "RGB"),
    ("XYB", "jpegxl_lossy", "RGB"),
    ("YBR_FULL_422", "jpeg", "YBR_FULL_422"),
    ("RGB", "j2k", "RGB"),
    ("MONOCHROME1", "native", "MONOCHROME1"),
])  # fmt: skip
def test_stored_values_have_the_header_s_color_space_but_for_what_the_codec_undoes(photometric: str, syntax: str, stored: str) -> None:
    encoding: PixelEncoding = replace(encoding_of(syntax, FORMS["RGB 8 bits"], 4, 4), photometric_interpretation=photometric)

    assert stored_photometric_interpretation(encoding) == stored
