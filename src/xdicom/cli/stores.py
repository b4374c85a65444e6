"""`xdicom to-zarr` and `xdicom verify`: series, written where others can read them, and compared with what was written."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import xarray as xr

from xdicom.api import open_series, open_study
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_chunks, parse_options, scan_location
from xdicom.cli.terminal import printable, progress_on_stderr
from xdicom.errors import SourceError, XDicomError
from xdicom.export.zarr_places import holds_tree, stored_bytes
from xdicom.export.zarr_values import Written
from xdicom.export.zarr_verify import verify_zarr, verify_zarr_tree
from xdicom.index.sizes import readable_size

StoreOptions = Annotated[list[str] | None, typer.Option("--store-option", metavar="KEY=VALUE", help="The same as --option, for the store.")]
Chunks = Annotated[str | None, typer.Option("--chunks", metavar="SIZES", help="Chunks of the store, as z=16 or z=16,y=256.")]
Layout = Annotated[Literal["frames", "volume"], typer.Option("--layout", help="One frame a chunk, or blocks for cuts across the frames.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a store that is there.")]
Resume = Annotated[bool, typer.Option("--resume", help="Complete a store whose writing was interrupted.")]
TAKEN = "--overwrite replaces a Zarr store, --resume completes one that was interrupted"
"""What can be done where something is."""
_HEADERS_HELP = "Keep the whole headers too, which may name a person unless --deidentify is given: to-dicom needs nothing else then."
Deidentify = Annotated[bool, typer.Option("--deidentify", help="Apply the basic confidentiality profile of PS3.15 to all labels.")]
SecretFile = Annotated[
    Path | None,
    typer.Option("--uid-secret-file", metavar="FILE", exists=True, dir_okay=False, help="File with the secret that new UIDs are made by."),
]


def write_store(
    location: Location,
    store: Annotated[str, typer.Argument(help="Folder or URL of the Zarr store.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    is_study: Annotated[bool, typer.Option("--all", help="Write all series, each into a group of its own.")] = False,
    chunks: Chunks = None,
    layout: Layout = "frames",
    codecs: Annotated[Literal["auto", "original"], typer.Option("--codecs", help="Compress anew, or move frames as they are.")] = "auto",
    overwrite: Overwrite = False,
    resume: Resume = False,
    keep_headers: Annotated[bool, typer.Option("--keep-headers", help=_HEADERS_HELP)] = False,
    deidentify: Deidentify = False,
    uid_secret_file: SecretFile = None,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Write one series to a Zarr store, or all that lie there, with all their labels."""
    if overwrite and resume:
        raise typer.BadParameter("--overwrite begins anew and --resume goes on: choose one")
    if is_study and (series_uid or stack):
        raise typer.BadParameter("--all writes every series: leave --series-uid and --stack out")
    sizes = parse_chunks(chunks)
    if not resume:
        check_free(store, overwrite, TAKEN)
    catalog = scan_location(location, options)
    opened = open_study(catalog) if is_study else open_series(catalog, series_uid=series_uid, stack=stack)
    if keep_headers:
        opened = opened.map_over_datasets(_with_headers) if isinstance(opened, xr.DataTree) else opened.dicom.keep_headers()
    asked: dict[str, Any] = {
        "chunks": sizes, "layout": layout, "codecs": codecs, "mode": "w" if overwrite else "w-", "resume": resume, "deidentify": deidentify,
        "uid_secret": read_secret(uid_secret_file, deidentify), "storage_options": parse_options(store_options) or None,
    }  # fmt: skip
    start = time.perf_counter()
    with progress_on_stderr("writing", "shards") as progress, told_errors():
        written = opened.dicom.to_zarr(store, progress=progress, **asked)
    tell(store, describe(opened), written, time.perf_counter() - start, stored_bytes(store, asked["storage_options"]))


def compare_store(
    store: Annotated[str, typer.Argument(help="Folder or URL of the Zarr store.")],
    location: Location,
    series_uid: SeriesUid = None,
    stack: Stack = None,
    uid_secret_file: SecretFile = None,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Compare a Zarr store with what it was made of, every value and label; returns 1 where they differ."""
    asked: dict[str, Any] = {
        "uid_secret": read_secret(uid_secret_file, is_deidentified=True), "storage_options": parse_options(store_options) or None,
    }  # fmt: skip
    is_study = not (series_uid or stack) and holds_tree(store, asked["storage_options"])
    catalog = scan_location(location, options)
    start = time.perf_counter()
    with progress_on_stderr("comparing", "shards") as progress, told_errors():
        opened = open_study(catalog) if is_study else open_series(catalog, series_uid=series_uid, stack=stack)
        if isinstance(opened, xr.DataTree):
            found = verify_zarr_tree(opened, store, progress=progress, **asked)
        else:
            found = {"": verify_zarr(opened, store, progress=progress, **asked)}
    for path, each in found.items():
        typer.echo(f"{printable(store)}{printable(path and f', {path}')}: {printable(str(each))}")
    seconds, values = time.perf_counter() - start, opened.nbytes
    typer.echo(f"{readable_size(values)} compared in {seconds:.1f} s ({readable_size(values / seconds)}/s)")
    if not all(each.is_equal for each in found.values()):
        raise typer.Exit(1)


def check_free(store: str, overwrite: bool, advice: str) -> None:
    """Nothing, where a local store may be made: before headers are read, which may take long.

    Raises
    ------
    SourceError
        If something is there.
    """
    target = Path(store)
    if not overwrite and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise SourceError(f"there is something at {store} already: {advice}")


def read_secret(path: Path | None, is_deidentified: bool) -> str | None:
    """The secret in a file, without spaces and line ends around it."""
    if path is None:
        return None
    if not is_deidentified:
        raise typer.BadParameter("--uid-secret-file goes with --deidentify")
    return path.read_text(encoding="utf-8").strip()


@contextmanager
def told_errors() -> Iterator[None]:
    """Values that make no sense are told as errors of usage, and warnings as one line each."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        typer.echo(f"xdicom: {printable(str(message))}", err=True)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = show
            yield
    except XDicomError:
        raise
    except ValueError as error:
        raise typer.BadParameter(printable(str(error))) from error


def _with_headers(dataset: xr.Dataset) -> xr.Dataset:
    arrays = {name: array.dicom.keep_headers() for name, array in dataset.data_vars.items()}
    return dataset.assign(arrays) if arrays else dataset


def describe(opened: xr.DataArray | xr.DataTree) -> str:
    """Dimensions, type and size of an array, or number and size of those of a tree."""
    if isinstance(opened, xr.DataArray):
        shape = ", ".join(f"{dim} {size}" for dim, size in opened.sizes.items())
        return f"{shape}; {opened.dtype}, {readable_size(opened.nbytes)}"
    arrays = [array for node in opened.subtree for array in node.dataset.data_vars.values()]
    return f"{len(arrays)} array{'' if len(arrays) == 1 else 's'}, {readable_size(sum(array.nbytes for array in arrays))}"


def tell(store: str, what: str, written: Written, seconds: float, size: int) -> None:
    """Say what was written, how large it is there and how fast it went."""
    shards = f"{written.blocks} shard{'' if written.blocks == 1 else 's'} written in {seconds:.1f} s"
    kept = f", {written.kept} there already" if written.kept else ""
    typer.echo(f"{printable(store)}: {what} as {readable_size(size)}; {shards}{kept} ({readable_size(written.values / seconds)}/s)")
