"""Metrics of rankings with one relevant item, from its rank alone.

A rank counts the items ahead of the relevant one, 0 at best; an item with the same score counts half, so that a model
that scores all items alike gains nothing. An infinite rank: the item is not among those ranked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adi.errors import AdiError

Ranks = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric as a value: its name, and what each ranking adds to it.

    Args:
        name: as in ``recall@50``.
        gain: from ranks (n,) and the list length k to the gain of each ranking (n,), a finite number. The metric is the
            mean gain, so that intervals can be drawn over users.

    Example:
        >>> TOP_HALF = Metric("top-half", lambda ranks, k: (ranks < k / 2).astype(float))
        >>> TOP_HALF.mean(np.array([0.0, 4.0, 7.0, np.inf]), 10)
        0.5
    """

    name: str
    gain: Callable[[Ranks, int], Ranks]

    def gains(self, ranks: Ranks, k: int) -> Ranks:
        """The gain of each ranking (n,). Raises `AdiError` for a function that returns another shape, or NaN."""
        gains = np.asarray(self.gain(ranks, k), dtype=np.float64)
        if gains.shape != ranks.shape:
            raise AdiError(
                f"metric '{self.name}': gave an array of shape {gains.shape} for {len(ranks)} ranks. Return one number "
                "for each rank."
            )
        if not np.isfinite(gains).all():
            rank = ranks[~np.isfinite(gains)][0]
            raise AdiError(f"metric '{self.name}': is not finite for rank {rank:g}. Return 0 where nothing is gained.")
        return gains

    def mean(self, ranks: Ranks, k: int) -> float:
        """The metric of rankings; NaN without any."""
        return float(self.gains(ranks, k).mean()) if len(ranks) else float("nan")


def _within(k_ranks: Ranks, k: int, gain: Ranks) -> Ranks:
    """Gains where the relevant item is among the first k, else 0."""
    return np.where(k_ranks < k, gain, 0.0)


RECALL = Metric("recall", lambda ranks, k: _within(ranks, k, np.ones_like(ranks)))
"""1 where the relevant item is among the first k; with one relevant item, also the hit rate."""

NDCG = Metric("ndcg", lambda ranks, k: _within(ranks, k, 1 / np.log2(ranks + 2)))
"""``1 / log2(rank + 2)`` where the relevant item is among the first k, else 0."""

MRR = Metric("mrr", lambda ranks, k: _within(ranks, k, 1 / (ranks + 1)))
"""``1 / (rank + 1)`` where the relevant item is among the first k, else 0."""

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in (RECALL, NDCG, MRR)}
"""The metrics of every evaluation, which also compare, report and the command line read."""
