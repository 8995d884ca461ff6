"""The cores of this machine, which the requests at work in this process share."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

from adi.machine import available_cores


class Cores:
    """A request at work alone gets all cores for its searches, several get equal parts, at least one each.

    So a request has its answer sooner where there is room, and a busy server does no worse than with one each.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._at_work = 0
        self._lock = Lock()
        self._thread = local()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The thread is at work on a request in the block; counted once, also where such blocks stand in each other."""
        if getattr(self._thread, "at_work", False):
            yield
            return
        self._thread.at_work = True
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)
            self._thread.at_work = False

    def share(self) -> int:
        """How many threads a search may use that begins now."""
        return max(1, self.count // max(1, self._at_work))

    def _add(self, more: int) -> None:
        with self._lock:
            self._at_work += more


CORES = Cores(available_cores())
"""Those of this process, whatever bundles it has open."""
