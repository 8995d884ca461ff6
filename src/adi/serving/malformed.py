"""Stored entries that are no events, since others may write to the store: each is skipped, counted and named once."""

from collections.abc import Callable
from threading import Lock

from adi.serving.metrics import Metrics

MOST_NAMED = 1000
"""Entries that are named; further ones are counted alone."""


class MalformedEvents:
    """Counts entries that are no events whenever they are read, and reports the name of each once."""

    def __init__(self, metrics: Metrics, report: Callable[[str], None]) -> None:
        self._metrics, self._report = metrics, report
        self._named: set[str] = set()
        self._lock = Lock()

    def __call__(self, name: str) -> None:
        self._metrics.events_malformed.inc()
        with self._lock:
            if name in self._named or len(self._named) >= MOST_NAMED:
                return
            self._named.add(name)
        self._report(f"{name} is not an event and was skipped. Remove it; an event is an item and a domain.")
