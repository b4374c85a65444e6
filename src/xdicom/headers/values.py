"""Raw values of data elements and what they mean in Python (PS3.5 6.2)."""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from xdicom.headers.dictionary import PUBLIC
from xdicom.headers.elements import (
    ITEM,
    ITEM_DELIMITER,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    Syntax,
    UncertainHeaderError,
    Window,
    end_of_sequence,
    vr_in_implicit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUMBER_FORMATS = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
    "OW": "H", "OL": "I", "OV": "Q", "OF": "f", "OD": "d", "OB": "B", "UN": "B",
}  # fmt: skip
_PYTHON_CODECS = {
    "": "ascii", "ISO_IR 6": "ascii", "ISO_IR 100": "latin_1", "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5", "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8", "ISO_IR 148": "iso8859_9", "ISO_IR 203": "iso8859_15", "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "iso8859_11", "ISO_IR 192": "utf_8", "GB18030": "gb18030", "GBK": "gbk", "ISO 2022 IR 6": "ascii",
}  # fmt: skip
"""Python's name of each character set without code extensions (PS3.3 C.12.1.1.2)."""
_MISSPELLED_SET = re.compile(r"ISO[-_ ](2022[-_ ])?IR[-_ ]?")
"""Spellings of `ISO_IR ` that files have, and the form with code extensions, which alone means the same."""
_TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_UNSPLIT_VRS = frozenset({"LT", "ST", "UT", "UR"})


