"""`xdicom to-virtual`: one series, a slide or a study as references to its frames, nothing copied."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import xarray as xr

from xdicom.api import Catalog, open_series, open_slide, open_study
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_options, scan_location
from xdicom.cli.stores import StoreOptions, describe
from xdicom.cli.terminal import printable, progress_on_stderr
from xdicom.errors import MultipleSeriesError, SourceError
from xdicom.export.virtual_repository import write_icechunk_repository
from xdicom.export.virtual_zarr import write_kerchunk
from xdicom.export.virtual_zarr_tree import write_kerchunk_tree
from xdicom.export.zarr_places import object_there, write_object
from xdicom.export.zarr_values import Written
from xdicom.index.progress import Report
from xdicom.index.sizes import readable_size
from xdicom.index.slides import is_slide

_TARGET_HELP = "FILE.json for kerchunk's references, or a new folder for an icechunk repository; each may be a URL in S3."
_RESUME_HELP = "Go on with what is there: what refers to the same frames in the same state stays, what is missing is added."


def write_references(
    location: Location,
    target: Annotated[str, typer.Argument(help=_TARGET_HELP)],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    is_study: Annotated[bool, typer.Option("--all", help="Refer to all series, each in a group of its own.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of references that is there.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help=_RESUME_HELP)] = False,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Write references to the frames of one series or slide, where they lie: a Zarr store without a copied pixel."""
    if overwrite and resume:
        raise typer.BadParameter("--overwrite begins anew and --resume goes on: choose one")
    if is_study and (series_uid or stack):
        raise typer.BadParameter("--all refers to every series: leave --series-uid and --stack out")
    given = parse_options(store_options) or None
    is_kerchunk = target.lower().endswith(".json")
    before = _there(target, given) if is_kerchunk else None
    if not is_kerchunk:
        _check_folder(Path(target), overwrite=overwrite, resume=resume)
    elif before is not None and not (overwrite or resume):
        raise SourceError(f"there is something at {target} already: --overwrite replaces it, --resume leaves it if it is the same")
    opened = _open(scan_location(location, options), series_uid, stack, is_study=is_study)
    start = time.perf_counter()
    with progress_on_stderr("referring", "frames") as progress:
        if is_kerchunk:
            written, size = _write_file(opened, target, before if resume else None, given, progress)
        else:
            written = write_icechunk_repository(opened, target, resume=resume, storage_options=given, progress=progress)
            size = sum(path.stat().st_size for path in Path(target).rglob("*") if path.is_file()) if "://" not in target else 0
    seconds = time.perf_counter() - start
    kept = f", {written.kept} there already" if written.kept else ""
    typer.echo(
        f"{printable(target)}: {describe(opened)} as {f'{readable_size(size)} of ' if size else ''}references; "
        f"{written.blocks} frames in {seconds:.1f} s{kept} ({written.blocks / seconds:,.0f} a second)"
    )


def _there(target: str, options: Mapping[str, Any] | None) -> bytes | None:
    """The file of references that is there."""
    if Path(target).is_dir():
        raise SourceError(f"there is a folder at {target}: references in a folder are a repository, whose name does not end in .json")
    return object_there(target, options)


def _check_folder(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Nothing, where a repository may be made.

    Raises
    ------
    SourceError
        If something is there.
    """
    if overwrite:
        raise typer.BadParameter("--overwrite is of files .json: a repository keeps what was committed")
    if folder.is_file() or (not resume and folder.is_dir() and any(folder.iterdir())):
        raise SourceError(
            f"there is something at {folder} already: a repository is made in a new folder (--resume adds to one), references in a "
            "file .json"
        )


def _open(catalog: Catalog, series_uid: str | None, stack: str | None, *, is_study: bool) -> xr.DataArray | xr.DataTree:
    """The array that is referred to, or the tree of a slide or study."""
    if is_study:
        return open_study(catalog)
    if len(catalog.frames) == 0 or not is_slide(catalog.pick(series_uid)):
        return open_series(catalog, series_uid=series_uid, stack=stack)
    slide = open_slide(catalog, series_uid=series_uid)
    if stack is None:
        return slide
    if stack not in slide.children:
        raise MultipleSeriesError(f"the slide has no image {stack!r}; there are {', '.join(slide.children)}")
    array: xr.DataArray = slide[stack].to_dataset()["stored_values"]
    return array


def _write_file(
    opened: xr.DataArray | xr.DataTree, target: str, before: bytes | None, options: Mapping[str, Any] | None, progress: Report
) -> tuple[Written, int]:
    """References in a file, and its bytes; what is there stays where it is the same.

    Raises
    ------
    SourceError
        If what is there is of something else.
    """
    if isinstance(opened, xr.DataTree):
        whole = write_kerchunk_tree(opened, progress=progress)
    else:
        whole = write_kerchunk(opened, progress=progress)
    count = sum(isinstance(entry, list) for entry in whole["refs"].values())
    data = json.dumps(whole).encode()
    if before is None:
        write_object(target, data, options)
        return Written(count, 0, 0), len(data)
    if before != data:
        raise SourceError(f"{target} refers to something else, or a source has changed since: --overwrite replaces it")
    return Written(0, count, 0), len(data)
