"""The whole header of one instance as a pydicom Dataset, read when a person asks for it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from xdicom.errors import NotDicomError
from xdicom.headers.elements import Fetch

if TYPE_CHECKING:
    from pydicom import Dataset


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

    try:
        return dcmread(io.BytesIO(fetch(0, pixel_offset)), stop_before_pixels=True, force=True)
    except (InvalidDicomError, ValueError, OSError) as error:
        raise NotDicomError(f"the header can't be read by pydicom ({type(error).__name__})") from error
