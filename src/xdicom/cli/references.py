"""`xdicom to-virtual`: one series as references to its frames, nothing copied."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from xdicom.api import open_series
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, scan_location
from xdicom.cli.stores import describe
from xdicom.cli.terminal import printable
from xdicom.errors import SourceError
from xdicom.export.virtual_repository import write_icechunk_repository
from xdicom.index.sizes import readable_size


def write_references(
    location: Location,
    target: Annotated[Path, typer.Argument(help="FILE.json for kerchunk's references, or a new folder for an icechunk repository.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of references that is there.")] = False,
    options: StorageOptions = None,
) -> None:
    """Write references to the frames of one series, where they lie: a Zarr store without a copied pixel."""
    is_kerchunk = target.suffix.lower() == ".json"
    if target.is_dir() if is_kerchunk else target.exists() and (target.is_file() or any(target.iterdir())):
        raise SourceError(f"there is something at {target} already: a repository is made in a new folder, and references in a file .json")
    if is_kerchunk and target.exists() and not overwrite:
        raise SourceError(f"there is something at {target} already: --overwrite replaces it")
    array = open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    start = time.perf_counter()
    if is_kerchunk:
        refs = array.dicom.to_kerchunk(target)["refs"]
        count = sum(isinstance(entry, list) for entry in refs.values())
    else:
        count = write_icechunk_repository(array, target)
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in (target.rglob("*") if target.is_dir() else [target]) if path.is_file())
    typer.echo(
        f"{printable(str(target))}: {describe(array)} as {readable_size(size)} of references; {count} frames in {seconds:.1f} s "
        f"({count / seconds:,.0f} a second)"
    )
