"""Headers of many single-frame files at once: those that are laid out alike are walked in step and read as columns.

What comes out is what `records.parse_header` finds in each of them; a file about which anything is out of the ordinary
(many frames, functional groups, mosaics, overlays, an odd syntax) is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from xdicom.headers.columns import gather_column
from xdicom.headers.dictionary import NAMES, OVERLAYS, PUBLIC, TAGS
from xdicom.headers.elements import ITEM, PIXEL_TAGS, UNDEFINED_LENGTH, Syntax, is_private_wanted, vr_in_implicit
from xdicom.headers.layout import PADDING, Alike, AlikeElement, Path, walk_alike
from xdicom.headers.records import WANTED, Header, RawKey, named_values
from xdicom.model.columns import Column
from xdicom.model.encoding import DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN, NATIVE_SYNTAXES

ReadMore = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`read_more(rows, offsets, block)`: fills rows of `block` with bytes of these files from `offsets` on; bytes read of each."""

FEWEST_ALIKE = 4
"""Files for which walking in step is worth it."""
MOST_LAYOUTS = 24
"""Layouts that are tried on the files of one batch; what is left is walked file by file."""
MOST_FAILURES = 6
"""Files that nothing else is like, after which the rest of their kind is walked file by file."""
_META_START, _META_LIKELY_END = 132, 640
_UIDS_OF_META = re.compile(rb"\x02\x00[\x02\x10\x12]\x00UI..([0-9.]+)", re.DOTALL)
"""SOP class, transfer syntax and implementation in meta information (PS3.10 7.1)."""
_TRANSFER_SYNTAX = (TAGS["TransferSyntaxUID"],)
_META = frozenset((tag,) for tag in PUBLIC if tag >> 16 == 2)
_LEFT_TO_OTHERS = frozenset({"shared_functional_groups_sequence", "per_frame_functional_groups_sequence", "extended_offset_table"})
_FORM = (
    "rows", "columns", "samples_per_pixel", "bits_allocated", "bits_stored", "high_bit", "pixel_representation", "photometric_interpretation",
    "planar_configuration",
)  # fmt: skip
"""Values of which the pixel encoding is made."""


