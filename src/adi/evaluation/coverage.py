"""Catalogue coverage: the number of distinct items in the top-k lists of many queries."""

import torch
from torch import Tensor

from adi.processes.group import ALONE, Processes

GROUP = 32
"""Items of a group in `top_k`; a power of 2."""
MIN_GROUPS = 2
"""Groups for each item of a list from which on `top_k` is faster by groups."""


class Coverage:
    """Collects which of m items are in the top-k list of any query, for several k.

    Where items are few, making lists costs more than the rest of an evaluation, and after a few thousand of them hardly
    any adds an item. There, once new items are rare, lists are made only of the queries that can still add one: those
    where fewer than k items score above the highest-scoring item that no list of k holds. The counts stay exact. Where
    items are many, `top_k` makes all lists in less time than it takes to find these queries.

        coverage = Coverage(num_items=1000, ks=(10, 50))
        coverage.add(scores)    # (n, 1000); -inf for items that are left out
        coverage.counts()       # {10: 123, 50: 456}
    """

    def __init__(self, *, num_items: int, ks: tuple[int, ...]) -> None:
        self._lengths = tuple(min(k, num_items) for k in ks)
        self._lists_are_cheap = groups_are_faster(num_items, max(self._lengths))
        self._unlisted = {k: torch.zeros(num_items) for k in ks}  # added to a score: -inf once a list of k has the item
        self._new_items_are_rare = False

    def add(self, scores: Tensor) -> None:
        """Count the lists of n more queries: scores (n, m), -inf for an item that is not to be in the query's list."""
        if self._new_items_are_rare and not self._lists_are_cheap:
            top_scores, top_items = top_k(scores[self._may_add_items(scores)], self._lengths)
        else:
            top_scores, top_items = top_k(scores, self._lengths)
        adds_items = torch.zeros(len(top_items), dtype=torch.bool)
        for k, unlisted in self._unlisted.items():
            items = top_items[:, :k]
            adds_items |= (unlisted[items] == 0).any(dim=1)
            unlisted[items[top_scores[:, :k] > -torch.inf]] = -torch.inf
        self._new_items_are_rare = int(adds_items.sum()) < len(scores) / 4

    def counts(self, processes: Processes = ALONE) -> dict[int, int]:
        """The number of distinct items in the lists of each k, of the queries of all processes."""
        return {k: int((processes.total(unlisted < 0) > 0).sum()) for k, unlisted in self._unlisted.items()}

    def _may_add_items(self, scores: Tensor) -> Tensor:
        """Mask (n,) of the queries whose list of k, for any k, has an item that no list of k holds so far."""
        may_add = torch.zeros(len(scores), dtype=torch.bool)
        for k, unlisted in self._unlisted.items():
            highest = (scores + unlisted).amax(dim=1, keepdim=True)  # (n, 1), of the items in no list
            may_add |= (scores - highest).sign_().relu_().sum(dim=1) < k
        return may_add


def groups_are_faster(num_items: int, k: int) -> bool:
    """Whether items are so many that `top_k` beats `Tensor.topk`."""
    return num_items // GROUP >= MIN_GROUPS * (k + 1)


def top_k(scores: Tensor, ks: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Scores and columns of the max(ks) highest scores of each row (n, m), highest first, both (n, max(ks)).

    For each k of `ks` the first k columns are those of `Tensor.topk`, though equal scores may come in another order.
    The k highest scores are in the k groups with the largest maxima, since an item outside of these is no larger than
    any of the maxima. So one pass reduces groups of items to their maxima, and only those k groups are searched. Where
    the k-th score equals the next, `Tensor.topk` decides which of the items are in the list.
    """
    length = max(ks)
    if not groups_are_faster(scores.shape[1], length):
        top = scores.topk(length, dim=1)
        return top.values, top.indices
    values, columns = _top_k_by_groups(scores, length + 1)
    tied = torch.stack([values[:, k - 1] == values[:, k] for k in ks]).any(dim=0)  # (n,)
    values, columns = values[:, :length], columns[:, :length]
    if tied.any():
        values[tied], columns[tied] = scores[tied].topk(length, dim=1)
    return values, columns


def _top_k_by_groups(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest of each row by way of groups.

    With g groups, column c is in group c modulo g; the last columns, fewer than `GROUP`, are in none.
    """
    groups = scores.shape[1] // GROUP
    grouped = scores[:, : GROUP * groups].view(-1, GROUP, groups)  # (n, GROUP, groups)
    chosen = _maxima(grouped).topk(k, dim=1, sorted=False).indices  # (n, k)
    members = grouped.gather(2, chosen[:, None].expand(-1, GROUP, -1))  # (n, GROUP, k)
    rest = scores[:, GROUP * groups :]  # (n, fewer than GROUP)
    values, positions = torch.cat([members.flatten(1), rest], dim=1).topk(k, dim=1)  # (n, k)
    columns = positions // k * groups + chosen.gather(1, positions % k)
    return values, torch.where(positions < GROUP * k, columns, positions - GROUP * k + GROUP * groups)


def _maxima(grouped: Tensor) -> Tensor:
    """``grouped.amax(dim=1)`` by halves, in half of its time: (n, GROUP, groups) -> (n, groups)."""
    while (size := grouped.shape[1]) > 1:
        grouped = torch.maximum(grouped[:, : size // 2], grouped[:, size // 2 :])
    return grouped[:, 0]
