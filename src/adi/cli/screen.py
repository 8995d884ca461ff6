"""Standard output and standard error of the commands."""

import os
from typing import NoReturn

from rich.console import Console

from adi.cli.exit_codes import BROKEN_PIPE


class Screen(Console):
    """A console that prints text verbatim, since ids may contain what rich takes for markup or an emoji."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not stderr)

    def on_broken_pipe(self) -> NoReturn:
        """Exit without a message, as for ``adi models | head -1``."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())  # for output that is flushed at exit
        raise SystemExit(BROKEN_PIPE)


OUT = Screen()
ERR = Screen(stderr=True)
