"""A new folder that several processes fill together."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from adi.data.folder import new_folder
from adi.processes.group import Processes


@contextmanager
def shared_folder(out: Path, processes: Processes) -> Iterator[Path]:
    """Yield an empty folder to fill by all processes, which becomes `out` when the block ends everywhere without error.

    An error in the block must be raised in all processes (`Processes.agreeing`). Where a process was killed,
    the folder is removed when torchrun ends the others, since SIGTERM is an exception in the command line. Raises as
    `adi.data.folder.new_folder` does, in all of them.
    """
    with ExitStack() as stack:
        with processes.agreeing():
            folder = stack.enter_context(new_folder(out)) if processes.first else None
        shared: Path = processes.objects(folder)[0]
        yield shared
        with processes.agreeing():
            stack.close()
