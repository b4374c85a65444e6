"""What marks a written instance: its form, where it comes from, what was lost, who wrote it, and what a person wants in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xdicom.export.dicom_elements import Elements, add_text, set_element, tag_and_vr, texts_of
from xdicom.export.dicom_pixels import Form


def mark_derived(elements: Elements, source: tuple[str, str] | None, *, is_cut: bool = False) -> None:
    """Say that the image is derived, and of which instance (PS3.3 C.7.6.1.1.2, C.12.4.1)."""
    kinds = [kind for kind in texts_of(elements, "ImageType") if not (is_cut and kind in ("MOSAIC", "VFRAME"))]
    set_element(elements, "ImageType", ["DERIVED", *(kinds[1:] or ["PRIMARY"])])
    if source is not None:
        set_element(elements, "SourceImageSequence", [source_item(source)])


def source_item(source: tuple[str, str], frame_number: int | None = None) -> dict[str, Any]:
    """Reference to a source image, with its purpose (PS3.3 10.3, CID 7202)."""
    frame = {} if frame_number is None else {"ReferencedFrameNumber": frame_number}
    purpose = {"CodeValue": "121322", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Source image for image processing operation"}
    return {"ReferencedSOPClassUID": source[0], "ReferencedSOPInstanceUID": source[1], **frame, "PurposeOfReferenceCodeSequence": [purpose]}


def add_loss(elements: Elements, method: str, ratio: float) -> None:
    """Record a lossy compression behind those before it (PS3.3 C.7.6.1.1.5)."""
    set_element(elements, "LossyImageCompression", "01")
    ratios = [*texts_of(elements, "LossyImageCompressionRatio"), f"{ratio:.4g}"]
    set_element(elements, "LossyImageCompressionRatio", ratios)
    methods = [*texts_of(elements, "LossyImageCompressionMethod"), method]
    set_element(elements, "LossyImageCompressionMethod", methods)


def describe_pixels(form: Form) -> Elements:
    """Elements that say how pixels are encoded (PS3.3 C.7.6.3); None-like ones are left out by `clean`."""
    encoding = form.encoding
    elements: Elements = {}
    set_element(elements, "SamplesPerPixel", encoding.samples_per_pixel)
    set_element(elements, "PhotometricInterpretation", encoding.photometric_interpretation)
    set_element(elements, "Rows", encoding.rows)
    set_element(elements, "Columns", encoding.columns)
    set_element(elements, "BitsAllocated", encoding.bits_allocated)
    if encoding.dtype.kind != "f":
        set_element(elements, "BitsStored", encoding.bits_stored)
        set_element(elements, "HighBit", encoding.high_bit)
        set_element(elements, "PixelRepresentation", int(encoding.is_signed))
    if encoding.samples_per_pixel > 1:
        set_element(elements, "PlanarConfiguration", 0)
    return elements


def time_text(seconds: float) -> str:
    """Seconds since midnight as a time of day (PS3.5 6.2, TM).

    Examples
    --------
    >>> time_text(45296.25)
    '123456.250000'
    """
    microseconds = round(seconds * 1e6) % 86_400_000_000
    minutes, rest = divmod(microseconds, 60_000_000)
    return f"{minutes // 60:02d}{minutes % 60:02d}{rest // 1_000_000:02d}.{rest % 1_000_000:06d}"


def add_equipment(elements: Elements, version: str) -> None:
    """Name xdicom among the equipment that contributed (PS3.3 C.12.1.1.5)."""
    tag, _ = tag_and_vr("ContributingEquipmentSequence")
    before: list[Any] = list(elements[tag].items()) if tag in elements else []
    purpose = {"CodeValue": "109103", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Modifying Equipment"}
    names = {"Manufacturer": "xdicom", "ManufacturerModelName": "xdicom", "SoftwareVersions": version}
    item = {**names, "PurposeOfReferenceCodeSequence": [purpose]}
    set_element(elements, "ContributingEquipmentSequence", [*before, item])


def wanted_elements(attributes: Mapping[str, Any] | None) -> tuple[Elements, frozenset[int]]:
    """Elements that a person gave by keyword, and the tags of those that are to be left out (None)."""
    elements: Elements = {}
    dropped = set()
    for keyword, value in (attributes or {}).items():
        tag, _ = tag_and_vr(keyword)
        if value is None:
            dropped.add(tag)
        elif isinstance(value, str):
            add_text(elements, keyword, value)
        else:
            set_element(elements, keyword, value)
            if isinstance(value, list | tuple) and not all(str(part).isascii() for part in value if isinstance(part, str)):
                set_element(elements, "SpecificCharacterSet", "ISO_IR 192")
    return elements, frozenset(dropped)
