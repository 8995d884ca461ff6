"""Exact draws from a marketplace's softmax, without scoring every item."""

import numpy as np

from adi.marketplace.truth import Truth

REJECTION_ROUNDS = 20
"""How often an item that the user has clicked before is drawn anew before the unseen items are enumerated."""

BELOW_ONE = 1.0 - 1e-12
"""Keeps a uniform number below 1 after a table's offset is added to it."""

ENUMERATED = 4_000_000
"""Weights held at a time while unseen items are enumerated."""


class ClickSampler:
    """Draws items from the true softmax over a domain's eligible items, for any mix of domains and users at once.

    The score is `a_d(g, c(v)) + w_d(v)`, so the softmax factors: a cluster with probability proportional to
    `exp(a_d(g, c)) W_d(c)`, where `W_d(c)` sums `exp(w_d)` over the cluster's eligible items, then an item of it with
    probability `exp(w_d(v)) / W_d(c)`. Each step is a binary search in cumulative sums. The sums of all domains and
    groups lie end to end in one array, row r raised by r, so one call searches all rows.
    """

    def __init__(self, truth: Truth) -> None:
        self._affinity = affinity = np.exp(truth.affinity())  # (D, G, C)
        self._weight = weight = np.exp(truth.item_effects())  # (I, D)
        self._item_cluster, self._eligible = truth.item_cluster, truth.eligible
        self._domains, self._groups, self._clusters = affinity.shape
        by_cluster = np.argsort(truth.item_cluster, kind="stable")
        every = np.arange(self._clusters)
        self.mass = np.empty((self._domains, self._groups))
        """Sum of exp(score) over a domain's items for a user of one group, but for a factor of the domain; (D, G)."""
        cluster_sums, item_sums, item_ids, starts, stops, lows, widths = [], [], [], [], [], [], []
        offset = 0
        for d in range(self._domains):
            items = by_cluster[truth.eligible[by_cluster, d]]
            until = np.cumsum(weight[items, d])
            until /= until[-1]
            clusters = truth.item_cluster[items]
            start, stop = np.searchsorted(clusters, every), np.searchsorted(clusters, every, side="right")
            padded = np.concatenate([[0.0], until])
            low, width = padded[start], padded[stop] - padded[start]
            sums = np.cumsum(affinity[d] * width, axis=1)  # (G, C)
            self.mass[d] = sums[:, -1]
            cluster_sums.append(sums / sums[:, -1:])
            item_sums.append(d + until)
            item_ids.append(items)
            starts.append(offset + start)
            stops.append(offset + stop)
            lows.append(d + low)
            widths.append(width)
            offset += len(items)
        rows = np.arange(self._domains * self._groups)
        self._cluster_sums = (rows[:, None] + np.concatenate(cluster_sums)).ravel()
        self._item_sums, self._item_ids = np.concatenate(item_sums), np.concatenate(item_ids)
        self._start, self._stop = np.concatenate(starts), np.concatenate(stops)
        self._low, self._width = np.concatenate(lows), np.concatenate(widths)

    def main_probability(self, groups: np.ndarray, main_share: np.ndarray) -> np.ndarray:
        """Probability that a click in each domain is of the user's first interest; (B, 2), (B,) -> (B, D)."""
        main = main_share[:, None] * self.mass.T[groups[:, 0]]
        side = (1.0 - main_share[:, None]) * self.mass.T[groups[:, 1]]
        return np.asarray(main / (main + side))

    def draw(self, domain: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One item for each (domain, group); (N,), (N,) -> (N,) item indices."""
        row = domain * self._groups + group
        key = row + rng.random(len(row)) * BELOW_ONE
        cluster = np.searchsorted(self._cluster_sums, key, side="right") - row * self._clusters
        cell = domain * self._clusters + cluster
        key = self._low[cell] + rng.random(len(row)) * self._width[cell]
        place = np.searchsorted(self._item_sums, key, side="right")
        return np.asarray(self._item_ids[np.clip(place, self._start[cell], self._stop[cell] - 1)])

    def draw_new(
        self, user: np.ndarray, domain: np.ndarray, group: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `draw`, without an item twice for a user; `user` (N,) ascends.

        A click is drawn from the softmax over the items that no earlier click of the user holds: exactly, by rejection
        and, for the few clicks that stay repeats, by enumeration. Returns the items and which clicks could be
        drawn, both (N,): a click for which the domain has no unseen item left cannot.
        """
        items = self.draw(domain, group, rng)
        drawn = np.ones(len(items), dtype=bool)
        rows = np.arange(len(items))  # of users who may have repeats
        for attempt in range(len(items) + REJECTION_ROUNDS):
            again = rows[_repeats(user[rows], items[rows], len(self._item_cluster))]
            if not len(again):
                break
            touched = np.zeros(user[-1] + 1, dtype=bool)
            touched[user[again]] = True
            rows = rows[touched[user[rows]]]
            if attempt < REJECTION_ROUNDS:
                items[again] = self.draw(domain[again], group[again], rng)
            else:
                # Each user's first repeat: what comes before it is final, what comes after may turn into a repeat
                again.sort()
                first = again[np.unique(user[again], return_index=True)[1]]
                size = max(1, ENUMERATED // len(self._item_cluster))
                for batch in np.split(first, np.arange(size, len(first), size)):
                    drawn[batch] = self._draw_unseen(batch, rows, user, domain, group, items, rng)
                rows = rows[drawn[rows]]
        return items, drawn

    def _draw_unseen(
        self,
        at: np.ndarray,
        rows: np.ndarray,
        user: np.ndarray,
        domain: np.ndarray,
        group: np.ndarray,
        items: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Fill `items` at the places `at`, one of each user, from all that the user does not hold at earlier `rows`.

        Returns which could be filled; `at` (B,) -> (B,).
        """
        weight = self._affinity[domain[at], group[at]][:, self._item_cluster]  # (B, I)
        weight *= np.where(self._eligible, self._weight, 0.0).T[domain[at]]
        mine = np.full(user[-1] + 1, -1)
        mine[user[at]] = np.arange(len(at))
        before = rows[(mine[user[rows]] >= 0) & (rows < at[mine[user[rows]]])]
        weight[mine[user[before]], items[before]] = 0.0
        until = np.cumsum(weight, axis=1)
        key = rng.random(len(at)) * BELOW_ONE * until[:, -1]
        possible = until[:, -1] > 0.0
        items[at] = np.where(possible, (until > key[:, None]).argmax(axis=1), items[at])
        return np.asarray(possible)


def _repeats(user: np.ndarray, item: np.ndarray, items: int) -> np.ndarray:
    """Places whose (user, item) is at an earlier place too."""
    # User, item and place in one number: all differ, so any sorting algorithm gives the same order
    count = len(user)
    key = (user * items + item) * count + np.arange(count)
    key.sort()
    pair = key // max(count, 1)
    return np.asarray(key[1:][pair[1:] == pair[:-1]] % max(count, 1))
