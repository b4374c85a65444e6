"""The README's code runs, and says what this project is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pages import blocks_of, run_page

README = Path(__file__).resolve().parent.parent / "README.md"


def test_code_of_the_readme_runs(tmp_path: Path, testdata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "testdata").symlink_to(testdata)
    monkeypatch.chdir(tmp_path)

    assert run_page(README) > 0
    assert (tmp_path / "ct.png").stat().st_size > 0


def test_readme_has_one_command_to_try_and_one_to_test() -> None:
    commands = [line for block in blocks_of(README) for line in block.code.splitlines() if line.startswith("python3 -m venv ")]

    assert len(commands) == 2
    assert "xdicom preview" in commands[0]
    assert commands[1].endswith("python -m pytest")


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]

    assert local != []
    assert [link for link in local if not (README.parent / link).is_file()] == []
