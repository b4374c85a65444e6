"""The page about conformance tells what decoding gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixels.conformance import PAGE, made_frames, page, refused, result_of
from pixels.forms import FORMS, SYNTAXES
from pixels.instances import HAS_OTHER_DECODER


def test_the_page_shows_what_becomes_of_made_frames() -> None:
    written = PAGE.read_text(encoding="utf-8")

    assert made_frames() in written
    assert refused() in written


@pytest.mark.corpus
@pytest.mark.skipif(not HAS_OTHER_DECODER, reason="the files that differ are compared with pylibjpeg-libjpeg")
def test_the_page_shows_what_becomes_of_real_files(corpus: Path) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(corpus)


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_no_frame_comes_back_wrong(syntax: str, form: object) -> None:
    assert result_of(syntax, form) in ("exact", "bounded", "refused", "·")
