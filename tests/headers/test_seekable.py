"""Bytes that are fetched, as a file."""

from __future__ import annotations

import io

import pytest

from xdicom.headers.seekable import seekable_file

CONTENT = bytes(range(200)) * 1000


def fetch(offset: int, length: int) -> bytes:
    return CONTENT[offset : offset + length]


def test_a_file_is_read_from_where_it_stands() -> None:
    file = seekable_file(fetch, len(CONTENT))

    assert file.read(3) == CONTENT[:3]
    assert (file.seek(150_000), file.read(4), file.tell()) == (150_000, CONTENT[150_000:150_004], 150_004)
    assert (file.seek(-5, io.SEEK_END), file.read()) == (len(CONTENT) - 5, CONTENT[-5:])
    assert file.read(1) == b""


def test_the_end_of_what_has_no_known_size_can_not_be_sought() -> None:
    with pytest.raises(OSError, match="size"):
        seekable_file(fetch, -1).seek(0, io.SEEK_END)
