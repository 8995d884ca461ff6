"""Exact answers by the model of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.dataset import Queries
from adi.models.scorer import Score, finite
from adi.retrieval.engine import Admitted, Found
from adi.training.run import open_run


class RunEngine:
    """Scores every item of the corpus with the model of a run, whatever kind it is.

    A domain's first request prepares the scores of its corpus (with a two-tower model: every item's vector), which stay
    in memory for the later ones.
    """

    def __init__(self, run: Path) -> None:
        self.info, self.dataset, self.scorer = open_run(run)
        self.version = str(run)
        self._scores: dict[int, Score] = {}
        self._items: dict[int, Array] = {}

    def about(self) -> dict[str, Any]:
        return {"model": self.info.model, "created": self.info.created, "fingerprint": self.info.fingerprint}

    def items(self, domain: int) -> Array:
        if domain not in self._items:
            self._items[domain] = self.dataset.corpora.retrievable(domain)
        return self._items[domain]

    def admit(self, domain: int, positions: Array) -> Admitted:
        return torch.from_numpy(positions)

    def search(
        self, domain: int, queries: Queries, k: int, *, admitted: Admitted | None, excluded: Sequence[Array]
    ) -> list[Found]:
        if domain not in self._scores:
            self._scores[domain] = self.scorer.against(domain, self.items(domain))
        found = []
        for scores, without in zip(finite(self._scores[domain](queries)), excluded, strict=True):
            scores[torch.from_numpy(without)] = -torch.inf
            within = admitted if isinstance(admitted, Tensor) else torch.arange(len(scores))
            within = within[best(scores[within], k)]
            within = within[scores[within] > -torch.inf]
            found.append(Found(within.numpy(), scores[within].numpy()))
        return found


def best(scores: Tensor, k: int) -> Tensor:
    """The places of the `k` highest of scores (m,), best first; of those that score alike, lower places first."""
    if k < len(scores):
        among = torch.nonzero(scores >= scores.topk(k).values[-1]).flatten()
        return among[scores[among].sort(descending=True, stable=True).indices[:k]]
    return scores.sort(descending=True, stable=True).indices
