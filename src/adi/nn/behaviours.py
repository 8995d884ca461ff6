"""History encoders: from the embedded items of a history of any length to one or more vectors.

Each encoder has two forms that return the same vectors for the same weights and items:

- the *ragged* form, `forward`, for training. `rows` (T, E) holds the embedded items of R samples, one history after the
  other, each with its newest item last; `offsets` (R + 1,) are where the histories begin and end. Nothing is padded;
- the *padded* form, `padded`, for export, in operations that ONNX has. `rows` (R, L, E) has L positions for each
  sample, with the newest item in the last; `mask` (R, L) is 1 at positions with an item and 0 elsewhere, where `rows`
  is 0, too.

The `age` of an item is its distance from the end of the history, 0 for the newest. The vector of an empty history is 0.
The vectors of a sample do not depend on the other samples.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.embedding import bag_of_each

NEVER = -1e30
"""The score of a masked item. It is finite, so that the softmax of an empty history has no NaN."""


class HistoryEncoder(nn.Module, ABC):
    """An encoder that depends on the embedded items of a history.

    Shapes:
        forward: rows (T, E), offsets (R + 1,), f_domain (R, E) -> (R, H, E)
        padded: rows (R, L, E), mask (R, L), f_domain (R, E) -> (R, H, E)

    f_domain is the embedding of each sample's domain, and H the number of vectors per history.
    """

    @abstractmethod
    def forward(self, rows: Tensor, offsets: Tensor, f_domain: Tensor) -> Tensor: ...

    @abstractmethod
    def padded(self, rows: Tensor, mask: Tensor, f_domain: Tensor) -> Tensor: ...


class PoolingWeights(nn.Module, ABC):
    """An encoder that returns a weighted mean of a history, with weights that do not depend on the items.

    The embedding lookup applies the weights while it pools, so that the embedded items are never in memory.

    Shapes:
        forward: offsets (R + 1,), count T -> weights (T,), which sum to 1 in each history
        padded: as in `HistoryEncoder`, with H = 1
    """

    @abstractmethod
    def forward(self, offsets: Tensor, count: int) -> Tensor: ...

    @abstractmethod
    def padded(self, rows: Tensor, mask: Tensor, f_domain: Tensor) -> Tensor: ...


def ages(offsets: Tensor, bag: Tensor) -> Tensor:
    """The age of each value (T,), from the offsets and the index of each value's bag (T,)."""
    return offsets[1:][bag] - 1 - torch.arange(len(bag), device=offsets.device)


def newest_last(by_age: Tensor, length: int) -> Tensor:
    """Reorder values by age (ages, ...) to the positions of a padded history (length, ...)."""
    return by_age[:length].flip(0)


def padded_mean(rows: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of padded histories: rows (R, L, E), weights (R, L), 0 at masked positions -> (R, 1, E)."""
    total = weights.sum(dim=1, keepdim=True)
    return (rows * (weights / torch.where(total > 0, total, 1.0))[:, :, None]).sum(dim=1, keepdim=True)


def softmax_in_bags(scores: Tensor, bag: Tensor, num_bags: int) -> Tensor:
    """Softmax of scores (T, H) within each bag: weights (T, H) that sum to 1 in every bag."""
    index = bag[:, None].expand_as(scores)
    with torch.no_grad():
        largest = scores.new_zeros(num_bags, scores.shape[1]).scatter_reduce(
            0, index, scores, "amax", include_self=False
        )
    weights = (scores - largest[bag]).exp()
    totals = weights.new_zeros(num_bags, scores.shape[1]).index_add(0, bag, weights)
    return weights / totals.index_select(0, bag)


class RecencyWeights(PoolingWeights):
    """Learned weights that depend on an item's age. Initialised to the plain mean.

    Args:
        length: maximum length of a history.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(length))

    def forward(self, offsets: Tensor, count: int) -> Tensor:
        bag = bag_of_each(offsets, count)  # (T,)
        # Not by indexing: its gradient is summed by threads in any order, so that runs would not be reproducible.
        weight = self.scores.exp().index_select(0, ages(offsets, bag))
        total = weight.new_zeros(len(offsets) - 1).index_add(0, bag, weight)  # (R,)
        return weight / total.index_select(0, bag)

    def padded(self, rows: Tensor, mask: Tensor, f_domain: Tensor) -> Tensor:
        return padded_mean(rows, mask * newest_last(self.scores, rows.shape[1]).exp())


class HistoryAttention(HistoryEncoder):
    """Attention over a history: a mean weighted by the age and the content of each item, depending on the domain.

        y = sum_t softmax(s)_t x_t,   s_t = a_age(t) . (f, 1) + x_t . C (f, 1)

    f is the domain indicator's embedding, and the softmax is over the history. The vectors a, one for each age, and the
    matrix C are learned. A single head starts as the plain mean; several heads start with different random contents.

    Args:
        length: maximum length of a history.
        embedding_dim: E.
        heads: H, the number of weighted means, each with its own a and C.

    Shapes:
        rows (T, E), offsets (R + 1,), f_domain (R, E) -> (R, H, E)

    Example:
        >>> rows, offsets = torch.tensor([[1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]), torch.tensor([0, 2, 2, 3])
        >>> HistoryAttention(length=2, embedding_dim=2)(rows, offsets, torch.ones(3, 2)).squeeze(1).tolist()
        [[2.0, 3.0], [0.0, 0.0], [7.0, 7.0]]
    """

    def __init__(self, length: int, embedding_dim: int, *, heads: int = 1) -> None:
        super().__init__()
        self.length, self.heads = length, heads
        self.age = nn.Linear(embedding_dim, length * heads)
        self.content = nn.Linear(embedding_dim, heads * embedding_dim)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        if heads > 1:  # equal heads would get equal gradients and never differ
            nn.init.normal_(self.content.bias)

    def forward(self, rows: Tensor, offsets: Tensor, f_domain: Tensor) -> Tensor:
        num, width = f_domain.shape
        bag = bag_of_each(offsets, len(rows))  # (T,)
        age_index = bag * self.length + ages(offsets, bag)
        scores = self.age(f_domain).view(-1, self.heads).index_select(0, age_index)  # (T, H)
        query = self.content(f_domain).view(num, self.heads, width)  # (R, H, E)
        scores = scores + (query.index_select(0, bag) * rows[:, None]).sum(dim=2)
        weights = softmax_in_bags(scores, bag, num)
        all_rows = torch.arange(len(rows), device=rows.device)
        pooled = [
            functional.embedding_bag(all_rows, rows, offsets[:-1], mode="sum", per_sample_weights=weights[:, head])
            for head in range(self.heads)
        ]
        return torch.stack(pooled, dim=1)  # (R, H, E)

    def padded(self, rows: Tensor, mask: Tensor, f_domain: Tensor) -> Tensor:
        width = rows.shape[2]
        by_age = self.age(f_domain).unflatten(1, (self.length, self.heads))  # (R, length, H)
        query = self.content(f_domain).unflatten(1, (self.heads, width))  # (R, H, E)
        scores = by_age[:, : rows.shape[1]].flip(1) + rows @ query.transpose(1, 2)  # (R, L, H)
        weights = torch.where(mask[:, :, None] > 0, scores, NEVER).softmax(dim=1) * mask[:, :, None]
        pooled: Tensor = weights.transpose(1, 2) @ rows
        return pooled
