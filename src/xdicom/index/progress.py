"""A progress bar on the terminal for anything long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Report(Protocol):
    """What is told of work that goes on."""

    def __call__(self, done: int, total: int, frames: int | None = None, /) -> None:
        """Steps done, their number, and the frames found so far where steps are sources."""


@contextmanager
def progress_bar(title: str, unit: str = "", *, is_shown: bool = True, stays: bool = True) -> Iterator[Report]:
    """A bar on the error stream with steps, frames, rate and time.

    Parameters
    ----------
    title
        What goes on.
    unit
        What a step is, in the plural.
    is_shown
        False where nobody looks: nothing is written then.
    stays
        Whether the bar is left there at the end.
    """
    if not is_shown:
        yield _silent
        return
    # Most programs never show a bar, and rich takes a tenth of the time that xdicom needs to import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    rest = TextColumn("{task.fields[rest]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rest, TimeElapsedColumn(), TimeRemainingColumn())
    start = time.perf_counter()
    with Progress(*columns, console=Console(stderr=True), transient=not stays) as progress:
        task = progress.add_task(title, total=None, rest=unit)

        def report(done: int, total: int, frames: int | None = None, /) -> None:
            progress.update(task, completed=done, total=total, rest=describe_rate(done, unit, time.perf_counter() - start, frames))

        yield report


def _silent(_done: int, _total: int, _frames: int | None = None, /) -> None:
    """Nobody looks."""


def describe_rate(done: int, unit: str, seconds: float, frames: int | None) -> str:
    """Unit, frames and rate of work.

    Examples
    --------
    >>> describe_rate(3000, "files", 0.5, 12000)
    'files, 12,000 frames, 6,000 files/s'
    >>> describe_rate(4, "shards", 8.0, None)
    'shards, 0.5 shards/s'
    """
    rate = done / seconds if seconds > 0 else 0.0
    per_second = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    parts = [unit, "" if frames is None else f"{frames:,} frames", f"{per_second} {unit or 'steps'}/s"]
    return ", ".join(filter(None, parts))
