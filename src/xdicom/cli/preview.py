"""`xdicom preview`: a series as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdicom.api import open_series, open_slide
from xdicom.cli.arguments import Location, SeriesUid, Stack, StorageOptions, parse_window, scan_location
from xdicom.cli.terminal import printable
from xdicom.errors import XDicomError
from xdicom.index.slides import is_slide
from xdicom.labeled.montage import draw_frame, draw_montage
from xdicom.labeled.png import encode_png
from xdicom.labeled.slide_picture import draw_slide

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
    """Draw evenly spaced frames of one series, or one of them, as PNG; of a slide the whole of it and a field of its finest level."""
    if picture.suffix.lower() != ".png":
        raise typer.BadParameter(f"{picture} does not end in .png, and no other kind of picture is written", param_hint="PICTURE")
    catalog = scan_location(location, options)
    is_whole_slide = frame is None and stack is None and len(catalog.frames) > 0 and is_slide(catalog.pick(series_uid))
    try:
        if is_whole_slide:
            drawn = draw_slide(open_slide(catalog, series_uid=series_uid), parse_window(window), size=size or MONTAGE_SIZE)
        elif frame is None:
            array = open_series(catalog, series_uid=series_uid, stack=stack)
            drawn = draw_montage(array, parse_window(window), columns=columns, size=size or MONTAGE_SIZE)
        else:
            array = open_series(catalog, series_uid=series_uid, stack=stack)
            drawn = draw_frame(array, frame, parse_window(window), size=size)
    except XDicomError:
        raise
    except ValueError as error:
        raise typer.BadParameter(printable(str(error))) from error
    picture.write_bytes(encode_png(drawn.pixels))
    height, width = drawn.pixels.shape[:2]
    shown = f"{drawn.shown} of {drawn.frames} frames" if not is_whole_slide else "the whole slide and a field of its finest level"
    typer.echo(f"{printable(str(picture))}: {shown}, {width} x {height} pixels")
    if drawn.measured_window is not None:
        low, high = drawn.measured_window
        typer.echo(f"The file has no window: black is {low:.6g} and white {high:.6g}, measured on these frames. --window C,W sets another.")
