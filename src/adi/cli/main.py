"""The command line. Each command imports what it needs when it runs, so that help appears at once."""

import errno
import re
import sys
from typing import Annotated, NoReturn

import typer

from adi.cli import backtest, bundle, compare, data, reproduce, route, runs, serve, tune, verify
from adi.cli.command import Command
from adi.errors import AdiError
from adi.machine import torchrun, yield_cores

INTERRUPTED = 130

FAULTS_OF_PATHS = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
"""Errors of the system about a path that the user named: missing, not allowed, full."""

LOST = r"gloo|pair closure|Connection (closed|reset)|[Tt]imed out"
"""Words of PyTorch's errors when another process has ended or does not answer."""

app = typer.Typer(
    name="adi",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
app.command(cls=Command)(data.init)
app.command(cls=Command)(data.simulate)
app.command(cls=Command)(data.dataset)
app.command(cls=Command)(data.prepare)
app.command(cls=Command)(runs.models)
app.command(cls=Command)(runs.train)
app.command(cls=Command)(tune.tune)
app.command(cls=Command)(runs.evaluate)
app.command(cls=Command)(compare.compare)
app.command(cls=Command)(backtest.backtest)
app.command(cls=Command)(bundle.export)
app.command(cls=Command)(bundle.retrieve)
app.command(cls=Command)(bundle.retrieve_all)
app.command(cls=Command)(serve.serve)
app.command(cls=Command)(serve.rollback)
app.command(cls=Command)(route.route)
app.command(cls=Command)(verify.verify)
app.command(cls=Command)(runs.report)
app.command(cls=Command)(reproduce.reproduce)


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
    [bold]adi retrieve run --domain search --user 1[/].
    """


def main() -> None:
    """Run the command line.

    Exit codes: 2 for an error in what the user gave, 1 for any other, 130 for Ctrl-C, 3 for a failed gate of compare.
    """
    yield_cores()
    try:
        app()
    except AdiError as error:
        _stop(str(error))
    except OSError as error:
        if error.errno not in FAULTS_OF_PATHS:
            raise
        _stop(f"{error.filename or 'writing'}: {error.strerror}.")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer prints nothing
            _stop("interrupted", INTERRUPTED)
        raise
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # what DuckDB makes of a Ctrl-C
            _stop("interrupted", INTERRUPTED)
        if torchrun() is None or not re.search(LOST, str(error)):
            raise
        _stop(f"another process has ended, or does not answer: {_reason(error)}", 1)


def _reason(error: RuntimeError) -> str:
    """The message of gloo without its place in the code and its advice."""
    return re.sub(r"^\[[^]]*\] ", "", str(error)).partition(". ")[0]


def _stop(message: str, code: int = 2) -> NoReturn:
    """End with a message; of several processes, whose errors are the same, the first has it.

    Who started them is interrupted, too, and says so.
    """
    process = torchrun()
    if process is None or (process.rank == 0 and code != INTERRUPTED):
        print(f"adi: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
