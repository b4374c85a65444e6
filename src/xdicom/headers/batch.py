"""Headers of many single-frame files at once: they are walked side by side and read as columns.

What comes out is what `records.parse_header` finds in each of them; a file about which anything is out of the ordinary
(many frames, functional groups, mosaics, overlays, an odd syntax) is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from xdicom.headers.abreast import FEW, Abreast, Part, ReadMore
from xdicom.headers.columns import gather_column
from xdicom.headers.dictionary import NAMES, OVERLAYS, PRIVATE, PUBLIC, TAGS
from xdicom.headers.elements import ITEM, LONG_VRS, PIXEL_TAGS, SHORT_VRS, UNDEFINED_LENGTH, Syntax, is_private_wanted, vr_in_implicit
from xdicom.headers.private import ASSUMED, PRIVATE_NAMES, private_creator_by_place
from xdicom.headers.records import HEAD_LENGTH, WANTED, Header
from xdicom.headers.runs import PADDING
from xdicom.headers.values import RawKey
from xdicom.model.columns import Column, concatenate
from xdicom.model.encoding import DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN, NATIVE_SYNTAXES

FEWEST_ALIKE = FEW
"""Files for which walking side by side is worth it."""
_META_START, _META_END, _PIXELS = 132, 0x00030000, min(PIXEL_TAGS)
_META = frozenset(tag for tag in PUBLIC if tag >> 16 == 2)
_TRANSFER_SYNTAX, _CHARACTER_SET = TAGS["TransferSyntaxUID"], "specific_character_set"
_REFUSED = frozenset(OVERLAYS) | {
    TAGS[keyword] for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ExtendedOffsetTable")
}
_FORM = (
    "rows", "columns", "samples_per_pixel", "bits_allocated", "bits_stored", "high_bit", "pixel_representation",
    "photometric_interpretation", "planar_configuration",
)  # fmt: skip
"""Values of which the pixel encoding is made."""


@dataclass(slots=True)
class AlikeHeaders:
    """Headers of files of one transfer syntax and one character set, each of one frame."""

    rows: np.ndarray
    """Numbers of the files in the batch; int64, shape `(files,)`."""
    columns: dict[str, Column]
    """Values by name, each of as many rows as there are files."""
    pixel_offset: np.ndarray
    """Where the value of the pixel data begins [bytes from the start of the file]; int64, shape `(files,)`."""
    pixel_length: np.ndarray
    """Its length, -1 where undefined; int64, shape `(files,)`."""
    first_items: np.ndarray
    """Of encapsulated pixel data, offset and length (headers included) of the first fragment; int64 `(files, 2)`, -1 where unknown."""
    forms: list[tuple[np.ndarray, Header]] = field(default_factory=list)
    """Rows (of `rows`) that share a pixel encoding, with a header that describes it."""


class HeadBatch:
    """First bytes of many files, in one block of memory with room for a second reading of each."""

    def __init__(self, block: np.ndarray, count: int) -> None:
        """`block` is uint8 `(2 * files at most, bytes)`: first readings, then room for second ones; `count` files are in it."""
        self.block, self.count = block, count
        self.half, self.stride = len(block) // 2, block.shape[1]
        self.data = block.reshape(-1)

    @property
    def heads(self) -> np.ndarray:
        """Where first readings go; uint8 `(files, HEAD_LENGTH)`."""
        return self.block[: self.count, :HEAD_LENGTH]

    def parse(self, got: np.ndarray, read_more: ReadMore) -> tuple[list[AlikeHeaders], np.ndarray]:
        """Headers of the files that are read so, and the numbers of those that are left.

        Parameters
        ----------
        got
            Bytes read of each file; int64, shape `(files,)`.
        read_more
            Reads on in files whose header is longer than that.
        """
        is_dicom = (self.heads[:, 128:132] == np.frombuffer(b"DICM", np.uint8)).all(axis=1) & (got > _META_START + PADDING)
        rows = np.flatnonzero(is_dicom)
        stops = rows * self.stride + np.minimum(got[rows], self.stride - PADDING)
        meta = Abreast(self.block, rows, rows * self.stride + _META_START, stops, Syntax(is_implicit=False))
        meta.walk(_META.__contains__, _META_END)
        uid = self._column(meta.parts.get(_TRANSFER_SYNTAX, []), np.arange(self.count), Syntax(is_implicit=False))
        found: list[AlikeHeaders] = []
        for syntax in (Syntax(is_implicit=False), Syntax(is_implicit=True)):
            is_so = np.array([_is_read_here(str(text), syntax) for text in uid.values] + [False])[uid.codes[meta.rows]]
            is_so &= _looks_explicit(meta.word) != syntax.is_implicit
            rows = meta.rows[is_so]
            if len(rows) < FEWEST_ALIKE:
                continue
            walked = Abreast(self.block, rows, meta.position[is_so], meta.stops[is_so], syntax, read_more)
            walked.walk(_is_wanted, _PIXELS, _REFUSED)
            found.extend(self._headers(walked, meta, uid, syntax))
        taken = np.concatenate([headers.rows for headers in found]) if found else np.empty(0, np.int64)
        return found, np.setdiff1d(np.arange(self.count), taken)

    def _headers(self, walked: Abreast, meta: Abreast, uid: Column, syntax: Syntax) -> Iterator[AlikeHeaders]:
        """Headers of the files that came to their pixel data, by transfer syntax and character set."""
        is_pixels = np.isin(walked.tag, list(PIXEL_TAGS))
        vrs = walked.word >> 32 & 0xFFFF
        if not syntax.is_implicit:
            is_pixels &= np.isin(vrs, _LONG_VR_NUMBERS)
        rows = walked.rows[is_pixels]
        named = self._named(walked.parts, syntax)
        for tag, parts in meta.parts.items():
            named.setdefault(NAMES[tag], parts)
        keep = self._is_ordinary(named, rows, syntax)
        rows, place = rows[keep], np.flatnonzero(is_pixels)[keep]
        sets = self._column(named.get(_CHARACTER_SET, []), rows, syntax)
        kind = uid.codes[rows].astype(np.int64) * (len(sets.values) + 1) + sets.codes
        for value in np.unique(kind).tolist():
            is_one = kind == value
            if np.count_nonzero(is_one) < FEWEST_ALIKE:
                continue
            first = int(np.argmax(is_one))
            code = int(sets.codes[first])
            character_sets = tuple(part.strip() for part in str(sets.values[code]).split("\\")) if code >= 0 else ()
            chosen, at = rows[is_one], place[is_one]
            columns = {}
            for name, parts in named.items():
                column = self._column(parts, chosen, syntax, character_sets, is_raw=name.endswith("lookup_table_descriptor"))
                if (column.codes >= 0).any():
                    columns[name] = column
            end = walked.position[at]
            length = (walked.word[at] >> 32 if syntax.is_implicit else walked.words[end + 8]) & 0xFFFFFFFF
            value_at = end + (8 if syntax.is_implicit else 12)
            length[length == UNDEFINED_LENGTH] = -1
            result = AlikeHeaders(chosen, columns, value_at - walked.shift[at], length, np.full((len(chosen), 2), -1, np.int64))
            text = str(uid.values[uid.codes[chosen[0]]])
            if text not in NATIVE_SYNTAXES:
                result.first_items = self._first_items(walked.words.view("<u8"), value_at, walked.shift[at])
            pixel_vrs = np.zeros_like(vrs[at]) if syntax.is_implicit else vrs[at]
            result.forms = self._forms(named, result, syntax, (walked.tag[at], pixel_vrs), text)
            yield result

    def _column(
        self, parts: list[Part], rows: np.ndarray, syntax: Syntax, character_sets: tuple[str, ...] = (), *, is_raw: bool = False
    ) -> Column:
        """Column of an element for the files `rows`."""
        placed = [(place, part) for place, part in (_placed(part, rows) for part in parts) if len(place)]
        if not placed:
            return Column("text", np.empty(0, object), np.full(len(rows), -1, np.int8))
        implicit = syntax.is_implicit
        columns = [
            gather_column(
                part.vr,
                self.data,
                part.offset,
                part.length,
                is_implicit=implicit,
                character_sets=character_sets,
                is_raw=is_raw,
                is_constant=part.is_constant,
            )
            for _, part in placed
        ]
        joined = columns[0]
        if len(columns) > 1:
            joined = concatenate([*columns], [len(place) for place, _ in placed])
        elif len(joined) == len(rows):
            return joined
        codes = np.full(len(rows), -1, joined.codes.dtype)
        codes[np.concatenate([place for place, _ in placed])] = joined.codes
        return Column(joined.kind, joined.values, codes)

    def _named(self, found: dict[int, list[Part]], syntax: Syntax) -> dict[str, list[Part]]:
        """Elements by name; vendors' elements by the private creator of their block (PS3.5 7.8.1)."""
        named: dict[str, list[Part]] = {}
        for tag, parts in found.items():
            if tag in NAMES:
                named[NAMES[tag]] = parts
        makers: tuple[list[str | None], np.ndarray] | None = None
        owners_of: dict[int, tuple[list[str | None], np.ndarray]] = {}
        for tag, parts in found.items():
            group, block, low = tag >> 16, tag >> 8 & 0xFF, tag & 0xFF
            if tag in NAMES or block < 0x10:
                continue
            creator_tag = group << 16 | block
            if creator_tag not in owners_of:
                owners_of[creator_tag] = self._texts(found.get(creator_tag, []), syntax)
            makers = makers or self._texts(named.get("manufacturer", []), syntax)
            for part in parts:
                creators, creator = owners_of[creator_tag][0], owners_of[creator_tag][1][part.rows]
                maker = makers[1][part.rows]
                for creator_code, maker_code in sorted(set(zip(creator.tolist(), maker.tolist(), strict=True))):
                    owner = _owner(group, block, low, creators[creator_code], makers[0][maker_code] or "")
                    entry = PRIVATE.get((group, owner, low))
                    if entry is not None:
                        is_his = (creator == creator_code) & (maker == maker_code)
                        own = part.take(is_his)._replace(vr=entry[0] if part.vr == "UN" else part.vr)
                        name = PRIVATE_NAMES[group, owner, low]
                        named.setdefault(name, []).append(own)
                        if creators[creator_code] is None:
                            named.setdefault(ASSUMED + name, []).append(own)
        return named

    def _texts(self, parts: list[Part], syntax: Syntax) -> tuple[list[str | None], np.ndarray]:
        """Texts of an element, and the number of that of each file: the last one, None, is of files that lack the element."""
        column = self._column(parts, np.arange(self.count), syntax, is_raw=True)
        texts: list[str | None] = [value.data.decode("latin_1").strip(" \0") for value in column.values]
        codes = column.codes.astype(np.int64)
        codes[codes < 0] = len(texts) + 1
        for part in parts:
            codes[part.rows[part.length == 0]] = len(texts)
        return [*texts, "", None], codes

    def _is_ordinary(self, named: dict[str, list[Part]], rows: np.ndarray, syntax: Syntax) -> np.ndarray:
        """Which files hold one frame that is no mosaic."""
        keep = np.ones(len(rows), bool)
        if "number_of_frames" in named:
            column = self._column([part._replace(vr="IS") for part in named["number_of_frames"]], rows, syntax)
            keep &= (column.codes < 0) | (column.first_numbers() == 1)
        if "image_type" in named:
            column = self._column([part._replace(vr="CS") for part in named["image_type"]], rows, syntax)
            tiled = np.array(["MOSAIC" in value or "VFRAME" in value for value in column.values] + [False])
            keep &= ~tiled[column.codes]
        return keep

    def _first_items(self, words: np.ndarray, value: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Offset and length of the first fragment behind the Basic Offset Table, where both are at hand."""
        result = np.full((len(value), 2), -1, np.int64)
        ends = (value // self.stride + 1) * self.stride - PADDING
        tag = np.uint64((ITEM & 0xFFFF) << 16 | ITEM >> 16)
        at_hand = np.flatnonzero(value + 8 < ends)
        table = words[value[at_hand]]
        item = value[at_hand] + 8 + (table >> np.uint64(32)).astype(np.int64)
        ok = (table & np.uint64(0xFFFFFFFF) == tag) & (item + 8 < ends[at_hand])
        at_hand, item = at_hand[ok], item[ok]
        fragment = words[item]
        ok = fragment & np.uint64(0xFFFFFFFF) == tag
        result[at_hand[ok], 0] = (item - shift[at_hand])[ok]
        result[at_hand[ok], 1] = (fragment >> np.uint64(32)).astype(np.int64)[ok] + 8
        return result

    def _forms(
        self, named: dict[str, list[Part]], headers: AlikeHeaders, syntax: Syntax, pixels: tuple[np.ndarray, np.ndarray], uid: str
    ) -> list[tuple[np.ndarray, Header]]:
        """Files by what their pixel encoding is made of; `pixels` are tags and VRs of their pixel data."""
        tags, vrs = pixels
        rows, columns = headers.rows, headers.columns
        key = np.unique(tags << 16 | vrs, return_inverse=True)[1].reshape(-1)
        for name in _FORM:
            if name in columns:
                key = key * (len(columns[name].values) + 1) + columns[name].codes + 1
        forms = []
        for value in [key[0]] if (key == key[0]).all() else np.unique(key):
            places = np.flatnonzero(key == value)
            first = int(places[0])
            values: dict[str, RawKey] = {}
            for name in (*_FORM, "sop_class_uid"):
                for part in named.get(name, []):
                    at = int(np.searchsorted(part.rows, rows[first]))
                    if at < len(part.rows) and part.rows[at] == rows[first]:
                        raw = self.data[part.offset[at] : part.offset[at] + part.length[at]].tobytes()
                        values[name] = RawKey(part.vr, raw, syntax.is_implicit, False)
            header = Header(values, transfer_syntax_uid=uid)
            tag = int(tags[first])
            header.walked.pixel_keyword = PIXEL_TAGS[tag]
            vr = int(vrs[first]).to_bytes(2, "little").decode("latin_1")
            header.walked.pixel_vr = vr_in_implicit(tag, is_signed=False) if syntax.is_implicit else vr
            forms.append((places, header))
        return forms


_LONG_VR_NUMBERS = [int.from_bytes(vr, "little") for vr in LONG_VRS]
_VR_NUMBERS = [int.from_bytes(vr, "little") for vr in LONG_VRS | SHORT_VRS]


def _looks_explicit(word: np.ndarray) -> np.ndarray:
    """Whether the element headers in `word` have a VR."""
    return np.isin(word >> 32 & 0xFFFF, _VR_NUMBERS)


def _is_read_here(uid: str, syntax: Syntax) -> bool:
    """Whether a data set of this transfer syntax is written as `syntax` says."""
    return uid not in ("", DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN) and (uid == IMPLICIT_LITTLE_ENDIAN) == syntax.is_implicit


def _is_wanted(tag: int) -> bool:
    return tag in WANTED or (tag >> 16 & 1 == 1 and is_private_wanted(tag >> 16, tag & 0xFFFF))


def _owner(group: int, block: int, low: int, creator: str | None, maker: str) -> str:
    """Private creator of an element, by its place where its creator was removed."""
    return (private_creator_by_place(group, block, low, maker) or "") if creator is None else creator


def _placed(part: Part, rows: np.ndarray) -> tuple[np.ndarray, Part]:
    """The part for the files `rows` alone, and the places of its files among them."""
    if len(part.rows) == len(rows) and (part.rows == rows).all():
        return np.arange(len(rows)), part
    place = np.searchsorted(rows, part.rows)
    is_one = place < len(rows)
    is_one[is_one] = rows[place[is_one]] == part.rows[is_one]
    if is_one.all():
        return place, part
    return place[is_one], part.take(is_one)
