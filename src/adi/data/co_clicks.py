"""Co-clicks: the items that users clicked soon after an item, from the newest clicks that followed it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from adi.columns import columns_of
from adi.data.arrays import Array
from adi.data.decayed_sums import RANK_BITS, DecayedSums, key_of
from adi.data.ranges import ranges

FOLLOWING = 4
"""A click follows each of its user's last clicks, this many."""

AGE_FACTOR = 0.8
"""The weight of an item of a history relative to the next newer one."""

SMOOTHING = 3.0
"""Clicks added to the followers of an item, so that a few of them are no large share."""

THOUSAND = np.float32(1000.0)

FEW = 1 << 14
"""Up to this many terms, such as those of one query, sorting and adding is faster than building sparse matrices."""

NEVER = np.iinfo(np.uint32).max
"""The rank of the next click on an item that is not clicked again."""


@dataclass(frozen=True)
class Pairs:
    """Values of single pairs of a query and one of the items that were asked for.

    Attributes:
        columns: the position of each pair's item among the items (P,), ascending for each query.
        values: (P, C).
        offsets: the pairs of query i are ``offsets[i]:offsets[i + 1]`` (n + 1,).
    """

    columns: Array
    values: Array
    offsets: Array

    @property
    def rows(self) -> Array:
        """The query of each pair (P,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def num_pair_values(num_half_lives: int) -> int:
    """The number C of values of a pair (`pairs_of`); 0 where co-clicks are not counted."""
    return 2 * (num_half_lives + 1) if num_half_lives else 0


def no_pairs(num_queries: int, num_values: int = 0) -> Pairs:
    """The pairs of queries of which none has any."""
    none = np.empty(0, dtype=np.int64)
    return Pairs(none, np.empty((0, num_values), dtype=np.float32), np.zeros(num_queries + 1, dtype=np.int64))


class Followers(NamedTuple):
    """The followers of s sources among some items: ``offsets[i]:offsets[i + 1]`` are those of source i.

    `columns` (T,) are their positions among the items. `values` (T, K + 1) are their shares of the source's co-clicks
    for each half-life, and their decayed count by the longest, in thousands: how much a share is worth.
    """

    offsets: Array
    columns: Array
    values: Array


class Windows(NamedTuple):
    """The followers of s sources that are in their windows; each follower once, at its newest click.

    Attributes:
        sources: (s,).
        offsets: the followers of source i are ``offsets[i]:offsets[i + 1]`` (s + 1,).
        items: of the followers (T,).
        distances: how many clicks have followed the source from each follower's newest on, itself included (T,).
        times: of these clicks (T,).
        counts: decayed counts of source and follower at these times (T, K).
        newest: the time of each source's newest follower (s,).
        totals: decayed counts of the sources at that time (s, K).
    """

    sources: Array
    offsets: Array
    items: Array
    distances: Array
    times: Array
    counts: Array
    newest: Array
    totals: Array


class CoClicks:
    """The followers of items at any moment.

    A click on an item, the *follower*, counts for each of the user's last items, the *sources*. Counts decay. A
    follower that is not among the `window` newest clicks after its source is forgotten: if it comes again, it begins
    anew.

    Args:
        totals: the decayed counts of sources; the other arguments are in the order of its keys, by source and rank.
        followers: the item of each click that followed a source (n,).
        counts: the decayed count of source and follower at each such click, itself included (n, K).
        next_ranks: the rank of the next click on the same follower after the same source (n,) uint32, or `NEVER`.
        window: how many of the newest clicks after a source count.
        least_share: followers with a smaller share for all half-lives are left out; most of them have one.
    """

    def __init__(
        self, totals: DecayedSums, followers: Array, counts: Array, next_ranks: Array, window: int, least_share: float
    ) -> None:
        self.totals, self.items, self.counts, self.next_ranks = totals, followers, counts, next_ranks
        self.window, self.least_share = window, least_share

    def at(self, recent: Array, ranks: Array, moments: Array, items: Array) -> Pairs:
        """Co-clicks of n queries with `items` (m,), ascending; see `pairs_of`.

        Args:
            recent: the last items of each history, newest last, -1 where it has fewer (n, L).
            ranks: the number of clicks of the log strictly before each moment (n,).
            moments: (n,).
        """
        held = recent >= 0
        query = np.nonzero(held)[0]
        keys, first, inverse = np.unique(key_of(recent[held], ranks[query]), return_index=True, return_inverse=True)
        numbers = np.full(recent.shape, -1)
        numbers[held] = inverse
        query = query[first]
        return pairs_of(numbers, self._followers(keys >> RANK_BITS, ranks[query], moments[query], items))

    def windows(self, rank: int) -> Windows:
        """The windows of all sources before a rank."""
        sources = np.unique(self.totals.keys >> RANK_BITS)
        positions, offsets, end = self._windows(sources, np.full(len(sources), rank))
        followed = np.flatnonzero(np.diff(offsets))  # sources that nothing has followed yet are left out
        newest = end[followed] - 1
        return Windows(
            sources=sources[followed],
            offsets=np.append(offsets[followed], len(positions)),
            items=self.items[positions],
            distances=np.repeat(end, np.diff(offsets)) - positions,
            times=self._times(positions),
            counts=self.counts[positions],
            newest=self._times(newest),
            totals=self.totals.sums[newest],
        )

    def _followers(self, sources: Array, ranks: Array, moments: Array, items: Array) -> Followers:
        """The followers of each of s sources at its moment, among `items`."""
        positions, offsets, _ = self._windows(sources, ranks)
        columns = columns_of(self.items[positions], items)
        among = np.flatnonzero(columns >= 0)
        positions, columns = positions[among], columns[among]
        source = np.repeat(np.arange(len(sources)), np.diff(offsets))[among]
        half_lives = self.totals.half_lives
        ages = ((moments[source] - self._times(positions))[:, None] / half_lives).astype(np.float32)
        counts = self.counts[positions] * np.exp2(-ages)
        return followers_of(source, columns, counts, self.totals.at(sources, ranks, moments), self.least_share)

    def _windows(self, sources: Array, ranks: Array) -> tuple[Array, Array, Array]:
        """The newest click of each follower in the windows of s sources: positions (T,), offsets (s + 1,).

        Also returns the position after each window (s,).
        """
        end = np.searchsorted(self.totals.keys, key_of(sources, ranks))
        begin = np.maximum(
            np.searchsorted(self.totals.keys, key_of(sources, np.zeros_like(sources))), end - self.window
        )
        positions, offsets = ranges(begin, end)
        newest = np.flatnonzero(self.next_ranks[positions] >= np.repeat(ranks.astype(np.uint32), np.diff(offsets)))
        return positions[newest], np.searchsorted(newest, offsets), end

    def _times(self, positions: Array) -> Array:
        times: Array = self.totals.times[self.totals.keys[positions] & ((1 << RANK_BITS) - 1)]
        return times


def followers_of(source: Array, columns: Array, counts: Array, totals: Array, least_share: float) -> Followers:
    """Followers with counts (T, K), of source (T,), ascending, among s sources with totals (s, K).

    Those whose shares are all below `least_share` are left out.
    """
    shares = counts / (totals + np.float32(SMOOTHING))[source]
    kept = np.flatnonzero(np.maximum.reduce(list(shares.T)) >= least_share)
    offsets = np.searchsorted(source[kept], np.arange(len(totals) + 1))
    return Followers(offsets, columns[kept], np.concatenate([shares[kept], counts[kept, -1:] / THOUSAND], axis=1))


def pairs_of(sources: Array, followers: Followers) -> Pairs:
    """Co-clicks of n queries, from the numbers of the sources in their histories, newest last (n, L).

    A number is -1 where a history is shorter. The first half of `values` is that of `Followers` for the query's last
    item, the other half the sum for its earlier items, an older one weighing `AGE_FACTOR` times less.
    """
    num_queries, length = sources.shape
    query, place = np.nonzero(sources >= 0)
    source = sources[query, place]
    entries, cuts = ranges(followers.offsets[source], followers.offsets[source + 1])  # (T,) the terms of all sums
    order, first, offsets = cells(cuts[np.searchsorted(query, np.arange(num_queries + 1))], followers.columns[entries])
    entries = entries[order]
    back = np.repeat(length - 1 - place, np.diff(cuts))[order]  # 0 for the last item
    weights = [back == 0, (back > 0) * AGE_FACTOR ** (back - 1)]
    sums = [_sums(weight.astype(np.float32), entries, first, followers.values) for weight in weights]
    return Pairs(followers.columns[entries[first[:-1]]], np.concatenate(sums, axis=1), offsets)


def _sums(weights: Array, entries: Array, first: Array, values: Array) -> Array:
    """The sums of ``weights * values[entries]`` (T, C) over the slices between `first` (c + 1,): (c, C)."""
    if len(entries) <= FEW:
        few: Array = np.add.reduceat(weights[:, None] * values[entries], first[:-1], axis=0)
        return few
    sums: Array = sparse.csr_array((weights, entries, first), shape=(len(first) - 1, len(values))) @ values
    return sums


def cells(offsets: Array, columns: Array) -> tuple[Array, Array, Array]:
    """Group terms (T,), sorted by row, by their cell of row and column.

    Returns the terms in the order of their cells (T,), the first of each cell in that order and T (c + 1,), and the
    first cell of each row and c (n + 1,).
    """
    num_rows, num_columns = len(offsets) - 1, int(columns.max(initial=-1)) + 1
    if len(columns) <= FEW:
        order = np.lexsort((columns, np.repeat(np.arange(num_rows), np.diff(offsets))))
        columns = columns[order]
    else:  # two passes of counting are several times faster
        terms = sparse.csr_array((np.arange(len(columns)), columns, offsets), shape=(num_rows, num_columns))
        ordered = terms.tocsc().tocsr()
        order, columns = ordered.data, ordered.indices
    begins = np.diff(columns, prepend=-1) != 0
    begins[offsets[:-1][np.diff(offsets) > 0]] = True
    first = np.flatnonzero(begins)
    return order, np.append(first, len(order)), np.searchsorted(first, offsets)
