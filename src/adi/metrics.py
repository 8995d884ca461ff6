"""Metrics of rankings with one relevant item, from its rank alone.

A rank counts the items ahead of the relevant one, 0 at best; an item with the same score counts half, so that a model
that scores all items alike gains nothing. Infinite: the item is not among those ranked.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.float64]

GAINS: dict[str, Callable[[Ranks], Ranks]] = {
    "recall": np.ones_like,
    "ndcg": lambda ranks: 1 / np.log2(ranks + 2),
    "mrr": lambda ranks: 1 / (ranks + 1),
}
"""What a ranking is worth by its rank, where that is below k; a metric is the mean of it."""


def gains(metric: str, ranks: Ranks, k: int) -> Ranks:
    """What each ranking adds to a metric of `GAINS`: 0 where the relevant item is not among the first k."""
    return np.where(ranks < k, GAINS[metric](ranks), 0.0)


def recall(ranks: Ranks, k: int) -> float:
    """Share of the rankings whose relevant item is among the first k; with one relevant item, also the hit rate.

    NaN without rankings.
    """
    return _mean(gains("recall", ranks, k))


def ndcg(ranks: Ranks, k: int) -> float:
    """Mean of ``1 / log2(rank + 2)`` where the relevant item is among the first k, else 0. NaN without rankings."""
    return _mean(gains("ndcg", ranks, k))


def mrr(ranks: Ranks, k: int) -> float:
    """Mean of ``1 / (rank + 1)`` where the relevant item is among the first k, else 0. NaN without rankings."""
    return _mean(gains("mrr", ranks, k))


def _mean(values: Ranks) -> float:
    return float(values.mean()) if len(values) else float("nan")
