"""Recall of a simulated marketplace's true scores on its test.

Clicks are drawn by these scores, `f(v | u, d)` of `adi.marketplace.simulation`, which models do not see. Their recall
is not quite an upper bound: the earlier clicks of a visit reveal which of the user's two interests it is about, and f
does not use them.

Usage: python examples/true_scores.py MARKETPLACE PREPARED    (what `adi simulate` and `adi prepare` wrote)
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Dataset
from adi.data.queries import Queries
from adi.evaluation.evaluate import evaluate
from adi.marketplace.truth import Truth, load_truth
from adi.models.scorer import Score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("marketplace", type=Path)
    parser.add_argument("prepared", type=Path)
    options = parser.parse_args()
    dataset = Dataset(options.prepared)
    metrics = evaluate(TrueScores(options.marketplace / "truth", dataset), dataset, ks=(50,))
    recall = [measures["recall@50"] for measures in (*metrics.domains.values(), metrics.mean)]
    print(f"| recall@50 | {' | '.join(metrics.domains)} | mean |\n|---|{'---|' * len(recall)}")
    print(f"| true scores | {' | '.join(f'{value:.3f}' for value in recall)} |")


class TrueScores:
    """A `Scorer` by the true scores. A marketplace's users and items are numbered from 1, in the order of its files."""

    def __init__(self, folder: Path, dataset: Dataset) -> None:
        users = pq.read_table(folder / "users.parquet")
        self.truth: Truth = load_truth(folder)
        self.groups = np.stack([users["main_group"].to_numpy(), users["side_group"].to_numpy()], axis=1)  # (U, 2)
        self.main_share = users["main_share"].to_numpy()  # (U,)
        self.dataset = dataset

    def against(self, domain: int, items: Array) -> Score:
        columns = np.array([int(self.dataset.items.key(int(item))) for item in items]) - 1  # (m,)

        def score(queries: Queries) -> Tensor:
            users = np.array([int(self.dataset.users.key(int(user))) for user in queries.users]) - 1  # (n,)
            name = self.dataset.domains[domain]
            return torch.from_numpy(self.truth.scores(self.groups[users], self.main_share[users], name)[:, columns])

        return score


if __name__ == "__main__":
    main()
