"""`xdicom to-dicom`: a series or a Zarr store, written as a new DICOM series."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import xarray as xr

from xdicom.api import open_series, open_study
from xdicom.cli.arguments import SeriesUid, Stack, StorageOptions, parse_options, scan_location
from xdicom.cli.terminal import printable, progress_on_stderr
from xdicom.errors import SourceError, XDicomError
from xdicom.index.sizes import readable_size

Selection = Annotated[
    list[str] | None,
    typer.Option("--select", metavar="DIM=FIRST:LAST:STEP", help="Part of a dimension, by number as in Python; may be repeated."),
]
Attributes = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEYWORD=VALUE", help="An element of all instances; with no value it is left out.")
]
_VALUES_HELP = "Stored values as they are, or modality values stored anew."
_SYNTAX_HELP = "rle, jpeg-ls, jpeg-lossless, jpeg-2000, htj2k, ..., or a UID; files are not compressed without it."
_LOSS_HELP = "How much a lossy transfer syntax may lose."
_KEEP_HELP = "Keep the identity of instances whose pixels do not change."


def write_series(
    location: Annotated[str, typer.Argument(help="File, folder, glob, URL or archive of DICOM, or a Zarr store that xdicom wrote.")],
    directory: Annotated[str, typer.Argument(help="Folder for the files, or its URL.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    is_study: Annotated[bool, typer.Option("--all", help="Write all series, each array into a folder of its own.")] = False,
    select: Selection = None,
    values: Annotated[Literal["stored", "modality"], typer.Option("--values", help=_VALUES_HELP)] = "stored",
    transfer_syntax: Annotated[str | None, typer.Option("--transfer-syntax", metavar="NAME", help=_SYNTAX_HELP)] = None,
    loss: Annotated[float | None, typer.Option("--loss", help=_LOSS_HELP)] = None,
    series_description: Annotated[str | None, typer.Option("--series-description", help="Series Description of the new series.")] = None,
    series_number: Annotated[int | None, typer.Option("--series-number", help="Series Number of the new series.")] = None,
    derivation: Annotated[str | None, typer.Option("--derivation", help="Derivation Description.")] = None,
    attributes: Attributes = None,
    keep_uids: Annotated[bool, typer.Option("--keep-uids", help=_KEEP_HELP)] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    options: StorageOptions = None,
) -> None:
    """Write one series, or a Zarr store, as a new DICOM series of the same study; or all of them."""
    shared = {
        "transfer_syntax": transfer_syntax,
        "loss": loss,
        "derivation": derivation,
        "attributes": parse_attributes(attributes),
        "keep_uids": keep_uids,
        "overwrite": overwrite,
        "storage_options": (parse_options(options) or None) if "://" in directory else None,
    }
    if is_study:
        own = {"--series-uid": series_uid, "--stack": stack, "--select": select, "--values": None if values == "stored" else values,
               "--series-description": series_description, "--series-number": series_number}  # fmt: skip
        given = [name for name, value in own.items() if value is not None and value != []]
        if given:
            raise typer.BadParameter(f"--all writes every series as it is: leave {', '.join(given)} out")
        _write_all(_opened_all(location, options, is_for_both="://" in directory), directory, shared)
        return
    array = _opened(location, series_uid, stack, options, is_for_both="://" in directory)
    parts = dict(map(_part, select or ()))
    unknown = sorted(set(parts) - set(map(str, array.dims)))
    if unknown:
        raise typer.BadParameter(f"there is no dimension {unknown[0]}: {', '.join(map(str, array.dims))} are", param_hint="--select")
    array = array.isel(parts)
    if values == "modality":
        array = array.dicom.to_modality()
    start = time.perf_counter()
    with _told(), progress_on_stderr("writing", "blocks") as progress:
        written = array.dicom.to_dicom(
            directory, series_description=series_description, series_number=series_number, progress=progress, **shared
        )
    seconds = time.perf_counter() - start
    instances = f"{written.instances} instance{'' if written.instances == 1 else 's'} of {written.frames} frames"
    largest = f"; largest error {written.max_error:.3g}" if values == "modality" else ""
    typer.echo(
        f"{printable(directory)}: {instances}, {readable_size(written.bytes)} in {seconds:.1f} s; "
        f"series {written.series_instance_uid}{largest}"
    )


@contextmanager
def _told() -> Iterator[None]:
    """What values can't be becomes an error of how the command was called."""
    try:
        yield
    except XDicomError:
        raise
    except ValueError as error:
        raise typer.BadParameter(printable(str(error))) from error


