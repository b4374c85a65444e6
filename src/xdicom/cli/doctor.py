"""`xdicom doctor`: what this installation can decode, and which versions are at work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Annotated

import typer

from xdicom.cli.terminal import make_table, result_console
from xdicom.pixels.support import decoder_report

DEPENDENCIES = ("xdicom", "numpy", "dask", "xarray", "zarr", "imagecodecs", "pydicom", "fsspec")
"""Distributions whose versions decide what comes out."""
_FOR_DEVELOPERS = {"test", "docs", "dev"}


def print_abilities(as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON, and nothing else.")] = False) -> None:
    """Show what this installation can decode, and which versions are at work."""
    rows = decoder_report()
    python = sys.version.split()[0]
    versions = {name: version_of(name) for name in DEPENDENCIES}
    extras = {extra: {name: version_of(name) for name in names} for extra, names in extras_of(metadata.requires("xdicom") or ()).items()}
    if as_json:
        syntaxes = [
            {"uid": row.uid, "name": row.name, "is_decoded": row.available, "codec": row.codec, "version": row.version, "note": row.note}
            for row in rows
        ]
        typer.echo(json.dumps({"python": python, "versions": versions, "extras": extras, "transfer_syntaxes": syntaxes}, indent=2))
        return
    console = result_console()
    refused: dict[str, list[str]] = {}
    for row in rows:
        if not row.available:
            refused.setdefault(row.note, []).append(f"{row.name} ({row.uid})")
    cells = [(row.name, row.uid, row.codec, row.version) for row in rows if row.available]
    console.print(make_table(("decoded", "UID", "by", "version"), cells))
    for note, names in refused.items():
        console.print(f"\nnot decoded, since {note}:", markup=False)
        for name in names:
            console.print(f"  {name}", markup=False)
    console.print(f"\n{sum(row.available for row in rows)} of {len(rows)} transfer syntaxes are decoded")
    console.print(f"python {python}, {_listed(versions)}")
    for extra, found in extras.items():
        hint = "" if all(found.values()) else f'; pip install "xdicom[{extra}]"'
        console.print(f"extra {extra}: {_listed(found)}{hint}", markup=False)


def version_of(distribution: str) -> str:
    """Version of an installed distribution; empty where there is none."""
    return next((found.version for found in metadata.distributions(name=distribution)), "")


def extras_of(requirements: Iterable[str]) -> dict[str, list[str]]:
    """Distributions of each extra that is meant for users.

    Examples
    --------
    >>> extras_of(["numpy>=2.0", "matplotlib>=3.9; extra == 'plot'", "pytest; extra == 'test'"])
    {'plot': ['matplotlib']}
    """
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        found = re.match(r"([\w.-]+).*;.*extra\s*==\s*['\"]([\w-]+)['\"]", requirement)
        if found and found[2] not in _FOR_DEVELOPERS and found[1] not in extras.setdefault(found[2], []):
            extras[found[2]].append(found[1])
    return extras


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version or '(missing)'}" for name, version in versions.items())
