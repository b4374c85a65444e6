"""`xdicom to-ome-zarr`: one series as an image for viewers."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer
import xarray as xr

from xdicom.api import open_series
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_chunks, parse_options, scan_location
from xdicom.cli.stores import (
    Chunks,
    Deidentify,
    Layout,
    Overwrite,
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
    deidentify: Deidentify = False,
    uid_secret_file: SecretFile = None,
    options: StorageOptions = None,
    store_options: StoreOptions = None,
) -> None:
    """Write one series as an OME-Zarr 0.5 image, with coarser levels in millimetres."""
    sizes, target_options = parse_chunks(chunks), parse_options(store_options) or None
    check_free(store, overwrite, "--overwrite replaces a Zarr store")
    array = open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    start = time.perf_counter()
    with progress_on_stderr("writing", "shards") as progress, told_errors():
        image = _with_values(array, values)
        written = image.dicom.to_ome_zarr(
            store,
            levels="auto" if levels is None else levels,
            chunks=sizes,
            layout=layout,
            mode="w" if overwrite else "w-",
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
