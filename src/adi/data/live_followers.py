"""The newest followers of items, in memory: co-clicks of a log that goes on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np

from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.co_clicks import Pairs, Windows, followers_of, no_pairs, num_pair_values, pairs_of
from adi.data.histories import Histories
from adi.data.manifest import CoClickInfo

FORGOTTEN_AFTER = 24
"""Longest half-lives after its newest follower until a source is dropped from memory: it weighs less than the rounding
of one click."""


@dataclass
class Window:
    """The followers of one source that are in its window; each once, at its newest click.

    Attributes:
        items: (n,) int32.
        numbers: how many clicks had followed the source before (n,).
        times: (n,).
        counts: decayed counts at these times (n, K).
        clicks: how many clicks have followed the source.
        time: of the newest click.
        totals: decayed counts of the source at that time (K,).
    """

    items: Array
    numbers: Array
    times: Array
    counts: Array
    clicks: int
    time: float
    totals: Array

    @property
    def distances(self) -> Array:
        """Number of clicks after the source from each follower's newest click on, itself included (n,)."""
        return self.clicks - self.numbers

    @classmethod
    def empty(cls, num_half_lives: int) -> "Window":
        """The window of a source that nothing has followed."""
        none = np.empty(0)
        counts = np.empty((0, num_half_lives), dtype=np.float32)
        return cls(none.astype(np.int32), none.astype(np.int64), none, counts, 0, 0.0, np.zeros(num_half_lives))

    def add(self, clicks: Iterable[tuple[int, float]], half_lives: Array, window: int) -> None:
        """Add clicks (item, time). One that is older than what is counted already counts with its own age."""
        for item, time in clicks:
            later = max(time, self.time)
            self.totals = self.totals * np.exp2(-(later - self.time) / half_lives) + np.exp2(
                -(later - time) / half_lives
            )
            self.time = later
            (found,) = np.nonzero(self.items == item)
            if len(found):
                slot = found[0]
                newest = max(time, self.times[slot])
                is_inside = self.clicks - self.numbers[slot] <= window
                earlier = self.counts[slot] * np.exp2(-(newest - self.times[slot]) / half_lives) if is_inside else 0.0
                self.counts[slot] = earlier + np.exp2(-(newest - time) / half_lives)
                self.times[slot], self.numbers[slot] = newest, self.clicks
            else:
                self.items, self.numbers = np.append(self.items, np.int32(item)), np.append(self.numbers, self.clicks)
                self.times = np.append(self.times, time)
                self.counts = np.concatenate([self.counts, np.ones((1, len(half_lives)), dtype=np.float32)])
            self.clicks += 1
        inside = self.distances <= window
        if not inside.all():
            self.items, self.numbers = self.items[inside], self.numbers[inside]
            self.times, self.counts = self.times[inside], self.counts[inside]


class LiveFollowers:
    """The followers in the window of each item, as `adi.data.co_clicks.CoClicks` reads them from a log on disk.

    Args:
        info: half-lives, window and least share.
    """

    def __init__(self, info: CoClickInfo) -> None:
        self.info = info
        self.half_lives = np.asarray(info.half_lives, dtype=np.float64)
        self._of: dict[int, Window] = {}
        self._swept = -np.inf

    def set(self, windows: Windows, known: float) -> None:
        """Take over the followers of sources."""
        for number, source in enumerate(windows.sources.tolist()):
            part = slice(windows.offsets[number], windows.offsets[number + 1])
            self._of[source] = Window(
                items=windows.items[part].astype(np.int32),
                numbers=-windows.distances[part].astype(np.int64),
                times=windows.times[part].astype(np.float64),
                counts=windows.counts[part].astype(np.float32),
                clicks=0,
                time=float(windows.newest[number]),
                totals=windows.totals[number].astype(np.float64),
            )
        self._sweep(known)

    def windows(self) -> Windows:
        """The followers of all sources."""
        held, lives = list(self._of.values()), len(self.half_lives)
        return Windows(
            sources=np.fromiter(self._of, dtype=np.int64, count=len(self._of)),
            offsets=np.cumsum([0, *(len(window.items) for window in held)]),
            items=np.concatenate([np.empty(0, dtype=np.int32), *(window.items for window in held)]),
            distances=np.concatenate([np.empty(0, dtype=np.int64), *(window.distances for window in held)]),
            times=np.concatenate([np.empty(0), *(window.times for window in held)]),
            counts=np.concatenate([np.empty((0, lives), np.float32), *(window.counts for window in held)]),
            newest=np.array([window.time for window in held]),
            totals=np.array([window.totals for window in held]).reshape(-1, lives),
        )

    def add(self, pairs: Sequence[tuple[int, int, float]], known: float) -> None:
        """Add followers as (source, item, time), ascending by time."""
        by_source = sorted(pairs, key=itemgetter(0))
        for source, group in groupby(by_source, key=itemgetter(0)):
            if source not in self._of:
                self._of[source] = Window.empty(len(self.half_lives))
            self._of[source].add([(item, time) for _, item, time in group], self.half_lives, self.info.window)
        if known - self._swept > self.half_lives.max():
            self._sweep(known)

    def at(self, histories: Histories, known: float, items: Array) -> Pairs:
        """The co-clicks of n histories with `items` (m,), of the clicks before `known`; see `CoClicks.at`."""
        recent = histories.recent(self.info.last)
        sources = [source for source in np.unique(recent).tolist() if source in self._of]
        numbers = columns_of(recent.ravel(), np.array(sources, dtype=np.int64)).reshape(recent.shape)
        held = [self._of[source] for source in sources]
        if not held:
            return no_pairs(len(recent), num_pair_values(len(self.half_lives)))
        source = np.repeat(np.arange(len(held)), [len(window.items) for window in held])
        held_items, times = (np.concatenate([getattr(window, name) for window in held]) for name in ("items", "times"))
        columns = columns_of(held_items, items)
        among = np.flatnonzero(columns >= 0)
        ages = ((known - times[among])[:, None] / self.half_lives).astype(np.float32)
        counts = np.concatenate([window.counts for window in held])[among] * np.exp2(-ages)
        decays = np.exp2(-(known - np.array([window.time for window in held]))[:, None] / self.half_lives)
        totals = (np.array([window.totals for window in held]) * decays).astype(np.float32)
        followers = followers_of(source[among], columns[among], counts, totals, self.info.least_share)
        return pairs_of(numbers, followers)

    def _sweep(self, known: float) -> None:
        """Drop the sources whose followers have decayed."""
        oldest = known - FORGOTTEN_AFTER * self.half_lives.max()
        self._of = {source: window for source, window in self._of.items() if window.time >= oldest}
        self._swept = known
