"""Exponential moving average of the weights over the steps of a training."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from adi.models.two_tower import TwoTower


class WeightAverage:
    """An exponential moving average of all weights: after step t, ``average = d average + (1 - d) weight``.

    ``d = min(decay, t / (9 + t))``, so that early averages forget the initial weights quickly. For the embedding
    tables, a step costs no more than the rows that it changes. While a row w does not change, ``average - w`` shrinks
    by the factor d in each step; the product of these factors is applied when the row next changes, or when the average
    is read. The running statistics of norms are not weights and are not averaged.

    Call `catch_up` before an optimizer writes rows of the tables, and `step` after each step.
    """

    def __init__(self, model: TwoTower, decay: float) -> None:
        self.decay, self.tables = decay, model.tables.weight
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.averages = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.rows = self.tables.detach().clone()
        self.updated_at = torch.zeros(len(self.rows), dtype=torch.float64, device=self.rows.device)
        """The value of `log_product` at the last update of each row's average."""
        self.steps = 0
        self.log_product = 0.0
        """The sum of log d over the steps so far."""

    @torch.no_grad()
    def catch_up(self, rows: Tensor) -> None:
        """Bring the averages of rows up to date, before their weights change."""
        factor = (self.log_product - self.updated_at[rows]).exp().to(self.rows.dtype)[:, None]
        self.rows[rows] = torch.lerp(self.tables[rows], self.rows[rows], factor)
        self.updated_at[rows] = self.log_product

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
        self.catch_up(torch.arange(len(self.rows), device=self.rows.device))
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        self.tables.data, self.rows = self.rows, self.tables.data
        for name, weight in self.weights.items():
            weight.data, self.averages[name] = self.averages[name], weight.data

    def state_dict(self) -> dict[str, Tensor]:
        """The state that a checkpoint saves in addition to the model's weights."""
        counts = torch.tensor([self.steps, self.log_product], dtype=torch.float64)
        dense = {f"dense.{name}": average for name, average in self.averages.items()}
        return {"rows": self.rows, "since": self.updated_at, "counts": counts, **dense}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.rows.copy_(state["rows"])
        self.updated_at.copy_(state["since"])
        for name, average in self.averages.items():
            average.copy_(state[f"dense.{name}"])
        steps, self.log_product = state["counts"].tolist()
        self.steps = int(steps)
