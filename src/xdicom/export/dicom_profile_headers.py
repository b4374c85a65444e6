"""The Basic Application Level Confidentiality Profile (PS3.15 E) on whole headers, so that DICOM can be made of them."""

from __future__ import annotations

from xdicom.export.dicom_elements import Elements, make_value, set_element, texts_of
from xdicom.export.dicom_profile_table import EDITION, read_table
from xdicom.export.pseudonyms import Pseudonyms
from xdicom.headers.dictionary import TAGS
from xdicom.headers.values import RawValue

METHOD = f"PS3.15 {EDITION} Basic Profile on labels and headers; pixels as is"
"""De-identification Method (0012,0063): what was done; at most 64 characters."""
CODE = {
    "CodeValue": "113100",
    "CodingSchemeDesignator": "DCM",
    "CodeMeaning": "Basic Application Confidentiality Profile",
}
"""The same as a code (CID 7050)."""
_DUMMIES = {
    "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "PN": "REMOVED", "UR": "urn:removed",
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"), "REMOVED"),
    **dict.fromkeys(("DS", "IS", "FL", "FD", "SL", "SS", "SV", "UL", "US", "UV"), 0),
}  # fmt: skip
"""What stands where a value must be."""
_PROSE = frozenset({"LT", "ST", "UT"})
_NAMES_AND_TIMES = frozenset({"PN", "DA", "DT", "TM"})
_BYTES = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "AT"})


def deidentify_elements(elements: Elements, pseudonyms: Pseudonyms) -> Elements:
    """Elements of a header as the profile leaves them, with a note of what was done.

    Removed is what the table removes, what is private, and prose that the table does not know. Emptied or replaced is what
    an image must have, replaced by the same for all. UIDs are new ones. Sequences are gone through.

    Raises
    ------
    MissingDependencyError
        Without the library that has the table.
    """
    kept = _cleaned(elements, pseudonyms)
    methods = [text for text in texts_of(kept, "DeidentificationMethod") if text and text != METHOD]
    set_element(kept, "PatientIdentityRemoved", "YES")
    set_element(kept, "DeidentificationMethod", [*methods, METHOD])
    tag = TAGS.get("DeidentificationMethodCodeSequence", 0x00120064)
    codes = [item for item in (kept[tag].items() if tag in kept else ()) if "113100" not in texts_of(item, "CodeValue")]
    kept[tag] = make_value("SQ", [*codes, CODE])
    set_element(kept, "LongitudinalTemporalInformationModified", "REMOVED")
    return kept


def _cleaned(elements: Elements, pseudonyms: Pseudonyms, *, replaces_all: bool = False) -> Elements:
    """What is left of a data set or an item; of an item of a sequence that must be replaced, nothing but its form."""
    actions, vrs = read_table()
    kept: Elements = {}
    for tag, value in elements.items():
        group = tag >> 16
        if group & 1 or group >> 8 in (0x50, 0x60):
            continue  # private elements; curves, and overlays, which are pictures with texts
        vr = value.vr if value.vr not in ("UN", "") else vrs.get(tag, "UN")
        action = ("D" if replaces_all else actions.get(tag)) or (
            "X" if vr in _PROSE or vr == "UN" else "D" if vr in _NAMES_AND_TIMES else "K"
        )
        if action == "X":
            continue
        if action == "Z":
            kept[tag] = RawValue(vr, b"")
        elif vr == "SQ":
            kept[tag] = make_value("SQ", [_cleaned(item, pseudonyms, replaces_all=action == "D") for item in value.items()])
        elif vr == "UI":
            kept[tag] = make_value("UI", [pseudonyms.uid(uid) for uid in value.texts()])
        elif action == "D":
            if value.data.strip(b" \0") and (dummy := _dummy(vr)) is not None:
                kept[tag] = dummy
            elif not value.data:
                kept[tag] = RawValue(vr, b"")
        else:
            kept[tag] = RawValue(vr, value.data, value.is_implicit)
    return kept


def _dummy(vr: str) -> RawValue | None:
    return make_value(vr, _DUMMIES[vr]) if vr in _DUMMIES else RawValue(vr, b"\0\0") if vr in _BYTES else None
