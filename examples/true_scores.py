"""Recall of a simulated marketplace's true scores on its test, which models do not see.

- taste: `f(v | u, d)` of `adi.marketplace.simulation`, the part of the scores that never changes.
- true scores: f plus the log of each item's attention at the moment of the query. Clicks are drawn by these. Without
  trends they are f alone.
- inferred interests (`--inferred N`, for N test rows of each domain; without trends): the mean of `P(v | u, d)` over
  the interests that a user may have, weighted by how probable they make the user's history (Bayes). All else is known:
  the vectors of groups and clusters, the cluster of each item, and the items' effects.

Lists leave out the items in a user's history. No row is an upper bound. The earlier clicks of a visit reveal which of
the user's two interests it is about, and no row uses them. Inferred interests do not use the features of users, either.

Usage: python examples/true_scores.py MARKETPLACE PREPARED [-k K] [--inferred N]
       (MARKETPLACE and PREPARED are what `adi simulate` and `adi prepare` wrote)
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.entity_ids import EntityIds
from adi.marketplace.attention import load_attention
from adi.marketplace.truth import Truth, load_truth

SCORES_AT_ONCE = 4_000_000

SHARES = np.array([0.55, 0.65, 0.75, 0.85])
"""Shares of the first interest among which the inference chooses; true ones are uniform between .5 and .9."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("marketplace", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("-k", type=int, default=50, help="length of a list (default: 50)")
    parser.add_argument("--inferred", type=int, default=0, metavar="N", help="also infer interests for N rows a domain")
    options = parser.parse_args()
    dataset, scores = Dataset(options.prepared), TrueScores(options.marketplace / "truth")
    if options.inferred < 0:
        parser.error(f"--inferred: {options.inferred}; give 0 or more.")
    if options.inferred and scores.attention.changes:
        parser.error("--inferred: interests are inferred without trends only.")
    print(f"| recall@{options.k} | {' | '.join(dataset.domains)} | mean |\n|---|{'---|' * (len(dataset.domains) + 1)}")
    for name, at_the_moment in (("taste", False), ("true scores", True)):
        if at_the_moment or scores.attention.changes:
            show(name, [recall_of(scores, dataset, domain, options.k, at_the_moment) for domain in dataset.domains])
    if options.inferred:
        inference, rows = InferredInterests(scores.truth), options.inferred
        show("inferred interests", [inference.recall_of(dataset, name, options.k, rows) for name in dataset.domains])


def show(name: str, recall: list[float]) -> None:
    print(f"| {name} | {' | '.join(f'{value:.3f}' for value in (*recall, np.mean(recall)))} |")


class TrueScores:
    """The truth in `folder`. A marketplace's users and items are numbered from 1, in the order of its files."""

    def __init__(self, folder: Path) -> None:
        users = pq.read_table(folder / "users.parquet")
        self.truth = load_truth(folder)
        self.attention = load_attention(folder, self.truth)
        self.groups = np.stack([users["main_group"].to_numpy(), users["side_group"].to_numpy()], axis=1)  # (U, 2)
        self.main_share = users["main_share"].to_numpy()  # (U,)

    def of(self, users: Array, domain: str, time: Array | None) -> Array:
        """Scores (n, I) of all items for `users` (n,), by taste and, at times (n,) in microseconds, by attention."""
        scores = self.truth.scores(self.groups[users], self.main_share[users], domain)
        if time is None:
            return scores
        with np.errstate(divide="ignore"):  # an item that has not arrived has no attention
            log_attention = np.log(self.attention.at(self.truth.settings.domain_names.index(domain), time))
        return np.asarray(scores + log_attention)


