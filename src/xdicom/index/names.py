"""Readable names of arrays, by what sets them apart."""

from __future__ import annotations

import re

from xdicom.index.records import Records
from xdicom.index.twins import FORMS

_PARTS = {
    "M": "magnitude",
    "P": "phase",
    "R": "real",
    "I": "imaginary",
    "MAGNITUDE": "magnitude",
    "PHASE": "phase",
    "REAL": "real",
    "IMAGINARY": "imaginary",
}


_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""SOP classes of secondary captures begin with it (PS3.4 B.5)."""


def stack_name(records: Records, number: int) -> str:
    """Readable name of a stack by what sets it apart, such as `axial`, `phase` or `enhanced_coronal`; else its number."""
    words = [_word(key, text) for key, _, text in (reason.partition(": ") for reason in records.reasons)]
    return "_".join(word for word in words if word) or f"stack_{number}"


def _word(key: str, text: str) -> str:
    """The word that a reason of the split gives to the name of a stack, or the empty string."""
    if key == "SOP class":
        _, form = FORMS.get(text, ("", ""))
        return form.replace(" ", "_") or ("capture" if text.startswith(_CAPTURES) else "")
    if key == "orientation":
        return text.partition(" ")[0] if text != "none" else ""
    if key == "pixel encoding":
        shape, photometric = re.sub(r"(\d) [a-z]\w+ ", r"\1|", text).split("|")
        return shape.replace(" ", "") + ("" if photometric.startswith("MONOCHROME") else f"_{_plain(photometric)}")
    if key == "image kind":
        return next((_PARTS[token] for token in text.split("\\") if token in _PARTS), None) or _plain(text)
    if key in ("segments", "quantity"):
        return _plain(text)
    return f"{key.partition(' ')[0]}_{_plain(text)}" if key in ("series number", "patient", "stack") else ""


def _plain(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_").lower()[:32]
