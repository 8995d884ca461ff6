"""The average of the weights over the steps, which is steadier than the weights of the last one."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from adi.models.two_tower import TwoTower


class WeightAverage:
    """An exponential moving average of all weights: after step t, ``average = d average + (1 - d) weight``.

    ``d = min(decay, t / (9 + t))``, so that an early average is not of the start. Of a table it costs no more than the
    rows that a step changes: while a row w stays as it is, its average moves towards it by ``average - w``, times the
    d of each step, and this is made up for when the row changes next or is asked for. Statistics of norms are no
    weights and are not averaged.

    Call `rows_change` before an optimizer writes rows of the tables, and `step` after each step.
    """

    def __init__(self, model: TwoTower, decay: float) -> None:
        self.decay, self.tables = decay, model.tables.weight
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.averages = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.rows = self.tables.detach().clone()
        self.since = torch.zeros(len(self.rows), dtype=torch.float64, device=self.rows.device)
        """`log_product` when the average of each row was last right."""
        self.steps = 0
        self.log_product = 0.0
        """Of d over the steps so far."""

    @torch.no_grad()
    def rows_change(self, rows: Tensor) -> None:
        """Bring the averages of rows up to the last step, with the weights they have had until now."""
        left = (self.log_product - self.since[rows]).exp().to(self.rows.dtype)[:, None]
        self.rows[rows] = torch.lerp(self.tables[rows], self.rows[rows], left)
        self.since[rows] = self.log_product

    @torch.no_grad()
    def step(self) -> None:
        """Count a step, whose weights the model has now."""
        self.steps += 1
        decay = min(self.decay, self.steps / (9 + self.steps))
        self.log_product += math.log(decay)
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move(list(self.averages.values()), list(self.weights.values()), self.steps)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averages for weights, as long as the context lasts."""
        self.rows_change(torch.arange(len(self.rows), device=self.rows.device))
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
        """What a checkpoint needs beside the model."""
        counts = torch.tensor([self.steps, self.log_product], dtype=torch.float64)
        dense = {f"dense.{name}": average for name, average in self.averages.items()}
        return {"rows": self.rows, "since": self.since, "counts": counts, **dense}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.rows.copy_(state["rows"])
        self.since.copy_(state["since"])
        for name, average in self.averages.items():
            average.copy_(state[f"dense.{name}"])
        steps, self.log_product = state["counts"].tolist()
        self.steps = int(steps)
