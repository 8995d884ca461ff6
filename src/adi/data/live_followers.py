"""The newest followers of items, in memory: co-clicks of a log that goes on."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from adi.data.arrays import Array
from adi.data.co_clicks import CoClicks, Pairs
from adi.data.decayed_sums import key_of
from adi.data.histories import Histories
from adi.data.manifest import CoClickInfo

FORGOTTEN_AFTER = 24
"""Longest half-lives after which a follower is dropped from memory: it weighs less than the rounding of one click."""


class LiveFollowers:
    """The followers in the window of each item, as `adi.data.co_clicks.CoClicks` reads them from a log on disk.

    Args:
        info: half-lives, window and least share.
    """

    def __init__(self, info: CoClickInfo) -> None:
        self.info = info
        self.half_lives = np.asarray(info.half_lives, dtype=np.float64)
        self._of: dict[int, tuple[Array, Array]] = {}  # items and times (n,), ascending by time, n <= window
        self._swept = -np.inf

    def set(self, sources: Array, offsets: Array, items: Array, times: Array, known: float) -> None:
        """Take over the followers of s sources: items and times (T,), separated by `offsets` (s + 1,)."""
        for number, source in enumerate(sources.tolist()):
            part = slice(offsets[number], offsets[number + 1])
            self._of[source] = items[part].astype(np.int32), times[part].astype(np.float64)
        self._sweep(known)

    def arrays(self) -> dict[str, Array]:
        """The arguments of `set` without `known`, by name."""
        items, times = (
            np.concatenate([pair[number] for pair in self._of.values()]) if self._of else np.empty(0)
            for number in (0, 1)
        )
        offsets = np.cumsum([0, *(len(items) for items, _ in self._of.values())])
        sources = np.fromiter(self._of, dtype=np.int64, count=len(self._of))
        return {"sources": sources, "offsets": offsets, "followers": items.astype(np.int32), "times": times}

    def add(self, pairs: Sequence[tuple[int, int, float]], known: float) -> None:
        """Add followers as (source, item, time), ascending by time; of each source the newest are kept."""
        by_source = sorted(pairs, key=itemgetter(0))
        for source, group in groupby(by_source, key=itemgetter(0)):
            _, new_items, new_times = zip(*group, strict=True)
            items, times = self._of.get(source, (np.empty(0, dtype=np.int32), np.empty(0)))
            in_order = not len(times) or new_times[0] >= times[-1]
            items, times = np.append(items, np.array(new_items, dtype=np.int32)), np.append(times, new_times)
            if not in_order:
                order = np.argsort(times, kind="stable")
                items, times = items[order], times[order]
            self._of[source] = items[-self.info.window :], times[-self.info.window :]
        if known - self._swept > self.half_lives.max():
            self._sweep(known)

    def at(self, histories: Histories, known: float, num_items: int) -> Pairs:
        """The co-clicks of n histories with the clicks before `known`; see `CoClicks.at`."""
        recent = histories.recent(self.info.last)
        sources = [source for source in np.unique(recent).tolist() if source in self._of]
        items, times = (
            np.concatenate([self._of[source][number] for source in sources]) if sources else np.empty(0, np.int64)
            for number in (0, 1)
        )
        ranks = np.arange(len(items))
        keys = key_of(np.repeat(sources, [len(self._of[source][0]) for source in sources]), ranks)
        window, least_share = self.info.window, self.info.least_share
        followers = CoClicks(keys, items.astype(np.int64), times, self.half_lives, window, least_share)
        num_queries = len(recent)
        return followers.at(recent, np.full(num_queries, len(items)), np.full(num_queries, known), num_items)

    def _sweep(self, known: float) -> None:
        """Drop the followers that have decayed."""
        oldest = known - FORGOTTEN_AFTER * self.half_lives.max()
        held = {
            source: (items, times, int(np.searchsorted(times, oldest))) for source, (items, times) in self._of.items()
        }
        self._of = {
            source: (items[start:], times[start:])
            for source, (items, times, start) in held.items()
            if start < len(items)
        }
        self._swept = known
