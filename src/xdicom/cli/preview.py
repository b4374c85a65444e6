"""`xdicom preview`: a series as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdicom.api import open_series
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_window, scan_location
from xdicom.cli.terminal import printable
from xdicom.errors import XDicomError
from xdicom.labeled.montage import draw_frame, draw_montage
from xdicom.labeled.png import encode_png

_WINDOW_HELP = "A window by name (LUNG), by number as in the file (0), or as center,width."
MONTAGE_SIZE = 1024
"""Longer side of a montage, unless another is wanted [px]."""


def draw_picture(
    location: Location,
    picture: Annotated[Path, typer.Argument(help="PNG file to write.")],
    series_uid: SeriesUid = None,
    stack: Stack = None,
    frame: Annotated[int | None, typer.Option("--frame", metavar="N", help="Draw this frame alone, counted from 0.")] = None,
    window: Annotated[str | None, typer.Option("--window", metavar="NAME|N|C,W", help=_WINDOW_HELP)] = None,
    columns: Annotated[int | None, typer.Option("--columns", metavar="N", min=1, max=64, help="Frames in a row.")] = None,
    size: Annotated[int | None, typer.Option("--size", metavar="PX", min=16, max=16384, help="Longer side of the picture.")] = None,
    options: StorageOptions = None,
) -> None:
    """Draw evenly spaced frames of one series, or one of them, as PNG."""
    if picture.suffix.lower() != ".png":
        raise typer.BadParameter(f"{picture} does not end in .png, and no other kind of picture is written", param_hint="PICTURE")
    array = open_series(scan_location(location, options), series_uid=series_uid, stack=stack)
    try:
        if frame is None:
            drawn = draw_montage(array, parse_window(window), columns=columns, size=size or MONTAGE_SIZE)
        else:
            drawn = draw_frame(array, frame, parse_window(window), size=size)
    except XDicomError:
        raise
    except ValueError as error:
        raise typer.BadParameter(printable(str(error))) from error
    picture.write_bytes(encode_png(drawn.pixels))
    height, width = drawn.pixels.shape[:2]
    typer.echo(f"{printable(str(picture))}: {drawn.shown} of {drawn.frames} frames, {width} x {height} pixels")
    if drawn.measured_window is not None:
        low, high = drawn.measured_window
        typer.echo(f"The file has no window: black is {low:.6g} and white {high:.6g}, measured on these frames. --window C,W sets another.")
