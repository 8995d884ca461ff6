"""Search by taste and trend: all items that are clicked now are scored, and the index finds the best of the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from adi.data.arrays import Array
from adi.index.allowed import AllowedItems
from adi.index.bids import Bids
from adi.index.topk import Hits
from adi.index.vector_index import VectorIndex

SAMPLED = 16
"""Every so many scores, one is looked at to guess how high the best are, before all that are as high are compared."""

SCORES_AT_ONCE = 1 << 24

DEEPER = 4
"""The factor by which the depth of a search grows while items that it has not reached may belong to the top k."""


@dataclass(frozen=True)
class AddedScores:
    """Scores to add to single items of a query: `positions` (c,), ascending, and `scores` (c,)."""

    positions: Array
    scores: Array


class ActiveItems:
    """The items of an index that are clicked now, with coordinates that change with time. All others share theirs.

    Args:
        index: has the vectors without these coordinates, `dim` each.
        positions: of the active items (p,), ascending.
        coordinates: of the active items (p, W).
        quiet: the coordinates of every other item (W,).
        shifts: what is added to the vectors of the active items (p, dim); None: nothing.
        added_by: the name of added scores among the parts of a score.
    """

    def __init__(
        self,
        index: VectorIndex,
        positions: Array,
        coordinates: Array,
        quiet: Array,
        shifts: Array | None = None,
        *,
        added_by: str = "co_clicks",
    ) -> None:
        self.index, self.positions, self.coordinates, self.added_by = index, positions, coordinates, added_by
        self.quiet, self.shifts = quiet, shifts
        vectors = index.vectors(positions)
        tastes = vectors if shifts is None else vectors + shifts
        self.columns = np.ascontiguousarray(np.concatenate([tastes, coordinates], axis=1).T)
        """The vectors, one after the other in each coordinate (dim + W, p): so a product takes half the time."""
        self.is_active = np.zeros(len(index), dtype=bool)
        self.is_active[positions] = True

    def search(
        self,
        users: Array,
        k: int,
        *,
        added: Sequence[AddedScores],
        excluded: Sequence[Array],
        allowed: AllowedItems | None = None,
        bids: Bids | None = None,
        bid_weight: float = 0.0,
        threads: int = 1,
    ) -> list[Hits]:
        """Return the top `k` of each of n queries by taste + trend + added score + weight · log bid.

        All active items and all with an added score are scored. The others are searched by taste and bid, deeper and
        deeper, until no item that was not reached can be in the top k: what an exact index answers is exact, and an
        index with lists misses only what it misses by taste.

        Args:
            users: (n, interests, dim + W), the weights of the coordinates last; an item has its highest score of all
                interests.
            added, excluded: for each query; `excluded` are positions (e,) to leave out.
            allowed, bids, bid_weight, threads: see `VectorIndex.search`.
        """
        if not len(self.index):  # a shard without an item of the domain
            none = np.empty(0, dtype=np.float32)
            parts = dict.fromkeys(("taste", *(["trend"] if len(self.quiet) else []), self.added_by, "bid"), none)
            return [Hits(np.empty(0, dtype=np.int64), none, parts)] * len(users)
        by_taste = _ByTaste(self, users, allowed, bids, bid_weight, threads)
        by_taste.search(np.arange(len(users)), k + max(map(len, excluded), default=0))
        left_out = np.empty(0, dtype=np.int64) if allowed is None else self._not_among(allowed)
        hits, block = [], max(1, SCORES_AT_ONCE // max(1, len(self.positions) * users.shape[1]))
        for first in range(0, len(users), block):
            part = users[first : first + block]
            scores = (part.reshape(-1, part.shape[2]) @ self.columns).reshape(*part.shape[:2], -1)
            for number, of_interests in enumerate(scores, first):
                candidates = _Candidates(self, users[number], of_interests, allowed, bids, bid_weight)
                candidates.score(added[number], excluded[number], left_out)
                hits.append(candidates.top(k, by_taste, number))
        return hits

    def rows(self, positions: Array) -> tuple[Array, Array]:
        """A mask of the active ones among some positions, and the rows of those among the active items."""
        active = self.is_active[positions]
        return active, np.searchsorted(self.positions, positions[active])

    def _not_among(self, allowed: AllowedItems) -> Array:
        return np.flatnonzero(~allowed.contains(self.positions))


def without_trends(index: VectorIndex) -> ActiveItems:
    """The items of an index, none of which is active: scores are added to single items alone."""
    none = np.empty((0, 0), dtype=np.float32)
    return ActiveItems(index, np.empty(0, dtype=np.int64), none, np.empty(0, dtype=np.float32), added_by="neighbours")


@dataclass
class _ByTaste:
    """The best quiet and active items by taste and bid of each query and interest, so far."""

    active: ActiveItems
    users: Array
    allowed: AllowedItems | None
    bids: Bids | None
    bid_weight: float
    threads: int
    found: dict[int, tuple[Array, Array]] = field(default_factory=dict)

    def search(self, queries: Array, depth: int) -> None:
        """Search for queries, by number, to a depth."""
        index = self.active.index
        depth, dim = min(depth, len(index)), index.card.dim
        tastes = self.users[queries, :, :dim]  # (q, interests, dim)
        scores, positions = index.search(
            tastes.reshape(-1, dim),
            depth,
            allowed=self.allowed,
            bids=self.bids,
            bid_weight=self.bid_weight,
            threads=self.threads,
        )
        shape = *tastes.shape[:2], depth
        self.found |= zip(
            queries.tolist(), zip(scores.reshape(shape), positions.reshape(shape), strict=True), strict=True
        )


class _Candidates:
    """The candidates of one query: items that are scored in full, and the quiet ones that the index finds."""

    def __init__(
        self,
        active: ActiveItems,
        user: Array,
        of_interests: Array,
        allowed: AllowedItems | None,
        bids: Bids | None,
        bid_weight: float,
    ) -> None:
        self.active, self.user, self.allowed = active, user, allowed
        self.bid_weight, self.bids = np.float32(bid_weight), bids if bid_weight else None
        self.scores = of_interests.max(axis=0)  # (p,)

    def bid(self, positions: Array) -> Array:
        """Return weight · log bid of items."""
        if self.bids is None:
            return np.zeros(len(positions), dtype=np.float32)
        bids: Array = self.bid_weight * self.bids.logs[positions]
        return bids

    def score(self, added: AddedScores, excluded: Array, left_out: Array) -> None:
        """Score the active items, and the quiet ones with added scores; `left_out` are rows of active items."""
        active, scores = self.active, self.scores
        if self.bids is not None:
            scores = scores + self.bid(active.positions)
        is_active, rows = active.rows(added.positions)
        scores[rows] += added.scores[is_active]
        scores[left_out] = -np.inf
        scores[active.rows(excluded)[1]] = -np.inf
        quiet = added.positions[~is_active]
        if len(quiet):
            vectors = np.concatenate([active.index.vectors(quiet), np.tile(active.quiet, (len(quiet), 1))], axis=1)
            # Each by itself, as an exact index does: with a product, the last digit would depend on the other items.
            of_quiet = (
                (vectors * self.user[:, None]).sum(axis=2).max(axis=0) + added.scores[~is_active] + self.bid(quiet)
            )
            kept = ~_is_among(quiet, excluded, len(active.index))
            if self.allowed is not None:
                kept &= self.allowed.contains(quiet)
            of_quiet[~kept] = -np.inf
            self.scores, self.positions = np.append(scores, of_quiet), np.append(active.positions, quiet)
        else:
            self.scores, self.positions = scores, active.positions
        self.added, self.excluded, self.scored_quiet = added, excluded, quiet

    def top(self, k: int, by_taste: _ByTaste, number: int) -> Hits:
        """Return the top `k`, searching deeper by taste where that is needed."""
        rows = _best(self.scores, k)
        scores, positions = self.scores[rows], self.positions[rows]
        trend = self.user[:, self.active.index.card.dim :] @ self.active.quiet  # of quiet items, by interest
        while True:
            taste_scores, taste_positions = by_taste.found[number]  # (interests, depth)
            valid = (taste_positions >= 0) & ~self.active.is_active[taste_positions]
            for left_out in (self.excluded, self.scored_quiet):
                if len(left_out):
                    valid &= ~_is_among(taste_positions, left_out, len(self.active.index))
            sums = taste_scores + trend[:, None]
            top_scores, top_positions = _merge(
                np.append(scores, sums[valid]), np.append(positions, taste_positions[valid]), k
            )
            depth, kth = taste_scores.shape[1], top_scores[-1] if len(top_scores) == k else -np.inf
            complete = (taste_positions[:, -1] < 0) | (valid.sum(axis=1) >= k) | (sums[:, -1] <= kth)
            if complete.all() or depth == len(self.active.index):
                return Hits(top_positions, top_scores, self._parts(top_positions, top_scores))
            by_taste.search(np.array([number]), DEEPER * depth)

    def _parts(self, positions: Array, scores: Array) -> dict[str, Array]:
        """Return the parts of scores (n,), by the interest that gives an item its highest score."""
        active, dim = self.active, self.active.index.card.dim
        coordinates = np.tile(active.quiet, (len(positions), 1))
        is_active, rows = active.rows(positions)
        coordinates[is_active] = active.coordinates[rows]
        trends = self.user[:, dim:] @ coordinates.T  # (interests, n)
        if active.shifts is not None:
            trends[:, is_active] += self.user[:, :dim] @ active.shifts[rows].T
        trend = trends[0]
        if len(trends) > 1:
            interest = (self.user[:, :dim] @ active.index.vectors(positions).T + trends).argmax(axis=0)
            trend = trends[interest, np.arange(len(positions))]
        added = np.zeros(len(positions), dtype=np.float32)
        if len(self.added.positions):
            places = np.minimum(np.searchsorted(self.added.positions, positions), len(self.added.positions) - 1)
            added = np.where(self.added.positions[places] == positions, self.added.scores[places], added)
        bid = self.bid(positions)
        of_trend = {"trend": trend} if len(active.quiet) else {}
        return {"taste": scores - trend - added - bid, **of_trend, active.added_by: added, "bid": bid}


def _is_among(values: Array, positions: Array, size: int) -> Array:
    """Whether each of `values`, positions among `size` items, is in `positions`.

    For the few of a query, `np.isin` takes ten times as long.
    """
    mask = np.zeros(size, dtype=bool)
    mask[positions] = True
    among: Array = mask[values]
    return among


def _best(scores: Array, k: int) -> Array:
    """Return the rows of the `k` highest of scores (p,) above -inf, in any order, and all that equal the last."""
    if k >= len(scores):
        return np.flatnonzero(scores > -np.inf)
    sample = scores[::SAMPLED]
    guess = np.partition(sample, -rank)[-rank] if (rank := 2 * k // SAMPLED + 16) < len(sample) else -np.inf
    rows = np.flatnonzero(scores >= guess)  # about twice as many as are wanted
    if len(rows) < k:
        rows = np.arange(len(scores))
    kth = np.partition(scores[rows], -k)[-k]
    best: Array = rows[(scores[rows] >= kth) & (scores[rows] > -np.inf)]
    return best


def _merge(scores: Array, positions: Array, k: int) -> tuple[Array, Array]:
    """Return the `k` highest scores and their positions, equal ones by position; an item has its highest score."""
    order = np.lexsort((positions, -scores))
    if len(order) > k:
        first = np.sort(np.unique(positions[order], return_index=True)[1])
        order = order[first][:k]
    else:
        order = order[np.sort(np.unique(positions[order], return_index=True)[1])]
    return scores[order].astype(np.float32), positions[order]
