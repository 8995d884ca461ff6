"""Time that a new process takes to import adi, show help or open a bundle, beside Python's own start."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from adi.errors import AdiError
from benchmarks.options import AsJson, Rounds
from benchmarks.report import Report, Row, announce, show
from benchmarks.timing import Task, Times, in_turns

PYTHON, HELP = "python -c pass", "adi --help"
PROCESSES = {
    PYTHON: ("-c", "pass"),
    "import adi": ("-c", "import adi"),
    HELP: ("-m", "adi.cli.main", "--help"),
    "adi serve --help": ("-m", "adi.cli.main", "serve", "--help"),
}
"""Arguments of Python for each row of the table."""

OPEN = "import pathlib, sys, adi; adi.Retriever(pathlib.Path(sys.argv[1]))"


def start(
    bundle: Annotated[
        Path | None, typer.Option(help="A bundle or run to open in a process.", show_default="none is opened")
    ] = None,
    rounds: Rounds = 10,
    as_json: AsJson = False,
) -> None:
    """Seconds from a new process's start to its end: importing adi, showing its help, opening a bundle.

    Example: [bold]python -m benchmarks start --bundle bundle[/]
    """
    if bundle is not None and not bundle.is_dir():
        raise AdiError(f"{bundle}: no such folder. 'adi export RUN --out {bundle}' writes a bundle.")
    opening = {} if bundle is None else {"open a bundle": ("-c", OPEN, str(bundle))}
    tasks = {name: _process(name, *arguments) for name, arguments in (PROCESSES | opening).items()}
    announce("starting processes")
    in_turns(tasks, rounds=1, calls=1)  # reads the files from disk, and compiles those that are not yet
    times = in_turns(tasks, rounds=rounds, calls=1)
    help_beside_python = times[HELP].percentile_ms(50) - times[PYTHON].percentile_ms(50)
    settings = {"bundle": None if bundle is None else str(bundle), "rounds": rounds}
    summary: Row = {"help_beside_python_s": round(help_beside_python / 1e3, 3)}
    show(Report("start", settings, [_row(name, times[name]) for name in tasks], summary), as_json)


def _process(name: str, *arguments: str) -> Task:
    """Runs Python with these arguments to its end; raises `AdiError` where it fails."""

    def run(call: int) -> None:
        process = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
        if process.returncode:
            lines = process.stderr.strip().splitlines() or ["it wrote nothing to standard error"]
            raise AdiError(f"the process '{name}' ended with {process.returncode}: {lines[-1]}")

    return run


def _row(name: str, times: Times) -> Row:
    least, most = times.spread_ms(50)
    return {
        "process": name,
        "seconds": round(times.percentile_ms(50) / 1e3, 3),
        "least": round(least / 1e3, 3),
        "most": round(most / 1e3, 3),
    }
