"""Exponential moving average of the weights over the steps of a training."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from adi.models.two_tower import TwoTower
from adi.training.divided import Divided

ROWS_AT_ONCE = 1 << 16


class _AveragedShard(NamedTuple):
    """Rows of the tables (n, E), their averages (n, E), and the value of `log_product` at their last update (n,)."""

    weight: Tensor
    average: Tensor
    updated_at: Tensor


class WeightAverage:
    """An exponential moving average of all weights: after step t, ``average = d average + (1 - d) weight``.

    ``d = min(decay, t / (9 + t))``, so that early averages forget the initial weights quickly. For the embedding
    tables, a step costs no more than the rows that it changes. While a row w does not change, ``average - w`` shrinks
    by the factor d in each step; the product of these factors is applied when the row next changes, or when the average
    is read. The running statistics of norms are not weights and are not averaged.

    Call `catch_up` before an optimizer writes rows of the tables, and `step` after each step.
    """

    def __init__(self, model: TwoTower, decay: float) -> None:
        self.decay, self.tables = decay, model.tables
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.averages = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.shards = [_averaged(shard.weight.detach()) for shard in model.tables.shards]
        self.steps = 0
        self.log_product = 0.0
        """The sum of log d over the steps so far."""

    @torch.no_grad()
    def catch_up(self, shard: int, rows: Tensor) -> None:
        """Bring the averages of rows of a shard of the tables up to date, before their weights change."""
        weight, average, updated_at = self.shards[shard]
        factor = (self.log_product - updated_at[rows]).exp().to(average.dtype)[:, None]
        average[rows] = torch.lerp(weight[rows], average[rows], factor)
        updated_at[rows] = self.log_product

    @torch.no_grad()
    def step(self) -> None:
        """Add the model's current weights to the average."""
        self.steps += 1
        decay = min(self.decay, self.steps / (9 + self.steps))
        self.log_product += math.log(decay)
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        update(list(self.averages.values()), list(self.weights.values()), self.steps)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the context, replace the model's weights by their averages."""
        for number, shard in enumerate(self.shards):
            for first in range(0, len(shard.weight), ROWS_AT_ONCE):
                stop = min(first + ROWS_AT_ONCE, len(shard.weight))
                self.catch_up(number, torch.arange(first, stop, device=shard.weight.device))
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for shard in self.shards:  # in place: an optimizer, too, knows the rows by where they lie
            for first in range(0, len(shard.weight), ROWS_AT_ONCE):
                rows = slice(first, first + ROWS_AT_ONCE)
                weight = shard.weight[rows].clone()
                shard.weight[rows] = shard.average[rows]
                shard.average[rows] = weight
        for name, weight in self.weights.items():
            weight.data, self.averages[name] = self.averages[name], weight.data

    def state_dict(self) -> dict[str, Tensor | Divided]:
        """The state that a checkpoint saves in addition to the model's weights."""
        counts = torch.tensor([self.steps, self.log_product], dtype=torch.float64)
        dense = {f"dense.{name}": average for name, average in self.averages.items()}
        rows = Divided.over(self.tables, [shard.average for shard in self.shards], width=self.tables.embedding_dim)
        since = Divided.over(self.tables, [shard.updated_at for shard in self.shards], dtype=torch.float64)
        return {"rows": rows, "since": since, "counts": counts, **dense}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a state, but for the rows of tables, which the checkpoint has read into their place."""
        for name, average in self.averages.items():
            average.copy_(state[f"dense.{name}"])
        steps, self.log_product = state["counts"].tolist()
        self.steps = int(steps)


def _averaged(weight: Tensor) -> _AveragedShard:
    updated_at = torch.zeros(len(weight), dtype=torch.float64, device=weight.device)
    return _AveragedShard(weight, weight.clone(), updated_at)
