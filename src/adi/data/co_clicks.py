"""Co-clicks: the items that users clicked soon after an item, as a window of its newest followers."""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.data.decayed_sums import RANK_BITS, key_of
from adi.data.ranges import ranges

FOLLOWING = 4
"""A click follows each of its user's last clicks, this many."""

AGE_FACTOR = 0.8
"""The weight of an item of a history relative to the next newer one."""

SMOOTHING = 3.0
"""Clicks added to the followers of an item, so that a few of them are no large share."""


@dataclass(frozen=True)
class Pairs:
    """Values of single (query, item) pairs of n queries: `items` (P,), `values` (P, C), `offsets` (n + 1,) by query."""

    items: Array
    values: Array
    offsets: Array


def no_pairs(num_queries: int) -> Pairs:
    """The pairs of queries of which none has any."""
    none = np.empty(0, dtype=np.int64)
    return Pairs(none, np.empty((0, 0), dtype=np.float32), np.zeros(num_queries + 1, dtype=np.int64))


class CoClicks:
    """The followers of items at any moment.

    Args:
        keys: of the followers, ascending by source item and then by rank (n,) int64, see `key_of`.
        followers: the item of each follower (n,).
        times: of the clicks by rank.
        half_lives: (K,).
        window: how many of the newest followers of an item count.
        least_share: items with a smaller share among the followers of another do not count; most followers have one.
    """

    def __init__(
        self, keys: Array, followers: Array, times: Array, half_lives: Array, window: int, least_share: float
    ) -> None:
        self.keys, self.followers, self.times = keys, followers, times
        self.half_lives, self.window, self.least_share = half_lives, window, least_share

    def at(self, recent: Array, ranks: Array, moments: Array, num_items: int) -> Pairs:
        """Shares of co-clicks of n queries.

        ``values[:, :K]`` is the decayed share of an item among the followers of the query's last item, for each
        half-life; ``values[:, K:]`` the same of its earlier items, an older one weighing `AGE_FACTOR` times less.

        Args:
            recent: the last items of each history, newest last, -1 where it has fewer (n, L).
            ranks: the number of clicks of the log strictly before each moment (n,).
            moments: (n,).
        """
        num_queries, length = recent.shape
        sources, source_query, source_of = self._distinct(recent, ranks)
        source_offsets, source_items, shares = self._shares(
            sources, ranks[source_query], moments[source_query], num_items
        )
        query, column = np.nonzero(source_of >= 0)
        source = source_of[query, column]
        entries, offsets = ranges(source_offsets[source], source_offsets[source + 1])
        from_last = np.repeat(length - 1 - column, np.diff(offsets))  # 0 for the last item
        weights = np.stack([from_last == 0, (from_last > 0) * AGE_FACTOR ** (from_last - 1.0)], axis=1)  # (T, 2)
        values = (weights[:, :, None] * shares[entries][:, None]).reshape(len(entries), 2 * len(self.half_lives))
        cells, sums = sums_by_cell(np.repeat(query, np.diff(offsets)) * num_items + source_items[entries], values)
        rows, items = np.divmod(cells, num_items)
        return Pairs(items, sums.astype(np.float32), np.searchsorted(rows, np.arange(num_queries + 1)))

    def newest(self, rank: int) -> tuple[Array, Array, Array, Array]:
        """The followers in the window of every source before a rank.

        Returns the sources (s,), offsets (s + 1,) that separate their followers, and items and times of these (T,),
        those of a source ascending by time.
        """
        sources = np.unique(self.keys >> RANK_BITS)
        end = np.searchsorted(self.keys, key_of(sources, np.full_like(sources, rank)))
        begin = np.maximum(np.searchsorted(self.keys, key_of(sources, np.zeros_like(sources))), end - self.window)
        positions, offsets = ranges(begin, end)
        return sources, offsets, self.followers[positions], self.times[self.keys[positions] & ((1 << RANK_BITS) - 1)]

    def _distinct(self, recent: Array, ranks: Array) -> tuple[Array, Array, Array]:
        """Distinct (item, rank) of all histories: the items (s,), a query that has each (s,), and the numbers (n, L).

        A number is the position of an item of a history among the distinct ones, -1 where the history is shorter.
        """
        held = recent >= 0
        query = np.nonzero(held)[0]
        keys, first, inverse = np.unique(key_of(recent[held], ranks[query]), return_index=True, return_inverse=True)
        numbers = np.full(recent.shape, -1)
        numbers[held] = inverse
        return keys >> RANK_BITS, query[first], numbers

    def _shares(self, sources: Array, ranks: Array, moments: Array, num_items: int) -> tuple[Array, Array, Array]:
        """The followers of each of s sources at its moment: offsets (s + 1,), items (T,) and their shares (T, K).

        Followers whose shares are all below `least_share` are left out.
        """
        end = np.searchsorted(self.keys, key_of(sources, ranks))
        begin = np.maximum(np.searchsorted(self.keys, key_of(sources, np.zeros_like(sources))), end - self.window)
        positions, offsets = ranges(begin, end)
        source = np.repeat(np.arange(len(sources)), np.diff(offsets))
        times = self.times[self.keys[positions] & ((1 << RANK_BITS) - 1)]
        ages = ((moments[source] - times)[:, None] / self.half_lives).astype(np.float32)
        cells, sums = sums_by_cell(source * num_items + self.followers[positions], np.exp2(-ages))
        source, items = np.divmod(cells, num_items)
        totals = np.stack([np.bincount(source, column, len(sources)) for column in sums.T], axis=1)
        shares = sums / (totals[source] + SMOOTHING)
        kept = shares.max(axis=1, initial=0.0) >= self.least_share
        return np.searchsorted(source[kept], np.arange(len(sources) + 1)), items[kept], shares[kept]


def sums_by_cell(cells: Array, values: Array) -> tuple[Array, Array]:
    """Sums of values (T, C) by cell (T,): the distinct cells, ascending, and the sum of each (c, C)."""
    if not len(cells):
        return cells, values
    order = np.argsort(cells)
    ordered = cells[order]
    first = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[first], np.add.reduceat(values[order], first, axis=0)
