"""The command line of the benchmarks: ``python -m benchmarks COMMAND``, from the root of a checkout."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NoReturn

import typer

from adi.cli.command import Command
from adi.errors import AdiError
from adi.machine import yield_cores

COMMANDS = {
    "train": "training.train",
    "domains": "training.steps",
    "tables": "training.steps",
    "scale": "training.scale",
    "plan": "training.plan",
    "loss": "loss",
    "prepare": "preparation.prepare",
    "loader": "loader",
    "live-steps": "training.live_steps",
    "health": "training.health",
    "evaluate": "evaluate",
    "export": "export",
    "serve": "serving.serve",
    "trends": "serving.trends",
    "swaps": "serving.swaps",
    "overload": "serving.overload",
    "start": "start",
    "portfolio": "portfolio.portfolio",
    "rules": "portfolio.rules",
    "abtest": "abtest.abtest",
    "bids": "abtest.bids",
    "offpolicy": "abtest.offpolicy",
}
"""The module of each command; the function in it has the command's name, with _ for -."""


def about() -> None:
    """Measure adi beside other libraries and lower bounds.

    Example: [bold]python -m benchmarks serve --folder market[/]
    """


def command_line(names: Iterable[str]) -> typer.Typer:
    """An app with the commands of these names. Only their modules are imported."""
    app = typer.Typer(
        no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode="rich"
    )
    app.callback()(about)
    for name in names:
        app.command(name, cls=Command)(getattr(import_module(f"benchmarks.{COMMANDS[name]}"), name.replace("-", "_")))
    return app


def main(arguments: Sequence[str]) -> None:
    """Run a command. The exit code is 2 for a mistake in the arguments, 1 for any other error."""
    yield_cores()
    # Other commands' modules are not imported, for they would take memory and threads from what is measured.
    names = arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS
    try:
        command_line(names)(arguments, prog_name="python -m benchmarks")
    except AdiError as error:
        _stop(str(error))
    except OSError as error:
        if error.filename is None:  # not about a file that the user named
            raise
        _stop(f"{error.filename}: {error.strerror}.")


def _stop(message: str) -> NoReturn:
    print(f"benchmarks: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
