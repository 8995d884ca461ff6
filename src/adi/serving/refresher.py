"""The thread that keeps the counters of a service's bundles up to date."""

import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

from adi.serving.service import Service

SECONDS = 1.0
"""Seconds between two refreshes: a click is in lists at most this long after it is known."""


class Refresher:
    """Refreshes the trends of a service every `SECONDS` in a thread of its own; a context manager.

    A failure is reported, and tried again.
    """

    def __init__(self, service: Service, report: Callable[[str], None], *, seconds: float = SECONDS) -> None:
        self.service, self.report, self.seconds = service, report, seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self.seconds):
            try:
                self.service.refresh_trends()
            except Exception:  # any failure, since a thread that ended would leave the trends as they are for ever
                self.report(f"Trends could not be refreshed: {traceback.format_exc()}")
