"""Segments of a segmentation as its header describes them (PS3.3 C.8.20.2, C.8.20.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment."""

    number: int
    """Segment Number: what frames refer to, or the value of its pixels in a label map."""
    label: str = ""
    """Segment Label, empty where there is none."""
    algorithm_type: str = ""
    """Segment Algorithm Type: AUTOMATIC, SEMIAUTOMATIC or MANUAL."""
    category: str = ""
    """Meaning of the Segmented Property Category code, such as `Tissue`."""
    property_type: str = ""
    """Meaning of the Segmented Property Type code, such as `Liver`."""
    cielab: tuple[int, int, int] | None = None
    """Recommended Display CIELab Value as it is encoded (PS3.3 C.10.7.1.1)."""


def parse_segments(sequence: RawValue, character_sets: Sequence[str] = ()) -> list[Segment]:
    """Segments in the order of Segment Sequence; items without a number are left out.

    Parameters
    ----------
    sequence
        Value of Segment Sequence.
    character_sets
        Values of Specific Character Set of the instance.
    """
    segments = []
    for item in sequence.readable_items():
        number = _numbers(item, "SegmentNumber")
        if not number:
            continue
        color = _numbers(item, "RecommendedDisplayCIELabValue")
        segments.append(
            Segment(
                int(number[0]),
                _text(item, "SegmentLabel", character_sets),
                _text(item, "SegmentAlgorithmType", character_sets),
                _meaning(item, "SegmentedPropertyCategoryCodeSequence", character_sets),
                _meaning(item, "SegmentedPropertyTypeCodeSequence", character_sets),
                (int(color[0]), int(color[1]), int(color[2])) if len(color) == 3 else None,
            )
        )
    return segments


def _numbers(item: dict[int, RawValue], keyword: str) -> tuple[int | float, ...]:
    value = item.get(TAGS[keyword])
    return value.numbers() if value is not None else ()


def _text(item: dict[int, RawValue], keyword: str, character_sets: Sequence[str]) -> str:
    value = item.get(TAGS[keyword])
    return value.text(character_sets) if value is not None else ""


def _meaning(item: dict[int, RawValue], keyword: str, character_sets: Sequence[str]) -> str:
    sequence = item.get(TAGS[keyword])
    codes = sequence.readable_items() if sequence is not None else []
    return _text(codes[0], "CodeMeaning", character_sets) if codes else ""
