"""Timing of a request by stage: `lap` marks the end of a stage, and a caller collects them in a `stopwatch`."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter


class Stopwatch:
    """Seconds by stage, of one thread. The time since the previous lap belongs to the stage that ends."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = self.last_lap = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.last_lap
        self.last_lap = now


_running: ContextVar[Stopwatch | None] = ContextVar("running", default=None)


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Yield a stopwatch for the laps within the block. One that is running already pauses meanwhile."""
    outer, watch = _running.get(), Stopwatch()
    token = _running.set(watch)
    try:
        yield watch
    finally:
        _running.reset(token)
        if outer is not None:
            outer.last_lap += perf_counter() - watch.started


def lap(stage: str) -> None:
    """End a stage, or a part of one that has several. Almost free where no stopwatch is running."""
    watch = _running.get()
    if watch is not None:
        watch.lap(stage)
