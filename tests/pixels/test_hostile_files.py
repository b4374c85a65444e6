"""Real files with bytes changed, taken out or cut off: values of the promised form, or an error of our own, soon."""

from __future__ import annotations

import random
import struct
import time
from pathlib import Path

import pytest

import xdicom
from xdicom.errors import XDicomError

LARGEST = 60_000
"""Files up to this size are damaged: enough of them to have all transfer syntaxes [bytes]."""
ROUNDS = 300
LONGEST = 10.0
"""What no damaged file of this size may take [s of processor time]."""
EXTREMES = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to four places damaged, most of them in the header or where the pixels begin."""
    changed = bytearray(data)
    pixels = max(changed.rfind(b"\xe0\x7f\x10\x00"), 132)
    for _ in range(chance.randint(1, 4)):
        first, last = chance.choice([(128, 4096), (pixels, pixels + 60), (pixels, pixels + 400), (128, max(len(changed), 200))])
        at = min(chance.randrange(first, last), len(changed) - 8)
        kind = chance.choice(["byte", "bit", "number", "number", "remove", "cut"])
        if kind == "byte":
            changed[at] = chance.randrange(256)
        elif kind == "bit":
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == "number":
            code = chance.choice(["<H", ">H", "<I", ">I"])
            value = struct.pack(code, chance.choice(EXTREMES) & (1 << 8 * struct.calcsize(code)) - 1)
            changed[at : at + len(value)] = value
        elif kind == "remove":
            del changed[at : at + chance.choice([1, 2, 8, 50])]
        else:
            del changed[at:]
        if len(changed) < 200:
            break
    return bytes(changed)


def work_through(path: Path) -> None:
    """Open the frames of a file and compute the first, the last and two together; what comes has the promised form."""
    array = xdicom.open_frames(path, chunks=2)
    for part in (array[:1], array[-1:], array[:2]):
        try:
            values = part.compute(scheduler="sync")
        except XDicomError as error:
            assert str(error)  # noqa: PT017 - any of them is an answer, but it says something
            continue
        assert (values.shape, values.dtype) == (part.shape, part.dtype)


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_damaged_real_files_end_in_values_or_in_our_own_error(corpus: Path, tmp_path: Path, seed: int) -> None:
    files = [path for path in sorted((corpus / "files").rglob("*")) if path.is_file() and 400 < path.stat().st_size < LARGEST]
    path = tmp_path / "a.dcm"
    slowest = 0.0
    for round_number in range(ROUNDS):
        chance = random.Random(seed * ROUNDS + round_number)
        path.write_bytes(damaged(chance.choice(files).read_bytes(), chance))
        start = time.process_time()
        try:
            work_through(path)
        except XDicomError as error:
            assert str(error)  # noqa: PT017
        slowest = max(slowest, time.process_time() - start)

    assert len(files) > 50
    assert slowest < LONGEST
