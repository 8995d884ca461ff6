"""Encoders of behaviours: from the items of a history, however long, to one vector or several.

Each encoder has two forms that give the same vectors for the same weights and items:

- the *ragged* form, `forward`, for training. `rows` (T, E) holds the embedded items of R samples, one history after the
  other and the newest item last; `offsets` (R + 1,) cuts them. Nothing is padded, since most padding would be empty;
- the *padded* form, `padded`, for export: in operations that an ONNX graph has. `rows` (R, L, E) has L positions for
  each sample, the newest item in the last; `given` (R, L) is 1 at a position with an item, else 0, where the row is 0.

The `age` of an item is its place from the end, 0 for the newest. An empty history gives 0, and what a sample gets does
not depend on the other samples.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from adi.nn.embedding import bag_of_each

NEVER = -1e30
"""A score without weight, finite so that a history without items has no NaN."""


class HistoryEncoder(nn.Module, ABC):
    """An encoder that reads the embedded items of a history.

    Shapes:
        forward: rows (T, E), offsets (R + 1,), f_domain (R, E) -> (R, H, E)
        padded: rows (R, L, E), given (R, L), f_domain (R, E) -> (R, H, E)

    f_domain is the embedding of each sample's domain, H the number of vectors that were asked for.
    """

    @abstractmethod
    def forward(self, rows: Tensor, offsets: Tensor, f_domain: Tensor) -> Tensor: ...

    @abstractmethod
    def padded(self, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor: ...


class PoolingWeights(nn.Module, ABC):
    """An encoder that takes the weighted mean of a history, with weights that do not depend on the items.

    A lookup can then pool by them at once, without the embedded items in memory.

    Shapes:
        forward: offsets (R + 1,), count T -> weights (T,), which sum to 1 in each history
        padded: as of `HistoryEncoder`, with H = 1
    """

    @abstractmethod
    def forward(self, offsets: Tensor, count: int) -> Tensor: ...

    @abstractmethod
    def padded(self, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor: ...


def ages(offsets: Tensor, bag: Tensor) -> Tensor:
    """The age of each value (T,), given the bag that each is in."""
    return offsets[1:][bag] - 1 - torch.arange(len(bag), device=offsets.device)


def newest_last(by_age: Tensor, length: int) -> Tensor:
    """Values by age (ages, ...) as values by padded position (length, ...)."""
    return by_age[:length].flip(0)


def padded_mean(rows: Tensor, weights: Tensor) -> Tensor:
    """The mean of each padded history (R, L, E) by weights (R, L), 0 at positions without an item: (R, 1, E)."""
    total = weights.sum(dim=1, keepdim=True)
    return (rows * (weights / torch.where(total > 0, total, 1.0))[:, :, None]).sum(dim=1, keepdim=True)


def softmax_in_bags(scores: Tensor, bag: Tensor, num_bags: int) -> Tensor:
    """Weights (T, H) from scores (T, H), such that the weights of each bag sum to 1."""
    index = bag[:, None].expand_as(scores)
    with torch.no_grad():
        largest = scores.new_zeros(num_bags, scores.shape[1]).scatter_reduce(
            0, index, scores, "amax", include_self=False
        )
    weights = (scores - largest[bag]).exp()
    totals = weights.new_zeros(num_bags, scores.shape[1]).index_add(0, bag, weights)
    return weights / totals.index_select(0, bag)


class RecencyWeights(PoolingWeights):
    """Weights that depend on an item's age, learned. Starts as the mean.

    Args:
        length: the longest history.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(length))

    def forward(self, offsets: Tensor, count: int) -> Tensor:
        bag = bag_of_each(offsets, count)  # (T,)
        # Not by [...]: threads would add up its gradient in whichever order they come, and no two runs would be equal.
        weight = self.scores.exp().index_select(0, ages(offsets, bag))
        total = weight.new_zeros(len(offsets) - 1).index_add(0, bag, weight)  # (R,)
        return weight / total.index_select(0, bag)

    def padded(self, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
        return padded_mean(rows, given * newest_last(self.scores, rows.shape[1]).exp())


class HistoryAttention(HistoryEncoder):
    """The mean of a history, weighted by what the domain looks at: recent items, certain items.

        y = sum_t softmax(s)_t x_t,   s_t = a_age(t) . (f, 1) + x_t . C (f, 1)

    f is the domain indicator's embedding, the softmax goes over the history, a (one vector for each age) and C are
    learned. Starts as the mean; of several heads, each starts at looking for items of its own.

    Args:
        length: the longest history.
        embedding_dim: E.
        heads: H, how many such means are taken, each with an a and a C of its own.

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
        if heads > 1:  # equal ones would get equal gradients, and stay so
            nn.init.normal_(self.content.bias)

    def forward(self, rows: Tensor, offsets: Tensor, f_domain: Tensor) -> Tensor:
        num, width = f_domain.shape
        bag = bag_of_each(offsets, len(rows))  # (T,)
        place = bag * self.length + ages(offsets, bag)
        scores = self.age(f_domain).view(-1, self.heads).index_select(0, place)  # (T, H)
        wanted = self.content(f_domain).view(num, self.heads, width)  # (R, H, E)
        scores = scores + (wanted.index_select(0, bag) * rows[:, None]).sum(dim=2)
        weights = softmax_in_bags(scores, bag, num)
        each = torch.arange(len(rows), device=rows.device)
        pooled = [
            functional.embedding_bag(each, rows, offsets[:-1], mode="sum", per_sample_weights=weights[:, head])
            for head in range(self.heads)
        ]
        return torch.stack(pooled, dim=1)  # (R, H, E)

    def padded(self, rows: Tensor, given: Tensor, f_domain: Tensor) -> Tensor:
        width = rows.shape[2]
        by_age = self.age(f_domain).unflatten(1, (self.length, self.heads))  # (R, length, H)
        wanted = self.content(f_domain).unflatten(1, (self.heads, width))  # (R, H, E)
        scores = by_age[:, : rows.shape[1]].flip(1) + rows @ wanted.transpose(1, 2)  # (R, L, H)
        weights = torch.where(given[:, :, None] > 0, scores, NEVER).softmax(dim=1) * given[:, :, None]
        pooled: Tensor = weights.transpose(1, 2) @ rows
        return pooled
