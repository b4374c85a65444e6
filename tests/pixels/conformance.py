"""Writes docs/reference/conformance.md from what decoding gives: `PYTHONPATH=tests python -m pixels.conformance`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pixels.forms import FORMS, LOSSLESS, NATIVE, SYNTAXES, Form, can_write, encode, encoding_of
from pixels.instances import compare, instances_of, read_instance
from xdicom.errors import UnsupportedEncodingError
from xdicom.pixels.decode import decode_frame
from xdicom.pixels.support import check_supported, decoder_report
from xdicom.pixels.syntaxes import NAMES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "conformance.md"
CORPUS = ROOT.parent / "shared" / "data"

ROWS, COLUMNS = 15, 14
LOSSY_BOUND = 0.03
"""Difference that a lossy stream of a smooth image may make, as a part of the samples' range."""
NEAR = 2
"""The same for near-lossless JPEG-LS, in steps: what its streams are made with."""

HEAD = """\
# Conformance

What is decoded, by transfer syntax and by sample form. This page is written by `tests/pixels/conformance.py` from what decoding
gives; a test fails where it no longer tells the truth.

## Made frames

One frame of each form is encoded and decoded again: *exact* where every sample comes back, *bounded* where a lossy code gives an
image within 3 % of the range of a smooth one (near-lossless JPEG-LS: within the 2 steps that its stream allows), *refused* where
`UnsupportedEncodingError` is raised before any pixel is read. A dot stands where the standard has no such samples, or no encoder
is at hand to make them. HTJ2K of 32 bits depends on the installation: it is exact with OpenJPH 0.32 or newer, and refused before.

"""

REAL = """
## Real files

Files of other projects against references on which independent decoders agree: *exact* bit for bit, *bounded* with the largest
difference. Which files differ, and why, is told in [](../explanation/pixel-differences.md).

"""

REFUSED = """
## Not read

These transfer syntaxes are recognized, and refused by name when a file is opened.

"""


def smooth(form: Form, shape: tuple[int, ...]) -> np.ndarray:
    """A gradient over the whole range of the form's samples."""
    rows, columns, samples = np.indices((*shape, 1)[:3])
    share = (rows * 3 + columns + samples * 5) / (3 * shape[0] + shape[1] + 15)
    if form.dtype == "?":
        return ((share * 8).astype(int) % 2).astype(bool).reshape(shape)
    low, high = value_range(form)
    values = np.rint(low + share * (high - low)) if form.dtype[0] != "f" else low + share * (high - low)
    values = values.astype(form.dtype)
    if form.photometric_interpretation.endswith("_422"):
        values[:, 1::2, 1:] = values[:, ::2, 1:]
    return values.reshape(shape)


def value_range(form: Form) -> tuple[float, float]:
    """Smallest and largest sample; of 64 bits only the lower half, since it is computed in floats."""
    if form.dtype[0] == "f":
        return -1.0, 1.0
    bits = min(form.bits, 48)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if form.dtype[0] == "i" else (0, 2**bits - 1)


def result_of(syntax: str, form: Form) -> str:
    """What becomes of a frame of `form` in `syntax`: one word of the table."""
    encoding = encoding_of(syntax, form, ROWS, COLUMNS)
    try:
        check_supported(encoding)
    except UnsupportedEncodingError:
        return "refused"
    if not can_write(syntax, form):
        return "·"
    image = smooth(form, encoding.frame_shape)
    decoded = decode_frame(encode(syntax, form, image), encoding)
    if decoded.dtype == encoding.dtype and np.array_equal(decoded, image):
        return "exact"
    difference = float(np.abs(decoded.astype(float) - image.astype(float)).max())
    low, high = value_range(form)
    bound = NEAR if syntax == "jpegls_near" else LOSSY_BOUND * (high - low)
    return "bounded" if syntax not in LOSSLESS and difference <= bound else f"WRONG by {difference:g}"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """A table, with its columns aligned."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |\n" for line in lines)


def made_frames() -> str:
    """Tables of made frames: sample forms down, transfer syntaxes across, a few at a time."""
    groups = {
        "Native and byte by byte": [*NATIVE, "encapsulated", "rle", "deflated_frame"],
        "JPEG and JPEG-LS": ["jpeg", "jpeg_extended", "jpeg_lossless_p14", "jpeg_lossless", "jpegls", "jpegls_near"],
        "JPEG 2000": ["j2k", "j2k_lossy", "j2k_part2", "j2k_part2_lossy", "htj2k", "htj2k_rpcl", "htj2k_lossy"],
        "JPEG XL": ["jpegxl", "jpegxl_jpeg", "jpegxl_lossy"],
    }
    parts = []
    for title, syntaxes in groups.items():
        head = ["samples", *(f"…{SYNTAXES[syntax].removeprefix('1.2.840.10008.1')}" for syntax in syntaxes)]
        rows = [[form.name, *(result_of(syntax, form) for syntax in syntaxes)] for form in FORMS.values()]
        rows = [row for row in rows if set(row[1:]) != {"·"}]
        names = "".join(f"- `{uid}`: {NAMES[uid]}\n" for uid in (SYNTAXES[syntax] for syntax in syntaxes))
        parts.append(f"### {title}\n\n{names}\n{markdown_table(head, rows)}")
    return "\n".join(parts)


def form_of(path: Path) -> tuple[str, str]:
    """Transfer syntax and sample form of a real file, in the words of the table."""
    instance = read_instance(path)
    assert instance is not None
    encoding = instance.encoding
    stored, allocated = encoding.bits_stored, encoding.bits_allocated
    form = f"{stored} bits" if stored == allocated else f"{stored} of {allocated} bits"
    if encoding.pixel_keyword != "PixelData":
        form = str(encoding.dtype)
    elif encoding.samples_per_pixel > 1:
        form = f"{encoding.photometric_interpretation} {form}"
    planes = " by plane" if encoding.planar_configuration and encoding.samples_per_pixel > 1 else ""
    return encoding.transfer_syntax_uid, form.replace("1 bits", "1 bit") + (" signed" if encoding.is_signed else "") + planes


def real_files(corpus: Path) -> str:
    """Table of real files: counts of exact and bounded ones."""
    exact: Counter[tuple[str, str]] = Counter()
    differing: dict[tuple[str, str], list[float]] = {}
    for path, reference in instances_of(corpus, "files/"):
        key = form_of(corpus / path)
        difference = compare(corpus / path, reference)
        if difference == 0:
            exact[key] += 1
        else:
            differing.setdefault(key, []).append(difference)
    return markdown_table(["transfer syntax", "samples", "exact", "bounded"], list(_real_rows(exact, differing)))


def _real_rows(exact: Counter[tuple[str, str]], differing: dict[tuple[str, str], list[float]]) -> Iterator[list[str]]:
    order = list(NAMES)
    for uid, form in sorted({*exact, *differing}, key=lambda key: (order.index(key[0]), key[1])):
        others = differing.get((uid, form), [])
        bounded = f"{len(others)} (by {max(others):g})" if others else ""
        yield [NAMES[uid], form, str(exact[uid, form] or ""), bounded]


def refused() -> str:
    """Table of the transfer syntaxes that are recognized and not read."""
    rows = [[row.name, f"`{row.uid}`", row.note] for row in decoder_report() if not row.codec]
    return markdown_table(["transfer syntax", "UID", "why, and what to do"], rows)


def page(corpus: Path) -> str:
    """The whole page."""
    return HEAD + made_frames() + REAL + real_files(corpus) + REFUSED + refused()


if __name__ == "__main__":
    PAGE.write_text(page(CORPUS), encoding="utf-8")
