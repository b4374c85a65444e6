"""What a person writes behind a command, and what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from xdicom.api import Catalog, scan
from xdicom.cli.terminal import progress_on_stderr
from xdicom.labeled.display import WindowChoice

Location = Annotated[str, typer.Argument(help="File, folder, glob, URL or archive.")]
SeriesUid = Annotated[str | None, typer.Option("--series-uid", metavar="UID", help="Series Instance UID, where several series lie there.")]
Stack = Annotated[str | None, typer.Option("--stack", metavar="NAME", help="Name of the array, where the series makes several.")]
StorageOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Option for storage that is not local, such as anon=true; may be repeated."),
]


def scan_location(location: str | Sequence[str], options: Iterable[str] | None, known: Catalog | None = None) -> Catalog:
    """Catalog of a location, with a progress bar; what is `known` and did not change is not read."""
    with progress_on_stderr("headers", "files") as progress:
        return scan(location, storage_options=parse_options(options) or None, progress=progress, known=known)


def parse_options(given: Iterable[str] | None) -> dict[str, object]:
    """Storage options; a value that is JSON is what JSON says, any other is text.

    Examples
    --------
    >>> parse_options(["anon=true", "profile=research"])
    {'anon': True, 'profile': 'research'}
    """
    options: dict[str, object] = {}
    for pair in given or ():
        name, sign, value = pair.partition("=")
        if not (name and sign):
            # The text may hold a secret, so it is not shown again.
            raise typer.BadParameter("an option is written KEY=VALUE", param_hint="--option")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def parse_chunks(text: str | None) -> dict[str, int] | None:
    """Sizes by dimension.

    Examples
    --------
    >>> parse_chunks("z=16,y=256")
    {'z': 16, 'y': 256}
    """
    if text is None:
        return None
    pairs = [re.fullmatch(r"\s*(\w+)=(-1|[1-9]\d*)\s*", part) for part in text.split(",")]
    if not all(pairs):
        raise typer.BadParameter(f"{text!r} is not of the form z=16 or z=16,y=256", param_hint="--chunks")
    return {pair[1]: int(pair[2]) for pair in pairs if pair}


_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"


def parse_window(text: str | None) -> WindowChoice:
    """A window as a person writes it: a name, a number, or center and width and perhaps a function.

    Examples
    --------
    >>> parse_window("LUNG"), parse_window("0"), parse_window("40,400"), parse_window("40,400,sigmoid")
    ('LUNG', 0, (40.0, 400.0), (40.0, 400.0, 'sigmoid'))
    """
    if text is None:
        return None
    pair = re.fullmatch(rf"{_NUMBER},{_NUMBER}(?:,\s*(\w+)\s*)?", text)
    if pair:
        center, width, function = float(pair[1]), float(pair[2]), pair[3]
        return (center, width, function) if function else (center, width)
    return int(text) if re.fullmatch(r"[0-9]+", text) else text
