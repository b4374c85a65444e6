"""Where frames lie: by their length, by either offset table, and by a walk where no table can be believed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import TRANSFER_SYNTAXES, encapsulate, extended_offset_table
from builders.streams import SEQUENCE_DELIMITER
from xdicom.errors import PixelDataError, UnsupportedEncodingError
from xdicom.headers import spans as spans_module
from xdicom.headers.spans import MAX_FRAMES, MAX_MISSING_FRAMES, Spans, encapsulated_spans, native_spans
from xdicom.model.encoding import PixelEncoding

START = 10
JPEG_LS = PixelEncoding(TRANSFER_SYNTAXES["jpegls"], 4, 4)
RLE = PixelEncoding(TRANSFER_SYNTAXES["rle"], 4, 4)
MPEG = PixelEncoding(TRANSFER_SYNTAXES["mpeg2"], 4, 4)


def stream(number: int, size: int = 40) -> bytes:
    """What looks like a JPEG-LS stream from outside."""
    return b"\xff\xd8\xff\xf7" + bytes([number]) * (size - 6) + b"\xff\xd9"


STREAMS = [stream(1), stream(2, 52), stream(3, 64)]


@dataclass
class Store:
    """Bytes behind START, and what was asked of them."""

    data: bytes
    asked: list[tuple[int, int]] = field(default_factory=list)

    def fetch(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return (b"\0" * START + self.data)[offset : offset + length]

    @property
    def size(self) -> int:
        return START + len(self.data)


def spans_of(
    data: bytes,
    count: int,
    *,
    encoding: PixelEncoding = JPEG_LS,
    extended: tuple[np.ndarray, np.ndarray] | None = None,
    size: int | None = None,
) -> tuple[Spans, Store]:
    store = Store(data)
    return encapsulated_spans(store.fetch, START, store.size if size is None else size, encoding, count, extended), store


def streams_at(spans: Spans, store: Store) -> list[bytes]:
    """The joined fragments of each span."""
    found = []
    for offset, length in zip(spans.offset.tolist(), spans.length.tolist(), strict=True):
        rest, joined = (b"\0" * START + store.data)[offset : offset + length], b""
        while rest:
            tag, size = rest[:4], struct.unpack("<I", rest[4:8])[0]
            assert tag == b"\xfe\xff\x00\xe0"
            joined, rest = joined + rest[8 : 8 + size], rest[8 + size :]
        found.append(joined)
    return found


def table_of(streams: Sequence[bytes] = STREAMS, fragments: int = 1) -> tuple[np.ndarray, np.ndarray]:
    offsets, lengths = extended_offset_table(streams, fragments)
    return np.frombuffer(offsets, "u8"), np.frombuffer(lengths, "u8")


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("table", ["basic", "none"])
@pytest.mark.parametrize("delimiter", [SEQUENCE_DELIMITER, b""], ids=["delimited", "not delimited"])
def test_spans_hold_all_fragments_of_their_frame(table: str, fragments: int, delimiter: bytes) -> None:
    spans, store = spans_of(encapsulate(STREAMS, fragments, table) + delimiter, 3)

    assert streams_at(spans, store) == STREAMS


def test_the_extended_offset_table_gives_the_spans() -> None:
    spans, store = spans_of(encapsulate(STREAMS, table="extended") + SEQUENCE_DELIMITER, 3, extended=table_of())

    assert streams_at(spans, store) == STREAMS
    assert spans.notes == []


def test_with_a_table_no_more_than_a_few_items_are_looked_at() -> None:
    streams = [stream(i % 200) for i in range(500)]

    spans, store = spans_of(encapsulate(streams, table="extended") + SEQUENCE_DELIMITER, 500, extended=table_of(streams))

    assert len(spans.offset) == 500
    assert len(store.asked) <= 6


def test_with_a_basic_table_no_more_than_a_few_items_are_looked_at() -> None:
    streams = [stream(i % 200) for i in range(500)]

    spans, store = spans_of(encapsulate(streams) + SEQUENCE_DELIMITER, 500)

    assert streams_at(spans, store) == streams
    assert len(store.asked) <= 8


WRONG_TABLES = {
    "too short": [0, 48],
    "too long": [0, 48, 108, 180],
    "not from 0": [8, 56, 116],
    "not ascending": [0, 108, 108],
    "into the middle of a frame": [0, 50, 108],
    "beyond the end": [0, 48, 4096],
}


@pytest.mark.parametrize("table", WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_basic_table_that_does_not_fit_is_passed_over_and_noted(table: list[int]) -> None:
    spans, store = spans_of(encapsulate(STREAMS, table=table) + SEQUENCE_DELIMITER, 3)

    assert streams_at(spans, store) == STREAMS
    assert "Basic Offset Table does not fit" in spans.notes[0]


def test_a_basic_table_whose_length_is_no_multiple_of_four_is_passed_over() -> None:
    data = encapsulate(STREAMS)
    odd = data[:4] + struct.pack("<I", 4 * 3 + 2) + data[8:20] + b"\0\0" + data[20:]

    spans, store = spans_of(odd + SEQUENCE_DELIMITER, 3)

    assert streams_at(spans, store) == STREAMS


@pytest.mark.parametrize("wrong", range(1, 9))
def test_each_entry_of_a_short_table_is_looked_at(wrong: int) -> None:
    streams = [stream(i) for i in range(9)]
    table = [i * 48 + 4 * (i == wrong) for i in range(9)]

    spans, store = spans_of(encapsulate(streams, table=table) + SEQUENCE_DELIMITER, 9)

    assert streams_at(spans, store) == streams
    assert "Basic Offset Table does not fit" in spans.notes[0]


WRONG_EXTENDED = {
    "too short": (table_of()[0][:2], table_of()[1][:2]),
    "beyond the end": (table_of()[0] + np.array([0, 0, 4096], "u8"), table_of()[1]),
    "lengths beyond the end": (table_of()[0], table_of()[1] + np.uint64(2**40)),
    "offsets that are no numbers": (table_of()[0] + np.uint64(2**63), table_of()[1]),
    "into the middle of a frame": (table_of()[0] + np.uint64(2), table_of()[1]),
    "frames that overlap": (table_of()[0], table_of()[1] + np.uint64(20)),
}


@pytest.mark.parametrize("extended", WRONG_EXTENDED.values(), ids=WRONG_EXTENDED)
def test_an_extended_table_that_does_not_fit_is_passed_over_and_noted(extended: tuple[np.ndarray, np.ndarray]) -> None:
    spans, store = spans_of(encapsulate(STREAMS, table="extended") + SEQUENCE_DELIMITER, 3, extended=extended)

    assert streams_at(spans, store) == STREAMS
    assert "Extended Offset Table does not fit" in spans.notes[0]


def test_a_wrong_extended_table_gives_way_to_a_right_basic_one() -> None:
    spans, store = spans_of(encapsulate(STREAMS, 2) + SEQUENCE_DELIMITER, 3, extended=WRONG_EXTENDED["too short"])

    assert streams_at(spans, store) == STREAMS
    assert len(spans.notes) == 1


def test_offsets_of_a_basic_table_that_wrapped_at_4_gib_are_unwrapped() -> None:
    big = 1 << 31
    places = [0, big, 2 * big, 3 * big]
    first = START + 8 + 16
    heads = {first + place: struct.pack("<HHI", 0xFFFE, 0xE000, big - 8) for place in places}
    end = first + 4 * big
    heads[end] = SEQUENCE_DELIMITER
    table = struct.pack("<HHI4I", 0xFFFE, 0xE000, 16, *(place % 2**32 for place in places))

    def fetch(offset: int, length: int) -> bytes:
        return table[offset - START :][:length] if offset < first else heads.get(offset, b"\0" * 8)[:length]

    spans = encapsulated_spans(fetch, START, end + 8, JPEG_LS, 4, None)

    assert spans.offset.tolist() == [first + place for place in places]
    assert spans.length.tolist() == [big] * 4


def test_one_frame_of_many_fragments_is_one_span() -> None:
    spans, store = spans_of(encapsulate([b"".join(STREAMS)], 7, "none") + SEQUENCE_DELIMITER, 1)

    assert streams_at(spans, store) == [b"".join(STREAMS)]


def test_one_frame_needs_no_table_that_fits() -> None:
    spans, store = spans_of(encapsulate([STREAMS[0]], 2, [12345]) + SEQUENCE_DELIMITER, 1)

    assert streams_at(spans, store) == [STREAMS[0]]


def test_fragments_of_run_length_coding_are_frames() -> None:
    spans, store = spans_of(encapsulate([b"ab", b"cd"], table="none") + SEQUENCE_DELIMITER, 2, encoding=RLE)

    assert streams_at(spans, store) == [b"ab", b"cd"]


def test_as_many_fragments_as_frames_need_no_markers() -> None:
    spans, store = spans_of(encapsulate([b"ab", b"cd"], table="none") + SEQUENCE_DELIMITER, 2, encoding=MPEG)

    assert streams_at(spans, store) == [b"ab", b"cd"]


def test_fragments_that_no_marker_tells_apart_are_refused() -> None:
    with pytest.raises(UnsupportedEncodingError, match="can't be told apart"):
        spans_of(encapsulate([b"abcdef", b"ghijkl"], 3, "none") + SEQUENCE_DELIMITER, 2, encoding=MPEG)


def test_markers_that_contradict_the_number_of_frames_are_refused() -> None:
    with pytest.raises(PixelDataError, match="6 fragments hold 2 frames"):
        spans_of(encapsulate(STREAMS, 2, "none") + SEQUENCE_DELIMITER, 2)


def test_a_sequence_delimiter_within_a_fragment_is_not_one() -> None:
    streams = [STREAMS[0][:-2] + SEQUENCE_DELIMITER + b"\xff\xd9", STREAMS[1]]

    spans, store = spans_of(encapsulate(streams, table="none") + SEQUENCE_DELIMITER, 2)

    assert streams_at(spans, store) == streams


def test_a_missing_delimiter_is_noted() -> None:
    spans, _ = spans_of(encapsulate(STREAMS, table="none") + b"\0" * 4, 3)

    assert spans.notes == ["the pixel data has no sequence delimiter"]


def test_a_source_that_ends_within_a_fragment_keeps_what_is_there() -> None:
    data = encapsulate(STREAMS, table="none")[:-20]

    spans, store = spans_of(data, 3)

    assert streams_at(spans, store)[:2] == STREAMS[:2]
    assert spans.offset[-1] + spans.length[-1] == store.size
    assert "ends within the fragment" in spans.notes[0]


def test_a_last_frame_that_is_cut_is_found_by_the_table_too() -> None:
    spans, store = spans_of(encapsulate(STREAMS)[:-20], 3)

    assert streams_at(spans, store)[:2] == STREAMS[:2]
    assert "ends within the fragment" in spans.notes[0]


def test_frames_that_are_not_there_have_no_bytes() -> None:
    spans, store = spans_of(encapsulate(STREAMS, table="none") + SEQUENCE_DELIMITER, 5)

    assert streams_at(spans, store) == [*STREAMS, b"", b""]
    assert spans.notes == ["the header declares 5 frames, the pixel data holds 3"]


def test_an_absurd_number_of_frames_is_refused_before_room_is_made() -> None:
    with pytest.raises(PixelDataError, match="can't be trusted"):
        spans_of(encapsulate(STREAMS, table="none") + SEQUENCE_DELIMITER, 2**31 - 1)


def test_more_frames_than_one_instance_can_have_here_are_refused_even_if_they_are_there() -> None:
    dots = PixelEncoding("1.2.840.10008.1.2.1", 1, 1, bits_allocated=8, bits_stored=8, high_bit=7)

    with pytest.raises(UnsupportedEncodingError, match="declares 16777217 frames"):
        native_spans(0, 1 << 31, dots, MAX_FRAMES + 1)


@pytest.mark.parametrize("table", ["basic", "extended", "none"])
def test_more_encapsulated_frames_than_one_instance_can_have_here_are_refused(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "MAX_FRAMES", 2)

    with pytest.raises(UnsupportedEncodingError, match="declares 3 frames; up to 2"):
        spans_of(encapsulate(STREAMS, table=table), 3, extended=table_of() if table == "extended" else None)


def test_fragments_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "MAX_FRAGMENTS", 50)
    monkeypatch.setattr(spans_module, "MAX_FRAGMENTS_PER_FRAME", 10)

    with pytest.raises(PixelDataError, match="more than 80 fragments"):
        spans_of(encapsulate([b"\0\0"] * 100, table="none"), 3)


def test_pixel_data_without_fragments_is_refused() -> None:
    with pytest.raises(PixelDataError, match="no fragment"):
        spans_of(encapsulate([]) + SEQUENCE_DELIMITER, 1)


def test_pixel_data_that_begins_with_something_else_is_refused() -> None:
    with pytest.raises(PixelDataError, match="begins with tag"):
        spans_of(b"\1\2\3\4\5\6\7\x08", 1)


def test_a_table_longer_than_the_source_is_refused() -> None:
    with pytest.raises(PixelDataError, match="runs past the end"):
        spans_of(struct.pack("<HHI", 0xFFFE, 0xE000, 2**31), 3)


def test_the_size_of_the_source_may_be_unknown() -> None:
    spans, store = spans_of(encapsulate(STREAMS) + SEQUENCE_DELIMITER, 3, size=-1)

    assert streams_at(spans, store) == STREAMS


@settings(deadline=None)
@given(st.lists(st.integers(24, 200), min_size=1, max_size=12), st.integers(1, 4), st.sampled_from(["basic", "none"]), st.booleans())
def test_any_fragments_come_back_as_their_frames(sizes: list[int], fragments: int, table: str, is_delimited: bool) -> None:
    streams = [stream(i, size - size % 2) for i, size in enumerate(sizes)]

    spans, store = spans_of(encapsulate(streams, fragments, table) + SEQUENCE_DELIMITER * is_delimited, len(streams))

    assert streams_at(spans, store) == streams


@settings(deadline=None)
@given(st.binary(min_size=8, max_size=200), st.integers(1, 5))
def test_any_bytes_give_spans_inside_the_source_or_our_own_error(data: bytes, count: int) -> None:
    try:
        spans, store = spans_of(b"\xfe\xff\x00\xe0\0\0\0\0" + data, count)
    except (PixelDataError, UnsupportedEncodingError):
        return

    assert (spans.offset >= START).all()
    assert (spans.offset + spans.length <= store.size).all()


def native(**changes: object) -> PixelEncoding:
    return PixelEncoding(**({"transfer_syntax_uid": TRANSFER_SYNTAXES["native"], "rows": 4, "columns": 5, "bits_allocated": 16} | changes))  # type: ignore[arg-type]


def test_native_frames_follow_each_other() -> None:
    spans = native_spans(START, 120, native(), 3)

    assert spans.offset.tolist() == [START, START + 40, START + 80]
    assert spans.length.tolist() == [40, 40, 40]
    assert spans.notes == []


def test_frames_of_single_bits_share_bytes() -> None:
    spans = native_spans(0, 8, native(bits_allocated=1), 3)

    assert spans.offset.tolist() == [0, 2, 5]
    assert spans.length.tolist() == [3, 3, 3]


def test_frames_of_subsampled_chrominance_are_two_thirds_as_long() -> None:
    spans = native_spans(0, 80, native(bits_allocated=8, samples_per_pixel=3, photometric_interpretation="YBR_FULL_422"), 2)

    assert spans.length.tolist() == [40, 40]


def test_frames_of_big_endian_words_are_whole_words() -> None:
    spans = native_spans(0, 46, native(transfer_syntax_uid=TRANSFER_SYNTAXES["big_endian"], rows=3, bits_allocated=8), 3)

    assert spans.offset.tolist() == [0, 14, 30]
    assert spans.length.tolist() == [16, 16, 16]


def test_fewer_native_frames_than_declared_are_noted_and_cut_short() -> None:
    spans = native_spans(START, 100, native(), 4)

    assert spans.length.tolist() == [40, 40, 20, 0]
    assert spans.notes == ["the header declares 4 frames, the pixel data holds 2 whole ones"]


def test_more_native_frames_than_declared_are_noted() -> None:
    spans = native_spans(START, 120, native(), 2)

    assert len(spans.offset) == 2
    assert spans.notes == ["the pixel data holds 3 frames, the header declares 2; the others are not read"]


def test_padding_behind_the_last_frame_is_no_frame() -> None:
    assert native_spans(0, 16, native(rows=3, bits_allocated=8), 1).notes == []


def test_an_absurd_number_of_native_frames_is_refused() -> None:
    with pytest.raises(PixelDataError, match="can't be trusted"):
        native_spans(0, 80, native(), MAX_MISSING_FRAMES + 10)


def test_spans_agree_with_those_of_each_single_frame() -> None:
    encoding = native(bits_allocated=1, rows=5, columns=7)

    spans = native_spans(100, 60, encoding, 9)

    one_by_one = [encoding.native_span(number) for number in range(1, 10)]
    assert list(zip((spans.offset - 100).tolist(), spans.length.tolist(), strict=True)) == one_by_one
