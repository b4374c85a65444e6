"""Code of a page of documentation: found, and run from top to bottom."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=ticks)[ ]*$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")
RUN = {"python", "sh"}
"""Languages of blocks that are run."""
SHOWN = {"text", "{eval-rst}", "{toctree}", "{contents}", "mermaid"}
"""Languages of blocks that are no code."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    code: str
    line: int
    """Number of the first line of code in its page, from 1."""


def blocks_of(page: Path) -> Iterator[Block]:
    """Blocks of `page` that are to be run, in their order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        language = match["language"].strip()
        if language in SHOWN or NOT_RUN.search(text, 0, match.start()):
            continue
        line = text.count("\n", 0, match.start("code")) + 1
        if language not in RUN:
            raise ValueError(f"{page.name}:{line - 1}: a block is neither run nor shown nor marked: {language!r}")
        yield Block(language, match["code"], line)


def run_page(page: Path) -> int:
    """Run the blocks of `page` in one namespace, in the working folder; the number of blocks that had something to run."""
    names: dict[str, object] = {"__name__": page.stem}
    count = 0
    for block in blocks_of(page):
        if block.language == "sh":
            count += run_commands(block, page)
        elif ">>>" in block.code:
            run_examples(block, page, names)
            count += 1
        else:
            # Empty lines in front make a traceback point into the page.
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), names)
            count += 1
    return count


def run_commands(block: Block, page: Path) -> int:
    """Run the lines of `block` that call `xdicom`; their number."""
    from xdicom.cli import app

    commands = [line for line in block.code.splitlines() if line.startswith("xdicom ")]
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
        if result.exit_code != 0:
            message = f"{page.name}:{block.line}: `{command}` returned {result.exit_code}\n{result.output}"
            raise AssertionError(message) from result.exception
    return len(commands)


def run_examples(block: Block, page: Path, names: dict[str, object]) -> None:
    """Run a block of prompts and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(block.code, names, page.name, str(page), block.line - 1)
    runner = doctest.DebugRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, clear_globs=False)
    names.update(test.globs)
