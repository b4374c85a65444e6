"""Which fragments begin a frame, told by the codec's own start markers.

Where a file has neither offset table and holds more fragments than frames, the code streams themselves say where one
ends and the next begins (PS3.5 A.4).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xdicom.errors import UnsupportedEncodingError

_JPEG_STARTS = (b"\xff\xd8\xff",)  # SOI and the first byte of the next marker (ISO/IEC 10918-1 B.1.1.3)
_JPEG_2000_STARTS = (
    b"\xff\x4f\xff\x51",  # SOC and SIZ (ISO/IEC 15444-1 A.4.1, A.5.1)
    b"\x00\x00\x00\x0cjP  ",  # the signature box of a JP2 file
)
_JPEG_XL_STARTS = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")  # bare code stream, container (ISO/IEC 18181-2)

_END = b"\xff\xd9"  # EOI and EOC alike

_STARTS: dict[str, tuple[bytes, ...]] = {
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG_STARTS for number in (*range(50, 67), 70, 80, 81)},
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG_2000_STARTS for number in (90, 91, 92, 93, 201, 202, 203)},
    **{f"1.2.840.10008.1.2.4.{number}": _JPEG_XL_STARTS for number in (110, 111, 112)},
}
"""What the code streams of each transfer syntax begin with."""

_ONE_FRAGMENT_A_FRAME = frozenset({"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"})
"""RLE Lossless (PS3.5 A.4.2) and Deflated Image Frame: a frame never spans fragments."""


def frame_starts_by_marker(heads: Sequence[bytes], tails: Sequence[bytes], transfer_syntax_uid: str) -> np.ndarray:
    r"""Whether each fragment begins a new frame.

    The first fragment always does. What looks like a start can't lie inside the coded data of JPEG and JPEG-LS. Inside
    that of JPEG 2000 it can by chance; there it counts only behind a fragment that ends its stream, unless none does.

    Parameters
    ----------
    heads
        The first bytes of each fragment, item header excluded: twelve of them, or all when there are fewer.
    tails
        The last bytes of each fragment: eight of them, or all when there are fewer.
    transfer_syntax_uid
        UID of the transfer syntax, without padding.

    Returns
    -------
    numpy.ndarray
        bool, shape `(fragments,)`.

    Raises
    ------
    UnsupportedEncodingError
        Where the transfer syntax has no start marker by which frames can be told apart.

    Examples
    --------
    >>> heads = [b"\xff\xd8\xff\xf7\x00\x0b", b"\x81\x17\x42", b"\xff\xd8\xff\xf7\x00\x0b"]
    >>> tails = [b"\x10\x9a\x77", b"\x02\xff\xd9", b"\x80\xff\xd9"]
    >>> frame_starts_by_marker(heads, tails, "1.2.840.10008.1.2.4.80").tolist()
    [True, False, True]
    """
    if transfer_syntax_uid in _ONE_FRAGMENT_A_FRAME:
        return np.ones(len(heads), dtype=bool)
    starts = _STARTS.get(transfer_syntax_uid)
    if starts is None:
        raise UnsupportedEncodingError(
            f"frames of transfer syntax {transfer_syntax_uid} can't be told apart: there is no offset table that fits, "
            "and its streams have no start marker. Write the file again with an offset table."
        )
    flags = np.fromiter((bytes(head).startswith(starts) for head in heads), dtype=bool, count=len(heads))
    if starts is _JPEG_2000_STARTS:
        ends = np.fromiter((_END in bytes(tail) for tail in tails), dtype=bool, count=len(heads))
        if ends[:-1].any():
            flags[1:] &= ends[:-1]
    flags[:1] = True
    return flags
