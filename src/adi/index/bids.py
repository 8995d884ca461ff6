"""Search by score + weight · log bid, over all items, whatever the weight, in an index that knows nothing of bids."""

from bisect import bisect_left

import numpy as np

from adi.index.allowed import Filter
from adi.index.items import Items
from adi.index.vectors import BLOCK, Array

FIRST, FEWEST, GROWTH = 4, 200, 2
"""How many of the best by score are looked at first, in multiples of k and at least; and how that grows."""
WIDER, SHARE = 4, 1 / 16
"""How many of the highest bids go with each of the best by score; the share of all bids up to which it costs less to
look at more of them than to search deeper."""


class Bids:
    """The bids of an index's items, put in order once for many searches.

    Args:
        logs: log bid of each item (m,) float32.
    """

    def __init__(self, logs: Array) -> None:
        self.logs = logs
        self.order = np.argsort(-logs, kind="stable")  # positions, the highest bid first

    def __len__(self) -> int:
        return len(self.logs)


def top_with_bids(
    items: Items, query: Array, k: int, available: int, bids: Bids, weight: float, admitted: Filter | None
) -> tuple[Array, Array]:
    """The `k` best by score + `weight` · log bid, equal ones by position; k ≤ available.

    Fagin's threshold algorithm: the best by score and the highest bids are looked at, further and further down, until
    the k-th best of them exceeds what the last score and the next bid would have together. No other item has more. So
    an exact index answers exactly, and one with lists misses what it would miss of the best by score.

    Args:
        query: (1, dim).
        available: how many items are admitted.
        weight: not negative.

    Returns scores (k,) float32 and positions (k,), best first.
    """
    best = _Best(items, query, k, bids, weight, admitted)
    depth = max(FIRST * k, FEWEST)
    while WIDER * depth < available:
        scores, positions = (found[0] for found in items.top(query, depth, depth, admitted))
        complete = positions[-1] >= 0
        best.take(scores[positions >= 0], positions[positions >= 0])
        wide = WIDER * depth * len(bids) // available
        best.look_at_bids(wide)
        needed = best.bids_needed(scores[-1]) if complete else len(bids)
        if needed <= max(wide, SHARE * len(bids)):
            best.look_at_bids(needed)
            break
        depth *= GROWTH
    else:
        best.look_at(np.arange(len(bids)) if admitted is None else admitted.positions)
    return best.scores, best.positions


class _Best:
    """The best items of those that were looked at, and how far down the bids that was."""

    def __init__(self, items: Items, query: Array, k: int, bids: Bids, weight: float, admitted: Filter | None) -> None:
        self.items, self.query, self.k, self.bids, self.admitted = items, query, k, bids, admitted
        self.weight = np.float32(weight)
        self.looked = 0
        self.scores, self.positions = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.int64)

    def take(self, scores: Array, positions: Array) -> None:
        """Take items into account by their scores without bids; an item may come again."""
        scores = np.append(self.scores, scores + self.weight * self.bids.logs[positions])
        positions = np.append(self.positions, positions)
        if len(scores) > 2 * self.k:  # the 2 k best are k items or more
            enough = scores >= np.partition(scores, -2 * self.k)[-2 * self.k]
            scores, positions = scores[enough], positions[enough]
        order = np.lexsort((positions, -scores))
        order = order[np.sort(np.unique(positions[order], return_index=True)[1])][: self.k]
        self.scores, self.positions = scores[order], positions[order]

    def look_at(self, positions: Array) -> None:
        for first in range(0, len(positions), BLOCK):
            block = positions[first : first + BLOCK]
            self.take(*(found[0] for found in self.items.among(self.query, len(block), block)))

    def look_at_bids(self, count: int) -> None:
        """Look at the items of the `count` highest bids, but those that are not admitted."""
        highest = self.bids.order[self.looked : count]
        self.look_at(highest if self.admitted is None else highest[self.admitted.admits(highest)])
        self.looked = max(self.looked, count)

    def bids_needed(self, lowest: np.float32) -> int:
        """How many of the highest bids could be in the top k of an item that scores no more than `lowest`."""
        logs, order, kth = self.bids.logs, self.bids.order, self.scores[-1]
        return bisect_left(order, True, key=lambda position: lowest + self.weight * logs[position] < kth)
