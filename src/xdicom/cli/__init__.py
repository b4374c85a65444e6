"""The command `xdicom`: what lies where, as a table, a Zarr store or a picture."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from xdicom.cli.dicom import write_series
from xdicom.cli.doctor import print_abilities, version_of
from xdicom.cli.images import write_image
from xdicom.cli.info import print_series
from xdicom.cli.preview import draw_picture
from xdicom.cli.references import write_references
from xdicom.cli.stores import compare_store, write_store
from xdicom.cli.terminal import printable
from xdicom.errors import MultipleSeriesError, XDicomError

__all__ = ["app"]


class Commands(TyperGroup):
    """Commands whose failures end as a message on stderr, not as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; it returns 1 for what could not be done, 2 for what has to be said more clearly."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of a pipe has left: nothing to tell
            raise
        except (XDicomError, OSError) as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"xdicom: {printable(str(error))}", err=True)
            if isinstance(error, MultipleSeriesError):
                typer.echo("On the command line: --series-uid UID chooses a series, --stack NAME one of its arrays.", err=True)
            raise typer.Exit(2 if isinstance(error, MultipleSeriesError) else 1) from None


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"xdicom {version_of('xdicom')}")
        raise typer.Exit


def main(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """DICOM series as arrays: see what lies where, draw it, write it as Zarr."""


# Local variables in a pretty traceback would show what a header says of a person.
app = typer.Typer(name="xdicom", cls=Commands, callback=main, no_args_is_help=True, pretty_exceptions_enable=False)
app.command("info")(print_series)
app.command("to-zarr")(write_store)
app.command("to-dicom")(write_series)
app.command("to-ome-zarr")(write_image)
app.command("to-virtual")(write_references)
app.command("verify")(compare_store)
app.command("preview")(draw_picture)
app.command("doctor")(print_abilities)
