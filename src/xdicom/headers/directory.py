"""Which files a DICOMDIR names (PS3.3 F.3)."""

from __future__ import annotations

import io

from xdicom.errors import NotDicomError

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_IN_USE = 0xFFFF


def parse_directory(data: bytes) -> list[tuple[str, ...]] | None:
    """File IDs of the instances that a DICOMDIR names, in its order; None where `data` is a file of another kind.

    Parameters
    ----------
    data
        The whole file.

    Returns
    -------
    list of tuples of str, or None
        Components of each Referenced File ID (0004,1500), none twice; records that are not in use are left out.

    Raises
    ------
    NotDicomError
        If it can't be read.
    """
    from pydicom import dcmread  # noqa: PLC0415 - half a second, and only this needs it
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    try:
        directory = dcmread(io.BytesIO(data), specific_tags=["DirectoryRecordSequence"])
        if str(directory.file_meta.get("MediaStorageSOPClassUID", "")) != MEDIA_STORAGE_DIRECTORY:
            return None
        names: dict[tuple[str, ...], None] = {}
        for record in directory.get("DirectoryRecordSequence") or ():
            identifier = record.get("ReferencedFileID")
            if identifier and record.get("RecordInUseFlag", _IN_USE) != 0:
                parts = (identifier,) if isinstance(identifier, str) else identifier
                names[tuple(str(part).strip() for part in parts)] = None
    except (InvalidDicomError, ValueError, OSError, AttributeError, TypeError) as error:
        raise NotDicomError(f"the directory can't be read ({type(error).__name__})") from error
    return list(names)
