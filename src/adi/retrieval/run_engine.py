"""Exact answers by the model of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adi.data.arrays import Array
from adi.data.bids import log_bids
from adi.data.dataset import Queries
from adi.errors import AdiError
from adi.models.model import Model
from adi.models.scorer import Score, finite
from adi.retrieval.engine import Admitted, Found
from adi.training.fitted import open_run


class RunEngine:
    """Scores every item of the corpus with the model of a run, whatever kind it is.

    A domain's first request prepares the scores of its corpus (with a two-tower model: every item's vector), which stay
    in memory for the later ones. `bid` names the items' attribute that holds their bids.
    """

    def __init__(self, run: Path, *, bid: str | None = None, model: str | Model | None = None) -> None:
        self.info, self.dataset, self.scorer = open_run(run, model)
        self.version, self.bid = str(run), bid
        if bid is not None:
            self.dataset.attributes(0, [bid])  # refuses one that is not there
        self._log_bids: dict[int, Tensor] = {}
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

    def log_bids(self, domain: int) -> Tensor:
        if self.bid is None:
            raise AdiError(
                "bid_weight: which attribute holds the bids? Name it: --bid COLUMN, or Retriever(run, bid=…)."
            )
        if domain not in self._log_bids:
            self._log_bids[domain] = torch.from_numpy(log_bids(self.dataset, domain, self.bid))
        return self._log_bids[domain]

    def search(
        self,
        domain: int,
        queries: Queries,
        k: int,
        *,
        admitted: Admitted | None,
        excluded: Sequence[Array],
        bid_weight: float = 0.0,
    ) -> list[Found]:
        lifts = bid_weight * self.log_bids(domain) if bid_weight else None
        if domain not in self._scores:
            self._scores[domain] = self.scorer.against(domain, self.items(domain))
        scored = finite(self._scores[domain](queries))
        found = []
        for scores, without in zip(scored if lifts is None else scored + lifts, excluded, strict=True):
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
