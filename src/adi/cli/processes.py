"""Commands that several processes run together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from adi.cli.log import LOG
from adi.machine import torchrun


def in_processes(count: int, *, run: Path | None = None) -> bool:
    """Run this command in several processes of this machine, if `count` is above 1 and it is not one of them already.

    Returns whether it has done so; ends with the exit code of the processes where that is not 0.

    Args:
        run: the folder of a run, which processes go on with when one of them was killed.
    """
    if count == 1 or torchrun() is not None:
        return False
    from adi.processes.launch import launch
    from adi.runs.info import FILE

    command = sys.argv[1:]

    def again() -> list[str] | None:
        return [*command, "--resume"] if run is not None and (run / FILE).exists() else None

    with told_to_resume(run):
        code = launch(count, command, again, lambda message: LOG.message(message, level="warning"))
    if code:
        raise typer.Exit(code)
    return True


@contextmanager
def told_to_resume(run: Path | None) -> Iterator[None]:
    """Tell the user, after Ctrl-C, how a run goes on; of several processes, the one that started them does."""
    try:
        yield
    except KeyboardInterrupt:
        if run is not None and torchrun() is None:
            LOG.message(f"{run}: not finished; the same command with --resume goes on.", level="error")
        raise


def is_first() -> bool:
    """Whether this process, of several that run the command together, is the one that talks to the user."""
    process = torchrun()
    return process is None or process.rank == 0
