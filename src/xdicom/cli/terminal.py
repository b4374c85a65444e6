"""What a terminal shows: text that can't steer it, tables, a progress bar on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from xdicom.index.progress import Report, progress_bar

WIDE = 10_000
"""Width of lines that go into a file or a pipe: none is folded [characters]."""
_NUMBERS = {"no.", "instances", "frames", "decoded size"}
"""Columns that stand on the right."""


def printable(text: str) -> str:
    r"""`text` without characters that could steer a terminal: what a header says is not to be trusted.

    Examples
    --------
    >>> printable("T1\x1b[2J")
    'T1?[2J'
    """
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def result_console() -> Console:
    """Console for results; lines are folded where a person looks at them, and nowhere else."""
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else WIDE)


def make_table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Table without lines, so that it can be copied and searched; brackets in cells stay what they are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold", justify="right" if name in _NUMBERS else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def progress_on_stderr(title: str, unit: str) -> AbstractContextManager[Report]:
    """A bar on stderr, where that is a terminal; it goes when the work is done."""
    return progress_bar(title, unit, is_shown=sys.stderr.isatty(), stays=False)
