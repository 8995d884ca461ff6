"""Where the time of a request goes: code says where a stage ends, and whoever wants to know runs a stopwatch."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter


class Stopwatch:
    """Seconds by stage, of one thread: what passes until a stage ends, since the one before has, is that stage's."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = self.since = perf_counter()

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self.since
        self.since = now


_running: ContextVar[Stopwatch | None] = ContextVar("running", default=None)


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """A stopwatch that the laps within are for. Where one runs already, it stands still meanwhile."""
    outer, watch = _running.get(), Stopwatch()
    before = _running.set(watch)
    try:
        yield watch
    finally:
        _running.reset(before)
        if outer is not None:
            outer.since += perf_counter() - watch.started


def lap(stage: str) -> None:
    """A stage ends here, or a part of one that has several. Costs next to nothing where no stopwatch runs."""
    watch = _running.get()
    if watch is not None:
        watch.lap(stage)
