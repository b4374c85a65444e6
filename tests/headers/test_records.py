"""One source's header: what is read of it in every form of file, how its pixels are encoded and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builders import TRANSFER_SYNTAXES, make_ct, make_enhanced_mr, make_file, make_sr, phantom
from fresh import imports
from headers.written import EXPLICIT, IMPLICIT, MODALITY, PIXELS, ROWS, element, item, numbers
from xdicom.errors import NotDicomError, PixelDataError, UnsupportedEncodingError
from xdicom.headers.elements import Syntax
from xdicom.headers.pixel_form import frame_spans, pixel_encoding
from xdicom.headers.records import HEAD_LENGTH, Header, parse_header
from xdicom.headers.spans import Spans
from xdicom.headers.values import RawKey
from xdicom.model.encoding import PixelEncoding

GENERATED_PREFIX = bytes(128) + b"DICM"


@dataclass
class Store:
    """Bytes, and which of them were asked for."""

    data: bytes
    asked: list[tuple[int, int]] = field(default_factory=list)

    def fetch(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return self.data[offset : offset + length]


def header_of(data: bytes, head: int = HEAD_LENGTH) -> Header:
    return parse_header(data[:head], Store(data).fetch, len(data))


def read(data: bytes) -> tuple[Header, PixelEncoding, Spans]:
    header = header_of(data)
    encoding = pixel_encoding(header)
    return header, encoding, frame_spans(header, encoding, Store(data).fetch, len(data))


def frames_in(data: bytes) -> list[bytes]:
    """Bytes of each frame."""
    _, _, spans = read(data)
    return [data[offset : offset + length] for offset, length in zip(spans.offset.tolist(), spans.length.tolist(), strict=True)]


def file(tmp_path: Path, syntax: str = "native", pixels: Any = None, elements: dict[Any, Any] | None = None, **named: Any) -> bytes:
    """A picture as bytes."""
    pixels = phantom(1) if pixels is None else pixels
    return make_file(tmp_path / "file.dcm", {"SeriesDescription": "odd", **(elements or {})}, pixels, syntax, **named).read_bytes()


@pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian", "rle", "jpegls"])
@pytest.mark.parametrize("has_meta", [True, False], ids=["meta", "no meta"])
def test_a_header_is_read_in_every_syntax_with_and_without_meta_information(tmp_path: Path, syntax: str, has_meta: bool) -> None:
    header = header_of(file(tmp_path, syntax, has_meta=has_meta))

    assert header.text("series_description") == "odd"
    assert header.number("rows") == 8
    assert header.parser == "walk"


@pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian"])
def test_without_meta_information_the_syntax_is_told_by_the_first_element(tmp_path: Path, syntax: str) -> None:
    _, encoding, spans = read(file(tmp_path, syntax, has_meta=False))

    assert encoding.transfer_syntax_uid == TRANSFER_SYNTAXES[syntax]
    assert spans.length.tolist() == [96]


def test_a_preamble_without_prefix_and_meta_is_passed_over(tmp_path: Path) -> None:
    assert header_of(bytes(128) + file(tmp_path, has_meta=False)).number("rows") == 8


def test_a_prefix_without_meta_information_is_passed_over(tmp_path: Path) -> None:
    assert header_of(GENERATED_PREFIX + file(tmp_path, has_meta=False)).number("rows") == 8


def test_any_bytes_may_stand_in_the_preamble(tmp_path: Path) -> None:
    assert header_of(b"II*\0" * 32 + file(tmp_path)[128:]).number("rows") == 8


def test_the_group_length_of_the_meta_information_is_not_believed(tmp_path: Path) -> None:
    data = bytearray(file(tmp_path))
    assert data[132:136] == b"\2\0\0\0"
    data[140:144] = b"\xff\xff\0\0"

    assert header_of(bytes(data)).number("rows") == 8


def test_meta_information_without_vrs_is_read(tmp_path: Path) -> None:
    uid = TRANSFER_SYNTAXES["native"].encode() + b"\0"
    data = GENERATED_PREFIX + element(0x00020010, "UI", uid, IMPLICIT) + file(tmp_path, has_meta=False)

    assert header_of(data).transfer_syntax_uid == TRANSFER_SYNTAXES["native"]


@pytest.mark.parametrize(("said", "written"), [("native", "implicit"), ("implicit", "native")])
def test_a_transfer_syntax_that_lies_about_vrs_is_noted_and_the_values_are_read(tmp_path: Path, said: str, written: str) -> None:
    meta = element(0x00020010, "UI", TRANSFER_SYNTAXES[said].encode().ljust(20, b"\0"))

    header, _, spans = read(GENERATED_PREFIX + meta + file(tmp_path, written, has_meta=False))

    assert header.number("rows") == 8
    assert "the data set is written otherwise" in header.notes[0]
    assert spans.length.tolist() == [96]


def test_a_deflated_data_set_is_left_to_be_inflated(tmp_path: Path) -> None:
    data = file(tmp_path, "deflated")

    header = header_of(data)

    assert header.inflate_from == data.index(b"DICM") + 4 + (len(data[132:]) - len(data[header.inflate_from :]))
    assert header.values == {}


@pytest.mark.parametrize("data", [b"slice,position\n1,0.0\n" * 20, b"PK\3\4" + bytes(300), b"\x89PNG" + bytes(200), b"x", bytes(500)])
def test_what_is_no_dicom_file_is_refused(data: bytes) -> None:
    with pytest.raises(NotDicomError, match="not a DICOM file"):
        header_of(data)


def test_a_file_that_ends_within_its_meta_information_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotDicomError, match="meta information"):
        header_of(file(tmp_path)[:160])


def test_an_instance_without_pixels_says_what_it_is(tmp_path: Path) -> None:
    header = header_of(make_sr(tmp_path / "sr.dcm").read_bytes())

    with pytest.raises(NotDicomError, match=r"no pixel data \(SOP Class 1\.2\.840\.10008\.5\.1\.4\.1\.1\.88\.33\)"):
        pixel_encoding(header)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_pixels_that_are_not_described_are_refused(tmp_path: Path, keyword: str) -> None:
    header = header_of(file(tmp_path, elements={keyword: None}))

    with pytest.raises(PixelDataError, match="does not state"):
        pixel_encoding(header)


def test_a_size_of_samples_that_is_not_read_is_named(tmp_path: Path) -> None:
    header = header_of(file(tmp_path, elements={"BitsAllocated": 24}))

    with pytest.raises(UnsupportedEncodingError, match="Bits Allocated is 24"):
        pixel_encoding(header)


@pytest.mark.parametrize(
    ("stored", "high", "expected"), [(12, 11, (12, 11)), (12, 15, (12, 15)), (12, 5, (12, 11)), (99, 98, (16, 15)), (0, 0, (16, 15))]
)
def test_bits_that_can_not_be_are_mended_and_noted(tmp_path: Path, stored: int, high: int, expected: tuple[int, int]) -> None:
    header = header_of(file(tmp_path, elements={"BitsStored": stored, "HighBit": high}))

    encoding = pixel_encoding(header)

    assert (encoding.bits_stored, encoding.high_bit) == expected
    assert bool(header.notes) == ((stored, high) != expected)
    assert all(f"Bits Stored {stored} and High Bit {high} don't fit" in note for note in header.notes)


@pytest.mark.parametrize(
    ("stated", "samples", "expected", "note"),
    [
        ("MONOCHROME1", 1, "MONOCHROME1", ""),
        ("RGB", 3, "RGB", ""),
        (None, 1, "MONOCHROME2", "is missing; MONOCHROME2 is assumed for 1 sample a pixel"),
        (None, 3, "RGB", "is missing; RGB is assumed for 3 samples a pixel"),
        ("MONOCHROME2", 3, "MONOCHROME2", "MONOCHROME2 does not go with 3 samples a pixel"),
        ("PALETTE COLOR", 3, "PALETTE COLOR", "PALETTE COLOR does not go with 3 samples a pixel"),
        ("YBR_FULL", 1, "YBR_FULL", "YBR_FULL does not go with 1 sample a pixel"),
    ],
)
def test_what_samples_mean_is_noted_where_it_is_not_stated_or_can_not_be(
    tmp_path: Path, stated: str | None, samples: int, expected: str, note: str
) -> None:
    header = header_of(file(tmp_path, elements={"SamplesPerPixel": samples}))
    if stated is None:
        del header.values["photometric_interpretation"]
    else:
        header.values["photometric_interpretation"] = RawKey("CS", stated.encode(), False, False)

    assert pixel_encoding(header).photometric_interpretation == expected
    assert [text.removeprefix("Photometric Interpretation ") for text in header.notes] == [note] * bool(note)


def test_a_high_bit_that_does_not_matter_is_not_noted(tmp_path: Path) -> None:
    header = header_of(file(tmp_path, elements={"BitsStored": 16, "HighBit": 11}))

    assert pixel_encoding(header).high_bit == 15
    assert header.notes == []


@pytest.mark.parametrize(
    ("pixels", "elements", "expected"),
    [
        (phantom(1), {}, (8, 6, 1, 16, True, "MONOCHROME2")),
        (phantom(1, dtype=np.uint8), {"PhotometricInterpretation": "MONOCHROME1"}, (8, 6, 1, 8, False, "MONOCHROME1")),
        (phantom(1, dtype=np.uint8, samples=3), {"PhotometricInterpretation": "RGB"}, (8, 6, 3, 8, False, "RGB")),
        (phantom(1, dtype=np.uint32), {}, (8, 6, 1, 32, False, "MONOCHROME2")),
        (phantom(1, dtype=bool), {}, (8, 6, 1, 1, False, "MONOCHROME2")),
    ],
)
def test_how_pixels_are_encoded_is_what_the_header_says(
    tmp_path: Path, pixels: np.ndarray, elements: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    e = pixel_encoding(header_of(file(tmp_path, pixels=pixels, elements=elements)))

    assert (e.rows, e.columns, e.samples_per_pixel, e.bits_allocated, e.is_signed, e.photometric_interpretation) == expected


@pytest.mark.parametrize(("dtype", "keyword"), [("f4", "FloatPixelData"), ("f8", "DoubleFloatPixelData")])
def test_float_pixels_have_their_own_element_and_type(tmp_path: Path, dtype: str, keyword: str) -> None:
    encoding = pixel_encoding(header_of(file(tmp_path, pixels=phantom(0, dtype=dtype))))

    assert (encoding.pixel_keyword, encoding.dtype) == (keyword, np.dtype(dtype))


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", ["native", "implicit", "big_endian", "jpegls"])
def test_values_of_functional_groups_are_named_like_those_of_the_top_level(tmp_path: Path, syntax: str, undefined: bool) -> None:
    data = make_enhanced_mr(tmp_path / "mr.dcm", (4.0, 8.0), (0.0, 2.0), transfer_syntax=syntax, undefined_length=undefined).read_bytes()

    header = header_of(data)

    assert header.frames is not None
    assert header.frames.count == 4
    assert header.frames.columns["effective_echo_time"].first_numbers().tolist() == [4, 4, 8, 8]
    assert header.number("slice_thickness") == 2
    assert header.parser == "walk"


@pytest.mark.parametrize("head", [200, 1000, 3000])
def test_the_header_may_be_longer_than_what_was_read_first(tmp_path: Path, head: int) -> None:
    data = make_enhanced_mr(tmp_path / "mr.dcm", undefined_length=True).read_bytes()

    cut, whole = header_of(data, head), header_of(data)

    assert cut.values == whole.values
    assert cut.walked.pixel_offset == whole.walked.pixel_offset


def test_no_byte_of_the_pixels_is_fetched(tmp_path: Path) -> None:
    data = make_ct(tmp_path, [0.0], rows=128, columns=128)[0].read_bytes()
    store = Store(data)
    start = len(data) - 2 * 128 * 128

    header = parse_header(data[:start], store.fetch, len(data))
    frame_spans(header, pixel_encoding(header), store.fetch, len(data))

    assert store.asked == []


def test_vendors_elements_are_found_by_the_creator_of_their_block(tmp_path: Path) -> None:
    given = {0x00190042: ("LO", "SIEMENS MR HEADER"), 0x0019420C: ("IS", "1000"), 0x0019100C: ("IS", "7")}

    header = header_of(file(tmp_path, elements=given))

    assert header.number("siemens_diffusion_b_value") == 1000


@pytest.mark.parametrize("syntax", ["native", "implicit"])
def test_vendors_elements_without_a_vr_have_that_of_the_vendor(tmp_path: Path, syntax: str) -> None:
    given = {0x00190010: ("LO", "SIEMENS MR HEADER"), 0x0019100A: ("UN", b"\x24\0")}

    assert header_of(file(tmp_path, syntax, elements=given)).number("siemens_mosaic_images") == 36


@pytest.mark.parametrize(("maker", "expected"), [("GE MEDICAL SYSTEMS", 800), ("SIEMENS", -1)])
def test_a_creator_that_was_removed_is_guessed_where_the_maker_agrees(tmp_path: Path, maker: str, expected: float) -> None:
    given = {"Manufacturer": maker, 0x00431039: ("IS", ["800", "8", "0", "0"])}

    assert header_of(file(tmp_path, elements=given)).number("ge_diffusion_parameters") == expected


def test_another_creator_in_the_usual_block_is_no_reason_to_guess(tmp_path: Path) -> None:
    given = {"Manufacturer": "GE MEDICAL SYSTEMS", 0x00430010: ("LO", "SOMEONE ELSE"), 0x00431039: ("IS", "800")}

    assert "ge_diffusion_parameters" not in header_of(file(tmp_path, elements=given)).values


def test_elements_of_overlay_planes_are_named_by_their_group(tmp_path: Path) -> None:
    header = header_of(file(tmp_path, elements={0x60020010: ("US", 8), 0x60020022: ("LO", "lines")}))

    assert header.number("overlay_02_overlay_rows") == 8
    assert header.text("overlay_02_overlay_description") == "lines"


@pytest.mark.parametrize(
    ("syntax", "vr", "is_swapped"), [("native", "OW", 0), ("implicit", "OW", 0), ("big_endian", "OW", 1), ("big_endian", "OB", 0)]
)
def test_the_place_of_overlay_data_is_a_value_and_its_bytes_are_not(tmp_path: Path, syntax: str, vr: str, is_swapped: int) -> None:
    data = file(tmp_path, syntax, elements={0x60000010: ("US", 8), 0x60003000: (vr, bytes(range(16)))})

    offset, length, swapped = header_of(data).values["overlay_00_overlay_data"].value().numbers()

    assert (length, swapped) == (16, is_swapped)
    assert sorted(data[int(offset) : int(offset) + 16]) == list(range(16))


def test_a_name_of_a_person_is_not_among_the_values(tmp_path: Path) -> None:
    header = header_of(file(tmp_path, elements={"PatientName": "Someone^Known", "PatientBirthDate": "19700101", "PatientID": "4711"}))

    # Patient ID is compared within a series, and gone before there is a catalog: see tests/index/test_patients.py.
    told = b" ".join(raw.data for name, raw in header.values.items() if name != "patient_id")
    assert b"Someone" not in told
    assert b"4711" not in told
    assert b"19700101" not in told


def odd_header(syntax: Syntax = EXPLICIT) -> bytes:
    """A header that the walk does not vouch for: an item delimiter on its own."""
    return b"".join((
        element(MODALITY, "CS", b"MR", syntax),
        element(0x00081140, "SQ", item(element(0x00081155, "UI", b"1.2\0", syntax), syntax=syntax), syntax),
        element(0x00280002, "US", numbers(1, syntax=syntax), syntax),
        element(ROWS, "US", numbers(2, syntax=syntax), syntax),
        element(0x00280011, "US", numbers(2, syntax=syntax), syntax),
        element(0x00280100, "US", numbers(16, syntax=syntax), syntax),
        element(0x00280004, "ZZ", b"RGB ") if not syntax.is_implicit else b"",
        element(PIXELS, "OW", bytes(8), syntax),
    ))  # fmt: skip


def test_what_the_walk_doubts_is_read_by_pydicom_and_noted(tmp_path: Path) -> None:
    data = odd_header()

    header, encoding, spans = read(data)

    assert header.parser == "pydicom"
    assert header.notes[0].startswith("read by pydicom")
    assert (header.text("modality"), encoding.rows) == ("MR", 2)
    assert data[spans.offset[0] :] == bytes(8)


def test_damaged_functional_groups_are_noted_and_the_frames_are_read(tmp_path: Path) -> None:
    data = make_enhanced_mr(tmp_path / "mr.dcm", (3.0, 6.0)).read_bytes()
    place = data.rindex(b"\x18\x00\x82\x90FD")  # Effective Echo Time of the last frame

    header, _, spans = read(data[: place + 4] + b"??" + data[place + 6 :])

    assert len(spans.offset) == 6
    assert header.frames is None
    assert header.notes[0].startswith("functional groups are damaged (VR b'??'")


def test_a_transfer_syntax_behind_a_damaged_element_is_found(tmp_path: Path) -> None:
    data = file(tmp_path, "rle")
    place = data.index(b"\2\0\3\0UI")  # Media Storage SOP Instance UID, in front of the transfer syntax

    header, _, spans = read(data[:place] + b"\2\1" + data[place + 2 :])

    assert header.transfer_syntax_uid == TRANSFER_SYNTAXES["rle"]
    assert spans.offset.tolist() == read(data)[2].offset.tolist()


def test_of_a_doubtful_header_before_a_sea_of_zeros_no_more_is_read_than_the_header() -> None:
    data = odd_header()
    asked: list[int] = []

    def fetch(offset: int, length: int) -> bytes:
        asked.append(length)
        return data[offset : offset + length].ljust(length, b"\0")

    header = parse_header(data[:HEAD_LENGTH], fetch, 1 << 45)

    assert (header.parser, header.text("modality")) == ("pydicom", "MR")
    assert sum(asked) < 1 << 20


def test_pydicom_is_imported_only_for_what_the_walk_doubts(tmp_path: Path) -> None:
    path = make_enhanced_mr(tmp_path / "mr.dcm")

    assert not imports(f"import xdicom; xdicom.scan({str(path)!r})", "pydicom")
