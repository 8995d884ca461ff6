"""The command line. Each command imports what it needs when it runs, so that help appears at once."""

import errno
import os
import re
import signal
import sys
from typing import Annotated, NoReturn

import typer

from adi.cli import abtest, backtest, bundle, compare, data, quickstart, reproduce, route, runs, serve, tune, verify
from adi.cli.command import Command, Commands, with_log_options
from adi.cli.exit_codes import FAILED, INPUT, INTERRUPTED
from adi.cli.interrupts import SIGNALS, Interrupt
from adi.cli.log import LOG
from adi.cli.missing import remedy
from adi.errors import AdiError
from adi.machine import torchrun, yield_cores

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

PATIENCE = 10.0
"""Seconds that one of several processes takes to end after a signal: it may wait for another, which has ended."""

LOST = r"gloo|pair closure|Connection (closed|reset)|[Tt]imed out"
"""Words of PyTorch's errors when another process has ended or does not answer."""

app = typer.Typer(
    name="adi",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for function in (
    quickstart.quickstart,
    data.init,
    data.simulate,
    data.dataset,
    data.prepare,
    runs.models,
    runs.train,
    tune.tune,
    runs.evaluate,
    compare.compare,
    backtest.backtest,
    bundle.export,
    bundle.retrieve,
    bundle.retrieve_all,
    serve.serve,
    serve.rollback,
    route.route,
    verify.verify,
    runs.report,
    reproduce.reproduce,
):
    app.command(cls=Command)(with_log_options(function))
app.add_typer(abtest.abtest, name="abtest")


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

    With your tables: [bold]adi quickstart clicks.csv users.csv[/].

    A first run, step by step: [bold]adi simulate tables[/], [bold]adi prepare tables --out prepared[/],
    [bold]adi train prepared --model adi-se --out run[/], [bold]adi evaluate run[/],
    [bold]adi retrieve run --domain search --user 1[/].
    """


def main() -> None:
    """Run the command line; `adi.cli.exit_codes` has its exit codes."""
    with LOG.running(os.environ):
        _run()


def _run() -> None:
    yield_cores()
    interrupt = Interrupt(None if torchrun() is None else PATIENCE)
    try:
        with interrupt:
            app()
    except BaseException as error:
        if interrupt.number is None:  # else it is what a library made of the interrupt
            _explain(error)
            raise
    if interrupt.number is not None:
        _stop(SIGNALS[signal.Signals(interrupt.number)], 128 + interrupt.number)


def _explain(error: BaseException) -> None:
    """End with a message for an error that needs no traceback."""
    match error:
        case AdiError():
            _stop(str(error))
        case ModuleNotFoundError() if advice := remedy(error.name or ""):
            _stop(advice)
        case OSError() if error.errno in FAULTS_OF_PATHS:
            _stop(f"{error.filename or 'writing'}: {error.strerror}.")
        case SystemExit() if error.code == INTERRUPTED:  # Typer prints nothing
            _stop("interrupted", INTERRUPTED)
        case RuntimeError() if str(error) == "Query interrupted":  # what DuckDB makes of a Ctrl-C
            _stop("interrupted", INTERRUPTED)
        case RuntimeError() if torchrun() is not None and re.search(LOST, str(error)):
            _stop(f"another process has ended, or does not answer: {_reason(error)}", FAILED)


def _reason(error: RuntimeError) -> str:
    """The message of gloo without its place in the code and its advice."""
    return re.sub(r"^\[[^]]*\] ", "", str(error)).partition(". ")[0]


def _stop(message: str, code: int = INPUT) -> NoReturn:
    """End with a message; of several processes, whose errors are the same, the first has it.

    Who started them gets the same signal, and says so. The end of Python would wait for the other processes.
    """
    process = torchrun()
    if process is not None and code >= 128:
        os._exit(code)
    if process is None or process.rank == 0:
        LOG.error(message, code)
    sys.exit(code)


if __name__ == "__main__":
    main()
