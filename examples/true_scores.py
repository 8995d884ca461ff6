"""Recall of a simulated marketplace's true scores on its test, which models do not see.

- taste: `f(v | u, d)` of `adi.marketplace.simulation`, the part of the scores that never changes.
- true scores: f plus the log of each item's attention at the moment of the query. Clicks are drawn by these. Without
  trends they are f alone.

Lists leave out the items in a user's history. The recall of the true scores is not quite an upper bound: the earlier
clicks of a visit reveal which of the user's two interests it is about, and f does not use them.

Usage: python examples/true_scores.py MARKETPLACE PREPARED [-k K]    (what `adi simulate` and `adi prepare` wrote)
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.entity_ids import EntityIds
from adi.marketplace.attention import load_attention
from adi.marketplace.truth import load_truth

SCORES_AT_ONCE = 4_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("marketplace", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("-k", type=int, default=50, help="length of a list (default: 50)")
    options = parser.parse_args()
    dataset, scores = Dataset(options.prepared), TrueScores(options.marketplace / "truth")
    print(f"| recall@{options.k} | {' | '.join(dataset.domains)} | mean |\n|---|{'---|' * (len(dataset.domains) + 1)}")
    for name, at_the_moment in (("taste", False), ("true scores", True)):
        if at_the_moment or scores.attention.changes:
            recall = [recall_of(scores, dataset, domain, options.k, at_the_moment) for domain in dataset.domains]
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


def positions(ids: EntityIds) -> Array:
    """The position in the marketplace's files of each user or item of a prepared dataset."""
    return np.array([int(ids.key(number)) - 1 for number in range(len(ids))])


if __name__ == "__main__":
    main()
