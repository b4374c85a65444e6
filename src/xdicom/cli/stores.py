"""`xdicom to-zarr`: one series, written where others can read it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from xdicom.api import open_series
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_chunks, scan_location
from xdicom.cli.terminal import printable, progress_on_stderr
from xdicom.index.catalog import readable_size


def to_zarr(
    location: Location,
    store: Annotated[str, typer.Argument(help="Folder or URL of the Zarr store.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    chunks: Annotated[str | None, typer.Option("--chunks", metavar="SIZES", help="Chunks of the store, as z=16 or z=16,y=256.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store that is there.")] = False,
    options: StorageOptions = None,
) -> None:
    """Write one series to a Zarr store, with all its labels."""
    sizes = parse_chunks(chunks)
    array = open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    unknown = sorted(set(sizes or ()) - {str(dim) for dim in array.dims})
    if unknown:
        known = ", ".join(map(str, array.dims))
        raise typer.BadParameter(f"there is no dimension {', '.join(unknown)}; there are {known}", param_hint="--chunks")
    start = time.perf_counter()
    with progress_on_stderr("frames") as progress:
        array.dicom.to_zarr(store, chunks=sizes, mode="w" if overwrite else "w-", progress=progress)
    seconds = time.perf_counter() - start
    shape = ", ".join(f"{dim} {size}" for dim, size in array.sizes.items())
    written = _size_of(Path(store))
    typer.echo(
        f"{printable(store)}: {shape}; {array.dtype}, {readable_size(array.nbytes)}"
        + (f" written as {readable_size(written)}" if written else "")
        + f" in {seconds:.1f} s ({readable_size(array.nbytes / seconds)}/s)"
    )


def _size_of(store: Path) -> int:
    """Bytes of all files of a local store; 0 where it is none."""
    return sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) if store.is_dir() else 0
