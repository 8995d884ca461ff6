"""The optimizers of a run: row-wise Adagrad for the embedding tables, AdamW for everything else."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from adi.nn.distinct import distinct
from adi.nn.domain_parameter import DomainParameter
from adi.nn.embedding import EmbeddingTables


class RowwiseAdagrad:
    """Adagrad with one accumulator per row, which reads and writes only the rows of the batch.

    With g the gradient of a row, ``s += mean(g^2)`` and ``row -= lr * g / (sqrt(s) + eps)``. The cost of a step does
    not depend on the size of the tables. `state` (rows,) are the accumulators s. `before_update` is called with the
    numbers of the rows that a step is about to change.
    """

    def __init__(self, tables: EmbeddingTables, *, lr: float, eps: float = 1e-8) -> None:
        self.tables, self.lr, self.eps = tables, lr, eps
        self.state = tables.weight.new_zeros(len(tables.weight))
        self.before_update: Callable[[Tensor], None] | None = None

    @torch.no_grad()
    def step(self) -> None:
        """Apply and clear the gradients of all lookups since the last step; a row looked up twice is updated once."""
        touched = [(rows, source.grad) for rows, source in self.tables.touched if source.grad is not None]
        self.tables.touched.clear()
        if not touched:
            return
        rows, inverse = distinct(torch.cat([rows for rows, _ in touched]))
        gradients = torch.cat([gradient for _, gradient in touched])
        gradient = gradients.new_zeros(len(rows), gradients.shape[1]).index_add_(0, inverse, gradients)  # (rows, E)
        self.state.index_add_(0, rows, gradient.square().mean(dim=1))
        state = self.state[rows]
        if self.before_update is not None:
            self.before_update(rows)
        self.tables.weight.index_add_(0, rows, gradient / (state.sqrt() + self.eps)[:, None], alpha=-self.lr)


def dense_optimizer(model: nn.Module, *, lr: float, weight_decay: float, delta_decay: float) -> torch.optim.AdamW:
    """Build AdamW with `weight_decay` for weight matrices, and `delta_decay` for domains' deltas from shared weights.

    Biases, scales and other vectors and scalars do not decay. Parameters of a domain that is absent from a batch have
    no gradient; they and their moments do not change.
    """
    weights = [module for module in model.modules() if isinstance(module, DomainParameter)]
    deltas = {delta for weight in weights if weight.shared is not None for delta in weight.deltas}
    groups: dict[float, list[nn.Parameter]] = {weight_decay: [], delta_decay: [], 0.0: []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decay = delta_decay if parameter in deltas else weight_decay if parameter.ndim > 1 else 0.0
            groups[decay].append(parameter)
    # fused: one pass over each parameter instead of the thousand small calls that a step otherwise makes
    return torch.optim.AdamW(
        [{"params": group, "weight_decay": decay} for decay, group in groups.items()], lr=lr, fused=True
    )