def _write_all(tree: xr.DataTree, directory: str, options: dict[str, Any]) -> None:
    start = time.perf_counter()
    with _told(), progress_on_stderr("writing", "blocks") as progress:
        written = tree.dicom.to_dicom(directory, progress=progress, **options)
    instances, size = sum(each.instances for each in written.values()), sum(each.bytes for each in written.values())
    for path, each in written.items():
        typer.echo(f"{printable(path)}: {each.instances} instances of {each.frames} frames; series {each.series_instance_uid}")
    seconds = time.perf_counter() - start
    typer.echo(f"{printable(directory)}: {len(written)} arrays, {instances} instances, {readable_size(size)} in {seconds:.1f} s")


def _opened_all(location: str, options: Iterable[str] | None, *, is_for_both: bool) -> xr.DataTree:
    """All arrays at a location, or of a Zarr store."""
    if not _is_store(location):
        return open_study(scan_location(location, options))
    if options and not is_for_both:
        raise typer.BadParameter(f"{printable(location)} is a Zarr store on this machine: leave --option out")
    return xr.open_datatree(location, engine="zarr")


def _is_store(location: str) -> bool:
    return any((Path(location) / name).is_file() for name in ("zarr.json", ".zgroup"))


def _opened(location: str, series_uid: str | None, stack: str | None, options: Iterable[str] | None, *, is_for_both: bool) -> xr.DataArray:
    """The array of a series, or the one of a Zarr store."""
    if not _is_store(location):
        return open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    if series_uid is not None or stack is not None or (options and not is_for_both):
        raise typer.BadParameter(f"{printable(location)} is a Zarr store of one array: leave --series-uid, --stack and --option out")
    arrays = xr.open_zarr(location).data_vars
    if len(arrays) != 1:
        raise SourceError(
            f"{location} is no store of one labelled array: it holds {len(arrays)} arrays in its root group; "
            "--all writes the arrays of all groups"
        )
    array: xr.DataArray = next(iter(arrays.values()))
    return array


def _part(text: str) -> tuple[str, slice | int]:
    """Dimension and part, as a person writes them."""
    match = re.fullmatch(r"\s*(\w+)=(-?\d+)?(:(-?\d+)?(:(-?\d+)?)?)?\s*", text)
    if match is None or (match[2] is None and match[3] is None) or (match[6] is not None and int(match[6]) == 0):
        raise typer.BadParameter(f"{text!r} is not of the form z=4:20, y=::2 or time=0", param_hint="--select")
    first, last, step = (None if part is None else int(part) for part in (match[2], match[4], match[6]))
    if match[3] is None:
        return match[1], int(match[2])
    return match[1], slice(first, last, step)


def parse_attributes(given: Iterable[str] | None) -> dict[str, Any]:
    r"""Values of elements by keyword; a backslash divides several, nothing leaves the element out.

    Examples
    --------
    >>> parse_attributes(["PatientID=P1", "StudyID=", "ImageComments=a=b", r"OtherPatientIDs=A\B"])
    {'PatientID': 'P1', 'StudyID': None, 'ImageComments': 'a=b', 'OtherPatientIDs': ['A', 'B']}
    """
    found: dict[str, Any] = {}
    for pair in given or ():
        keyword, sign, value = pair.partition("=")
        if not (keyword and sign):
            # The text may name a person, so it is not shown again.
            raise typer.BadParameter("an element is written KEYWORD=VALUE", param_hint="--set")
        parts = value.split("\\")
        found[keyword] = parts if parts[1:] else value or None
    return found
