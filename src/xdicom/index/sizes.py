"""Numbers of bytes in words."""

from __future__ import annotations


def readable_size(size: float) -> str:
    """A number of bytes in words.

    Examples
    --------
    >>> readable_size(12_600_000)
    '12.6 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
