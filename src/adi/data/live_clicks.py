"""Clicks as they come: counts and co-clicks of items now, in memory that does not grow with the number of clicks."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np

from adi.data.arrays import Array
from adi.data.audiences import AudienceLog
from adi.data.clicks import ClickLog, Counts
from adi.data.co_clicks import Pairs, Windows, no_pairs
from adi.data.histories import Histories
from adi.data.last_clicks import Click, LastClicks, LastItems, nobody_clicked
from adi.data.live_audiences import AudienceSums, Clicker, LiveAudiences
from adi.data.live_followers import LiveFollowers
from adi.data.manifest import TrendInfo

FORGOTTEN = 1e-7
"""The decayed count, by the longest half-life, below which an item's counts are dropped from memory: the rounding of
one click in single precision. A click is forgotten after 23 half-lives."""


class LiveClicks:
    """The counters of a log that goes on: what `adi.data.clicks.ClickLog` knows of the same clicks, at the same moment.

    Clicks may come in any order. A click is counted once the time is `delay` later than its own; of clicks that come
    later than that, counts are exact, and co-clicks follow what the user clicked before the click came. Several threads
    may use it at once.

    Args:
        info: half-lives and delay.
        num_items, num_domains: of the dataset.
        last_items: of a user who has not clicked since the counters began.
        audiences: of items, where the model has them.
    """

    def __init__(
        self,
        info: TrendInfo,
        num_items: int,
        num_domains: int,
        last_items: LastItems = nobody_clicked,
        audiences: LiveAudiences | None = None,
    ) -> None:
        self.info, self.num_items, self.num_domains = info, num_items, num_domains
        self.half_lives = np.asarray(info.half_lives, dtype=np.float64)
        self.known = -np.inf
        """Clicks before this moment are counted."""
        self.newest = -np.inf
        """The time of the newest click, counted or not."""
        self.items = np.empty(0, dtype=np.int64)
        """The items whose counts are in memory (n,), ascending."""
        self._counts = np.empty((0, num_domains + 1, len(self.half_lives)))  # of the items, by domain and overall
        self._totals = np.zeros((num_domains + 1, len(self.half_lives)))
        self._first = np.full(num_items, np.inf)  # the time of each item's first click
        self._pending: list[Click] = []
        self._last_clicks = LastClicks(last_items)
        self._audiences = audiences
        self._followers = None if info.co_clicks is None else LiveFollowers(info.co_clicks)
        self._advancing = Lock()  # held while clicks are counted and their clickers encoded
        self._lock = Lock()  # held for short, to change or read what requests need

    @classmethod
    def of_log(cls, log: ClickLog, audiences: Sequence[AudienceLog] = ()) -> Self:
        """The counters at the end of a log; `audiences` are those of each domain's model, where models have them."""
        clicks = cls(log.info, log.num_items, log.num_domains)
        end = np.array([log.end])
        (known,), (rank,) = log.known_at(end)
        every_item = np.arange(log.num_items)
        overall = log.counts(0, every_item, end).overall[0]
        clicks.known, clicks.items = float(known), np.flatnonzero(overall[:, -1] >= FORGOTTEN)
        clicks._counts = np.empty((len(clicks.items), log.num_domains + 1, len(clicks.half_lives)))
        clicks._counts[:, -1] = overall[clicks.items]
        for domain in range(log.num_domains):
            counts = log.counts(domain, clicks.items, end)
            clicks._counts[:, domain] = counts.in_domain[0]
            clicks._totals[domain], clicks._totals[-1] = counts.domain_total[0], counts.overall_total[0]
        first, clicked = log.first(every_item)
        clicks._first = np.where(clicked & (first < known), first, np.inf)
        if clicks._followers is not None and log.followers is not None:
            clicks._followers.set(log.followers.windows(int(rank)), clicks.known)
        if audiences:
            clicks._audiences = LiveAudiences.of_logs(audiences, clicks.items)
        return clicks

    def add(self, clicks: Iterable[Click]) -> None:
        """Add clicks, which are counted from the moment on that is `delay` later than each."""
        with self._lock:
            before = len(self._pending)
            self._pending.extend(clicks)
            self.newest = max([self.newest, *(click.time for click in self._pending[before:])])

    def counts(self, domain: int, items: Array, moments: Array) -> Counts:
        """The counts of `items` (m,), ascending, in a domain at `moments` (g,), ascending; see `ClickLog.counts`.

        Raises `ValueError` for a moment before one of an earlier call.
        """
        parts = []
        with self._advancing:
            for moment in moments:
                self._advance(moment)
                with self._lock:
                    parts.append(self._counts_at(domain, items))
        in_domain, overall, domain_total, overall_total, age = (np.stack(part) for part in zip(*parts, strict=True))
        return Counts(in_domain, overall, domain_total, overall_total, age, self.num_items)

    def co_clicks(self, histories: Histories, moments: Array | None, items: Array) -> Pairs:
        """The co-clicks of n histories with `items` (m,), of the clicks counted so far; see `ClickLog.co_clicks`.

        With `moments` (n,), all clicks known at the latest of them are counted first; raises `ValueError` for a moment
        before one of an earlier call.
        """
        if moments is not None and len(moments):
            self.advance(float(moments.max()))
        with self._lock:
            if self._followers is None:
                return no_pairs(len(histories))
            return self._followers.at(histories, self.known, items)

    def audiences(self, domain: int, items: Array) -> Array | None:
        """The audiences of `items` (m,) in a domain (m, K, dim), of the clicks counted so far; None without any."""
        with self._advancing:
            return None if self._audiences is None else self._audiences.at(domain, items, self.known)

    def advance(self, moment: float) -> None:
        """Count the clicks that are known at a moment. Raises `ValueError` for one before that of an earlier call."""
        with self._advancing:
            self._advance(moment)

    def save(self, path: Path) -> None:
        """Write the counters to an ``.npz`` file; clicks that are not counted yet are left out."""
        with self._advancing, self._lock:
            clicked = np.flatnonzero(np.isfinite(self._first))
            arrays = {
                "known": np.array(self.known),
                "items": self.items,
                "counts": self._counts,
                "totals": self._totals,
                "clicked": clicked,
                "first": self._first[clicked],
            }
            if self._followers is not None:
                arrays |= _named("followers", self._followers.windows())
            if self._audiences is not None:
                arrays |= _named("audiences", self._audiences.sums)
        np.savez(path, allow_pickle=False, **arrays)

    def load(self, path: Path) -> None:
        """Read the counters that `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays, self._advancing, self._lock:
            self.known, self.items = float(arrays["known"]), arrays["items"]
            self.newest = max(self.newest, self.known - 1)
            self._counts, self._totals = arrays["counts"], arrays["totals"]
            self._first[arrays["clicked"]] = arrays["first"]
            if self._followers is not None:
                windows = Windows(*(arrays[f"followers_{name}"] for name in Windows._fields))
                self._followers.set(windows, self.known)
            if self._audiences is not None:
                self._audiences.sums = AudienceSums(*(arrays[f"audiences_{name}"] for name in AudienceSums._fields))

    def _counts_at(self, domain: int, items: Array) -> tuple[Array, ...]:
        """The arrays of `Counts` now, without the dimension of moments."""
        rows = np.searchsorted(self.items, items)
        rows[rows == len(self.items)] = 0
        held = self.items[rows] == items if len(self.items) else np.zeros(len(items), dtype=bool)
        counts = np.zeros((2, len(items), len(self.half_lives)), dtype=np.float32)
        for number, column in enumerate((domain, self.num_domains)):
            counts[number, held] = self._counts[rows[held], column]
        first = self._first[items]
        age = np.where(first < self.known, (self.known - first) / self.half_lives.min(), -1.0)
        totals = self._totals[[domain, self.num_domains]].astype(np.float32)
        return counts[0], counts[1], totals[0], totals[1], age

    def _advance(self, moment: float) -> None:
        known = float(moment) - self.info.delay
        if known < self.known:
            raise ValueError(f"moment {moment}: the clicks before {self.known + self.info.delay} are counted already")
        with self._lock:
            clicks, clickers = self._count_before(known)
        if clickers and self._audiences is not None:  # which encodes clickers, while requests read the counts
            items, times = (np.array([click[column] for click in clicks]) for column in (1, 3))
            self._audiences.add(items, times, clickers, known, kept=self.items)

    def _count_before(self, known: float) -> tuple[Sequence[Click], Sequence[Clicker]]:
        """Count the clicks before a moment that are not counted yet; returns them, and their clickers if needed."""
        if known > self.known:
            decay = np.exp2(-(known - self.known) / self.half_lives)
            self._counts *= decay
            self._totals *= decay
            self.known = known
        ready = sorted((click for click in self._pending if click.time < known), key=lambda click: click.time)
        if not ready:
            return [], []
        self._pending = [click for click in self._pending if click.time >= known]
        self._count(ready)
        if self._followers is None and self._audiences is None:
            return ready, []
        following = self._last_clicks.add(ready)
        if self._followers is not None:
            self._followers.add(following.pairs, known)
        return ready, following.clickers

    def _count(self, clicks: Sequence[Click]) -> None:
        """Count clicks, and forget the items whose clicks have decayed."""
        items, domains = (np.array([click[column] for click in clicks], dtype=np.int64) for column in (1, 2))
        times = np.array([click.time for click in clicks], dtype=np.float64)
        weights = np.exp2(-(self.known - times)[:, None] / self.half_lives)
        np.minimum.at(self._first, items, times)
        kept = self._counts[:, -1, -1] >= FORGOTTEN
        held = np.union1d(self.items[kept], items)
        counts = np.zeros((len(held), *self._counts.shape[1:]))
        counts[np.searchsorted(held, self.items[kept])] = self._counts[kept]
        rows = np.searchsorted(held, items)
        for columns in (domains, np.full_like(domains, self.num_domains)):
            np.add.at(counts, (rows, columns), weights)
            np.add.at(self._totals, columns, weights)
        self.items, self._counts = held, counts


def _named(prefix: str, arrays: Windows | AudienceSums) -> dict[str, Array]:
    """Arrays by the names under which `LiveClicks.save` writes them."""
    return {f"{prefix}_{name}": array for name, array in arrays._asdict().items()}
