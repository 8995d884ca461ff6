"""All embedding tables of a model in one matrix, pooled lookups, and gradients for the touched rows only.

A dense gradient of a table costs time and memory with the table's size, not the batch's. So the matrix is no autograd
parameter: a lookup gathers the distinct rows that the batch needs into a small leaf tensor, and the row-wise optimizer
(`adi.training.optimizers.RowwiseAdagrad`) writes the updated rows back.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Bag = tuple[Tensor, Tensor | None]
"""One feature of R samples: table rows (T,) and the offsets (R + 1,) that cut them, None if each sample has one row."""


class EmbeddingTables(nn.Module):
    """One table for each name, packed one below the other (ADI eq. 6-7: all domains share every table).

    Args:
        sizes: rows of each table.
        embedding_dim: E.
        std: of the normal distribution that rows are drawn from at the start.

    Shapes:
        forward: the bags of F features of R samples -> (R, F, E); a bag is its rows' weighted sum, an empty one is 0.
    """

    def __init__(self, sizes: Mapping[str, int], embedding_dim: int, *, std: float = 0.05) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.first: dict[str, int] = {}
        total = 0
        for name, size in sizes.items():
            self.first[name] = total
            total += size
        self.weight = nn.Parameter(torch.empty(total, embedding_dim).normal_(std=std), requires_grad=False)
        self.touched: list[tuple[Tensor, Tensor]] = []
        """Row numbers and the gathered rows, leaves with a gradient, of each lookup since the optimizer's last step."""

    def forward(self, tables: Sequence[str], bags: Sequence[Bag], weights: Sequence[Tensor | None]) -> Tensor:
        """Pool feature f's bags from table `tables[f]`; `weights[f]` (T,) or, where None, the mean of each bag."""
        rows, starts, scales = [], [], []
        before = 0
        for table, (values, offsets), weight in zip(tables, bags, weights, strict=True):
            rows.append(values + self.first[table])
            count = len(values)
            if offsets is None:
                starts.append(torch.arange(before, before + count, device=values.device))
                scales.append(self.weight.new_ones(count) if weight is None else weight)
            else:
                starts.append(offsets[:-1] + before)
                scales.append(mean_weights(offsets, count, self.weight.dtype) if weight is None else weight)
            before += count
        index, scale = torch.cat(rows), torch.cat(scales)  # (T,), (T,)
        if torch.is_grad_enabled():
            distinct, index = torch.unique(index, return_inverse=True)
            source = self.weight.detach()[distinct].requires_grad_()
            self.touched.append((distinct, source))
        else:
            source = self.weight
        pooled = functional.embedding_bag(
            index, source, torch.cat(starts), mode="sum", per_sample_weights=scale
        )  # (F * R, E), feature after feature
        return pooled.view(len(bags), -1, self.embedding_dim).transpose(0, 1)  # (R, F, E)


def bag_of_each(offsets: Tensor, count: int) -> Tensor:
    """The bag that each of `count` values is in (T,)."""
    lengths = offsets.diff()
    return torch.repeat_interleave(torch.arange(len(lengths), device=offsets.device), lengths, output_size=count)


def mean_weights(offsets: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Weights (T,) that turn a bag's sum into its mean."""
    lengths = offsets.diff().to(dtype)
    return (1 / lengths)[bag_of_each(offsets, count)]


class RecencyWeights(nn.Module):
    """Weights that fade with the place from the end of a history, learned; they sum to 1 in each bag.

    Starts as the mean. ``forward(offsets (R + 1,), count) -> (T,)``, the newest value last in its bag.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(length))

    def forward(self, offsets: Tensor, count: int) -> Tensor:
        bag = bag_of_each(offsets, count)  # (T,)
        age = offsets[1:][bag] - 1 - torch.arange(count, device=offsets.device)  # 0: newest
        weight = self.scores.exp()[age]
        total = weight.new_zeros(len(offsets) - 1).index_add(0, bag, weight)  # (R,)
        return weight / total[bag]
