"""The command line. Each command imports what it needs when it runs, so that help is there at once."""

import os
import sys
from typing import Annotated

import typer

from adi.cli import data, runs
from adi.errors import AdiError

app = typer.Typer(
    name="adi",
    help="Multi-domain retrieval: from the logs of several domains to each domain's top-K.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command()(data.init)
app.command()(data.simulate)
app.command()(data.dataset)
app.command()(data.prepare)
app.command()(runs.models)
app.command()(runs.train)
app.command()(runs.evaluate)
app.command()(runs.retrieve)
app.command()(runs.report)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("adi-retrieval"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Multi-domain retrieval: from the logs of several domains to each domain's top-K.

    A first run: [bold]adi simulate tables[/], [bold]adi prepare tables --out prepared[/],
    [bold]adi train prepared --model adi-se --out run[/], [bold]adi evaluate run[/],
    [bold]adi retrieve run --domain search --user u1[/].
    """


def main() -> None:
    """Run the command line; exit code 2 for a fault in what the user gave, 1 for any other."""
    try:
        app()
    except AdiError as error:
        print(f"adi: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("adi: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone, as in `adi models | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
