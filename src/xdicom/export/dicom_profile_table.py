"""Table E.1-1 of PS3.15: what becomes of each data element by the Basic Application Level Confidentiality Profile."""

from __future__ import annotations

from functools import lru_cache

from xdicom.errors import MissingDependencyError

EDITION = "2026c"
"""Edition of PS3.15 whose table is followed."""


@lru_cache(maxsize=1)
def read_table() -> tuple[dict[int, str], dict[int, str]]:
    """Action for each element of the table (`X`, `Z`, `D` or `U`), and the VR of every element of PS3.6, both by tag.

    Of several actions, which depend on whether an object must have the element, the one that suits all objects is taken.

    Raises
    ------
    MissingDependencyError
        Without the library that has the table.
    """
    try:
        from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependencyError("deidentify=True needs the table of PS3.15: pip install 'xdicom[deidentify]'") from error
    from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]  # noqa: PLC0415 - slow to import

    lists = {
        "X": table.X_TAGS, "Z": [*table.Z_TAGS, *table.X_Z_TAGS], "U": [*table.U_TAGS, *table.X_Z_U_STAR_TAGS],
        "D": [*table.D_TAGS, *table.Z_D_TAGS, *table.X_D_TAGS, *table.X_Z_D_TAGS],
    }  # fmt: skip
    vrs = {tag: entry[0].split(" ")[0] for tag, entry in DicomDictionary.items()}
    actions = {entry[0] << 16 | entry[1]: action for action, entries in lists.items() for entry in entries if len(entry) == 2}
    of_persons = {tag for tag in (entry[0] << 16 | entry[1] for entry in (*table.X_D_TAGS, *table.X_Z_D_TAGS)) if vrs.get(tag) == "SQ"}
    return actions | dict.fromkeys(of_persons, "X"), vrs
