"""What a terminal shows: text that can't steer it, tables, a progress bar on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

_WIDE = 10_000
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
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _WIDE)


def make_table(*columns: str) -> Table:
    """Table without lines, so that it can be copied and searched."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in _NUMBERS else "left")
    return table


@contextmanager
def progress_on_stderr(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal; what it gives is called with the steps done and their number."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
