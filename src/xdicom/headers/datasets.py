"""The whole header of one instance as a pydicom Dataset, read when a person asks for it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from xdicom.errors import NotDicomError
from xdicom.headers.elements import Fetch
from xdicom.model.encoding import DEFLATED_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN

if TYPE_CHECKING:
    from pydicom import Dataset


_META_REACH = 1024
"""Within this many bytes the transfer syntax of a file is named [bytes]."""


def read_dataset(fetch: Fetch, pixel_offset: int) -> Dataset:
    """Dataset of the instance that `fetch` reads, without its pixel data.

    Parameters
    ----------
    fetch
        Reads the source (inflated, where it is deflated).
    pixel_offset
        Where its first frame lies: nothing behind that is read [bytes].

    Raises
    ------
    NotDicomError
        If pydicom can't read it.
    """
    from pydicom import dcmread  # noqa: PLC0415 - half a second, and only this needs it
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415
    from pydicom.uid import UID  # noqa: PLC0415

    data = fetch(0, pixel_offset)
    # What was deflated is not any more, but its meta information says so still, and pydicom would inflate it again.
    deflated = DEFLATED_LITTLE_ENDIAN.encode()
    is_inflated = deflated in data[:_META_REACH]
    if is_inflated:
        data = data.replace(deflated, EXPLICIT_LITTLE_ENDIAN.encode().ljust(len(deflated), b"\0"), 1)
    try:
        dataset = dcmread(io.BytesIO(data), stop_before_pixels=True, force=True)
    except (InvalidDicomError, ValueError, OSError) as error:
        raise NotDicomError(f"the header can't be read by pydicom ({type(error).__name__})") from error
    if is_inflated:
        dataset.file_meta.TransferSyntaxUID = UID(DEFLATED_LITTLE_ENDIAN)
    return dataset
