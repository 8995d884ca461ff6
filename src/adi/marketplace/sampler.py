"""Exact draws of clicks from a marketplace's softmax, without scoring every item."""

from collections.abc import Iterator

import numpy as np

from adi.marketplace.attention import Attention
from adi.marketplace.proposals import BELOW_ONE, Proposals
from adi.marketplace.truth import Truth

REJECTION_ROUNDS = 20
"""The number of times that an item the user has clicked before is drawn again; then the unseen ones are enumerated."""

ENUMERATED = 4_000_000
"""Weights in memory at once while items are enumerated."""

MAX_PROPOSALS = 100
"""Items proposed for a click while its moment's attention rejects them; then all items are enumerated."""

TABLES = 24
"""Tables of proposals where attention changes: one for each domain and period, and one for each domain at least."""


class ClickSampler:
    """Draws items from the true softmax over a domain's eligible items, for any mix of domains, users and moments.

    Attention changes with time, so that no table of sums fits every moment. The log is therefore cut into a few
    periods. An item is proposed as if every item had its greatest attention of the period, and is accepted with
    probability attention / greatest; otherwise another is proposed (rejection sampling, which is exact).
    """

    def __init__(self, truth: Truth, attention: Attention) -> None:
        self.attention = attention
        self._affinity = np.exp(truth.affinity())  # (D, G, C)
        self._weight = np.where(truth.eligible, np.exp(truth.item_effects()), 0.0)  # (I, D)
        self._item_cluster = truth.item_cluster
        self._domains = len(self._affinity)
        periods = max(1, TABLES // self._domains)
        self._period = -(-attention.num_steps // periods)  # in steps
        self._proposals = Proposals(self._affinity, self._item_cluster, self._tables())
        self._mass = self._masses()

    def _tables(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The eligible items of each period and domain, by cluster, with their greatest weights."""
        by_cluster = np.argsort(self._item_cluster, kind="stable")
        for first in range(0, self.attention.num_steps, self._period):
            for domain in range(self._domains):
                weight = self._weight[:, domain] * self._ceiling(np.arange(len(by_cluster)), domain, first)
                items = by_cluster[weight[by_cluster] > 0.0]
                yield items, weight[items]

    def _ceiling(self, item: np.ndarray, domain: np.ndarray | int, step: np.ndarray | int) -> np.ndarray:
        """The greatest attention of items in domains in the periods of steps."""
        first = np.asarray(step) // self._period * self._period
        return self.attention.ceiling(item, np.asarray(domain), first, first + self._period - 1)

    def _masses(self) -> np.ndarray:
        """The sum of exp(score) over a domain's items for a user of one group in each step, (steps, D, G)."""
        domains, _, clusters = self._affinity.shape
        cluster = self._item_cluster[:, None] + np.arange(domains) * clusters  # (I, D), numbered over all domains
        varies = self.attention.peak > 0.0
        constant = np.where(varies | self.attention.is_new[:, None], 0.0, self._weight)
        constant_mass = np.bincount(cluster.ravel(), constant.ravel(), minlength=domains * clusters)
        by_cluster = np.tile(constant_mass, (self.attention.num_steps, 1))
        item, domain = np.nonzero(varies)
        weight, cluster = self._weight[varies], cluster[varies]
        for step, mass in enumerate(by_cluster):
            mass += np.bincount(
                cluster, weight * self.attention.of(item, domain, np.asarray(step)), minlength=len(mass)
            )
        return np.asarray(np.einsum("sdc,dgc->sdg", by_cluster.reshape(-1, domains, clusters), self._affinity))

    def main_probability(
        self, groups: np.ndarray, main_share: np.ndarray, domain: np.ndarray, step: np.ndarray
    ) -> np.ndarray:
        """Probability (N,) that clicks in domains and steps, (N,) each, are of their users' first interests.

        `groups` (N, 2) are the users' interests, `main_share` (N,) the shares of the first.
        """
        main = main_share * self._mass[step, domain, groups[:, 0]]
        side = (1.0 - main_share) * self._mass[step, domain, groups[:, 1]]
        return np.asarray(main / (main + side))

    def draw(self, domain: np.ndarray, group: np.ndarray, step: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw an item, as its index, for each domain, group and step; all are (N,)."""
        table = step // self._period * self._domains + domain
        items = self._proposals.draw(table, group, rng)
        if not self.attention.changes:
            return items
        open_rows = np.arange(len(items))
        for _ in range(MAX_PROPOSALS):
            cell = items[open_rows], domain[open_rows], step[open_rows]
            needed = rng.random(len(open_rows)) * self._ceiling(*cell)
            open_rows = open_rows[self.attention.of(*cell) <= needed]
            if not len(open_rows):
                return items
            items[open_rows] = self._proposals.draw(table[open_rows], group[open_rows], rng)
        for batch in self._batches(open_rows):
            items[batch] = _pick(self._weights(domain[batch], group[batch], step[batch]), rng)
        return items

    def _weights(self, domain: np.ndarray, group: np.ndarray, step: np.ndarray) -> np.ndarray:
        """exp of the scores of all items for groups in domains and steps, (B,) each: (B, I)."""
        weight = self._affinity[domain, group][:, self._item_cluster]
        weight *= self._weight.T[domain]
        if self.attention.changes:
            weight *= self.attention.of(np.arange(len(self._item_cluster)), domain[:, None], step[:, None])
        return np.asarray(weight)

    def _batches(self, rows: np.ndarray) -> list[np.ndarray]:
        """The rows in batches whose weights fit in memory."""
        size = max(1, ENUMERATED // len(self._item_cluster))
        return np.split(rows, np.arange(size, len(rows), size))

    def draw_new(
        self, user: np.ndarray, domain: np.ndarray, group: np.ndarray, step: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw items as `draw` does, but none twice for a user; `user` (N,) is ascending.

        A click is drawn from the softmax over the items that no earlier click of the user holds: exactly, by rejection
        and, for the few clicks that remain repeats, by enumeration. Returns the items and whether each click could be
        drawn, both (N,): it could not if the domain has no unseen item left.
        """
        items = self.draw(domain, group, step, rng)
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
                items[repeats] = self.draw(domain[repeats], group[repeats], step[repeats], rng)
            else:
                # Each user's first repeat: clicks before it are final, later ones may become repeats.
                repeats.sort()
                first = repeats[np.unique(user[repeats], return_index=True)[1]]
                for batch in self._batches(first):
                    weight = self._weights(domain[batch], group[batch], step[batch])
                    drawn[batch] = _draw_unseen(batch, weight, rows, user, items, rng)
                rows = rows[drawn[rows]]
        return items, drawn


def _draw_unseen(
    positions: np.ndarray,
    weight: np.ndarray,
    rows: np.ndarray,
    user: np.ndarray,
    items: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Fill `items` at `positions` (B,), one of each user, with items that the user does not have at earlier `rows`.

    `weight` (B, I) is of all items and becomes 0 for those. Returns whether each position could be filled, (B,).
    """
    index_of = np.full(user[-1] + 1, -1)  # of a user in `positions`
    index_of[user[positions]] = np.arange(len(positions))
    before = rows[(index_of[user[rows]] >= 0) & (rows < positions[index_of[user[rows]]])]
    weight[index_of[user[before]], items[before]] = 0.0
    possible = weight.any(axis=1)
    items[positions] = np.where(possible, _pick(weight, rng), items[positions])
    return np.asarray(possible)


def _pick(weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw an item (B,) from each row of weights (B, I)."""
    until = np.cumsum(weight, axis=1)
    key = rng.random(len(weight)) * BELOW_ONE * until[:, -1]
    return np.asarray((until > key[:, None]).argmax(axis=1))


def _repeats(user: np.ndarray, item: np.ndarray, items: int) -> np.ndarray:
    """Positions whose (user, item) is at an earlier position, too; `items` is the number of items."""
    # User, item and position in one number: all differ, so every sorting algorithm gives the same order.
    count = len(user)
    key = (user * items + item) * count + np.arange(count)
    key.sort()
    pair = key // max(count, 1)
    return np.asarray(key[1:][pair[1:] == pair[:-1]] % max(count, 1))
