"""Readable unique names of series, as nodes of a tree have them."""

from __future__ import annotations

import re
from collections.abc import Container

from xdicom.index.catalog import SeriesSummary


def series_name(series: SeriesSummary) -> str:
    """Number, modality and description of a series, in letters, digits and underscores."""
    modality = "" if series.description.lower().startswith(series.modality.lower()) else series.modality
    words = [str(series.number) if series.number is not None else "", modality, series.description]
    return re.sub(r"\W+", "_", "_".join(word for word in words if word)).strip("_").lower()[:60] or "series"


def unique_name(name: str, taken: Container[str]) -> str:
    """`name`, with a number behind it where it is taken."""
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique
