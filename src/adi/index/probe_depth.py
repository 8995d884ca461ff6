"""How many lists a search must read to reach further down the ranking than it was tuned for, or past a filter."""

from collections.abc import Sequence

import numpy as np

from adi.index.card import Reach
from adi.index.vectors import Array

DOUBLINGS = 5
"""The ranking is followed to 2 ** DOUBLINGS times the k of the index; beyond, every list is read."""

ROUNDING = 1e-9
SHARES = np.asarray([0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 1.0])


class Depths:
    """The number of lists to read, from where the top items were found to lie at some depths.

    Args:
        reach: what `measured_reach` gave.
        nlist: the number of lists.
    """

    def __init__(self, reach: Sequence[Reach], nlist: int) -> None:
        self.nlist = nlist
        self.depths = np.log2([point.depth for point in reach])
        self.probes = [point.nprobe for point in reach]
        turns = np.arange(nlist + 1)
        held = np.stack([np.interp(turns, point.probes, SHARES) for point in reach])  # (r, nlist + 1)
        self.found = np.diff(held, axis=1) * np.asarray([[point.depth] for point in reach])  # (r, nlist)
        self.wanted = float(held[0, reach[0].nprobe])

    def probes_for(self, depth: int) -> int:
        """Lists to read for the top `depth` of all items."""
        return int(np.ceil(np.interp(np.log2(depth), self.depths, self.probes, right=self.nlist)))

    def probes_among(self, depth: int, admitted: Array) -> int:
        """Lists to read for the top `depth` of the items that a filter admits.

        Which items those are depends on where the filter admits any: where near lists are shut, they come from far down
        the ranking. So the top items at each depth, list by list, are thinned out by what is admitted there; the depth
        at which `depth` of them remain is the one to read for, as completely as the index does without a filter. Never
        fewer than without one: where all that is near is admitted, the filter changes nothing.

        Args:
            depth: how many of the best are needed.
            admitted: the share of each list's items that the filter admits, in the order in which a query reads the
                lists (nlist,).
        """
        remaining = np.cumsum(self.found * admitted, axis=1)  # (r, nlist)
        totals = remaining[:, -1]
        if totals[-1] < depth * (1 - ROUNDING):
            return self.nlist
        probes = (remaining < self.wanted * totals[:, None] * (1 - ROUNDING)).sum(axis=1) + 1
        probes = np.maximum.accumulate(np.minimum(probes, self.nlist))
        among = round(np.interp(depth, np.maximum.accumulate(totals), probes))
        return max(among, self.probes_for(depth))


def measured_reach(order: Array, list_of: Array, k: int, nprobe: int) -> tuple[Reach, ...]:
    """At each doubling of `k`, in how many lists the top items lie.

    Args:
        order: the lists as each query reads them (q, nlist), the nearest first.
        list_of: the list of each item of the exact ranking of each query (q, depth), depth ≥ k.
        k: what `nprobe` was tuned for.
    """
    nlist = order.shape[1]
    turn = np.empty_like(order)
    np.put_along_axis(turn, order, np.broadcast_to(np.arange(nlist), order.shape), axis=1)
    turns = np.take_along_axis(turn, list_of, axis=1)  # (q, depth): when a search comes to this item
    depths = [k]
    while depths[-1] < turns.shape[1]:
        depths.append(min(2 * depths[-1], turns.shape[1]))
    held = [_share_by_probes(turns[:, :depth], nlist) for depth in depths]
    wanted, most = held[0][nprobe], nprobe
    reach = []
    for depth, share in zip(depths, held, strict=True):
        most = max(most, _first(share, wanted))
        reach.append(Reach(depth=depth, nprobe=most, probes=tuple(_first(share, least) for least in SHARES)))
    return tuple(reach)


def _share_by_probes(turns: Array, nlist: int) -> Array:
    """The share of the items that reading 0, 1 … nlist lists finds (nlist + 1,), the last exactly 1."""
    found = np.cumsum(np.bincount(turns.ravel() + 1, minlength=nlist + 1))
    return found / turns.size


def _first(share: Array, least: float) -> int:
    return int(np.argmax(share >= least))
