"""A new folder that several processes fill together."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adi.data.folder import new_folder
from adi.processes.group import Processes


@contextmanager
def shared_folder(out: Path, processes: Processes) -> Iterator[Path]:
    """Yield an empty folder to fill by all processes, which becomes `out` when the block ends everywhere without error.

    An error in the block must be raised in all processes (`Processes.agreeing`). Where a process was killed, the first
    removes the folder when torchrun ends the others. Raises as `adi.data.folder.new_folder`
    does, in all of them.
    """
    with ExitStack() as stack:
        if processes.several and processes.first:
            stack.enter_context(_exit_on_termination())
        with processes.agreeing():
            folder = stack.enter_context(new_folder(out)) if processes.first else None
        shared: Path = processes.objects(folder)[0]
        yield shared
        with processes.agreeing():
            stack.close()


@contextmanager
def _exit_on_termination() -> Iterator[None]:
    """Within the context, SIGTERM ends the process as an exception does, so that unfinished folders are removed."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
