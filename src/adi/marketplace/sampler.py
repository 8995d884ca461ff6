"""Exact draws from a marketplace's softmax, without scoring every item."""

import numpy as np

from adi.marketplace.truth import Truth

REJECTION_ROUNDS = 20
"""The number of times that an item the user has clicked before is drawn again; then the unseen ones are enumerated."""

BELOW_ONE = 1.0 - 1e-12
"""Factor that keeps a uniform number below 1 after a row's offset is added to it."""

ENUMERATED = 4_000_000
"""Weights in memory at once while unseen items are enumerated."""


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
        """The sum of exp(score) over a domain's items for a user of one group, up to a factor of the domain, (D, G)."""
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
        """Probability (B, D) that a click in each domain is of the user's first interest.

        `groups` (B, 2) are the users' interests, `main_share` (B,) the share of the first.
        """
        main = main_share[:, None] * self.mass.T[groups[:, 0]]
        side = (1.0 - main_share[:, None]) * self.mass.T[groups[:, 1]]
        return np.asarray(main / (main + side))

    def draw(self, domain: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw an item, as its index, for each domain and group; all are (N,)."""
        row = domain * self._groups + group
        key = row + rng.random(len(row)) * BELOW_ONE
        cluster = np.searchsorted(self._cluster_sums, key, side="right") - row * self._clusters
        cell = domain * self._clusters + cluster
        key = self._low[cell] + rng.random(len(row)) * self._width[cell]
        position = np.searchsorted(self._item_sums, key, side="right")
        return np.asarray(self._item_ids[np.clip(position, self._start[cell], self._stop[cell] - 1)])

    def draw_new(
        self, user: np.ndarray, domain: np.ndarray, group: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw items as `draw` does, but none twice for a user; `user` (N,) is ascending.

        A click is drawn from the softmax over the items that no earlier click of the user holds: exactly, by rejection
        and, for the few clicks that remain repeats, by enumeration. Returns the items and whether each click could be
        drawn, both (N,): it could not if the domain has no unseen item left.
        """
        items = self.draw(domain, group, rng)
        drawn = np.ones(len(items), dtype=bool)
        rows = np.arange(len(items))  # rows of users who may have repeats
        for attempt in range(len(items) + REJECTION_ROUNDS):
            repeats = rows[_repeats(user[rows], items[rows], len(self._item_cluster))]
            if not len(repeats):
                break
            has_repeat = np.zeros(user[-1] + 1, dtype=bool)
            has_repeat[user[repeats]] = True
            rows = rows[has_repeat[user[rows]]]
            if attempt < REJECTION_ROUNDS:
                items[repeats] = self.draw(domain[repeats], group[repeats], rng)
            else:
                # Each user's first repeat: clicks before it are final, later ones may become repeats.
                repeats.sort()
                first = repeats[np.unique(user[repeats], return_index=True)[1]]
                size = max(1, ENUMERATED // len(self._item_cluster))
                for batch in np.split(first, np.arange(size, len(first), size)):
                    drawn[batch] = self._draw_unseen(batch, rows, user, domain, group, items, rng)
                rows = rows[drawn[rows]]
        return items, drawn

    def _draw_unseen(
        self,
        positions: np.ndarray,
        rows: np.ndarray,
        user: np.ndarray,
        domain: np.ndarray,
        group: np.ndarray,
        items: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Fill `items` at `positions` (B,), one of each user, with items that the user does not have at earlier `rows`.

        Returns whether each could be filled, (B,).
        """
        weight = self._affinity[domain[positions], group[positions]][:, self._item_cluster]  # (B, I)
        weight *= np.where(self._eligible, self._weight, 0.0).T[domain[positions]]
        index_of = np.full(user[-1] + 1, -1)  # of a user in `positions`
        index_of[user[positions]] = np.arange(len(positions))
        before = rows[(index_of[user[rows]] >= 0) & (rows < positions[index_of[user[rows]]])]
        weight[index_of[user[before]], items[before]] = 0.0
        until = np.cumsum(weight, axis=1)
        key = rng.random(len(positions)) * BELOW_ONE * until[:, -1]
        possible = until[:, -1] > 0.0
        items[positions] = np.where(possible, (until > key[:, None]).argmax(axis=1), items[positions])
        return np.asarray(possible)


def _repeats(user: np.ndarray, item: np.ndarray, items: int) -> np.ndarray:
    """Positions whose (user, item) is at an earlier position, too; `items` is the number of items."""
    # User, item and position in one number: all differ, so every sorting algorithm gives the same order.
    count = len(user)
    key = (user * items + item) * count + np.arange(count)
    key.sort()
    pair = key // max(count, 1)
    return np.asarray(key[1:][pair[1:] == pair[:-1]] % max(count, 1))
