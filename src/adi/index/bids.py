"""Search by score + weight · log bid, over all items and for any weight, with an index that has no bids in it."""

from bisect import bisect_left

import numpy as np

from adi.data.arrays import Array
from adi.index.allowed import AllowedItems
from adi.index.searchers import Searcher
from adi.index.vectors import BLOCK

FIRST_DEPTH, LEAST_DEPTH, GROWTH = 4, 200, 2
"""The depth of the first search by score, as a multiple of k and at least, and the factor by which it grows."""

BIDS_PER_SCORE = 4
"""The number of highest bids that are examined for each of the best items by score."""

CHEAP_SHARE = 1 / 16
"""The share of all bids up to which it is cheaper to look at more bids than to search deeper by score."""


class Bids:
    """The bids of an index's items, sorted once for many searches.

    Args:
        logs: the log bid of each item (m,) float32.
    """

    def __init__(self, logs: Array) -> None:
        self.logs = logs
        self.order = np.argsort(-logs, kind="stable")  # positions, the highest bid first

    def __len__(self) -> int:
        return len(self.logs)


def top_with_bids(
    searcher: Searcher, query: Array, k: int, available: int, bids: Bids, weight: float, allowed: AllowedItems | None
) -> tuple[Array, Array]:
    """Return the top `k` by score + `weight` · log bid, equal ones by position.

    Fagin's threshold algorithm: looks at the best items by score and at the highest bids, at more and more of both,
    until the k-th best sum exceeds the sum of the last score and the next bid. No other item can have more. So the
    answer of an exact index is exact, and an index with lists misses only what it misses by score.

    Args:
        query: (1, dim).
        available: the number of allowed items; k ≤ available.
        weight: not negative.

    Returns scores (k,) float32 and positions (k,), best first.
    """
    top = _RunningTop(searcher, query, k, bids, weight, allowed)
    depth = max(FIRST_DEPTH * k, LEAST_DEPTH)
    while BIDS_PER_SCORE * depth < available:
        (scores,), (positions,) = searcher.top(query, depth, depth, allowed)
        complete = positions[-1] >= 0
        top.add(scores[positions >= 0], positions[positions >= 0])
        num_bids = BIDS_PER_SCORE * depth * len(bids) // available
        top.add_highest_bids(num_bids)
        needed = top.bids_needed(scores[-1]) if complete else len(bids)
        if needed <= max(num_bids, CHEAP_SHARE * len(bids)):
            top.add_highest_bids(needed)
            break
        depth *= GROWTH
    else:
        top.add_by_position(np.arange(len(bids)) if allowed is None else allowed.positions)
    return top.scores, top.positions


class _RunningTop:
    """The top k by score + weight · log bid of the items looked at so far."""

    def __init__(
        self, searcher: Searcher, query: Array, k: int, bids: Bids, weight: float, allowed: AllowedItems | None
    ) -> None:
        self.searcher, self.query, self.k, self.bids, self.allowed = searcher, query, k, bids, allowed
        self.weight = np.float32(weight)
        self.bids_seen = 0
        self.scores, self.positions = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)

    def add(self, scores: Array, positions: Array) -> None:
        """Add items with their scores without bids; an item may be added again."""
        scores = np.append(self.scores, scores + self.weight * self.bids.logs[positions])
        positions = np.append(self.positions, positions)
        if len(scores) > 2 * self.k:  # no item is in it more than twice, so the best 2 k are at least k items
            high = scores >= np.partition(scores, -2 * self.k)[-2 * self.k]
            scores, positions = scores[high], positions[high]
        order = np.lexsort((positions, -scores))
        order = order[np.sort(np.unique(positions[order], return_index=True)[1])][: self.k]
        self.scores, self.positions = scores[order], positions[order]

    def add_by_position(self, positions: Array) -> None:
        """Score items and add them, a block at a time."""
        for first in range(0, len(positions), BLOCK):
            block = positions[first : first + BLOCK]
            (scores,), (top,) = self.searcher.top_among(self.query, len(block), block)
            self.add(scores, top)

    def add_highest_bids(self, count: int) -> None:
        """Add the allowed items among those with the `count` highest bids."""
        highest = self.bids.order[self.bids_seen : count]
        self.add_by_position(highest if self.allowed is None else highest[self.allowed.contains(highest)])
        self.bids_seen = max(self.bids_seen, count)

    def bids_needed(self, lowest: np.float32) -> int:
        """Return how many of the highest bids could lift an item with a score of at most `lowest` into the top k."""
        logs, order, kth = self.bids.logs, self.bids.order, self.scores[-1]
        return bisect_left(order, True, key=lambda position: lowest + self.weight * logs[position] < kth)
