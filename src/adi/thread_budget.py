"""The thread budget: this machine's cores, divided among the requests that are being answered in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, local

from adi.machine import available_cores


class ThreadBudget:
    """Gives a single active request all cores for its searches, and several equal shares of at least one.

    A request is answered sooner on an idle server, and a busy one does no worse than with one thread per request.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._active = 0
        self._lock = Lock()
        self._thread = local()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Mark this thread as answering a request; in nested blocks it counts once."""
        if getattr(self._thread, "active", False):
            yield
            return
        self._thread.active = True
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)
            self._thread.active = False

    def share(self) -> int:
        """Return the number of threads for a search that starts now."""
        return max(1, self.cores // max(1, self._active))

    def _add(self, count: int) -> None:
        with self._lock:
            self._active += count


THREAD_BUDGET = ThreadBudget(available_cores())
"""The budget of this process, shared by all bundles it has open."""
