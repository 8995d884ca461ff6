"""The best items of each row of scores, as `torch.topk` finds them, in a fraction of its time where items are many."""

import torch
from torch import Tensor

GROUP = 32
"""Items of a group; a power of 2."""
WORTH = 2
"""Groups for each item of a list, from which on it pays to look at groups first."""


def pays(num_items: int, k: int) -> bool:
    """Whether items are so many that `best` is faster than `Tensor.topk`."""
    return num_items // GROUP >= WORTH * (k + 1)


def best(scores: Tensor, ks: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Scores and columns of the best max(ks) of each row (n, m), best first, both (n, max(ks)).

    For each k of `ks` the first k are the columns that `Tensor.topk` finds, though equal ones may come in another
    order. The k best are in the k groups that have the largest maxima: an item outside of these is no better than the
    maximum of each. So groups of items are reduced to their maxima, which takes one pass, and only those k are looked
    into. Where the k-th score equals the next, which of the items belong to the list is for `Tensor.topk` to say.
    """
    longest = max(ks)
    if not pays(scores.shape[1], longest):
        found = scores.topk(longest, dim=1)
        return found.values, found.indices
    values, columns = _from_groups(scores, longest + 1)
    tied = torch.stack([values[:, k - 1] == values[:, k] for k in ks]).any(dim=0)  # (n,)
    values, columns = values[:, :longest], columns[:, :longest]
    if tied.any():
        values[tied], columns[tied] = scores[tied].topk(longest, dim=1)
    return values, columns


def _from_groups(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The best k of each row by way of groups; column c is of group c modulo their number, but for a few last ones."""
    groups = scores.shape[1] // GROUP
    grouped = scores[:, : GROUP * groups].view(-1, GROUP, groups)  # (n, GROUP, groups)
    chosen = _maxima(grouped).topk(k, dim=1, sorted=False).indices  # (n, k)
    inside = grouped.gather(2, chosen[:, None].expand(-1, GROUP, -1))  # (n, GROUP, k)
    last = scores[:, GROUP * groups :]  # (n, fewer than GROUP)
    values, places = torch.cat([inside.flatten(1), last], dim=1).topk(k, dim=1)  # (n, k)
    number = places // k * groups + chosen.gather(1, places % k)
    return values, torch.where(places < GROUP * k, number, places - GROUP * k + GROUP * groups)


def _maxima(grouped: Tensor) -> Tensor:
    """``grouped.amax(dim=1)`` by halves, which takes half of its time: (n, GROUP, groups) -> (n, groups)."""
    while (size := grouped.shape[1]) > 1:
        grouped = torch.maximum(grouped[:, : size // 2], grouped[:, size // 2 :])
    return grouped[:, 0]
