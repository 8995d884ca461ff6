"""The optimizers of a run: row-wise Adagrad for the embedding tables, AdamW for everything else."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from adi.nn.distinct import distinct
from adi.nn.domain_parameter import DomainParameter
from adi.nn.embedding import EmbeddingTables
from adi.training.divided import Divided

ADAGRAD_EPS = 1e-8

BeforeUpdate = Callable[[int, Tensor], None]


class TableOptimizer(Protocol):
    """An optimizer of the embedding tables, with one accumulator for each row.

    `before_update` is called with the number of a shard of the tables, and the rows of it that a step may change.
    """

    before_update: BeforeUpdate | None

    def step(self) -> None:
        """Apply the gradients of all lookups since the last step."""
        ...

    def state_of_rows(self) -> Divided:
        """The accumulators of the rows (rows,)."""
        ...


class RowwiseAdagrad:
    """Adagrad with one accumulator per row, which reads and writes only the rows of the batch.

    With g the gradient of a row, ``s += mean(g^2)`` and ``row -= lr * g / (sqrt(s) + eps)``. The cost of a step does
    not depend on the size of the tables. `state` (rows,) are the accumulators s.
    """

    def __init__(self, tables: EmbeddingTables, *, lr: float, eps: float = ADAGRAD_EPS) -> None:
        self.tables, self.lr, self.eps = tables, lr, eps
        self.state = tables.weight.new_zeros(len(tables.weight))
        self.before_update: BeforeUpdate | None = None

    def state_of_rows(self) -> Divided:
        """See `TableOptimizer.state_of_rows`."""
        return Divided.over(self.tables, [self.state])

    @torch.no_grad()
    def step(self) -> None:
        """Apply and clear the gradients of all lookups since the last step; a row looked up twice is updated once."""
        rows, gradient = summed_gradients(self.tables)
        self.state.index_add_(0, rows, gradient.square().mean(dim=1))
        state = self.state[rows]
        if self.before_update is not None:
            self.before_update(0, rows)
        self.tables.weight.index_add_(0, rows, gradient / (state.sqrt() + self.eps)[:, None], alpha=-self.lr)


def summed_gradients(tables: EmbeddingTables) -> tuple[Tensor, Tensor]:
    """The distinct rows of all lookups since the last call (n,), and the sum of the gradients of each (n, E)."""
    touched = [(rows, source.grad) for rows, source in tables.touched if source.grad is not None]
    tables.touched.clear()
    if not touched:
        nothing = torch.empty(0, dtype=torch.int64, device=tables.device)
        return nothing, torch.empty(0, tables.embedding_dim, device=tables.device)
    rows, inverse = distinct(torch.cat([rows for rows, _ in touched]))
    gradients = torch.cat([gradient for _, gradient in touched])
    return rows, gradients.new_zeros(len(rows), gradients.shape[1]).index_add_(0, inverse, gradients)


def dense_optimizer(
    model: nn.Module, *, lr: float, weight_decay: float, delta_lr: Sequence[float] | None = None
) -> torch.optim.AdamW:
    """Build AdamW with the learning rate `lr`, and `delta_lr` (D,) for each domain's deltas from the shared weights.

    By default, deltas learn at `lr`, too. The delta of a network that has a single domain always does.
    Weight matrices decay by `weight_decay`; biases, scales and other vectors and scalars do not. Parameters of a domain
    that is absent from a batch have no gradient; they and their moments do not change.
    """
    rates = {
        delta: rate
        for weight in model.modules()
        if delta_lr is not None and isinstance(weight, DomainParameter) and weight.shrinks
        for delta, rate in zip(weight.deltas, delta_lr, strict=True)
    }
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rates.get(parameter, lr), decay), []).append(parameter)
    # fused: one pass over each parameter instead of the thousand small calls that a step otherwise makes
    return torch.optim.AdamW(
        [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()], fused=True
    )
