"""Peak of a process's memory that is not of files, which the kernel does not keep: looked at every few milliseconds."""

from threading import Event, Thread
from typing import Self

from benchmarks.process import status_bytes

FIELD = "RssAnon"
INTERVAL = 0.01
"""Seconds between two looks."""


class AnonymousPeak:
    """Within its context, `peak` is the most bytes of this process that were resident and not of files.

    None where there is no /proc. What comes and goes between two looks is missed.
    """

    def __init__(self) -> None:
        self.peak = status_bytes(FIELD)
        self._ends = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        if self.peak is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        if self.peak is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._ends.wait(INTERVAL):
            self.peak = max(self.peak or 0, status_bytes(FIELD) or 0)
