"""`xdicom to-zarr` and `xdicom verify`: one series, written where others can read it, and compared with what was written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from xdicom.api import open_series
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_chunks, parse_options, scan_location
from xdicom.cli.terminal import printable, progress_on_stderr
from xdicom.errors import SourceError, XDicomError
from xdicom.export.zarr_verify import verify_zarr
from xdicom.index.sizes import readable_size

StoreOptions = Annotated[list[str] | None, typer.Option("--store-option", metavar="KEY=VALUE", help="The same as --option, for the store.")]
_HEADERS_HELP = "Keep the whole headers too, which may name a person: to-dicom needs nothing else then."
_LAYOUT_HELP = "One frame a chunk, or blocks for cuts across the frames."


def write_store(
    location: Location,
    store: Annotated[str, typer.Argument(help="Folder or URL of the Zarr store.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    chunks: Annotated[str | None, typer.Option("--chunks", metavar="SIZES", help="Chunks of the store, as z=16 or z=16,y=256.")] = None,
    layout: Annotated[Literal["frames", "volume"], typer.Option("--layout", help=_LAYOUT_HELP)] = "frames",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store that is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Complete a store whose writing was interrupted.")] = False,
    keep_headers: Annotated[bool, typer.Option("--keep-headers", help=_HEADERS_HELP)] = False,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Write one series to a Zarr store, with all its labels."""
    if overwrite and resume:
        raise typer.BadParameter("--overwrite begins anew and --resume goes on: choose one")
    sizes, target = parse_chunks(chunks), Path(store)
    if not (overwrite or resume) and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise SourceError(
            f"there is something at {store} already: --overwrite replaces a Zarr store, --resume completes one that was interrupted"
        )
    array = open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    if keep_headers:
        array = array.dicom.keep_headers()
    start = time.perf_counter()
    with progress_on_stderr("shards") as progress:
        try:
            written = array.dicom.to_zarr(
                store,
                chunks=sizes,
                layout=layout,
                mode="w" if overwrite else "w-",
                resume=resume,
                progress=progress,
                storage_options=parse_options(store_options) or None,
            )
        except XDicomError:
            raise
        except ValueError as error:
            raise typer.BadParameter(printable(str(error))) from error
    seconds = time.perf_counter() - start
    shape = ", ".join(f"{dim} {size}" for dim, size in array.sizes.items())
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    on_disk = f" as {readable_size(size)}" if size else ""
    shards = f"{written.blocks} shard{'' if written.blocks == 1 else 's'} written in {seconds:.1f} s"
    kept = f", {written.kept} there already" if written.kept else ""
    rate = readable_size(written.values / seconds)
    typer.echo(f"{printable(store)}: {shape}; {array.dtype}, {readable_size(array.nbytes)}{on_disk}; {shards}{kept} ({rate}/s)")


def compare_store(
    store: Annotated[str, typer.Argument(help="Folder or URL of the Zarr store.")],
    location: Location,
    series_uid: SeriesUid = None,
    stack: Stack = None,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Compare a Zarr store with the series that it was made of, every value and label; returns 1 where they differ."""
    array = open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    with progress_on_stderr("shards") as progress:
        found = verify_zarr(array, store, progress=progress, storage_options=parse_options(store_options) or None)
    typer.echo(f"{printable(store)}: {printable(str(found))}")
    if not found.is_equal:
        raise typer.Exit(1)
