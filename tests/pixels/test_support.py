"""Encodings that can't be decoded are refused by name, before any pixel is read."""

from __future__ import annotations

from dataclasses import replace

import imagecodecs
import pytest

from pixels.forms import FORMS, SYNTAXES, encoding_of
from xdicom.errors import MissingDependencyError, PixelDataError, UnsupportedEncodingError
from xdicom.pixels.codecs import DECODERS
from xdicom.pixels.support import check_supported, decoder_report
from xdicom.pixels.syntaxes import NAMES

PLAIN = encoding_of("native", FORMS["16 bits"], 8, 8)


@pytest.mark.parametrize("uid", sorted({*DECODERS, *(SYNTAXES[name] for name in ("implicit", "native", "deflated", "big_endian"))}))
def test_every_transfer_syntax_with_a_decoder_is_supported(uid: str) -> None:
    assert check_supported(replace(PLAIN, transfer_syntax_uid=uid)) is None


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile .* video"),
        ("1.2.840.10008.1.2.4.102.1", r"Fragmentable MPEG-4 AVC/H\.264 .* video"),
        ("1.2.840.10008.1.2.4.108", r"HEVC/H\.265 Main 10 .* video"),
        ("1.2.840.10008.1.2.4.94", "JPIP Referenced .* server"),
        ("1.2.840.10008.1.2.4.205", "JPIP HTJ2K .* server"),
        ("1.2.840.10008.1.2.4.66", "Process 29.* retired"),
        ("1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 .* live stream"),
        ("1.2.840.10008.1.2.6.2", "XML Encoding .* does not hold images"),
        ("1.2.840.10008.1.20", "Papyrus 3 .* retired"),
        ("1.2.3.4", r"1\.2\.3\.4 is not read: it is private or newer"),
        ("", r"\(none\) is not read"),
    ],
)
def test_other_transfer_syntaxes_are_refused_by_name(uid: str, words: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match=words):
        check_supported(replace(PLAIN, transfer_syntax_uid=uid))


@pytest.mark.parametrize("bits", [0, 2, 12, 24, 48, 128])
def test_cells_of_other_sizes_are_refused(bits: int) -> None:
    with pytest.raises(UnsupportedEncodingError, match=f"Bits Allocated is {bits}"):
        check_supported(replace(PLAIN, bits_allocated=bits))


@pytest.mark.parametrize(("bits_stored", "high_bit"), [(0, 0), (0, 15), (17, 16), (12, 10), (12, 16)])
def test_samples_outside_their_cells_are_an_error(bits_stored: int, high_bit: int) -> None:
    with pytest.raises(PixelDataError, match=f"Bits Stored {bits_stored} and High Bit {high_bit}"):
        check_supported(replace(PLAIN, bits_stored=bits_stored, high_bit=high_bit))


@pytest.mark.parametrize("high_bit", [0, 16, 255])
def test_high_bit_does_not_matter_where_samples_fill_their_cells(high_bit: int) -> None:
    assert check_supported(replace(PLAIN, high_bit=high_bit)) is None


def test_of_single_bits_there_is_one_reading() -> None:
    assert check_supported(replace(PLAIN, bits_allocated=1, bits_stored=8, high_bit=7)) is None


@pytest.mark.parametrize(("rows", "columns"), [(0, 8), (8, 0)])
def test_images_of_no_size_are_an_error(rows: int, columns: int) -> None:
    with pytest.raises(PixelDataError, match=f"{rows} rows and {columns} columns"):
        check_supported(replace(PLAIN, rows=rows, columns=columns))


@pytest.mark.parametrize("samples", [0, 2, 5])
def test_other_numbers_of_samples_are_refused(samples: int) -> None:
    with pytest.raises(UnsupportedEncodingError, match=f"{samples} samples per pixel"):
        check_supported(replace(PLAIN, samples_per_pixel=samples))


def test_chrominance_shared_by_two_pixels_needs_an_even_width() -> None:
    with pytest.raises(PixelDataError, match="7 columns"):
        check_supported(encoding_of("native", FORMS["YBR_FULL_422 8 bits"], 8, 7))


def test_chrominance_shared_by_four_pixels_is_refused() -> None:
    with pytest.raises(UnsupportedEncodingError, match="YBR_PARTIAL_420"):
        check_supported(replace(PLAIN, samples_per_pixel=3, photometric_interpretation="YBR_PARTIAL_420"))


@pytest.mark.parametrize("syntax", ["jpeg", "jpegls", "j2k", "htj2k", "jpegxl"])
def test_floats_in_a_code_for_integers_are_refused(syntax: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match="FloatPixelData in transfer syntax"):
        check_supported(encoding_of(syntax, FORMS["float"], 8, 8))


@pytest.mark.parametrize(("name", "bits"), [("float", 16), ("double", 32)])
def test_floats_of_another_size_are_an_error(name: str, bits: int) -> None:
    with pytest.raises(PixelDataError, match=f"Bits Allocated is {bits}"):
        check_supported(replace(encoding_of("native", FORMS[name], 8, 8), bits_allocated=bits))


def test_another_element_is_an_error() -> None:
    with pytest.raises(PixelDataError, match="OverlayData"):
        check_supported(replace(PLAIN, pixel_keyword="OverlayData"))


def test_the_report_has_a_row_for_each_transfer_syntax_that_is_known() -> None:
    report = {row.uid: row for row in decoder_report()}

    assert list(report) == list(NAMES)
    assert {uid for uid, row in report.items() if row.available} == {
        *DECODERS,
        *(SYNTAXES[n] for n in ("implicit", "native", "deflated", "big_endian")),
    }
    assert all(row.note for row in report.values() if not row.available)


def test_the_report_names_codecs_and_their_versions() -> None:
    row = next(row for row in decoder_report() if row.uid == SYNTAXES["htj2k"])

    assert row.codec == "jpeg2k, htj2k"
    assert "openjpeg" in row.version
    assert "openjph" in row.version


def test_a_codec_that_the_library_was_built_without_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        available = False

    monkeypatch.setattr(imagecodecs, "JPEGXL", Missing)
    check_supported.cache_clear()

    row = next(row for row in decoder_report() if row.uid == SYNTAXES["jpegxl"])

    assert not row.available
    assert "built without jpegxl" in row.note
    with pytest.raises(MissingDependencyError, match=r"JPEG XL Lossless .* pip install"):
        check_supported(replace(PLAIN, transfer_syntax_uid=SYNTAXES["jpegxl"]))
