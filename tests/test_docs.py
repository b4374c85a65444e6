"""Code in the pages of the documentation runs, or says why it is not run."""

from __future__ import annotations

import doctest
import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from pages import blocks_of, run_page
from servers import patient_clusters

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
CODE = re.compile(r"^(```python$|xdicom )", re.MULTILINE)
WITH_CODE = [page for page in PAGES if CODE.search(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    """Path of `page` within the documentation."""
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_code_of_the_page_runs(page: Path, tmp_path: Path, testdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "testdata").symlink_to(testdata)
    monkeypatch.chdir(tmp_path)

    with patient_clusters() if "LocalCluster" in page.read_text(encoding="utf-8") else nullcontext():
        assert run_page(page) > 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_the_page_is_run_or_shown_or_marked(page: Path) -> None:
    assert all(block.code.strip() for block in blocks_of(page))


def test_pages_that_teach_have_code() -> None:
    names = {name_of(page) for page in WITH_CODE}

    assert names >= {"index.md", "tutorial.md", "explanation/pipeline.md"}
    assert names >= {f"howto/{page.name}" for page in DOCS.glob("howto/*.md")} - {"howto/index.md"}


def test_a_block_of_an_unknown_language_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```pythn\nopen_series()\n```\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"page.md:1: .*'pythn'"):
        list(blocks_of(page))


def test_a_block_is_left_out_only_with_a_reason(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: it needs a store in the cloud -->\n```python\nfirst\n```\n\n```python\nsecond\n```\n", encoding="utf-8")

    assert [(block.code, block.line) for block in blocks_of(page)] == [("second\n", 7)]


def test_a_wrong_answer_in_a_page_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n```\n", encoding="utf-8")

    with pytest.raises(doctest.DocTestFailure):
        run_page(page)


def test_code_that_fails_points_into_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nx = 1\nassert x == 2\n```\n", encoding="utf-8")

    with pytest.raises(AssertionError) as failure:
        run_page(page)

    assert failure.traceback[-1].lineno == 4
