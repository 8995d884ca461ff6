"""Metrics of rankings with one relevant item, from its rank alone.

A rank counts the items ahead of the relevant one, 0 at best; an item with the same score counts half, so that a model
that scores all items alike gains nothing. Infinite: the item is not among those ranked.
"""

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.float64]


def recall(ranks: Ranks, k: int) -> float:
    """Share of the rankings whose relevant item is among the first k; with one relevant item, also the hit rate.

    NaN without rankings.
    """
    return _mean((ranks < k).astype(np.float64))


def ndcg(ranks: Ranks, k: int) -> float:
    """Mean of ``1 / log2(rank + 2)`` where the relevant item is among the first k, else 0. NaN without rankings."""
    return _mean(np.where(ranks < k, 1 / np.log2(ranks + 2), 0.0))


def mrr(ranks: Ranks, k: int) -> float:
    """Mean of ``1 / (rank + 1)`` where the relevant item is among the first k, else 0. NaN without rankings."""
    return _mean(np.where(ranks < k, 1 / (ranks + 1), 0.0))


def _mean(values: Ranks) -> float:
    return float(values.mean()) if len(values) else float("nan")
