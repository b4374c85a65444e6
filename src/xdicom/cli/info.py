"""`xdicom info`: which series lie at a location, and what could not be read."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from xdicom.api import scan
from xdicom.cli.arguments import StorageOptions, scan_location
from xdicom.cli.terminal import WIDE, make_table, printable, result_console
from xdicom.errors import InconsistentSeriesError
from xdicom.export.catalog_store import is_catalog
from xdicom.index.catalog import Catalog, Problem, SeriesSummary
from xdicom.index.report import Report
from xdicom.index.sizes import readable_size
from xdicom.index.slide_findings import SlideImage, describe_image
from xdicom.index.slides import arrange_slide, is_slide

SAVE = (
    "Also save what was found: all commands and calls take it in place of the location, and read no header. "
    "Of a catalog that lies in this folder already, what did not change is not read again, but for one of each series that grew."
)
MOST_REASONS = 5
"""Reasons that are listed unless all problems are asked for."""


def print_series(
    locations: Annotated[list[str], typer.Argument(metavar="LOCATION", help="Files, folders, globs, URLs or archives.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the table (or the report) as JSON, and nothing else.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Also show the arrays that each series makes, and why.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="With --report: read the pixels of copies and compare them.")] = False,
    problems: Annotated[bool, typer.Option("--problems", "--verbose", help="List all that was not read or was odd.")] = False,
    save: Annotated[str | None, typer.Option("--save", metavar="CATALOG", help=SAVE)] = None,
    options: StorageOptions = None,
) -> None:
    """Table of the series at a location; reads headers, no pixels."""
    if compare and not report:
        raise typer.BadParameter("--compare is for the report: say --report too")
    known = scan(save) if save is not None and is_catalog(save) else None
    catalog = scan_location(locations if len(locations) > 1 else locations[0], options, known)
    if save is not None:
        catalog.save(save)
    if as_json:
        told = catalog.report(compare_pixels=compare).to_dict() if report else catalog.to_dict()
        slides = {uid: {"images": [image.to_dict() for image in images], "problems": odd} for uid, images, odd in _slides(catalog)}
        typer.echo(json.dumps({**told, "slides": slides} if slides else told, indent=2))
        return
    console = result_console()
    if catalog.series:
        _print_table(console, catalog)
    size = readable_size(sum(series.decoded_bytes for series in catalog.series))
    console.print(
        f"{len(catalog.series)} series, {len(catalog.frames.instances)} instances, {len(catalog.frames)} frames "
        f"({size} decoded) from {catalog.source_count} sources"
    )
    for uid, images, odd in _slides(catalog):
        tree = Tree(f"slide {_safe(uid)}")
        for line in (*(f"[bold]{_safe(image.name)}[/bold]  {_safe(str(image))}" for image in images), *map(_safe, odd)):
            tree.add(line)
        console.print(tree)
    if report and catalog.series:
        console.print(_arrays_tree(catalog.report(compare_pixels=compare)))
    for title, found in (("not read", catalog.problems), ("noted", catalog.notes)):
        _print_problems(console, title, found, in_full=problems)


def _slides(catalog: Catalog) -> list[tuple[str, list[SlideImage], list[str]]]:
    """Series UID, images and what is wrong with them, of each series that is a slide."""
    found: list[tuple[str, list[SlideImage], list[str]]] = []
    for series in catalog.series:
        frames = catalog.pick(series.series_uid)
        if not is_slide(frames):
            continue
        try:
            plan = arrange_slide(frames)
        except InconsistentSeriesError as error:
            found.append((series.series_uid, [], [str(error)]))
            continue
        found.append((series.series_uid, [describe_image(grid) for grid in plan.grids], plan.problems))
    return found


def _print_table(console: Console, catalog: Catalog) -> None:
    """A line for each series; where the width does not hold the UIDs, they stand below, each whole, to be copied."""
    names = ("modality", "no.", "description", "instances", "frames", "frame shape", "decoded size", "series_uid")
    rows = [_cells(series) for series in catalog.series]
    table = make_table(names, rows)
    if console.measure(table, options=console.options.update_width(WIDE)).maximum <= console.width:
        console.print(table)
        return
    console.print(make_table(names[:-1], [row[:-1] for row in rows]))
    for row in rows:
        console.print(f"{' '.join(cell for cell in row[:3] if cell)}: {row[-1]}", soft_wrap=True, markup=False)


def _cells(series: SeriesSummary) -> tuple[str, ...]:
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
    return tuple(map(printable, cells))


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
        console.print(f"  {printable(line)}", soft_wrap=True, markup=False)


def _arrays_tree(report: Report) -> Tree:
    """Series, the arrays that each makes, and what there is to know of them."""
    tree = Tree("arrays")
    for series in report.series:
        number = "" if series.number is None else str(series.number)
        title = " ".join(word for word in (series.modality, number, series.description) if word)
        branch = tree.add(f"[bold]{_safe(title)}[/bold]  {_safe(series.series_uid)}")
        for stack in series.stacks:
            dims = ", ".join(f"{dim} {length}" for dim, length in stack.dims.items())
            leaf = branch.add(f"[bold]{_safe(stack.name)}[/bold]  {_safe(dims)}; {stack.dtype}, {readable_size(stack.decoded_bytes)}")
            for finding in stack.findings:
                leaf.add(_safe(finding))
        for note in series.notes:
            branch.add(_safe(note))
    for twins in report.twins:
        tree.add(_safe(twins))
    return tree


def _safe(text: str) -> str:
    """Text of a header as it may stand in what rich prints."""
    return escape(printable(text))
