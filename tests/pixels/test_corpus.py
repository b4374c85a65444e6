"""Real files are decoded to the references on which independent decoders agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixels.conformance import ROOT
from pixels.instances import HAS_OTHER_DECODER, compare, instances_of, read_instance, table
from xdicom.errors import PixelDataError, UnsupportedEncodingError

PAGE = ROOT / "docs" / "explanation" / "pixel-differences.md"

DIFFERENCES = {
    "files/pydicom/JPGExtended.dcm": 1,
    "files/pylibjpeg-data/RG2_JPLY_fixed.dcm": 1,
}
"""Files that are decoded otherwise than the reference, and by how much at most; the page has the reasons."""


@pytest.mark.corpus
@pytest.mark.skipif(not HAS_OTHER_DECODER, reason="the files that differ are compared with pylibjpeg-libjpeg")
def test_single_files_are_exact_or_within_their_bound(corpus: Path) -> None:
    found = {path: compare(corpus / path, reference) for path, reference in instances_of(corpus, "files/")}

    assert {path: difference for path, difference in found.items() if difference} == DIFFERENCES
    assert len(found) > 160


@pytest.mark.corpus
def test_files_of_series_are_exact(corpus: Path) -> None:
    files = instances_of(corpus, "series/")[::7]

    assert {path for path, reference in files if compare(corpus / path, reference)} == set()
    assert len(files) > 140


@pytest.mark.corpus
def test_broken_files_are_errors_or_equal_what_others_read(corpus: Path) -> None:
    differing = set()
    for path in table(corpus, "REFERENCE.csv"):
        if not path.startswith("malformed/"):
            continue
        try:
            instance = read_instance(corpus / path)
        except Exception:  # noqa: BLE001 - pydicom, which reads the headers here, does not get through all of them
            continue
        if instance is None:
            continue
        reference = table(corpus, "REFERENCE.csv")[path]
        try:
            differing |= {path} if reference["raw_sha256"] and compare(corpus / path, reference) else set()
            instance.decode()
        except (PixelDataError, UnsupportedEncodingError):
            continue

    assert differing == set()


def test_the_page_names_every_file_that_differs() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert {path for path in DIFFERENCES if f"`{path}`" not in page} == set()