def recall_of(scores: TrueScores, dataset: Dataset, domain: str, k: int, at_the_moment: bool) -> float:
    """Recall@k of the true scores, or of taste alone, in a domain."""
    users, items, domains = dataset.targets("test", dataset.rows("test"))
    rows = np.flatnonzero(domains == dataset.domains.index(domain))
    user_of, item_of = positions(dataset.users), positions(dataset.items)
    time = np.load(dataset.folder / "test" / "time.npy")
    hits: list[Array] = []
    for block in np.array_split(rows, 1 + len(rows) * len(item_of) // SCORES_AT_ONCE):
        values = scores.of(user_of[users[block]], domain, time[block] if at_the_moment else None)  # (n, I)
        wanted = item_of[items[block]]
        target = values[np.arange(len(block)), wanted]
        histories = dataset.queries("test", block).histories
        values[np.repeat(np.arange(len(block)), histories.lengths), item_of[histories.items]] = -np.inf
        hits.append((values > target[:, None]).sum(axis=1) < k)
    return float(np.mean(np.concatenate(hits)))


class InferredInterests:
    """The posterior of a user's interests (g1, g2, share) from a history, and the scores that follow from it.

    Shapes: G groups, C clusters, D domains, S shares.
    """

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        weight = np.where(truth.eligible, np.exp(truth.item_effects()), 0.0)  # (I, D)
        self.affinity = np.exp(truth.affinity())  # (D, G, C)
        mass = np.stack([np.bincount(truth.item_cluster, column, self.affinity.shape[2]) for column in weight.T])
        totals = np.einsum("dgc,dc->dg", self.affinity, mass)  # (D, G)
        self.totals = [mixtures(total) for total in totals]  # D of (S, G, G)
        with np.errstate(divide="ignore"):
            self.log_weight = np.log(weight)

    def scores(self, clusters: Array, domains: Array, domain: int) -> Array:
        """Log of the expected P(v | u, d), up to a constant, of all items (I,) after clicks (n,) in `domains` (n,)."""
        posterior = np.ones(self.totals[0].shape)  # (S, G, G)
        for cluster, clicked_in in zip(clusters, domains, strict=True):
            posterior *= mixtures(self.affinity[clicked_in, :, cluster]) / self.totals[clicked_in]
            posterior /= posterior.max()
        posterior /= self.totals[domain]
        first = np.einsum("s,sgh->g", SHARES, posterior)
        second = np.einsum("s,sgh->h", 1.0 - SHARES, posterior)
        interest = np.log((first + second) @ self.affinity[domain])  # (C,)
        return np.asarray(interest[self.truth.item_cluster] + self.log_weight[:, domain])

    def recall_of(self, dataset: Dataset, domain: str, k: int, count: int) -> float:
        """Recall@k on `count` random test rows of a domain, or on all if it has no more."""
        of_truth = np.array([self.truth.settings.domain_names.index(name) for name in dataset.domains])
        item_of, rows = positions(dataset.items), dataset.rows("test")
        rows = rows[dataset.targets("test", rows)[2] == dataset.domains.index(domain)]
        rows = np.sort(np.random.default_rng(0).choice(rows, min(count, len(rows)), replace=False))
        wanted = item_of[dataset.targets("test", rows)[1]]
        histories, hits = dataset.queries("test", rows).histories, []
        for number, (start, stop) in enumerate(pairwise(histories.offsets)):
            clicked = item_of[histories.items[start:stop]]
            domains = of_truth[histories.domains[start:stop]]
            values = self.scores(self.truth.item_cluster[clicked], domains, of_truth[dataset.domains.index(domain)])
            target = values[wanted[number]]
            values[clicked] = -np.inf
            hits.append((values > target).sum() < k)
        return float(np.mean(hits))


def mixtures(values: Array) -> Array:
    """The mixture of the values (G,) of each two groups, of which the first has each of the shares: (S, G, G)."""
    shares = SHARES[:, None, None]
    return np.asarray(shares * values[:, None] + (1.0 - shares) * values)


def positions(ids: EntityIds) -> Array:
    """The position in the marketplace's files of each user or item of a prepared dataset."""
    return np.array([int(ids.key(number)) - 1 for number in range(len(ids))])


if __name__ == "__main__":
    main()
