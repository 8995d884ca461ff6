"""The feed of a bundle's counters: clicks from the event store and from files, checked and counted every second."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from time import monotonic, time
from typing import Protocol

from adi.bundle.trends import Trends
from adi.data.dataset import Dataset
from adi.data.last_clicks import Click
from adi.serving.click_context import ClickContext
from adi.serving.events import EventStore, EventStoreError, StoredClick
from adi.serving.metrics import Metrics

AHEAD = 60.0
"""Seconds by which a click may be ahead of this server's clock. It is counted once the clock is there; clicks further
ahead are ignored."""

REMEMBERED = 1 << 17
"""The latest clicks among which a duplicate is found: a click of the same user, item, domain and time."""

GRACE = 30.0
"""Seconds for which the counters are used after a source of clicks has stopped answering."""

Clock = Callable[[], float]


class ClickSource(Protocol):
    """A source of clicks."""

    def read(self) -> Sequence[StoredClick]:
        """The clicks that came since the last call, or some of them; none when all are read.

        Raises `EventStoreError` if the source does not answer.
        """
        ...


class StoreClicks:
    """The clicks of an event store, from its first on."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._position: str | None = None

    def read(self) -> Sequence[StoredClick]:
        """See `ClickSource.read`."""
        clicks = self.store.clicks(self._position)
        if clicks:
            self._position = clicks[-1].position
        return clicks


def clock_of(dataset: Dataset, trends: Trends) -> Clock:
    """The time now, in the unit of a log: that of the system for timestamps, else one at which all clicks are known."""
    if dataset.manifest.time == "timestamp":
        return lambda: time() * 1e6
    return lambda: trends.clicks.newest + trends.clicks.info.delay + 1


class ClickFeed:
    """Feeds the counters of one bundle. One thread calls `refresh`.

    Args:
        sources: of clicks; those before the end of the bundle's log are in its counters already.
        clock: the time now; by default `clock_of` the log.
        report: called with a message when clicks are ignored, when context values cannot be read, and when a source
            stops answering or answers again.
    """

    def __init__(
        self,
        dataset: Dataset,
        trends: Trends,
        sources: Sequence[ClickSource],
        metrics: Metrics,
        arm: str | None,
        *,
        clock: Clock | None = None,
        report: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.dataset, self.trends, self.sources, self.metrics = dataset, trends, sources, metrics
        self.arm, self.report = arm or "", report
        self.clock = clock or clock_of(dataset, trends)
        self._ahead = AHEAD * 1e6 if dataset.manifest.time == "timestamp" else float("inf")
        self._recent: OrderedDict[tuple[str, int, int, float], None] = OrderedDict()
        self._context = ClickContext(dataset, dataset.manifest.side("context") if trends.reads_context else ())
        self._complete_at = monotonic()

    def refresh(self) -> None:
        """Count new clicks, and bring the trending items of each domain up to date."""
        ignored: Counter[str] = Counter()
        try:
            for source in self.sources:
                while stored := source.read():
                    self.trends.clicks.add(self._accepted(stored, ignored))
        except EventStoreError:  # which the store reports
            pass
        else:
            self._complete_at = monotonic()
        age = monotonic() - self._complete_at
        self.trends.refresh(self.clock())
        was, self.trends.available = self.trends.available, age <= GRACE
        if self.trends.available != was:
            self.report("Lists have trends again." if self.trends.available else "Lists come without trends.")
        self.metrics.trends_age.labels(self.arm).set(age)
        for reason, number in ignored.items():
            self.metrics.clicks_ignored.labels(self.arm, reason).inc(number)
        if shown := {reason: number for reason, number in ignored.items() if reason != "old"}:
            self.report(f"Counters ignored clicks: {_listed(shown)}.")
        if unread := self._context.unread:
            self.report(f"Counters took context values that are not numbers as missing: {_listed(unread)}.")
            unread.clear()

    def _accepted(self, stored: Sequence[StoredClick], ignored: Counter[str]) -> list[Click]:
        """The clicks to count; adds the others to `ignored`, by reason."""
        domains = {name: number for number, name in enumerate(self.dataset.domains)}
        latest, accepted = self.clock() + self._ahead, []
        for _, user, item_id, domain_name, moment, context in stored:
            item, domain = self.dataset.items.find(item_id), domains.get(domain_name)
            if not isfinite(moment):
                ignored["malformed"] += 1
            elif moment < self.trends.start:
                ignored["old"] += 1
            elif item is None or domain is None:
                ignored["unknown"] += 1
            elif moment > latest:
                ignored["future"] += 1
            elif (click := (user, item, domain, moment)) in self._recent:
                ignored["duplicate"] += 1
            else:
                self._recent[click] = None
                accepted.append(Click(*click, self._context.codes(context)))
        while len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        self.metrics.clicks.labels(self.arm).inc(len(accepted))
        return accepted


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items())
