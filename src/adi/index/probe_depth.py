"""Probe depth: how many lists a search reads to find items further down the ranking, or under a filter."""

from collections.abc import Sequence

import numpy as np

from adi.data.arrays import Array
from adi.index.card import ProbeDepth

DOUBLINGS = 5
"""Depths are measured up to 2 ** DOUBLINGS times the k of the index; beyond, every list is read."""

ROUNDING = 1e-9
SHARES = np.asarray([0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 1.0])


class ProbeDepths:
    """Interpolates the number of lists to read between measured depths.

    Args:
        measured: by `measure_probe_depths`, the smallest depth first.
        nlist: the number of lists.
    """

    def __init__(self, measured: Sequence[ProbeDepth], nlist: int) -> None:
        self.nlist = nlist
        self.log_depths = np.log2([point.depth for point in measured])
        self.nprobes = [point.nprobe for point in measured]
        lists_read = np.arange(nlist + 1)
        shares = np.stack([np.interp(lists_read, point.probes, SHARES) for point in measured])  # (r, nlist + 1)
        self.items_in_list = np.diff(shares, axis=1) * np.asarray([[point.depth] for point in measured])  # (r, nlist)
        self.target = float(shares[0, measured[0].nprobe])

    def probes(self, depth: int) -> int:
        """Return the lists to read for the top `depth` of all items."""
        return int(np.ceil(np.interp(np.log2(depth), self.log_depths, self.nprobes, right=self.nlist)))

    def probes_under(self, depth: int, allowed: Array) -> int:
        """Return the lists to read for the top `depth` of the items that a filter allows.

        They depend on where the allowed items are: if none are in the near lists, the top k comes from far down the
        ranking. So the number of top items in each list, known for each measured depth, is reduced to the allowed
        share of the list. The depth at which `depth` items remain is the one to read for, as completely as without a
        filter, and never fewer lists than without one: a filter that allows everything near changes nothing.

        Args:
            depth: the number of items needed.
            allowed: the share of each list's items that is allowed, in the order in which the query reads the lists
                (nlist,).
        """
        remaining = np.cumsum(self.items_in_list * allowed, axis=1)  # (r, nlist)
        totals = remaining[:, -1]
        if totals[-1] < depth * (1 - ROUNDING):
            return self.nlist
        nprobes = (remaining < self.target * totals[:, None] * (1 - ROUNDING)).sum(axis=1) + 1
        nprobes = np.maximum.accumulate(np.minimum(nprobes, self.nlist))
        filtered = round(np.interp(depth, np.maximum.accumulate(totals), nprobes))
        return max(filtered, self.probes(depth))


def measure_probe_depths(probe_order: Array, list_of: Array, k: int, nprobe: int) -> tuple[ProbeDepth, ...]:
    """Measure in how many lists the top items are, at k and each doubling of it.

    Args:
        probe_order: the lists in the order in which each query reads them (q, nlist).
        list_of: the list of each item in the exact ranking of each query (q, depth), depth ≥ k.
        k: the depth that `nprobe` was tuned for.
    """
    nlist = probe_order.shape[1]
    rank_of_list = np.empty_like(probe_order)
    np.put_along_axis(rank_of_list, probe_order, np.broadcast_to(np.arange(nlist), probe_order.shape), axis=1)
    list_ranks = np.take_along_axis(rank_of_list, list_of, axis=1)  # (q, depth): lists read before the item's own
    depths = [k]
    while depths[-1] < list_ranks.shape[1]:
        depths.append(min(2 * depths[-1], list_ranks.shape[1]))
    shares = [_share_by_nprobe(list_ranks[:, :depth], nlist) for depth in depths]  # (nlist + 1,) for each depth
    target, largest = shares[0][nprobe], nprobe
    measured = []
    for depth, share in zip(depths, shares, strict=True):
        largest = max(largest, _fewest(share, target))
        probes = tuple(_fewest(share, least) for least in SHARES)
        measured.append(ProbeDepth(depth=depth, nprobe=largest, probes=probes))
    return tuple(measured)


def _share_by_nprobe(list_ranks: Array, nlist: int) -> Array:
    """Return the share of the items found by reading 0, 1 … nlist lists (nlist + 1,), the last exactly 1."""
    counts = np.cumsum(np.bincount(list_ranks.ravel() + 1, minlength=nlist + 1))
    return counts / list_ranks.size


def _fewest(share: Array, least: float) -> int:
    """Return the fewest lists that find at least that share."""
    return int(np.argmax(share >= least))
