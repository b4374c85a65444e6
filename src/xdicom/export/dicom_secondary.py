"""What of a header stays true of a picture that was made of its image: Secondary Capture (PS3.3 A.8)."""

from __future__ import annotations

from xdicom.export.dicom_elements import Elements, set_element
from xdicom.headers.dictionary import TAGS

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_KEPT_GROUPS = frozenset({0x0010, 0x0012, 0x0032})
_KEPT = frozenset({
    0x00080005, 0x00080020, 0x00080021, 0x00080023, 0x00080030, 0x00080031, 0x00080033, 0x00080050, 0x00080051, 0x00080060, 0x00080070,
    0x00080080,
    0x00080081, 0x00080090, 0x00080201, 0x00081010, 0x00081030, 0x00081032, 0x0008103E, 0x00081040, 0x00081048, 0x00081050, 0x00081060,
    0x00081070,
    0x00081090, 0x00081110, 0x00081111, 0x00082218, 0x00180015, 0x00181000, 0x00181020, 0x00185100, 0x0020000D, 0x0020000E, 0x00200010,
    0x00200011,
    0x00200013, 0x00200020, 0x00200032, 0x00200037, 0x00200052, 0x00200060, 0x00200062, 0x00201040, 0x00280010, 0x00280011, 0x00280030,
    0x00280301,
    0x00282110, 0x00282112, 0x00282114, 0x00400275, 0x00180050, 0x00180088,
})  # fmt: skip
"""Elements of the patient, study, series, frame of reference and equipment, and of the place of the image."""


def secondary_header(header: Elements) -> Elements:
    """Elements of `header` that a Secondary Capture image keeps, and those that it has of its own."""
    kept = {tag: value for tag, value in header.items() if tag in _KEPT or tag >> 16 in _KEPT_GROUPS}
    set_element(kept, "ConversionType", "WSD")
    set_element(kept, "ImageType", ["DERIVED", "SECONDARY"])
    for keyword in ("PatientOrientation",):
        if TAGS.get(keyword) not in kept and 0x00200020 not in kept:
            set_element(kept, keyword, "")
    return kept