@dataclass(slots=True)
class AlikeHeaders:
    """Headers of files that are laid out alike, each of one frame."""

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
        """Where first readings go; uint8 `(files, bytes)`."""
        return self.block[: self.count]

    def parse(self, got: np.ndarray, read_more: ReadMore) -> tuple[list[AlikeHeaders], np.ndarray]:
        """Headers by layout, and the numbers of the files that are left.

        Parameters
        ----------
        got
            Bytes read of each file; int64, shape `(files,)`.
        read_more
            Reads on in files whose header is longer than that.
        """
        is_dicom = (self.heads[:, 128:132] == np.frombuffer(b"DICM", np.uint8)).all(axis=1) & (got > _META_START + PADDING)
        left = np.flatnonzero(is_dicom)
        found: list[AlikeHeaders] = []
        groups = [left]
        if len(left) >= FEWEST_ALIKE:
            rows = self._parse_layout(left, got, read_more, found)
            left = np.setdiff1d(left, rows, assume_unique=True)
            # A heap of many kinds: files of one kind are compared with each other, not with the others.
            groups = self._kinds(left) if 2 * len(rows) < len(left) else [left]
        for group in groups:
            self._parse_group(group, got, read_more, found)
        taken = np.concatenate([headers.rows for headers in found]) if found else np.empty(0, np.int64)
        return found, np.setdiff1d(np.arange(self.count), taken)

    def _parse_group(self, left: np.ndarray, got: np.ndarray, read_more: ReadMore, found: list[AlikeHeaders]) -> None:
        """Read the files of one kind by layout, until what is left is not alike."""
        failures = 0
        for _ in range(MOST_LAYOUTS):
            if len(left) < FEWEST_ALIKE or failures > MOST_FAILURES:
                return
            rows = self._parse_layout(left, got, read_more, found)
            failures += len(rows) < FEWEST_ALIKE
            # Where the first one can't be walked in step, it is left to the walk of one file.
            left = np.setdiff1d(left, rows, assume_unique=True) if len(rows) else left[1:]

    def _kinds(self, left: np.ndarray) -> list[np.ndarray]:
        """Files by SOP class and transfer syntax, as far as their meta information shows these in its usual place."""
        kinds: dict[tuple[bytes, ...], list[int]] = {}
        for row in left.tolist():
            head = self.block[row, _META_START:_META_LIKELY_END].tobytes()
            kinds.setdefault(tuple(_UIDS_OF_META.findall(head)), []).append(row)
        return [np.array(rows, np.int64) for rows in kinds.values()]

    def _parse_layout(self, left: np.ndarray, got: np.ndarray, read_more: ReadMore, found: list[AlikeHeaders]) -> np.ndarray:
        """Read the files laid out like the first of `left`; their numbers, none where it can't be read so."""
        base = left * self.stride
        stops = base + np.minimum(got[left], self.stride - PADDING)
        meta = walk_alike(
            self.data, base + _META_START, stops, Syntax(is_implicit=False), is_wanted=_META.__contains__, is_entered=_never,
            stops_at=lambda tag: tag >> 16 != 2,
        )  # fmt: skip
        uid = next((element for element in meta.elements if element.path == _TRANSFER_SYNTAX), None)
        if uid is None or not meta.stop_tag:
            return np.empty(0, np.int64)
        syntaxes = gather_column("UI", self.data, uid.offset, uid.length, is_implicit=False)
        first = int(syntaxes.codes[0])
        text = str(syntaxes.values[first]) if first >= 0 else ""
        same = syntaxes.codes == first
        place = int(meta.end[0])
        is_implicit = text == IMPLICIT_LITTLE_ENDIAN
        looks_explicit = self.data[place + 4 : place + 6].tobytes().isalpha() and self.data[place + 4 : place + 6].tobytes().isupper()
        if not text or text in (DEFLATED_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN) or looks_explicit == is_implicit:
            return np.empty(0, np.int64)
        rows = left[meta.rows[same]]
        syntax = Syntax(is_implicit)
        shift = rows * self.stride

        def refill(alive: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
            if (shift >= self.half * self.stride).any():
                return None
            offsets = position - shift[alive]
            there = read_more(rows[alive], offsets, self.block[self.half :])
            start = (self.half + rows[alive]) * self.stride
            shift[alive] = start - offsets
            return start, np.minimum(there, self.stride - PADDING)

        alike = walk_alike(
            self.data, meta.end[same], stops[meta.rows[same]], syntax, is_wanted=_is_wanted, is_entered=_never, stops_at=PIXEL_TAGS.__contains__,
            refill=refill, keep_at_least=FEWEST_ALIKE if len(rows) >= FEWEST_ALIKE else 1,
        )  # fmt: skip
        if not len(alike.rows):
            return np.empty(0, np.int64)
        if any(element.path[0] in OVERLAYS for element in alike.elements):
            return rows[alike.rows]  # not found here: the walk of one file notes where overlay data lies
        at = np.flatnonzero(same)[alike.rows]
        meta_elements = [AlikeElement(e.path, e.vr, e.offset[at], e.length[at]) for e in meta.elements]
        headers = self._headers(rows[alike.rows], alike, meta_elements, syntax, shift[alike.rows], text)
        if headers is None:
            return np.empty(0, np.int64)
        found.append(headers)
        return headers.rows

    def _headers(
        self, rows: np.ndarray, alike: Alike, meta: list[AlikeElement], syntax: Syntax, shift: np.ndarray, uid: str
    ) -> AlikeHeaders | None:
        named = self._named(alike.elements, syntax)
        if named is None or any(name in named for name in _LEFT_TO_OTHERS):
            return None
        for element in meta:
            named.setdefault(NAMES[element.path[0]], element)
        keep = self._is_ordinary(named, len(rows))
        if not keep.any():
            return None
        sets = named.get("specific_character_set")
        character_sets: tuple[str, ...] = ()
        if sets is not None:
            values = gather_column("CS", self.data, sets.offset, sets.length, is_implicit=syntax.is_implicit)
            keep &= values.codes == values.codes[np.argmax(keep)]
            value = values.values[values.codes[np.argmax(keep)]] if values.codes[np.argmax(keep)] >= 0 else ""
            character_sets = tuple(part.strip() for part in str(value).split("\\")) if value else ()
        if not keep.all():
            named = {name: AlikeElement(e.path, e.vr, e.offset[keep], e.length[keep]) for name, e in named.items()}
            rows, shift, end = rows[keep], shift[keep], alike.end[keep]
        else:
            end = alike.end
        columns = {
            name: gather_column(
                element.vr, self.data, element.offset, element.length, is_implicit=syntax.is_implicit, character_sets=character_sets,
                is_raw=name.endswith("lookup_table_descriptor"),
            )
            for name, element in named.items()
        }  # fmt: skip
        words: np.ndarray = np.ndarray((len(self.data) - 7,), "<u8", self.data, 0, (1,))
        vr = vr_in_implicit(alike.stop_tag, False) if syntax.is_implicit else self.data[end[0] + 4 : end[0] + 6].tobytes().decode("latin_1")
        header_length = 8 if syntax.is_implicit else 12
        length = (words[end] >> np.uint64(32) if syntax.is_implicit else words[end + 8] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        length[length == UNDEFINED_LENGTH] = -1
        value = end + header_length
        result = AlikeHeaders(rows, columns, value - shift, length, np.full((len(rows), 2), -1, np.int64))
        if uid not in NATIVE_SYNTAXES:
            result.first_items = self._first_items(words, value, shift)
        result.forms = self._forms(named, columns, syntax, alike.stop_tag, vr, uid, len(rows))
        return result

    def _named(self, elements: list[AlikeElement], syntax: Syntax) -> dict[str, AlikeElement] | None:
        """Elements by name, or None where private creators differ from file to file, or public elements are marked as unknown."""
        for element in elements:
            if element.vr == "UN" and element.path[0] in PUBLIC:
                return None
            if element.path[0] >> 16 & 1 and 0x10 <= element.path[0] & 0xFFFF <= 0xFF and not self._is_constant(element):
                return None
        first = {e.path[0]: (e.vr, self.data[e.offset[0] : e.offset[0] + e.length[0]].tobytes()) for e in elements}
        by_tag = {e.path[0]: e for e in elements}
        result: dict[str, AlikeElement] = {}
        for name, (tag, key) in named_values(first, syntax).items():
            element = by_tag[tag]
            result[name] = element if element.vr == key.vr else AlikeElement(element.path, key.vr, element.offset, element.length)
        return result

    def _is_constant(self, element: AlikeElement) -> bool:
        column = gather_column("UN", self.data, element.offset, element.length, is_implicit=False)
        return column.is_constant

    def _is_ordinary(self, named: dict[str, AlikeElement], count: int) -> np.ndarray:
        """Which files hold one frame that is no mosaic."""
        keep = np.ones(count, bool)
        frames, kinds = named.get("number_of_frames"), named.get("image_type")
        if frames is not None:
            column = gather_column("IS", self.data, frames.offset, frames.length, is_implicit=False)
            keep &= (column.codes < 0) | (column.first_numbers() == 1)
        if kinds is not None:
            column = gather_column("CS", self.data, kinds.offset, kinds.length, is_implicit=False)
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
        self, named: dict[str, AlikeElement], columns: dict[str, Column], syntax: Syntax, pixel_tag: int, pixel_vr: str, uid: str, count: int
    ) -> list[tuple[np.ndarray, Header]]:
        """Files by what their pixel encoding is made of."""
        key = np.zeros(count, np.int64)
        for name in _FORM:
            if name in columns:
                key = key * (len(columns[name].values) + 1) + columns[name].codes + 1
        forms = []
        for value in [key[0]] if (key == key[0]).all() else np.unique(key):
            rows = np.flatnonzero(key == value)
            row = int(rows[0])
            values = {
                name: RawKey(e.vr, self.data[e.offset[row] : e.offset[row] + e.length[row]].tobytes(), syntax.is_implicit, False)
                for name in (*_FORM, "sop_class_uid")
                if (e := named.get(name)) is not None
            }
            header = Header(values, transfer_syntax_uid=uid)
            header.walked.pixel_keyword, header.walked.pixel_vr = PIXEL_TAGS[pixel_tag], pixel_vr
            forms.append((rows, header))
        return forms


def _is_wanted(path: Path) -> bool:
    tag = path[0]
    return len(path) == 1 and (tag in WANTED or (tag >> 16 & 1 == 1 and is_private_wanted(tag >> 16, tag & 0xFFFF)))


def _never(path: Path) -> bool:
    return False
