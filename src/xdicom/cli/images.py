"""`xdicom to-ome-zarr`: one series as an image for viewers."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer
import xarray as xr

from xdicom.api import open_series, open_slide
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_chunks, parse_options, scan_location
from xdicom.cli.stores import (
    TAKEN,
    Chunks,
    Deidentify,
    Layout,
    Overwrite,
    Resume,
    SecretFile,
    StoreOptions,
    check_free,
    describe,
    read_secret,
    tell,
    told_errors,
)
from xdicom.cli.terminal import progress_on_stderr
from xdicom.export.zarr_places import stored_bytes
from xdicom.index.slides import is_slide

Values = Literal["auto", "stored", "modality", "rgb"]
_VALUES_HELP = "Which values: modality values, and RGB where there is color (auto), or those that are named."


def write_image(
    location: Location,
    store: Annotated[str, typer.Argument(help="Folder or URL of the OME-Zarr image.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    values: Annotated[Values, typer.Option("--values", help=_VALUES_HELP)] = "auto",
    levels: Annotated[
        int | None, typer.Option("--levels", min=1, max=16, help="Levels with the first; down to 128 pixels if not said.")
    ] = None,
    chunks: Chunks = None,
    layout: Layout = "frames",
    overwrite: Overwrite = False,
    resume: Resume = False,
    deidentify: Deidentify = False,
    uid_secret_file: SecretFile = None,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Write one series as an OME-Zarr 0.5 image, with coarser levels in millimetres; of a slide, the levels that it has."""
    sizes, target_options = parse_chunks(chunks), parse_options(store_options) or None
    if overwrite and resume:
        raise typer.BadParameter("--overwrite begins anew and --resume goes on: choose one")
    if not resume:
        check_free(store, overwrite, TAKEN)
    catalog = scan_location(location, options)
    if stack is None and len(catalog.frames) and is_slide(catalog.pick(series_uid)):
        if values != "auto" or levels is not None or sizes or layout != "frames" or deidentify:
            raise typer.BadParameter(
                "a slide is written with the levels that it has, tiles as they lie: leave --values, --levels, --chunks, --layout and "
                "--deidentify out"
            )
        slide = open_slide(catalog, series_uid=series_uid)
        start = time.perf_counter()
        with progress_on_stderr("writing", "shards") as progress, told_errors():
            written = slide.dicom.to_ome_zarr(
                store, mode="w" if overwrite else "w-", resume=resume, progress=progress, storage_options=target_options
            )
        tell(store, f"slide, {describe(slide)}", written, time.perf_counter() - start, stored_bytes(store, target_options))
        return
    array = open_series(catalog, series_uid=series_uid, stack=stack)
    start = time.perf_counter()
    with progress_on_stderr("writing", "shards") as progress, told_errors():
        image = _with_values(array, values)
        written = image.dicom.to_ome_zarr(
            store,
            levels="auto" if levels is None else levels,
            chunks=sizes,
            layout=layout,
            mode="w" if overwrite else "w-",
            resume=resume,
            progress=progress,
            storage_options=target_options,
            deidentify=deidentify,
            uid_secret=read_secret(uid_secret_file, deidentify),
        )
    tell(store, f"{image.name}, {describe(image)}", written, time.perf_counter() - start, stored_bytes(store, target_options))


def _with_values(array: xr.DataArray, values: Values) -> xr.DataArray:
    is_color = int(array.attrs.get("samples_per_pixel", 1)) > 1 or array.attrs.get("photometric_interpretation") == "PALETTE COLOR"
    chosen = ("rgb" if is_color else "modality") if values == "auto" else values
    made: xr.DataArray = {"stored": lambda: array, "modality": array.dicom.to_modality, "rgb": array.dicom.to_rgb}[chosen]()
    return made
