"""`xdicom info`: which series lie at a location, and what could not be read."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from xdicom.api import plan_study
from xdicom.cli.arguments import StorageOptions, scan_location
from xdicom.cli.terminal import make_table, printable, result_console
from xdicom.index.catalog import Catalog, Problem, readable_size
from xdicom.index.report import describe_array, shape_of

MOST_REASONS = 5
"""Reasons that are listed unless all problems are asked for."""


def info(
    locations: Annotated[list[str], typer.Argument(metavar="LOCATION", help="Files, folders, globs, URLs or archives.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON, and nothing else.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Also show the arrays that each series makes, and why.")] = False,
    problems: Annotated[bool, typer.Option("--problems", "--verbose", help="List all that was not read or was odd.")] = False,
    options: StorageOptions = None,
) -> None:
    """Table of the series at a location; reads headers, no pixels."""
    catalog = scan_location(locations if len(locations) > 1 else locations[0], options)
    if as_json:
        typer.echo(json.dumps(catalog.to_dict(), indent=2))
        return
    console = result_console()
    if catalog.series:
        console.print(_series_table(catalog))
    size = readable_size(sum(series.decoded_bytes for series in catalog.series))
    console.print(
        f"{len(catalog.series)} series, {len(catalog.frames.instances)} instances, {len(catalog.frames)} frames "
        f"({size} decoded) from {catalog.source_count} sources"
    )
    if report and catalog.series:
        console.print(_arrays_tree(catalog))
    for title, found in (("not read", catalog.problems), ("noted", catalog.notes)):
        _print_problems(console, title, found, in_full=problems)


def _series_table(catalog: Catalog) -> Table:
    table = make_table("modality", "no.", "description", "instances", "frames", "frame shape", "decoded size", "series_uid")
    for series in catalog.series:
        shapes = [" x ".join(map(str, shape)) for shape in series.frame_shapes]
        cells = (
            series.modality,
            "" if series.number is None else str(series.number),
            series.description,
            str(series.instances),
            str(series.frames),
            shapes[0] + (f" (+{len(shapes) - 1})" if len(shapes) > 1 else ""),
            readable_size(series.decoded_bytes),
            series.series_uid,
        )
        table.add_row(*(escape(printable(cell)) for cell in cells))
    return table


def _print_problems(console: Console, title: str, found: tuple[Problem, ...], *, in_full: bool) -> None:
    """What was not read: reason by reason with its count, or one by one."""
    if not found:
        return
    if in_full:
        lines = [f"{problem.url}: {problem.reason}" for problem in found]
    else:
        reasons = Counter(problem.reason for problem in found).most_common()
        lines = [f"{count} x {reason}" for reason, count in reasons[:MOST_REASONS]]
        lines += [f"and {len(reasons) - MOST_REASONS} more reasons"] if len(reasons) > MOST_REASONS else []
    console.print(f"{len(found)} {title}{':' if in_full else ' (--problems lists them):'}")
    for line in lines:
        console.print(f"  {printable(line)}", markup=False)


def _arrays_tree(catalog: Catalog) -> Tree:
    """Series, the arrays that each makes, and what there is to know of them."""
    tree = Tree("arrays")
    branches: dict[str, Tree] = {}
    for path, attrs, grid in plan_study(catalog).nodes:
        parent, _, name = path.rpartition("/")
        label = f"[bold]{escape(printable(name))}[/bold]" + (f"  {escape(shape_of(grid))}" if grid is not None else "")
        branch = branches[path] = branches.get(parent, tree).add(label)
        notes = attrs.get("notes")
        for line in (*(describe_array(grid) if grid is not None else ()), *(notes if isinstance(notes, list) else ())):
            branch.add(escape(printable(str(line))))
    return tree
