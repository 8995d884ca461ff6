"""Comparison of lists with the model's scores of all items, a block of items at a time."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from adi.data.arrays import Array

ITEMS_AT_ONCE = 1 << 14
SCORES_AT_ONCE = 1 << 24
"""Items and scores in memory at a time."""


class BlockScores(Protocol):
    """The model's scores of q queries for b items, both given by a range of their numbers: (q, b)."""

    def __call__(self, queries: slice, items: slice, /) -> Tensor: ...


def recall(scores: BlockScores, lists: Array, num_items: int, tolerance: float) -> float:
    """Return the mean share of the model's top k that the lists of n queries hold.

    An item of a list counts if its score is not below the k-th best, less `tolerance` of it, or of 1 if that is more.

    Args:
        scores: of all n queries and all items.
        lists: the positions of k items for each query (n, k), k ≤ `num_items`; -1 where a list is shorter.
    """
    hits = 0
    for queries in _ranges(len(lists), max(1, SCORES_AT_ONCE // ITEMS_AT_ONCE)):
        kth, listed = _kth_and_listed(scores, queries, lists[queries], num_items)
        lowest = kth - tolerance * kth.abs().clamp(min=1.0)  # (q,)
        hits += int((listed >= lowest[:, None]).sum())
    return hits / lists.size


def spreads(scores: BlockScores, num_queries: int, num_items: int) -> Array:
    """Return the standard deviation over all items of each query's scores (n,)."""
    queries, count = slice(0, num_queries), 0
    mean, squares = np.zeros(num_queries), np.zeros(num_queries)  # the sum of squares is that of deviations
    for items in _ranges(num_items, ITEMS_AT_ONCE):
        block = scores(queries, items).numpy().astype(np.float64)  # (n, b)
        size, deviation = block.shape[1], block.mean(axis=1) - mean
        total = count + size
        squares += block.var(axis=1) * size + deviation**2 * count * size / total
        mean += deviation * size / total
        count = total
    spreads: Array = np.sqrt(squares / count)
    return spreads


def _kth_and_listed(scores: BlockScores, queries: slice, lists: Array, num_items: int) -> tuple[Tensor, Tensor]:
    """Return the k-th best score of each of q queries (q,), and the scores of the items in its list (q, k)."""
    k = lists.shape[1]
    best = torch.empty(len(lists), 0)
    listed = torch.full(lists.shape, -torch.inf)
    for items in _ranges(num_items, ITEMS_AT_ONCE):
        block = scores(queries, items)  # (q, b)
        rows, columns = np.nonzero((items.start <= lists) & (lists < items.stop))
        listed[rows, columns] = block[rows, lists[rows, columns] - items.start]
        best = _highest(torch.cat([best, _highest(block, k)], dim=1), k)
    return best[:, -1], listed


def _highest(scores: Tensor, k: int) -> Tensor:
    """Return the `k` highest of each row of scores (q, b), or all where there are fewer, highest first."""
    return scores.topk(min(k, scores.shape[1]), dim=1).values


def _ranges(size: int, length: int) -> Iterator[slice]:
    """Yield the numbers below `size` in ranges of some length, the last perhaps shorter."""
    for first in range(0, size, length):
        yield slice(first, min(first + length, size))