@dataclass(frozen=True, slots=True)
class RawValue:
    """The value of one data element as it lies in the file."""

    vr: str
    """Value representation; of the alternatives `US|SS` the one that holds here."""
    data: bytes
    """Value field, padding included; of a sequence all that lies between its header and its end."""
    is_implicit: bool = False
    """Whether elements within it (of a sequence) have no VR."""
    is_big_endian: bool = False
    """Whether numbers are stored most significant byte first."""

    def numbers(self) -> tuple[int | float, ...]:
        r"""The numbers of the value; NaN for a decimal or integer string that is not a number.

        Examples
        --------
        >>> RawValue("DS", b"1.5\\-2 ").numbers()
        (1.5, -2.0)
        >>> RawValue("US", b"\x00\x02").numbers()
        (512,)
        """
        if self.vr in ("DS", "IS"):
            number = float if self.vr == "DS" else _integer
            return tuple(number_or_nan(part, number) for part in self.data.rstrip(b" \0").split(b"\\")) if self.data.strip(b" \0") else ()
        if self.vr == "AT":
            return tuple(group << 16 | element for group, element in zip(*[iter(self._unpack("H"))] * 2, strict=False))
        return self._unpack(_NUMBER_FORMATS.get(self.vr, "B"))

    def _unpack(self, code: str) -> tuple[int | float, ...]:
        count = len(self.data) // struct.calcsize(code)
        order = ">" if self.is_big_endian else "<"
        return struct.unpack_from(f"{order}{count}{code}", self.data)

    def array(self, dtype: str | None = None) -> np.ndarray:
        """The numbers as an array in native byte order, or the bytes read as `dtype`; shape `(count,)`."""
        if dtype is None and self.vr in ("DS", "IS"):
            return np.array(self.numbers())
        wanted = np.dtype(dtype or _NUMBER_FORMATS.get(self.vr, "B"))
        stored = wanted.newbyteorder(">" if self.is_big_endian else "<")
        return np.frombuffer(self.data, stored, count=len(self.data) // stored.itemsize).astype(wanted, copy=False)

    def texts(self, character_sets: Sequence[str] = ()) -> tuple[str, ...]:
        """The parts of a text, without padding; `character_sets` are the values of Specific Character Set."""
        if self.vr in _UNSPLIT_VRS:
            text = decode_text(self.data, character_sets).strip(" \0")
            return (text,) if text else ()
        text = decode_text(self.data, character_sets) if self.vr in _TEXT_VRS else self.data.decode("latin_1")
        return tuple(part.strip(" \0") for part in text.split("\\")) if text.strip(" \0") else ()

    def text(self, character_sets: Sequence[str] = ()) -> str:
        """The first part of a text, or the empty string."""
        texts = self.texts(character_sets)
        return texts[0] if texts else ""

    def items(self) -> list[dict[int, RawValue]]:
        """The items of a sequence, each a mapping from tag to value; an error where one is damaged."""
        return parse_items(self.data, is_implicit=self.is_implicit, is_big_endian=self.is_big_endian)

    def readable_items(self) -> list[dict[int, RawValue]]:
        """The items of a sequence up to the first one that is damaged: for what a header may as well not say."""
        return parse_items(self.data, is_implicit=self.is_implicit, is_big_endian=self.is_big_endian, stops_at_damage=True)


def _integer(text: bytes) -> int | float:
    try:
        return int(text)
    except ValueError:
        value = float(text)  # some senders write 1.0 or 1e3 into an integer string, and some 1.5
        return value if 0 < value % 1 < 1 else int(value)


class RawKey(NamedTuple):
    """A raw value that can be a key: two frames with equal keys have equal values."""

    vr: str
    data: bytes
    is_implicit: bool
    is_big_endian: bool

    def value(self) -> RawValue:
        """The raw value itself."""
        if self.vr == "SQ implicit":
            return RawValue("SQ", self.data, is_implicit=True)
        return RawValue(self.vr, self.data, self.is_implicit, self.is_big_endian)


def number_or_nan(text: bytes, number: Callable[[bytes], int | float]) -> int | float:
    """`number(text)`, or NaN where the text is not a number."""
    try:
        return number(text)
    except (ValueError, OverflowError):
        return float("nan")


def decode_text(data: bytes, character_sets: Sequence[str] = ()) -> str:
    """Text in the character sets that the header names (PS3.5 6.1); what can't be decoded becomes U+FFFD."""
    first = character_sets[0] if character_sets else ""
    if b"\x1b" in data or (len(character_sets) > 1 and not data.isascii()):
        from pydicom.charset import convert_encodings, decode_bytes  # noqa: PLC0415 - code extensions are rare, pydicom is slow to import

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unknown escape sequence is replaced, as any other byte that can't be decoded
            encodings = convert_encodings(list(character_sets))
            return decode_bytes(data, encodings, set(b"\\\n\r\t\f"))
    codec = _PYTHON_CODECS.get(first) or _PYTHON_CODECS.get(_MISSPELLED_SET.sub("ISO_IR ", first), "latin_1")
    return data.decode("latin_1" if codec == "ascii" else codec, errors="replace")


def parse_items(data: bytes, *, is_implicit: bool, is_big_endian: bool, stops_at_damage: bool = False) -> list[dict[int, RawValue]]:
    """Items of a sequence whose value is `data`, each a mapping from tag to value."""
    syntax = Syntax(is_implicit, is_big_endian)
    long_length = struct.Struct((">" if is_big_endian else "<") + "HHI").unpack_from
    items: list[dict[int, RawValue]] = []
    offset = 0
    while offset + 8 <= len(data):
        group, element, length = long_length(data, offset)
        if group << 16 | element != ITEM:
            break
        offset += 8
        stop = len(data) if length == UNDEFINED_LENGTH else min(offset + length, len(data))
        try:
            item, offset = parse_elements(data, offset, stop, syntax)
        except UncertainHeaderError:
            if stops_at_damage:
                break
            raise
        items.append(item)
    return items


def parse_elements(data: bytes, offset: int, stop: int, syntax: Syntax, is_signed: bool = False) -> tuple[dict[int, RawValue], int]:
    """All elements in `data[offset:stop]` by tag, up to an item delimiter, and where they end."""
    order = ">" if syntax.is_big_endian else "<"
    head = struct.Struct(order + "HH2sH").unpack_from
    long_length = struct.Struct(order + "I").unpack_from
    values: dict[int, RawValue] = {}
    while offset + 8 <= stop:
        group, element, vr_bytes, length = head(data, offset)
        tag = group << 16 | element
        if tag == ITEM_DELIMITER:
            return values, offset + 8
        if syntax.is_implicit or vr_bytes not in SHORT_VRS:
            is_long = not syntax.is_implicit and vr_bytes in LONG_VRS
            if not (syntax.is_implicit or is_long):
                raise UncertainHeaderError(f"VR {vr_bytes!r} in an item")
            if offset + (12 if is_long else 8) > stop:
                break
            (length,) = long_length(data, offset + (8 if is_long else 4))
            offset += 12 if is_long else 8
        else:
            offset += 8
        vr = vr_in_implicit(tag, is_signed) if syntax.is_implicit else vr_bytes.decode()
        inner = syntax
        if length == UNDEFINED_LENGTH:
            if vr == "UN":
                inner = Syntax(is_implicit=True)
            vr = "SQ"
            window = Window(data, lambda *_: b"", len(data))
            end, after = end_of_sequence(window, offset, inner)
        else:
            end = after = min(offset + length, stop)
            if vr == "UN" and tag in PUBLIC:
                vr = vr_in_implicit(tag, is_signed)
                inner = Syntax(is_implicit=True) if vr == "SQ" else syntax
        values[tag] = RawValue(vr, data[offset:end], inner.is_implicit, inner.is_big_endian)
        offset = after
    return values, max(offset, stop)
