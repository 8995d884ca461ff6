"""Draws from softmaxes that factor into clusters and items, by binary search."""

from collections.abc import Iterable

import numpy as np

BELOW_ONE = 1.0 - 1e-12
"""Factor that keeps a uniform number below 1 after a row's offset is added to it."""


class Proposals:
    """Draws items from any mix of tables and groups at once.

    A table holds items of one domain with weights `w`. For a group, an item has a probability proportional to
    `exp(a_d(g, c(v))) w(v)`. This factors: a cluster with probability proportional to `exp(a_d(g, c)) W(c)`, where
    `W(c)` sums `w` over the cluster's items, then an item of it with probability `w(v) / W(c)`. Each step is a binary
    search in cumulative sums. The sums of all tables and groups lie end to end in one array, row r raised by r, so one
    call searches all rows.

    Args:
        affinity: exp of the interests of each group in each cluster of each domain, (D, G, C).
        item_cluster: the cluster of each item, (I,).
        tables: items and their weights, (n,) each, ascending by cluster; table t is of domain t % D.
    """

    def __init__(
        self, affinity: np.ndarray, item_cluster: np.ndarray, tables: Iterable[tuple[np.ndarray, np.ndarray]]
    ) -> None:
        domains, self._groups, self._clusters = affinity.shape
        every = np.arange(self._clusters)
        cluster_sums, item_sums, item_ids, starts, stops, lows, widths = [], [], [], [], [], [], []
        offset = 0
        for table, (items, weight) in enumerate(tables):
            until = np.cumsum(weight)
            until /= until[-1]
            clusters = item_cluster[items]
            start, stop = np.searchsorted(clusters, every), np.searchsorted(clusters, every, side="right")
            padded = np.concatenate([[0.0], until])
            low, width = padded[start], padded[stop] - padded[start]
            sums = np.cumsum(affinity[table % domains] * width, axis=1)  # (G, C)
            cluster_sums.append(sums / sums[:, -1:])
            item_sums.append(table + until)
            item_ids.append(items)
            starts.append(offset + start)
            stops.append(offset + stop)
            lows.append(table + low)
            widths.append(width)
            offset += len(items)
        rows = np.arange(len(cluster_sums) * self._groups)
        self._cluster_sums = (rows[:, None] + np.concatenate(cluster_sums)).ravel()
        self._item_sums, self._item_ids = np.concatenate(item_sums), np.concatenate(item_ids)
        self._start, self._stop = np.concatenate(starts), np.concatenate(stops)
        self._low, self._width = np.concatenate(lows), np.concatenate(widths)

    def draw(self, table: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw an item, as its index, for each table and group; all are (N,)."""
        row = table * self._groups + group
        key = row + rng.random(len(row)) * BELOW_ONE
        cluster = np.searchsorted(self._cluster_sums, key, side="right") - row * self._clusters
        cell = table * self._clusters + cluster
        key = self._low[cell] + rng.random(len(row)) * self._width[cell]
        position = np.searchsorted(self._item_sums, key, side="right")
        return np.asarray(self._item_ids[np.clip(position, self._start[cell], self._stop[cell] - 1)])
